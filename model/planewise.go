package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// WindowND is how the windows of a layer walk over arrays [C, sizes...] of two axes
// of space or more. Pads are those before all axes, then those behind.
type WindowND struct {
	From                   []int // dims of the input
	Stride, Dilation, Pads []int
}

// windowOf is how the windows of a layer over so many axes of space walk over an input
// of shape in, which has dims from, unless that is nil: then it is maps.
func windowOf(in Shape, from, stride, dilation, pads []int, axes int) WindowND {
	if from == nil {
		from = []int{in.C, in.H, in.W}
	}
	return WindowND{from, orRepeat(stride, 1, axes), orRepeat(dilation, 1, axes), orRepeat(pads, 0, 2*axes)}
}

// orRepeat is a list, or n times v if there is none.
func orRepeat(list []int, v, n int) []int {
	if list == nil {
		return slices.Repeat([]int{v}, n)
	}
	return list
}

// spaceAxes is how many axes of space filters have.
func spaceAxes(weight *tensor.Tensor) int {
	if weight == nil {
		return 2
	}
	return max(len(weight.Shape)-2, 2)
}

// checkFilters wants weights whose first two axes are as order says, and an input s of
// dims from, or maps, that they can walk over by w.
func checkFilters(order string, weight *tensor.Tensor, s Shape, from []int, w WindowND) error {
	switch {
	case from == nil && (weight == nil || len(weight.Shape) != 4):
		return fmt.Errorf("weights are not [%s, rows, columns]", order)
	case weight == nil || len(weight.Shape) < 4:
		return fmt.Errorf("weights are not [%s, sizes of the window...]", order)
	case from == nil && s.Flat:
		return fmt.Errorf("input is a vector of %d, want maps", s.C)
	}
	if err := w.check(s, weight.Shape[2:]); err != nil {
		return err
	}
	if _, err := arrayLen(weight.Shape); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	return nil
}

// check wants an input s of dims From, and a setting for each axis.
func (w *WindowND) check(s Shape, kernel []int) error {
	axes := len(w.From) - 1
	if axes < 2 {
		return fmt.Errorf("an input of %v, want channels and two axes or more", w.From)
	}
	if len(kernel) != axes || len(w.Stride) != axes || len(w.Dilation) != axes || len(w.Pads) != 2*axes {
		return fmt.Errorf("kernel %v, strides %v, dilations %v, pads %v for %d axes", kernel, w.Stride, w.Dilation, w.Pads, axes)
	}
	if _, err := arrayLen(kernel); err != nil {
		return fmt.Errorf("kernel %v: %w", kernel, err)
	}
	return holds(s, w.From)
}

// Counts is the number of windows of the given kernel along each axis.
func (w *WindowND) Counts(kernel []int, ceil bool) ([]int, error) {
	axes := len(w.From) - 1
	out := make([]int, axes)
	var err error
	for a := range axes {
		if out[a], err = windowCount(w.From[a+1], kernel[a], w.Stride[a], w.Dilation[a], w.Pads[a], w.Pads[a+axes], ceil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Taps lists, for windows over the first axes of space, as many as out has sizes,
// the places that each sees, tap by tap; -1: padding.
func (w *WindowND) Taps(out, kernel []int) []int {
	list := []int{0}
	per := 1
	for a, n := range out { // each place so far becomes n windows of kernel[a] taps
		size, k := w.From[a+1], kernel[a]
		next := make([]int, 0, len(list)*n*k)
		for at := 0; at < len(list); at += per {
			for o := range n {
				for _, base := range list[at : at+per] {
					for t := range k {
						x := o*w.Stride[a] - w.Pads[a] + t*w.Dilation[a]
						if base < 0 || x < 0 || x >= size {
							next = append(next, -1)
						} else {
							next = append(next, base*size+x)
						}
					}
				}
			}
		}
		list, per = next, per*k
	}
	return list
}

// fewTaps is an error if windows at places, laid out one by one, would take absurd memory.
func fewTaps(places, kernel []int) error {
	if all := slices.Concat(places, kernel, []int{maxElements >> 26}); !fits(all...) {
		return fmt.Errorf("windows of %v at %v places are too many", kernel, places)
	}
	return nil
}

// settings describes a window for a reader; maps says that they are what it walks over.
func (w *WindowND) settings(kernel []int, maps bool) string {
	usual := func(v []int, is int) bool { return !slices.ContainsFunc(v, func(i int) bool { return i != is }) }
	s := times(kernel)
	switch {
	case maps && usual(w.Stride, w.Stride[0]):
		s += fmt.Sprintf("/%d", w.Stride[0])
	case maps:
		s += "/" + times(w.Stride)
	case !usual(w.Stride, 1):
		s += ", strides " + times(w.Stride)
	}
	plural := map[bool]string{false: "s"}[maps]
	if !usual(w.Dilation, 1) {
		s += ", dilation" + plural + " " + times(w.Dilation)
	}
	switch {
	case usual(w.Pads, 0):
	case maps && usual(w.Pads, w.Pads[0]):
		s += fmt.Sprintf(", pad %d", w.Pads[0])
	case maps:
		s += fmt.Sprintf(", pads %d,%d,%d,%d", w.Pads[0], w.Pads[1], w.Pads[2], w.Pads[3])
	default:
		s += fmt.Sprintf(", pads %v", w.Pads)
	}
	if maps {
		return s
	}
	return s + " on " + times(w.From)
}

// groupsText says how many groups a convolution has, if there are more than one.
func groupsText(groups int) string {
	if groups < 2 {
		return ""
	}
	return fmt.Sprintf(", groups %d", groups)
}

func times(v []int) string {
	s := ""
	for i, n := range v {
		if i > 0 {
			s += "x"
		}
		s += fmt.Sprint(n)
	}
	return s
}

// planewise is a convolution over the window, out of them, for weights of shape
// [k, c, sizes of the window...], as the kernels see it.
func (w *WindowND) planewise(weight, out []int, groups int) *kernel.Planewise {
	size := weight[2:]
	return kernel.PlanewiseOf(w.From, w.Stride, w.Dilation, w.Pads, size, out, w.Taps(out[:len(out)-2], size), weight[0], groups)
}

// size is the product of dims.
func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
