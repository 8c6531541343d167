package model

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Keep says what a forward pass keeps in its Trace.
type Keep struct {
	Layers   []string // values to keep; nil: all
	Switches bool     // keep the max pools' switches too (always so if Layers is nil)
	// Fast lets convolutions use Winograd's algorithm where that is faster. Values
	// are then exact to 1e-4 of a layer's largest instead of 1e-6, and their last
	// bits depend on the size of the batch: for scores, not for comparing maps.
	Fast bool
}

// Plan is a network made ready to run: which nodes are needed, weights packed
// for the kernels, batch normalisation and rectifiers fused into convolutions
// where nobody asked for the values in between, buffers reused once their last
// reader has run. Safe for concurrent use.
type Plan struct {
	engine *Engine
	net    *Network
	shapes map[string]Shape
	steps  []step
	slots  int // scratch buffers needed at once

	mu   sync.Mutex
	idle [][][]float32 // sets of scratch buffers, one slice per slot
}

// step computes one value, or several at once when layers are fused.
type step struct {
	node     *Node
	out      string // value produced; node.Name unless fused
	filters  *kernel.Filters
	weight   []float32
	epilogue kernel.Epilogue
	scale    []float32 // batch norm
	shift    []float32
	alias    bool // shares its input's memory
	keep     bool // part of the trace
	slot     int  // scratch slot of the output, -1 if kept
	switches bool
}

// Compile prepares net for running on the engine.
func (e *Engine) Compile(net *Network, keep Keep) (*Plan, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	p := &Plan{engine: e, net: net, shapes: shapes}
	kept := map[string]bool{}
	all := keep.Layers == nil
	for _, name := range keep.Layers {
		if _, ok := shapes[name]; !ok {
			return nil, fmt.Errorf("model: %w", &UnknownName{What: "layer", Name: name, Nearest: nearest(name, net.names())})
		}
		kept[name] = true
	}
	needed := map[string]bool{}
	for i := len(net.Nodes) - 1; i >= 0; i-- {
		n := &net.Nodes[i]
		kept[n.Name] = kept[n.Name] || all
		if kept[n.Name] || needed[n.Name] {
			needed[n.Name] = true
			for _, in := range n.Inputs {
				needed[in] = true
			}
		}
	}
	fused := map[string]bool{}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if !needed[n.Name] || fused[n.Name] {
			continue
		}
		s := step{node: n, out: n.Name, slot: -1}
		switch l := n.Layer.(type) {
		case *Conv:
			weight, bias := l.Weight.Data, l.Bias
			next := p.soleReader(s.out, needed, kept)
			if next != nil {
				if bn, ok := next.Layer.(*BatchNorm); ok {
					weight, bias = foldBatchNorm(l, bn)
					s.out, fused[next.Name] = next.Name, true
					next = p.soleReader(s.out, needed, kept)
				}
			}
			if next != nil {
				if _, ok := next.Layer.(*ReLU); ok {
					s.epilogue.ReLU = true
					s.out, fused[next.Name] = next.Name, true
				}
			}
			pack := kernel.PackForward
			if keep.Fast {
				pack = kernel.PackForwardFast
			}
			s.filters = pack(l.Geometry(), weight)
			s.epilogue.Bias = bias
		case *BatchNorm:
			s.scale, s.shift = l.affine()
		case *Flatten, *Dropout, *Reshape:
			s.alias = true
		case *ConvTranspose:
			s.filters = kernel.PackData(l.Geometry(), l.Weight.Data)
		case *MaxPool:
			s.switches = all || keep.Switches
		}
		p.steps = append(p.steps, s)
	}
	p.assignSlots(kept)
	return p, nil
}

// soleReader returns the only needed reader of a value nobody keeps, or nil.
func (p *Plan) soleReader(name string, needed, kept map[string]bool) *Node {
	if kept[name] {
		return nil
	}
	var only *Node
	for _, n := range p.net.Consumers(name) {
		if needed[n.Name] {
			if only != nil {
				return nil
			}
			only = n
		}
	}
	return only
}

