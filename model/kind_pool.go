package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/kernel"
)

// PoolOp says what a Pool makes of a window.
type PoolOp string

const (
	PoolMax     PoolOp = "max"
	PoolAverage PoolOp = "average"
	PoolLp      PoolOp = "lp"     // the P-norm
	PoolArgmax  PoolOp = "argmax" // place of the maximum in the image's array, the first among equals
)

// ParsePoolOp reads the name of a PoolOp.
func ParsePoolOp(s string) (PoolOp, error) {
	all := []PoolOp{PoolMax, PoolAverage, PoolLp, PoolArgmax}
	if !slices.Contains(all, PoolOp(s)) {
		return "", fmt.Errorf("unknown pool %q, want one of %v", s, all)
	}
	return PoolOp(s), nil
}

// Pool makes one number of each window of each channel: over maps, or over more
// axes of space, such as those of a volume, if From is set. Padding never wins and
// does not count, but for an average that counts it. The kernels compute maxima and
// plain means of maps; the windows of all others are laid out one by one.
type Pool struct {
	Op             PoolOp
	Kernel, Stride []int // along each axis of space
	Dilation       []int // nil: 1 along all
	Pads           []int // before all axes, then behind; nil: none
	From           []int // dims of the input; nil: maps
	Ceil           bool  // round the output size up
	CountPad       bool  // padding counts as elements of value 0
	Columns        bool  // of PoolArgmax: the place is c*H*W + column*H + row
	P              int   // of PoolLp
}

// Kind is the layer's name. In files maxima and plain means of maps have names of
// their own.
func (l *Pool) Kind() string {
	switch {
	case l.MaxOfMaps():
		return "MaxPool"
	case l.MeanOfMaps() && l.Dilation == nil:
		return "AvgPool"
	}
	return "Pool"
}

// MaxOfMaps reports whether a plan can keep the pool's switches.
func (l *Pool) MaxOfMaps() bool { return l.Op == PoolMax && l.From == nil }

// MeanOfMaps reports whether it is the plain mean of windows of maps.
func (l *Pool) MeanOfMaps() bool {
	return l.Op == PoolAverage && l.From == nil && !slices.ContainsFunc(l.Dilation, func(d int) bool { return d != 1 })
}

func (l *Pool) slots() []slot {
	named := l.Kind() != "Pool"
	return []slot{
		attribute("op", (*string)(&l.Op)).leftOut(named), attribute("kernel", &l.Kernel), attribute("stride", &l.Stride),
		attribute("dilation", &l.Dilation), attribute("pads", &l.Pads), attribute("from", &l.From), attribute("ceil", &l.Ceil),
		attribute("count_pad", &l.CountPad).leftOut(l.MaxOfMaps() && !l.CountPad), unusual("columns", &l.Columns), unusual("p", &l.P)}
}

// window is how the pool walks over an input of shape in.
func (l *Pool) window(in Shape) WindowND {
	return windowOf(in, l.From, l.Stride, l.Dilation, l.Pads, len(l.Kernel))
}

// Dims are those of the output for one image, nil if it is maps.
func (l *Pool) Dims() ([]int, error) {
	if l.From == nil {
		return nil, nil
	}
	w := l.window(Shape{})
	out, err := w.Counts(l.Kernel, l.Ceil)
	return append([]int{l.From[0]}, out...), err
}

func (l *Pool) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if _, err := ParsePoolOp(string(l.Op)); err != nil {
		return s, err
	}
	switch {
	case l.Op == PoolLp && l.P < 1:
		return s, fmt.Errorf("a pool of power %d", l.P)
	case l.From == nil && s.Flat:
		return s, fmt.Errorf("input is a vector of %d, want maps", s.C)
	}
	w := l.window(s)
	if err := w.check(s, l.Kernel); err != nil {
		return s, err
	}
	out, err := w.Counts(l.Kernel, l.Ceil)
	if err != nil {
		return s, err
	}
	if !l.MaxOfMaps() && !l.MeanOfMaps() {
		if err := fewTaps(out, l.Kernel); err != nil {
			return s, err
		}
	}
	if l.From == nil {
		return Shape{C: s.C, H: out[0], W: out[1]}, nil
	}
	return arrayShape(append([]int{l.From[0]}, out...))
}

func (*Pool) inputs() int { return 1 }
func (l *Pool) reach(_ Shape) reach {
	if l.From == nil {
		return windows(asConv(l.geometry()))
	}
	return everywhere
}
func (*Pool) macs(_, _ Shape) int64 { return 0 }
func (l *Pool) text() string {
	w := l.window(Shape{})
	s := w.settings(l.Kernel, l.From == nil)
	if l.Kind() == "Pool" {
		s = string(l.Op) + " " + s
	}
	return s
}

