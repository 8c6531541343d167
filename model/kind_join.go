package model

import (
	"fmt"
)

// Join puts its inputs one behind the other along axis Axis of an array of dims To.
type Join struct {
	Axis int
	To   []int
}

// Kind is the layer's name.
func (*Join) Kind() string { return "Join" }

func (l *Join) slots() []slot { return []slot{attribute("axis", &l.Axis), attribute("to", &l.To)} }

func (l *Join) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	n, err := arrayLen(l.To)
	if err != nil {
		return s, err
	}
	if l.Axis < 0 || l.Axis >= len(l.To) {
		return s, fmt.Errorf("axis %d of %v", l.Axis, l.To)
	}
	outer := 1
	for _, d := range l.To[:l.Axis] {
		outer *= d
	}
	for _, in := range ins {
		if n -= in.Len(); n < 0 || in.Len()%outer != 0 {
			return s, fmt.Errorf("inputs %v do not make an array of %v", ins, l.To)
		}
	}
	if n != 0 {
		return s, fmt.Errorf("inputs %v do not make an array of %v", ins, l.To)
	}
	return arrayShape(l.To)
}

func (*Join) inputs() int           { return many }
func (*Join) reach(_ Shape) reach   { return everywhere }
func (*Join) macs(_, _ Shape) int64 { return 0 }
func (l *Join) text() string        { return fmt.Sprintf("along axis %d to %v", l.Axis, l.To) }

func (l *Join) forward(c *call) error {
	c.k.For(c.n, func(i int) {
		part := func(j int) []float32 { return c.srcs[j][i*c.ins[j].Len() : (i+1)*c.ins[j].Len()] }
		join(l, c.dst[i*c.out.Len():(i+1)*c.out.Len()], part, len(c.srcs))
	})
	return nil
}

func join(l *Join, dst []float32, part func(int) []float32, parts int) {
	outer, size, inner := split(l.To, l.Axis)
	at := 0
	for j := range parts {
		src := part(j)
		row := len(src) / outer
		for o := range outer {
			copy(dst[o*size*inner+at:], src[o*row:(o+1)*row])
		}
		at += row
	}
}
