package onnx_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// head is a network of 2 features and 3 class scores: features "f", scores "z".
func head(more ...part) []part {
	return append([]part{input("x", 1, 2, 2, 2), op("GlobalAveragePool", "x", "p"), op("Flatten", "p", "f"),
		floats("w", []int64{2, 3}, 1, 2, 3, -1, 0, 1), op("Gemm", "f w", "z")}, more...)
}

// token is a network of which one token of four has 2 scores "t".
func token(more ...part) []part {
	return append([]part{input("x", 1, 2, 2, 2), longs("sizes", 1, 2, 4), op("Reshape", "x sizes", "r"), op("Relu", "r", "a"), op("Transpose", "a", "b", ints("perm", 0, 2, 1)),
		longs("first", 0), op("Squeeze", "first", "number"), op("Gather", "b number", "t", integer("axis", 1))}, more...)
}

// one is a network with one score, "z".
func one(more ...part) []part {
	return append([]part{input("x", 1, 2, 2, 2), op("GlobalAveragePool", "x", "p"), op("Flatten", "p", "f"),
		floats("w", []int64{2, 1}, 1, -1), op("Gemm", "f w", "z")}, more...)
}

func join(graph []part, more ...part) []part { return append(slices.Clone(graph), more...) }

// TestScores: which output has the scores, and what they mean.
func TestScores(t *testing.T) {
	label := op("ArgMax", "z", "label", integer("axis", 1), integer("keepdims", 0))
	softmax := op("Softmax", "z", "probs", integer("axis", 1))
	k, k100, k255 := floats("k", []int64{1}, 1), floats("k100", nil, 100), floats("k255", nil, 255)
	for name, c := range map[string]struct {
		graph         []part
		node          string
		kind          model.Scores
		outputs       string
		choice, notes bool
	}{
		"features first":           {head(output("f"), output("z")), "n:z", model.LogitScores, "f z", true, false},
		"softmax":                  {head(softmax, output("probs")), "n:z", model.SoftmaxScores, "probs", false, false},
		"softmax and features":     {head(softmax, output("probs"), output("f")), "n:z", model.SoftmaxScores, "probs f", true, false},
		"label first":              {head(softmax, label, output("label"), output("probs")), "n:z", model.SoftmaxScores, "label probs", true, true},
		"only a label":             {head(label, output("label")), "n:z", model.LogitScores, "label", false, true},
		"label, squeezed and cast": {head(op("ArgMax", "z", "a", integer("axis", 1)), op("Cast", "a", "b", integer("to", 6)), op("Identity", "b", "y"), output("y")), "n:z", model.LogitScores, "y", false, true},
		"the best":                 {head(softmax, floats("one", []int64{1}, 2), op("TopK", "probs one", "v i"), output("v"), output("i")), "n:z", model.SoftmaxScores, "v i", false, true},
		"sigmoids":                 {head(op("Sigmoid", "z", "y"), output("y")), "n:z", model.SigmoidScores, "y", false, false},
		"log softmax":              {head(op("LogSoftmax", "z", "y"), output("y")), "n:z", model.SoftmaxScores, "y", false, false},
		"one sigmoid":              {one(op("Sigmoid", "z", "y"), output("y")), "n:z", model.SigmoidScores, "y", false, false},
		"one sigmoid, a threshold": {one(op("Sigmoid", "z", "s"), floats("half", nil, .5), op("Greater", "s half", "g"), op("Cast", "g", "y", integer("to", 7)), output("y")), "n:z", model.SigmoidScores, "y", false, true},
		"one value":                {one(output("z")), "n:z", model.RawScores, "z", false, false},
		"softmax in parts":         {head(op("Exp", "z", "e"), op("ReduceSum", "e", "s", integer("keepdims", 1)), op("Div", "e s", "y"), output("y")), "n:z", model.SoftmaxScores, "y", false, false},
		"sigmoid in parts":         {one(k, op("Neg", "z", "n"), op("Exp", "n", "e"), op("Add", "e k", "d"), op("Reciprocal", "d", "y"), output("y")), "n:z", model.SigmoidScores, "y", false, false},
		"sigmoid in other parts":   {one(k, op("Neg", "z", "n"), op("Exp", "n", "e"), op("Add", "e k", "d"), op("Div", "k d", "y"), output("y")), "n:z", model.SigmoidScores, "y", false, false},
		"percents, rounded":        {head(softmax, k100, op("Mul", "probs k100", "p100"), op("Round", "p100", "y"), output("y")), "n:z", model.SoftmaxScores, "y", false, false},
		"bytes":                    {head(op("Sigmoid", "z", "s"), k255, op("Mul", "s k255", "b"), op("Cast", "b", "y", integer("to", 2)), output("y")), "n:z", model.SigmoidScores, "y", false, true},
		"a range":                  {head(op("Sigmoid", "z", "s"), floats("seven", nil, 7), op("Mul", "s seven", "y"), output("y")), "n:y", model.LogitScores, "y", false, false},
		"an embedding":             {head(op("ReduceL2", "z", "l", ints("axes", 1), integer("keepdims", 1)), op("Div", "z l", "y"), output("y")), "n:y", model.RawScores, "y", false, false},
		"by its name":              {head(op("Identity", "z", "image_embeds"), output("image_embeds")), "n:z", model.RawScores, "image_embeds", false, true},
		"features alone": {[]part{input("x", 1, 2, 4, 4), floats("w", []int64{2, 2, 1, 1}, 1, 2, 3, 4), op("Conv", "x w", "c"), op("Add", "c x", "s"), op("Relu", "s", "r"),
			op("GlobalAveragePool", "r", "p"), op("Flatten", "p", "y"), output("y")}, "n:y", model.RawScores, "y", false, false},
		"means of classes": {[]part{input("x", 1, 2, 4, 4), floats("w", []int64{2, 2, 1, 1}, 1, 2, 3, 4), op("Conv", "x w", "c"), op("Relu", "c", "r"),
			op("GlobalAveragePool", "r", "p"), op("Flatten", "p", "y"), output("y")}, "n:y", model.LogitScores, "y", false, false},
		"classes of pixels": {[]part{input("x", 1, 2, 4, 4), floats("w", []int64{3, 2, 1, 1}, 1, 2, 3, 4, 5, 6), op("Conv", "x w", "z"),
			op("Softmax", "z", "y", integer("axis", 1)), output("y")}, "n:z", model.SoftmaxScores, "y", false, false},
		"one token":           {token(output("t")), "n:t.flatten", model.LogitScores, "t", false, false},
		"one token, softmax":  {token(op("Softmax", "t", "y", integer("axis", 1)), output("y")), "n:t.flatten", model.SoftmaxScores, "y", false, false},
		"one token, logs":     {token(op("LogSoftmax", "t", "y", integer("axis", 1)), output("y")), "n:t.flatten", model.SoftmaxScores, "y", false, false},
		"one token, sigmoids": {token(op("Sigmoid", "t", "y"), output("y")), "n:t.flatten", model.SigmoidScores, "y", false, false},
		"label as one of three": {head(label, longs("three", 3), floats("values", []int64{2}, 0, 1), op("OneHot", "label three values", "y"), output("y")),
			"n:z", model.LogitScores, "y", false, true},
		"maps of labels": {[]part{input("x", 1, 2, 4, 4), floats("w", []int64{3, 2, 1, 1}, 1, 2, 3, 4, 5, 6), op("Conv", "x w", "z"),
			op("ArgMax", "z", "y", integer("axis", 1)), output("y")}, "n:z", model.LogitScores, "y", false, true},
		"channels last": {[]part{input("x", 1, 8, 8, 2), op("Transpose", "x", "t", ints("perm", 0, 3, 1, 2)), floats("w", []int64{3, 2, 1, 1}, 1, 2, 3, 4, 5, 6), op("Conv", "t w", "z"),
			op("Transpose", "z", "u", ints("perm", 0, 2, 3, 1)), op("Softmax", "u", "y", integer("axis", 3)), output("y")}, "n:z", model.SoftmaxScores, "y", false, false},
		"an output that cannot be used": {head(op("Fancy", "f", "g"), op("Softmax", "z", "probs"), output("g"), output("probs")), "n:z", model.SoftmaxScores, "probs", false, true},
		"a map by name":                 {head(softmax, in("ai.onnx.ml", "", op("ZipMap", "probs", "y")), output("y")), "n:z", model.SoftmaxScores, "y", false, true},
		"names": {head(label, in("ai.onnx.ml", "", op("LabelEncoder", "label", "name")), in("ai.onnx.ml", "", op("ArrayFeatureExtractor", "w label", "y")), output("name"), output("y")),
			"n:z", model.LogitScores, "name y", false, true},
		"boxes": {head(op("Sigmoid", "z", "s"), op("NonMaxSuppression", "x s", "boxes"), output("boxes")), "n:z", model.SigmoidScores, "boxes", false, true},
	} {
		opset := int64(13)
		if strings.Contains(name, "sum") || strings.Contains(name, "parts") {
			opset = 12
		}
		g, err := onnx.ReadGraph(file(opset, c.graph...), onnx.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var outputs []string
		for _, o := range g.Net.Outputs {
			outputs = append(outputs, o.Name)
		}
		if g.Net.Logits != c.node || g.Net.Scores != c.kind || strings.Join(outputs, " ") != c.outputs {
			t.Errorf("%s: scores at %s, %v, outputs %v; want %s, %v, %s", name, g.Net.Logits, g.Net.Scores, outputs, c.node, c.kind, c.outputs)
		}
		if (g.Choice != "") != c.choice || (len(g.Notes) > 0) != c.notes {
			t.Errorf("%s: choice %q, notes %q", name, g.Choice, g.Notes)
		}
	}
}

// TestOutput: another output can be asked for, or a value or node inside.
func TestOutput(t *testing.T) {
	data := file(13, head(op("Softmax", "z", "probs"), op("Sigmoid", "f", "extra"), output("probs"), output("extra"))...)
	for ask, want := range map[string]string{"": "n:z", "probs": "n:z", "extra": "n:f", "z": "n:z", "f": "n:f", "n:f": "n:f"} {
		g, err := onnx.ReadGraph(data, onnx.Options{Output: ask})
		if err != nil || g.Net.Logits != want {
			t.Errorf("%q: %v, want %s (%v)", ask, g.Net.Logits, want, err)
		}
	}
	g, err := onnx.ReadGraph(data, onnx.Options{Classes: 2})
	if err != nil || g.Net.Logits != "n:f" {
		t.Errorf("with two classes: %v, %v", g.Net.Logits, err)
	}
	// Means of maps are classes if there are as many names.
	features := file(13, input("x", 1, 2, 4, 4), floats("w", []int64{2, 2, 1, 1}, 1, 2, 3, 4), op("Conv", "x w", "c"), op("Add", "c x", "s"), op("Relu", "s", "r"),
		op("GlobalAveragePool", "r", "p"), op("Flatten", "p", "y"), output("y"))
	for classes, want := range map[int]model.Scores{0: model.RawScores, 2: model.LogitScores, 3: model.RawScores} {
		if g, err := onnx.ReadGraph(features, onnx.Options{Classes: classes}); err != nil || g.Net.Scores != want {
			t.Errorf("pooled maps and %d names: %v, %v, want %v", classes, g.Net.Scores, err, want)
		}
	}
	_, err = onnx.ReadGraph(data, onnx.Options{Output: "nothing"})
	if no, ok := errors.AsType[*onnx.NoOutput](err); !ok || !slices.Equal(no.Outputs, []string{"probs", "extra"}) {
		t.Errorf("error %v", err)
	}
	_, err = onnx.ReadGraph(file(13, head(in("ai.onnx.ml", "", op("TreeEnsembleClassifier", "f", "y")), output("y"))...), onnx.Options{})
	if u, ok := errors.AsType[*onnx.Unsupported](err); !ok || !strings.Contains(u.Error(), "no neural network") {
		t.Errorf("of a decision tree: %v", err)
	}
	_, err = onnx.ReadGraph(file(13, head(op("Fancy", "f", "scores"), output("scores"), output("f"))...), onnx.Options{})
	if _, ok := errors.AsType[*onnx.Unsupported](err); !ok {
		t.Errorf("features are taken for scores that cannot be used: %v", err)
	}
}

// TestSet: all inputs but the picture are given values, in the file's type and shape.
func TestSet(t *testing.T) {
	data := file(13, input("x", 1, 2, 2, 2), input("meta", 1, 2), op("GlobalAveragePool", "x", "p"), op("Flatten", "p", "f"),
		op("Concat", "f meta", "c", integer("axis", 1)), floats("w", []int64{4, 2}, 1, 2, 3, 4, 5, 6, 7, 8), op("Gemm", "c w", "y"), output("y"))
	_, err := onnx.ReadGraph(data, onnx.Options{})
	open, ok := errors.AsType[*onnx.OpenInputs](err)
	if !ok || open.Picture != "x" || len(open.Others) != 1 || open.Others[0].Name != "meta" {
		t.Fatalf("error %v", err)
	}
	for _, c := range []struct {
		v    onnx.Value
		want []float32 // (1.5, 5.5, meta) times w
	}{
		{onnx.Value{F: []float32{1, -1}, AsDeclared: true}, []float32{16, 23}},
		{onnx.Value{F: []float32{2}, AsDeclared: true}, []float32{42, 53}},
		{onnx.Value{I: []int64{1, -1}, AsDeclared: true}, []float32{16, 23}},
		{onnx.Value{Dims: []int{1, 2}, F: []float32{1, -1}, AsDeclared: true}, []float32{16, 23}},
	} {
		g, err := onnx.ReadGraph(data, onnx.Options{Bind: map[string]onnx.Value{"meta": c.v}})
		if err != nil {
			t.Fatal(err)
		}
		if got := eval(t, g.Net, 0, 1, 2, 3, 4, 5, 6, 7); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.v, got, c.want)
		}
	}
	for _, bad := range []map[string]onnx.Value{{"meta": {F: []float32{1, 2, 3}, AsDeclared: true}}, {"mate": {F: []float32{1, 2}, AsDeclared: true}}} {
		if _, err := onnx.ReadGraph(data, onnx.Options{Bind: bad}); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

// TestWriteScores: what the scores mean and the outputs' names come back.
func TestWriteScores(t *testing.T) {
	g, err := onnx.ReadGraph(file(13, head(op("Sigmoid", "z", "labels"), output("f"), output("labels"))...), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	two := viztest.OneOutput(model.LogitScores, "not", "red")
	for _, net := range []*model.Network{g.Net, two, viztest.OneOutput(model.RawScores), viztest.Segmentation()} {
		var b bytes.Buffer
		if err := onnx.Write(&b, net, 0); err != nil {
			t.Fatal(err)
		}
		got, err := onnx.Read(b.Bytes(), "")
		if err != nil {
			t.Fatal(err)
		}
		if got.Logits != net.Logits || got.Scores != net.Scores || len(net.Outputs) > 0 && !slices.Equal(got.Outputs, net.Outputs) || !slices.Equal(got.Classes, net.Classes) {
			t.Errorf("%s: scores at %s, %v, outputs %v; want %s, %v, %v", net.Name, got.Logits, got.Scores, got.Outputs, net.Logits, net.Scores, net.Outputs)
		}
	}
}

// TestManyOutputs: what is said of an image with many outputs names the first of them.
func TestManyOutputs(t *testing.T) {
	graph := []part{input("x", 1, 2, 4, 4)}
	for i := range 300 {
		name := fmt.Sprintf("v%d", i)
		graph = append(graph, op("Relu", "x", name), output(name))
	}
	g, err := onnx.ReadGraph(file(13, graph...), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Choice) > 400 || !strings.Contains(g.Choice, "300 outputs, v0 (2x4x4), ") || !strings.Contains(g.Choice, ", and 292 more: scores are those of ") {
		t.Errorf("the choice is %q", g.Choice)
	}
	_, err = onnx.ReadGraph(file(13, graph...), onnx.Options{Output: "none"})
	if err == nil || len(err.Error()) > 400 || !strings.Contains(err.Error(), "v7, and 292 more") {
		t.Errorf("an output that is not there: %v", err)
	}
	if _, err := g.Net.WithOutput("none"); err == nil || len(err.Error()) > 400 || !strings.Contains(err.Error(), "and 292 more") {
		t.Errorf("an output that the network does not have: %v", err)
	}
}
