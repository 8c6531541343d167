package tensor_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

// TestPack: numbers that are a scale times whole numbers take a byte each and come
// back with their bits; others stay.
func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	scales := make([]float32, 37)
	for i := range scales {
		scales[i] = float32(math.Exp(r.NormFloat64()*3 - 4))
	}
	const rows, columns = 37, 37
	make2 := func(f func(y, x int) float32) *tensor.Tensor {
		out := tensor.New(rows, columns)
		for i := range out.Data {
			out.Data[i] = f(i/columns, i%columns)
		}
		return out
	}
	for name, c := range map[string]struct {
		x     *tensor.Tensor
		packs bool
	}{
		"rows":             {make2(func(y, x int) float32 { return float32(r.IntN(256)-128) * scales[y] }), true},
		"columns":          {make2(func(y, x int) float32 { return float32(r.IntN(255)-127) * scales[x] }), true},
		"one scale":        {make2(func(y, x int) float32 { return float32(r.IntN(256)-128) * scales[3] }), true},
		"zero at an end":   {make2(func(y, x int) float32 { return float32(r.IntN(256)) * scales[y] }), true},
		"zero beyond":      {make2(func(y, x int) float32 { return float32(r.IntN(250)-255) * scales[y] }), true},
		"few":              {make2(func(y, x int) float32 { return float32(7*r.IntN(16)) * scales[y] }), true},
		"zeros":            {make2(func(y, x int) float32 { return 0 }), true},
		"floats":           {make2(func(y, x int) float32 { return float32(r.NormFloat64()) }), false},
		"16 bits":          {make2(func(y, x int) float32 { return float32(r.IntN(60000)-30000) * scales[y] }), false},
		"300 of them":      {make2(func(y, x int) float32 { return float32(x*29-501) * scales[y] }), false},
		"a negative zero":  {make2(func(y, x int) float32 { return float32(math.Copysign(0, -1)) }), false},
		"an infinity":      {make2(func(y, x int) float32 { return float32(math.Inf(1)) }), false},
		"one that is none": {make2(func(y, x int) float32 { return float32(math.NaN()) }), false},
	} {
		p := tensor.Pack(c.x)
		if (p.Packed != nil) != c.packs {
			t.Errorf("%s: packed is %v", name, p.Packed != nil)
			continue
		}
		if p.Len() != rows*columns || c.packs && !slices.Equal(p.Floats(), c.x.Data) {
			t.Errorf("%s: the numbers are others", name)
		}
		if part := p.Part(30, 200, make([]float32, 200)); c.packs && !slices.Equal(part, c.x.Data[30:200]) {
			t.Errorf("%s: a part has others", name)
		}
	}
	// Blocks of a row, as 4-bit weights have them.
	p := tensor.Tensor{Shape: []int{2, 4}, Packed: &tensor.Packed{Q: []int8{1, 2, 3, 4, 5, 6, 7, 8}, Scale: []float32{1, 10, 100, 1000}, Zero: []int16{0, 1, 0, -1}, Inner: 2}}
	if got := p.Floats(); !slices.Equal(got, []float32{1, 2, 40, 50, 500, 600, 6000, 7000}) {
		t.Errorf("blocks: %v", got)
	}
}
