package maximize

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
	"github.com/deconvnet/viz/model/tensor"
)

// Run makes pictures of a list of goals, one goal after the other. It is of one
// goroutine.
type Run struct {
	engine *model.Engine
	net    *model.Network
	hash   string
	o      Options
	goals  []Goal
	aims   []*aim
	canvas *canvas
	pass   *backward.Pass
	maps   string // the layer that diversity compares, "": none
	done   int    // steps of all goals
	state  []*state
}

// state is how far a goal is.
type state struct {
	starts []*start
}

// start is how far one of a goal's pictures is.
type start struct {
	numbers []float32
	m, v    []float32   // Adam's means of the gradient and its square
	values  []float32   // of the goal, before each step
	frames  [][]float32 // in the network's units
	final   float64     // the goal's value for the finished picture, without jitter
}

// Picture is one of a goal's pictures.
type Picture struct {
	Image  []float32   // [C, H, W] in the network's units
	Value  float64     // of the goal
	Values []float32   // of the goal before each step, of the picture moved and turned at random
	Frames [][]float32 // on the way, see Options.Frames
}

// Result is what became of a goal.
type Result struct {
	Goal   Goal
	Starts []Picture
}

// New prepares a run. The error names what the network does not carry.
func New(engine *model.Engine, net *model.Network, goals []Goal, o Options) (*Run, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if len(goals) == 0 {
		return nil, &FieldError{"unit", "is missing: want a layer's channel, or a class"}
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	r := &Run{engine: engine, net: net, hash: net.Hash(), o: o.For(net.Input), goals: goals,
		pass: backward.New(engine, net, backward.Gradient, backward.Options{})}
	if v := net.Volume(net.Input.Name); v != nil {
		return nil, fmt.Errorf("the input is a volume of %d planes: pictures are made for networks of rows and columns", v[1])
	}
	r.canvas = newCanvas(kernel.Of(engine), net, r.o)
	for _, g := range goals {
		a, err := newAim(net, shapes, g)
		if err != nil {
			return nil, err
		}
		if _, err := r.pass.Keep(a.layers(), net.Input.Name); err != nil {
			return nil, fmt.Errorf("%s: %w", g.Name(net), err)
		}
		r.aims = append(r.aims, a)
		r.state = append(r.state, &state{})
	}
	return r, nil
}

// Options are the run's, with the defaults filled in.
func (r *Run) Options() Options { return r.o }

// Total is the number of steps of all goals.
func (r *Run) Total() int { return r.o.Steps * len(r.goals) }

// Done is the number of steps that are done.
func (r *Run) Done() int { return r.done }

// Run makes the steps that are left. If ctx ends it, the run can be saved, and can go
// on. each, if it is not nil, is called after every step.
func (r *Run) Run(ctx context.Context, each func() error) error {
	var plan *model.Plan
	for goal := -1; r.done < r.Total(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		if g := r.done / r.o.Steps; g != goal {
			goal = g
			var err error
			if plan, err = r.plan(goal); err != nil {
				return err
			}
		}
		if err := r.step(ctx, plan, goal, r.done%r.o.Steps); err != nil {
			return fmt.Errorf("%s: %w", r.goals[goal].Name(r.net), err)
		}
		r.done++
		if r.o.Progress != nil {
			r.o.Progress(r.done, r.Total())
		}
		if each != nil {
			if err := each(); err != nil {
				return err
			}
		}
	}
	return nil
}

// plan compiles the forward pass of a goal, and finds whose maps diversity compares.
func (r *Run) plan(goal int) (*model.Plan, error) {
	a := r.aims[goal]
	layers := a.layers()
	r.maps = ""
	if r.o.Diversity > 0 && r.o.Starts > 1 {
		if r.maps = a.at.layer; a.at.values != nil || a.shapes[r.maps].H*a.shapes[r.maps].W < 2 {
			var err error
			if r.maps, err = r.net.LastFeatures(); err != nil {
				return nil, err
			}
		}
		layers = append(layers, r.maps)
	}
	keep, err := r.pass.Keep(layers, r.net.Input.Name)
	if err != nil {
		return nil, err
	}
	keep.Layers = append(keep.Layers, layers...)
	slices.Sort(keep.Layers)
	keep.Layers = slices.DeleteFunc(slices.Compact(keep.Layers), func(s string) bool { return s == r.net.Input.Name })
	return r.engine.Compile(r.net, keep)
}

// begin draws the numbers of a goal's pictures.
func (r *Run) begin(goal int) {
	if r.state[goal].starts != nil {
		return
	}
	deviation := 0.5 // about the contrast of photographs: what fires on nothing flat fires at the start
	if r.o.Paint == Pixels {
		deviation = 0.3
	}
	for i := range r.o.Starts {
		rng := r.random(goal, i, 0)
		n := r.canvas.size()
		s := &start{numbers: make([]float32, n), m: make([]float32, n), v: make([]float32, n)}
		for j := range s.numbers {
			s.numbers[j] = float32(deviation * exact.Normal(rng))
		}
		r.state[goal].starts = append(r.state[goal].starts, s)
	}
}

// random is what is drawn for one start of a goal: 0 of its noise, 1 and up of its
// steps. It does not depend on the other goals.
func (r *Run) random(goal, start, step int) *rand.Rand {
	return rand.New(rand.NewPCG(r.o.Seed, uint64(start)<<32|uint64(step)))
}

// step makes one step of all pictures of a goal.
func (r *Run) step(ctx context.Context, plan *model.Plan, goal, number int) error {
	r.begin(goal)
	starts := r.state[goal].starts
	in := r.net.Input
	pictures, views := make([][]float64, len(starts)), make([]glimpse, len(starts))
	xs, size := tensor.New(len(starts), in.C, in.H, in.W), in.Shape().Len()
	r.engine.For(len(starts), func(i int) {
		pictures[i] = r.canvas.picture(starts[i].numbers)
		views[i] = r.canvas.draw(in, r.o, r.random(goal, i, number+1))
		views[i].see(r.canvas.units(pictures[i]), xs.Data[i*size:(i+1)*size])
	})
	gradients, values, err := r.gradients(ctx, plan, goal, xs)
	if err != nil {
		return err
	}
	r.engine.For(len(starts), func(i int) {
		starts[i].values = append(starts[i].values, float32(values[i]))
		r.climb(starts[i], views[i], pictures[i], gradients[i], number+1)
	})
	if last := number+1 == r.o.Steps; last {
		return r.finish(plan, goal)
	}
	if n := r.o.Frames; n > 0 && (number+1)*n/r.o.Steps > number*n/r.o.Steps {
		for _, s := range starts {
			s.frames = append(s.frames, r.shown(s))
		}
	}
	return nil
}

// gradients are those of the goal over the views, and the goal's values.
func (r *Run) gradients(ctx context.Context, plan *model.Plan, goal int, xs *tensor.Tensor) ([][]float32, []float64, error) {
	a, n := r.aims[goal], xs.Shape[0]
	most := n
	if r.maps == "" {
		most = plan.Batch(r.o.Memory, n)
	}
	var gradients [][]float32
	var values []float64
	for first := 0; first < n; first += most {
		t, err := plan.Run(xs.Slice(first, min(first+most, n)))
		if err != nil {
			return nil, nil, err
		}
		var begin []backward.Start
		var here []float64
		for i := range t.N() {
			v, _ := a.value(t, i)
			if v-v != 0 {
				return nil, nil, fmt.Errorf("the value is %g", v)
			}
			here = append(here, v)
			begin = append(begin, a.start(t, i))
		}
		if r.maps != "" {
			begin = append(begin, r.apart(t, here)...)
		}
		parts, err := r.pass.Down(ctx, t, begin, r.net.Input.Name)
		if err != nil {
			return nil, nil, err
		}
		for i := range t.N() {
			g := parts[i][0].Full(r.net.Input.H, r.net.Input.W)
			if r.maps != "" {
				for j, v := range parts[t.N()+i][0].Full(r.net.Input.H, r.net.Input.W) {
					g[j] += v
				}
			}
			gradients = append(gradients, g)
		}
		values = append(values, here...)
	}
	return gradients, values, nil
}

// apart are the signals that make the starts unlike each other.
func (r *Run) apart(t *model.Trace, values []float64) []backward.Start {
	s := t.Shapes[r.maps]
	data := t.Value(r.maps).Data
	maps, weights := make([][]float32, t.N()), make([]float64, t.N())
	for i := range maps {
		maps[i] = data[i*s.Len() : (i+1)*s.Len()]
		weights[i] = r.o.Diversity * math.Abs(values[i])
	}
	_, gradient := likeness(kernel.Of(r.engine), maps, s.C, weights)
	var out []backward.Start
	for i, g := range gradient {
		for j := range g {
			g[j] = -g[j]
		}
		out = append(out, backward.Start{Image: i, Layer: r.maps, Values: g})
	}
	return out
}

// Adam's constants (D. Kingma, J. Ba, Adam, 2015).
const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-8
)

