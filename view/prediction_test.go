package view

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

// By a clock on which every scan takes 3 s, the numbers are known; the size is near that of the index itself.
func TestPredict(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	list, err := images.Open(t.Context(), images.Spec{Data: "shapes", Limit: 300, Seed: 1}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.For(list, net)
	if err != nil {
		t.Fatal(err)
	}
	s, now := NewSession(engine, net), 0.0
	r := Prediction{Images: 7200, Machines: []int{1, 3}, Clock: func() float64 { now += 3; return now }}
	p, err := s.Predict(t.Context(), r, Scan{}, src)
	if err != nil {
		t.Fatal(err)
	}
	if p.Sample != predictFirst || math.Abs(p.PerSecond-predictFirst/3.0) > 1e-9 || p.Merge != 3 {
		t.Errorf("%+v", p)
	}
	one, three := p.Machines[0], p.Machines[1]
	if math.Abs(one.Hours-7200/(predictFirst/3.0)/3600) > 1e-9 || math.Abs(three.Hours*3-one.Hours) > 1e-9 || three.Parts != 3*p.Index || math.Abs(three.Minutes-3*3/60.0) > 1e-9 {
		t.Errorf("%+v", p.Machines)
	}
	head, rows := p.Text()
	if !strings.HasPrefix(head, "21.3 images a second here, of 64 that were tried; the index of 7200 images") || len(rows) != 3 || rows[2][0] != "3" {
		t.Errorf("%s, %v", head, rows)
	}
	x, err := features.Collect(t.Context(), engine, net, src, features.Options{})
	if err != nil {
		t.Fatal(err)
	}
	NameIndex(x, src)
	var text bytes.Buffer
	if err := x.Write(&text); err != nil {
		t.Fatal(err)
	}
	r.Images = 0
	if p, err = s.Predict(t.Context(), r, Scan{}, src); err != nil || p.Images != 300 {
		t.Fatalf("%+v, %v", p, err)
	}
	if ratio := float64(p.Index) / float64(text.Len()); ratio < 0.8 || ratio > 1.25 {
		t.Errorf("the index is said to take %d bytes, and takes %d", p.Index, text.Len())
	}
}

// Settings and shards are checked.
func TestPredictRefuses(t *testing.T) {
	for _, r := range []Prediction{{Machines: []int{0}}, {Machines: []int{1 << 21}}, {Images: -1}} {
		if r.Validate() == nil {
			t.Errorf("%+v is taken", r)
		}
	}
	for text, want := range map[string][2]int{"1/4": {0, 2}, "0+1/4": {0, 2}, "3+1/4": {7, 10}, "4/4": {7, 10}} {
		if from, to, err := ParseShard(text, 10); err != nil || [2]int{from, to} != want {
			t.Errorf("%s: %d to %d, %v, want %v", text, from, to, err, want)
		}
	}
	for _, text := range []string{"4+1/4", "-1+1/4", "1+2/4", "+1/4", "0/4", "1+1+1/4", "9223372036854775807+1/4"} {
		if _, _, err := ParseShard(text, 10); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
