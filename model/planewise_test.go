package model

import (
	"math"
	"testing"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// TestPlanewiseInParts: a volume whose planes do not fit at once is computed in
// parts, and its transpose belongs to it: <Ax, y> = <x, A'y>.
func TestPlanewiseInParts(t *testing.T) {
	l := &Conv{Weight: tensor.New(2, 4, 3, 1, 2), Groups: 1,
		From: []int{4, 24, 128, 128}, Stride: []int{1, 2, 1}, Dilation: []int{2, 1, 1}, Pads: []int{2, 0, 1, 1, 0, 0}}
	wave := func(v []float32, step int) {
		for i := range v {
			v[i] = float32(i*step%101)/50 - 1
		}
	}
	wave(l.Weight.Data, 37)
	dims, err := l.Dims()
	if err != nil {
		t.Fatal(err)
	}
	x, out := make([]float32, 4*24*128*128), ArrayShape(dims)
	wave(x, 29)
	p := l.planes()
	if count, _ := p.Chunk(); count < 2 || count >= dims[1] || dims[1]%count == 0 {
		t.Fatalf("%d of %d planes at once: choose other sizes", count, dims[1])
	}
	engine := NewEngine(2)
	defer engine.Close()
	y := make([]float32, out.Len())
	p.Forward(engine.k, kernel.PackForward(p.Plane, l.Weight.Data), kernel.Epilogue{}, y, x)
	at := func(c, d, h, w int) float64 {
		if d < 0 || d >= 24 || w < 0 || w >= 128 {
			return 0
		}
		return float64(x[((c*24+d)*128+h)*128+w])
	}
	for i := 0; i < len(y); i += 997 {
		w, h, d, k := i%dims[3], i/dims[3]%dims[2], i/dims[3]/dims[2]%dims[1], i/dims[3]/dims[2]/dims[1]
		want := 0.0
		for j, v := range l.Weight.Data[k*24 : (k+1)*24] {
			want += float64(v) * at(j/6, d-2+j/2%3*2, 2*h, w-1+j%2)
		}
		if math.Abs(float64(y[i])-want) > 1e-5 {
			t.Fatalf("number %d is %g, want %g", i, y[i], want)
		}
	}
	g, dx := make([]float32, len(y)), make([]float32, len(x))
	wave(g, 53)
	p.Data(engine.k, kernel.PackData(p.Plane, l.Weight.Data), dx, g)
	var up, down, size float64
	for i, v := range y {
		up += float64(v) * float64(g[i])
		size += math.Abs(float64(v) * float64(g[i]))
	}
	for i, v := range x {
		down += float64(v) * float64(dx[i])
	}
	if math.Abs(up-down) > 1e-6*size {
		t.Errorf("%g up, %g down", up, down)
	}
}