// assignSlots gives every value that is not kept a scratch slot that is free
// from the step that computes it to its last reader. An alias lives in the
// memory of its source, which it keeps alive.
func (p *Plan) assignSlots(kept map[string]bool) {
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
		for _, in := range s.node.Inputs {
			last[root(in)] = i
		}
		if s.alias {
			r := root(s.node.Inputs[0])
			source[s.out] = r
			if kept[s.out] {
				owned[r] = true // a kept view keeps its memory
			}
		}
	}
	var free []int
	busy := map[string]int{}
	for i := range p.steps {
		s := &p.steps[i]
		s.keep = kept[s.out]
		if !s.alias && !kept[s.out] && !owned[s.out] {
			if len(free) == 0 {
				free = append(free, p.slots)
				p.slots++
			}
			s.slot = free[len(free)-1]
			free = free[:len(free)-1]
			busy[s.out] = s.slot
		}
		for _, in := range s.node.Inputs {
			r := root(in)
			if slot, ok := busy[r]; ok && last[r] == i {
				free = append(free, slot)
				delete(busy, r)
			}
		}
		if slot, ok := busy[s.out]; ok {
			if _, read := last[s.out]; !read {
				free = append(free, slot)
				delete(busy, s.out)
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
	size := p.net.Input.Shape().Len()
	slots := make([]int, p.slots)
	for i := range p.steps {
		s := &p.steps[i]
		n := p.shapes[s.out].Len()
		switch {
		case s.slot >= 0:
			slots[s.slot] = max(slots[s.slot], n)
		case !s.alias:
			size += n
		}
		if s.switches {
			size += n
		}
	}
	for _, n := range slots {
		size += n
	}
	return min(max(bytes/(4*size), 1), most)
}

// Run computes a batch x [N, C, H, W]. The trace owns its memory.
func (p *Plan) Run(x *tensor.Tensor) (*Trace, error) {
	in := p.net.Input
	if len(x.Shape) != 4 || !slices.Equal(x.Shape[1:], []int{in.C, in.H, in.W}) || x.Shape[0] < 1 {
		return nil, fmt.Errorf("model: input %s is %v, want [N %d %d %d]", in.Name, x.Shape, in.C, in.H, in.W)
	}
	n := x.Shape[0]
	t := &Trace{Net: p.net, Input: x, Shapes: p.shapes, values: map[string]*tensor.Tensor{}, switches: map[string][]int32{}}
	scratch := p.scratch()
	defer p.release(scratch)
	live := map[string][]float32{in.Name: x.Data}
	for i := range p.steps {
		s := &p.steps[i]
		shape := p.shapes[s.out]
		size := n * shape.Len()
		var dst []float32
		switch {
		case s.alias:
			dst = live[s.node.Inputs[0]]
		case s.slot >= 0:
			if cap(scratch[s.slot]) < size {
				scratch[s.slot] = make([]float32, size)
			}
			dst = scratch[s.slot][:size]
		default:
			dst = make([]float32, size)
		}
		var switches []int32
		if s.switches {
			switches = make([]int32, size)
			t.switches[s.out] = switches
		}
		if err := p.run(s, n, dst, switches, live); err != nil {
			return nil, fmt.Errorf("model: layer %s: %w", s.node.Name, err)
		}
		live[s.out] = dst
		if s.keep {
			t.values[s.out] = tensor.From(dst, shape.Batch(n)...)
		}
	}
	return t, nil
}

func (p *Plan) run(s *step, n int, dst []float32, switches []int32, live map[string][]float32) error {
	k := p.engine.k
	out := p.shapes[s.out]
	src, in := live[s.node.Inputs[0]], p.shapes[s.node.Inputs[0]]
	switch l := s.node.Layer.(type) {
	case *Conv:
		k.ConvForward(s.filters, n, dst, out.Box(), src, in.Box(), s.epilogue)
	case *Dense:
		k.DenseForward(n, in.C, out.C, dst, src, l.Weight.Data, l.Bias)
	case *MaxPool:
		k.MaxPool(l.Geometry(), n*in.C, dst, switches, out.Box(), src, in.Box(), in.H, in.W)
	case *AvgPool:
		k.AvgPool(l.Geometry(), n*in.C, dst, out.Box(), src, in.Box(), in.H, in.W, l.Pads[2], l.Pads[3], l.CountPad)
	case *GlobalAvgPool:
		k.AvgPool(GlobalPool(in), n*in.C, dst, out.Box(), src, in.Box(), in.H, in.W, 0, 0, false)
	case *ReLU:
		k.ReLU(dst, src)
	case *LeakyReLU:
		for i, v := range src {
			dst[i] = v
			if v <= 0 {
				dst[i] = l.Alpha * v
			}
		}
	case *Clip:
		for i, v := range src {
			dst[i] = min(max(v, l.Min), l.Max)
		}
	case *LRN:
		k.LRN(n, in.C, in.H*in.W, dst, src, l.Size, l.Alpha, l.Beta, l.Bias)
	case *BatchNorm:
		k.ScaleShift(n, in.C, in.H*in.W, dst, src, s.scale, s.shift)
	case *Add:
		copy(dst, src)
		for _, name := range s.node.Inputs[1:] {
			k.Add(dst, dst, live[name])
		}
	case *Concat:
		at := 0
		for _, name := range s.node.Inputs {
			part, size := live[name], p.shapes[name].Len()
			for i := range n {
				copy(dst[i*out.Len()+at:], part[i*size:(i+1)*size])
			}
			at += size
		}
	case *Pad:
		padPlanes(dst, src, n*in.C, in, l)
	case *Softmax:
		softmax(k, n, in, dst, src)
	case *Recurrent:
		geo, err := l.Geometry(in)
		if err != nil {
			return err
		}
		var s kernel.Recurrence
		k.RecurrentForward(geo, n, &s, dst, src, l.Weights())
	case *Flatten, *Dropout, *Reshape:
	case *ConvTranspose:
		return forwardTranspose(k, l, s.filters, n, dst, out, src, in)
	default:
		var srcs [][]float32
		var ins []Shape
		for _, name := range s.node.Inputs {
			srcs, ins = append(srcs, live[name]), append(ins, p.shapes[name])
		}
		return ForwardArray(k, l, n, dst, out, srcs, ins)
	}
	return nil
}

// GlobalPool is a global average pool as a window of the whole map.
func GlobalPool(in Shape) kernel.Pool {
	return kernel.Pool{KH: in.H, KW: in.W, StrideY: 1, StrideX: 1, DilY: 1, DilX: 1}
}

func padPlanes(dst, src []float32, planes int, in Shape, l *Pad) {
	h, w := in.H+l.Pads[0]+l.Pads[2], in.W+l.Pads[1]+l.Pads[3]
	for i := range dst {
		dst[i] = l.Value
	}
	for c := range planes {
		for y := range in.H {
			at := (c*h+y+l.Pads[0])*w + l.Pads[1]
			copy(dst[at:at+in.W], src[(c*in.H+y)*in.W:])
		}
	}
}

// softmax over the channels, at each place apart.
func softmax(k *kernel.Engine, n int, in Shape, dst, src []float32) {
	if in.H*in.W == 1 {
		k.Softmax(n, in.C, dst, src)
		return
	}
	plane := in.H * in.W
	row := make([]float32, in.C)
	for i := range n {
		for j := range plane {
			for c := range in.C {
				row[c] = src[(i*in.C+c)*plane+j]
			}
			k.Softmax(1, in.C, row, row)
			for c := range in.C {
				dst[(i*in.C+c)*plane+j] = row[c]
			}
		}
	}
}

// affine returns the layer as out = scale*x + shift per channel.
func (l *BatchNorm) affine() (scale, shift []float32) {
	scale, shift = make([]float32, len(l.Scale)), make([]float32, len(l.Scale))
	for c := range scale {
		s := float64(l.Scale[c]) / math.Sqrt(float64(l.Var[c])+l.Eps)
		scale[c] = float32(s)
		shift[c] = float32(float64(l.Shift[c]) - float64(l.Mean[c])*s)
	}
	return scale, shift
}

// TopDownScale is what the layer multiplies a top-down signal by, per channel:
// Scale/sqrt(Var+Eps).
func (l *BatchNorm) TopDownScale() []float32 {
	s, _ := l.affine()
	return s
}

// foldBatchNorm returns weights and bias of the convolution followed by bn.
func foldBatchNorm(l *Conv, bn *BatchNorm) (weight, bias []float32) {
	scale, shift := bn.affine()
	weight, bias = slices.Clone(l.Weight.Data), slices.Clone(shift)
	per := len(weight) / len(scale)
	for k, s := range scale {
		for i := range weight[k*per : (k+1)*per] {
			weight[k*per+i] *= s
		}
		if l.Bias != nil {
			bias[k] += l.Bias[k] * s
		}
	}
	return weight, bias
}

func (p *Plan) scratch() [][]float32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := len(p.idle); k > 0 {
		s := p.idle[k-1]
		p.idle = p.idle[:k-1]
		return s
	}
	return make([][]float32, p.slots)
}

func (p *Plan) release(s [][]float32) {
	p.mu.Lock()
	p.idle = append(p.idle, s)
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
