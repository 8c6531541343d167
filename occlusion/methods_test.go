package occlusion_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// sameMaps holds got to want: bit for bit, or scores and totals within tolerance
// of their largest.
func sameMaps(t *testing.T, got, want *occlusion.Map, tolerance float64) {
	t.Helper()
	check := func(what string, got, want []float32) {
		t.Helper()
		if tolerance == 0 {
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("%s at position %d is %v, brute force has %v", what, i, got[i], want[i])
				}
			}
			return
		}
		if err := viztest.Close(got, want, tolerance); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for j := range want.Classes {
		check("logit", got.Logit[j], want.Logit[j])
		check("prob", got.Prob[j], want.Prob[j])
		if tolerance == 0 {
			check("pixel drop", covered(got.PixelDrop[j]), covered(want.PixelDrop[j]))
		}
	}
	for j := range want.Totals {
		if got.Totals[j].Channel != want.Totals[j].Channel {
			t.Fatalf("total of %s: map %d, want %d", want.Totals[j].Layer, got.Totals[j].Channel, want.Totals[j].Channel)
		}
		check("total of "+want.Totals[j].Layer, got.Totals[j].Total, want.Totals[j].Total)
	}
	if !slices.Equal(got.ArgMax, want.ArgMax) {
		t.Fatal("most probable classes differ")
	}
}

// variants are options of every kind for an input.
func variants(in model.Input) []occlusion.Options {
	segments := make([]int32, in.H*in.W)
	for p := range segments {
		y, x := p/in.W, p%in.W
		segments[p] = int32(y/5*7+x/6*3) % 11
		if (y+x)%9 == 0 {
			segments[p] = -1
		}
	}
	stride := [2]int{max(in.H/9, 1), max(in.W/7, 1)}
	return []occlusion.Options{
		{Patch: [2]int{max(in.H/6, 1), max(in.W/5, 1)}, Stride: stride},
		{Patch: [2]int{max(in.H/4, 2), max(in.W/8, 2)}, Stride: stride, Cover: true, Soft: 2, Fill: occlusion.Fill{Kind: "noise", Seed: 3}},
		{Segments: segments, Fill: occlusion.Fill{Kind: "blur"}},
		{Patch: [2]int{in.H, in.W}, Stride: stride, Fill: occlusion.Fill{Kind: "image"}},
	}
}

// TestMethodsAgree: on the golden networks Box gives the bits of Brute, and Fast
// the same to rounding, for patches of every kind.
func TestMethodsAgree(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			convs := c.Net.ConvLayers()
			for _, o := range variants(c.Net.Input) {
				o.Classes, o.Layers = []int{1, 0}, []string{convs[0], convs[len(convs)-1], c.Net.Input.Name, c.Net.Logits}
				agree(t, engine, c.Net, c.Images(t).Slice(0, 1), o)
			}
		})
	}
}

func agree(t *testing.T, engine *model.Engine, net *model.Network, x *tensor.Tensor, o occlusion.Options) {
	t.Helper()
	maps := map[occlusion.Method]*occlusion.Map{}
	for _, o.Method = range []occlusion.Method{occlusion.Brute, occlusion.Box, occlusion.Fast} {
		m, err := occlusion.Scan(context.Background(), engine, net, x, o)
		if err != nil {
			t.Fatalf("%q: %v", o.Method, err)
		}
		maps[o.Method] = m
	}
	sameMaps(t, maps[occlusion.Box], maps[occlusion.Brute], 0)
	sameMaps(t, maps[occlusion.Fast], maps[occlusion.Brute], 1e-5)
}

