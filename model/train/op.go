package train

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// op is a gorgonia operation of ours: a function on flat slices with an output
// buffer of its own, so that a step allocates nothing.
//
// What gorgonia 0.9.18's tape machine asks for: ReturnsPtr without CallsExtern,
// or it would allocate an output in every run; a hash unique to the operation,
// since nodes of equal hash are merged; and no panic out of Do, since it runs
// in a goroutine of the machine where no caller can recover it.
//
// An operation has one output. Backward operations that compute several (a
// weight gradient and a bias gradient) return the first; the others come from
// an operation that takes the first's node as its input, see also.
type op struct {
	name  string
	id    int
	ins   []tensor.Shape
	shape tensor.Shape
	out   G.Value
	run   func(in [][]float32)
	args  [][]float32
	diff  []bool // which inputs have a gradient; nil for backward operations
	// grad makes the nodes of the gradients of the inputs, nil where diff is not set.
	grad func(in G.Nodes, out, dy *G.Node) G.Nodes
}

func nodeType(s tensor.Shape) hm.Type {
	if len(s) == 0 {
		return tensor.Float32
	}
	return G.TensorType{Dims: len(s), Of: tensor.Float32}
}

func (o *op) Arity() int { return len(o.ins) }

// Type is a new value each time, for gorgonia takes it apart.
func (o *op) Type() hm.Type {
	ts := make([]hm.Type, 0, len(o.ins)+1)
	for _, s := range o.ins {
		ts = append(ts, nodeType(s))
	}
	return hm.NewFnType(append(ts, nodeType(o.shape))...)
}

func (o *op) InferShape(...G.DimSizer) (tensor.Shape, error) { return o.shape.Clone(), nil }
func (o *op) ReturnsPtr() bool                               { return true }
func (o *op) CallsExtern() bool                              { return false }
func (o *op) OverwritesInput() int                           { return -1 }
func (o *op) WriteHash(h hash.Hash)                          { fmt.Fprintf(h, "viz op %d %s", o.id, o.name) }
func (o *op) String() string                                 { return o.name }

func (o *op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o *op) Do(in ...G.Value) (_ G.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", o.name, r)
		}
	}()
	for i, v := range in {
		o.args[i], _ = v.Data().([]float32) // a scalar (the loss) is there for the order only
	}
	o.run(o.args)
	return o.out, nil
}

func (o *op) DiffWRT(inputs int) []bool { return o.diff }

func (o *op) SymDiff(in G.Nodes, out, dy *G.Node) (G.Nodes, error) { return o.grad(in, out, dy), nil }

// wrap makes data, without copying, a gorgonia value.
func wrap(shape tensor.Shape, data []float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}
