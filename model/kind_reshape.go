package model

import (
	"fmt"
)

// Reshape divides the same numbers into axes of dims To or, if that is nil, makes one
// vector of them.
type Reshape struct{ To []int }

// Kind is the layer's name. In files one that makes a vector has a name of its own.
func (l *Reshape) Kind() string {
	if l.To == nil {
		return "Flatten"
	}
	return "Reshape"
}

func (l *Reshape) slots() []slot { return []slot{attribute("to", &l.To)} }

func (l *Reshape) shape(ins []Shape) (Shape, error) {
	if l.To == nil {
		return Shape{C: ins[0].Len(), H: 1, W: 1, Flat: true}, nil
	}
	if err := holds(ins[0], l.To); err != nil {
		return ins[0], err
	}
	return arrayShape(l.To)
}

func (*Reshape) inputs() int           { return 1 }
func (*Reshape) reach(_ Shape) reach   { return everywhere }
func (*Reshape) macs(_, _ Shape) int64 { return 0 }
func (l *Reshape) text() string {
	if l.To == nil {
		return ""
	}
	return fmt.Sprintf("to %v", l.To)
}

func (*Reshape) forward(c *call) error {
	copy(c.dst, c.srcs[0])
	return nil
}

func (*Reshape) view() {}
