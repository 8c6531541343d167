package train

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// statMomentum is the share of the old value in a step of the running
// statistics of batch normalisation: running = 0.9*running + 0.1*batch, with
// the batch's variance as over n-1 values, as PyTorch does by default.
const statMomentum = 0.9

// param is one array of weights and its gradient; to gorgonia's solvers it is a
// ValueGrad.
type param struct {
	name   string
	shape  tensor.Shape
	value  []float32 // shared with the network being trained
	decays bool      // weight decay applies
	filter int       // values of one convolution filter, 0 if it is none
	node   *G.Node
	dense  *tensor.Dense
	grad   *G.Node
}

func (p *param) Value() G.Value         { return p.dense }
func (p *param) Grad() (G.Value, error) { return p.grad.Value(), nil }

// gradient is the gradient of the last step.
func (p *param) gradient() []float32 { return p.grad.Value().Data().([]float32) }

// graph is a network as a gorgonia graph for batches of n images. Its buffers
// are allocated when it is built.
type graph struct {
	k  *kernel.Engine
	g  *G.ExprGraph
	vm interface {
		RunAll() error
		Reset()
		Close() error
	}
	net    *model.Network
	uses   *model.Graph // as it is run for the logits
	shapes map[string]model.Shape
	n      int

	x      []float32 // the batch, [n][C][H][W]
	labels []int32   // [n]
	loss   float64   // mean cross-entropy of the last batch
	right  int       // images of the last batch whose best class was the label's
	seed   uint64
	step   int // of the dropout masks
	smooth float64
	weight []float64 // of the loss by class; nil: all 1

	params  []*param
	ids     int
	values  map[string]*value
	dropped int // dropout layers so far
}

// value is the output of a layer while the graph is built.
type value struct {
	node    *G.Node
	needs   bool // depends on weights, so gradients flow through it
	readers int  // still to come
}

