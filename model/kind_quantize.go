package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// Quantize rounds values to a small type and back, as a quantised network does
// between its layers: x becomes (q-Zero)*Scale, with q the number of the type next
// to x/Scale + Zero. Scale and Zero have one number for all channels or one for
// each; both are empty if an image's own values make them: its range, with 0 in
// it, is cut into 255 steps, as ONNX's DynamicQuantizeLinear does.
//
// Signals go down through it as if it did not round; the gradient is cut off where
// the type's range was.
type Quantize struct {
	Type        QuantType
	Scale, Zero []float32
}

// Kind is the layer's name.
func (*Quantize) Kind() string { return "Quantize" }

func (l *Quantize) slots() []slot {
	return []slot{attribute("type", (*string)(&l.Type)), optional(fixed("scale", &l.Scale)), optional(fixed("zero", &l.Zero))}
}

func (l *Quantize) shape(ins []Shape) (Shape, error) {
	if _, err := ParseQuantType(string(l.Type)); err != nil {
		return Shape{}, err
	}
	s, n := ins[0], len(l.Scale)
	switch {
	case n != len(l.Zero) || n > 1 && n != s.C:
		return Shape{}, fmt.Errorf("%d scales and %d zero points, the input has %d channels", n, len(l.Zero), s.C)
	case n == 0 && l.Type != Uint8:
		return Shape{}, fmt.Errorf("values make the scale of uint8 only, not of %s", l.Type)
	}
	for _, v := range l.Scale {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return Shape{}, fmt.Errorf("scale %g, want a number above 0", v)
		}
	}
	return s, nil
}

func (*Quantize) inputs() int { return 1 }

func (l *Quantize) reach(_ Shape) reach {
	if len(l.Scale) == 0 {
		return everywhere
	}
	return pointwise
}

func (*Quantize) macs(_, _ Shape) int64 { return 0 }

func (l *Quantize) text() string {
	switch len(l.Scale) {
	case 0:
		return string(l.Type) + ", scale by the values"
	case 1:
		return fmt.Sprintf("%s, scale %g, zero %g", l.Type, l.Scale[0], l.Zero[0])
	}
	return string(l.Type) + ", scales by channel"
}

func (l *Quantize) forward(c *call) error {
	in := c.ins[0]
	if len(l.Scale) > 0 {
		l.apply(c.k, c.n, in.C, in.H*in.W, c.dst, c.srcs[0])
		return nil
	}
	c.each(func(dst, src []float32) {
		scale, zero := dynamicScale(src)
		g := grids[l.Type]
		for i, v := range src {
			dst[i] = g.round(v, scale, zero)
		}
	})
	return nil
}

// dynamicScale cuts the range of values, with 0 in it, into 255 steps.
func dynamicScale(src []float32) (scale, zero float32) {
	low, high := min(slices.Min(src), 0), max(slices.Max(src), 0)
	if low == high {
		return 1, 0
	}
	scale = (high - low) / 255
	zero = float32(math.RoundToEven(float64(min(max(-low/scale, 0), 255))))
	return scale, zero
}

// Apply rounds values that lie as [n][channels][inner], by scales that do not
// depend on them; dst may be src.
func (l *Quantize) Apply(e *Engine, n, channels, inner int, dst, src []float32) {
	l.apply(e.k, n, channels, inner, dst, src)
}

func (l *Quantize) apply(k *kernel.Engine, n, channels, inner int, dst, src []float32) {
	g := grids[l.Type]
	rows := n * channels
	each := max(1<<12/max(inner, 1), 1)
	k.For((rows+each-1)/each, func(i int) {
		for r := i * each; r < min((i+1)*each, rows); r++ {
			c := r % channels % len(l.Scale)
			scale, zero := l.Scale[c], l.Zero[c]
			for j := r * inner; j < (r+1)*inner; j++ {
				dst[j] = g.round(src[j], scale, zero)
			}
		}
	})
}

// Inside reports whether a value of channel c is within the type's range, so that
// it was rounded but not cut off.
func (l *Quantize) Inside(x float32, c int) bool {
	if len(l.Scale) == 0 {
		return true
	}
	g := grids[l.Type]
	c %= len(l.Scale)
	v := x / l.Scale[c]
	if g.digits == 0 {
		v = float32(math.RoundToEven(float64(v)))
	}
	return v >= g.min-l.Zero[c] && v <= g.max-l.Zero[c]
}

// QuantType is a small type that values are rounded to.
type QuantType string

const (
	Uint2          QuantType = "uint2"
	Int2           QuantType = "int2"
	Uint4          QuantType = "uint4"
	Int4           QuantType = "int4"
	Uint8          QuantType = "uint8"
	Int8           QuantType = "int8"
	Uint16         QuantType = "uint16"
	Int16          QuantType = "int16"
	Float4E2M1     QuantType = "float4e2m1"
	Float8E4M3FN   QuantType = "float8e4m3fn"
	Float8E4M3FNUZ QuantType = "float8e4m3fnuz"
	Float8E5M2     QuantType = "float8e5m2"
	Float8E5M2FNUZ QuantType = "float8e5m2fnuz"
)

// grid is what a QuantType can hold: integers from min to max or, of floats with
// digits bits of fraction, numbers down to a step of 2^least.
type grid struct {
	min, max float32
	digits   int // 0: integers
	least    int
}

var grids = map[QuantType]grid{
	Uint2: {0, 3, 0, 0}, Int2: {-2, 1, 0, 0}, Uint4: {0, 15, 0, 0}, Int4: {-8, 7, 0, 0},
	Uint8: {0, 255, 0, 0}, Int8: {-128, 127, 0, 0}, Uint16: {0, 65535, 0, 0}, Int16: {-32768, 32767, 0, 0},
	Float4E2M1: {-6, 6, 1, -1}, Float8E4M3FN: {-448, 448, 3, -9}, Float8E4M3FNUZ: {-240, 240, 3, -10},
	Float8E5M2: {-57344, 57344, 2, -16}, Float8E5M2FNUZ: {-57344, 57344, 2, -17},
}

// ParseQuantType reads a type's name.
func ParseQuantType(name string) (QuantType, error) {
	if _, ok := grids[QuantType(name)]; ok {
		return QuantType(name), nil
	}
	var all []string
	for t := range grids {
		all = append(all, string(t))
	}
	slices.Sort(all)
	return "", &UnknownName{What: "quantised type", Name: name, Nearest: nearest(name, all)}
}

// Range is the least and the largest number of a type, and whether it holds
// integers.
func (t QuantType) Range() (low, high float32, whole bool) {
	g := grids[t]
	return g.min, g.max, g.digits == 0
}

// Round is x after it was stored with a scale and zero point: (q-zero)*scale, with
// q the nearest number of the type to x/scale + zero, the even one of two, and the
// last one beyond the ends.
func (t QuantType) Round(x, scale, zero float32) float32 {
	g := grids[t]
	return g.round(x, scale, zero)
}

func (g *grid) round(x, scale, zero float32) float32 {
	v := x / scale
	if g.digits == 0 {
		q := float32(math.RoundToEven(float64(v)))
		return min(max(q, g.min-zero), g.max-zero) * scale
	}
	return (g.nearest(v+zero) - zero) * scale
}

// nearest rounds to a number of floating point.
func (g *grid) nearest(v float32) float32 {
	if v != v {
		return v
	}
	v = min(max(v, g.min), g.max)
	_, e := math.Frexp(float64(v))
	step := math.Ldexp(1, max(e-1-g.digits, g.least))
	return float32(math.RoundToEven(float64(v)/step) * step)
}