// climb makes one step of one picture.
func (r *Run) climb(s *start, view glimpse, picture []float64, gradient []float32, step int) {
	v := r.canvas
	g := make([]float64, len(picture))
	view.back(gradient, g)
	square := 0.0
	for i := range g {
		c := i / (v.h * v.w)
		g[i] *= v.hi[c] - v.lo[c]
		square += float64(g[i] * g[i])
	}
	if square > 0 {
		k := 1 / math.Sqrt(square/float64(len(g)))
		for i := range g {
			g[i] *= k
		}
	}
	v.penalty(picture, *r.o.L2, *r.o.Variation, g)
	c1, c2 := 1-exact.Pow(beta1, float64(step)), 1-exact.Pow(beta2, float64(step))
	for i, d := range v.gradient(picture, g) {
		m := float64(beta1*float64(s.m[i])) + float64((1-beta1)*d)
		q := float64(beta2*float64(s.v[i])) + float64((1-beta2)*d*d)
		s.m[i], s.v[i] = float32(m), float32(q)
		s.numbers[i] = float32(float64(s.numbers[i]) + r.o.Rate*(m/c1)/(math.Sqrt(q/c2)+epsilon))
	}
	if r.o.Blur > 0 && step%4 == 0 {
		v.blur(s.numbers, r.o.Blur)
	}
}

// shown is a picture as the network sees it without jitter.
func (r *Run) shown(s *start) []float32 {
	return r.canvas.middle(r.canvas.units(r.canvas.picture(s.numbers)), r.net.Input)
}

// finish keeps the finished pictures' values, and forgets what only steps need.
func (r *Run) finish(plan *model.Plan, goal int) error {
	in := r.net.Input
	for _, s := range r.state[goal].starts {
		x := r.shown(s)
		t, err := plan.Run(tensor.From(x, 1, in.C, in.H, in.W))
		if err != nil {
			return err
		}
		s.final, _ = r.aims[goal].value(t, 0)
		s.m, s.v = nil, nil
		if r.o.Frames > 0 {
			s.frames = append(s.frames, x)
		}
	}
	return nil
}

// Results are those of the goals that are finished.
func (r *Run) Results() []Result {
	var out []Result
	for i := range r.done / r.o.Steps {
		one := Result{Goal: r.goals[i]}
		for _, s := range r.state[i].starts {
			one.Starts = append(one.Starts, Picture{Image: r.shown(s), Value: s.final, Values: s.values, Frames: s.frames})
		}
		out = append(out, one)
	}
	return out
}