// TestRealNetworks is TestMethodsAgree on trained networks and a photo.
func TestRealNetworks(t *testing.T) {
	dir := filepath.Join(viztest.Shared(t), "data", "models")
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range []string{"squeezenet1_1-imagenet", "resnet8-cifar10", "convnetjs-cifar10", "tiny-vgg"} {
		t.Run(name, func(t *testing.T) {
			net, err := onnx.Import(filepath.Join(dir, name+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			in := net.Input
			x := tensor.New(1, in.C, in.H, in.W)
			for i := range x.Data {
				x.Data[i] = float32(60 * (1 + math.Sin(float64(i%in.W)/9)*math.Cos(float64(i/in.W)/13)))
			}
			o := occlusion.Options{Patch: [2]int{in.H / 6, in.W / 6}, Stride: [2]int{in.H / 8, in.W / 8}, Classes: []int{0}}
			agree(t, engine, net, x, o)
		})
	}
}

// TestSizesAtOnce: scanning with several sizes gives the maps of scans of their own.
func TestSizesAtOnce(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	x := c.Images(t).Slice(0, 1)
	engine := model.NewEngine(2)
	defer engine.Close()
	o := occlusion.Options{Patch: [2]int{5, 5}, Sizes: [][2]int{{9, 4}, {12, 12}}, Stride: [2]int{3, 3}, Method: occlusion.Box, Classes: []int{0}}
	s, err := occlusion.New(engine, c.Net, o)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	maps, err := s.ScanAll(context.Background(), x, func(done, total int) {
		if done < last || done > total {
			t.Errorf("progress goes from %d to %d of %d", last, done, total)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Predict(); p.Positions != last || last == 0 || p.MACs <= 0 || p.MACs >= p.Whole || p.Memory <= 0 {
		t.Errorf("prediction %+v, progress ended at %d", p, last)
	}
	for i, size := range append([][2]int{o.Patch}, o.Sizes...) {
		sameMaps(t, maps[i], scan(t, 1, c.Net, x, occlusion.Options{Patch: size, Stride: o.Stride, Method: occlusion.Brute, Classes: o.Classes}), 0)
	}
}

// TestConcurrent: a scanner may be used by several goroutines, and its results
// depend neither on that nor on the workers nor on the memory allowed.
func TestConcurrent(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	images := c.Images(t)
	for _, method := range []occlusion.Method{occlusion.Fast, occlusion.Box} {
		o := occlusion.Options{Stride: [2]int{1, 1}, Method: method}
		want := []*occlusion.Map{scan(t, 1, c.Net, images.Slice(0, 1), o), scan(t, 1, c.Net, images.Slice(1, 2), o)}
		for _, workers := range []int{1, 2, 5} {
			engine := model.NewEngine(workers)
			o.Memory = []int{0, 40 << 20}[workers%2]
			s, err := occlusion.New(engine, c.Net, o)
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					maps, err := s.ScanAll(context.Background(), images.Slice(i%2, i%2+1), nil)
					if err != nil {
						t.Error(err)
						return
					}
					if !slices.Equal(maps[0].Logit[0], want[i%2].Logit[0]) || !slices.Equal(maps[0].Totals[0].Total, want[i%2].Totals[0].Total) {
						t.Errorf("%q: %d workers: results differ", method, workers)
					}
				})
			}
			wg.Wait()
			engine.Close()
		}
	}
}

// TestTooLittleMemory: a bound that cannot be kept is an error that says what is needed.
func TestTooLittleMemory(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	engine := model.NewEngine(1)
	defer engine.Close()
	_, err := occlusion.New(engine, c.Net, occlusion.Options{Memory: 1 << 20})
	if want := "MB of memory are needed beside the network's weights, 1 MB are allowed"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	segments := make([]int32, 28*28)
	for i := range segments {
		segments[i] = -1
	}
	for _, o := range []occlusion.Options{{Segments: segments}, {Segments: segments[1:]}, {Soft: -1}, {Method: "slow"}} {
		if _, err := occlusion.New(engine, c.Net, o); err == nil {
			t.Errorf("%v: no error", fmt.Sprint(o.Method, o.Soft, len(o.Segments)))
		}
	}
}
