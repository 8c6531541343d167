package model

import (
	"fmt"
)

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
