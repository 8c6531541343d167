// Package backward takes signals down a network: from any values at any node, by a
// rule, to any nodes below it or the input.
//
//	pass := backward.New(engine, net, backward.Gradient, backward.Options{})
//	start := backward.Start{Layer: net.Logits, Values: oneHot}
//	parts, err := pass.Down(ctx, trace, []backward.Start{start}, net.Input.Name)
//	gradient := parts[0][0].Full(net.Input.H, net.Input.W)
//
// By the rule Gradient what arrives is the gradient of the sum of all values at
// the start, each times its signal; the other rules are those of the deconvnet and
// its relatives. Only what the start's box depends on is computed, with the bits of
// whole planes. The package knows nothing of classes, units to choose, or files.
package backward

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// Start is where a signal begins: values at a part of a node's output, for one
// image of a trace. Everything else of that output is 0.
type Start struct {
	Image  int
	Layer  string    // a node, or the input
	Box    model.Box // part of the node's maps that Values covers; the zero Box: all
	Values []float32 // [C][Box.H()][Box.W()]
}

// Unit is a start with one value at one unit.
func Unit(t *model.Trace, image int, u model.Unit, value float32) Start {
	s := Start{Image: image, Layer: u.Layer, Box: model.Box{Y0: u.Y, X0: u.X, Y1: u.Y + 1, X1: u.X + 1}, Values: make([]float32, t.Shapes[u.Layer].C)}
	s.Values[u.Channel] = value
	return s
}

// Part is the signal that arrives at a node.
type Part struct {
	Box    model.Box // part of the node's maps that the start depends on; empty: it does not depend on the node
	C      int
	Values []float32 // [C][Box.H()][Box.W()]; 0 outside Box
}

// Full returns the signal as [C][h][w], the size of the node's maps.
func (p Part) Full(h, w int) []float32 {
	full := make([]float32, p.C*h*w)
	put(full, model.Box{Y1: h, X1: w}, p.Values, p.Box, p.C)
	return full
}

// Options are the choices of a Pass that change no result by more than rounding.
type Options struct {
	// Whole computes whole planes, signal by signal, with all their zeros: the plain
	// reference. The values are the same.
	Whole bool
	// Fast lets convolutions use Winograd's algorithm. Values are then exact to
	// about 1e-5 of the largest instead of 1e-6.
	Fast bool
}

// Pass takes signals down one network by one rule. It holds the network's weights
// packed for the way down. Safe for concurrent use.
type Pass struct {
	engine      *model.Engine
	net         *model.Network
	rule        Rule
	whole, fast bool

	mu      sync.Mutex
	filters map[filterKey]*kernel.Filters
	scales  map[string][]float32 // of batch norms
	arenas  []*arena
}

// New returns a pass through net by rule.
func New(engine *model.Engine, net *model.Network, rule Rule, o Options) *Pass {
	return &Pass{engine: engine, net: net, rule: rule, whole: o.Whole, fast: o.Fast,
		filters: map[filterKey]*kernel.Filters{}, scales: map[string][]float32{}}
}

// way is what lies on the paths to the stops.
type way struct {
	stops []string
	on    map[string]bool // values from which a stop can be reached, and stops
	last  int             // number of the lowest node that must be looked at
}

func (p *Pass) way(stops []string) (*way, error) {
	w := &way{stops: stops, on: map[string]bool{}, last: len(p.net.Nodes)}
	for _, name := range stops {
		w.on[name] = true
		at := slices.IndexFunc(p.net.Nodes, func(n model.Node) bool { return n.Name == name })
		if at < 0 && name != p.net.Input.Name {
			return nil, fmt.Errorf("no layer %q", name)
		}
		w.last = min(w.last, max(at, 0))
	}
	for i := range p.net.Nodes {
		n := &p.net.Nodes[i]
		for which := range n.Inputs {
			if w.leads(n, which) {
				w.on[n.Name] = true
			}
		}
	}
	return w, nil
}

// leads reports whether a node's input number which is on the way to a stop.
func (w *way) leads(n *model.Node, which int) bool {
	return w.on[n.Inputs[which]] && !ends(n.Layer, which)
}

