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
				cam, err := deconv.GradCAM(engine, trace, g.Image, g.Layer, g.Class)
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
	if _, err := deconv.GradCAM(engine, trace, 0, "relu1", 99); err == nil {
		t.Error("a class that there is not is taken")
	}
}
