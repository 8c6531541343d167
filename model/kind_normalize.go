package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// NormOp says what Normalize divides by.
type NormOp string

const (
	NormStandard NormOp = "standard" // (x-mean) / sqrt(var+Eps)
	NormSpread   NormOp = "spread"   // (x-mean) / (sqrt(var)+Eps)
	NormRMS      NormOp = "rms"      // x / sqrt(mean of squares + Eps)
	NormL1       NormOp = "l1"       // x / sum of magnitudes; 0 stays 0
	NormL2       NormOp = "l2"       // x / root of the sum of squares; 0 stays 0
)

// ParseNormOp reads the name of a NormOp.
func ParseNormOp(s string) (NormOp, error) {
	all := []NormOp{NormStandard, NormSpread, NormRMS, NormL1, NormL2}
	if !slices.Contains(all, NormOp(s)) {
		return "", fmt.Errorf("unknown normalisation %q, want one of %v", s, all)
	}
	return NormOp(s), nil
}

// Normalize normalises an array of dims From over the axes Axes, for each place
// along the others by itself, as layer normalisation does over the last axes. Then
// number j is multiplied by Scale[j/Inner] and Shift[j/Inner] is added; both are
// repeated along the array and may be nil.
type Normalize struct {
	Op           NormOp
	From, Axes   []int
	Scale, Shift []float32
	Inner        int
	Eps          float64
}

// Kind is the layer's name.
func (*Normalize) Kind() string { return "Normalize" }

func (l *Normalize) slots() []slot {
	return []slot{attribute("op", (*string)(&l.Op)), attribute("from", &l.From), attribute("axes", &l.Axes),
		optional(trained("scale", &l.Scale)).torch("weight"), optional(trained("shift", &l.Shift)).torch("bias"),
		attribute("inner", &l.Inner), attribute("eps", &l.Eps)}
}

func (l *Normalize) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if _, err := ParseNormOp(string(l.Op)); err != nil {
		return s, err
	}
	if err := holds(s, l.From); err != nil {
		return s, err
	}
	if err := checkAxes(l.Axes, l.From); err != nil {
		return s, err
	}
	for _, v := range [][]float32{l.Scale, l.Shift} {
		if v != nil && (l.Inner < 1 || len(v) == 0 || l.Inner > s.Len() || s.Len()%(len(v)*l.Inner) != 0) {
			return s, fmt.Errorf("%d scales or shifts for %d numbers each of %v", len(v), l.Inner, l.From)
		}
	}
	return s, nil
}

func (*Normalize) inputs() int { return 1 }

// reach is the place itself if maps are normalised over the channels.
func (l *Normalize) reach(in Shape) reach {
	if slices.Equal(l.Axes, []int{0}) && slices.Equal(l.From, []int{in.C, in.H, in.W}) {
		return pointwise
	}
	return everywhere
}
func (*Normalize) macs(_, _ Shape) int64 { return 0 }
func (l *Normalize) text() string        { return fmt.Sprintf("%s over %v of %v", l.Op, l.Axes, l.From) }

// axis returns how the kernels see the array, if they can normalise it: over axes
// that follow each other, with scales by the place there.
func (l *Normalize) axis() (x kernel.Axis, ok bool) {
	x, ok = axisOf(l.From, l.Axes)
	for _, v := range [][]float32{l.Scale, l.Shift} {
		ok = ok && (v == nil || l.Inner == x.Inner && len(v) == x.Size)
	}
	return x, ok && (l.Op == NormStandard || l.Op == NormRMS)
}

// axisOf returns an array of dims as the kernels see it that work over axes; ok is
// false if those do not follow each other.
func axisOf(dims, axes []int) (x kernel.Axis, ok bool) {
	x = kernel.Axis{Outer: 1, Size: 1, Inner: 1}
	for i, a := range axes {
		if a != axes[0]+i {
			return x, false
		}
	}
	for i, d := range dims {
		switch {
		case len(axes) == 0 || i < axes[0]:
			x.Outer *= d
		case i <= axes[len(axes)-1]:
			x.Size *= d
		default:
			x.Inner *= d
		}
	}
	return x, true
}

