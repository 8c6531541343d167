package incremental

import (
	"testing"

	"github.com/deconvnet/viz/model"
)

// TestParts: the tasks that copy the clean image cover every place of every value once.
func TestParts(t *testing.T) {
	n := &Net{}
	for _, s := range []model.Shape{{C: 3, H: 224, W: 224}, {C: 1000, H: 1, W: 1}, {C: 40000, H: 2, W: 3}, {C: 1, H: 7, W: 1}} {
		n.values = append(n.values, value{shape: s})
	}
	next := make([]int, len(n.values))
	for _, p := range n.parts() {
		if p.from != next[p.value] || p.to <= p.from {
			t.Fatalf("value %d: places %d to %d after %d", p.value, p.from, p.to, next[p.value])
		}
		next[p.value] = p.to
	}
	for i, v := range n.values {
		if next[i] != v.shape.H*v.shape.W {
			t.Errorf("value %d: %d of %d places", i, next[i], v.shape.H*v.shape.W)
		}
	}
}
