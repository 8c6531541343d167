package model

import (
	"fmt"
)

// Clip is min(max(x, Min), Max).
type Clip struct{ Min, Max float32 }

// Kind is the layer's name.
func (*Clip) Kind() string { return "Clip" }

func (l *Clip) slots() []slot { return []slot{attribute("min", &l.Min), attribute("max", &l.Max)} }

func (l *Clip) shape(ins []Shape) (Shape, error) {
	if !(l.Min <= l.Max) {
		return Shape{}, fmt.Errorf("clip to [%g, %g]", l.Min, l.Max)
	}
	return ins[0], nil
}

func (*Clip) inputs() int           { return 1 }
func (*Clip) reach(_ Shape) reach   { return pointwise }
func (*Clip) macs(_, _ Shape) int64 { return 0 }
func (l *Clip) text() string        { return fmt.Sprintf("%g to %g", l.Min, l.Max) }

func (l *Clip) forward(c *call) error {
	for i, v := range c.srcs[0] {
		c.dst[i] = min(max(v, l.Min), l.Max)
	}
	return nil
}
