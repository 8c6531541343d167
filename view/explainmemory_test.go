package view

import (
	"testing"

	"github.com/deconvnet/viz/model"
)

// A page needs memory for the values of all layers, not only for the weights: of large pictures more than of small ones.
func TestExplainMemory(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, size := range []int{32, 256} {
		net, err := model.Build("small", model.ArchOptions{Input: model.Input{C: 3, H: size, W: size}, Classes: []string{"a", "b"}, Width: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		shapes, err := net.Shapes()
		if err != nil {
			t.Fatal(err)
		}
		values := 0
		for _, s := range shapes {
			values += 4 * s.Len()
		}
		need, err := NewSession(engine, net).ExplainMemory()
		if err != nil || need < values {
			t.Errorf("%d pixels: %d bytes, the values of one image take %d; %v", size, need, values, err)
		}
	}
}
