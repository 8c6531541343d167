package attribution_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
)

// case1 is a golden network that is in the repository, and an image.
func case1(t *testing.T, name string) (*model.Network, *tensor.Tensor) {
	t.Helper()
	c := viztest.Golden(t, name)
	return c.Net, c.Images(t).Slice(0, 1)
}

func explain(t *testing.T, e *attribution.Explainer, x *tensor.Tensor, r attribution.Request) []*attribution.Result {
	t.Helper()
	out, err := e.Explain(context.Background(), x, r)
	if err != nil {
		t.Fatalf("%s: %v", r.Method, err)
	}
	return out
}

// quick is a request that takes few passes.
func quick(m attribution.Method) attribution.Request {
	r := attribution.Request{Method: m, Nodes: 5, Samples: 3, Masks: 20}
	r.Patches.Patch, r.Patches.Stride = [2]int{8, 8}, [2]int{8, 8}
	return r
}

// TestSameForAnyMemory: every method gives the same bits whatever the batches, the
// workers, and the other targets of the run.
func TestSameForAnyMemory(t *testing.T) {
	one, two := model.NewEngine(1), model.NewEngine(2)
	defer one.Close()
	defer two.Close()
	net, x := case1(t, "resnet_tiny")
	a, b := attribution.New(one, net), attribution.New(two, net)
	for _, m := range attribution.Methods() {
		r := quick(m)
		r.Targets = []attribution.Target{attribution.Class(3), attribution.Class(7)}
		b.Forget() // what was prepared for other methods decides nothing
		both := explain(t, b, x, r)
		r.Memory = 1
		for k, target := range r.Targets {
			alone := r
			alone.Targets = []attribution.Target{target}
			got := explain(t, a, x, alone)
			if !slices.Equal(got[0].Values, both[k].Values) || got[0].Score != both[k].Score {
				t.Errorf("%s of class %d differs between runs", m, target.Class)
			}
			if h, w := got[0].Size(); len(got[0].Plane()) != h*w || len(got[0].PlaneAt(50, 30)) != 1500 {
				t.Errorf("%s: plane of the wrong size", m)
			}
			if !slices.ContainsFunc(got[0].Values, func(v float32) bool { return v != 0 }) {
				t.Errorf("%s of class %d is 0", m, target.Class)
			}
			if m.Unsigned() && slices.ContainsFunc(got[0].Values, func(v float32) bool { return v < 0 }) {
				t.Errorf("%s is negative", m)
			}
		}
	}
}

// TestNoNoise: without noise SmoothGrad is its base, its square the square, and
// the variance nothing; with noise a seed decides.
func TestNoNoise(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	net, x := case1(t, "lenet_small")
	e := attribution.New(engine, net)
	none, some := 0.0, 0.2
	for _, base := range attribution.Methods() {
		if base.Noisy() {
			continue
		}
		want := explain(t, e, x, quick(base))[0].Values
		r := quick(attribution.SmoothGrad)
		r.Base, r.Deviation = base, &none
		if got := explain(t, e, x, r)[0].Values; !slices.Equal(got, want) {
			t.Errorf("SmoothGrad of %s without noise is another map", base)
		}
		r.Method = attribution.VarGrad
		if slices.ContainsFunc(explain(t, e, x, r)[0].Values, func(v float32) bool { return v != 0 }) {
			t.Errorf("VarGrad of %s without noise is not 0", base)
		}
		r.Method = attribution.SmoothGradSquared
		for i, v := range explain(t, e, x, r)[0].Values {
			if v != want[i]*want[i] {
				t.Fatalf("SmoothGrad squared of %s without noise: %g, want the square of %g", base, v, want[i])
			}
		}
	}
	r := attribution.Request{Method: attribution.SmoothGrad, Deviation: &some, Samples: 40}
	first, again := explain(t, e, x, r)[0], explain(t, e, x, r)[0]
	r.Seed = 1
	other := explain(t, e, x, r)[0]
	if !slices.Equal(first.Values, again.Values) || slices.Equal(first.Values, other.Values) {
		t.Error("the seed does not decide")
	}
	// Mean of squares = square of the mean + variance.
	r.Method = attribution.SmoothGradSquared
	squares := explain(t, e, x, r)[0].Values
	r.Method = attribution.VarGrad
	variance := explain(t, e, x, r)[0].Values
	for i, v := range other.Values {
		if d := float64(squares[i]) - float64(v)*float64(v) - float64(variance[i]); math.Abs(d) > 1e-6*float64(squares[i])+1e-12 {
			t.Fatalf("element %d: mean square %g, mean %g, variance %g", i, squares[i], v, variance[i])
		}
	}
}

