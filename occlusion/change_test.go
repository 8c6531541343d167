package occlusion_test

import (
	"slices"
	"testing"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// underPatches is an image under patches, in the mean colour.
func underPatches(net *model.Network, x *tensor.Tensor, boxes []model.Box) *tensor.Tensor {
	out, in, fill := x.Clone(), net.Input, net.Preprocess.MeanFill(net.Input)
	for _, b := range boxes {
		for c := range in.C {
			for y := b.Y0; y < b.Y1; y++ {
				for x := b.X0; x < b.X1; x++ {
					out.Data[(c*in.H+y)*in.W+x] = fill[c]
				}
			}
		}
	}
	return out
}

// TestChanger walks the search again by whole passes: each patch is the one that lowers the class most, the
// answer changes, and none of the patches that are kept can be left out.
func TestChanger(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	list, err := images.Open(t.Context(), images.Spec{Data: "shapes", Limit: 5}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.For(list, net)
	if err != nil {
		t.Fatal(err)
	}
	changer, err := occlusion.NewChanger(engine, net, occlusion.Options{Method: occlusion.Box, Patch: [2]int{8, 8}})
	if err != nil {
		t.Fatal(err)
	}
	several := 0
	for i := range src.Len() {
		x, err := src.Load(i)
		if err != nil {
			t.Fatal(err)
		}
		got, err := changer.Find(t.Context(), x, occlusion.Search{Most: 8})
		if err != nil {
			t.Fatal(err)
		}
		scores := func(boxes []model.Box) []float32 {
			trace, err := engine.Forward(net, underPatches(net, x, boxes))
			if err != nil {
				t.Fatal(err)
			}
			return trace.Value(net.Logits).Data
		}
		best := net.Predict(scores(nil))
		if got.Grid != 16 || got.Before != best || got.Class != best || got.Patch != [2]int{8, 8} {
			t.Fatalf("image %d: %+v", i, got)
		}
		var list []model.Box
		for step := 0; step < len(got.Told) && (step == 0 || net.Predict(scores(list)) == best); step++ {
			var next model.Box
			lowest, changes := 0.0, false
			for k := range 16 {
				b := model.Box{Y0: k / 4 * 8, X0: k % 4 * 8, Y1: k/4*8 + 8, X1: k%4*8 + 8}
				if slices.Contains(list, b) {
					continue
				}
				s := scores(append(slices.Clone(list), b))
				p, is := net.Probabilities(s)[best], net.Predict(s) != best
				if next == (model.Box{}) || is && !changes || is == changes && p < lowest {
					next, lowest, changes = b, p, is
				}
			}
			list = append(list, next)
		}
		if all := append(slices.Clone(got.Boxes), got.Spared...); len(all) != len(list) || len(all) != len(got.Told) {
			t.Errorf("image %d: %d patches, %d values; by whole passes %d", i, len(all), len(got.Told), len(list))
		}
		for _, b := range list {
			if !slices.Contains(got.Boxes, b) && !slices.Contains(got.Spared, b) {
				t.Errorf("image %d: %v was not covered: %v and %v", i, b, got.Boxes, got.Spared)
			}
		}
		if !got.Changed {
			continue
		}
		if answer := net.Predict(scores(got.Boxes)); answer == best || answer != got.After {
			t.Errorf("image %d: under the patches it is class %d, told %d, before %d", i, answer, got.After, best)
		}
		if few, err := changer.Find(t.Context(), x, occlusion.Search{Most: 8, Among: 1}); err != nil || len(few.Told) != 1 || !slices.Contains(list, append(few.Boxes, few.Spared...)[0]) {
			t.Errorf("image %d: among one patch alone: %+v, %v", i, few, err)
		}
		if !slices.Equal(got.Covered.Data, underPatches(net, x, got.Boxes).Data) {
			t.Errorf("image %d: Covered is not the image under Boxes", i)
		}
		for k := range got.Boxes {
			if without := slices.Delete(slices.Clone(got.Boxes), k, k+1); net.Predict(scores(without)) != best {
				t.Errorf("image %d: patch %d is not needed", i, k)
			}
		}
		if len(got.Boxes) > 1 {
			several++
		}
	}
	if several == 0 {
		t.Error("no image needs several patches")
	}
}

func findChange(t *testing.T, engine *model.Engine, net *model.Network, x *tensor.Tensor, o occlusion.Options, most int) (*occlusion.Change, error) {
	c, err := occlusion.NewChanger(engine, net, o)
	if err != nil {
		return nil, err
	}
	return c.Find(t.Context(), x, occlusion.Search{Most: most})
}

// weighed is a network whose scores are sums of pixels of a 4x4 image with weights.
func weighed(kind model.Scores, weights ...[]float32) *model.Network {
	w := tensor.New(len(weights), 16)
	for i, row := range weights {
		copy(w.Data[16*i:], row)
	}
	return &model.Network{Name: "weighed", Logits: "fc", Scores: kind, Input: model.Input{Name: "data", C: 1, H: 4, W: 4}, Nodes: []model.Node{
		{Name: "flat", Inputs: []string{"data"}, Layer: &model.Reshape{}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: w, Bias: make([]float32, len(weights))}}}}
}

// TestChangerAnswers: what the answer is depends on what the scores mean.
func TestChangerAnswers(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	ones := tensor.New(1, 1, 4, 4)
	for i := range ones.Data {
		ones.Data[i] = 1
	}

	o := occlusion.Options{Patch: [2]int{1, 2}, Fill: occlusion.Fill{Kind: occlusion.ValueFill, Values: []float32{0}}}
	top := []float32{3, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0}
	low := []float32{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -4, -3}
	for _, c := range []struct {
		name   string
		net    *model.Network
		before int
		boxes  []model.Box
	}{
		// Two labels hold; the first, of score 5, is watched: two patches take it to -1.
		{"labels", weighed(model.SigmoidScores, top, []float32{0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0}), 0, []model.Box{{X0: 0, Y1: 1, X1: 2}, {Y0: 1, X0: 0, Y1: 2, X1: 2}}},
		// One output that says no: what speaks against it is covered.
		{"no", weighed(model.SigmoidScores, low), 0, []model.Box{{Y0: 3, X0: 2, Y1: 4, X1: 4}}},
	} {
		r := o
		if c.name == "labels" {
			r.Classes = []int{0}
		}
		got, err := findChange(t, engine, c.net, ones, r, 8)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !got.Changed || !slices.Equal(got.Boxes, c.boxes) || got.Before != c.before && c.name == "no" {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if _, err := findChange(t, engine, weighed(model.RawScores, top, low), ones, o, 8); err == nil {
		t.Error("a regression has no answer")
	}
	o.Fill = occlusion.Fill{Kind: occlusion.BlurFill}
	if _, err := findChange(t, engine, weighed(model.SoftmaxScores, top, low), ones, o, 8); err == nil {
		t.Error("a fill that depends on the image is not refused")
	}
	o.Fill = occlusion.Fill{}
	if got, err := findChange(t, engine, weighed(model.SoftmaxScores, top, low), ones, o, 1); err != nil || got.Changed || len(got.Boxes) != 1 {
		t.Errorf("one patch is not enough: %+v, %v", got, err)
	}
}

// TestChangerSpares: of two pixels whose larger one counts, covering the first does nothing, so that a third,
// weaker one is covered before them. It is not needed in the end.
func TestChangerSpares(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	weight := tensor.New(2, 8)
	weight.Data[0], weight.Data[1] = 2, 1
	net := &model.Network{Name: "larger", Logits: "fc", Input: model.Input{Name: "data", C: 1, H: 4, W: 4}, Nodes: []model.Node{
		{Name: "pool", Inputs: []string{"data"}, Layer: &model.Pool{Op: model.PoolMax, Kernel: []int{1, 2}, Stride: []int{1, 2}, Dilation: []int{1, 1}}},
		{Name: "flat", Inputs: []string{"pool"}, Layer: &model.Reshape{}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: weight, Bias: []float32{0, 1.5}}}}}
	x := tensor.New(1, 1, 4, 4)
	x.Data[0], x.Data[1], x.Data[2] = 1, 1, 1
	got, err := findChange(t, engine, net, x, occlusion.Options{Patch: [2]int{1, 1}, Fill: occlusion.Fill{Kind: occlusion.ValueFill, Values: []float32{0}}}, 16)
	if err != nil {
		t.Fatal(err)
	}
	want := []model.Box{{Y1: 1, X1: 1}, {X0: 1, Y1: 1, X1: 2}}
	if !got.Changed || !slices.Equal(got.Boxes, want) || !slices.Equal(got.Spared, []model.Box{{X0: 2, Y1: 1, X1: 3}}) || got.After != 1 {
		t.Errorf("%+v", got)
	}
}
