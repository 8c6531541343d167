package features

import (
	"fmt"

	"github.com/deconvnet/viz/model"
)

// Mismatch says why an index does not serve: it is of another network, of other images, or holds too little.
type Mismatch struct {
	Problem string // follows "the index": "does not hold layer relu2"
}

func (e *Mismatch) Error() string { return "the index " + e.Problem }

func mismatch(format string, args ...any) error { return &Mismatch{fmt.Sprintf(format, args...)} }

// Serves reports a *Mismatch unless the index holds the top strongest images of layers of a network with the given
// hash and shapes.
func (x *Index) Serves(hash string, shapes map[string]model.Shape, layers []string, top int) error {
	if x.Model != hash {
		return mismatch("is an index of model %s, the network is %s", x.Model, hash)
	}
	for _, name := range layers {
		l, s := x.Layer(name), shapes[name]
		if l == nil {
			return mismatch("does not hold layer %s", name)
		}
		if l.H != s.H || l.W != s.W || len(l.Top) != s.C {
			return mismatch("has layer %s as %dx%dx%d, want %v", name, len(l.Top), l.H, l.W, s)
		}
	}
	if top > x.TopK {
		return mismatch("keeps the %d strongest of each map, not %d", x.TopK, top)
	}
	return nil
}

// IsOf reports a *Mismatch unless the index is of the images with the given number, hash of names, and hash of sizes.
func (x *Index) IsOf(images int, names, sizes string) error {
	if images != x.Images || names != x.Source.Names {
		return mismatch("is an index of other images: %d of them, here are %d", x.Images, images)
	}
	if !x.Source.fits(sizes) {
		return mismatch("is an index of images that have changed: the sizes of their files are others")
	}
	return nil
}

// Keep leaves the top strongest images of each map.
func (x *Index) Keep(top int) {
	for l := range x.Layers {
		for m, hits := range x.Layers[l].Top {
			x.Layers[l].Top[m] = hits[:min(len(hits), top)]
		}
	}
}
