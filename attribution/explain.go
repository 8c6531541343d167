package attribution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
	"github.com/deconvnet/viz/model/tensor"
)

// Explainer explains images to one network. It keeps what it prepared, so that many
// images and methods share it. Safe for concurrent use.
type Explainer struct {
	engine *model.Engine
	net    *model.Network

	mu     sync.Mutex
	passes map[way]*backward.Pass
	plans  map[string]*model.Plan
}

// New makes an Explainer. The engine and the network stay the caller's.
func New(engine *model.Engine, net *model.Network) *Explainer {
	return &Explainer{engine: engine, net: net, passes: map[way]*backward.Pass{}, plans: map[string]*model.Plan{}}
}

// Explain answers a request for an image [1, C, H, W] with one result for each
// target, which share their forward passes.
func (e *Explainer) Explain(ctx context.Context, x *tensor.Tensor, r Request) ([]*Result, error) {
	out, err := e.explain(ctx, x, r)
	if err == nil {
		err = finite(out, r.Method == Occlusion || r.Base == Occlusion)
	}
	var field *FieldError
	if err == nil || errors.As(err, &field) || ctx.Err() != nil {
		return out, err
	}
	return nil, fmt.Errorf("%s: %w", orElse(r.Method, Saliency), err)
}

// finite is an error if values of a map are not finite: nothing can be ranked or drawn by them. gaps allows
// NaN: an occlusion has it where no patch covers a pixel.
func finite(maps []*Result, gaps bool) error {
	for _, m := range maps {
		for i, v := range m.Values {
			if v-v != 0 && !(gaps && v != v) {
				return fmt.Errorf("value %d of the map is %g: the weights or the input are too large, or damaged", i, v)
			}
		}
	}
	return nil
}

func (e *Explainer) explain(ctx context.Context, x *tensor.Tensor, r Request) ([]*Result, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	in := e.net.Input
	if want := in.Shape().Batch(1); !slices.Equal(x.Shape, want) {
		return nil, fmt.Errorf("the image is %v, want %v", x.Shape, want)
	}
	run := &run{e: e, r: r.with(), x: x.Data}
	var err error
	if run.shapes, err = e.net.Shapes(); err != nil {
		return nil, err
	}
	if err := run.open(); err != nil {
		return nil, err
	}
	switch run.r.Method.info().family {
	case ofInput, ofLayer:
		return run.once(ctx)
	case ofPath:
		return run.integrated(ctx)
	case ofNoise:
		return run.noisy(ctx)
	case ofMasks:
		return run.masked(ctx)
	}
	if run.r.Method == RISE {
		return run.rise(ctx)
	}
	return run.occlusion(ctx)
}

// run is one request for one image.
type run struct {
	e      *Explainer
	r      Request
	x      []float32
	shapes map[string]model.Shape
	layers []string // of class activation methods
	places []model.Places
	clean  *model.Trace // of the image, with what the method needs
	read   *model.Reading
	scores []float64 // of the image, by target
}

// way is the way down that a method takes.
type way struct {
	rule backward.Rule
	fast bool // by Winograd's algorithm
}

// way is fast where many gradients are averaged, and kinks on the path decide on more than rounding does.
func (m Method) way() way {
	switch m {
	case Guided:
		return way{rule: backward.Guided}
	case Deconvnet:
		return way{rule: backward.Paper}
	}
	return way{backward.Gradient, m == IntegratedGradients}
}

// open runs the network on the image and finds the targets.
func (r *run) open() error {
	net := r.e.net
	if r.classes() {
		var err error
		if r.read, err = net.Reading(); err != nil {
			return err
		}
	}
	for _, t := range r.r.Targets {
		if t.Unit != nil {
			if err := net.CheckUnitIn(r.shapes, *t.Unit); err != nil {
				return err
			}
		} else if err := r.read.Check(t.Target); err != nil {
			return err
		}
	}
	if r.r.Method.AtLayer() || r.r.Method.Noisy() && r.r.Base.AtLayer() {
		if err := r.findLayers(); err != nil {
			return err
		}
	}
	plan, err := r.plan(r.r.Method)
	if err != nil {
		return err
	}
	in := net.Input
	if r.clean, err = plan.Run(tensor.From(r.x, 1, in.C, in.H, in.W)); err != nil {
		return err
	}
	if r.r.Targets == nil {
		r.r.Targets = []Target{{Target: r.read.Default(r.clean.Value(net.Logits).Data)}}
	}
	r.scores = r.tell(r.clean, 0)
	for i, s := range r.scores {
		if s-s != 0 {
			return fmt.Errorf("the score of %s is %g", r.r.Targets[i].Name(net), s)
		}
	}
	return nil
}

