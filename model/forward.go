package model

import (
	"errors"
	"fmt"
	"sync"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/internal/pages"
	"github.com/deconvnet/viz/model/tensor"
)

// Keep says what a forward pass keeps in its Trace.
type Keep struct {
	Layers   []string // values to keep; nil: all
	Switches bool     // keep the max pools' switches too (always so if Layers is nil)
	// Fast lets convolutions use Winograd's algorithm where that is faster. Values
	// are then exact to 1e-4 of a layer's largest instead of 1e-6, and their last
	// bits depend on the size of the batch, unless Batch says one.
	Fast bool
	// Batch is the size of batches that a Fast plan is made for. It runs all others
	// too, and its bits do not depend on their size. 0: each as is fastest for it.
	Batch int
	// Before, if there is one, is called before each layer is computed, for measuring.
	Before func(layer string)
	// Like are other plans of the same engine: weights that they have packed in the same way are shared with them.
	Like []*Plan
}

// packed finds the packed weights of a step that another plan has, nil if none does.
func (k Keep) packed(e *Engine, s *step) *kernel.Filters {
	for _, p := range k.Like {
		for i := range p.steps {
			t := &p.steps[i]
			if p.engine == e && t.filters != nil && t.fast == s.fast && t.batch == s.batch && t.Node.Layer == s.Node.Layer && sameLayer(t.Norm, s.Norm) {
				return t.filters
			}
		}
	}
	return nil
}

// sameLayer reports whether two nodes, which may be nil, have one layer.
func sameLayer(a, b *Node) bool { return a == b || a != nil && b != nil && a.Layer == b.Layer }

// Plan is a network made ready to run: which nodes are needed, weights packed
// for the kernels, batch normalisation and rectifiers fused into convolutions
// where nobody asked for the values in between, buffers reused once their last
// reader has run. Safe for concurrent use.
type Plan struct {
	engine *Engine
	net    *Network
	graph  *Graph
	shapes map[string]Shape
	steps  []step

	before   func(layer string) // of Keep
	slotSize []int              // floats of each per image
	part     int                // images that go through the network together

	mu   sync.Mutex
	idle []*arena
}

// arena is the memory of one pass at a time.
type arena struct {
	slots  [][]float32
	images int         // that the slots are large enough for
	live   [][]float32 // the values by number: 0 is the input, i+1 what step i computes
	call   call

	// Of a run whose parts are shared out: the trace, what became of each part, and what computes it.
	trace *Trace
	errs  []error
	each  func(part, worker int)
}

// step computes one value, or several at once when layers are fused.
type step struct {
	Fused
	inputs   []int // numbers of the values read
	shapes   []Shape
	placed   []bool // of a concatenation: inputs that are computed in its memory
	into     int    // number of the concatenation whose memory the value is computed in, 0 if none
	offset   int    // there, in each image
	filters  *kernel.Filters
	fast     bool
	batch    int // of Keep
	epilogue kernel.Epilogue
	walk     *kernel.Walk // through the arrays of a Binary or Rearrange
	product  *matProduct  // of a MatMul
	scale    []float32    // batch norm
	shift    []float32
	mid      Shape // of the values that go into Pool
	alias    bool  // shares its input's memory
	keep     bool  // part of the trace
	slot     int   // scratch slot of the output, -1 if kept
	switches bool

	pair   *kernel.Pair // of a depthwise convolution: computes the step before it too, see pairUp
	first  *step        // that step
	within bool         // is such a step, which computes nothing by itself
}

// Compile prepares net for running on the engine.
func (e *Engine) Compile(net *Network, keep Keep) (*Plan, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	p := &Plan{engine: e, net: net, shapes: shapes, before: keep.Before}
	wanted := keep.Layers
	if wanted == nil {
		wanted = net.names()
	}
	for _, name := range keep.Layers {
		if _, ok := shapes[name]; !ok {
			return nil, fmt.Errorf("%w", &UnknownName{What: "layer", Name: name, Nearest: nearest(name, net.names())})
		}
	}
	p.graph = net.Graph(wanted...)
	switches := keep.Layers == nil || keep.Switches
	numbers := map[string]int{net.Input.Name: 0}
	for i, f := range p.graph.Fusions(func(f *Fused, next *Node) bool { return p.fuses(f, next, switches) }) {
		s := step{Fused: f, slot: -1, fast: keep.Fast, batch: keep.Batch}
		for _, in := range f.Node.Inputs {
			s.inputs, s.shapes = append(s.inputs, numbers[in]), append(s.shapes, shapes[in])
		}
		if f.Pool != nil {
			s.mid = shapes[f.Pool.Inputs[0]]
		}
		s.switches = switches && isMaxPool(f.Node.Layer)
		s.alias = IsView(f.Node.Layer)
		p.steps = append(p.steps, s)
		numbers[f.Out] = i + 1
	}
	e.For(len(p.steps), func(i int) {
		s := &p.steps[i]
		if l, ok := s.Node.Layer.(preparer); ok {
			s.filters = keep.packed(e, s)
			l.prepare(s)
		}
	})
	p.pairUp()
	p.joinInPlace()
	p.assignSlots()
	p.choosePart()
	return p, nil
}

