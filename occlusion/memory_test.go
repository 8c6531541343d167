package occlusion_test

import (
	"errors"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/occlusion"
)

// TestMemoryError: a bound that is too low is an error that callers can tell from others, with both numbers. What
// it asks for is enough.
func TestMemoryError(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	_, err = occlusion.New(engine, net, occlusion.Options{Memory: 1 << 16})
	e, ok := errors.AsType[*occlusion.MemoryError](err)
	if !ok {
		t.Fatalf("got %v, want a MemoryError", err)
	}
	if e.Limit != 1<<16 || e.Need <= e.Limit {
		t.Errorf("needs %d of %d", e.Need, e.Limit)
	}
	if _, err := occlusion.New(engine, net, occlusion.Options{Memory: e.Need}); err != nil {
		t.Errorf("with the memory asked for: %v", err)
	}
}
