package model

import (
	"fmt"
	"math"
	"slices"
)

// OneHot makes each number k of an array of dims From a row of Depth numbers along
// a new axis Axis: On at place k (from the end if negative), Off elsewhere.
type OneHot struct {
	From        []int
	Axis, Depth int
	On, Off     float32
}

// Kind is the layer's name.
func (*OneHot) Kind() string { return "OneHot" }

func (l *OneHot) slots() []slot {
	return []slot{attribute("from", &l.From), attribute("axis", &l.Axis), attribute("depth", &l.Depth), attribute("on", &l.On), attribute("off", &l.Off)}
}

func (l *OneHot) shape(ins []Shape) (Shape, error) {
	if err := holds(ins[0], l.From); err != nil {
		return ins[0], err
	}
	if l.Axis < 0 || l.Axis > len(l.From) || l.Depth < 1 {
		return ins[0], fmt.Errorf("depth %d along axis %d of %v", l.Depth, l.Axis, l.From)
	}
	return arrayShape(slices.Insert(slices.Clone(l.From), l.Axis, l.Depth))
}

func (*OneHot) inputs() int           { return 1 }
func (*OneHot) reach(_ Shape) reach   { return everywhere }
func (*OneHot) macs(_, _ Shape) int64 { return 0 }
func (l *OneHot) text() string        { return fmt.Sprintf("depth %d", l.Depth) }

func (l *OneHot) forward(c *call) error {
	inner := 1
	for _, d := range l.From[l.Axis:] {
		inner *= d
	}
	c.each(func(dst, src []float32) {
		for i := range dst {
			dst[i] = l.Off
		}
		for j, v := range src {
			k := math.Trunc(float64(v))
			if k < 0 {
				k += float64(l.Depth)
			}
			if k >= 0 && k < float64(l.Depth) {
				dst[(j/inner*l.Depth+int(k))*inner+j%inner] = l.On
			}
		}
	})
	return nil
}