// fuses reports whether one step of the plan can do next with f.
func (p *Plan) fuses(f *Fused, next *Node, switches bool) bool {
	conv := ConvOfMaps(f.Node.Layer)
	switch next.Layer.(type) {
	case *BatchNorm:
		return conv != nil
	case *Binary:
		_, product := f.Node.Layer.(*MatMul)
		return product
	case *Pool:
		return conv != nil && !switches && conv.geometry().StrideY > 1 && p.shapes[f.Out].Len() >= pooledAtOnce
	}
	return storedWith(f.Node.Layer, next.Layer)
}

// joinInPlace lets convolutions that only a concatenation reads write where the
// concatenation wants them.
func (p *Plan) joinInPlace() {
	for i := range p.steps {
		s := &p.steps[i]
		if l, ok := s.Node.Layer.(*Concat); !ok || !l.Maps() {
			continue
		}
		at := 0
		for k, v := range s.inputs {
			name := s.Node.Inputs[k]
			if v > 0 && p.graph.OnlyReader(name) != nil {
				from := &p.steps[v-1]
				if ConvOfMaps(from.Node.Layer) != nil && from.Pool == nil {
					from.into, from.offset = i+1, at
					if s.placed == nil {
						s.placed = make([]bool, len(s.inputs))
					}
					s.placed[k] = true
					from.epilogue.Stride = p.shapes[s.Out].Len()
				}
			}
			at += p.shapes[name].Len()
		}
	}
}

// pooledAtOnce is the size of a convolution's output from which on it is pooled
// before it leaves the cache.
const pooledAtOnce = 256 << 10

// assignSlots gives every value that is not kept a scratch slot that is free
// from the step that computes it to its last reader. An alias lives in the
// memory of its source, which it keeps alive.
func (p *Plan) assignSlots() {
	kept := p.graph.wanted
	source := map[string]string{} // alias -> value whose memory it is
	root := func(v string) string {
		for {
			s, ok := source[v]
			if !ok {
				return v
			}
			v = s
		}
	}
	last := map[string]int{}
	owned := map[string]bool{}
	for i := range p.steps {
		s := &p.steps[i]
		for _, in := range s.reads() {
			last[root(in)] = i
		}
		if s.alias {
			r := root(s.Node.Inputs[0])
			source[s.Out] = r
			if kept[s.Out] {
				owned[r] = true // a kept view keeps its memory
			}
		}
	}
	var free []int
	busy := map[string]int{}
	acquire := func(s *step) {
		if s.slot >= 0 || s.alias || s.within || kept[s.Out] || owned[s.Out] {
			return
		}
		if len(free) == 0 {
			free = append(free, len(p.slotSize))
			p.slotSize = append(p.slotSize, 0)
		}
		s.slot = free[len(free)-1]
		free = free[:len(free)-1]
		busy[s.Out] = s.slot
		p.slotSize[s.slot] = max(p.slotSize[s.slot], p.shapes[s.Out].Len())
	}
	for i := range p.steps {
		s := &p.steps[i]
		s.keep = kept[s.Out]
		if s.into > 0 {
			acquire(&p.steps[s.into-1])
		} else {
			acquire(s)
		}
		for _, in := range s.reads() {
			r := root(in)
			if slot, ok := busy[r]; ok && last[r] == i {
				free = append(free, slot)
				delete(busy, r)
			}
		}
		if slot, ok := busy[s.Out]; ok {
			if _, read := last[s.Out]; !read {
				free = append(free, slot)
				delete(busy, s.Out)
			}
		}
	}
}

// Net is the network the plan runs.
func (p *Plan) Net() *Network { return p.net }

// Engine is the engine the plan runs on.
func (p *Plan) Engine() *Engine { return p.engine }

