package model

import (
	"fmt"

	"github.com/deconvnet/viz/model/tensor"
)

// Constant is the same whatever its input is.
type Constant struct{ Value *tensor.Tensor }

// Kind is the layer's name.
func (*Constant) Kind() string { return "Constant" }

func (l *Constant) slots() []slot { return []slot{trained("value", &l.Value)} }

func (l *Constant) shape(ins []Shape) (Shape, error) {
	if l.Value == nil {
		return ins[0], fmt.Errorf("it has no value")
	}
	if n, err := arrayLen(l.Value.Shape); err != nil || n != len(l.Value.Data) {
		return ins[0], fmt.Errorf("value of %v", l.Value.Shape)
	}
	return arrayShape(l.Value.Shape)
}

func (*Constant) inputs() int           { return 1 }
func (*Constant) reach(_ Shape) reach   { return everywhere }
func (*Constant) macs(_, _ Shape) int64 { return 0 }
func (*Constant) text() string          { return "" }

func (l *Constant) forward(c *call) error {
	c.each(func(dst, _ []float32) { copy(dst, l.Value.Data) })
	return nil
}
