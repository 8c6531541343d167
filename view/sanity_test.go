package view

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

// TestSanity: guided backpropagation and the deconvnet keep more of their maps than the
// gradient when no learned weight is left, as is known of them.
func TestSanity(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	list, err := images.Open(t.Context(), images.Spec{Data: "shapes", Limit: 3}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.For(list, net)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSession(engine, net)
	r := Sanity{Methods: []attribution.Method{attribution.Saliency, attribution.Guided, attribution.Deconvnet, attribution.GradCAM}}
	r.Layers, r.Seed = []string{"fc2"}, 1 // has no maps: Grad-CAM is named
	n, err := s.Sanity(t.Context(), r, src)
	if err != nil {
		t.Fatal(err)
	}
	want := model.Weighted(net)
	slices.Reverse(want)
	if !slices.Equal(n.Layers, want) || n.Layers[0] != net.Logits {
		t.Errorf("layers %v", n.Layers)
	}
	var kept []float64
	for _, row := range n.Rows[:3] {
		if len(row.Cascade) != len(want) || len(row.Single) != len(want) || row.Verdict == "" {
			t.Fatalf("%+v", row)
		}
		// One layer alone is what the cascade begins with.
		if !reflect.DeepEqual(row.Cascade[0], row.Single[0]) {
			t.Errorf("%s: the first layer gives %+v in the cascade and %+v alone", row.Method, row.Cascade[0], row.Single[0])
		}
		if last := len(want) - 1; reflect.DeepEqual(row.Cascade[last], row.Single[last]) {
			t.Errorf("%s: one layer alone gives what all layers give, %+v", row.Method, row.Single[last])
		}
		kept = append(kept, row.Kept)
	}
	if !(kept[1] > kept[2]+0.1 && kept[2] > kept[0]+0.1) {
		t.Errorf("of gradient, guided and deconvnet is left %v", kept)
	}
	if last := n.Rows[0].Cascade[len(want)-1]; last.Spearman.Mean > 0.15 || last.Magnitude.Mean > 0.25 {
		t.Errorf("of the gradient is left %+v without a learned weight", last)
	}
	if n.Rows[0].Verdict != "depends on the weights" || n.Rows[1].Verdict != "hardly depends on the weights" || n.Rows[3].Problem == "" {
		t.Errorf("%+v, %+v", n.Rows[0], n.Rows[3])
	}
	if again, err := s.Sanity(t.Context(), r, src); err != nil || !reflect.DeepEqual(again, n) {
		t.Errorf("the seed does not decide: %v", err)
	}
	random, err := model.Redraw(net, want, 4)
	if err != nil {
		t.Fatal(err)
	}
	r.Trained = []Retrained{{Name: "true labels", Net: net}, {Name: "permuted labels", Net: random}}
	r.Methods = r.Methods[:2]
	if n, err = s.Sanity(t.Context(), r, src); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"depends on the labels", "depends on the labels in part"} {
		row := n.Rows[i]
		if len(row.Labels) != 2 || row.Labels[0].Spearman.Mean < 0.999 || row.Labels[1].Layer != "permuted labels" || !strings.HasPrefix(want, row.Taught) || row.Taught == "" {
			t.Errorf("%s: %q, %+v", row.Method, row.Taught, row.Labels)
		}
	}
	if table := n.Table(); !slices.ContainsFunc(table.Rows, func(line []string) bool { return line[1] == "trained anew" && line[2] == "permuted labels" }) {
		t.Error("the table does not have the networks trained anew")
	}
	r.Trained = nil
	r.Targets = []attribution.Target{attribution.Class(1)}
	if _, err := s.Sanity(t.Context(), r, src); err == nil {
		t.Error("a class is taken")
	}
}