// Batch returns how many images a pass should take to stay within about the
// given bytes: the values of the trace and those between, and the input; at least
// 1, at most most.
func (p *Plan) Batch(bytes, most int) int {
	return min(max(bytes/p.Bytes(), 1), most)
}

// Bytes is about what a pass takes for each image: the values of the trace and those between, and the input.
func (p *Plan) Bytes() int {
	size := p.net.Input.Shape().Len()
	for i := range p.steps {
		s := &p.steps[i]
		n := p.shapes[s.Out].Len()
		if s.traced() {
			size += n
		}
		if s.switches {
			size += n
		}
	}
	for _, n := range p.slotSize {
		size += n
	}
	return 4 * size
}

// Run computes a batch x [N, C, H, W]. The trace owns its memory.
func (p *Plan) Run(x *tensor.Tensor) (*Trace, error) {
	t := &Trace{}
	return t, p.RunInto(t, x)
}

// RunInto is Run with the memory of a trace that an earlier run of this plan made
// and nobody reads any more; a batch of that size or less then allocates nothing. On
// an error the trace is of no use.
func (p *Plan) RunInto(t *Trace, x *tensor.Tensor) error {
	in := p.net.Input
	if len(x.Shape) != 4 || x.Shape[0] < 1 || x.Shape[1] != in.C || x.Shape[2] != in.H || x.Shape[3] != in.W {
		return fmt.Errorf("input %s is %v, want [N %d %d %d]", in.Name, x.Shape, in.C, in.H, in.W)
	}
	n := x.Shape[0]
	if t.values == nil || t.Net != p.net {
		t.values, t.switches = map[string]*tensor.Tensor{}, map[string][]int32{}
	}
	t.Net, t.Input, t.Shapes = p.net, x, p.shapes
	for i := range p.steps {
		s := &p.steps[i]
		size := n * p.shapes[s.Out].Len()
		if v := t.values[s.Out]; s.traced() && (v == nil || cap(v.Data) < size) {
			t.values[s.Out] = tensor.New(p.shapes[s.Out].Batch(n)...)
		} else if s.traced() && len(v.Data) != size {
			t.values[s.Out] = tensor.From(v.Data[:size], p.shapes[s.Out].Batch(n)...)
		}
		if s.switches && cap(t.switches[s.Out]) < size {
			t.switches[s.Out] = make([]int32, size)
		} else if s.switches {
			t.switches[s.Out] = t.switches[s.Out][:size]
		}
	}
	if err := p.runParts(t, n); err != nil {
		return err
	}
	for i := range p.steps {
		if s := &p.steps[i]; s.keep && s.alias {
			data := p.root(t, i)
			if v := t.values[s.Out]; v == nil || len(v.Data) != len(data) || len(data) > 0 && &v.Data[0] != &data[0] {
				t.values[s.Out] = tensor.From(data, p.shapes[s.Out].Batch(n)...)
			}
		}
	}
	return nil
}

// traced reports whether the step's values are memory of the trace: they are kept,
// or a value that is kept is a view of them.
func (s *step) traced() bool { return s.slot < 0 && !s.alias && !s.within && s.into == 0 }

// root returns the memory that value i+1, an alias, is a view of.
func (p *Plan) root(t *Trace, i int) []float32 {
	for p.steps[i].alias {
		v := p.steps[i].inputs[0]
		if v == 0 {
			return t.Input.Data
		}
		i = v - 1
	}
	return t.values[p.steps[i].Out].Data
}

// runParts computes the n images of the trace. Of as many parts as can be shared out evenly each goes through the
// whole network on one worker, which then waits for no other after each layer; on the rest the workers run together.
func (p *Plan) runParts(t *Trace, n int) error {
	a := p.arena()
	defer p.release(a)
	shared := 0
	if workers := p.engine.Workers(); workers > 1 && p.before == nil {
		shared = n / p.part / workers * workers
	}
	if shared > 0 {
		a.trace, a.errs = t, append(a.errs[:0], make([]error, shared)...)
		p.engine.k.Shares(shared, a.each)
		if err := errors.Join(a.errs...); err != nil {
			return err
		}
	}
	for first := shared * p.part; first < n; first += p.part {
		if err := p.runPart(t, a, first, min(p.part, n-first)); err != nil {
			return err
		}
	}
	return nil
}

