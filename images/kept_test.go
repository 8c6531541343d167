package images

import (
	"image"
	"image/color"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/deconvnet/viz/model"
)

// TestKept: an image that is kept is not decoded again; what was used last stays.
func TestKept(t *testing.T) {
	var reads atomic.Int64
	l := &List{Items: make([]Item, 5), open: func(i int) (Picture, error) {
		reads.Add(1)
		img := image.NewGray(image.Rect(0, 0, 2, 2))
		img.SetGray(0, 0, color.Gray{uint8(10 * i)})
		return Picture{Image: img}, nil
	}}
	net := &model.Network{Input: model.Input{C: 1, H: 2, W: 2}, Preprocess: model.Preprocess{Scale: 1}}
	plain := &Inputs{List: l, Net: net}
	in := plain.Kept(3 * 4 * 4) // three images
	for _, c := range []struct {
		image int
		reads int64
	}{{0, 1}, {1, 2}, {0, 2}, {2, 3}, {3, 4}, {0, 4}, {1, 5}, {2, 6}, {0, 6}} {
		x, err := in.Load(c.image)
		if err != nil || x.Data[0] != float32(10*c.image) {
			t.Fatalf("image %d is %v, %v", c.image, x, err)
		}
		if reads.Load() != c.reads {
			t.Errorf("image %d: %d reads, want %d", c.image, reads.Load(), c.reads)
		}
	}
	if x, err := plain.Load(0); err != nil || reads.Load() != 7 || x.Data[0] != 0 {
		t.Error("the plain inputs keep images, too")
	}
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			dst := make([]float32, 4)
			for i := range 50 {
				if err := in.Input((i+g)%5, dst); err != nil || dst[0] != float32(10*((i+g)%5)) {
					t.Errorf("image %d: %v, %v", (i+g)%5, dst, err)
				}
			}
		})
	}
	wait.Wait()
	if in.kept.held > in.kept.most {
		t.Errorf("%d values are held, more than %d", in.kept.held, in.kept.most)
	}
}