// tiny is x -> ReLU(x) -> dense over two places of two maps: all is known by hand.
func tiny(bias float32) (*model.Network, *tensor.Tensor) {
	net := &model.Network{Name: "tiny", Logits: "fc", Input: model.Input{Name: "in", C: 2, H: 1, W: 2}, Nodes: []model.Node{
		{Name: "relu", Inputs: []string{"in"}, Layer: &model.ReLU{}},
		{Name: "flat", Inputs: []string{"relu"}, Layer: &model.Reshape{}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: tensor.From([]float32{1, 2, 3, -4, 0, 0, 0, 1}, 2, 4), Bias: []float32{bias, 0}}},
	}}
	return net, tensor.From([]float32{1, -1, 2, 0.5}, 1, 2, 1, 2)
}

// TestByHand: a network that can be done in the head.
func TestByHand(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	net, x := tiny(1) // scores of class 0: 1 + 1*1 + 3*2 - 4*0.5 = 6
	e := attribution.New(engine, net)
	for _, c := range []struct {
		method attribution.Method
		want   []float32
	}{
		{attribution.Saliency, []float32{1, 0, 3, -4}},
		{attribution.InputXGradient, []float32{1, 0, 6, -2}},
		{attribution.IntegratedGradients, []float32{1, 0, 6, -2}},
		{attribution.Guided, []float32{1, 0, 3, 0}},
		{attribution.Deconvnet, []float32{1, 2, 3, 0}},
		// A = 1 0 | 2 0.5, g = 1 2 | 3 -4
		{attribution.GradCAM, []float32{1.5*1 - 0.5*2, -0.5 * 0.5}},
		{attribution.HiResCAM, []float32{1 + 6, -2}},
		{attribution.XGradCAM, []float32{1 + 4./2.5*2, 4. / 2.5 * 0.5}},
		{attribution.LayerCAM, []float32{1 + 6, 0}},
		// Without map 0: 5; without map 1: 2.
		{attribution.AblationCAM, []float32{1./6 + 2*4./6, 0.5 * 4. / 6}},
	} {
		r := attribution.Request{Method: c.method, Targets: []attribution.Target{attribution.Class(0)}}
		if c.method.AtLayer() {
			r.Layers = []string{"relu"}
		}
		got := explain(t, e, x, r)[0]
		if err := viztest.Close(got.Values, c.want, 1e-6); err != nil {
			t.Errorf("%s: %v: %v", c.method, got.Values, err)
		}
		if math.Abs(got.Score-6) > 1e-6 {
			t.Errorf("%s: score %g", c.method, got.Score)
		}
	}
	// A unit as the target, and one that takes no notice of a place.
	u := model.Unit{Layer: "relu", Channel: 1, X: 1}
	got := explain(t, e, x, attribution.Request{Targets: []attribution.Target{attribution.Unit(u)}})[0]
	if want := []float32{0, 0, 0, 1}; !slices.Equal(got.Values, want) || got.Score != 0.5 {
		t.Errorf("gradient of a unit: %v, score %g", got.Values, got.Score)
	}
	// The baseline takes part: (x - b) times the gradient between.
	r := attribution.Request{Method: attribution.IntegratedGradients, Targets: []attribution.Target{attribution.Class(0)}, Nodes: 3,
		Baseline: attribution.Baseline{Kind: attribution.ConstantBaseline, Values: []float32{0.25, 1}}}
	got = explain(t, e, x, r)[0]
	if err := viztest.Close(got.Values, []float32{0.75, -1.25 * 2 * 5. / 18, 3, 2}, 1e-5); err != nil {
		t.Error(got.Values, err)
	}
	want := 6 - (1 + 0.25 + 2*0.25 + 3 - 4)
	if c := got.Completeness; math.Abs(c.Difference-want) > 1e-6 || math.Abs(c.Residual-(0.75-1.25*2*5./18+3+2-want)) > 1e-5 {
		t.Errorf("completeness %+v, want a difference of %g", c, want)
	}
}