// runPart computes n images of the trace from first on.
func (p *Plan) runPart(t *Trace, a *arena, first, n int) error {
	clear(a.live)
	a.room(p.slotSize, n)
	size := p.net.Input.Shape().Len()
	a.live[0] = t.Input.Data[first*size:][:n*size]
	for i := range p.steps {
		s := &p.steps[i]
		if s.within {
			continue
		}
		var dst []float32
		if s.into > 0 {
			dst = p.memory(t, a, s.into-1, first, n)[s.offset:]
		} else {
			dst = p.memory(t, a, i, first, n)
		}
		a.live[i+1] = dst
		var switches []int32
		if s.switches {
			size := p.shapes[s.Out].Len()
			switches = t.switches[s.Out][first*size:][:n*size]
		}
		if s.alias {
			continue
		}
		if p.before != nil {
			p.before(s.Out)
		}
		a.call = call{k: p.engine.k, n: n, dst: dst, out: p.shapes[s.Out], srcs: a.call.srcs[:0], ins: s.shapes, switches: switches, step: s}
		if s.pair != nil {
			s.runPair(&a.call, a.live[s.first.inputs[0]])
			continue
		}
		for _, v := range s.inputs {
			a.call.srcs = append(a.call.srcs, a.live[v])
		}
		if err := s.Node.Layer.(kind).forward(&a.call); err != nil {
			return fmt.Errorf("layer %s: %w", s.Node.Name, err)
		}
	}
	return nil
}

// memory returns where step i computes its value: with a value it is a view of,
// in scratch memory or in the trace.
func (p *Plan) memory(t *Trace, a *arena, i, first, n int) []float32 {
	s := &p.steps[i]
	size := p.shapes[s.Out].Len()
	switch {
	case a.live[i+1] != nil:
	case s.alias:
		return a.live[s.inputs[0]]
	case s.slot >= 0:
		a.live[i+1] = a.slots[s.slot][:n*size]
	default:
		a.live[i+1] = t.values[s.Out].Data[first*size:][:n*size]
	}
	return a.live[i+1]
}

// choosePart sets how many images go through the whole network together. Where
// the weights are few, or hardly more than the values of an image, no more than keep the
// largest layer in the cache; else all, so that weights are read once.
func (p *Plan) choosePart() {
	const cache, never = 1 << 20, 1 << 30
	p.part = never
	weights, values, largest := 0, 0, 1
	for i := range p.steps {
		s := &p.steps[i]
		switch l := s.Node.Layer.(type) {
		case *Conv:
			weights += l.Weight.Len()
		case *Dense:
			weights += l.Weight.Len()
		case *MatMul:
			if l.Value != nil {
				weights += l.Value.Len()
			}
		}
		size := p.shapes[s.Out].Len()
		values += size
		for _, in := range s.Node.Inputs {
			size += p.shapes[in].Len()
		}
		largest = max(largest, size)
	}
	if weights <= max(2*cache, values+values/8) {
		p.part = max(1, cache/largest)
	}
}

// room makes the slots large enough for n images: all in one array, so that it is in large pages.
func (a *arena) room(sizes []int, n int) {
	if n <= a.images {
		return
	}
	all := 0
	for _, size := range sizes {
		all += n * size
	}
	memory := pages.Floats(all)
	for i, size := range sizes {
		a.slots[i], memory = memory[:n*size:n*size], memory[n*size:]
	}
	a.images = n
}

// arena returns memory for a pass, with no values in it.
func (p *Plan) arena() *arena {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := len(p.idle); k > 0 {
		a := p.idle[k-1]
		p.idle = p.idle[:k-1]
		return a
	}
	a := &arena{slots: make([][]float32, len(p.slotSize)), live: make([][]float32, len(p.steps)+1)}
	a.each = func(part, _ int) {
		own := p.arena()
		defer p.release(own)
		a.errs[part] = p.runPart(a.trace, own, part*p.part, p.part)
	}
	return a
}

func (p *Plan) release(a *arena) {
	clear(a.live)
	clear(a.call.srcs)
	a.call = call{srcs: a.call.srcs[:0]}
	a.trace = nil
	p.mu.Lock()
	p.idle = append(p.idle, a)
	p.mu.Unlock()
}

// Forward runs the network once and keeps everything. To run it many times, or
// to keep less, Compile it.
func (e *Engine) Forward(net *Network, x *tensor.Tensor) (*Trace, error) {
	p, err := e.Compile(net, Keep{})
	if err != nil {
		return nil, err
	}
	return p.Run(x)
}