// newGraph builds the training graph of net, whose weights it shares and (by a
// solver) changes. Layers after the logits (a softmax) are left out; the loss
// takes their place.
func newGraph(k *kernel.Engine, net *model.Network, n int, seed uint64, smooth float64) (_ *graph, err error) {
	defer func() {
		if r := recover(); r != nil { // gorgonia panics on graphs it cannot compile
			err = fmt.Errorf("cannot build the graph: %v", r)
		}
	}()
	if net.Logits == "" {
		return nil, fmt.Errorf("the network names no logits, so there is nothing to train it by")
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	classes := shapes[net.Logits]
	if classes.H*classes.W != 1 || classes.C < 2 {
		return nil, fmt.Errorf("logits %s are %v, want a vector of at least 2", net.Logits, classes)
	}
	if r, err := net.Reading(); err != nil || r.Kind != model.SoftmaxScores {
		return nil, fmt.Errorf("the scores of network %s are %v, training is by softmax (--scores softmax)", net.Name, net.Scores)
	}
	b := &graph{k: k, g: G.NewGraph(G.WithGraphName(net.Name)), net: net, shapes: shapes, n: n, seed: seed, smooth: smooth,
		x: make([]float32, n*net.Input.Shape().Len()), labels: make([]int32, n), values: map[string]*value{}}
	b.uses = net.Graph(net.Logits)
	if err := b.supported(); err != nil {
		return nil, err
	}
	in := net.Input
	shape := tensor.Shape(in.Shape().Batch(n))
	x := G.NewTensor(b.g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(in.Name), G.WithValue(wrap(shape, b.x)))
	b.define(in.Name, x, false)
	for _, f := range b.uses.Fusions(fuses) {
		b.layer(f)
	}
	if len(b.params) == 0 {
		return nil, fmt.Errorf("the network has no weights to train")
	}
	cost := b.crossEntropy(b.read(net.Logits), classes.C)
	wrt := make([]*G.Node, len(b.params))
	for i, p := range b.params {
		wrt[i] = p.node
	}
	grads, err := G.Grad(cost, wrt...)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	for i, p := range b.params {
		p.grad = grads[i]
	}
	b.vm = G.NewTapeMachine(b.g)
	return b, nil
}

// run computes loss and gradients of the batch in x and labels.
func (b *graph) run(step int) error {
	b.step = step
	b.vm.Reset() // without it a second RunAll does nothing
	if err := b.vm.RunAll(); err != nil {
		return fmt.Errorf("step %d: %w", step+1, err)
	}
	return nil
}

// close frees the machine. Its finalizer never runs, and nothing of the graph is
// ever freed, while our operations, which it holds, lead back to it.
func (b *graph) close() {
	b.vm.Close()
	b.vm = nil
}

// supported reports the first layer that training does not know.
func (b *graph) supported() error {
	for i := range b.net.Nodes {
		n := &b.net.Nodes[i]
		if !b.uses.Needed(n.Name) {
			continue
		}
		switch l := n.Layer.(type) {
		case *model.Conv, *model.Dense, *model.GlobalAvgPool, *model.ReLU, *model.BatchNorm,
			*model.Add, *model.Reshape, *model.LRN, *model.Clip, *model.Pad:
		case *model.Recurrent:
			if !l.Rows() {
				return fmt.Errorf("layer %s: sequences in an array cannot be trained", n.Name)
			}
		case *model.Unary:
			if l.Op != model.UnaryLeakyRelu {
				return fmt.Errorf("layer %s: %s cannot be trained", n.Name, l.Op)
			}
		case *model.Pool:
			if !l.MaxOfMaps() && !l.MeanOfMaps() {
				return fmt.Errorf("layer %s: %s pools of this kind cannot be trained", n.Name, l.Op)
			}
		case *model.Concat:
			if !l.Maps() {
				return fmt.Errorf("layer %s: joining arrays along an axis cannot be trained", n.Name)
			}
		case *model.Dropout:
			if !(l.Rate >= 0 && l.Rate < 1) {
				return fmt.Errorf("layer %s: dropout rate %g, want 0 <= rate < 1", n.Name, l.Rate)
			}
		default:
			return fmt.Errorf("layer %s: %s cannot be trained", n.Name, l.Kind())
		}
	}
	return nil
}

// define makes a node the value called name.
func (b *graph) define(name string, node *G.Node, needs bool) {
	v := &value{node: node, needs: needs, readers: len(b.uses.Readers(name))}
	if b.uses.Wanted(name) {
		v.readers++
	}
	b.values[name] = v
}

// read returns the value for one more reader. Where a value has several,
// gorgonia adds their gradients up, in no certain order; a chain of forks makes
// these sums of two terms each, which are the same in either order.
func (b *graph) read(name string) *G.Node {
	v := b.values[name]
	node := v.node
	if v.readers--; v.readers > 1 && v.needs {
		v.node = b.alias(name+" fork", node, node.Shape(), func(in G.Nodes, out, dy *G.Node) G.Nodes { return G.Nodes{dy} })
	}
	return node
}

// apply adds an operation to the graph.
func (b *graph) apply(o *op, in ...*G.Node) *G.Node {
	o.id = b.ids
	b.ids++
	o.args = make([][]float32, len(in))
	for _, n := range in {
		o.ins = append(o.ins, n.Shape())
	}
	node, err := G.ApplyOp(o, in...)
	if err != nil {
		panic(err)
	}
	if node.Op() != G.Op(o) {
		panic("operation " + o.name + " was merged with another of the same hash")
	}
	G.WithName(o.name)(node)
	return node
}

// buffered adds an operation with an output buffer of its own.
func (b *graph) buffered(name string, shape tensor.Shape, in G.Nodes, diff []bool, grad func(in G.Nodes, out, dy *G.Node) G.Nodes,
	run func(out []float32, in [][]float32)) *G.Node {
	data := make([]float32, shape.TotalSize())
	return b.apply(&op{name: name, shape: shape, out: wrap(shape, data), diff: diff, grad: grad,
		run: func(in [][]float32) { run(data, in) }}, in...)
}

// also adds an operation that returns data, which first's operation computes
// besides its own output.
func (b *graph) also(name string, shape tensor.Shape, data []float32, first *G.Node) *G.Node {
	return b.apply(&op{name: name, shape: shape, out: wrap(shape, data), run: func([][]float32) {}}, first)
}

// alias adds an operation that returns its input's data in another shape.
func (b *graph) alias(name string, x *G.Node, shape tensor.Shape, grad func(in G.Nodes, out, dy *G.Node) G.Nodes) *G.Node {
	o := &op{name: name, shape: shape, diff: []bool{true}, grad: grad}
	var last []float32
	o.run = func(in [][]float32) {
		if len(last) == 0 || &last[0] != &in[0][0] {
			last = in[0]
			o.out = wrap(shape, last)
		}
	}
	return b.apply(o, x)
}

func (b *graph) param(name string, value []float32, decays bool, filter int, shape ...int) *param {
	p := &param{name: name, shape: shape, value: value, decays: decays, filter: filter, dense: wrap(shape, value)}
	p.node = G.NewTensor(b.g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(p.dense))
	b.params = append(b.params, p)
	return p
}

// fuses reports whether one operation can do next with f: a rectifier behind a
// convolution or batch normalisation.
func fuses(f *model.Fused, next *model.Node) bool {
	if _, relu := next.Layer.(*model.ReLU); !relu {
		return false
	}
	switch f.Node.Layer.(type) {
	case *model.Conv, *model.BatchNorm:
		return true
	}
	return false
}

// pooled reports whether a value is read by a max pool alone. If it comes from a
// rectifier that pool takes over the rectifier's gradient on its own, smaller map:
// a switch lies on a value that passed the rectifier if and only if the pool's
// output is above 0.
func (b *graph) pooled(name string) bool {
	pool := b.uses.OnlyReader(name)
	if pool == nil {
		return false
	}
	l, ok := pool.Layer.(*model.Pool)
	return ok && l.MaxOfMaps()
}

// layer adds one layer, and the rectifier behind a convolution or batch
// normalisation with it.
func (b *graph) layer(f model.Fused) {
	n, relu, pooled := f.Node, f.Act != nil, b.pooled(f.Out)
	name, out := n.Name, b.shapes[n.Name]
	in := b.shapes[n.Inputs[0]]
	shape := tensor.Shape(out.Batch(b.n))
	needs := false
	var xs G.Nodes
	var flows []bool
	for _, input := range n.Inputs {
		flows = append(flows, b.values[input].needs)
		needs = needs || b.values[input].needs
		xs = append(xs, b.read(input))
	}
	x := xs[0]
	var y *G.Node
	switch l := n.Layer.(type) {
	case *model.Conv:
		y, needs = b.conv(name, l, x, flows[0], in, out, relu, relu && pooled), true
	case *model.Dense:
		y, needs = b.dense(name, l, x, flows[0], in.C, out.C), true
	case *model.Recurrent:
		y, needs = b.recurrent(name, l, x, flows[0], in), true
	case *model.BatchNorm:
		y, needs = b.batchNorm(name, l, x, flows[0], in, relu, pooled), true
	case *model.ReLU:
		y = b.buffered(name, shape, xs, flows, func(in G.Nodes, out, dy *G.Node) G.Nodes {
			if pooled {
				return G.Nodes{dy}
			}
			return G.Nodes{b.reluGrad(name, out, dy)}
		}, func(y []float32, in [][]float32) { b.k.ReLU(y, in[0]) })
	case *model.Pool:
		if l.MaxOfMaps() {
			y = b.maxPool(name, l, n.Inputs[0], x, flows, in, out)
			break
		}
		bottom, right := l.Behind()
		y = b.avgPool(name, kernel.PoolOf(l.Kernel, l.Stride, l.Dilation, l.Pads), bottom, right, l.CountPad, x, flows, in, out)
	case *model.GlobalAvgPool:
		y = b.avgPool(name, kernel.WholePool(in.H, in.W), 0, 0, false, x, flows, in, out)
	case *model.Add:
		y = b.add(name, shape, xs, flows)
	case *model.Concat:
		y = b.concat(name, n.Inputs, xs, flows, out)
	case *model.Reshape:
		y = b.alias(name, x, shape, func(in G.Nodes, out, dy *G.Node) G.Nodes {
			return G.Nodes{b.alias(name+" gradient", dy, in[0].Shape(), nil)}
		})
	case *model.LRN:
		y = b.lrn(name, l, x, flows, in)
	case *model.Unary: // a leaky rectifier
		y = b.pointwise(name, x, flows, func(x float32) (float32, float32) {
			if x <= 0 {
				return l.Alpha * x, l.Alpha
			}
			return x, 1
		})
	case *model.Clip:
		y = b.pointwise(name, x, flows, func(x float32) (float32, float32) {
			if l.Min < x && x < l.Max {
				return x, 1
			}
			return min(max(x, l.Min), l.Max), 0
		})
	case *model.Pad:
		y = b.pad(name, l, x, flows, in, out)
	case *model.Dropout:
		y = x
		if l.Rate > 0 {
			y = b.dropout(name, l.Rate, x, flows)
		}
	default:
		panic("layer kind " + l.Kind())
	}
	b.define(f.Out, y, needs)
}

func (b *graph) add(name string, shape tensor.Shape, xs G.Nodes, flows []bool) *G.Node {
	return b.buffered(name, shape, xs, flows, func(in G.Nodes, out, dy *G.Node) G.Nodes {
		return slices.Repeat(G.Nodes{dy}, len(in))
	}, func(y []float32, in [][]float32) {
		b.k.Add(y, in[0], in[len(in)-1])
		for i := 1; i < len(in)-1; i++ {
			b.k.Add(y, y, in[i])
		}
	})
}

func (b *graph) reluGrad(name string, y, dy *G.Node) *G.Node {
	return b.buffered(name+" gradient", y.Shape(), G.Nodes{y, dy}, nil, nil,
		func(dx []float32, in [][]float32) { b.k.ReLUGrad(dx, in[1], in[0]) })
}

// conv adds a convolution, with the rectifier behind it if relu is set. The
// rectifier's gradient is left to the max pool that reads it if pooled is set.
func (b *graph) conv(name string, l *model.Conv, x *G.Node, flows bool, in, out model.Shape, relu, pooled bool) *G.Node {
	geo := kernel.ConvOf(l.Weight.Shape, l.Stride, l.Dilation, l.Pads, l.Groups)
	w := b.param(name+".weight", l.Weight.Floats(), true, l.Weight.Len()/geo.Out, l.Weight.Shape...)
	ins, diff := G.Nodes{x, w.node}, []bool{flows, true}
	if l.Bias != nil {
		ins, diff = append(ins, b.param(name+".bias", l.Bias, false, 0, geo.Out).node), append(diff, true)
	}
	filters := kernel.PackForwardFast(geo, l.Weight.Floats())
	filters.Keep(b.n, out.H, out.W)
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		if relu && !pooled {
			dy = b.reluGrad(name+" relu", y, dy)
		}
		var db []float32
		if l.Bias != nil {
			db = make([]float32, geo.Out)
		}
		dw := b.buffered(name+" weight gradient", w.shape, G.Nodes{ins[0], dy}, nil, nil, func(dw []float32, in2 [][]float32) {
			b.k.ConvWeights(geo, b.n, dw, db, in2[0], in.Box(), in2[1], out.Box())
		})
		grads := G.Nodes{nil, dw}
		if flows {
			back, data, n := kernel.PackDataFast(geo, l.Weight.Floats()), b.k.ConvData, b.n
			if pooled { // a max pool's gradient is mostly 0; images go one by one
				back, data, n = kernel.PackDataSparse(geo, l.Weight.Floats(), true), b.k.ConvDataSparse, 1
			}
			back.Keep(n, in.H, in.W)
			grads[0] = b.buffered(name+" data gradient", ins[0].Shape(), G.Nodes{ins[1], dy}, nil, nil, func(dx []float32, in2 [][]float32) {
				b.k.Repack(back, in2[0])
				data(back, b.n, dx, in.Box(), in2[1], out.Box())
			})
		}
		if l.Bias != nil {
			grads = append(grads, b.also(name+" bias gradient", tensor.Shape{geo.Out}, db, dw))
		}
		return grads
	}
	return b.buffered(name, out.Batch(b.n), ins, diff, grad, func(y []float32, in2 [][]float32) {
		b.k.Repack(filters, in2[1])
		e := kernel.Epilogue{ReLU: relu}
		if len(in2) > 2 {
			e.Bias = in2[2]
		}
		b.k.ConvForward(filters, b.n, y, out.Box(), in2[0], in.Box(), e)
	})
}

