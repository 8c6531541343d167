package model

import (
	"fmt"
	"reflect"

	"github.com/deconvnet/viz/internal/kernel"
)

// kind is what the passes of this package ask of a layer. A new kind is a file
// that answers, and a line in the table; it does not compile if an answer is missing.
type kind interface {
	Layer
	// slots are the places of all that there is to save: arrays and attributes.
	slots() []slot
	// inputs is how many values go in; many: one or more.
	inputs() int
	// shape is what comes out of inputs of shapes ins, or what is wrong with them.
	shape(ins []Shape) (Shape, error)
	// reach says which places of an input of shape in the output depends on.
	reach(in Shape) reach
	// macs is the number of multiply-adds for one image.
	macs(in, out Shape) int64
	// text describes the attributes for a reader; it may be empty.
	text() string
	// forward computes the layer for a batch.
	forward(c *call) error
}

const many = -1

// What a kind may have besides:
type (
	// preparer makes something of its weights once, before it runs.
	preparer interface{ prepare(s *step) }
	// viewer gives its input's numbers in their order: nothing needs to be computed.
	viewer interface{ view() }
	// drawer has weights that can be drawn anew for training: for inputs of
	// shapes ins, and out outputs (0: as many as it has).
	drawer interface {
		drawn(b *builder, ins []Shape, out int) (Layer, error)
	}
)

// kinds lists every kind of layer.
var kinds = []kind{
	// Maps.
	&Conv{},
	&ConvTranspose{},
	&Dense{},
	&Pool{},
	&GlobalAvgPool{},
	&ReLU{},
	&Clip{},
	&LRN{},
	&BatchNorm{},
	&GroupNorm{Groups: 1},
	&Add{},
	&Concat{},
	&Pad{},
	&Dropout{},
	&Softmax{},
	&Quantize{},
	&Recurrent{},
	// Arrays of any rank.
	&Unary{},
	&Binary{},
	&MatMul{},
	&Reduce{},
	&Normalize{},
	&Rearrange{},
	&AlongAxis{},
	&Reshape{To: []int{}},
	&Constant{},
	&Where{},
	&CumSum{},
	&Hardmax{},
	&OneHot{},
	&TopK{},
	&Lookup{},
	&GridSample{},
	&Scatter{},
}

// aliases are names in files for a kind with some of its settings: those of kinds
// that it has taken in, which may be what the usual case is still called.
var aliases = map[string]kind{
	"LeakyReLU":       &Unary{Op: UnaryLeakyRelu},
	"MaxPool":         &Pool{Op: PoolMax},
	"AvgPool":         &Pool{Op: PoolAverage},
	"WindowPool":      &Pool{},
	"PoolND":          &Pool{},
	"Join":            &Concat{},
	"Flatten":         &Reshape{},
	"ConvND":          &Conv{},
	"ConvTransposeND": &ConvTranspose{},
	"SoftmaxAxis":     &Softmax{},
	"Sequence":        &oldSequence{},
	"InstanceNorm":    &GroupNorm{},
}

// newLayer returns an empty layer of a kind, or nil.
func newLayer(name string) kind {
	l := aliases[name]
	for _, k := range kinds {
		if l == nil && k.Kind() == name {
			l = k
		}
	}
	if l == nil {
		return nil
	}
	out := reflect.New(reflect.TypeOf(l).Elem())
	out.Elem().Set(reflect.ValueOf(l).Elem())
	return out.Interface().(kind)
}

// IsView reports whether a layer gives its input's numbers in their order, as a
// Reshape does.
func IsView(l Layer) bool {
	_, ok := l.(viewer)
	return ok
}

func unknownKind(l Layer) error {
	if l == nil {
		return fmt.Errorf("no layer")
	}
	return fmt.Errorf("unknown layer kind %s", l.Kind())
}

// call is a layer's work on a batch: n values of each input, of shapes ins, lie
// in srcs; n of shape out go to dst.
type call struct {
	k        *kernel.Engine
	n        int
	dst      []float32
	out      Shape
	srcs     [][]float32
	ins      []Shape
	switches []int32 // of a max pool; nil: not wanted
	step     *step   // what was prepared and fused
}

// each calls f on the workers for each image of the batch, with its output and
// its first input.
func (c *call) each(f func(dst, src []float32)) {
	out, in := c.out.Len(), c.ins[0].Len()
	c.k.For(c.n, func(i int) { f(c.dst[i*out:(i+1)*out], c.srcs[0][i*in:(i+1)*in]) })
}

// image returns the inputs of image i.
func (c *call) image(i int) [][]float32 {
	out := make([][]float32, len(c.srcs))
	for k, src := range c.srcs {
		out[k] = src[i*c.ins[k].Len() : (i+1)*c.ins[k].Len()]
	}
	return out
}
