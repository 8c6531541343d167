package images

import (
	"container/list"
	"sync"

	"github.com/deconvnet/viz/model/tensor"
)

// Kept returns the same inputs, of which those loaded last are kept, as long as they take less than so many bytes: work
// that comes back to an image, such as drawing what a scan found, does not decode it again. Tensors that Load returns
// are shared then: nobody may change them.
func (in *Inputs) Kept(bytes int) *Inputs {
	out := *in
	out.kept = &kept{most: bytes / 4, order: list.New(), byImage: map[int]*list.Element{}}
	return &out
}

// kept holds the tensors that were used last.
type kept struct {
	mu      sync.Mutex
	most    int        // values
	held    int        // values
	order   *list.List // of keptImage, the one used last in front
	byImage map[int]*list.Element
}

type keptImage struct {
	image int
	x     *tensor.Tensor
}

// find is the tensor of an image, nil if it is not kept.
func (k *kept) find(i int) *tensor.Tensor {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byImage[i]
	if e == nil {
		return nil
	}
	k.order.MoveToFront(e)
	return e.Value.(keptImage).x
}

// add keeps a tensor, and lets go of what has not been used for longest.
func (k *kept) add(i int, x *tensor.Tensor) {
	if k == nil || len(x.Data) > k.most {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byImage[i] != nil {
		return // another goroutine was faster
	}
	for k.held += len(x.Data); k.held > k.most; {
		old := k.order.Remove(k.order.Back()).(keptImage)
		delete(k.byImage, old.image)
		k.held -= len(old.x.Data)
	}
	k.byImage[i] = k.order.PushFront(keptImage{i, x})
}
