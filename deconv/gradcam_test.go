package deconv_test

import (
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
)

// TestGoldenGradCAM holds the stored class activation maps to ours, from a trace
// that holds only what is needed.
func TestGoldenGradCAM(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	count := 0
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			if c.Net.Logits == "" {
				c.Net.Logits = c.Logits
			}
			for _, g := range c.GradCAM {
				keep, err := deconv.GradCAMKeep(c.Net, g.Layer)
				if err != nil {
					t.Fatal(err)
				}
				plan, err := engine.Compile(c.Net, keep)
				if err != nil {
					t.Fatal(err)
				}
				trace, err := plan.Run(c.Images(t))
				if err != nil {
					t.Fatal(err)
				}
				cam, err := deconv.GradCAM(engine, trace, g.Image, g.Layer, model.Target{Class: g.Class})
				if err != nil {
					t.Fatal(err)
				}
				if err := viztest.Close(cam, c.Floats(t, g.File), c.Tolerance.GradCAM); err != nil {
					t.Errorf("%s: %v", g.Layer, err)
				}
				count++
			}
		})
	}
	if count == 0 {
		t.Fatal("no golden network with class activation maps is here")
	}
	c := viztest.Golden(t, "lenet_small")
	trace, err := engine.Forward(c.Net, c.Images(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deconv.GradCAM(engine, trace, 0, "relu1", model.Target{Class: 99}); err == nil {
		t.Error("a class that there is not is taken")
	}
}

// Targets of other networks than classifiers by softmax; expected values are PyTorch's.
func TestGradCAMTargets(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	positive := []float32{0, 0.016005, 0, 0.008995, 0.068651, 0, 0, 0, 0.02619, 0, 0, 0.027646, 0, 0, 0.096693, 0, 0, 0.013228,
		0.03082, 0, 0, 0.087169, 0, 0, 0.000926, 0.02619, 0, 0, 0.046164, 0, 0, 0.037698, 0, 0, 0, 0}
	negative := []float32{0.081349, 0, 0.04246, 0, 0, 0.012566, 0.187963, 0.015344, 0, 0.110714, 0, 0, 0.063095, 0.078836, 0, 0.037566, 0.194048, 0,
		0, 0.093254, 0, 0, 0.024868, 0.150926, 0, 0, 0.110714, 0, 0, 0.014286, 0.139153, 0, 0.039683, 0.140079, 0.003175, 0.001058}
	sum := []float32{0, 1.728571, 0, 0.647619, 5.77619, 1.690476, 0, 3.638095, 3.780952, 0, 0, 2.242857, 0, 1.352381, 7.642857, 1.161905, 0, 2.095238,
		3.328571, 0, 2.571429, 7.719048, 1.619048, 0, 2.671429, 3.780952, 0, 0, 4.719048, 0.857143, 0, 2.738095, 1.161905, 0, 0, 0}
	one := viztest.OneOutput(model.SigmoidScores, "not", "red")
	closed := viztest.OneOutput(model.SigmoidScores)
	closed.Nodes = append(closed.Nodes, model.Node{Name: "sigmoid", Inputs: []string{"score"}, Layer: &model.Unary{Op: "Sigmoid"}})
	for _, c := range []struct {
		name   string
		net    *model.Network
		target model.Target
		want   []float32
	}{
		{"one output", closed, model.Target{}, positive},
		{"the class that it is", one, model.Target{Class: 1}, positive},
		{"the class that it is not", one, model.Target{}, negative},
		{"all places", viztest.Segmentation(), model.Target{Class: 1}, sum},
		{"one place", viztest.Segmentation(), model.Target{At: &[2]int{2, 3}}, positive},
	} {
		keep, err := deconv.GradCAMKeep(c.net, "relu")
		if err != nil {
			t.Fatal(err)
		}
		plan, err := engine.Compile(c.net, keep)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := plan.Run(viztest.ScoresInput())
		if err != nil {
			t.Fatal(err)
		}
		cam, err := deconv.GradCAM(engine, trace, 0, "relu", c.target)
		if err != nil {
			t.Fatal(err)
		}
		if err := viztest.Close(cam, c.want, 1e-5); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
