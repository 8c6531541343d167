package occlusion_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

func scan(t *testing.T, workers int, net *model.Network, x *tensor.Tensor, o occlusion.Options) *occlusion.Map {
	t.Helper()
	engine := model.NewEngine(workers)
	defer engine.Close()
	m, err := occlusion.Scan(context.Background(), engine, net, x, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSameForAnyBatchAndWorkers: maps do not depend on how the work is split.
func TestSameForAnyBatchAndWorkers(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	x := c.Images(t).Slice(0, 1)
	o := occlusion.Options{Patch: [2]int{7, 5}, Stride: [2]int{3, 4}, Layers: []string{"relu1", "relu2"}, Classes: []int{2, 0}}
	want := scan(t, 1, c.Net, x, o)
	for _, batch := range []int{1, 3, 17} {
		for _, workers := range []int{1, 3} {
			o.Batch = batch
			got := scan(t, workers, c.Net, x, o)
			for j := range want.Classes {
				if !slices.Equal(got.Prob[j], want.Prob[j]) || !slices.Equal(got.Logit[j], want.Logit[j]) || !slices.Equal(covered(got.PixelDrop[j]), covered(want.PixelDrop[j])) {
					t.Errorf("batch %d, %d workers: class %d differs", batch, workers, want.Classes[j])
				}
			}
			for j := range want.Totals {
				if !slices.Equal(got.Totals[j].Total, want.Totals[j].Total) {
					t.Errorf("batch %d, %d workers: total of %s differs", batch, workers, want.Totals[j].Layer)
				}
			}
		}
	}
}

// TestCoveringWithTheSameChangesNothing: on a uniform image a patch of its own
// colour gives the clean image's scores everywhere, bit for bit.
func TestCoveringWithTheSameChangesNothing(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	in := c.Net.Input
	x := tensor.New(1, in.C, in.H, in.W)
	for i := range x.Data {
		x.Data[i] = 0.25
	}
	for _, fill := range []occlusion.Fill{{Kind: "value", Values: []float32{0.25}}, {Kind: "image"}} {
		m := scan(t, 2, c.Net, x, occlusion.Options{Fill: fill})
		for i := range m.Boxes {
			if m.Prob[0][i] != m.CleanProb[0] || m.Logit[0][i] != m.CleanLogit[0] || int(m.ArgMax[i]) != m.CleanBest || m.Totals[0].Total[i] != m.Totals[0].Clean {
				t.Fatalf("fill %v, position %d: scores change", fill, i)
			}
		}
		if drop := covered(m.PixelDrop[0]); slices.Max(drop) != 0 || slices.Min(drop) != 0 {
			t.Errorf("fill %v: there is a loss", fill)
		}
	}
}

// TestLayout: the paper's grid in proportion; multiples of the stride; a last
// row and column with Cover; what cannot be is an error.
func TestLayout(t *testing.T) {
	net := func(size int) *model.Network {
		n, err := model.Build("small", model.ArchOptions{Input: model.Input{C: 3, H: size, W: size}, Classes: []string{"a", "b"}, Width: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		size int
		o    occlusion.Options
		want string
	}{
		{224, occlusion.Options{}, "900"}, // [zeiler14]: 50x50 at stride 6 gives 30x30
		{32, occlusion.Options{}, "676"},  // 7x7 at stride 1: 26x26
		{32, occlusion.Options{Patch: [2]int{10, 10}, Stride: [2]int{5, 5}}, "25"},
		{32, occlusion.Options{Patch: [2]int{10, 10}, Stride: [2]int{5, 5}, Cover: true}, "36"},
		{32, occlusion.Options{Patch: [2]int{32, 32}, Stride: [2]int{5, 5}, Cover: true}, "1"},
		{32, occlusion.Options{Patch: [2]int{33, 3}}, "a patch 33 pixels high does not fit into an input of 32"},
		{32, occlusion.Options{Stride: [2]int{-1, 3}}, "a patch 7 pixels high at stride -1: want at least 1"},
	} {
		n, _, err := occlusion.Cost(net(c.size), c.o)
		got := fmt.Sprint(n)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%d pixels, %+v: %s, want %s", c.size, c.o, got, c.want)
		}
	}
}

func TestFills(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"mean", "mean"}, {"image", "image"}, {"blur", "blur"}, {"noise:7", "noise:7"}, {"noise", "noise:0"}, {"128", "128"}, {"input:0.5,-1", "input:0.5,-1"},
	} {
		f, err := occlusion.ParseFill(c.in)
		if err != nil || f.String() != c.want {
			t.Errorf("ParseFill(%q) = %v, %v; want %s", c.in, f, err, c.want)
		}
	}
	for _, bad := range []string{"", "grey", "256", "-1", "noise:x", "input:", "input:1,b", "input:nan", "input:1,inf", "mean:3"} {
		if f, err := occlusion.ParseFill(bad); err == nil {
			t.Errorf("ParseFill(%q) = %v, want an error", bad, f)
		}
	}
	c := viztest.Golden(t, "lenet_small")
	x := c.Images(t).Slice(0, 1)
	for _, kind := range []string{"mean", "image", "blur", "noise:3", "128", "input:0.5"} {
		f, err := occlusion.ParseFill(kind)
		if err != nil {
			t.Fatal(err)
		}
		o := occlusion.Options{Fill: f, Stride: [2]int{8, 8}}
		if a, b := scan(t, 1, c.Net, x, o), scan(t, 2, c.Net, x, o); !slices.Equal(a.Filler, b.Filler) || !slices.Equal(a.Prob[0], b.Prob[0]) {
			t.Errorf("fill %s: two runs differ", kind)
		}
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	_, err := occlusion.Scan(context.Background(), engine, c.Net, x, occlusion.Options{Fill: occlusion.Fill{Kind: "value", Values: []float32{1, 2}}})
	if fmt.Sprint(err) != "fill has 2 values, the input has 1 channels" {
		t.Error(err)
	}
}

// TestCancel: a cancelled scan ends with the context's error.
func TestCancel(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	engine := model.NewEngine(1)
	defer engine.Close()
	for _, method := range []occlusion.Method{occlusion.Fast, occlusion.Box, occlusion.Brute} {
		ctx, cancel := context.WithCancel(context.Background())
		s, err := occlusion.New(engine, c.Net, occlusion.Options{Method: method, Batch: 1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.ScanAll(ctx, c.Images(t).Slice(0, 1), func(done, total int) {
			if done > 2 && done < total {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%q: error %v, want the context's", method, err)
		}
	}
}

// TestNotFinite: class scores that are no numbers are an error, not a map.
func TestNotFinite(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	engine := model.NewEngine(1)
	defer engine.Close()
	x := c.Images(t).Slice(0, 1).Clone()
	for i := range x.Data {
		x.Data[i] = float32(math.NaN())
	}
	if _, err := occlusion.Scan(context.Background(), engine, c.Net, x, occlusion.Options{}); err == nil || !strings.Contains(err.Error(), "clean image: the score of class") {
		t.Error(err)
	}
	fill := occlusion.Fill{Kind: "value", Values: []float32{float32(math.Inf(1))}}
	if _, err := occlusion.Scan(context.Background(), engine, c.Net, c.Images(t).Slice(0, 1), occlusion.Options{Fill: fill}); err == nil || !strings.Contains(err.Error(), "patch at row 0, column 0: the score of class") {
		t.Error(err)
	}
}

// TestNeverCovered: pixels that no patch covers have no number, others do.
func TestNeverCovered(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	x := c.Images(t).Slice(0, 1)
	in := c.Net.Input
	m := scan(t, 2, c.Net, x, occlusion.Options{Patch: [2]int{4, 4}, Stride: [2]int{6, 6}})
	for y := range in.H {
		for col := range in.W {
			inside := slices.ContainsFunc(m.Boxes, func(b model.Box) bool { return y >= b.Y0 && y < b.Y1 && col >= b.X0 && col < b.X1 })
			if v := m.PixelDrop[0][y*in.W+col]; inside != (v == v) {
				t.Fatalf("row %d, column %d, covered %v: %g", y, col, inside, v)
			}
		}
	}
}
