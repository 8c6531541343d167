package incremental

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// randomNet draws a network: some layers of any kind on any earlier values that
// fit, and a dense layer at the end, or a global pool.
func randomNet(r *rand.Rand) *model.Network {
	net := &model.Network{Name: "random", Input: model.Input{Name: "in", C: 1 + r.IntN(3), H: 6 + r.IntN(12), W: 6 + r.IntN(12)}}
	shapes := map[string]model.Shape{"in": net.Input.Shape()}
	last := "in"
	pair := func(n int) [2]int { return [2]int{1 + r.IntN(n), 1 + r.IntN(n)} }
	sides := func(n int) []int { p := pair(n); return p[:] }
	randoms := func(n int, scale float64) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = float32(scale * r.NormFloat64())
		}
		return s
	}
	add := func(l model.Layer, inputs ...string) bool {
		trial := *net
		trial.Nodes = append(append([]model.Node(nil), net.Nodes...), model.Node{Name: fmt.Sprintf("%s%d", l.Kind(), len(net.Nodes)), Inputs: inputs, Layer: l})
		s, err := trial.Shapes()
		if err != nil {
			return false
		}
		name := trial.Output()
		if o := s[name]; o.H < 1 || o.W < 1 || o.Len() > 20000 {
			return false
		}
		net.Nodes, shapes, last = trial.Nodes, s, name
		return true
	}
	pick := func() string {
		if r.IntN(3) > 0 || len(net.Nodes) == 0 {
			return last
		}
		return net.Nodes[r.IntN(len(net.Nodes))].Name
	}
	for range 3 + r.IntN(9) {
		in := pick()
		s := shapes[in]
		switch r.IntN(14) {
		case 0, 1, 2, 3, 4:
			groups := 1
			if r.IntN(4) == 0 {
				groups = s.C
			}
			k, stride := pair(5), []int{1, 1}
			if r.IntN(3) == 0 {
				s := pair(3)
				stride = s[:]
			}
			dilation := []int{1, 1}
			if r.IntN(4) == 0 {
				d := pair(2)
				dilation = d[:]
			}
			pads := []int{r.IntN(3), r.IntN(3), r.IntN(3), r.IntN(3)}
			if r.IntN(2) == 0 {
				k, stride, dilation, pads = [2]int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1, 1, 1}
			}
			out := groups * (1 + r.IntN(max(20/groups, 1)))
			n := out * s.C / groups * k[0] * k[1]
			conv := &model.Conv{Weight: tensor.From(randoms(n, 1.4/float64(1+s.C/groups)), out, s.C/groups, k[0], k[1]), Stride: stride, Dilation: dilation, Pads: pads, Groups: groups}
			if r.IntN(2) == 0 {
				conv.Bias = randoms(out, 0.3)
			}
			if add(conv, in) && r.IntN(2) == 0 {
				if r.IntN(2) == 0 {
					variance := randoms(out, 1)
					for i, v := range variance {
						variance[i] = 0.3 + v*v
					}
					add(&model.BatchNorm{Scale: randoms(out, 1), Shift: randoms(out, 1), Mean: randoms(out, 1), Var: variance, Eps: 1e-5}, last)
				}
				add(&model.ReLU{}, last)
			}
		case 5:
			add(&model.Pool{Op: model.PoolMax, Kernel: sides(3), Stride: sides(3), Dilation: []int{1, 1}, Pads: nil, Ceil: r.IntN(2) == 0}, in)
		case 6:
			add(&model.Pool{Op: model.PoolMax, Kernel: []int{3, 3}, Stride: sides(2), Dilation: sides(2), Pads: []int{1, 1, 1, 1}, Ceil: r.IntN(2) == 0}, in)
		case 7:
			add(&model.Pool{Op: model.PoolAverage, Kernel: []int{2 + r.IntN(2), 2}, Stride: sides(2), Pads: []int{1, 1, 1, r.IntN(2)}, Ceil: r.IntN(2) == 0, CountPad: r.IntN(2) == 0}, in)
		case 8:
			add([]model.Layer{&model.ReLU{}, &model.Unary{Op: "LeakyRelu", Alpha: 0.1}, &model.Clip{Min: -0.5, Max: 0.7}, &model.Dropout{},
				&model.Quantize{Type: model.Int8, Scale: []float32{0.05}, Zero: []float32{3}}}[r.IntN(5)], in)
		case 9:
			add(&model.LRN{Size: 1 + r.IntN(5), Alpha: 0.1, Beta: 0.75, Bias: 1}, in)
		case 10:
			var same []string
			for _, n := range net.Nodes {
				if shapes[n.Name] == s && !s.Flat {
					same = append(same, n.Name)
				}
			}
			if len(same) > 1 {
				add(&model.Add{}, in, same[r.IntN(len(same))])
			}
		case 11, 12:
			inputs := []string{in}
			for _, n := range net.Nodes {
				if o := shapes[n.Name]; n.Name != in && o.H == s.H && o.W == s.W && !o.Flat && r.IntN(2) == 0 {
					inputs = append(inputs, n.Name)
				}
			}
			add(&model.Concat{}, inputs...)
		case 13:
			add([]model.Layer{&model.Pad{Pads: [4]int{r.IntN(3), r.IntN(2), r.IntN(3), r.IntN(2)}, Value: 0.2}, &model.Softmax{}}[r.IntN(2)], in)
		}
	}
	if r.IntN(3) == 0 {
		add(&model.GlobalAvgPool{}, last)
	}
	add(&model.Reshape{}, last)
	for range 1 + r.IntN(2) {
		s := shapes[last]
		out := 2 + r.IntN(30)
		add(&model.Dense{Weight: tensor.From(randoms(out*s.Len(), 1/float64(1+s.Len()/8)), out, s.Len()), Bias: randoms(out, 0.1)}, last)
		if r.IntN(2) == 0 {
			add(&model.ReLU{}, last)
		}
	}
	net.Logits = last
	return net
}

