package model_test

import (
	"slices"
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

// A smaller batch takes the memory of a larger one, and the larger one takes it back.
func TestRunIntoSmaller(t *testing.T) {
	e := model.NewEngine(2)
	defer e.Close()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(3, net.Input.C, net.Input.H, net.Input.W)
	for i := range x.Data {
		x.Data[i] = float32(i%97)/97 - 0.4
	}
	for _, keep := range []model.Keep{{}, {Layers: []string{net.Logits}, Switches: true}} {
		p, err := e.Compile(net, keep)
		if err != nil {
			t.Fatal(err)
		}
		trace := &model.Trace{}
		var first *float32
		for _, n := range []int{3, 2, 1, 3} {
			if err := p.RunInto(trace, x.Slice(0, n)); err != nil {
				t.Fatal(err)
			}
			want, err := p.Run(x.Slice(0, n))
			if err != nil {
				t.Fatal(err)
			}
			for _, node := range net.Nodes {
				if w := want.Value(node.Name); w != nil && (!slices.Equal(trace.Value(node.Name).Data, w.Data) || !slices.Equal(trace.Value(node.Name).Shape, w.Shape)) {
					t.Errorf("%d images: another value of %s", n, node.Name)
				}
				if !slices.Equal(trace.Switches(node.Name), want.Switches(node.Name)) {
					t.Errorf("%d images: other switches of %s", n, node.Name)
				}
			}
			at := &trace.Value(net.Logits).Data[0]
			if first == nil {
				first = at
			}
			if at != first {
				t.Errorf("%d images: the scores are in new memory", n)
			}
		}
	}
}
