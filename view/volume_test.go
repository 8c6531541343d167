package view

import (
	"compress/gzip"
	"context"
	"image"
	"image/color"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// TestVolumes: gradient and Grad-CAM of a network of volumes are PyTorch's (1.13, on
// the network from which the file was exported), and the map keeps its three axes.
func TestVolumes(t *testing.T) {
	f, err := os.Open("../model/onnx/testdata/nets/r3d.onnx.gz")
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
	g, err := onnx.ReadGraph(data, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	net := g.Net
	x := tensor.New(1, 12, 12, 12)
	for i := range x.Data {
		x.Data[i] = float32(i*37%101)/50 - 1
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	s := NewSession(engine, net)
	class := 1
	r := GradCAM{Layer: net.LastSpatial(), Class: &class}
	plan, err := r.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := plan.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	figure, err := s.GradCAM(r, trace, Input{Name: "x.npy", Stem: "x", Tensor: x})
	if err != nil {
		t.Fatal(err)
	}
	cam := []float32{0.0169183, 0.0149725, 0.0150225, 0.0163854, 0.0144046, 0.0159099, 0.0172106, 0.0121979, 0.0128082,
		0.0146778, 0.0133736, 0.0162551, 0.0158614, 0.0114123, 0.0147525, 0.0152759, 0.0154772, 0.0143845}
	if !slices.Equal(figure.Array.Shape, []int{2, 3, 3}) {
		t.Errorf("the map is %v, want 2x3x3", figure.Array.Shape)
	}
	if err := viztest.Close(figure.Array.Data, cam, 2e-5); err != nil {
		t.Error(err)
	}
	if trace, err = engine.Forward(net, x); err != nil {
		t.Fatal(err)
	}
	start := backward.Start{Layer: net.Logits, Values: []float32{0, 1, 0, 0, 0}}
	parts, err := backward.New(engine, net, backward.Gradient, backward.Options{}).Down(context.Background(), trace, []backward.Start{start}, net.Input.Name)
	if err != nil {
		t.Fatal(err)
	}
	gradient, every := parts[0][0].Full(12, 12), []float32{}
	for i := 0; i < len(gradient); i += 97 {
		every = append(every, gradient[i])
	}
	want := []float32{-0.000296649, -0.000159471, 0.000198395, -0.000368198, -0.000257497, -6.39565e-05, -0.00025552, 0.00016256, 0.000375739,
		8.24864e-05, 1.57941e-05, 5.24591e-05, 1.53627e-05, 0.000278653, 0.000516572, 0.000318243, 0.000199409, 0.00022986}
	if err := viztest.Close(every, want, 1e-4); err != nil {
		t.Error(err)
	}
}

// TestInDepth: planes between two are their mean by distance, planes outside the nearest.
func TestInDepth(t *testing.T) {
	var got []float32
	for z := range 4 {
		got = append(got, inDepth([]float32{1, 5}, []int{2, 1, 1}, z, 4, 1, 1)...)
	}
	if want := []float32{1, 2, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestBeside: pictures stand from left to right with white between them.
func TestBeside(t *testing.T) {
	tile := func(c color.NRGBA) image.Image {
		img := image.NewNRGBA(image.Rect(0, 0, 1, 2))
		img.SetNRGBA(0, 0, c)
		img.SetNRGBA(0, 1, c)
		return img
	}
	red, blue := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 0, 255, 255}
	img := beside([]image.Image{tile(red), tile(blue)})
	if img.Bounds() != image.Rect(0, 0, 3, 2) || img.NRGBAAt(0, 1) != red || img.NRGBAAt(1, 0) != (color.NRGBA{255, 255, 255, 255}) || img.NRGBAAt(2, 1) != blue {
		t.Errorf("%v: %v", img.Bounds(), img.Pix)
	}
}
