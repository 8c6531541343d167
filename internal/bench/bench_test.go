package bench

import (
	"context"
	"math"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/occlusion"
)

// TestNoise: the first values, computed with numpy, and a variance of one.
func TestNoise(t *testing.T) {
	x := Noise(1, 1, 100, 100)
	for i, want := range []float32{-0.37821847, 1.700967, 0.38980067} {
		if got := x.Data[i]; math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("value %d is %v, want %v", i, got, want)
		}
	}
	var square float64
	for _, v := range x.Data {
		square += float64(v) * float64(v)
	}
	if square /= 1e4; math.Abs(square-1) > 0.03 {
		t.Errorf("variance %.3f", square)
	}
}

// TestBrute: brute force on all positions makes the sum of an occlusion map.
func TestBrute(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	o := occlusion.Options{Patch: [2]int{10, 10}, Stride: [2]int{6, 6}, Layers: []string{}, Fill: occlusion.Fill{Kind: occlusion.ValueFill, Values: []float32{0.5}}}
	task, err := Occlude(context.Background(), engine, net, o)
	if err != nil {
		t.Fatal(err)
	}
	want, err := task.Run()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Brute(engine, net, o, 16)
	if err != nil {
		t.Fatal(err)
	}
	passes := 0
	got, err := b.Run(context.Background(), 5, func(run func() error) error { passes++; return run() })
	if err != nil {
		t.Fatal(err)
	}
	if passes != 4 || b.Positions != 16 || math.Abs(got-want) > 1e-4 {
		t.Errorf("%d passes for %d positions, sum %v, want %v", passes, b.Positions, got, want)
	}
}