func (b *graph) dense(name string, l *model.Dense, x *G.Node, flows bool, in, out int) *G.Node {
	w := b.param(name+".weight", l.Weight.Floats(), true, 0, out, in)
	ins, diff := G.Nodes{x, w.node}, []bool{flows, true}
	if l.Bias != nil {
		ins, diff = append(ins, b.param(name+".bias", l.Bias, false, 0, out).node), append(diff, true)
	}
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		var db []float32
		if l.Bias != nil {
			db = make([]float32, out)
		}
		dw := b.buffered(name+" weight gradient", w.shape, G.Nodes{ins[0], dy}, nil, nil, func(dw []float32, in2 [][]float32) {
			b.k.DenseWeights(b.n, in, out, dw, db, in2[0], in2[1])
		})
		grads := G.Nodes{nil, dw}
		if flows {
			grads[0] = b.buffered(name+" data gradient", ins[0].Shape(), G.Nodes{ins[1], dy}, nil, nil, func(dx []float32, in2 [][]float32) {
				b.k.DenseData(b.n, in, out, dx, in2[1], in2[0])
			})
		}
		if l.Bias != nil {
			grads = append(grads, b.also(name+" bias gradient", tensor.Shape{out}, db, dw))
		}
		return grads
	}
	return b.buffered(name, tensor.Shape{b.n, out}, ins, diff, grad, func(y []float32, in2 [][]float32) {
		var bias []float32
		if len(in2) > 2 {
			bias = in2[2]
		}
		b.k.DenseForward(b.n, in, out, y, in2[0], in2[1], bias)
	})
}

