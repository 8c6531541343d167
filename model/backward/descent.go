package backward

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// geometry is what units at one place of a layer have in common.
type geometry struct {
	boxes map[string]model.Box // part of each value that the unit depends on
	// shape describes sizes and places of the boxes relative to each other. Units
	// with one shape take the same way down but for a shift.
	shape string
	cost  float64 // about the work of a signal's way down
}

// geometryOf is what the values in a box of a layer depend on, together.
func (p *Pass) geometryOf(t *model.Trace, layer string, box model.Box) (*geometry, error) {
	boxes, err := p.net.TopDownBoxes(t.Shapes, layer, box)
	if err != nil {
		return nil, err
	}
	if p.whole {
		for name := range boxes {
			boxes[name] = t.Shapes[name].Box()
		}
	}
	var shape strings.Builder
	fmt.Fprintf(&shape, "%s %d %d", layer, boxes[layer].H(), boxes[layer].W())
	for i := range p.net.Nodes {
		n := &p.net.Nodes[i]
		out, ok := boxes[n.Name]
		if !ok {
			continue
		}
		sy, sx := strides(n.Layer)
		for _, name := range n.Inputs {
			in := boxes[name]
			fmt.Fprintf(&shape, " %d %d %d %d %d", i, in.H(), in.W(), in.Y0-out.Y0*sy, in.X0-out.X0*sx)
		}
	}
	return &geometry{boxes: boxes, shape: shape.String()}, nil
}

// strides are the steps that a layer's input takes for one of its output.
func strides(l model.Layer) (y, x int) {
	switch l := l.(type) {
	case *model.Conv:
		if l.Maps() {
			w := l.Window(model.Shape{})
			return w.Stride[0], w.Stride[1]
		}
	case *model.Pool:
		if l.From != nil {
			break
		}
		p := kernel.PoolOf(l.Kernel, l.Stride, l.Dilation, l.Pads)
		return p.StrideY, p.StrideX
	}
	return 1, 1
}

// unit is one of the signals that go down together.
type unit struct {
	start *Start
	image int
	geo   *geometry
	parts []Part // results, one for each stop
}

// descent is a batch of signals on their way down: their boxes have one shape. A
// signal covers the boxes of its value that matter; outside them it is 0.
type descent struct {
	p       *Pass
	t       *model.Trace
	k       *kernel.Engine
	mem     *arena
	way     *way
	kept    *kept
	units   []*unit
	signals map[string]signal
}

// signal is the top-down signal of a value.
type signal struct {
	data   []float32 // [units][C][box.H()][box.W()]
	owned  bool      // data goes back to the arena once used
	sparse bool      // most of it is 0
}

// box is the first unit's box of a value, or nil if it does not matter. The
// kernels only look at how boxes lie to each other, which is the same for all.
func (d *descent) box(name string) model.Box { return d.units[0].geo.boxes[name] }

// splitFloats bounds the signal that a batch works on: a larger one is halved, to
// stay in the cache.
const splitFloats = 512 << 10

// run goes down from node number from.
func (d *descent) run(from int) error {
	net := d.p.net
	for i := from; i >= d.way.last; i-- {
		n := &net.Nodes[i]
		g, ok := d.signals[n.Name]
		if !ok {
			continue
		}
		if len(d.units) > 1 {
			size := len(g.data)
			for _, in := range n.Inputs {
				size = max(size, len(d.units)*d.t.Shapes[in].C*d.box(in).Area())
			}
			if size > splitFloats {
				return d.split(i)
			}
		}
		delete(d.signals, n.Name)
		d.record(n.Name, g) // all that reads it came before
		channel := 0        // Concat: first channel of the input at hand
		for which, in := range n.Inputs {
			if d.way.leads(n, which) {
				part, err := d.layer(n, which, channel, &g)
				if err != nil {
					return fmt.Errorf("layer %s: %w", n.Name, err)
				}
				d.add(in, part)
			}
			channel += d.t.Shapes[in].C
		}
		if g.owned {
			d.mem.put(g.data)
		}
	}
	in := net.Input.Name
	s := d.signals[in]
	d.record(in, s)
	if s.owned {
		d.mem.put(s.data)
	}
	return nil
}

