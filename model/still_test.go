package model_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
)

// TestStill: what is computed again in boxes is what a whole pass over the changed image makes, bit for bit, on every
// golden network and for boxes inside, at the borders, of one pixel and of everything.
func TestStill(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		c := viztest.Golden(t, name)
		in := c.Net.Input
		convs := c.Net.ConvLayers()
		keep := []string{c.Net.Logits, convs[0], convs[len(convs)-1]}
		plan, err := engine.Compile(c.Net, model.Keep{Layers: keep})
		if err != nil {
			t.Fatal(err)
		}
		x := c.Images(t).Slice(0, 1)
		still, err := plan.Still(x)
		if err != nil {
			t.Fatal(err)
		}
		same := func(b model.Box, got, want []float32, name string) {
			t.Helper()
			if len(got) != len(want) {
				t.Fatalf("%s %s: %d values, want %d", c.Net.Name, name, len(got), len(want))
			}
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("%s, box %v: value %d of %s is %v, want %v", c.Net.Name, b, i, name, got[i], want[i])
				}
			}
		}
		clean, err := plan.Run(x)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range keep {
			same(model.Box{}, still.Value(name), clean.Value(name).Data, name)
		}
		for _, b := range []model.Box{{}, {Y0: in.H / 3, X0: in.W / 4, Y1: in.H/3 + 3, X1: in.W/4 + 2}, {Y1: 1, X1: 1},
			{Y0: in.H - 2, X0: in.W - 3, Y1: in.H, X1: in.W}, {Y0: in.H / 2, Y1: in.H/2 + 1, X1: in.W}, {Y1: in.H, X1: in.W}} {
			y := x.Clone()
			for ch := range in.C {
				for r := b.Y0; r < b.Y1; r++ {
					for q := b.X0; q < b.X1; q++ {
						y.Data[(ch*in.H+r)*in.W+q] = float32(ch) - 0.3*float32(r%5) + 0.2*float32(q%7)
					}
				}
			}
			want, err := plan.Run(y)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // with fresh memory, and with that of a run before
				got, err := still.Change(y, b, keep...)
				if err != nil {
					t.Fatal(err)
				}
				for i, name := range keep {
					same(b, got[i], want.Value(name).Data, name)
				}
			}
		}
	}
}

// TestStillOfKinds is TestStill for every kind of layer.
func TestStillOfKinds(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	rng := rand.New(rand.NewPCG(5, 9))
	for name, net := range kinds(rng) {
		for _, keep := range [][]string{{"it"}, nil} {
			plan, err := engine.Compile(net, model.Keep{Layers: keep})
			if err != nil {
				t.Fatal(name, err)
			}
			x := randomTensor(rng, 1, 3, 7, 9)
			still, err := plan.Still(x)
			if err != nil {
				t.Fatal(name, err)
			}
			for _, b := range []model.Box{{}, {Y0: 2, X0: 3, Y1: 4, X1: 4}, {Y0: 6, X0: 7, Y1: 7, X1: 9}} {
				y := x.Clone()
				for i := range y.Data {
					if r, q := i/9%7, i%9; r >= b.Y0 && r < b.Y1 && q >= b.X0 && q < b.X1 {
						y.Data[i] = 1 - y.Data[i]
					}
				}
				want, err := plan.Run(y)
				if err != nil {
					t.Fatal(name, err)
				}
				got, err := still.Change(y, b, "it")
				if err != nil {
					t.Fatal(name, err)
				}
				for i, v := range want.Value("it").Data {
					if math.Float32bits(got[0][i]) != math.Float32bits(v) {
						t.Fatalf("%s, box %v: value %d is %v, want %v", name, b, i, got[0][i], v)
					}
				}
			}
		}
	}
}
