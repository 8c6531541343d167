package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// WindowND is how the windows of a layer walk over arrays [C, sizes...] of two axes
// of space or more. Pads are those before all axes, then those behind.
type WindowND struct {
	From                   []int // dims of the input
	Stride, Dilation, Pads []int
}

func (w *WindowND) slots() []slot {
	return []slot{attribute("from", &w.From), attribute("stride", &w.Stride), attribute("dilation", &w.Dilation), attribute("pads", &w.Pads)}
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

// settings describes a window for a reader.
func (w *WindowND) settings(kernel []int) string {
	s := times(kernel)
	one := slices.Repeat([]int{1}, len(kernel))
	if !slices.Equal(w.Stride, one) {
		s += ", strides " + times(w.Stride)
	}
	if !slices.Equal(w.Dilation, one) {
		s += ", dilations " + times(w.Dilation)
	}
	if slices.ContainsFunc(w.Pads, func(p int) bool { return p != 0 }) {
		s += fmt.Sprintf(", pads %v", w.Pads)
	}
	return s + " on " + times(w.From)
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

// planewise is a convolution over the window, of the given kernel, counts of them, for
// weights [k, c, ...], as the kernels see it.
func (w *WindowND) planewise(kernelSize, out []int, k, groups int) *kernel.Planewise {
	return kernel.PlanewiseOf(w.From, w.Stride, w.Dilation, w.Pads, kernelSize, out, w.Taps(out[:len(out)-2], kernelSize), k, groups)
}
