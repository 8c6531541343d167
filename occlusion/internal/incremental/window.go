package incremental

import (
	"github.com/deconvnet/viz/model"
)

// axis is one axis of the windows of a value: they are size long and begin at
// at[l]; what can change in lane l lies in lo[l]..hi[l].
type axis struct {
	size   int
	at     [maxLanes]int
	lo, hi [maxLanes]int
}

// window is a value of the lanes of a block: for each a rectangle of it.
type window struct {
	y, x  axis
	data  []float32   // [places][C][L] and one more place
	place int         // floats from a place to the next
	pitch int         // places from a row to the next
	dump  int         // scratch slot for stores that are discarded
	refs  *references // windows that share data
	left  int         // readers to come
}

// references count the windows that share a buffer.
type references struct {
	n int
	buffer
}

// at is where place (y, x) begins in data.
func (w *window) at(y, x int) int { return (y*w.pitch + x) * w.place }

func (w *window) empty() bool { return w.y.size == 0 || w.x.size == 0 }
func (w *window) places() int { return w.y.size * w.x.size }

// place chooses size and beginnings of windows that contain lo..hi of every lane
// and lie within 0..limit. If it can, it makes from[l] - at[l]*stride the same for
// all lanes, so that what is computed from windows at from needs no moving.
func (a *axis) place(lanes, limit int, from *axis, stride int) {
	a.size = 0
	for l := range lanes {
		a.size = max(a.size, a.hi[l]-a.lo[l])
	}
	first := func(l int) int { // the first beginning that will do
		if a.hi[l] > a.lo[l] {
			return max(0, a.hi[l]-a.size)
		}
		return 0
	}
	last := func(l int) int {
		if a.hi[l] > a.lo[l] {
			return min(a.lo[l], limit-a.size)
		}
		return limit - a.size
	}
	if from != nil && from.size > 0 {
	candidates:
		for at := last(0); at >= first(0); at-- {
			shift := from.at[0] - at*stride
			for l := range lanes {
				p := from.at[l] - shift
				if p%stride != 0 || p/stride < first(l) || p/stride > last(l) {
					continue candidates
				}
				a.at[l] = p / stride
			}
			return
		}
	}
	for l := range lanes {
		a.at[l] = last(l)
	}
}

// whole makes the windows the whole map.
func (w *window) whole(lanes int, s model.Shape) {
	for l := range lanes {
		w.y.lo[l], w.y.hi[l], w.x.lo[l], w.x.hi[l] = 0, s.H, 0, s.W
	}
	w.y.place(lanes, s.H, nil, 1)
	w.x.place(lanes, s.W, nil, 1)
}

// plan sets the windows of all values for the changes of a block, one a lane.
func (n *Net) plan(wins []window, changes []model.Box) {
	lanes := n.lanes
	in := &wins[0]
	for l := range lanes {
		b := changes[min(l, len(changes)-1)].Intersect(n.net.Input.Shape().Box())
		in.y.lo[l], in.y.hi[l], in.x.lo[l], in.x.hi[l] = b.Y0, b.Y1, b.X0, b.X1
	}
	in.y.place(lanes, n.net.Input.H, nil, 1)
	in.x.place(lanes, n.net.Input.W, nil, 1)
	for i := range n.steps {
		s := &n.steps[i]
		w := &wins[s.out]
		shape := n.values[s.out].shape
		reached := false
		for l := range lanes {
			var out model.Box
			for _, v := range s.in {
				from := &wins[v]
				b := model.Box{Y0: from.y.lo[l], X0: from.x.lo[l], Y1: from.y.hi[l], X1: from.x.hi[l]}
				if b.Empty() {
					continue
				}
				c, err := model.OutputBox(s.node.Layer, n.values[v].shape, shape, b)
				if err != nil {
					c = shape.Box() // a kind that boxes do not know
				}
				out = out.Union(c)
			}
			out = out.Intersect(shape.Box())
			reached = reached || !out.Empty()
			w.y.lo[l], w.y.hi[l], w.x.lo[l], w.x.hi[l] = out.Y0, out.Y1, out.X0, out.X1
		}
		if s.op == opWhole && reached {
			w.whole(lanes, shape)
			continue
		}
		var fy, fx *axis
		sy, sx := 1, 1
		if len(s.in) > 0 {
			fy, fx = &wins[s.in[0]].y, &wins[s.in[0]].x
		}
		switch s.op {
		case opConv:
			sy, sx = max(s.geo.StrideY, 1), max(s.geo.StrideX, 1)
		case opMaxPool, opAvgPool:
			sy, sx = max(s.pool.StrideY, 1), max(s.pool.StrideX, 1)
		case opGlobalAvg, opWhole:
			fy, fx = nil, nil
		case opEach, opNorm, opLRN, opPad: // exactly the windows of the input, moved by the padding
			dy, dx := 0, 0
			if l, ok := s.node.Layer.(*model.Pad); ok {
				dy, dx = l.Pads[0], l.Pads[1]
			}
			w.y.size, w.x.size = fy.size, fx.size
			for l := range lanes {
				w.y.at[l], w.x.at[l] = fy.at[l]+dy, fx.at[l]+dx
			}
			continue
		}
		w.y.place(lanes, shape.H, fy, sy)
		w.x.place(lanes, shape.W, fx, sx)
	}
}
