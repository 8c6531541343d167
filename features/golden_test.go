package features_test

import (
	"context"
	"math"
	"testing"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
)

// bytesSource gives images stored as bytes.
type bytesSource struct {
	pixels []int32
	size   int
	scale  float32
}

func (s bytesSource) Len() int { return len(s.pixels) / s.size }

func (s bytesSource) Input(i int, dst []float32) error {
	for j := range dst {
		dst[j] = float32(s.pixels[i*s.size+j]) * s.scale
	}
	return nil
}

// TestGoldenTop9 finds the stored nine strongest images of every map exactly,
// for several batch sizes.
func TestGoldenTop9(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	engine := model.NewEngine(2)
	defer engine.Close()
	in := c.Net.Input
	src := bytesSource{c.Ints(t, c.Top9.Images), in.C * in.H * in.W, c.Top9.Scale}
	for _, o := range []features.Options{{Batch: 1}, {Batch: 7, Exact: true}, {Batch: 64}} {
		for layer, want := range c.Top9.Layers {
			index, err := features.Collect(context.Background(), engine, c.Net, src, features.Options{Layers: []string{layer}, Batch: o.Batch, Exact: o.Exact})
			if err != nil {
				t.Fatal(err)
			}
			images, places := c.Ints(t, want.Image), c.Ints(t, want.Place)
			var values []float32
			i := 0
			for m, top := range index.Layers[0].Top {
				if len(top) != 9 {
					t.Fatalf("%s map %d: %d hits", layer, m, len(top))
				}
				for k, h := range top {
					values = append(values, h.Value)
					if h.Image != int(images[i]) || h.Y*want.Width+h.X != int(places[i]) {
						t.Errorf("%s map %d, number %d: image %d place %d,%d, want image %d place %d", layer, m, k, h.Image, h.Y, h.X, images[i], places[i])
					}
					i++
				}
			}
			viztest.AllClose(t, values, c.Floats(t, want.Value), c.Tolerance.Activations)
		}
	}
}

// TestNaN: an image that makes the network answer NaN is named.
func TestNaN(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	engine := model.NewEngine(1)
	defer engine.Close()
	in := c.Net.Input
	src := bytesSource{make([]int32, 2*in.C*in.H*in.W), in.C * in.H * in.W, float32(math.NaN())}
	_, err := features.Collect(context.Background(), engine, c.Net, src, features.Options{Layers: []string{"conv1"}})
	if err == nil || err.Error() != "image 0: layer conv1: map 0 is NaN" {
		t.Error(err)
	}
}
