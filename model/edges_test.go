package model_test

import (
	"math"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// TestShapeEdges holds the limits of what layers take: the last setting that is right,
// and the first that is not.
func TestShapeEdges(t *testing.T) {
	maps := model.Shape{C: 3, H: 7, W: 9}
	vector := model.Shape{C: 189, H: 1, W: 1, Flat: true}
	all := []int{3, 7, 9}
	ones := []float32{1, 1, 1}
	top := func(k, axis int) model.Layer { return &model.TopK{From: all, Axis: axis, K: k} }
	strided := func(offset, stride, n int) model.Layer {
		return &model.Rearrange{To: []int{n}, Strides: []int{stride}, Offset: offset}
	}
	pool := func(p int, from []int) model.Layer {
		l := &model.Pool{Op: model.PoolLp, P: p, Kernel: []int{2, 2}, Stride: []int{1, 1}, From: from}
		return l
	}
	back := func(stride, dilation, pad, more int) model.Layer {
		return &model.ConvTranspose{Weight: tensor.New(3, 2, 2, 2), Groups: 1, Stride: []int{stride, 1}, Dilation: []int{dilation, 1}, Pads: []int{pad, 0, 0, 0}, OutPad: []int{more, 0}}
	}
	scaled := func(scale float32) model.Layer {
		return &model.Quantize{Type: model.Int8, Scale: []float32{scale, 1, 1}, Zero: []float32{0, 0, 0}}
	}
	masked := func(dims ...int) model.Layer {
		return &model.Where{M: all, A: all, B: all, Mask: tensor.New(dims...)}
	}
	normal := func(inner int, from ...int) model.Layer {
		return &model.Normalize{Op: model.NormStandard, From: from, Axes: []int{0}, Scale: ones[:1], Inner: inner, Eps: 1}
	}
	for _, c := range []struct {
		name  string
		l     model.Layer
		ins   []model.Shape
		right bool
	}{
		{"all of an axis", top(7, 1), []model.Shape{maps}, true},
		{"more than an axis", top(8, 1), []model.Shape{maps}, false},
		{"none of an axis", top(0, 1), []model.Shape{maps}, false},
		{"the axis behind the last", top(1, 3), []model.Shape{maps}, false},
		{"an axis before the first", top(1, -1), []model.Shape{maps}, false},
		{"up to the last number", strided(0, 1, 189), []model.Shape{maps}, true},
		{"one number too far", strided(1, 1, 189), []model.Shape{maps}, false},
		{"the last number alone", strided(188, 0, 1), []model.Shape{maps}, true},
		{"the number behind it", strided(189, 0, 1), []model.Shape{maps}, false},
		{"backwards to the first", strided(188, -1, 189), []model.Shape{maps}, true},
		{"backwards beyond it", strided(187, -1, 189), []model.Shape{maps}, false},
		{"the 1-norm", pool(1, nil), []model.Shape{maps}, true},
		{"the 0-norm", pool(0, nil), []model.Shape{maps}, false},
		{"a pool of a vector", pool(1, nil), []model.Shape{vector}, false},
		{"a pool of an array in a vector", pool(1, all), []model.Shape{vector}, true},
		{"steps of 1", back(1, 1, 0, 0), []model.Shape{maps}, true},
		{"steps of 0", back(0, 1, 0, 0), []model.Shape{maps}, false},
		{"dilation 0", back(1, 0, 0, 0), []model.Shape{maps}, false},
		{"a pad of -1", back(1, 1, -1, 0), []model.Shape{maps}, false},
		{"an output pad of -1", back(1, 1, 0, -1), []model.Shape{maps}, false},
		{"the largest step", back(1<<20, 1, 0, 0), []model.Shape{maps}, true},
		{"a larger step", back(1<<20+1, 1, 0, 0), []model.Shape{maps}, false},
		{"a positive scale", scaled(1), []model.Shape{maps}, true},
		{"scale 0", scaled(0), []model.Shape{maps}, false},
		{"an infinite scale", scaled(float32(math.Inf(1))), []model.Shape{maps}, false},
		{"a scale that is no number", scaled(float32(math.NaN())), []model.Shape{maps}, false},
		{"a mask of all", masked(3, 7, 9), []model.Shape{maps, maps}, true},
		{"a mask in another order", masked(3, 9, 7), []model.Shape{maps, maps}, false},
		{"one scale for all numbers", normal(189, 3, 7, 9), []model.Shape{maps}, true},
		{"one scale for more", normal(190, 3, 7, 9), []model.Shape{maps}, false},
		{"maps of one size", &model.Concat{}, []model.Shape{maps, {C: 2, H: 7, W: 9}}, true},
		{"maps of other rows", &model.Concat{}, []model.Shape{maps, {C: 3, H: 8, W: 9}}, false},
		{"maps of other columns", &model.Concat{}, []model.Shape{maps, {C: 3, H: 7, W: 8}}, false},
		{"a vector to a map", &model.Concat{}, []model.Shape{{C: 3, H: 1, W: 1}, {C: 3, H: 1, W: 1, Flat: true}}, false},
	} {
		if s, err := model.OutputShape(c.l, c.ins); (err == nil) != c.right {
			t.Errorf("%s: %v, %v", c.name, s, err)
		}
	}
	for _, c := range []struct {
		in    model.Input
		right bool
	}{
		{model.Input{Name: "in", C: 1, H: 1 << 15, W: 1 << 15}, true}, {model.Input{Name: "in", C: 1, H: 1 << 15, W: 1<<15 + 1}, false},
		{model.Input{Name: "in", C: 1 << 30, H: 1, W: 1}, true}, {model.Input{Name: "in", C: 1<<30 + 1, H: 1, W: 1}, false},
	} {
		if _, err := (&model.Network{Name: "test", Input: c.in}).Shapes(); (err == nil) != c.right {
			t.Errorf("%v: %v", c.in, err)
		}
	}
}