// record keeps the signal of a value if it is to be returned. A start may have no
// path to it other than through zeros, and then there is none.
func (d *descent) record(name string, s signal) {
	if s.data == nil {
		return
	}
	for j, stop := range d.way.stops {
		if stop != name {
			continue
		}
		size := d.t.Shapes[name].C * d.box(name).Area()
		for i, u := range d.units {
			copy(u.parts[j].Values, s.data[i*size:(i+1)*size])
		}
	}
}

// split goes on with half of the units, then with the other half.
func (d *descent) split(from int) error {
	n := len(d.units)
	for _, half := range [][2]int{{0, n / 2}, {n / 2, n}} {
		part := &descent{p: d.p, t: d.t, k: d.k, mem: d.mem, way: d.way, kept: d.kept, units: d.units[half[0]:half[1]], signals: map[string]signal{}}
		for name, s := range d.signals {
			size := len(s.data) / n
			s.data, s.owned = s.data[half[0]*size:half[1]*size], false
			part.signals[name] = s
		}
		if err := part.run(from); err != nil {
			return err
		}
	}
	for _, s := range d.signals {
		if s.owned {
			d.mem.put(s.data)
		}
	}
	return nil
}

// piece is a contribution to the signal of one value, over box of the first unit.
type piece struct {
	box model.Box
	signal
}

func (d *descent) add(name string, p piece) {
	box, planes := d.box(name), len(d.units)*d.t.Shapes[name].C
	have, ok := d.signals[name]
	if !ok && p.box == box {
		d.signals[name] = p.signal
		return
	}
	if !ok {
		have = signal{data: d.mem.get(planes * box.Area()), owned: true, sparse: p.sparse}
		clear(have.data)
	}
	have.sparse = have.sparse && p.sparse
	d.signals[name] = have
	w, h := p.box.W(), p.box.H()
	if p.box == box {
		d.k.Add(have.data, have.data, p.data)
		planes = 0
	}
	for i := range planes {
		for y := range h {
			row := p.data[(i*h+y)*w:][:w]
			at := (i*box.H()+p.box.Y0+y-box.Y0)*box.W() + p.box.X0 - box.X0
			for x, v := range row {
				have.data[at+x] += v
			}
		}
	}
	if p.owned {
		d.mem.put(p.data)
	}
}

// value returns the boxes of a node's value in the trace as [units][C][h][w].
// The result goes back to the arena.
func (d *descent) value(name string) ([]float32, error) {
	v := d.t.Value(name)
	if v == nil {
		return nil, fmt.Errorf("the trace does not hold the value of %s", name)
	}
	s := d.t.Shapes[name]
	size := s.C * d.box(name).Area()
	out := d.mem.get(len(d.units) * size)
	for i, u := range d.units {
		cutTo(out[i*size:(i+1)*size], v.Data[u.image*s.Len():][:s.Len()], s.Box(), u.geo.boxes[name], s.C)
	}
	return out, nil
}

// planes calls f on the workers for every plane of area values: number i, which
// is map c of unit u.
func (d *descent) planes(chans, area int, f func(u *unit, i, c int)) {
	n := len(d.units) * chans
	step := max(1, (16<<10)/max(area, 1))
	d.k.For((n+step-1)/step, func(task int) {
		for i := task * step; i < min((task+1)*step, n); i++ {
			f(d.units[i/chans], i, i%chans)
		}
	})
}

