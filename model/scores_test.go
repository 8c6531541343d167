package model_test

import (
	"math"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// scored is a network of one dense layer with n outputs, and what follows it.
func scored(n int, kind model.Scores, names []string, after ...model.Layer) *model.Network {
	net := &model.Network{Name: "net", Input: model.Input{Name: "x", C: 2, H: 1, W: 1}, Logits: "fc", Scores: kind, Classes: names,
		Nodes: []model.Node{{Name: "flat", Inputs: []string{"x"}, Layer: &model.Reshape{}},
			{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: tensor.New(n, 2)}}}}
	for _, l := range after {
		name := l.Kind()
		if net.Node(name) != nil {
			name += "2"
		}
		net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: []string{net.Output()}, Layer: l})
	}
	return net
}

func near(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) < 1e-7 })
}

// Expected values are PyTorch's in float64.
func TestProbabilities(t *testing.T) {
	s := []float32{1.5, -0.25, 3}
	softmax := []float64{0.17682018210744427, 0.03072674032643643, 0.7924530775661193}
	sigmoids := []float64{0.8175744761936437, 0.43782349911420193, 0.9525741268224334}
	hard := &model.Unary{Op: "HardSigmoid", Alpha: 1. / 6, Beta: 0.5}
	for _, c := range []struct {
		name    string
		net     *model.Network
		scores  []float32
		want    []float64
		predict int
		holds   []int
	}{
		{"softmax", scored(3, model.SoftmaxScores, nil), s, softmax, 2, []int{2}},
		{"logits", scored(3, model.LogitScores, nil), s, softmax, 2, []int{2}},
		{"sigmoid", scored(3, model.SigmoidScores, nil), s, sigmoids, 2, []int{0, 2}},
		{"hard sigmoid", scored(3, model.SigmoidScores, nil, hard), s, []float64{0.75, 0.4583333333333333, 1}, 2, []int{0, 2}},
		{"raw", scored(3, model.RawScores, nil), s, []float64{1.5, -0.25, 3}, 2, []int{2}},
		{"one sigmoid", scored(1, model.SigmoidScores, nil), []float32{-0.75}, []float64{0.320821300824607}, 0, []int{0}},
		{"one logit", scored(1, model.LogitScores, nil), []float32{0.75}, []float64{0.679178699175393}, 1, []int{1}},
		{"two named", scored(1, model.LogitScores, []string{"not", "red"}), []float32{-0.75}, []float64{0.679178699175393, 0.320821300824607}, 0, []int{0}},
		{"one value", scored(1, model.RawScores, nil), []float32{-7}, []float64{-7}, 0, []int{0}},
	} {
		if err := c.net.Check(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r, err := c.net.Classifier()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.net.Probabilities(c.scores); !near(got, c.want) || r.NumClasses() != len(c.want) {
			t.Errorf("%s: %v of %d classes, want %v", c.name, got, r.NumClasses(), c.want)
		}
		if got := c.net.Predict(c.scores); got != c.predict {
			t.Errorf("%s: predicts %d, want %d", c.name, got, c.predict)
		}
		if got := r.Holds(c.scores); !slices.Equal(got, c.holds) {
			t.Errorf("%s: holds %v, want %v", c.name, got, c.holds)
		}
		for k, p := range c.want {
			if got := r.Tell(c.scores, model.Target{Class: k}); math.Abs(got.Value-p) > 1e-7 {
				t.Errorf("%s: class %d is told %v, want %v", c.name, k, got.Value, p)
			}
		}
		if q := c.net.Quantity(); (q == model.Value) != (c.net.Scores == model.RawScores) {
			t.Errorf("%s: quantity %s", c.name, q)
		}
	}
}

func TestLoss(t *testing.T) {
	s := []float32{1.5, -0.25, 3}
	for _, c := range []struct {
		net    *model.Network
		scores []float32
		label  int
		want   float64
	}{
		{scored(3, model.SoftmaxScores, nil), s, 1, 3.4826219831020326},
		{scored(3, model.SigmoidScores, nil), s, 1, 1.858646683145113},
		{scored(1, model.SigmoidScores, nil), []float32{-0.75}, 0, 0.3868710061149},
		{scored(1, model.SigmoidScores, nil), []float32{-0.75}, 1, 1.1368710061148999},
	} {
		r, err := c.net.Classifier()
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Loss(c.scores, c.label); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v of %d: loss %v, want %v", c.net.Scores, len(c.scores), got, c.want)
		}
	}
}

