package model

import (
	"fmt"
)

// Add is the sum of two or more inputs of one shape.
type Add struct{}

// Kind is the layer's name.
func (*Add) Kind() string { return "Add" }

func (*Add) slots() []slot { return nil }

func (*Add) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	for _, o := range ins[1:] {
		if o != s {
			return Shape{}, fmt.Errorf("cannot add %v to %v", o, s)
		}
	}
	return s, nil
}

func (*Add) inputs() int           { return many }
func (*Add) reach(_ Shape) reach   { return pointwise }
func (*Add) macs(_, _ Shape) int64 { return 0 }
func (*Add) text() string          { return "" }

func (*Add) forward(c *call) error {
	src := c.srcs[0]
	for i, other := range c.srcs[1:] {
		if i == len(c.srcs)-2 && c.step.Act != nil {
			c.k.AddReLU(c.dst, src, other)
		} else {
			c.k.Add(c.dst, src, other)
		}
		src = c.dst
	}
	return nil
}