// TestRandomNetworks: on drawn networks, patches and strides the scores, and in
// some every layer, equal those of whole passes: bit for bit in exact mode.
func TestRandomNetworks(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 77))
		net := randomNet(r)
		net.Name = fmt.Sprint("network ", seed)
		in := net.Input
		x := tensor.New(1, in.C, in.H, in.W)
		for i := range x.Data {
			x.Data[i] = float32(r.NormFloat64())
		}
		boxes := grid(in, 1+r.IntN(min(in.H, 7)), 1+r.IntN(min(in.W, 7)), 1+r.IntN(5))
		if len(boxes) > 48 {
			boxes = boxes[:48]
		}
		outputs := []string{net.Logits}
		if r.IntN(4) == 0 {
			outputs = names(net)
		}
		compare(t, engine, net, x, boxes, 0.5, outputs, true, 0, true)
		// Rounding adds up over the layers: the deepest network drawn is off by 1.002e-6.
		compare(t, engine, net, x, boxes, 0.5, outputs, false, 2e-6, false)
		if t.Failed() {
			t.Fatalf("%v, outputs %v", net, outputs)
		}
	}
}

// TestNeed: no block takes more memory than was reckoned before, so that no buffer lies elsewhere and the bound on memory
// is kept; also of networks with branches, in other orders of blocks, and again.
func TestNeed(t *testing.T) {
	if kernel.Name() == "ref" {
		t.Skip("the reference kernels have no incremental form")
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 79))
		net := randomNet(r)
		in := net.Input
		x := tensor.New(1, in.C, in.H, in.W)
		boxes := grid(in, 1+r.IntN(min(in.H, 7)), 1+r.IntN(min(in.W, 7)), 1+r.IntN(5))
		bounded := int(seed%3) << 28
		n, err := Compile(engine, net, Options{Outputs: []string{net.Logits}, Exact: seed%2 == 0, Changes: boxes, Memory: bounded})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			k, err := n.Clean(x)
			if err != nil {
				t.Fatal(err)
			}
			if kept := len(n.spare.blocks); kept > 0 && bounded > 0 {
				t.Errorf("network %d: the pass of an image has %d blocks of the one before beside it", seed, kept)
			}
			if err := k.Run(t.Context(), Job{Changes: boxes, Draw: func(_ int, dst []float32) { clear(dst) }, Done: func(int, [][]float32, []float64) {}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, b := range n.spare.blocks {
			if b.memory.beyond > 0 || len(b.memory.used) > 0 || 4*b.memory.extent > n.memory {
				t.Errorf("network %d: %d buffers were not foreseen, %d are left, of %d floats %d", seed, b.memory.beyond, len(b.memory.used), n.arena, b.memory.extent)
			}
		}
	}
}

// TestRounding: between layers that round, all that a change makes are the bits of
// a whole pass, whatever mode is asked for.
func TestRounding(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	r := rand.New(rand.NewPCG(5, 78))
	random := func(shape ...int) *tensor.Tensor {
		w := tensor.New(shape...)
		for i := range w.Data {
			w.Data[i] = float32(r.NormFloat64())
		}
		return w
	}
	conv := func(k, c int) *model.Conv {
		return &model.Conv{Weight: random(k, c, 3, 3), Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: []int{1, 1, 1, 1}, Groups: 1}
	}
	perMap := &model.Quantize{Type: model.Int16, Scale: make([]float32, 24), Zero: make([]float32, 24)}
	for i := range perMap.Scale {
		perMap.Scale[i], perMap.Zero[i] = 1e-3*float32(i+1), float32(i)
	}
	for _, own := range []bool{false, true} {
		second := &model.Quantize{Type: model.Int8, Scale: []float32{0.5}, Zero: []float32{-7}}
		if own {
			second = &model.Quantize{Type: model.Uint8}
		}
		net := &model.Network{Name: "rounding", Input: model.Input{Name: "in", C: 3, H: 20, W: 21}, Logits: "fc"}
		last := "in"
		for i, l := range []model.Layer{conv(24, 3), perMap, &model.ReLU{}, conv(24, 24), second, &model.Reshape{},
			&model.Dense{Weight: random(7, 24*20*21)}, &model.Quantize{Type: model.Uint8, Scale: []float32{0.1}, Zero: []float32{99}}} {
			name := fmt.Sprint("l", i)
			net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: []string{last}, Layer: l})
			last = name
		}
		net.Logits = last
		x := random(1, 3, 20, 21)
		compare(t, engine, net, x, grid(net.Input, 5, 4, 3), 0.3, []string{last, "l4"}, false, 0, true)
	}
}
