package model

import (
	"fmt"
)

func poolShape(s Shape, kernel, stride, dilation [2]int, pads [4]int, ceil bool) (Shape, error) {
	if s.Flat {
		return Shape{}, fmt.Errorf("input is a vector of %d, want maps", s.C)
	}
	h, err := windowCount(s.H, kernel[0], stride[0], dilation[0], pads[0], pads[2], ceil)
	if err != nil {
		return Shape{}, err
	}
	w, err := windowCount(s.W, kernel[1], stride[1], dilation[1], pads[1], pads[3], ceil)
	return Shape{C: s.C, H: h, W: w}, err
}

// windowCount is the number of windows along one axis. With ceil a last window
// may hang over the end, but it must start inside the input or the leading pad.
func windowCount(size, kernel, stride, dilation, before, after int, ceil bool) (int, error) {
	if kernel < 1 || stride < 1 || dilation < 1 || before < 0 || after < 0 ||
		max(kernel, stride, dilation, before, after) > 1<<20 {
		return 0, fmt.Errorf("kernel %d, stride %d, dilation %d, pads %d and %d", kernel, stride, dilation, before, after)
	}
	span := (kernel-1)*dilation + 1
	room := size + before + after - span
	if room < 0 {
		return 0, fmt.Errorf("a window of %d does not fit in %d padded by %d and %d", span, size, before, after)
	}
	n := room/stride + 1
	if ceil && room%stride != 0 && n*stride < size+before {
		n++
	}
	return n, nil
}

// window describes a window for a reader.
func window(kernel, stride, dilation [2]int, pads [4]int) string {
	s := fmt.Sprintf("%dx%d", kernel[0], kernel[1])
	if stride[0] == stride[1] {
		s += fmt.Sprintf("/%d", stride[0])
	} else {
		s += fmt.Sprintf("/%dx%d", stride[0], stride[1])
	}
	if dilation != [2]int{1, 1} {
		s += fmt.Sprintf(", dilation %dx%d", dilation[0], dilation[1])
	}
	switch p := pads; {
	case p == [4]int{}:
	case p[0] == p[1] && p[0] == p[2] && p[0] == p[3]:
		s += fmt.Sprintf(", pad %d", p[0])
	default:
		s += fmt.Sprintf(", pads %d,%d,%d,%d", p[0], p[1], p[2], p[3])
	}
	return s
}
