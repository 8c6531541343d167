package model_test

import (
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
)

// A run into the memory of an earlier one allocates nothing and gives its values.
func TestRunIntoAllocatesNothing(t *testing.T) {
	e := model.NewEngine(2)
	defer e.Close()
	for _, name := range []string{"shapes", "cifar10"} {
		net, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		x := tensor.New(3, net.Input.C, net.Input.H, net.Input.W)
		for i := range x.Data {
			x.Data[i] = float32(i%97)/97 - 0.4
		}
		for _, keep := range []model.Keep{{}, {Layers: []string{net.Logits}}, {Layers: []string{net.Logits}, Fast: true}} {
			p, err := e.Compile(net, keep)
			if err != nil {
				t.Fatal(err)
			}
			trace, err := p.Run(x)
			if err != nil {
				t.Fatal(err)
			}
			want := append([]float32(nil), trace.Value(net.Logits).Data...)
			run := func() {
				if err := p.RunInto(trace, x); err != nil {
					t.Fatal(err)
				}
			}
			for range 20 { // until both workers have their scratch memory
				run()
			}
			if a := testing.AllocsPerRun(50, run); a >= 1 {
				t.Errorf("%s %+v: %v allocations", name, keep, a)
			}
			for i, v := range trace.Value(net.Logits).Data {
				if v != want[i] {
					t.Fatalf("%s %+v: score %d is %v, was %v", name, keep, i, v, want[i])
				}
			}
		}
	}
}
