package incremental

import (
	"math"
	"math/bits"

	"github.com/deconvnet/viz/internal/kernel"
)

// frame is where the input of a step is wanted: h x w places, from (y[l], x[l])
// of lane l on.
type frame struct {
	h, w int
	y, x [maxLanes]int
}

const (
	fromBase = -1 // the clean value
	outside  = -2 // of the map
)

// sources says, for each row (or column) of a frame and each lane, which row of
// the windows it is, or fromBase or outside; common holds it where all lanes
// agree, else mixed.
type sources struct {
	lane   [][maxLanes]int16
	common []int16
}

const mixed = -3

func (s *sources) set(size, lanes int, at *[maxLanes]int, w *axis, limit int) {
	s.lane, s.common = s.lane[:0], s.common[:0]
	for i := range size {
		var row [maxLanes]int16
		common := int16(0)
		for l := range lanes {
			g := at[l] + i
			v := int16(fromBase)
			if g < 0 || g >= limit {
				v = outside
			} else if j := g - w.at[l]; j >= 0 && j < w.size {
				v = int16(j)
			}
			row[l] = v
			if l == 0 {
				common = v
			} else if v != common {
				common = mixed
			}
		}
		s.lane, s.common = append(s.lane, row), append(s.common, common)
	}
}

// unchanged takes what was in a window from the clean value.
func (s *sources) unchanged(lanes int) {
	for i := range s.common {
		for l := range lanes {
			if s.lane[i][l] >= 0 {
				s.lane[i][l] = fromBase
			}
		}
		if s.common[i] >= 0 {
			s.common[i] = fromBase
		}
	}
}

// view returns the windows of v as the frame if they have all of it, at the same
// place in every lane.
func (b *block) view(v int, f *frame) (kernel.Lane, bool) {
	dy, dx, ok := b.wins[v].holds(f, b.n.lanes)
	if !ok {
		return kernel.Lane{}, false
	}
	lane := b.lane(v)
	lane.Data = lane.At(dy, dx)
	lane.H, lane.W, lane.Dump = f.h, f.w, 0
	return lane, true
}

// holds reports where frame f lies in the windows, if it does, in all lanes alike.
func (w *window) holds(f *frame, lanes int) (dy, dx int, ok bool) {
	dy, dx = f.y[0]-w.y.at[0], f.x[0]-w.x.at[0]
	if w.empty() || dy < 0 || dx < 0 || dy+f.h > w.y.size || dx+f.w > w.x.size {
		return 0, 0, false
	}
	for l := range lanes {
		if f.y[l]-w.y.at[l] != dy || f.x[l]-w.x.at[l] != dx {
			return 0, 0, false
		}
	}
	return dy, dx, true
}

// lane is the windows of v as a lane buffer.
func (b *block) lane(v int) kernel.Lane {
	w := &b.wins[v]
	return kernel.Lane{Data: w.data, H: w.y.size, W: w.x.size, Place: w.place, Pitch: w.pitch, Dump: w.dump}
}

// source is where the windows of some channels of a value are. Without data they are
// in place already.
type source struct {
	v, first, count int
	data            []float32
	place, pitch    int
}

// load fills a frame, at dst with place floats from a place to the next, with
// value v: changed values, clean ones, and pad outside the map. In delta form it
// is what changed minus what it was, and 0 elsewhere.
func (b *block) load(dst []float32, place int, f *frame, v int, pad float32, delta bool) {
	w := &b.wins[v]
	b.loadFrom(dst, place, f, source{v: v, count: b.n.values[v].shape.C, data: w.data, place: w.place, pitch: w.pitch}, pad, delta)
}

// loadFrom is load for some channels of a value.
func (b *block) loadFrom(dst []float32, place int, f *frame, from source, pad float32, delta bool) {
	n := b.n
	val, w := &n.values[from.v], &b.wins[from.v]
	row := from.count * n.lanes
	all := uint64(1)<<n.lanes - 1
	b.sy.set(f.h, n.lanes, &f.y, &w.y, val.shape.H)
	b.sx.set(f.w, n.lanes, &f.x, &w.x, val.shape.W)
	if w.empty() { // nothing of it changes
		b.sy.unchanged(n.lanes)
		b.sx.unchanged(n.lanes)
	}
	for y := range f.h {
		for x := range f.w {
			d := dst[(y*f.w+x)*place:][:row]
			cy, cx := b.sy.common[y], b.sx.common[x]
			switch {
			case cy == outside || cx == outside:
				fill(d, pad, delta)
			case cy >= 0 && cx >= 0:
				if from.data != nil {
					copy(d, from.data[(int(cy)*from.pitch+int(cx))*from.place:])
				}
				if delta {
					b.gather(d, f, from, y, x, all, kernel.LaneSub)
				}
			case cy == mixed || cx == mixed:
				b.loadMixed(d, f, from, y, x, pad, delta)
			case delta:
				clear(d)
			default:
				b.gather(d, f, from, y, x, all, kernel.LaneSet)
			}
		}
	}
}

// gather fills the lanes of a mask at place y, x of a frame with what a value is there
// without any change, by op.
func (b *block) gather(d []float32, f *frame, from source, y, x int, mask uint64, op kernel.LaneOp) {
	val := &b.n.values[from.v]
	c, lanes := val.shape.C, b.n.lanes
	for l := range lanes {
		gy := min(max(f.y[l]+y, 0), val.shape.H-1)
		gx := min(max(f.x[l]+x, 0), val.shape.W-1)
		b.offs[l] = int64(4 * (gy*val.shape.W + gx) * c)
	}
	kernel.LaneGather(d, b.k.base[from.v][from.first:], b.offs[:lanes], from.count, val.relu, op, mask)
}

// loadMixed is load for one place at which lanes differ: some have it outside, some
// in their window, some as it was.
func (b *block) loadMixed(d []float32, f *frame, from source, y, x int, pad float32, delta bool) {
	lanes := b.n.lanes
	var out, clean, changed uint64
	var at [maxLanes]int
	for l := range lanes {
		sy, sx := b.sy.lane[y][l], b.sx.lane[x][l]
		switch {
		case sy == outside || sx == outside:
			out |= 1 << l
		case sy >= 0 && sx >= 0:
			changed |= 1 << l
			at[l] = (int(sy)*from.pitch + int(sx)) * from.place
		default:
			clean |= 1 << l
		}
	}
	if out != 0 || delta && clean != 0 {
		fill(d, pad, delta)
	}
	if !delta {
		b.gather(d, f, from, y, x, clean, kernel.LaneSet)
	}
	for rest := changed; rest != 0; {
		first := bits.TrailingZeros64(rest)
		var mask uint64
		for l := first; l < lanes; l++ {
			if rest>>l&1 != 0 && at[l] == at[first] {
				mask |= 1 << l
			}
		}
		kernel.LaneCopy(d, from.data[at[first]:], from.count, mask)
		rest &^= mask
	}
	if delta {
		b.gather(d, f, from, y, x, changed, kernel.LaneSub)
	}
}

func fill(d []float32, pad float32, delta bool) {
	if pad == 0 || delta {
		clear(d)
		return
	}
	for i := range d {
		d[i] = pad
	}
}

var minusInf = float32(math.Inf(-1))
