package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// Pad adds Value around each map, which only moves what lies in a box. Arrays and other
// modes are padded by the tables of AlongAxis, one axis after the other.
type Pad struct {
	Pads  [4]int
	Value float32
}

// Kind is the layer's name.
func (*Pad) Kind() string { return "Pad" }

func (l *Pad) slots() []slot { return []slot{attribute("pads", &l.Pads), attribute("value", &l.Value)} }

func (l *Pad) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if slices.Min(l.Pads[:]) < 0 || s.Flat {
		return Shape{}, fmt.Errorf("pads %v of %v", l.Pads, s)
	}
	return Shape{C: s.C, H: s.H + l.Pads[0] + l.Pads[2], W: s.W + l.Pads[1] + l.Pads[3]}, nil
}

func (*Pad) inputs() int { return 1 }
func (l *Pad) reach(_ Shape) reach {
	return windows(kernel.Conv{In: 1, Out: 1, KH: 1, KW: 1, StrideY: 1, StrideX: 1, DilY: 1, DilX: 1, PadTop: l.Pads[0], PadLeft: l.Pads[1], Groups: 1})
}
func (*Pad) macs(_, _ Shape) int64 { return 0 }
func (l *Pad) text() string        { return fmt.Sprintf("pads %v, value %g", l.Pads, l.Value) }

func (l *Pad) forward(c *call) error {
	padPlanes(c.dst, c.srcs[0], c.n*c.ins[0].C, c.ins[0], l)
	return nil
}

func padPlanes(dst, src []float32, planes int, in Shape, l *Pad) {
	h, w := in.H+l.Pads[0]+l.Pads[2], in.W+l.Pads[1]+l.Pads[3]
	for i := range dst {
		dst[i] = l.Value
	}
	for c := range planes {
		for y := range in.H {
			at := (c*h+y+l.Pads[0])*w + l.Pads[1]
			copy(dst[at:at+in.W], src[(c*in.H+y)*in.W:])
		}
	}
}