// Keep returns what a trace must hold so that signals can go down from the layers
// from to the stops, besides the values at both ends. A full trace (model.Keep{})
// always will do. The error names the layer that has no rule.
func (p *Pass) Keep(from []string, stops ...string) (model.Keep, error) {
	keep := model.Keep{Layers: []string{}, Switches: true}
	w, err := p.way(stops)
	if err != nil {
		return model.Keep{}, err
	}
	needed := p.net.Needed(from, w.leads)
	for i := len(p.net.Nodes) - 1; i >= 0; i-- {
		n := &p.net.Nodes[i]
		goes := false
		for which := range n.Inputs {
			goes = goes || w.leads(n, which)
		}
		if !needed[n.Name] || !goes {
			continue
		}
		in, out, err := p.rule.reads(n.Layer)
		if err != nil {
			return model.Keep{}, fmt.Errorf("layer %s: %w", n.Name, err)
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

// Down takes signals of one trace down to the stops, each a node or the input.
// The trace must hold what Keep asks for. Result [i][j] is start i at stop j.
// Signals whose boxes lie alike go down together, so that the products have good
// shapes; the values are those of each alone. The error names the layer that has
// no rule, or whose value the trace lacks.
func (p *Pass) Down(ctx context.Context, t *model.Trace, starts []Start, stops ...string) ([][]Part, error) {
	if t.Net != p.net {
		return nil, fmt.Errorf("the trace is of another network")
	}
	w, err := p.way(stops)
	if err != nil {
		return nil, err
	}
	units, err := p.units(t, starts, stops)
	if err != nil {
		return nil, err
	}
	out := make([][]Part, len(starts))
	for i, u := range units {
		out[i] = u.parts
	}
	batches, costs := p.cut(units)
	errs := make([]error, len(batches))
	k := &kept{signals: len(units), slopes: map[keptKey][]float32{}}
	one := func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = p.batch(t, w, batches[i], k)
		}
	}
	kernel.Of(p.engine).Largest(costs, one)
	for i := len(costs); i < len(batches); i++ {
		one(i)
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// units checks the starts and finds what each depends on.
func (p *Pass) units(t *model.Trace, starts []Start, stops []string) ([]*unit, error) {
	type place struct {
		layer string
		box   model.Box
	}
	var places []place // those that differ
	numbers := map[place]int{}
	units, at := make([]*unit, len(starts)), make([]int, len(starts))
	for i := range starts {
		s := starts[i]
		shape, ok := t.Shapes[s.Layer]
		if !ok {
			return nil, fmt.Errorf("no layer %q", s.Layer)
		}
		if s.Image < 0 || s.Image >= t.N() {
			return nil, fmt.Errorf("image %d of a batch of %d", s.Image, t.N())
		}
		if s.Box == (model.Box{}) {
			s.Box = shape.Box()
		}
		if s.Box.Empty() || s.Box.Intersect(shape.Box()) != s.Box {
			return nil, fmt.Errorf("layer %s: a signal at rows %d to %d, columns %d to %d of maps of %v", s.Layer, s.Box.Y0, s.Box.Y1, s.Box.X0, s.Box.X1, shape)
		}
		if want := shape.C * s.Box.Area(); len(s.Values) != want {
			return nil, fmt.Errorf("layer %s: a signal of %d values, want %d", s.Layer, len(s.Values), want)
		}
		where := place{s.Layer, s.Box}
		if _, ok := numbers[where]; !ok {
			numbers[where] = len(places)
			places = append(places, where)
		}
		units[i], at[i] = &unit{start: &s, image: s.Image}, numbers[where]
	}
	geometries, errs := make([]*geometry, len(places)), make([]error, len(places))
	p.engine.For(len(places), func(i int) {
		if geometries[i], errs[i] = p.geometryOf(t, places[i].layer, places[i].box); errs[i] == nil {
			geometries[i].cost = p.cost(t, geometries[i])
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	p.engine.For(len(units), func(i int) {
		u := units[i]
		u.geo, u.parts = geometries[at[i]], make([]Part, len(stops))
		for j, name := range stops {
			c, box := t.Shapes[name].C, u.geo.boxes[name]
			u.parts[j] = Part{Box: box, C: c, Values: make([]float32, c*box.Area())}
		}
	})
	return units, nil
}

func (p *Pass) batch(t *model.Trace, w *way, units []*unit, k *kept) error {
	mem := p.arena()
	defer p.release(mem)
	d := &descent{p: p, t: t, k: kernel.Of(p.engine), mem: mem, way: w, kept: k, units: units, signals: map[string]signal{}}
	layer := units[0].start.Layer
	size := t.Shapes[layer].C * d.box(layer).Area()
	begin := mem.get(len(units) * size)
	clear(begin)
	for i, u := range units {
		put(begin[i*size:(i+1)*size], u.geo.boxes[layer], u.start.Values, u.start.Box, t.Shapes[layer].C)
	}
	d.signals[layer] = signal{data: begin, owned: true}
	return d.run(len(p.net.Nodes) - 1)
}
