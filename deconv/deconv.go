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
	// Whole makes projections compute whole planes, unit by unit, with all their
	// zeros: the plain reference. The pixels are the same.
	Whole bool
	// Fast lets convolutions use Winograd's algorithm. Pixels are then exact to
	// about 1e-5 of the largest instead of 1e-6. It must be set before the first use.
	Fast bool

	engine *model.Engine
	net    *model.Network
	rule   Rule

	mu      sync.Mutex
	filters map[filterKey]*kernel.Filters
	scales  map[string][]float32 // of batch norms
	arenas  []*arena
}

type filterKey struct {
	name   string
	sparse bool
}

// New returns a projector for net by rule.
func New(engine *model.Engine, net *model.Network, rule Rule) *Projector {
	return &Projector{engine: engine, net: net, rule: rule, filters: map[filterKey]*kernel.Filters{}, scales: map[string][]float32{}}
}

// Project takes units of the first image of a trace down to the input by the
// paper's rule. The trace must hold all values (model.Engine.Forward) or what
// Projector.Keep asks for. To project more than once, or by another rule, make a
// Projector, which keeps the packed weights.
func Project(t *model.Trace, units ...model.Unit) ([]*Projection, error) {
	engine := model.NewEngine(0)
	defer engine.Close()
	targets := make([]Target, len(units))
	for i, u := range units {
		targets[i].Unit = u
	}
	return New(engine, t.Net, Paper).ProjectAll(context.Background(), t, targets)
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
		for which, in := range n.Inputs {
			if !ends(n.Layer, which) {
				needed[in] = true
			}
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
	all, err := p.ProjectAll(context.Background(), t, []Target{{image, u}})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// Target is a unit of one image of a trace.
type Target struct {
	Image int
	Unit  model.Unit
}

// batchUnits is the most units that go down together.
const batchUnits = 32

// ProjectAll projects many units of one trace, in the order given. Units whose
// receptive fields lie alike go down together, so that the products have good
// shapes; the pixels are those of Project.
func (p *Projector) ProjectAll(ctx context.Context, t *model.Trace, targets []Target) ([]*Projection, error) {
	if t.Net != p.net {
		return nil, fmt.Errorf("deconv: the trace is of another network")
	}
	out := make([]*Projection, len(targets))
	geometries := map[model.Unit]*geometry{} // by layer and place
	groups := map[string]int{}
	var batches [][]*unit
	most := min(batchUnits, max(1, (len(targets)+2*p.engine.Workers()-1)/(2*p.engine.Workers())))
	if p.Whole {
		most = 1
	}
	for i, target := range targets {
		u := target.Unit
		if target.Image < 0 || target.Image >= t.N() {
			return nil, fmt.Errorf("deconv: image %d of a batch of %d", target.Image, t.N())
		}
		if err := p.net.CheckUnitIn(t.Shapes, u); err != nil {
			return nil, fmt.Errorf("deconv: %w", err)
		}
		if t.Value(u.Layer) == nil {
			return nil, fmt.Errorf("deconv: layer %s: the trace does not hold its value", u.Layer)
		}
		place := u
		place.Channel = 0
		geo := geometries[place]
		if geo == nil {
			var err error
			if geo, err = p.geometry(t, place); err != nil {
				return nil, err
			}
			geometries[place] = geo
		}
		in := p.net.Input
		out[i] = &Projection{Unit: u, Image: target.Image, Value: t.At(target.Image, u), Rule: p.rule, Box: geo.boxes[in.Name], C: in.C,
			Pixels: make([]float32, in.C*geo.boxes[in.Name].Area())}
		member := &unit{target: target, geo: geo, value: out[i].Value, pixels: out[i].Pixels}
		b, ok := groups[geo.shape]
		if !ok || len(batches[b]) == most {
			b = len(batches)
			groups[geo.shape] = b
			batches = append(batches, nil)
		}
		batches[b] = append(batches[b], member)
	}
	errs := make([]error, len(batches))
	one := func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = p.batch(t, batches[i])
		}
	}
	// Batches side by side share nothing; if there are few, the workers share each.
	if len(batches) >= p.engine.Workers() && !p.Whole {
		p.engine.Kernel().For(len(batches), one)
	} else {
		for i := range batches {
			one(i)
		}
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *Projector) batch(t *model.Trace, units []*unit) error {
	mem := p.arena()
	defer p.release(mem)
	d := &descent{p: p, t: t, k: p.engine.Kernel(), mem: mem, units: units, signals: map[string]signal{}}
	layer := units[0].target.Unit.Layer
	box := units[0].geo.boxes[layer]
	size := t.Shapes[layer].C * box.Area()
	start := mem.get(len(units) * size)
	clear(start)
	for i, m := range units {
		u, b := m.target.Unit, m.geo.boxes[layer]
		start[i*size+(u.Channel*b.H()+u.Y-b.Y0)*b.W()+u.X-b.X0] = m.value
	}
	d.signals[layer] = signal{data: start, owned: true}
	return d.run(len(p.net.Nodes) - 1)
}

// down returns the convolution's weights packed for the way down.
func (p *Projector) down(name string, l *model.Conv, sparse bool) *kernel.Filters {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := filterKey{name, sparse}
	f := p.filters[key]
	if f == nil {
		switch {
		case sparse:
			f = kernel.PackDataSparse(l.Geometry(), l.Weight.Data, p.Fast)
		case p.Fast:
			f = kernel.PackDataFast(l.Geometry(), l.Weight.Data)
		default:
			f = kernel.PackData(l.Geometry(), l.Weight.Data)
		}
		p.filters[key] = f
	}
	return f
}

// up returns a transposed convolution's weights packed for the way down, which is
// the convolution itself.
func (p *Projector) up(name string, l *model.ConvTranspose) *kernel.Filters {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := filterKey{name, false}
	f := p.filters[key]
	if f == nil {
		f = kernel.PackForward(l.Geometry(), l.Weight.Data)
		p.filters[key] = f
	}
	return f
}

var noEpilogue kernel.Epilogue

// scale returns what a batch norm multiplies by on the way down.
func (p *Projector) scale(name string, l *model.BatchNorm) []float32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.scales[name] == nil {
		p.scales[name] = l.TopDownScale()
	}
	return p.scales[name]
}

// arena is scratch memory of one batch after another.
type arena struct{ free [][]float32 }

func (p *Projector) arena() *arena {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.arenas); n > 0 {
		a := p.arenas[n-1]
		p.arenas = p.arenas[:n-1]
		return a
	}
	return &arena{}
}

func (p *Projector) release(a *arena) {
	p.mu.Lock()
	p.arenas = append(p.arenas, a)
	p.mu.Unlock()
}

// get returns n floats with undefined contents.
func (a *arena) get(n int) []float32 {
	best := -1
	for i, s := range a.free {
		if cap(s) >= n && (best < 0 || cap(s) < cap(a.free[best])) {
			best = i
		}
	}
	if best < 0 {
		if len(a.free) > 3 { // what is too small for this is dropped, so that the list stays short
			a.free = a.free[1:]
		}
		return make([]float32, n, n+n/8)
	}
	s := a.free[best][:n]
	a.free[best] = a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	return s
}

func (a *arena) put(s []float32) { a.free = append(a.free, s) }