// maxPool adds a max pool. If it alone reads a rectifier it computes that
// one's gradient too, see pooled.
func (b *graph) maxPool(name string, l *model.Pool, from string, x *G.Node, flows []bool, in, out model.Shape) *G.Node {
	size := b.n * out.Len()
	switches := make([]int32, size)
	var masked []float32
	if n := b.net.Node(from); n != nil {
		if _, ok := n.Layer.(*model.ReLU); ok && b.pooled(from) {
			masked = make([]float32, size)
		}
	}
	geo, planes := kernel.PoolOf(l.Kernel, l.Stride, l.Dilation, l.Pads), b.n*in.C
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		return G.Nodes{b.buffered(name+" gradient", ins[0].Shape(), G.Nodes{y, dy}, nil, nil, func(dx []float32, in2 [][]float32) {
			dy := in2[1]
			if masked != nil {
				b.k.ReLUGrad(masked, dy, in2[0])
				dy = masked
			}
			b.k.MaxUnpool(planes, dx, in.Box(), dy, switches, in.W, out.H*out.W)
		})}
	}
	return b.buffered(name, out.Batch(b.n), G.Nodes{x}, flows, grad, func(y []float32, in2 [][]float32) {
		b.k.MaxPool(geo, planes, y, switches, out.Box(), in2[0], in.Box(), in.H, in.W)
	})
}

