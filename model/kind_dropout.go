package model

import (
	"fmt"
)

// Dropout does nothing except in training, where it drops a value with
// probability Rate and scales the rest by 1/(1-Rate).
type Dropout struct{ Rate float64 }

// Kind is the layer's name.
func (*Dropout) Kind() string { return "Dropout" }

func (l *Dropout) slots() []slot { return []slot{attribute("rate", &l.Rate)} }

func (*Dropout) shape(ins []Shape) (Shape, error) { return ins[0], nil }

func (*Dropout) inputs() int           { return 1 }
func (*Dropout) reach(_ Shape) reach   { return pointwise }
func (*Dropout) macs(_, _ Shape) int64 { return 0 }
func (l *Dropout) text() string        { return fmt.Sprintf("rate %.4g", l.Rate) }

func (*Dropout) forward(c *call) error {
	copy(c.dst, c.srcs[0])
	return nil
}

func (*Dropout) view() {}
