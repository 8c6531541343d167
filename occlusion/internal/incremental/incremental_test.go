package incremental

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// grid lists boxes of a size at multiples of a stride, row by row.
func grid(in model.Input, h, w, stride int) (boxes []model.Box) {
	for y := 0; y+h <= in.H; y += stride {
		for x := 0; x+w <= in.W; x += stride {
			boxes = append(boxes, model.Box{Y0: y, X0: x, Y1: y + h, X1: x + w})
		}
	}
	return boxes
}

// compare runs changes that cover boxes of x with a value and holds all outputs
// to whole passes: equal if exact, else within tolerance of the value's own
// largest, or that of all it comes from.
// What a dense layer computes may be off four times as far: it is a difference of
// larger sums, and the whole pass itself is no nearer to the truth.
func compare(t *testing.T, engine *model.Engine, net *model.Network, x *tensor.Tensor, boxes []model.Box, fill float32, outputs []string, exact bool, tolerance float64, own bool) {
	t.Helper()
	if kernel.Name() == "ref" {
		t.Skip("the reference kernels have no incremental form")
	}
	n, err := Compile(engine, net, Options{Outputs: outputs, Totals: outputs, Exact: exact, Changes: boxes})
	if err != nil {
		t.Fatal(err)
	}
	k, err := n.Clean(x)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := engine.Compile(net, model.Keep{Layers: outputs})
	if err != nil {
		t.Fatal(err)
	}
	in := net.Input
	batch := tensor.New(len(boxes), in.C, in.H, in.W)
	size := in.Shape().Len()
	for i, b := range boxes {
		img := batch.Data[i*size : (i+1)*size]
		copy(img, x.Data)
		for c := range in.C {
			for y := b.Y0; y < b.Y1; y++ {
				for x := b.X0; x < b.X1; x++ {
					img[(c*in.H+y)*in.W+x] = fill
				}
			}
		}
	}
	want, err := plan.Run(batch)
	if err != nil {
		t.Fatal(err)
	}
	shapes, _ := net.Shapes()
	largest := map[string]float64{}
	for _, name := range outputs {
		for _, v := range want.Value(name).Data {
			largest[name] = max(largest[name], math.Abs(float64(v)))
		}
	}
	if !own { // a layer that makes values smaller keeps the errors of those before it
		all, err := engine.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range net.Nodes {
			for _, v := range all.Value(node.Name).Data {
				largest[node.Name] = max(largest[node.Name], math.Abs(float64(v)))
			}
			for _, in := range node.Inputs {
				largest[node.Name] = max(largest[node.Name], largest[in])
			}
		}
	}
	seen := make([]bool, len(boxes))
	var mu sync.Mutex
	bad := 0
	worst := map[string]float64{}
	err = k.Run(context.Background(), Job{Changes: boxes, Maps: make([]int, len(outputs)),
		Draw: func(i int, dst []float32) {
			for j := range dst {
				dst[j] = fill
			}
		},
		Done: func(i int, got [][]float32, totals []float64) {
			mu.Lock()
			defer mu.Unlock()
			seen[i] = true
			for j, name := range outputs {
				s := shapes[name]
				tolerance := tolerance
				if s.Flat {
					tolerance *= 4
				}
				w := want.Value(name).Data[i*s.Len() : (i+1)*s.Len()]
				for p, v := range got[j] {
					d := math.Abs(float64(v) - float64(w[p]))
					worst[name] = max(worst[name], d/max(largest[name], 1e-30))
					if (exact && v != w[p] || !(d <= tolerance*largest[name])) && bad < 5 {
						bad++
						t.Errorf("%s, exact %v: box %v: %s[%d] of %v is %v, want %v (largest %v)", net.Name, exact, boxes[i], name, p, s, v, w[p], largest[name])
					}
				}
				total := sum(w[:s.H*s.W])
				if d := math.Abs(totals[j] - total); (exact && d > 0 || d > tolerance*largest[name]*float64(s.H*s.W)) && bad < 5 {
					bad++
					t.Errorf("%s, exact %v: box %v: total of %s is %v, want %v", net.Name, exact, boxes[i], name, totals[j], total)
				}
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range seen {
		if !s {
			t.Fatalf("%s: change %d was not done", net.Name, i)
		}
	}
	if testing.Verbose() {
		t.Log(net.Name, exact, worst)
	}
}

func names(net *model.Network) (all []string) {
	for _, n := range net.Nodes {
		all = append(all, n.Name)
	}
	return all
}

// TestGoldenNetworks: on the golden networks, scores and every layer equal those
// of whole passes, bit for bit in exact mode.
func TestGoldenNetworks(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			x := c.Images(t).Slice(0, 1)
			in := c.Net.Input
			boxes := grid(in, max(in.H/7, 3), max(in.W/5, 2), 5)
			for _, exact := range []bool{true, false} {
				compare(t, engine, c.Net, x, boxes, 0.3, []string{c.Net.Logits}, exact, 1e-6, true)
				compare(t, engine, c.Net, x, boxes[:min(len(boxes), 40)], 0.3, names(c.Net), exact, 1e-6, true)
			}
		})
	}
}
