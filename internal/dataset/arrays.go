package dataset

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"

	"github.com/deconvnet/viz/internal/npy"
)

// pictures is an array of images of one size, with where its axes lie.
type pictures struct {
	a          *npy.Raw
	n, c, h, w int
	at         [3]int // steps from one channel, row and column to the next
	image      int    // and from one image to the next
	scale      float64
}

// newPictures finds the axes of [N,H,W], [N,H,W,C], [N,C,H,W] and of rows of pixels.
func newPictures(a *npy.Raw) (*pictures, error) {
	s := a.Shape
	p := &pictures{a: a, c: 1, scale: 1}
	var axes []int // of channel, row, column; -1: there is none
	colours := func(n int) bool { return n == 1 || n == 3 }
	switch {
	case slices.Contains(s, 0):
	case len(s) == 3:
		axes = []int{-1, 1, 2}
	case len(s) == 4 && colours(s[3]) && !(colours(s[1]) && s[1] != s[2]):
		axes = []int{3, 1, 2}
	case len(s) == 4 && colours(s[1]) && !colours(s[3]):
		axes = []int{1, 2, 3}
	case len(s) == 2 && s[1] == 3*cifarPlane:
		s, axes = []int{s[0], 3, cifarSide, cifarSide}, []int{1, 2, 3}
	case len(s) == 2:
		if side := int(math.Round(math.Sqrt(float64(s[1])))); side*side == s[1] {
			s, axes = []int{s[0], side, side}, []int{-1, 1, 2}
		}
	}
	if axes == nil || a.Fortran {
		return nil, fmt.Errorf("array %v (Fortran order: %v): want images as [N,H,W], [N,H,W,1 or 3] or [N,1 or 3,H,W] in C order", a.Shape, a.Fortran)
	}
	step := make([]int, len(s))
	for i, k := len(s)-1, 1; i >= 0; i-- {
		step[i] = k
		k *= s[i]
	}
	p.n, p.image, p.h, p.w = s[0], step[0], s[axes[1]], s[axes[2]]
	if axes[0] >= 0 {
		p.c = s[axes[0]]
	}
	for i, axis := range axes {
		if axis >= 0 {
			p.at[i] = step[axis]
		}
	}
	return p, p.measure()
}

// measure finds out in which units the numbers are: 0..255, or 0..1.
func (p *pictures) measure() error {
	if p.a.Bytes() {
		return nil
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range p.a.Len() {
		v := p.a.At(i)
		if !(v >= 0 && v <= 255) {
			return fmt.Errorf("value %d is %g: want pixels from 0 to 255, or from 0 to 1", i, v)
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	if p.a.Float() && hi <= 1 {
		p.scale = 255
	}
	return nil
}

// draw is image i: grey, or colours.
func (p *pictures) draw(i int) image.Image {
	value := func(c, y, x int) uint8 {
		k := i*p.image + c*p.at[0] + y*p.at[1] + x*p.at[2]
		if p.a.Bytes() {
			return p.a.Data[k]
		}
		return uint8(math.Round(p.a.At(k) * p.scale))
	}
	if p.c == 1 {
		m := image.NewGray(image.Rect(0, 0, p.w, p.h))
		for y := range p.h {
			for x := range p.w {
				m.Pix[y*m.Stride+x] = value(0, y, x)
			}
		}
		return m
	}
	m := image.NewNRGBA(image.Rect(0, 0, p.w, p.h))
	for y := range p.h {
		for x := range p.w {
			q := m.Pix[y*m.Stride+4*x:]
			q[0], q[1], q[2], q[3] = value(0, y, x), value(1, y, x), value(2, y, x), 255
		}
	}
	return m
}

// maxClasses bounds the numbers of classes in arrays and pickles, of which each up to the largest gets a name: the whole of
// ImageNet has 21,841.
const maxClasses = 100_000

// labelsOf reads labels: whole numbers [N] or [N,1], or one of K is 1 in [N,K].
func labelsOf(a *npy.Raw) ([]int, error) {
	s := a.Shape
	switch {
	case len(s) == 1, len(s) == 2 && s[1] == 1:
		labels := make([]int, a.Len())
		for i := range labels {
			v := a.At(i)
			if v != math.Floor(v) || !(v >= 0 && v < maxClasses) {
				return nil, fmt.Errorf("label %d is %g: want class numbers from 0 to %d", i, v, maxClasses-1)
			}
			labels[i] = int(v)
		}
		return labels, nil
	case len(s) == 2 && !a.Fortran && s[1] > 1:
		labels := make([]int, s[0])
		for i := range labels {
			ones := 0
			for k := range s[1] {
				switch a.At(i*s[1] + k) {
				case 0:
				case 1:
					labels[i] = k
					ones++
				default:
					ones = -s[1]
				}
			}
			if ones != 1 {
				return nil, fmt.Errorf("labels %v: row %d is not one 1 among zeros: images with several labels cannot be read", s, i)
			}
		}
		return labels, nil
	}
	return nil, fmt.Errorf("labels are %v: want [N], [N,1] or [N,classes]", s)
}

// arraySet makes a split of images and labels.
func arraySet(name, split string, images, labels *npy.Raw) (*Set, error) {
	p, err := newPictures(images)
	if err != nil {
		return nil, err
	}
	l, err := labelsOf(labels)
	if err != nil {
		return nil, err
	}
	if len(l) != p.n {
		return nil, fmt.Errorf("%d images and %d labels", p.n, len(l))
	}
	s := &Set{name: name, split: split, c: p.c, h: p.h, w: p.w, labels: l}
	s.id = func(i int) string { return split + "/" + strconv.Itoa(i) }
	s.draw = func(i int) (image.Image, image.Rectangle, error) { return p.draw(i), image.Rectangle{}, nil }
	return s, nil
}

// numberClasses names the classes 0 to the largest label.
func numberClasses(sets ...*Set) []string {
	n := 0
	for _, s := range sets {
		if s.Len() > 0 {
			n = max(n, slices.Max(s.labels)+1)
		}
	}
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}
