package main

import (
	"errors"
	"testing"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

// TestEstimate: the time that a run will take, in words.
func TestEstimate(t *testing.T) {
	for want, got := range map[string]string{
		"estimated time: 2m44s":                      estimate(163.8, 1, 1),
		"estimated time: 1.5 s":                      estimate(1.52, 1, 1),
		"estimated time: 2.5 s an image, 10s in all": estimate(2.5, 4, 6),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestOccluderHint: memory is hinted at by the type of the error, whatever its words.
func TestOccluderHint(t *testing.T) {
	p, ok := errors.AsType[*cmdline.Problem](occluderHint(cmdline.Budget{}, &occlusion.MemoryError{Need: 2, Limit: 1}))
	if !ok || p.Hint != "raise --memory" {
		t.Errorf("memory: %+v", p)
	}
	if err := occluderHint(cmdline.Budget{}, &view.FieldError{Field: "at", Problem: "6,0: outside"}); err.Error() != "--at 6,0: outside" {
		t.Errorf("a field: %v", err)
	}
	other := errors.New("3 MB of memory are needed, says somebody else")
	if occluderHint(cmdline.Budget{}, other) != other {
		t.Error("another error gets a hint about memory")
	}
}

// TestPace leaves out of the pace what comes before the first positions.
func TestPace(t *testing.T) {
	var p pace
	for _, c := range []struct {
		done          int
		seconds, want float64
	}{{0, 1, 0}, {10, 4, 0}, {20, 4.5, 0}, {40, 6, 4 + 2*90./30}, {55, 7, 10}} {
		if got := p.all(c.done, 100, c.seconds); got != c.want {
			t.Errorf("%d of 100 after %g s: %g s in all, want %g", c.done, c.seconds, got, c.want)
		}
	}
}
