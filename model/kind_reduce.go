package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
)

// Reduce takes the axes Axes of an array of dims From together and leaves them
// out. ReduceArgMax and ReduceArgMin give the first among equals or, if Last is set,
// the last.
type Reduce struct {
	Op   ReduceOp
	From []int
	Axes []int
	Last bool
}

// Kind is the layer's name.
func (*Reduce) Kind() string { return "Reduce" }

func (l *Reduce) slots() []slot {
	return []slot{attribute("op", (*string)(&l.Op)), attribute("from", &l.From), attribute("axes", &l.Axes), attribute("last", &l.Last)}
}

func (l *Reduce) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if err := holds(s, l.From); err != nil {
		return s, err
	}
	_, arg := argOps[l.Op]
	if _, ok := reduceOps[l.Op]; !ok && !arg {
		return s, fmt.Errorf("unknown reduction %q", l.Op)
	}
	if arg && len(l.Axes) != 1 {
		return s, fmt.Errorf("%s over the axes %v, want one", l.Op, l.Axes)
	}
	if err := checkAxes(l.Axes, l.From); err != nil {
		return s, err
	}
	var dims []int
	for i, d := range l.From {
		if !slices.Contains(l.Axes, i) {
			dims = append(dims, d)
		}
	}
	return arrayShape(dims)
}

func (*Reduce) inputs() int           { return 1 }
func (*Reduce) reach(_ Shape) reach   { return everywhere }
func (*Reduce) macs(_, _ Shape) int64 { return 0 }
func (l *Reduce) text() string        { return fmt.Sprintf("%s over %v of %v", l.Op, l.Axes, l.From) }

func (l *Reduce) forward(c *call) error {
	if x, ok := axisOf(l.From, l.Axes); ok && (l.Op == ReduceSum || l.Op == ReduceMean) {
		x.Outer *= c.n
		scale := float32(1)
		if l.Op == ReduceMean {
			scale = float32(1 / float64(x.Size))
		}
		c.k.SumAxis(x, scale, c.dst, c.srcs[0])
		return nil
	}
	c.each(func(dst, src []float32) { reduce(l, dst, src) })
	return nil
}

// Visit calls do for every number j of the input with the place i of the result
// that it goes into.
func (l *Reduce) Visit(do func(i, j int)) {
	s := make([]int, len(l.From))
	step := 1
	for i := len(l.From) - 1; i >= 0; i-- {
		gone := false
		for _, a := range l.Axes {
			gone = gone || a == i
		}
		if !gone {
			s[i] = step
			step *= l.From[i]
		}
	}
	walk2(l.From, s, s, func(j, i, _, n, d, _ int) {
		for range n {
			do(i, j)
			i, j = i+d, j+1
		}
	})
}

func reduce(l *Reduce, dst, src []float32) {
	if better, ok := argOps[l.Op]; ok {
		inner := 1
		for _, d := range l.From[l.Axes[0]+1:] {
			inner *= d
		}
		best := make([]float32, len(dst))
		seen := make([]bool, len(dst))
		l.Visit(func(i, j int) {
			if v := src[j]; !seen[i] || better(v, best[i]) || l.Last && v == best[i] {
				seen[i], best[i], dst[i] = true, v, float32(j/inner%l.From[l.Axes[0]])
			}
		})
		return
	}
	op := reduceOps[l.Op]
	sums, shift := make([]float64, len(dst)), make([]float64, len(dst))
	if l.Op == ReduceLogSumExp { // the largest number comes out of each sum, so that nothing overflows
		for i := range shift {
			shift[i] = math.Inf(-1)
		}
		l.Visit(func(i, j int) { shift[i] = max(shift[i], float64(src[j])) })
		for i, v := range shift {
			if math.IsInf(v, 0) {
				shift[i] = 0
			}
		}
	}
	for i := range sums {
		sums[i] = op.start
	}
	l.Visit(func(i, j int) { sums[i] = op.step(sums[i], float64(src[j])-shift[i]) })
	for i, s := range sums {
		if op.end != nil {
			s = op.end(s, len(src)/len(dst))
		}
		dst[i] = float32(s + shift[i])
	}
}

// reduceOps fold numbers into one: step takes the sum so far and a number, end
// the sum and the count.
var reduceOps = map[ReduceOp]struct {
	start float64
	step  func(sum, v float64) float64
	end   func(sum float64, n int) float64
}{
	ReduceSum:       {0, func(s, v float64) float64 { return s + v }, nil},
	ReduceMean:      {0, func(s, v float64) float64 { return s + v }, func(s float64, n int) float64 { return s / float64(n) }},
	ReduceMax:       {math.Inf(-1), func(s, v float64) float64 { return max(s, v) }, nil},
	ReduceMin:       {math.Inf(1), func(s, v float64) float64 { return min(s, v) }, nil},
	ReduceProd:      {1, func(s, v float64) float64 { return s * v }, nil},
	ReduceL1:        {0, func(s, v float64) float64 { return s + math.Abs(v) }, nil},
	ReduceL2:        {0, func(s, v float64) float64 { return s + float64(v*v) }, func(s float64, _ int) float64 { return math.Sqrt(s) }},
	ReduceSumSquare: {0, func(s, v float64) float64 { return s + float64(v*v) }, nil},
	ReduceLogSum:    {0, func(s, v float64) float64 { return s + v }, func(s float64, _ int) float64 { return exact.Log(s) }},
	ReduceLogSumExp: {0, func(s, v float64) float64 { return s + exact.Exp(v) }, func(s float64, _ int) float64 { return exact.Log(s) }},
}

// argOps: whether v is better than what was best so far.
var argOps = map[ReduceOp]func(v, best float32) bool{
	ReduceArgMax: func(v, best float32) bool { return v > best },
	ReduceArgMin: func(v, best float32) bool { return v < best },
}