func (b *graph) dropout(name string, rate float64, x *G.Node, flows []bool) *G.Node {
	stream := streamDropout + uint64(b.dropped)
	b.dropped++
	mask := make([]float32, x.Shape().TotalSize())
	times := func(dst []float32, src []float32) {
		for i, m := range mask {
			dst[i] = src[i] * m
		}
	}
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		return G.Nodes{b.buffered(name+" gradient", y.Shape(), G.Nodes{y, dy}, nil, nil,
			func(dx []float32, in [][]float32) { times(dx, in[1]) })}
	}
	return b.buffered(name, x.Shape(), G.Nodes{x}, flows, grad, func(y []float32, in [][]float32) {
		dropout(mask, key(b.seed, stream, b.step), rate)
		times(y, in[0])
	})
}

// concat adds the joining of values along the channels.
func (b *graph) concat(name string, inputs []string, xs G.Nodes, flows []bool, out model.Shape) *G.Node {
	sizes, starts := make([]int, len(inputs)), make([]int, len(inputs))
	at := 0
	for i, input := range inputs {
		sizes[i], starts[i] = b.shapes[input].Len(), at
		at += sizes[i]
	}
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		grads := make(G.Nodes, len(ins))
		for i := range ins {
			if !flows[i] {
				continue
			}
			grads[i] = b.buffered(fmt.Sprintf("%s gradient %d", name, i), ins[i].Shape(), G.Nodes{dy}, nil, nil,
				func(dx []float32, in [][]float32) {
					for j := range b.n {
						copy(dx[j*sizes[i]:(j+1)*sizes[i]], in[0][j*out.Len()+starts[i]:])
					}
				})
		}
		return grads
	}
	return b.buffered(name, out.Batch(b.n), xs, flows, grad, func(y []float32, in [][]float32) {
		for i, part := range in {
			for j := range b.n {
				copy(y[j*out.Len()+starts[i]:], part[j*sizes[i]:(j+1)*sizes[i]])
			}
		}
	})
}