// The target of a network with scores for every place is a sum, or one place.
func TestSpatialTarget(t *testing.T) {
	net := &model.Network{Name: "seg", Input: model.Input{Name: "x", C: 2, H: 2, W: 2}, Logits: "relu",
		Nodes: []model.Node{{Name: "relu", Inputs: []string{"x"}, Layer: &model.ReLU{}}}}
	if err := net.Check(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Classifier(); err == nil {
		t.Error("a network with maps of scores passes for a classifier of images")
	}
	r, err := net.Reading()
	if err != nil {
		t.Fatal(err)
	}
	scores := []float32{.5, 2, -1, 0, 1, -2, 3, .25}
	if got := r.Tell(scores, model.Target{Class: 0}); math.Abs(got.Value-1.8153641679123473) > 1e-9 || got.Score != 1.5 {
		t.Errorf("class 0: %+v", got)
	}
	if got := r.Tell(scores, model.Target{Class: 1, At: &[2]int{1, 0}}); math.Abs(got.Value-0.9820137900379085) > 1e-9 || got.Score != 3 || math.Abs(got.Odds-4) > 1e-9 {
		t.Errorf("class 1 at 1, 0: %+v", got)
	}
	if got := r.Default(scores); got.Class != 1 || got.At != nil {
		t.Errorf("default target %+v, want class 1, which is so at 3 of 4 places", got)
	}
	if got := r.Start(model.Target{Class: 1}); !slices.Equal(got, []float32{0, 0, 0, 0, 1, 1, 1, 1}) {
		t.Errorf("gradient %v", got)
	}
	if got := r.Start(model.Target{Class: 0, At: &[2]int{0, 1}}); !slices.Equal(got, []float32{0, 1, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("gradient at 0, 1: %v", got)
	}
	for _, bad := range []model.Target{{Class: 2}, {Class: -1}, {At: &[2]int{2, 0}}} {
		if r.Check(bad) == nil {
			t.Errorf("target %+v passes", bad)
		}
	}
}

// What the scores mean is kept in checkpoints, and is part of the hash unless it is what it always was.
func TestScoresAreKept(t *testing.T) {
	old := scored(3, model.SoftmaxScores, nil)
	net := scored(3, model.SigmoidScores, nil)
	net.Outputs = []model.Output{{Name: "features", Node: "flat"}, {Name: "labels", Node: "fc"}}
	path := t.TempDir() + "/net.bin"
	if err := model.Save(path, net, nil); err != nil {
		t.Fatal(err)
	}
	got, err := model.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Scores != model.SigmoidScores || !slices.Equal(got.Outputs, net.Outputs) {
		t.Errorf("read %v, %v", got.Scores, got.Outputs)
	}
	if net.Hash() == old.Hash() || net.Hash() != got.Hash() {
		t.Error("the hash does not tell sigmoids from a softmax")
	}
	logits := scored(3, model.LogitScores, nil)
	logits.Outputs = net.Outputs
	if logits.Hash() != old.Hash() {
		t.Error("logits that are read by a softmax have another hash")
	}
	other, err := got.WithOutput("features")
	if err != nil || other.Logits != "flat" || other.Scores != model.LogitScores {
		t.Errorf("%v %v %v", other.Logits, other.Scores, err)
	}
	if _, err := got.WithOutput("nothing"); err == nil {
		t.Error("an output that is not there is found")
	}
	net.Scores = "softmax?"
	if net.Check() == nil {
		t.Error("unknown scores pass")
	}
}

// The last function says what the scores mean.
func TestScoresOf(t *testing.T) {
	for _, c := range []struct {
		net   *model.Network
		at    string
		kind  model.Scores
		after string
	}{
		{scored(3, "", nil, &model.Softmax{}), "fc", model.SoftmaxScores, "softmax"},
		{scored(3, "", nil, &model.Softmax{Outer: 1, Size: 3, Inner: 1, Log: true}), "fc", model.SoftmaxScores, "log softmax"},
		{scored(3, "", nil, &model.Softmax{}, &model.Unary{Op: "Log"}), "fc", model.SoftmaxScores, "log of softmax"},
		{scored(3, "", nil, &model.Unary{Op: "Sigmoid"}, &model.Reshape{}), "fc", model.SigmoidScores, "sigmoid"},
		{scored(1, "", nil, &model.Unary{Op: "HardSigmoid", Alpha: .2, Beta: .5}), "fc", model.SigmoidScores, "hard sigmoid"},
		{scored(3, "", nil), "fc", model.LogitScores, "nothing"},
		{scored(1, "", nil), "fc", model.RawScores, "nothing, one output"},
		{scored(1, "", nil, &model.Unary{Op: "Tanh"}), "Unary", model.RawScores, "tanh"},
		{scored(3, "", nil, &model.Unary{Op: "Tanh"}), "Unary", model.RawScores, "three tanh"},
		{scored(3, "", nil, &model.Unary{Op: "Sigmoid"}, &model.Clip{Min: 1e-7, Max: 1}), "fc", model.SigmoidScores, "sigmoid, clipped"},
		{scored(3, "", nil, &model.Softmax{}, &model.Clip{Max: 1}), "fc", model.SoftmaxScores, "softmax, clipped"},
		{scored(3, "", nil, &model.Clip{Max: 6}), "Clip", model.LogitScores, "ReLU6"},
		{scored(3, "", nil, &model.Unary{Op: "Sigmoid"}, &model.Unary{Op: "Log"}), "fc", model.SigmoidScores, "log of sigmoid"},
	} {
		shapes, err := c.net.Shapes()
		if err != nil {
			t.Fatal(err)
		}
		if at, kind := c.net.ScoresOf(c.net.Output(), shapes); at != c.at || kind != c.kind {
			t.Errorf("%s: scores at %s, %v", c.after, at, kind)
		}
	}
	for _, s := range []model.Scores{model.SoftmaxScores, model.SigmoidScores, model.LogitScores, model.RawScores} {
		if got, err := model.ParseScores(s.String()); got != s || err != nil {
			t.Errorf("%v: %v, %v", s, got, err)
		}
	}
	if _, err := scored(1, model.RawScores, nil).WithScores(model.SoftmaxScores); err == nil {
		t.Error("the softmax of one output passes")
	}
	if _, err := model.ParseScores("Maximum"); err == nil {
		t.Error("any word means scores")
	}
}
