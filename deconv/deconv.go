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

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
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
	part := backward.Part{Box: p.Box, C: p.C, Values: p.Pixels}
	return part.Full(h, w)
}

// Projector projects units of one network by one rule. It holds the network's
// weights packed for the way down. Safe for concurrent use.
type Projector struct {
	// Whole makes projections compute whole planes, unit by unit, with all their
	// zeros: the plain reference. The pixels are the same. It must be set before the first use.
	Whole bool
	// Fast lets convolutions use Winograd's algorithm. Pixels are then exact to
	// about 1e-5 of the largest instead of 1e-6. It must be set before the first use.
	Fast bool

	engine *model.Engine
	net    *model.Network
	rule   Rule

	once sync.Once
	down *backward.Pass
}

// New returns a projector for net by rule.
func New(engine *model.Engine, net *model.Network, rule Rule) *Projector {
	return &Projector{engine: engine, net: net, rule: rule}
}

// pass is the way down.
func (p *Projector) pass() *backward.Pass {
	p.once.Do(func() {
		p.down = backward.New(p.engine, p.net, p.rule, backward.Options{Whole: p.Whole, Fast: p.Fast})
	})
	return p.down
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
	keep, err := backward.New(p.engine, p.net, p.rule, backward.Options{}).Keep(layers, p.net.Input.Name)
	if err != nil {
		return model.Keep{}, fmt.Errorf("%w", err)
	}
	keep.Layers = append(keep.Layers, layers...)
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

// ProjectAll projects many units of one trace, in the order given. Units whose
// receptive fields lie alike go down together, so that the products have good
// shapes; the pixels are those of Project.
func (p *Projector) ProjectAll(ctx context.Context, t *model.Trace, targets []Target) ([]*Projection, error) {
	if t.Net != p.net {
		return nil, fmt.Errorf("the trace is of another network")
	}
	out, starts := make([]*Projection, len(targets)), make([]backward.Start, len(targets))
	for i, target := range targets {
		u := target.Unit
		if target.Image < 0 || target.Image >= t.N() {
			return nil, fmt.Errorf("image %d of a batch of %d", target.Image, t.N())
		}
		if err := p.net.CheckUnitIn(t.Shapes, u); err != nil {
			return nil, fmt.Errorf("%w", err)
		}
		if t.Value(u.Layer) == nil {
			return nil, fmt.Errorf("layer %s: the trace does not hold its value", u.Layer)
		}
		out[i] = &Projection{Unit: u, Image: target.Image, Value: t.At(target.Image, u), Rule: p.rule, C: p.net.Input.C}
		starts[i] = backward.Unit(t, target.Image, u, out[i].Value)
	}
	parts, err := p.pass().Down(ctx, t, starts, p.net.Input.Name)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	for i := range out {
		out[i].Box, out[i].Pixels = parts[i][0].Box, parts[i][0].Values
	}
	return out, nil
}