func (l *Pool) forward(c *call) error {
	in := c.ins[0]
	switch {
	case l.MaxOfMaps():
		c.k.MaxPool(l.geometry(), c.n*in.C, c.dst, c.switches, c.out.Box(), c.srcs[0], in.Box(), in.H, in.W)
	case l.MeanOfMaps():
		bottom, right := l.Behind()
		c.k.AvgPool(l.geometry(), c.n*in.C, c.dst, c.out.Box(), c.srcs[0], in.Box(), in.H, in.W, bottom, right, l.CountPad)
	default:
		w := l.Windows(in)
		c.each(func(dst, src []float32) { w.pool(dst, src) })
	}
	return nil
}

func (l *Pool) geometry() kernel.Pool { return kernel.PoolOf(l.Kernel, l.Stride, l.Dilation, l.Pads) }

// Behind is the padding of maps below and on the right.
func (l *Pool) Behind() (bottom, right int) {
	if l.Pads == nil {
		return 0, 0
	}
	return l.Pads[2], l.Pads[3]
}

// PoolWindows are the windows of a Pool, laid out.
type PoolWindows struct {
	l      *Pool
	from   []int // dims of the input
	taps   []int // for each place of the output of one map: those of the input, -1 outside
	counts []int // for each place: what an average divides by
	size   int   // of a map of the input
}

// Windows lays out the windows over an input of shape in.
func (l *Pool) Windows(in Shape) *PoolWindows {
	at := l.window(in)
	out, _ := at.Counts(l.Kernel, l.Ceil)
	w := &PoolWindows{l: l, from: at.From, taps: at.Taps(out, l.Kernel), size: 1, counts: []int{1}}
	axes := len(out)
	for a, n := range out {
		size := at.From[a+1]
		w.size *= size
		var next []int
		for _, count := range w.counts {
			for o := range n {
				inside := 0
				for t := range l.Kernel[a] {
					x := o*at.Stride[a] - at.Pads[a] + t*at.Dilation[a]
					if x >= 0 && x < size || l.CountPad && x < size+at.Pads[a+axes] {
						inside++
					}
				}
				next = append(next, count*inside)
			}
		}
		w.counts = next
	}
	return w
}

// Visit calls do for number i of the result and each number j of the input that it
// is made of, with how many there are for an average.
func (w *PoolWindows) Visit(do func(i, j, count int)) {
	per := len(w.taps) / len(w.counts)
	for c := range w.from[0] {
		for o, count := range w.counts {
			for _, at := range w.taps[o*per : (o+1)*per] {
				if at >= 0 {
					do(c*len(w.counts)+o, c*w.size+at, count)
				}
			}
		}
	}
}

// Best is the place of the maximum for each number of the result, the first among
// equals; -1: its window sees padding only.
func (w *PoolWindows) Best(src []float32) []int {
	best := slices.Repeat([]int{-1}, w.from[0]*len(w.counts))
	w.Visit(func(i, j, _ int) {
		if best[i] < 0 || src[j] > src[best[i]] {
			best[i] = j
		}
	})
	return best
}

func (w *PoolWindows) pool(dst, src []float32) {
	if op := w.l.Op; op == PoolMax || op == PoolArgmax {
		for i, j := range w.Best(src) {
			switch {
			case op == PoolArgmax:
				dst[i] = float32(w.place(j))
			case j < 0:
				dst[i] = -math.MaxFloat32
			default:
				dst[i] = src[j]
			}
		}
		return
	}
	sums := make([]float64, len(dst))
	w.Visit(func(i, j, count int) {
		if w.l.Op == PoolAverage {
			sums[i] += float64(src[j])
		} else {
			sums[i] += exact.Pow(math.Abs(float64(src[j])), float64(w.l.P))
		}
	})
	for i, sum := range sums {
		if w.l.Op == PoolAverage {
			sum /= float64(max(w.counts[i%len(w.counts)], 1))
		} else {
			sum = exact.Pow(sum, 1/float64(w.l.P))
		}
		dst[i] = float32(sum)
	}
}

// place is what PoolArgmax calls place j of the image's array.
func (w *PoolWindows) place(j int) int {
	if !w.l.Columns || j < 0 {
		return j
	}
	rows, columns := w.from[1], w.from[2]
	y, x := j/columns%rows, j%columns
	return (j/w.size*columns+x)*rows + y
}