// TestSeveralLayers: several layers are fused at the larger size, each as the tanh of
// twice its share of its largest.
func TestSeveralLayers(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	net, x := case1(t, "lenet_small")
	e := attribution.New(engine, net)
	r := attribution.Request{Method: attribution.LayerCAM, Layers: []string{"relu2", "relu1"}}
	got := explain(t, e, x, r)[0]
	if !slices.Equal(got.Shape, []int{28, 28}) {
		t.Fatalf("shape %v", got.Shape)
	}
	want := make([]float32, 28*28)
	for _, layer := range r.Layers {
		one := explain(t, e, x, attribution.Request{Method: attribution.LayerCAM, Layers: []string{layer}})[0]
		most := float64(slices.Max(one.Plane()))
		h, w := one.Size()
		scaled := &attribution.Result{Method: attribution.LayerCAM, Shape: []int{h, w}}
		for _, v := range one.Plane() {
			scaled.Values = append(scaled.Values, float32(math.Tanh(2*float64(v)/most)))
		}
		for i, v := range scaled.PlaneAt(28, 28) {
			want[i] = max(want[i], v)
		}
	}
	viztest.AllClose(t, got.Values, want, 1e-6)
}

// TestRISE: the pixel that the score reads gets the most, those far from it what a mask
// shows of it by chance; a constant score gives a flat map of that score.
func TestRISE(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	weight := tensor.New(2, 8)
	weight.Data[8+6] = 1
	net := &model.Network{Name: "eight", Logits: "fc", Scores: model.RawScores, Input: model.Input{Name: "in", C: 1, H: 1, W: 8}, Nodes: []model.Node{
		{Name: "flat", Inputs: []string{"in"}, Layer: &model.Reshape{}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: weight, Bias: []float32{3, 0}}},
	}}
	x := tensor.From([]float32{1, 1, 1, 1, 1, 1, 2, 1}, 1, 1, 1, 8)
	r := attribution.Request{Method: attribution.RISE, Masks: 20_000, Cells: 8, Keep: 0.25, Targets: []attribution.Target{attribution.Class(0), attribution.Class(1)}}
	got := explain(t, attribution.New(engine, net), x, r)
	if err := viztest.Close(got[0].Values, []float32{3, 3, 3, 3, 3, 3, 3, 3}, 0.03); err != nil {
		t.Error("of a constant: ", err)
	}
	v := got[1].Values
	if tensor.ArgMax(v) != 6 || math.Abs(float64(v[1])-0.5) > 0.03 {
		t.Errorf("%v, want the most at 6, and 0.5 far from it", v)
	}
}

