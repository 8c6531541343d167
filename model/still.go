package model

import (
	"fmt"
	"sync"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Still is a pass over one image of which all values are at hand, so that the network can be run again on images that
// differ from it in a box: of each layer only what can change is computed. It is safe for concurrent use.
type Still struct {
	p      *Plan
	values [][]float32 // by number, as arena.live

	mu   sync.Mutex
	idle []*scratch
}

// Still runs the network on an image [1, C, H, W] and keeps what its steps compute.
func (p *Plan) Still(x *tensor.Tensor) (*Still, error) {
	in := p.net.Input
	if len(x.Shape) != 4 || x.Shape[0] != 1 || x.Len() != in.Shape().Len() {
		return nil, fmt.Errorf("input %s is %v, want [1 %d %d %d]", in.Name, x.Shape, in.C, in.H, in.W)
	}
	k := &Still{p: p, values: make([][]float32, len(p.steps)+1)}
	k.values[0] = x.Data
	for i := range p.steps {
		s := &p.steps[i]
		if s.alias {
			k.values[i+1] = k.values[s.inputs[0]]
			continue
		}
		c := k.call(i, p.shapes[s.Out], nil)
		k.values[i+1] = make([]float32, p.shapes[s.Out].Len())
		c.dst = k.values[i+1]
		for _, v := range s.inputs {
			c.srcs = append(c.srcs, k.values[v])
		}
		if err := s.Node.Layer.(kind).forward(c); err != nil {
			return nil, fmt.Errorf("layer %s: %w", s.Node.Name, err)
		}
	}
	return k, nil
}

// call is the work of step i on one image, of which every input and the output have memory of their own.
func (k *Still) call(i int, out Shape, ins []Shape) *call {
	s := k.p.steps[i]
	s.placed, s.epilogue.Stride = nil, 0
	if ins == nil {
		ins = s.shapes
	}
	return &call{k: k.p.engine.k, n: 1, out: out, ins: ins, step: &s}
}

// Value is what a step of the plan computes for the image itself; nil if none does, or the value is fused away.
func (k *Still) Value(name string) []float32 {
	if name == k.p.net.Input.Name {
		return k.values[0]
	}
	for i := range k.p.steps {
		if k.p.steps[i].Out == name {
			return k.values[i+1]
		}
	}
	return nil
}

// change is what differs of a value: in a box, [C][h][w] of it. An empty box: nothing.
type change struct {
	box  Box
	data []float32
}

// Change returns values of nodes, see Value, for an image [1, C, H, W] that differs in box b only: bit for bit those of
// Run. b is inside the input.
func (k *Still) Change(x *tensor.Tensor, b Box, names ...string) ([][]float32, error) {
	m := k.take()
	defer k.leave(m)
	r := &rerun{Still: k, m: m, changes: make([]change, len(k.values))}
	if !b.Empty() {
		r.changes[0] = change{b, m.get(k.p.net.Input.C * b.Area())}
		cut(r.changes[0].data, b, x.Data, k.p.net.Input.Shape())
	}
	for i := range k.p.steps {
		if err := r.step(i); err != nil {
			return nil, fmt.Errorf("layer %s: %w", k.p.steps[i].Node.Name, err)
		}
	}
	out := make([][]float32, len(names))
	for j, name := range names {
		if name == k.p.net.Input.Name {
			out[j] = x.Data
		}
		for i := range k.p.steps {
			if k.p.steps[i].Out == name {
				out[j] = append([]float32(nil), r.window(i+1, r.shape(i+1).Box())...)
			}
		}
	}
	return out, nil
}

// rerun is one run of Change.
type rerun struct {
	*Still
	m       *scratch
	changes []change // by number
}

// shape is that of value v.
func (r *rerun) shape(v int) Shape {
	if v == 0 {
		return r.p.net.Input.Shape()
	}
	return r.p.shapes[r.p.steps[v-1].Out]
}

// window returns the box of value v after the change, [C][h][w]. It may be the value itself, and is not to be written.
func (r *rerun) window(v int, b Box) []float32 {
	s, c := r.shape(v), r.changes[v]
	if c.box == b {
		return c.data
	}
	d := c.box.Intersect(b)
	if d.Empty() && b == s.Box() {
		return r.values[v]
	}
	out := r.m.get(s.C * b.Area())
	cut(out, b, r.values[v], s)
	for ch := range s.C {
		for y := d.Y0; y < d.Y1; y++ {
			from := c.data[(ch*c.box.H()+y-c.box.Y0)*c.box.W()+d.X0-c.box.X0:]
			copy(out[(ch*b.H()+y-b.Y0)*b.W()+d.X0-b.X0:][:d.W()], from[:d.W()])
		}
	}
	return out
}

// cut copies a box of maps.
func cut(dst []float32, b Box, src []float32, s Shape) {
	at := 0
	for c := range s.C {
		for y := b.Y0; y < b.Y1; y++ {
			at += copy(dst[at:at+b.W()], src[(c*s.H+y)*s.W+b.X0:])
		}
	}
}

// step computes what changes of a step's output.
func (r *rerun) step(i int) error {
	s := &r.p.steps[i]
	var b Box // of all inputs
	same := true
	for j, v := range s.inputs {
		b = b.Union(r.changes[v].box)
		same = same && s.shapes[j] == r.p.shapes[s.Out]
	}
	out := &r.changes[i+1]
	switch l := s.Node.Layer.(type) {
	case *Conv:
		if l.Maps() {
			if !b.Empty() {
				r.conv(s, l, out, b)
			}
			return nil
		}
	case *Pool:
		switch {
		case l.MaxOfMaps():
			r.pool(s, l.geometry(), out, b, func(c *change, src []float32, in Box, shape Shape) {
				r.p.engine.k.MaxPool(l.geometry(), shape.C, c.data, nil, c.box, src, in, shape.H, shape.W)
			})
			return nil
		case l.MeanOfMaps():
			bottom, right := l.Behind()
			r.pool(s, l.geometry(), out, b, func(c *change, src []float32, in Box, shape Shape) {
				r.p.engine.k.AvgPool(l.geometry(), shape.C, c.data, c.box, src, in, shape.H, shape.W, bottom, right, l.CountPad)
			})
			return nil
		}
	case *ReLU, *Clip, *BatchNorm, *LRN, *Add, *Unary, *Dropout:
		if same {
			return r.local(i, out, b)
		}
	case *Concat:
		if l.Maps() && !r.p.shapes[s.Out].Flat {
			return r.local(i, out, b)
		}
	}
	if b.Empty() {
		return nil
	}
	return r.whole(i, out)
}

// conv computes the box of a convolution, and of the pool behind it, that depends on box b of its input.
func (r *rerun) conv(s *step, l *Conv, out *change, b Box) {
	k, g, shape := r.p.engine.k, l.geometry(), r.p.shapes[s.Out]
	ep := s.epilogue
	ep.Stride = 0
	product := func(box Box, dst []float32) {
		in := g.InputBox(box).Intersect(s.shapes[0].Box())
		k.ConvForward(s.filters, 1, dst, box, r.window(s.inputs[0], in), in, ep)
	}
	if s.Pool == nil {
		if out.box = g.OutputBox(b, shape.H, shape.W); !out.box.Empty() {
			out.data = r.m.get(shape.C * out.box.Area())
			product(out.box, out.data)
		}
		return
	}
	pool := s.Pool.Layer.(*Pool).geometry()
	window := asConv(pool)
	if out.box = window.OutputBox(g.OutputBox(b, s.mid.H, s.mid.W), shape.H, shape.W); out.box.Empty() {
		return
	}
	need := window.InputBox(out.box).Intersect(s.mid.Box())
	mid := r.m.get(shape.C * need.Area())
	product(need, mid)
	out.data = r.m.get(shape.C * out.box.Area())
	k.MaxPool(pool, shape.C, out.data, nil, out.box, mid, need, s.mid.H, s.mid.W)
}

// pool computes the box of a pool that depends on box b of its input.
func (r *rerun) pool(s *step, p kernel.Pool, out *change, b Box, f func(c *change, src []float32, in Box, shape Shape)) {
	shape, window := r.p.shapes[s.Out], asConv(p)
	if b.Empty() {
		return
	}
	if out.box = window.OutputBox(b, shape.H, shape.W); out.box.Empty() {
		return
	}
	in := window.InputBox(out.box).Intersect(s.shapes[0].Box())
	out.data = r.m.get(shape.C * out.box.Area())
	f(out, r.window(s.inputs[0], in), in, s.shapes[0])
}

// local computes box b of a layer whose values depend on the same place of its inputs.
func (r *rerun) local(i int, out *change, b Box) error {
	s := &r.p.steps[i]
	if b.Empty() {
		return nil
	}
	out.box = b
	if s.alias {
		out.data = r.window(s.inputs[0], b)
		return nil
	}
	part := func(s Shape) Shape { s.H, s.W = b.H(), b.W(); return s }
	var ins []Shape
	for _, in := range s.shapes {
		ins = append(ins, part(in))
	}
	c := r.call(i, part(r.p.shapes[s.Out]), ins)
	for _, v := range s.inputs {
		c.srcs = append(c.srcs, r.window(v, b))
	}
	out.data = r.m.get(c.out.Len())
	c.dst = out.data
	return s.Node.Layer.(kind).forward(c)
}

// whole computes all of a layer.
func (r *rerun) whole(i int, out *change) error {
	s := &r.p.steps[i]
	out.box = r.p.shapes[s.Out].Box()
	c := r.call(i, r.p.shapes[s.Out], nil)
	for j, v := range s.inputs {
		c.srcs = append(c.srcs, r.window(v, s.shapes[j].Box()))
	}
	if s.alias {
		out.data = c.srcs[0]
		return nil
	}
	out.data = r.m.get(c.out.Len())
	c.dst = out.data
	return s.Node.Layer.(kind).forward(c)
}

// scratch is the memory of one run at a time: what is got is valid until it is left.
type scratch struct {
	block      []float32
	used, need int
}

func (m *scratch) get(n int) []float32 {
	m.need += n
	if m.used+n > len(m.block) {
		return make([]float32, n)
	}
	m.used += n
	return m.block[m.used-n : m.used : m.used]
}

func (k *Still) take() *scratch {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.idle); n > 0 {
		m := k.idle[n-1]
		k.idle = k.idle[:n-1]
		return m
	}
	return &scratch{}
}

// leave keeps memory for the next run: as much as this one needed.
func (k *Still) leave(m *scratch) {
	if m.need > len(m.block) {
		m.block = make([]float32, m.need)
	}
	m.used, m.need = 0, 0
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.idle) < 2 {
		k.idle = append(k.idle, m)
	}
}

// Bytes is the memory that the values take.
func (k *Still) Bytes() (bytes int) {
	for i, v := range k.values {
		if i == 0 || !k.p.steps[i-1].alias {
			bytes += 4 * len(v)
		}
	}
	return bytes
}
