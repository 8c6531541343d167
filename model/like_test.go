package model

import (
	"slices"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

// TestLike: plans share packed weights where these are the same, and only there; values are the same bits.
func TestLike(t *testing.T) {
	engine, other := NewEngine(1), NewEngine(1)
	defer engine.Close()
	defer other.Close()
	net, err := Build("small", ArchOptions{Input: Input{C: 3, H: 16, W: 16}, Classes: []string{"a", "b"}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	compile := func(e *Engine, keep Keep) *Plan {
		t.Helper()
		p, err := e.Compile(net, keep)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	shared := func(a, b *Plan) (n int) {
		for i := range a.steps {
			for j := range b.steps {
				if f := a.steps[i].filters; f != nil && f == b.steps[j].filters {
					n++
				}
			}
		}
		return n
	}
	convs := 0
	all := compile(engine, Keep{Layers: []string{net.Logits, net.FeatureLayers()[0]}, Switches: true})
	for i := range all.steps {
		if all.steps[i].filters != nil {
			convs++
		}
	}
	scores := Keep{Layers: []string{net.Logits}}
	alone := compile(engine, scores)
	scores.Like = []*Plan{all}
	like := compile(engine, scores)
	if got := shared(all, like); got != convs || convs == 0 {
		t.Errorf("%d of %d convolutions share their weights", got, convs)
	}
	if shared(all, alone) != 0 {
		t.Error("weights are shared unasked")
	}
	fast := scores
	fast.Fast = true
	if shared(all, compile(engine, fast)) != 0 {
		t.Error("weights packed otherwise are shared")
	}
	if shared(all, compile(other, scores)) != 0 {
		t.Error("weights are shared with another engine")
	}
	if shared(compile(engine, Keep{}), like) != 0 {
		t.Error("weights with a batch normalisation are shared with weights without it")
	}
	x := tensor.New(2, 3, 16, 16)
	for i := range x.Data {
		x.Data[i] = float32(i%13) - 6
	}
	var values [][]float32
	for _, p := range []*Plan{alone, like} {
		trace, err := p.Run(x)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, trace.Value(net.Logits).Data)
	}
	if !slices.Equal(values[0], values[1]) {
		t.Errorf("%v, alone %v", values[1], values[0])
	}
}