// classes reports whether any target is a class.
func (r *run) classes() bool {
	return r.r.Targets == nil || slices.ContainsFunc(r.r.Targets, func(t Target) bool { return t.Unit == nil })
}

// findLayers checks the layers whose maps are wanted.
func (r *run) findLayers() error {
	r.layers = r.r.Layers
	if len(r.layers) == 0 {
		last := r.e.net.LastTokens()
		if last == "" {
			var err error
			if last, err = r.e.net.LastFeatures(); err != nil {
				return fmt.Errorf("%w; methods that need none: %s", err, strings.Join(withoutLayer(), ", "))
			}
		}
		r.layers = []string{last}
	}
	for _, name := range r.layers {
		s, ok := r.shapes[name]
		switch {
		case !ok:
			return fmt.Errorf("no layer %q", name)
		case s.Flat:
			return fmt.Errorf("layer %s has %d numbers without places, no maps", name, s.C)
		}
		if v := r.e.net.Volume(name); v != nil {
			return fmt.Errorf("layer %s holds volumes of %dx%dx%d (depth, rows, columns): methods that draw a layer's maps need maps of rows and columns; viz gradcam draws volumes", name, v[1], v[2], v[3])
		}
		places, err := r.e.net.Places(name, r.r.Tokens)
		if err != nil {
			return err
		}
		r.places = append(r.places, places)
	}
	return nil
}

// maps are a layer's value as maps, [C][H*W] of its places.
func maps(p model.Places, value []float32) []float32 {
	if !p.Last && p.Before == 0 {
		return value
	}
	plane := p.H * p.W
	out := make([]float32, p.Channels*plane)
	for i := range out {
		out[i] = value[p.Index(i/plane, i%plane)]
	}
	return out
}

// at is the node that a target is read from.
func (r *run) at(t Target) string {
	if t.Unit != nil {
		return t.Unit.Layer
	}
	return r.e.net.Logits
}

