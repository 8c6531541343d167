package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Hidden states, logits, loss and all gradients of the three kinds of recurrent
// layers follow traces computed in float64 by a program that shares nothing with
// this one. The tolerance is the traces' own rule: 2e-5 of an array's largest.
func TestGoldenRecurrent(t *testing.T) {
	for _, cell := range []string{"rnn", "lstm", "gru"} {
		t.Run(cell, func(t *testing.T) {
			dir := viztest.GoldenDir(t, cell)
			text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			var m struct {
				Labels             []int32
				Weights, Gradients map[string]string
				Loss               float64
			}
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			read := func(name string) *tensor.Tensor {
				a := readArray(t, filepath.Join(dir, name))
				return tensor.From(a.Float32, a.Shape...)
			}
			w := func(name string) *tensor.Tensor { return read(m.Weights[name]) }
			x := read("input.npy")
			n, steps := x.Shape[0], x.Shape[1]
			layer := &model.Recurrent{Cell: model.Cell(cell), WeightX: w("w_ih"), WeightH: w("w_hh"), BiasX: w("b_ih").Data, BiasH: w("b_hh").Data}
			net := chain(model.Input{Name: "input", C: 1, H: steps, W: x.Shape[2]}, "fc", "it", layer,
				"fc", &model.Dense{Weight: w("w_out"), Bias: w("b_out").Data}, "prob", &model.Softmax{})
			e := model.NewEngine(2)
			defer e.Close()
			near := func(what string, got, want []float32) {
				t.Helper()
				scale, off := 0.0, 0.0
				for i, v := range want {
					scale, off = max(scale, math.Abs(float64(v))), max(off, math.Abs(float64(v-got[i])))
				}
				if len(got) != len(want) || !(off <= 2e-5*scale) || scale == 0 {
					t.Errorf("%s is off by %.2g, its largest is %.3g", what, off, scale)
				}
			}
			geo := geometry(layer, net.Input.Shape())
			var s kernel.Recurrence
			y := make([]float32, n*geo.Hidden)
			kernel.Of(e).RecurrentForward(geo, n, &s, y, x.Data, kernel.RecurrentWeights{WX: layer.WeightX.Data, WH: layer.WeightH.Data, BX: layer.BiasX, BH: layer.BiasH})
			near("hidden", s.Hidden(geo, n), read("hidden.npy").Data)
			if cell == "lstm" {
				near("cell state", s.CellState(geo, n), read("cell.npy").Data)
			}
			x.Shape = []int{n, 1, steps, geo.In}
			trace, err := e.Forward(net, x)
			if err != nil {
				t.Fatal(err)
			}
			near("logits", trace.Value("fc").Data, read("logits.npy").Data)

			g, err := newGraph(kernel.Of(e), net.Clone(), n, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer g.close()
			copy(g.x, x.Data)
			copy(g.labels, m.Labels)
			for range 2 {
				if err := g.run(0); err != nil {
					t.Fatal(err)
				}
			}
			if math.Abs(g.loss-m.Loss) > 2e-5*m.Loss {
				t.Errorf("loss %v, want %v", g.loss, m.Loss)
			}
			names := map[string]string{"it.weight_x": "w_ih", "it.weight_h": "w_hh", "it.bias_x": "b_ih", "it.bias_h": "b_hh", "fc.weight": "w_out", "fc.bias": "b_out"}
			for _, p := range g.params {
				near(p.name+" gradient", p.gradient(), read(m.Gradients[names[p.name]]).Data)
			}
			// The input's gradient: training has no use for it, so it is asked of the kernel.
			d := kernel.RecurrentWeights{WX: make([]float32, layer.WeightX.Len()), WH: make([]float32, layer.WeightH.Len()),
				BX: make([]float32, len(layer.BiasX)), BH: make([]float32, len(layer.BiasH))}
			dx, dy := make([]float32, x.Len()), make([]float32, n*geo.Hidden)
			logits, wout := trace.Value("fc").Data, w("w_out")
			for i := range n {
				row := logits[i*10 : (i+1)*10]
				sum := 0.0
				for _, v := range row {
					sum += math.Exp(float64(v))
				}
				for c, v := range row {
					p := math.Exp(float64(v)) / sum
					if c == int(m.Labels[i]) {
						p--
					}
					for j := range geo.Hidden {
						dy[i*geo.Hidden+j] += float32(p/float64(n)) * wout.Data[c*geo.Hidden+j]
					}
				}
			}
			kernel.Of(e).RecurrentBackward(geo, n, &s, d, dx, dy, kernel.RecurrentWeights{WX: layer.WeightX.Data, WH: layer.WeightH.Data, BX: layer.BiasX, BH: layer.BiasH})
			near("input gradient", dx, read(m.Gradients["input"]).Data)
		})
	}
}
