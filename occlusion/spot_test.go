package occlusion_test

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// TestSpots: single covers, patches and masks, give the numbers of the maps that have them, bit for bit.
func TestSpots(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			convs := c.Net.ConvLayers()
			x := c.Images(t).Slice(0, 1)
			for _, o := range variants(c.Net.Input) {
				o.Classes, o.Layers, o.Method = []int{1, 0}, []string{convs[0], convs[len(convs)-1]}, occlusion.Box
				spots(t, engine, c.Net, x, o)
			}
		})
	}
}

func spots(t *testing.T, engine *model.Engine, net *model.Network, x *tensor.Tensor, o occlusion.Options) {
	t.Helper()
	ctx := context.Background()
	m, err := occlusion.Scan(ctx, engine, net, x, o)
	if err != nil {
		t.Fatal(err)
	}
	spotter, err := occlusion.NewSpotter(engine, net, o.Layers)
	if err != nil {
		t.Fatal(err)
	}
	still, err := spotter.Image(x)
	if err != nil {
		t.Fatal(err)
	}
	reading, err := net.Reading()
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string, i int, got, want float32) {
		t.Helper()
		if math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("position %d: %s is %v, the map has %v", i, what, got, want)
		}
	}
	for i, b := range m.Boxes {
		if o.Segments == nil && i%5 != 0 && i != len(m.Boxes)-1 {
			continue // some are enough
		}
		cover := occlusion.Cover{Patch: b, Soft: o.Soft, Fill: o.Fill}
		if o.Segments != nil {
			cover.Mask = make([]bool, len(o.Segments))
			for p, l := range o.Segments {
				cover.Mask[p] = l == m.Labels[i]
			}
		}
		if o.Segments != nil && o.Fill.Kind == occlusion.BlurFill {
			continue // how wide that is depends on the largest segment
		}
		spot, err := still.At(ctx, cover)
		if err != nil {
			t.Fatal(err)
		}
		for j, told := range reading.TellAll(spot.Scores, m.Classes, nil) {
			same("the probability", i, float32(told.Value), m.Prob[j][i])
			same("the score", i, float32(told.Score), m.Logit[j][i])
		}
		for j := range m.Totals {
			same("the total", i, spot.Totals[j], m.Totals[j].Total[i])
		}
		if spot.Best != int(m.ArgMax[i]) {
			t.Fatalf("position %d: class %d, the map has %d", i, spot.Best, m.ArgMax[i])
		}
	}
	if still.Clean.Best != m.CleanBest || still.Channels()[0] != m.Totals[0].Channel || still.Clean.Totals[0] != m.Totals[0].Clean {
		t.Error("the clean image differs")
	}
}

// TestSpotsRefuse: what is not inside the image is an error, an empty mask covers nothing.
func TestSpotsRefuse(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	engine := model.NewEngine(1)
	defer engine.Close()
	spotter, err := occlusion.NewSpotter(engine, c.Net, nil)
	if err != nil {
		t.Fatal(err)
	}
	still, err := spotter.Image(c.Images(t).Slice(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	in := c.Net.Input
	for _, bad := range []occlusion.Cover{
		{}, {Patch: model.Box{Y0: -1, Y1: 3, X1: 3}}, {Patch: model.Box{Y1: in.H + 1, X1: 3}}, {Patch: model.Box{Y0: 3, Y1: 3, X1: 3}},
		{Patch: model.Box{Y1: 3, X1: 3}, Soft: -1}, {Mask: make([]bool, 3)},
	} {
		if _, err := still.At(context.Background(), bad); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
	spot, err := still.At(context.Background(), occlusion.Cover{Mask: make([]bool, in.H*in.W)})
	if err != nil || !slices.Equal(spot.Scores, still.Clean.Scores) {
		t.Errorf("an empty mask changes the scores: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := still.At(ctx, occlusion.Cover{Patch: model.Box{Y1: 3, X1: 3}}); err == nil {
		t.Error("a cancelled request is computed")
	}
}

// TestScanEach: every position is told once, with the numbers that the map has in the end.
func TestScanEach(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, method := range []occlusion.Method{occlusion.Fast, occlusion.Brute} {
		s, err := occlusion.New(engine, c.Net, occlusion.Options{Patch: [2]int{5, 5}, Stride: [2]int{2, 2}, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		told := map[int]float32{}
		maps, err := s.ScanEach(context.Background(), c.Images(t).Slice(0, 1), nil, func(m *occlusion.Map, i int) {
			mu.Lock()
			defer mu.Unlock()
			if _, twice := told[i]; twice {
				t.Errorf("position %d is told twice", i)
			}
			told[i] = m.Prob[0][i]
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range maps[0].Prob[0] {
			if told[i] != p {
				t.Fatalf("position %d was told %v, the map has %v", i, told[i], p)
			}
		}
	}
}
