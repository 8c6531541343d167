package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Some networks turn maps into arrays with the channels last and back, to work on the
// channels of each place (ConvNeXt does). turnless rewrites such a stretch on the maps
// as they are: a product by a matrix is a 1x1 convolution, so that boxes of places
// lead through it. What a layer is called stays.
func (c *converter) turnless() {
	readers := map[string][]int{}
	for i, n := range c.net.Nodes {
		for _, in := range n.Inputs {
			readers[in] = append(readers[in], i)
		}
	}
	ends := map[string]bool{}
	for _, v := range c.ends() {
		ends[v.ref] = true
	}
	shapes, err := c.net.Shapes()
	if err != nil {
		return // whoever asks for them says so
	}
	gone := map[string]string{} // what is left out: whose value stands for it
	for i := range c.net.Nodes {
		if s := (&stretch{c: c, readers: readers, ends: ends, shapes: shapes}).follow(i); s != nil {
			s.rewrite(gone)
		}
	}
	if len(gone) == 0 {
		return
	}
	kept := c.net.Nodes[:0]
	clear(c.layers)
	for _, n := range c.net.Nodes {
		if _, out := gone[n.Name]; out {
			continue
		}
		for k, in := range n.Inputs {
			for by, out := gone[in]; out; by, out = gone[in] {
				in = by
			}
			n.Inputs[k] = in
		}
		c.layers[n.Name] = len(kept)
		kept = append(kept, n)
	}
	c.net.Nodes = kept
}

// stretch are layers between two transpositions.
type stretch struct {
	c        *converter
	readers  map[string][]int
	ends     map[string]bool
	shapes   map[string]model.Shape
	from     string // the maps that are turned
	at       []int  // the first transposition, the layers between, the last
	h, w     int
	channels int // at the end so far
}

// follow returns the stretch that begins with layer i, or nil.
func (s *stretch) follow(i int) *stretch {
	n := &s.c.net.Nodes[i]
	l, ok := n.Layer.(*model.Rearrange)
	if !ok || len(l.To) != 3 || l.Offset != 0 {
		return nil
	}
	s.h, s.w, s.channels = l.To[0], l.To[1], l.To[2]
	if !slices.Equal(l.Strides, []int{s.w, 1, s.h * s.w}) || s.h*s.w == 1 || s.channels == 1 {
		return nil
	}
	s.from, s.at = n.Inputs[0], []int{i}
	if s.shapes[s.from] != (model.Shape{C: s.channels, H: s.h, W: s.w}) {
		return nil
	}
	for {
		next := s.readers[s.c.net.Nodes[i].Name]
		if len(next) != 1 || s.ends[s.c.net.Nodes[i].Name] {
			return nil
		}
		i = next[0]
		s.at = append(s.at, i)
		switch l := s.c.net.Nodes[i].Layer.(type) {
		case *model.Rearrange:
			back := l.Offset == 0 && slices.Equal(l.To, []int{s.channels, s.h, s.w}) && slices.Equal(l.Strides, []int{1, s.w * s.channels, s.channels})
			if !back || s.ends[s.c.net.Nodes[i].Name] {
				return nil
			}
			return s
		case *model.Normalize:
			if !slices.Equal(l.From, []int{s.h, s.w, s.channels}) || !slices.Equal(l.Axes, []int{2}) || (l.Scale != nil || l.Shift != nil) && l.Inner != 1 {
				return nil
			}
		case *model.MatMul:
			if l.Value == nil || l.First || len(l.B) != 2 || !slices.Equal(l.A, []int{s.h, s.w, s.channels}) {
				return nil
			}
			s.channels = l.B[1]
		case *model.Binary:
			if _, _, ok := s.affine(l); !ok {
				return nil
			}
		case *model.Unary:
		default:
			return nil
		}
	}
}

// affine returns a layer that adds a constant to each channel, or multiplies by it.
func (s *stretch) affine(l *model.Binary) (scale, shift []float32, ok bool) {
	if l.Value == nil || l.Op != model.BinaryAdd && l.Op != model.BinaryMul {
		return nil, nil, false
	}
	dims, whole := l.B, l.A
	if l.First {
		dims, whole = l.A, l.B
	}
	if inner, ok := along(dims, whole); !ok || inner != 1 || len(l.Value.Data) != s.channels || !slices.Equal(whole, []int{s.h, s.w, s.channels}) {
		return nil, nil, false
	}
	if l.Op == model.BinaryAdd {
		return slices.Repeat([]float32{1}, s.channels), l.Value.Data, true
	}
	return l.Value.Data, make([]float32, s.channels), true
}

// rewrite puts the layers on maps.
func (s *stretch) rewrite(gone map[string]string) {
	nodes := s.c.net.Nodes
	first, last := &nodes[s.at[0]], &nodes[s.at[len(s.at)-1]]
	gone[first.Name] = s.from
	before := first.Name
	var conv *model.Node // whose bias comes next
	s.channels = first.Layer.(*model.Rearrange).To[2]
	for _, i := range s.at[1 : len(s.at)-1] {
		n := &nodes[i]
		switch l := n.Layer.(type) {
		case *model.Normalize:
			out := *l
			out.From, out.Axes, out.Inner = []int{s.channels, s.h, s.w}, []int{0}, s.h*s.w
			n.Layer = &out
		case *model.MatMul:
			k, m := l.B[0], l.B[1]
			weight := tensor.New(m, k, 1, 1)
			model.Turn(weight.Data, l.Value.Floats(), k, m)
			n.Layer = &model.Conv{Weight: weight, Stride: []int{1, 1}, Dilation: []int{1, 1}, Groups: 1}
			if l.Value.Packed != nil {
				pack(n.Layer)
			}
			s.channels = m
			conv, before = n, n.Name
			continue
		case *model.Binary:
			scale, shift, _ := s.affine(l)
			if conv != nil && l.Op == model.BinaryAdd { // the layer takes the name of the last
				conv.Layer.(*model.Conv).Bias = shift
				n.Layer, n.Inputs = conv.Layer, conv.Inputs
				gone[conv.Name] = n.Name
				break
			}
			n.Inputs = []string{before}
			n.Layer = &model.BatchNorm{Scale: scale, Shift: shift, Mean: make([]float32, len(scale)), Var: slices.Repeat([]float32{1}, len(scale))}
		}
		conv, before = nil, n.Name
	}
	gone[last.Name] = before
}
