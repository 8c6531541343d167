package main

import (
	"errors"
	"testing"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

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