// single takes the signal of a convolution down if no unit has more than one
// value in it, as at the start: the result is that value times the weights that
// lead to it. It reports whether it did. The bits are those of the product, where
// all other terms are 0.
func (d *descent) single(l *model.Conv, dst []float32, box model.Box, g []float32, gbox model.Box, in, out model.Shape) bool {
	if gbox.Area() > 4 {
		return false
	}
	size := len(g) / len(d.units)
	at := make([]int, len(d.units)) // of the only value
	for i := range d.units {
		at[i] = -1
		for j, v := range g[i*size : (i+1)*size] {
			if v == 0 {
				continue
			}
			if at[i] >= 0 {
				return false
			}
			at[i] = j
		}
	}
	cg, kg := in.C/l.Groups, out.C/l.Groups
	kh, kw := l.Weight.Shape[2], l.Weight.Shape[3]
	walk := l.Window(in)
	var buf []float32
	if l.Weight.Packed != nil {
		buf = make([]float32, cg*kh*kw)
	}
	clear(dst)
	for i, j := range at {
		if j < 0 {
			continue
		}
		v := g[i*size+j]
		k, y, x := j/gbox.Area(), gbox.Y0+j%gbox.Area()/gbox.W(), gbox.X0+j%gbox.W()
		w := l.Weight.Part(k*cg*kh*kw, (k+1)*cg*kh*kw, buf)
		to := dst[(i*in.C+k/kg*cg)*box.Area():]
		for c := range cg {
			for ky := range kh {
				iy := y*walk.Stride[0] - walk.Pads[0] + ky*walk.Dilation[0]
				if iy < box.Y0 || iy >= box.Y1 {
					continue
				}
				for kx := range kw {
					if ix := x*walk.Stride[1] - walk.Pads[1] + kx*walk.Dilation[1]; ix >= box.X0 && ix < box.X1 {
						to[(c*box.H()+iy-box.Y0)*box.W()+ix-box.X0] = float32(v*w[(c*kh+ky)*kw+kx]) + 0 // -0 becomes 0
					}
				}
			}
		}
	}
	return true
}

// singleDense is single for a dense layer.
func singleDense(units, in, out int, dst, g []float32, w *tensor.Tensor) bool {
	at := make([]int, units)
	for i := range units {
		at[i] = -1
		for j, v := range g[i*out : (i+1)*out] {
			if v != 0 {
				if at[i] >= 0 {
					return false
				}
				at[i] = j
			}
		}
	}
	var buf []float32
	if w.Packed != nil {
		buf = make([]float32, in)
	}
	for i, j := range at {
		to := dst[i*in : (i+1)*in]
		if j < 0 {
			clear(to)
			continue
		}
		v := g[i*out+j]
		for c, x := range w.Part(j*in, (j+1)*in, buf) {
			to[c] = float32(v*x) + 0
		}
	}
	return true
}

// cut copies box `to` out of planes that cover box `from`.
func cut[T any](src []T, from, to model.Box, c int) []T {
	out := make([]T, 0, c*to.Area())
	for ch := range c {
		for y := to.Y0; y < to.Y1; y++ {
			at := (ch*from.H()+y-from.Y0)*from.W() - from.X0
			out = append(out, src[at+to.X0:at+to.X1]...)
		}
	}
	return out
}

// put copies what planes over box `from` and planes over box `to` have in common.
func put(dst []float32, to model.Box, src []float32, from model.Box, c int) {
	b := to.Intersect(from)
	if b.Empty() {
		return
	}
	for ch := range c {
		for y := b.Y0; y < b.Y1; y++ {
			d := (ch*to.H()+y-to.Y0)*to.W() - to.X0
			s := (ch*from.H()+y-from.Y0)*from.W() - from.X0
			copy(dst[d+b.X0:d+b.X1], src[s+b.X0:s+b.X1])
		}
	}
}

// cutTo is cut into memory that is there.
func cutTo(dst, src []float32, from, to model.Box, c int) {
	if from == to {
		copy(dst, src)
		return
	}
	w := to.W()
	for ch := range c {
		for y := to.Y0; y < to.Y1; y++ {
			at := (ch*from.H()+y-from.Y0)*from.W() - from.X0
			copy(dst[:w], src[at+to.X0:at+to.X1])
			dst = dst[w:]
		}
	}
}
