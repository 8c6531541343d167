package view

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// testSource opens a data set for a network.
func testSource(t *testing.T, net *model.Network, spec string, limit int) *images.Inputs {
	t.Helper()
	list, err := images.Open(context.Background(), images.Spec{Data: spec, Limit: limit, Seed: 1}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.For(list, net)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// TestBuiltinAccuracy holds the built-in networks to the accuracies they are
// published with.
func TestBuiltinAccuracy(t *testing.T) {
	engine := model.NewEngine(0)
	defer engine.Close()
	for _, c := range []struct {
		net, data string
		want      float64
		slow      bool
	}{
		{"shapes", "shapes", 0.99, false},
		{"cifar10", "data/cifar-10-lossless", 0.80, false},
		{"cifar10", "data/cifar-10-jpeg.tar.gz", 0.80, true},
	} {
		t.Run(c.net+"/"+filepath.Base(c.data), func(t *testing.T) {
			if c.slow && testing.Short() {
				t.Skip("slow")
			}
			net, err := builtin.Load(c.net)
			if err != nil {
				t.Fatal(err)
			}
			spec := c.data
			if spec != "shapes" {
				spec = filepath.Join(viztest.Shared(t), spec)
			}
			r, err := NewSession(engine, net).Evaluate(context.Background(), Evaluate{}, testSource(t, net, spec, 0))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: accuracy %.4f, loss %.4f on %d images", c.data, r.Accuracy, r.Loss, r.Images)
			if r.Accuracy < c.want {
				t.Errorf("accuracy %.4f, want at least %.2f", r.Accuracy, c.want)
			}
		})
	}
}

// TestPhotos runs photographs of any size through the built-in network.
func TestPhotos(t *testing.T) {
	net, err := builtin.Load("cifar10")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(0)
	defer engine.Close()
	for _, name := range []string{"chelsea.png", "coffee.png", "camera.png", "rocket.jpg"} {
		img, err := imageio.Open(filepath.Join(viztest.Shared(t), "data", "photos", name))
		if err != nil {
			t.Fatal(err)
		}
		x, err := net.Preprocess.Tensor(img, net.Input)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := engine.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		p := tr.Value("prob").Data
		t.Logf("%s: %s %.2f", name, net.Class(tensor.ArgMax(p)), p[tensor.ArgMax(p)])
	}
}

// TestPointing: on data that knows where the object is, occlusion maps and
// projections point at it.
func TestPointing(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	images := 200
	if testing.Short() {
		images = 40
	}
	engine := model.NewEngine(0)
	defer engine.Close()
	src := testSource(t, net, "shapes", images)
	r, err := NewSession(engine, net).Pointing(context.Background(), Pointing{Occlusion: occlusion.Options{Stride: [2]int{2, 2}}}, src)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *r)
	if r.Occlusion < 0.95 {
		t.Errorf("the lowest-probability patch lies on the object in %.3f of the images, want 0.95", r.Occlusion)
	}
	if r.EnergyShare <= 0.5 {
		t.Errorf("%.3f of the projection's energy lies on the object, want more than half", r.EnergyShare)
	}
}
