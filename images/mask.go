package images

import (
	"fmt"
	"image"
	"math"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/npy"
)

// Mask is segments of an image: a picture of them, or a number for each pixel of a network's input.
type Mask struct {
	Name   string
	Image  image.Image // nil if there are numbers
	Labels []int32     // [H, W]
	H, W   int
}

// OpenMask reads a mask: a picture, or a .npy array [H, W] of whole numbers.
func OpenMask(path string) (Mask, error) {
	if !strings.EqualFold(filepath.Ext(path), ".npy") {
		p, err := OpenFile(path)
		return Mask{Name: path, Image: p.Image}, err
	}
	a, err := npy.ReadFile(path)
	if err != nil {
		return Mask{}, err
	}
	if len(a.Shape) != 2 || a.Len() == 0 {
		return Mask{}, fmt.Errorf("%s: array is %v, want [H W]", path, a.Shape)
	}
	m := Mask{Name: path, Labels: a.Int32, H: a.Shape[0], W: a.Shape[1]}
	for i, v := range a.Float32 {
		if v != float32(math.Trunc(float64(v))) || v < math.MinInt32 || v >= math.MaxInt32 {
			return Mask{}, fmt.Errorf("%s: row %d, column %d is %g, want whole numbers", path, i/m.W, i%m.W, v)
		}
		m.Labels = append(m.Labels, int32(v))
	}
	return m, nil
}