// TestBaselines are what they are called.
func TestBaselines(t *testing.T) {
	for text, want := range map[string]string{"": "0", "0": "0", "zero": "0", "mean": "mean", "0.5": "0.5", "1/-2/0.25": "1/-2/0.25", "blur": "blur", "image": "image"} {
		b, err := attribution.ParseBaseline(text)
		if err != nil || b.String() != want {
			t.Errorf("%q: %v, %v", text, b, err)
		}
	}
	for _, text := range []string{"grey", "1/x/2", "1//2", "NaN", "inf"} {
		if b, err := attribution.ParseBaseline(text); err == nil {
			t.Errorf("%q is taken for %v", text, b)
		}
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	net, x := case1(t, "resnet_tiny")
	e := attribution.New(engine, net)
	target := []attribution.Target{attribution.Class(7)}
	ig := func(b attribution.Baseline) *attribution.Result {
		return explain(t, e, x, attribution.Request{Method: attribution.IntegratedGradients, Targets: target, Baseline: b, Nodes: 20})[0]
	}
	if got := ig(attribution.Baseline{Kind: attribution.OtherBaseline, Values: x.Data}); slices.ContainsFunc(got.Values, func(v float32) bool { return v != 0 }) || got.Completeness.Difference != 0 {
		t.Error("the image as its own baseline leaves something")
	}
	plane := 40 * 40
	mean := make([]float32, 3)
	for c := range mean {
		sum := 0.0
		for _, v := range x.Data[c*plane : (c+1)*plane] {
			sum += float64(v)
		}
		mean[c] = float32(sum / float64(plane))
	}
	a, b := ig(attribution.Baseline{Kind: attribution.ImageBaseline}), ig(attribution.Baseline{Kind: attribution.ConstantBaseline, Values: mean})
	if !slices.Equal(a.Values, b.Values) {
		t.Error("image is not the image's mean")
	}
	blur := ig(attribution.Baseline{Kind: attribution.BlurBaseline})
	zero := ig(attribution.Baseline{})
	if d := blur.Completeness.Difference; d == 0 || d == zero.Completeness.Difference || d == a.Completeness.Difference {
		t.Errorf("blur's difference is %g", d)
	}
}

// TestErrors: what cannot be done names the field or the layer.
func TestErrors(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	net, x := case1(t, "lenet_small")
	e := attribution.New(engine, net)
	none := -1.0
	class := func(c int) []attribution.Target { return []attribution.Target{attribution.Class(c)} }
	place := attribution.Class(1)
	place.At = &[2]int{0, 0}
	for want, r := range map[string]attribution.Request{
		"method no method \"magic\"":                     {Method: "magic"},
		"nodes -1: want 1 to":                            {Method: attribution.IntegratedGradients, Nodes: -1},
		"samples -1: want 1":                             {Method: attribution.SmoothGrad, Samples: -1},
		"noise -1: want 0 or more":                       {Method: attribution.SmoothGrad, Deviation: &none},
		"base vargrad: smoothgrad repeats":               {Method: attribution.SmoothGrad, Base: attribution.VarGrad},
		"keep 1: want more than 0":                       {Method: attribution.RISE, Keep: 1},
		"baseline of 2 values: the input has 1 channels": {Method: attribution.IntegratedGradients, Baseline: attribution.Baseline{Kind: attribution.ConstantBaseline, Values: []float32{1, 2}}},
		"saliency: no class 99":                          {Targets: class(99)},
		"saliency: a place is named":                     {Targets: []attribution.Target{place}},
		"gradcam: no layer \"relu9\"":                    {Method: attribution.GradCAM, Layers: []string{"relu9"}},
		"gradcam: layer fc1 has":                         {Method: attribution.GradCAM, Layers: []string{"fc1"}},
		"gradcam: unit relu1:0:0:0 does not depend on":   {Method: attribution.GradCAM, Layers: []string{"relu2"}, Targets: []attribution.Target{attribution.Unit(model.Unit{Layer: "relu1"})}},
		"ablationcam: unit relu1:0:0:0 does not":         {Method: attribution.AblationCAM, Layers: []string{"relu2"}, Targets: []attribution.Target{attribution.Unit(model.Unit{Layer: "relu1"})}},
		"occlusion: covering is measured for classes":    {Method: attribution.Occlusion, Targets: []attribution.Target{attribution.Unit(model.Unit{Layer: "relu1"})}},
		"saliency: unit relu1:99:0:0 is outside":         {Targets: []attribution.Target{attribution.Unit(model.Unit{Layer: "relu1", Channel: 99})}},
	} {
		if _, err := e.Explain(context.Background(), x, r); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, err := e.Explain(context.Background(), tensor.New(2, 1, 28, 28), attribution.Request{}); err == nil {
		t.Error("two images are taken for one")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, m := range attribution.Methods() {
		if _, err := e.Explain(ctx, x, quick(m)); err == nil {
			t.Errorf("%s goes on when it is cancelled", m)
		}
	}
	// A network that ends in a softmax over a hidden layer, which guided backpropagation does not pass.
	soft := &model.Network{Name: "soft", Logits: "fc", Input: model.Input{Name: "in", C: 2, H: 1, W: 2}, Nodes: []model.Node{
		{Name: "attention", Inputs: []string{"in"}, Layer: &model.Softmax{}},
		{Name: "flat", Inputs: []string{"attention"}, Layer: &model.Reshape{}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: tensor.New(2, 4), Bias: []float32{0, 0}}},
	}}
	_, err := attribution.New(engine, soft).Explain(context.Background(), tensor.New(1, 2, 1, 2), attribution.Request{Method: attribution.Guided})
	if err == nil || !strings.HasPrefix(err.Error(), "guided: layer attention: ") {
		t.Errorf("guided backpropagation through a softmax: %v", err)
	}
	_, err = attribution.New(engine, soft).Explain(context.Background(), tensor.New(1, 2, 1, 2), attribution.Request{Method: attribution.GradCAM})
	if err == nil || !strings.HasPrefix(err.Error(), "gradcam: network soft has no convolutions: name a layer with maps, such as attention; methods that need none: saliency, ") {
		t.Errorf("Grad-CAM without a layer: %v", err)
	}
	soft.Nodes = soft.Nodes[1:]
	soft.Nodes[0].Inputs = []string{"in"}
	_, err = attribution.New(engine, soft).Explain(context.Background(), tensor.New(1, 2, 1, 2), attribution.Request{Method: attribution.ScoreCAM})
	if err == nil || !strings.HasPrefix(err.Error(), "scorecam: network soft has no layer with maps; methods that need none: saliency, ") {
		t.Errorf("Score-CAM of a network of vectors: %v", err)
	}
	for _, m := range attribution.Methods() {
		for _, name := range []string{string(m), strings.ToUpper(m.Title())} {
			if got, err := attribution.ParseMethod(name); err != nil || got != m {
				t.Errorf("%q is %q, %v", name, got, err)
			}
		}
		if m.Formula() == "" {
			t.Errorf("%s says nothing", m)
		}
	}
}

// TestGradients: the gradient of a trained network is that of differences of its
// scores along random directions.
func TestGradients(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	e := attribution.New(engine, net)
	r := rand.New(rand.NewPCG(5, 6))
	in := net.Input
	x := tensor.New(1, in.C, in.H, in.W)
	for i := range x.Data {
		x.Data[i] = float32(r.NormFloat64())
	}
	got := explain(t, e, x, attribution.Request{Targets: []attribution.Target{attribution.Class(2)}})[0]
	moved, slope := x.Clone(), 0.0
	const step = 1e-3
	for i, g := range got.Values {
		d := r.NormFloat64()
		moved.Data[i] += float32(step * d)
		slope += d * float64(g)
	}
	there := explain(t, e, moved, attribution.Request{Targets: []attribution.Target{attribution.Class(2)}})[0]
	if rise := (there.Score - got.Score) / step; math.Abs(rise-slope) > 0.05*math.Abs(slope)+0.02 {
		t.Errorf("slope %g, by differences %g", slope, rise)
	}
}

// TestFinite: a map with values that are no numbers is an error that says so, by every method that meets them.
func TestFinite(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	net, x := case1(t, "lenet_small")
	for _, node := range net.Nodes {
		if conv, ok := node.Layer.(*model.Conv); ok {
			for i := range conv.Weight.Data {
				conv.Weight.Data[i] *= 1e30
			}
			clear(conv.Bias)
		}
	}
	clear(x.Data) // all activations are 0, and all gradients infinite
	met := 0
	for _, m := range attribution.Methods() {
		r := quick(m)
		r.Targets = []attribution.Target{attribution.Class(1)}
		out, err := attribution.New(engine, net).Explain(t.Context(), x, r)
		if err != nil {
			met++
			continue
		}
		if m != attribution.Occlusion && slices.ContainsFunc(out[0].Values, func(v float32) bool { return v-v != 0 }) {
			t.Errorf("%s: the map has values that are no numbers", m)
		}
	}
	if met == 0 {
		t.Error("no method met numbers that are too large")
	}
}
