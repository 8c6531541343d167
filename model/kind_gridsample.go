package model

import (
	"fmt"
	"math"
	"slices"
)

// GridMode says how a value between places is made.
type GridMode string

const (
	GridNearest GridMode = "nearest"
	GridLinear  GridMode = "linear"
	GridCubic   GridMode = "cubic"
)

// GridPadding says what lies outside the maps.
type GridPadding string

const (
	GridZeros      GridPadding = "zeros"
	GridBorder     GridPadding = "border"
	GridReflection GridPadding = "reflection"
)

// ParseGridMode reads the name of a GridMode, as ONNX has it before or since operator set 20.
func ParseGridMode(s string) (GridMode, error) {
	switch s {
	case "nearest", "linear", "cubic":
		return GridMode(s), nil
	case "bilinear":
		return GridLinear, nil
	case "bicubic":
		return GridCubic, nil
	}
	return "", fmt.Errorf("unknown mode %q, want nearest, linear or cubic", s)
}

// ParseGridPadding reads the name of a GridPadding.
func ParseGridPadding(s string) (GridPadding, error) {
	if !slices.Contains([]GridPadding{GridZeros, GridBorder, GridReflection}, GridPadding(s)) {
		return "", fmt.Errorf("unknown padding %q, want zeros, border or reflection", s)
	}
	return GridPadding(s), nil
}

// GridSample reads its first input, maps, at the places that its second gives:
// for each of Out[0] rows and Out[1] columns x and y, from -1 to 1 over the map;
// these are the middles of the outermost places if Align, else their outer edges.
type GridSample struct {
	Mode    GridMode
	Padding GridPadding
	Align   bool
	Out     [2]int
}

// Kind is the layer's name.
func (*GridSample) Kind() string { return "GridSample" }

func (l *GridSample) slots() []slot {
	return []slot{attribute("mode", (*string)(&l.Mode)), attribute("padding", (*string)(&l.Padding)), attribute("align", &l.Align), attribute("out", &l.Out)}
}

func (l *GridSample) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if _, err := ParseGridMode(string(l.Mode)); err != nil {
		return s, err
	}
	if _, err := ParseGridPadding(string(l.Padding)); err != nil {
		return s, err
	}
	if s.Flat {
		return s, fmt.Errorf("input is a vector of %d, want maps", s.C)
	}
	if err := holds(ins[1], []int{l.Out[0], l.Out[1], 2}); err != nil {
		return s, err
	}
	return Shape{C: s.C, H: l.Out[0], W: l.Out[1]}, nil
}

func (*GridSample) inputs() int           { return 2 }
func (*GridSample) reach(_ Shape) reach   { return everywhere }
func (*GridSample) macs(_, _ Shape) int64 { return 0 }
func (l *GridSample) text() string {
	return fmt.Sprintf("%s, %s, to %dx%d", l.Mode, l.Padding, l.Out[0], l.Out[1])
}

func (l *GridSample) forward(c *call) error {
	in, plane := c.ins[0], c.ins[0].H*c.ins[0].W
	c.k.For(c.n, func(i int) {
		ins, dst := c.image(i), c.dst[i*c.out.Len():(i+1)*c.out.Len()]
		clear(dst)
		size := l.Out[0] * l.Out[1]
		l.Visit(ins[1], in.H, in.W, func(p, j int, w, _, _ float64) {
			for ch := range in.C {
				dst[ch*size+p] += float32(float32(w) * ins[0][ch*plane+j])
			}
		})
	})
	return nil
}

// Visit calls do for every term of the result: w times place j of each map of
// h x w goes into place p. dx and dy are the slopes of w by the two numbers of the grid.
func (l *GridSample) Visit(grid []float32, height, width int, do func(p, j int, w, dx, dy float64)) {
	for p := range len(grid) / 2 {
		x, y := l.taps(float64(grid[2*p]), width), l.taps(float64(grid[2*p+1]), height)
		for _, b := range y {
			for _, a := range x {
				if a.at >= 0 && b.at >= 0 {
					do(p, b.at*width+a.at, a.w*b.w, a.slope*b.w, a.w*b.slope)
				}
			}
		}
	}
}

// gridTap is a place along an axis, -1 outside, its weight and that one's slope.
type gridTap struct {
	at       int
	w, slope float64
}

// taps are the places along an axis of the given size that a number v of the grid reads.
func (l *GridSample) taps(v float64, size int) []gridTap {
	scale := float64(size) / 2
	u := float64((v+1)*scale) - 0.5
	if l.Align {
		scale = float64(size-1) / 2
		u = (v + 1) * scale
	}
	if !(math.Abs(u) < 1<<30) { // far away or not a number
		u = -1 << 30
	}
	first := int(math.Floor(u))
	f := u - math.Floor(u)
	var out []gridTap
	switch l.Mode {
	case GridNearest:
		out = []gridTap{{int(math.RoundToEven(u)), 1, 0}}
	case GridLinear:
		out = []gridTap{{first, 1 - f, -scale}, {first + 1, f, scale}}
	case GridCubic:
		const a = -0.75
		near := func(d float64) (w, slope float64) {
			return float64((float64((a+2)*d)-(a+3))*d*d) + 1, (float64(3*(a+2)*d) - 2*(a+3)) * d
		}
		far := func(d float64) (w, slope float64) {
			return a * (float64((float64((d-5)*d)+8)*d) - 4), a * (float64((float64(3*d)-10)*d) + 8)
		}
		for k, d := range []float64{1 + f, f, 1 - f, 2 - f} {
			weight, sign := near, scale
			if k == 0 || k == 3 {
				weight = far
			}
			if k > 1 {
				sign = -scale
			}
			w, slope := weight(d)
			out = append(out, gridTap{first - 1 + k, w, sign * slope})
		}
	}
	for i := range out {
		out[i].at = l.inside(out[i].at, size)
	}
	return out
}

// inside is the place that stands for place i, which may be outside; -1: none.
func (l *GridSample) inside(i, size int) int {
	switch {
	case i >= 0 && i < size:
		return i
	case l.Padding == GridZeros:
		return -1
	case l.Padding == GridBorder:
		return min(max(i, 0), size-1)
	case size == 1:
		return 0
	case l.Align: // mirrored at the middles of the outermost places
		period := 2 * (size - 1)
		i = (i%period + period) % period
		return min(i, period-i)
	}
	i = (i%(2*size) + 2*size) % (2 * size)
	return min(i, 2*size-1-i)
}
