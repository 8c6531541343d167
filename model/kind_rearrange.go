package model

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
)

// Rearrange reads an array in another order: number (i, j, ...) of an array of
// dims To is number Offset + i*Strides[0] + j*Strides[1] + ... of the input.
// That covers transposition, slices, repetition, and moves between depth and
// space. What is the operator's name in the file it came from; it does not affect results.
type Rearrange struct {
	What        string
	Offset      int
	To, Strides []int
}

// Kind is the layer's name.
func (*Rearrange) Kind() string { return "Rearrange" }

func (l *Rearrange) slots() []slot {
	return []slot{attribute("what", &l.What), attribute("offset", &l.Offset), attribute("to", &l.To), attribute("strides", &l.Strides)}
}

func (l *Rearrange) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if _, err := arrayLen(l.To); err != nil {
		return s, err
	}
	if len(l.Strides) != len(l.To) {
		return s, fmt.Errorf("%d strides for %v", len(l.Strides), l.To)
	}
	low, high := l.Offset, l.Offset
	for i, d := range l.To {
		if v := l.Strides[i]; v < -maxElements || v > maxElements {
			return s, fmt.Errorf("stride %d", v)
		} else if v < 0 {
			low += (d - 1) * v
		} else {
			high += (d - 1) * v
		}
	}
	if low < 0 || high >= s.Len() {
		return s, fmt.Errorf("numbers %d to %d of an input of %d values", low, high, s.Len())
	}
	return arrayShape(l.To)
}

func (*Rearrange) inputs() int           { return 1 }
func (*Rearrange) reach(_ Shape) reach   { return everywhere }
func (*Rearrange) macs(_, _ Shape) int64 { return 0 }
func (l *Rearrange) text() string        { return fmt.Sprintf("%s to %v", l.What, l.To) }

func (l *Rearrange) prepare(s *step) { s.walk = kernel.NewMove(l.To, l.Strides) }

func (l *Rearrange) forward(c *call) error {
	c.k.Rearrange(c.step.walk, l.Offset, c.n, c.out.Len(), c.ins[0].Len(), c.dst, c.srcs[0])
	return nil
}

// Visit calls do for every number i of the result with the place j of the input
// that it is from.
func (l *Rearrange) Visit(do func(i, j int)) {
	walk2(l.To, l.Strides, l.Strides, func(i, j, _, n, d, _ int) {
		j += l.Offset
		for range n {
			do(i, j)
			i, j = i+1, j+d
		}
	})
}
