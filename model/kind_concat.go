package model

import (
	"fmt"
)

// Concat joins its inputs along the channels.
type Concat struct{}

// Kind is the layer's name.
func (*Concat) Kind() string { return "Concat" }

func (*Concat) slots() []slot { return nil }

func (*Concat) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	for _, o := range ins[1:] {
		if o.H != s.H || o.W != s.W || o.Flat != s.Flat {
			return Shape{}, fmt.Errorf("cannot join %v to %v", o, ins[0])
		}
		s.C += o.C
	}
	return s, nil
}

func (*Concat) inputs() int           { return many }
func (*Concat) reach(_ Shape) reach   { return pointwise }
func (*Concat) macs(_, _ Shape) int64 { return 0 }
func (*Concat) text() string          { return "" }

func (*Concat) forward(c *call) error {
	at := 0
	for i, part := range c.srcs {
		size := c.ins[i].Len()
		if c.step.placed == nil || !c.step.placed[i] {
			for i := range c.n {
				copy(c.dst[i*c.out.Len()+at:], part[i*size:(i+1)*size])
			}
		}
		at += size
	}
	return nil
}