// crossEntropy adds the loss: the mean over the batch of -sum_c t_c log p_c,
// where p is the softmax of the logits and t is 1 at the label, less what
// smoothing spreads over all classes. Its gradient by the logits, (p-t)/n, is
// computed on the way. With class weights, loss and gradient of an image are
// multiplied by its label's.
func (b *graph) crossEntropy(logits *G.Node, classes int) *G.Node {
	shape := logits.Shape()
	dx := make([]float32, b.n*classes)
	p := make([]float64, classes)
	value := G.NewF32(0)
	o := &op{name: "loss", out: value, diff: []bool{true}}
	o.grad = func(ins G.Nodes, out, dy *G.Node) G.Nodes {
		// The loss is where gradients start, so dy is the constant 1.
		return G.Nodes{b.also("loss gradient", shape, dx, out)}
	}
	o.run = func(in [][]float32) {
		total := 0.0
		b.right = 0
		even := b.smooth / float64(classes)
		for i := range b.n {
			row := in[0][i*classes : (i+1)*classes]
			label := int(b.labels[i])
			best := 0
			for c, v := range row {
				if v > row[best] {
					best = c
				}
			}
			if best == label {
				b.right++
			}
			top, sum := float64(row[best]), 0.0
			for c, v := range row {
				p[c] = exact.Exp(float64(v) - top)
				sum += p[c]
			}
			norm := top + exact.Log(sum)
			w := 1.0
			if b.weight != nil {
				w = b.weight[label]
			}
			for c, v := range row {
				t := even
				if c == label {
					t += 1 - b.smooth
				}
				if t != 0 {
					total += float64(w * (t * (norm - float64(v))))
				}
				dx[i*classes+c] = float32(w * ((p[c]/sum - t) / float64(b.n)))
			}
		}
		b.loss = total / float64(b.n)
		*value = G.F32(b.loss)
	}
	return b.apply(o, logits)
}
