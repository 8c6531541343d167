package model

import (
	"fmt"
)

// Concat joins its inputs: maps along the channels or, if To is set, arrays along
// axis Axis to one of dims To.
type Concat struct {
	Axis int
	To   []int
}

// Kind is the layer's name.
func (*Concat) Kind() string { return "Concat" }

func (l *Concat) slots() []slot { return []slot{unusual("axis", &l.Axis), attribute("to", &l.To)} }

// Maps reports whether the inputs are joined along the channels.
func (l *Concat) Maps() bool { return l.To == nil }

func (l *Concat) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if !l.Maps() {
		return l.arrays(ins)
	}
	for _, o := range ins[1:] {
		if o.H != s.H || o.W != s.W || o.Flat != s.Flat {
			return Shape{}, fmt.Errorf("cannot join %v to %v", o, ins[0])
		}
		s.C += o.C
	}
	return s, nil
}

func (l *Concat) arrays(ins []Shape) (Shape, error) {
	n, err := arrayLen(l.To)
	if err != nil {
		return Shape{}, err
	}
	if l.Axis < 0 || l.Axis >= len(l.To) {
		return Shape{}, fmt.Errorf("axis %d of %v", l.Axis, l.To)
	}
	outer := l.outer()
	for _, in := range ins {
		if n -= in.Len(); n < 0 || in.Len()%outer != 0 {
			return Shape{}, fmt.Errorf("inputs %v do not make an array of %v", ins, l.To)
		}
	}
	if n != 0 {
		return Shape{}, fmt.Errorf("inputs %v do not make an array of %v", ins, l.To)
	}
	return arrayShape(l.To)
}

// outer is how many pieces of each input lie apart in the result.
func (l *Concat) outer() int {
	outer := 1
	if !l.Maps() {
		for _, d := range l.To[:l.Axis] {
			outer *= d
		}
	}
	return outer
}

func (*Concat) inputs() int { return many }
func (l *Concat) reach(_ Shape) reach {
	if l.Maps() {
		return pointwise
	}
	return everywhere
}
func (*Concat) macs(_, _ Shape) int64 { return 0 }
func (l *Concat) text() string {
	if l.Maps() {
		return ""
	}
	return fmt.Sprintf("along axis %d to %v", l.Axis, l.To)
}

func (l *Concat) forward(c *call) error {
	outer, at := l.outer(), 0
	step := c.out.Len() / outer
	for i, part := range c.srcs {
		size := c.ins[i].Len() / outer
		if c.step.placed == nil || !c.step.placed[i] {
			for o := range c.n * outer {
				copy(c.dst[o*step+at:], part[o*size:(o+1)*size])
			}
		}
		at += size
	}
	return nil
}

// Split gives the part of an image's result, or of a signal of its shape, that is
// input number which, of the inputs of shapes ins.
func (l *Concat) Split(dst, src []float32, ins []Shape, which int) {
	outer, at := l.outer(), 0
	for _, in := range ins[:which] {
		at += in.Len() / outer
	}
	row, step := len(dst)/outer, len(src)/outer
	for o := range outer {
		copy(dst[o*row:(o+1)*row], src[o*step+at:])
	}
}
