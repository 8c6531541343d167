package model

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
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

func (l *Clip) prepare(s *step) { s.epilogue.Clip = kernel.NewClip(l.Min, l.Max) }

func (*Clip) forward(c *call) error {
	c.k.Clip(c.step.epilogue.Clip, c.dst, c.srcs[0])
	return nil
}