// OnChannels reports whether the layer works on the channels of each place of maps of
// shape in by itself, so that ApplyPlaces computes it.
func (l *Normalize) OnChannels(in Shape) bool {
	_, ok := l.axis()
	return ok && l.reach(in) == pointwise
}

// ApplyPlaces computes the layer for places that lie one by one, of inner images each:
// [places][C][inner]. dst may be src.
func (l *Normalize) ApplyPlaces(e *Engine, places, inner int, dst, src []float32) {
	e.k.NormAxis(kernel.Axis{Outer: places, Size: l.From[0], Inner: inner}, l.Op == NormStandard, l.Eps, dst, src, l.Scale, l.Shift)
}

// ApplyGrad takes a signal g down through the layer at x, on the engine's workers; the
// statistics are fixed or depend on the input. It reports false if the kernels cannot.
func (l *Normalize) ApplyGrad(e *Engine, fixed bool, dst, g, x []float32) bool {
	axis, ok := l.axis()
	if ok {
		e.k.NormAxisGrad(axis, l.Op == NormStandard, fixed, l.Eps, dst, g, x, l.Scale)
	}
	return ok
}

func (l *Normalize) forward(c *call) error {
	if x, ok := l.axis(); ok {
		x.Outer *= c.n
		c.k.NormAxis(x, l.Op == NormStandard, l.Eps, c.dst, c.srcs[0], l.Scale, l.Shift)
		return nil
	}
	c.each(func(dst, src []float32) {
		mean, scale := l.Moments(src)
		l.Visit(func(i, j int) {
			v := float64((float64(src[j]) - mean[i]) * scale[i] * l.ScaleAt(j))
			if l.Shift != nil {
				v += float64(l.Shift[j/l.Inner%len(l.Shift)])
			}
			dst[j] = float32(v)
		})
	})
	return nil
}

func (l *Normalize) drawn(_ *builder, _ []Shape, _ int) (Layer, error) {
	out := *l
	if l.Scale != nil {
		out.Scale = slices.Repeat([]float32{1}, len(l.Scale))
	}
	out.Shift = zeros(l.Shift, len(l.Shift))
	return &out, nil
}

// Visit calls do for every number j with the number i of the group that is
// normalised together.
func (l *Normalize) Visit(do func(i, j int)) { (&Reduce{From: l.From, Axes: l.Axes}).Visit(do) }

// ScaleAt is what number j is multiplied by once it is normalised.
func (l *Normalize) ScaleAt(j int) float64 {
	if l.Scale == nil {
		return 1
	}
	return float64(l.Scale[j/l.Inner%len(l.Scale)])
}

// Moments are what is taken from each group, and what it is multiplied by then.
func (l *Normalize) Moments(src []float32) (mean, scale []float64) {
	size := 1
	for _, a := range l.Axes {
		size *= l.From[a]
	}
	groups := len(src) / size
	mean, scale = make([]float64, groups), make([]float64, groups)
	if l.Op == NormStandard || l.Op == NormSpread {
		l.Visit(func(i, j int) { mean[i] += float64(src[j]) / float64(size) })
	}
	l.Visit(func(i, j int) {
		if v := float64(src[j]) - mean[i]; l.Op == NormL1 {
			scale[i] += math.Abs(v)
		} else {
			scale[i] += float64(v * v)
		}
	})
	for i, v := range scale {
		switch l.Op {
		case NormStandard, NormRMS:
			v = math.Sqrt(v/float64(size) + l.Eps)
		case NormSpread:
			v = math.Sqrt(v/float64(size)) + l.Eps
		case NormL2:
			v = math.Sqrt(v)
		}
		if v == 0 && (l.Op == NormL1 || l.Op == NormL2) {
			v = 1
		}
		scale[i] = 1 / v
	}
	return mean, scale
}
