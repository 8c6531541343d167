package model

import (
	"fmt"
)

// LeakyReLU is x where x > 0, else Alpha*x.
type LeakyReLU struct{ Alpha float32 }

// Kind is the layer's name.
func (*LeakyReLU) Kind() string { return "LeakyReLU" }

func (l *LeakyReLU) slots() []slot { return []slot{attribute("alpha", &l.Alpha)} }

func (*LeakyReLU) shape(ins []Shape) (Shape, error) { return ins[0], nil }

func (*LeakyReLU) inputs() int           { return 1 }
func (*LeakyReLU) reach(_ Shape) reach   { return pointwise }
func (*LeakyReLU) macs(_, _ Shape) int64 { return 0 }
func (l *LeakyReLU) text() string        { return fmt.Sprintf("alpha %g", l.Alpha) }

func (l *LeakyReLU) forward(c *call) error {
	for i, v := range c.srcs[0] {
		c.dst[i] = v
		if v <= 0 {
			c.dst[i] = l.Alpha * v
		}
	}
	return nil
}