// from lists the nodes that targets are read from.
func (r *run) from() []string {
	if r.r.Targets == nil {
		return []string{r.e.net.Logits}
	}
	var out []string
	for _, t := range r.r.Targets {
		if name := r.at(t); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// stops is where a method's way down ends.
func (r *run) stops(m Method) []string {
	if m.info().family == ofLayer {
		return r.layers
	}
	return []string{r.e.net.Input.Name}
}

// plan is a forward pass with what a method reads.
func (r *run) plan(m Method) (*model.Plan, error) {
	keep := model.Keep{Layers: r.from()}
	switch m.info().family {
	case ofInput, ofLayer:
		down, err := r.e.pass(m).Keep(r.from(), r.stops(m)...)
		if err != nil {
			return nil, err
		}
		down.Layers = append(down.Layers, keep.Layers...)
		keep = down
		if m.AtLayer() {
			keep.Layers = append(keep.Layers, r.layers...)
		}
	case ofMasks:
		keep.Layers = append(keep.Layers, r.layers...)
	}
	return r.e.plan(keep)
}

// plan compiles a forward pass once. The input is always there and is not listed.
func (e *Explainer) plan(keep model.Keep) (*model.Plan, error) {
	slices.Sort(keep.Layers)
	keep.Layers = slices.DeleteFunc(slices.Compact(keep.Layers), func(s string) bool { return s == e.net.Input.Name })
	key := fmt.Sprintf("%v %v %s", keep.Switches, keep.Fast, strings.Join(keep.Layers, "\x00"))
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.plans[key]; p != nil {
		return p, nil
	}
	for _, other := range e.plans {
		keep.Like = append(keep.Like, other)
	}
	p, err := e.engine.Compile(e.net, keep)
	if err == nil {
		e.plans[key] = p
	}
	return p, err
}

// pass is a method's way down, with its packed weights.
func (e *Explainer) pass(m Method) *backward.Pass {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := m.way()
	p := e.passes[w]
	if p == nil {
		p = backward.New(e.engine, e.net, w.rule, backward.Options{Fast: w.fast})
		e.passes[w] = p
	}
	return p
}

// tell reads the targets off one image of a trace.
func (r *run) tell(t *model.Trace, image int) []float64 {
	out := make([]float64, len(r.r.Targets))
	for i, target := range r.r.Targets {
		if target.Unit != nil {
			out[i] = float64(t.At(image, *target.Unit))
			continue
		}
		out[i] = r.read.Tell(r.logits(t, image), target.Target).Score
	}
	return out
}

// logits are the scores of one image of a trace.
func (r *run) logits(t *model.Trace, image int) []float32 {
	n := r.shapes[r.e.net.Logits].Len()
	return t.Value(r.e.net.Logits).Data[image*n : (image+1)*n]
}

// starts are the targets' signals for n images: image after image.
func (r *run) starts(t *model.Trace) []backward.Start {
	var out []backward.Start
	for i := range t.N() {
		for _, target := range r.r.Targets {
			if target.Unit != nil {
				out = append(out, backward.Unit(t, i, *target.Unit, 1))
				continue
			}
			out = append(out, backward.Start{Image: i, Layer: r.e.net.Logits, Values: r.read.Start(target.Target)})
		}
	}
	return out
}

// down takes the targets of every image of a trace down to a method's stops:
// [image*len(targets) + target][stop], whole maps.
func (r *run) down(ctx context.Context, t *model.Trace, m Method) ([][][]float32, error) {
	stops := r.stops(m)
	parts, err := r.e.pass(m).Down(ctx, t, r.starts(t), stops...)
	if err != nil {
		return nil, err
	}
	out := make([][][]float32, len(parts))
	for i, list := range parts {
		for j, p := range list {
			if p.Box.Empty() {
				target := r.r.Targets[i%len(r.r.Targets)]
				return nil, fmt.Errorf("%s does not depend on layer %s", target.Name(r.e.net), stops[j])
			}
			s := r.shapes[stops[j]]
			if p.Box == s.Box() {
				out[i] = append(out[i], p.Values)
			} else {
				out[i] = append(out[i], p.Full(s.H, s.W))
			}
		}
	}
	return out, nil
}

// Forget drops what was prepared for the methods used so far, for a caller to whom memory matters more than time.
func (e *Explainer) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.passes)
	clear(e.plans)
}

// Memory is about how many bytes explaining one image by one of the methods takes at least, beside the network.
func (e *Explainer) Memory(methods ...Method) (int, error) {
	shapes, err := e.net.Shapes()
	if err != nil {
		return 0, err
	}
	values := 0
	for _, s := range shapes {
		values += 2 * s.Len() // a pool also keeps which of its inputs was the largest
	}
	most := 0
	for _, m := range methods {
		r := run{e: e, r: Request{Method: m}, shapes: shapes}
		most = max(most, r.signals())
	}
	return 4*values + most, nil
}

// signals is the memory, beside the trace, of a few signals of the size of the largest value for each worker, and of the
// convolutions' weights, packed for both ways; by Winograd's algorithm those of 3x3 take up to four times as much.
func (r *run) signals() int {
	largest, packed := 1, 0
	for _, s := range r.shapes {
		largest = max(largest, s.Len())
	}
	for i := range r.e.net.Nodes {
		if l, ok := r.e.net.Nodes[i].Layer.(*model.Conv); ok {
			packed += 2 * l.Weight.Len()
			if r.r.Method.way().fast && l.Maps() && l.Weight.Shape[2] > 1 {
				packed += 3 * l.Weight.Len()
			}
		}
	}
	return 4 * (7*largest*r.e.engine.Workers() + packed)
}

// batch is how many images may go through a plan, and back down, together.
func (r *run) batch(p *model.Plan, down bool) int {
	bytes := r.r.Memory
	if down {
		bytes -= r.signals()
	}
	return p.Batch(max(bytes, 1), atOnce)
}

// tick tells the progress.
func (r *run) tick(done, total int) {
	if r.r.Progress != nil {
		r.r.Progress(done, total)
	}
}
