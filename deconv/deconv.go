// Package deconv takes a single activation of a network back down to pixels:
// the deconvnet of Zeiler and Fergus, and its relatives guided
// backpropagation and the plain gradient.
//
//	p := deconv.New(engine, net, deconv.Paper)
//	projection, err := p.Project(trace, 0, unit)
//	img := projection.Draw(net.Preprocess, 0)
//
// A projection starts at the output of one unit with the unit's own activation,
// everything else in its layer 0, and goes down layer by layer: unpooling to
// the switches, rectification, transposed filters ([zeiler14] 2.1). Only the
// unit's receptive field is computed. The package does not choose units (see
// features) and knows nothing of files.
package deconv

import (
	"context"
	"fmt"
	"sync"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// Projection is one unit taken down to the input.
type Projection struct {
	Unit   model.Unit
	Image  int       // index in the trace's batch
	Value  float32   // the unit's activation, where the projection started
	Rule   Rule      //
	Box    model.Box // part of the input plane that Pixels covers: the unit's receptive field, clipped
	C      int       // channels of the input
	Pixels []float32 // [C][Box.H()][Box.W()], units of the network's input; 0 outside Box
}

// Full returns the projection as [C][h][w], the size of the network's input.
func (p *Projection) Full(h, w int) []float32 {
	full := make([]float32, p.C*h*w)
	put(full, model.Box{Y1: h, X1: w}, p.Pixels, p.Box, p.C)
	return full
}

// Projector projects units of one network by one rule. It holds the network's
// weights packed for the way down. Safe for concurrent use.
type Projector struct {
	// Whole makes projections compute whole planes instead of the receptive
	// field: the plain reference. The pixels are the same.
	Whole bool

	engine *model.Engine
	net    *model.Network
	rule   Rule

	mu      sync.Mutex
	filters map[string]*kernel.Filters
}

// New returns a projector for net by rule.
func New(engine *model.Engine, net *model.Network, rule Rule) *Projector {
	return &Projector{engine: engine, net: net, rule: rule, filters: map[string]*kernel.Filters{}}
}

// Keep returns what a trace must hold so that units of the given layers can be
// projected: a full trace (model.Keep{}) always will do.
func (p *Projector) Keep(layers ...string) (model.Keep, error) {
	keep := model.Keep{Layers: append([]string{}, layers...), Switches: true}
	needed := map[string]bool{}
	for _, l := range layers {
		needed[l] = true
	}
	for i := len(p.net.Nodes) - 1; i >= 0; i-- {
		n := &p.net.Nodes[i]
		if !needed[n.Name] {
			continue
		}
		for _, in := range n.Inputs {
			needed[in] = true
		}
		in, out, err := p.rule.reads(n.Layer)
		if err != nil {
			return model.Keep{}, fmt.Errorf("deconv: layer %s: %w", n.Name, err)
		}
		if out {
			keep.Layers = append(keep.Layers, n.Name)
		}
		if in {
			keep.Layers = append(keep.Layers, n.Inputs...)
		}
	}
	return keep, nil
}

// Project takes unit u of the given image of the trace down to the input.
// The error names the layer that has no rule, or whose value the trace lacks.
func (p *Projector) Project(t *model.Trace, image int, u model.Unit) (*Projection, error) {
	if t.Net != p.net {
		return nil, fmt.Errorf("deconv: the trace is of another network")
	}
	if image < 0 || image >= t.N() {
		return nil, fmt.Errorf("deconv: image %d of a batch of %d", image, t.N())
	}
	if err := p.net.CheckUnit(u); err != nil {
		return nil, fmt.Errorf("deconv: %w", err)
	}
	if t.Value(u.Layer) == nil {
		return nil, fmt.Errorf("deconv: layer %s: the trace does not hold its value", u.Layer)
	}
	place := model.Box{Y0: u.Y, X0: u.X, Y1: u.Y + 1, X1: u.X + 1}
	boxes, err := p.net.TopDownBoxes(t.Shapes, u.Layer, place)
	if err != nil {
		return nil, err
	}
	if p.Whole {
		for name := range boxes {
			boxes[name] = t.Shapes[name].Box()
		}
	}
	d := &descent{p: p, t: t, image: image, boxes: boxes, signals: map[string][]float32{}}
	start := make([]float32, t.Shapes[u.Layer].C*boxes[u.Layer].Area())
	b := boxes[u.Layer]
	value := t.At(image, u)
	start[(u.Channel*b.H()+u.Y-b.Y0)*b.W()+u.X-b.X0] = value
	d.signals[u.Layer] = start
	if err := d.run(); err != nil {
		return nil, err
	}
	in := p.net.Input
	out := &Projection{Unit: u, Image: image, Value: value, Rule: p.rule, Box: boxes[in.Name], C: in.C, Pixels: d.signals[in.Name]}
	return out, nil
}

// Target is a unit of one image of a trace.
type Target struct {
	Image int
	Unit  model.Unit
}

// ProjectAll projects many units of one trace side by side, in the order given.
func (p *Projector) ProjectAll(ctx context.Context, t *model.Trace, targets []Target) ([]*Projection, error) {
	out := make([]*Projection, len(targets))
	errs := make([]error, len(targets))
	p.engine.Kernel().For(len(targets), func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			out[i], errs[i] = p.Project(t, targets[i].Image, targets[i].Unit)
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// down returns the convolution's weights packed for the way down.
func (p *Projector) down(name string, l *model.Conv) *kernel.Filters {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.filters[name]
	if f == nil {
		f = kernel.PackData(l.Geometry(), l.Weight.Data)
		p.filters[name] = f
	}
	return f
}

// up returns a transposed convolution's weights packed for the way down, which is
// the convolution itself.
func (p *Projector) up(name string, l *model.ConvTranspose) *kernel.Filters {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.filters[name]
	if f == nil {
		f = kernel.PackForward(l.Geometry(), l.Weight.Data)
		p.filters[name] = f
	}
	return f
}

var noEpilogue kernel.Epilogue

// descent is one projection on its way down. A signal covers the box of its
// value that matters; outside it is 0.
type descent struct {
	p       *Projector
	t       *model.Trace
	image   int
	boxes   map[string]model.Box
	signals map[string][]float32 // [C][box.H()][box.W()]
}

func (d *descent) run() error {
	net := d.p.net
	for i := len(net.Nodes) - 1; i >= 0; i-- {
		n := &net.Nodes[i]
		g, ok := d.signals[n.Name]
		if !ok {
			continue
		}
		channel := 0 // Concat: first channel of the input at hand
		for which, in := range n.Inputs {
			part, err := d.layer(n, which, channel, g)
			if err != nil {
				return fmt.Errorf("deconv: layer %s: %w", n.Name, err)
			}
			channel += d.t.Shapes[in].C
			d.add(in, part)
		}
		delete(d.signals, n.Name)
	}
	// A unit may have no path to the pixels other than through zeros.
	in := net.Input
	if d.signals[in.Name] == nil {
		d.signals[in.Name] = make([]float32, in.C*d.boxes[in.Name].Area())
	}
	return nil
}

// piece is a contribution to the signal of one value.
type piece struct {
	box  model.Box
	data []float32
}

func (d *descent) add(name string, p piece) {
	box, c := d.boxes[name], d.t.Shapes[name].C
	have, ok := d.signals[name]
	if !ok && p.box == box {
		d.signals[name] = p.data
		return
	}
	if !ok {
		have = make([]float32, c*box.Area())
		d.signals[name] = have
	}
	w, h := p.box.W(), p.box.H()
	for ch := range c {
		for y := range h {
			row := p.data[(ch*h+y)*w:][:w]
			at := (ch*box.H()+p.box.Y0+y-box.Y0)*box.W() + p.box.X0 - box.X0
			for x, v := range row {
				have[at+x] += v
			}
		}
	}
}

// value returns the box of a node's value in the trace as [C][h][w].
func (d *descent) value(name string, box model.Box) ([]float32, error) {
	v := d.t.Value(name)
	if v == nil {
		return nil, fmt.Errorf("the trace does not hold the value of %s", name)
	}
	s := d.t.Shapes[name]
	return cut(v.Data[d.image*s.Len():(d.image+1)*s.Len()], s.Box(), box, s.C), nil
}

// layer takes signal g at node n's output down to its input number which.
func (d *descent) layer(n *model.Node, which, channel int, g []float32) (piece, error) {
	k := d.p.engine.Kernel()
	name := n.Inputs[which]
	in, out := d.t.Shapes[name], d.t.Shapes[n.Name]
	gbox := d.boxes[n.Name]
	box, err := model.InputBox(n.Layer, in, gbox)
	if err != nil {
		return piece{}, err
	}
	if d.p.Whole {
		box = in.Box()
	}
	if d.p.rule.refuses(n.Layer) != nil {
		return piece{}, d.p.rule.refuses(n.Layer)
	}
	dst := piece{box: box, data: make([]float32, in.C*box.Area())}
	switch l := n.Layer.(type) {
	case *model.Conv:
		k.ConvData(d.p.down(n.Name, l), 1, dst.data, box, g, gbox)
	case *model.Dense:
		k.DenseData(1, in.C, out.C, dst.data, g, l.Weight.Data)
	case *model.MaxPool:
		all := d.t.Switches(n.Name)
		if all == nil {
			return piece{}, fmt.Errorf("the trace does not hold its switches")
		}
		sw := cut(all[d.image*out.Len():(d.image+1)*out.Len()], out.Box(), gbox, out.C)
		k.MaxUnpool(in.C, dst.data, box, g, sw, in.W, gbox.Area())
	case *model.AvgPool:
		k.AvgPoolGrad(l.Geometry(), in.C, dst.data, box, g, gbox, in.H, in.W, l.Pads[2], l.Pads[3], l.CountPad)
	case *model.GlobalAvgPool:
		k.AvgPoolGrad(model.GlobalPool(in), in.C, dst.data, box, g, gbox, in.H, in.W, 0, 0, false)
	case *model.ReLU, *model.LeakyReLU, *model.Clip:
		var y []float32
		if _, reads, _ := d.p.rule.reads(l); reads {
			if y, err = d.value(n.Name, gbox); err != nil {
				return piece{}, err
			}
		}
		d.p.rule.rectify(l, dst.data, g, y)
	case *model.LRN:
		if d.p.rule.passesLRN() {
			copy(dst.data, g)
			break
		}
		x, err := d.value(name, box)
		if err != nil {
			return piece{}, err
		}
		k.LRNGrad(1, in.C, box.Area(), dst.data, g, x, l.Size, l.Alpha, l.Beta, l.Bias)
	case *model.BatchNorm:
		area := box.Area()
		for c, s := range l.TopDownScale() {
			for i := c * area; i < (c+1)*area; i++ {
				dst.data[i] = g[i] * s
			}
		}
	case *model.Add, *model.Flatten, *model.Dropout:
		copy(dst.data, g)
	case *model.Concat:
		copy(dst.data, g[channel*gbox.Area():])
	case *model.Pad:
		shifted := gbox.Shift(-l.Pads[0], -l.Pads[1])
		put(dst.data, box, g, shifted, in.C)
	case *model.Softmax:
		y, err := d.value(n.Name, gbox)
		if err != nil {
			return piece{}, err
		}
		softmaxGrad(dst.data, g, y, in.C, gbox.Area())
	default:
		if dst.data, err = d.array(n, which, box, g, gbox); err != nil {
			return piece{}, err
		}
	}
	return dst, nil
}

// softmaxGrad is dx_i = y_i (g_i - sum_j g_j y_j), at each place apart.
func softmaxGrad(dst, g, y []float32, c, area int) {
	for i := range area {
		var dot float32
		for ch := range c {
			dot += g[ch*area+i] * y[ch*area+i]
		}
		for ch := range c {
			j := ch*area + i
			dst[j] = y[j] * (g[j] - dot)
		}
	}
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
