package occlusion_test

import (
	"compress/gzip"
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// TestTokenTotals: the total activity of a layer of tokens is that of a channel over the
// image's places, not that of one token; class tokens do not count.
func TestTokenTotals(t *testing.T) {
	for _, c := range []struct {
		net, layer     string
		before, places int
	}{
		{"vit", "/head/ViT/Sequential_21/Block_26/Add_34", 1, 16},
		{"deit_distilled", "/bl/bl.0/Add_1", 2, 16},
		{"clip_image", "/v/bl/bl.0/Add_1", 1, 16},
		{"swin", "/a/a.3/Add_1", 0, 16},
	} {
		f, err := os.Open(filepath.Join("..", "model", "onnx", "testdata", "nets", c.net+".onnx.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		net, err := onnx.Read(data, c.net)
		if err != nil {
			t.Fatal(err)
		}
		x := tensor.New(1, 3, 32, 32)
		for i := range x.Data {
			x.Data[i] = float32(37*i%101)/50 - 1
		}
		engine := model.NewEngine(1)
		defer engine.Close()
		trace, err := engine.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		v := trace.Value(c.layer).Data
		channels := len(v) / (c.before + c.places)
		best, sum := tensor.ArgMax(v[c.before*channels:])%channels, 0.0
		for i := range c.places {
			sum += float64(v[(c.before+i)*channels+best])
		}
		var totals [][]float32
		for _, method := range []occlusion.Method{occlusion.Fast, occlusion.Brute} {
			m, err := occlusion.Scan(context.Background(), engine, net, x, occlusion.Options{Patch: [2]int{16, 16}, Stride: [2]int{16, 16}, Method: method, Layers: []string{c.layer}})
			if err != nil {
				t.Fatal(err)
			}
			l := m.Totals[0]
			if l.Layer != c.layer || l.Channel != best || math.Abs(float64(l.Clean)-sum) > 1e-4*math.Abs(sum) {
				t.Errorf("%s: the total of %s is %g of channel %d, want %g of %d", c.net, l.Layer, l.Clean, l.Channel, sum, best)
			}
			totals = append(totals, l.Total)
		}
		for i := range totals[0] {
			if math.Abs(float64(totals[0][i]-totals[1][i])) > 1e-4*math.Abs(sum) {
				t.Errorf("%s: totals are %v, by brute force %v", c.net, totals[0], totals[1])
			}
		}
		s, err := occlusion.NewSpotter(engine, net, []string{c.layer})
		if err != nil {
			t.Fatal(err)
		}
		k, err := s.Image(x)
		if err != nil {
			t.Fatal(err)
		}
		if k.Layers()[0] != c.layer || k.Channels()[0] != best || math.Abs(float64(k.Clean.Totals[0])-sum) > 1e-4*math.Abs(sum) {
			t.Errorf("%s: a single cover has totals %v of channel %d", c.net, k.Clean.Totals, k.Channels())
		}
	}
}
