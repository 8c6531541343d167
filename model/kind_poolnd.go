package model

import (
	"fmt"
	"math"
	"slices"
)

// PoolOp says what PoolND makes of a window.
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

// PoolND is the pools of two axes of space or more, such as those of a volume.
// Places outside the input do not count, but for an average that counts padding.
type PoolND struct {
	Op     PoolOp
	Kernel []int
	WindowND
	Ceil, CountPad bool
	P              int
}

// Kind is the layer's name.
func (*PoolND) Kind() string { return "PoolND" }

func (l *PoolND) slots() []slot {
	return append([]slot{attribute("op", (*string)(&l.Op)), attribute("kernel", &l.Kernel), attribute("ceil", &l.Ceil),
		attribute("count_pad", &l.CountPad), attribute("p", &l.P)}, l.WindowND.slots()...)
}

// Dims are those of the output for one image.
func (l *PoolND) Dims() ([]int, error) {
	out, err := l.Counts(l.Kernel, l.Ceil)
	return append([]int{l.From[0]}, out...), err
}

func (l *PoolND) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if _, err := ParsePoolOp(string(l.Op)); err != nil {
		return s, err
	}
	if l.Op == PoolLp && l.P < 1 {
		return s, fmt.Errorf("a pool of power %d", l.P)
	}
	if err := l.check(s, l.Kernel); err != nil {
		return s, err
	}
	dims, err := l.Dims()
	if err != nil {
		return s, err
	}
	if err := fewTaps(dims[1:], l.Kernel); err != nil {
		return s, err
	}
	return arrayShape(dims)
}

func (*PoolND) inputs() int           { return 1 }
func (*PoolND) reach(_ Shape) reach   { return everywhere }
func (*PoolND) macs(_, _ Shape) int64 { return 0 }
func (l *PoolND) text() string        { return string(l.Op) + " " + l.settings(l.Kernel) }

func (l *PoolND) forward(c *call) error {
	w := l.Windows()
	c.each(func(dst, src []float32) { w.pool(dst, src) })
	return nil
}

// PoolWindows are the windows of a PoolND.
type PoolWindows struct {
	l      *PoolND
	taps   []int // for each place of the output of one map: those of the input, -1 outside
	counts []int // for each place: what an average divides by
	size   int   // of a map of the input
}

// Windows lays out the windows.
func (l *PoolND) Windows() *PoolWindows {
	out, _ := l.Counts(l.Kernel, l.Ceil)
	w := &PoolWindows{l: l, taps: l.Taps(out, l.Kernel), size: 1, counts: []int{1}}
	axes := len(out)
	for a, n := range out {
		size := l.From[a+1]
		w.size *= size
		var next []int
		for _, count := range w.counts {
			for o := range n {
				inside := 0
				for t := range l.Kernel[a] {
					x := o*l.Stride[a] - l.Pads[a] + t*l.Dilation[a]
					if x >= 0 && x < size || l.CountPad && x < size+l.Pads[a+axes] {
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
	for c := range w.l.From[0] {
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
	best := slices.Repeat([]int{-1}, w.l.From[0]*len(w.counts))
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
				dst[i] = float32(j)
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
			sums[i] += float64(src[j]) / float64(count)
		} else {
			sums[i] += math.Pow(math.Abs(float64(src[j])), float64(w.l.P))
		}
	})
	for i, v := range sums {
		if w.l.Op == PoolLp {
			v = math.Pow(v, 1/float64(w.l.P))
		}
		dst[i] = float32(v)
	}
}
