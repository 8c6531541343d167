package incremental

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// TestBlocks: the blocks of ConvNeXt (a normalisation of the channels at each place)
// and of MobileNetV3 (maps multiplied by a number each) are computed on lanes, and are
// whole passes bit for bit in exact mode.
func TestBlocks(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	r := rand.New(rand.NewPCG(91, 92))
	random := func(scale float64, shape ...int) *tensor.Tensor {
		w := tensor.New(shape...)
		for i := range w.Data {
			w.Data[i] = float32(scale * r.NormFloat64())
		}
		return w
	}
	conv := func(out, in, k, groups int) *model.Conv {
		return &model.Conv{Weight: random(0.4, out, in/groups, k, k), Bias: random(0.3, out).Data, Stride: []int{1, 1}, Dilation: []int{1, 1},
			Pads: []int{k / 2, k / 2, k / 2, k / 2}, Groups: groups}
	}
	const c, h, w = 7, 15, 17
	node := func(name string, l model.Layer, in ...string) model.Node {
		return model.Node{Name: name, Inputs: in, Layer: l}
	}
	maps, each := []int{c, h, w}, []int{c, 1, 1}
	net := &model.Network{Name: "blocks", Input: model.Input{Name: "in", C: 3, H: h, W: w}, Logits: "fc", Nodes: []model.Node{
		node("stem", conv(c, 3, 3, 1), "in"),
		node("deep", conv(c, c, 3, c), "stem"),
		node("norm", &model.Normalize{Op: model.NormStandard, From: maps, Axes: []int{0}, Inner: h * w, Eps: 1e-5, Scale: random(1, c).Data, Shift: random(1, c).Data}, "deep"),
		node("root", &model.Normalize{Op: model.NormRMS, From: maps, Axes: []int{0}, Inner: h * w, Eps: 1e-5}, "stem"),
		node("wide", conv(3*c, c, 1, 1), "norm"),
		node("gelu", &model.Unary{Op: "Gelu"}, "wide"),
		node("narrow", conv(c, 3*c, 1, 1), "gelu"),
		node("sum", &model.Add{}, "narrow", "stem"),
		node("difference", &model.Binary{Op: "Sub", A: maps, B: maps}, "sum", "root"),
		node("mean", &model.GlobalAvgPool{}, "difference"),
		node("gate", &model.Unary{Op: "Sigmoid"}, "mean"),
		node("scaled", &model.Binary{Op: "Mul", A: each, B: maps}, "gate", "difference"),
		node("shifted", &model.Binary{Op: "Div", A: maps, B: each}, "scaled", "gate"),
		node("moved", &model.Binary{Op: "Sub", A: each, B: maps}, "gate", "shifted"),
		node("flat", &model.Reshape{}, "moved"),
		node("fc", &model.Dense{Weight: random(0.1, 5, c*h*w)}, "flat"),
	}}
	x := random(1, 1, 3, h, w)
	boxes := grid(net.Input, 4, 3, 3)
	n, err := Compile(engine, net, Options{Outputs: []string{"fc"}, Changes: boxes})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"norm", "root", "gelu", "difference", "scaled", "shifted", "moved"} {
		if lanes, _ := n.Lanes(name); !lanes {
			t.Errorf("%s is not computed on lanes", name)
		}
	}
	for _, outputs := range [][]string{{"fc"}, names(net)} {
		compare(t, engine, net, x, boxes, 0.3, outputs, true, 0, true)
		compare(t, engine, net, x, boxes, 0.3, outputs, false, 4e-6, false)
	}
}

// TestNested: depthwise convolutions that make their input by themselves, on maps of one
// strip of rows and of several, are whole passes, bit for bit in exact mode.
func TestNested(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for seed := range 12 {
		r := rand.New(rand.NewPCG(uint64(seed), 93))
		random := func(scale float64, shape ...int) *tensor.Tensor {
			w := tensor.New(shape...)
			for i := range w.Data {
				w.Data[i] = float32(scale * r.NormFloat64())
			}
			return w
		}
		size := []int{9 + r.IntN(12), 9 + r.IntN(12)}
		if seed%4 == 0 {
			size = []int{23, 70}
		}
		net := &model.Network{Name: fmt.Sprint("nested ", seed), Input: model.Input{Name: "in", C: 2, H: size[0], W: size[1]}, Logits: "fc"}
		add := func(name string, l model.Layer, in string) {
			net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: []string{in}, Layer: l})
		}
		conv := func(out, in, k, stride, pad, groups int) *model.Conv {
			return &model.Conv{Weight: random(0.5, out, in/groups, k, k), Bias: random(0.3, out).Data, Stride: []int{stride, stride},
				Dilation: []int{1, 1}, Pads: []int{pad, pad, pad, pad}, Groups: groups}
		}
		acts := []model.Layer{&model.ReLU{}, &model.Clip{Min: -0.2, Max: 0.6}, &model.Unary{Op: model.UnaryHardSwish}, &model.Dropout{}}
		c, k, stride := 1+r.IntN(40), 1+2*r.IntN(4), 1+r.IntN(2)
		add("stem", conv(5, 2, 3, 1, r.IntN(3), 1), "in")
		add("wide", conv(c, 5, 1, 1, 0, 1), "stem")
		add("act", acts[seed%len(acts)], "wide")
		add("deep", conv(c, c, k, stride, r.IntN(k/2+2), c), "act")
		add("act2", acts[r.IntN(len(acts))], "deep")
		add("narrow", conv(3, c, 1, 1, 0, 1), "act2")
		add("mean", &model.GlobalAvgPool{}, "narrow")
		add("flat", &model.Reshape{}, "mean")
		add("fc", &model.Dense{Weight: random(1, 4, 3)}, "flat")
		if _, err := net.Shapes(); err != nil {
			t.Fatal(err)
		}
		boxes := grid(net.Input, 4, 4, 3)
		boxes = boxes[:min(len(boxes), 33)]
		n, err := Compile(engine, net, Options{Outputs: []string{"fc"}, Changes: boxes})
		if err != nil {
			t.Fatal(err)
		}
		nested, want := 0, 0
		if geometry(net.Nodes[3].Layer.(*model.Conv)).LanePlanes() {
			want = 1
		}
		for i := range n.steps {
			if n.steps[i].inner != nil {
				nested++
			}
		}
		if nested != want {
			t.Errorf("%d of the convolutions make their input by themselves, want %d", nested, want)
		}
		for _, outputs := range [][]string{{"fc"}, {"fc", "act2"}} {
			compare(t, engine, net, random(1, 1, 2, size[0], size[1]), boxes, 0.3, outputs, true, 0, true)
			compare(t, engine, net, random(1, 1, 2, size[0], size[1]), boxes, 0.3, outputs, false, 4e-6, false)
		}
	}
}
