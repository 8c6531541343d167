package view

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

// Images that are measured in parts, by runs of their own, and put together as JSON give the numbers of the whole.
func TestFaithfulParts(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	s := NewSession(engine, net)
	list, err := images.Open(t.Context(), images.Spec{Data: "shapes", Limit: 5, Seed: 1}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.For(list, net)
	if err != nil {
		t.Fatal(err)
	}
	r := Faithful{Methods: []attribution.Method{attribution.Saliency, attribution.GradCAM}, Steps: 4, Subsets: 3}
	want, err := s.Faithful(t.Context(), r, src)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.FaithfulRun(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]int{{0, 1}, {2}, {3, 4}} {
		run, err := s.FaithfulRun(r)
		if err != nil {
			t.Fatal(err)
		}
		sub, err := images.For(list.Subset(part), net)
		if err != nil {
			t.Fatal(err)
		}
		for k, number := range part {
			x, err := sub.Load(k)
			if err != nil {
				t.Fatal(err)
			}
			one, err := run.Image(t.Context(), sub, k, number, x)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(one)
			if err != nil {
				t.Fatal(err)
			}
			var again FaithfulOne
			if err := json.Unmarshal(text, &again); err != nil {
				t.Fatal(err)
			}
			if err := all.Add(again); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := all.Numbers()
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(got)
	if string(a) != string(b) {
		t.Errorf("got\n%s\nwant\n%s", b, a)
	}
	if !reflect.DeepEqual(want.Table(), got.Table()) {
		t.Error("the tables differ")
	}
}

// What was measured otherwise is refused, and so is a method that the network carries for some images only.
func TestFaithfulAdd(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	r := Faithful{Methods: []attribution.Method{attribution.Saliency}, Steps: 1, Subsets: 1}
	run, err := NewSession(engine, net).FaithfulRun(r)
	if err != nil {
		t.Fatal(err)
	}
	good := FaithfulMap{Deletion: []float64{1, 0}, Insertion: []float64{0, 1}, Values: make([]*float64, len(measures))}
	short := good
	short.Deletion = short.Deletion[:1]
	for _, c := range []struct {
		maps []FaithfulMap
		ok   bool
	}{
		{[]FaithfulMap{good}, false}, {[]FaithfulMap{short, good, good}, false}, {[]FaithfulMap{good, good, good}, true},
		{[]FaithfulMap{{Problem: "x"}, good, good}, false},
	} {
		if err := run.Add(FaithfulOne{Maps: c.maps}); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.maps, err)
		}
	}
}
