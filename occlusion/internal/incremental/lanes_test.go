package incremental

import (
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
