package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

// noSlope are functions that no rule takes a signal down through, and why.
var noSlope = map[UnaryOp]string{
	"Floor":    "steps: the slope is 0 wherever there is one",
	"Ceil":     "steps",
	"Round":    "steps",
	"Truncate": "steps",
	"Sign":     "steps",
}

// kinks are places where a function has no slope, given alpha and beta.
func kinks(op UnaryOp, a, b float64) []float64 {
	switch op {
	case "ThresholdedRelu":
		return []float64{a}
	case "Shrink":
		return []float64{-b, b}
	case "HardSwish":
		return []float64{-3, 3}
	case "HardSigmoid":
		return []float64{-b / a, (1 - b) / a}
	}
	return []float64{0}
}

// Every function's slope is held to differences in float64, on both sides of its
// kinks and for several parameters.
func TestSlopesOfFunctions(t *testing.T) {
	for _, name := range UnaryOps() {
		op := unaryOps[name]
		if op.slope == nil {
			if noSlope[name] == "" {
				t.Errorf("%s has no slope, for no reason stated", name)
			}
			continue
		}
		for _, p := range [][2]float64{{0.7, 1.3}, {1.6, 0.4}} {
			a, b := p[0], p[1]
			moved := name == "Not" || name == "NotZero" || name == "IsNaN" || name == "IsInf" // 0 or 1
			for x := -4.15; x < 5; x += 0.31 {
				near := false
				for _, k := range kinks(name, a, b) {
					near = near || math.Abs(x-k) < 0.02
				}
				y := op.f(x, a, b)
				if near || math.IsNaN(y) {
					continue
				}
				const step = 1e-3
				at := func(d float64) float64 { return op.f(x+d, a, b) }
				want := (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
				got := op.slope(x, y, a, b)
				if !(math.Abs(got-want) <= 1e-7*max(1, math.Abs(want))) {
					t.Errorf("%s(%g) with %g, %g: slope %g, by differences %g", name, x, a, b, got, want)
				}
				moved = moved || want != 0
			}
			if !moved {
				t.Errorf("%s was tried nowhere that it moves", name)
			}
		}
	}
}

// Both derivatives of every operation on two numbers are held to differences.
func TestSlopesOfOperations(t *testing.T) {
	for name, op := range binaryOps {
		for x := float32(-2.25); x < 3; x += 0.5 {
			for y := float32(-1.125); y < 3; y += 0.5 {
				whole := math.Abs(float64(x/y)-math.Round(float64(x/y))) < 0.1
				if name == "Pow" && x <= 0 || (name == "Mod" || name == "Fmod") && (whole || math.Abs(float64(y)) < 0.5) {
					continue // real for whole powers only; jumps
				}
				const step = 1. / 128
				by := func(at func(d float32) float32) float64 {
					return (8*float64(at(step)-at(-step)) - float64(at(2*step)-at(-2*step))) / (12 * step)
				}
				for i, c := range []struct{ got, want float64 }{
					{float64(op.da(x, y)), by(func(d float32) float32 { return op.f(x+d, y) })},
					{float64(op.db(x, y)), by(func(d float32) float32 { return op.f(x, y+d) })},
				} {
					if !(math.Abs(c.got-c.want) <= 1e-3*max(1, math.Abs(c.want))) {
						t.Errorf("%s(%g, %g), operand %d: slope %g, by differences %g", name, x, y, i+1, c.got, c.want)
					}
				}
			}
		}
	}
}

// Groups far apart do not see each other's largest number.
func TestLogSumExpOfFarGroups(t *testing.T) {
	dst := make([]float32, 3)
	reduce(&Reduce{Op: "logsumexp", From: []int{3, 2}, Axes: []int{1}}, dst, []float32{2000, 2000, -2000, -2000, 0, 0})
	for i, want := range []float32{2000 + math.Ln2, -2000 + math.Ln2, math.Ln2} {
		if math.Abs(float64(dst[i]-want)) > 1e-3 {
			t.Errorf("group %d: %g, want %g", i, dst[i], want)
		}
	}
}

// Large products, which the kernels compute, are those of plain sums, whatever is
// constant and however many images there are.
func TestLargeProducts(t *testing.T) {
	e := NewEngine(2)
	defer e.Close()
	rng := rand.New(rand.NewPCG(3, 3))
	random := func(dims ...int) *tensor.Tensor {
		x := tensor.New(dims...)
		for i := range x.Data {
			x.Data[i] = float32(rng.NormFloat64())
		}
		return x
	}
	a, b := random(2, 3, 20, 40), random(3, 40, 30) // the first for two images
	for name, l := range map[string]*MatMul{
		"constant":  {A: []int{3, 20, 40}, B: []int{3, 40, 30}, Value: b},
		"broadcast": {A: []int{3, 20, 40}, B: []int{40, 30}, Value: tensor.From(b.Data[:1200], 40, 30)},
		"first":     {A: []int{3, 30, 20}, B: []int{3, 20, 40}, Value: random(3, 30, 20), First: true},
	} {
		node := &Node{Name: "it", Inputs: []string{"x"}, Layer: l}
		net := &Network{Input: Input{Name: "x", C: 3, H: 20, W: 40}, Nodes: []Node{*node}}
		shapes, err := net.Shapes()
		if err != nil {
			t.Fatal(err)
		}
		size := shapes["it"].Len()
		got, want := make([]float32, 2*size), make([]float32, 2*size)
		if err := e.Layer(node, shapes, 2, got, a.Data); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			x, y := operandData(l.Value, l.First, [][]float32{a.Data}, []Shape{{C: 3, H: 20, W: 40}}, i)
			matMul(l, want[i*size:(i+1)*size], x, y)
		}
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1e-4 {
				t.Fatalf("%s: number %d is %g, want %g", name, i, got[i], want[i])
			}
		}
		single := make([]float32, size)
		if err := e.Layer(node, shapes, 1, single, a.Data[2400:]); err != nil || !slices.Equal(single, got[size:]) {
			t.Errorf("%s: one image alone has other bits (%v)", name, err)
		}
	}
}

// matMul is the product by plain sums in float64.
func matMul(l *MatMul, dst, a, b []float32) {
	ra, rb := len(l.A), len(l.B)
	m, k, n := l.A[ra-2], l.A[ra-1], l.B[rb-1]
	dims, _ := Broadcast(l.A[:ra-2], l.B[:rb-2])
	row := make([]float64, n)
	walk2(dims, strides(l.A[:ra-2], dims), strides(l.B[:rb-2], dims), func(at, x, y, count, da, db int) {
		for range count {
			for i := range m {
				clear(row)
				for t := range k {
					v := float64(a[(x*m+i)*k+t])
					for j, w := range b[(y*k+t)*n : (y*k+t+1)*n] {
						row[j] += v * float64(w)
					}
				}
				for j, v := range row {
					dst[(at*m+i)*n+j] = float32(v)
				}
			}
			at, x, y = at+1, x+da, y+db
		}
	})
}
