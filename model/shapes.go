package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// maxElements bounds the values of one image at one node, so that sizes read
// from files cannot overflow or ask for absurd memory.
const maxElements = 1 << 30

// Shapes returns the shape of one image's value at every node, by name,
// including the input. An error names the node, with got and want.
func (net *Network) Shapes() (map[string]Shape, error) {
	in := net.Input
	if in.Name == "" || in.C < 1 || in.H < 1 || in.W < 1 || !fits(in.C, in.H, in.W) {
		return nil, fmt.Errorf("model: input %q has shape %dx%dx%d, want positive sizes of sensible magnitude", in.Name, in.C, in.H, in.W)
	}
	shapes := map[string]Shape{in.Name: in.Shape()}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if n.Name == "" {
			return nil, fmt.Errorf("model: node %d has no name", i)
		}
		if _, taken := shapes[n.Name]; taken {
			return nil, fmt.Errorf("model: layer %s: the name is taken twice", n.Name)
		}
		var ins []Shape
		for _, name := range n.Inputs {
			s, ok := shapes[name]
			if !ok {
				return nil, fmt.Errorf("model: layer %s: input %q is not computed before it", n.Name, name)
			}
			ins = append(ins, s)
		}
		s, err := outShape(n.Layer, ins)
		if err != nil {
			return nil, fmt.Errorf("model: layer %s: %w", n.Name, err)
		}
		if !fits(s.C, s.H, s.W) {
			return nil, fmt.Errorf("model: layer %s: output %v is too large", n.Name, s)
		}
		shapes[n.Name] = s
	}
	return shapes, nil
}

func fits(dims ...int) bool {
	n := 1
	for _, d := range dims {
		if d < 0 || d > maxElements || (d > 0 && n > maxElements/d) {
			return false
		}
		n *= d
	}
	return true
}

// outShape is the shape pass for one layer.
func outShape(l Layer, ins []Shape) (Shape, error) {
	want := 1
	switch l.(type) {
	case *Add, *Concat, *Join, *Binary, *MatMul:
		want = -1
	}
	if want > 0 && len(ins) != want || len(ins) == 0 {
		return Shape{}, fmt.Errorf("%s takes %d inputs, got %d", l.Kind(), max(want, 1), len(ins))
	}
	s := ins[0]
	switch l := l.(type) {
	case *Conv:
		if err := l.check(s); err != nil {
			return Shape{}, err
		}
		h, err := windowCount(s.H, l.Weight.Shape[2], l.Stride[0], l.Dilation[0], l.Pads[0], l.Pads[2], false)
		if err != nil {
			return Shape{}, err
		}
		w, err := windowCount(s.W, l.Weight.Shape[3], l.Stride[1], l.Dilation[1], l.Pads[1], l.Pads[3], false)
		return Shape{C: l.Weight.Shape[0], H: h, W: w}, err
	case *Dense:
		if l.Weight == nil || len(l.Weight.Shape) != 2 {
			return Shape{}, fmt.Errorf("weights are not [out, in]")
		}
		if !s.Flat {
			return Shape{}, fmt.Errorf("input is %v, want a vector: put a Flatten before it", s)
		}
		if s.C != l.Weight.Shape[1] {
			return Shape{}, fmt.Errorf("weights are %v, the input has %d values", l.Weight.Shape, s.C)
		}
		if l.Bias != nil && len(l.Bias) != l.Weight.Shape[0] {
			return Shape{}, fmt.Errorf("bias has %d values, want %d", len(l.Bias), l.Weight.Shape[0])
		}
		return Shape{C: l.Weight.Shape[0], H: 1, W: 1, Flat: true}, nil
	case *MaxPool:
		return poolShape(s, l.Kernel, l.Stride, l.Dilation, l.Pads, l.Ceil)
	case *AvgPool:
		return poolShape(s, l.Kernel, l.Stride, [2]int{1, 1}, l.Pads, l.Ceil)
	case *GlobalAvgPool:
		if s.Flat {
			return Shape{}, fmt.Errorf("input is a vector of %d, want maps", s.C)
		}
		return Shape{C: s.C, H: 1, W: 1}, nil
	case *ReLU, *LeakyReLU, *Dropout, *Softmax:
		return s, nil
	case *Clip:
		if !(l.Min <= l.Max) {
			return Shape{}, fmt.Errorf("clip to [%g, %g]", l.Min, l.Max)
		}
		return s, nil
	case *LRN:
		if l.Size < 1 {
			return Shape{}, fmt.Errorf("size %d", l.Size)
		}
		return s, nil
	case *BatchNorm:
		for _, p := range [][]float32{l.Scale, l.Shift, l.Mean, l.Var} {
			if len(p) != s.C {
				return Shape{}, fmt.Errorf("statistics for %d channels, the input has %d", len(p), s.C)
			}
		}
		return s, nil
	case *Add:
		for _, o := range ins[1:] {
			if o != s {
				return Shape{}, fmt.Errorf("cannot add %v to %v", o, s)
			}
		}
		return s, nil
	case *Concat:
		for _, o := range ins[1:] {
			if o.H != s.H || o.W != s.W || o.Flat != s.Flat {
				return Shape{}, fmt.Errorf("cannot join %v to %v", o, ins[0])
			}
			s.C += o.C
		}
		return s, nil
	case *Recurrent:
		geo, err := l.Geometry(s)
		return Shape{C: geo.Hidden, H: 1, W: 1, Flat: true}, err
	case *Flatten:
		return Shape{C: s.Len(), H: 1, W: 1, Flat: true}, nil
	case *Pad:
		if slices.Min(l.Pads[:]) < 0 || s.Flat {
			return Shape{}, fmt.Errorf("pads %v of %v", l.Pads, s)
		}
		return Shape{C: s.C, H: s.H + l.Pads[0] + l.Pads[2], W: s.W + l.Pads[1] + l.Pads[3]}, nil
	}
	return arrayShape(l, ins)
}

func unknownKind(l Layer) error {
	if l == nil {
		return fmt.Errorf("no layer")
	}
	return fmt.Errorf("unknown layer kind %s", l.Kind())
}

func (l *Conv) check(s Shape) error {
	if l.Weight == nil || len(l.Weight.Shape) != 4 {
		return fmt.Errorf("weights are not [out, in, rows, columns]")
	}
	k, c := l.Weight.Shape[0], l.Weight.Shape[1]
	switch {
	case s.Flat:
		return fmt.Errorf("input is a vector of %d, want maps", s.C)
	case k < 1 || c < 1 || l.Weight.Shape[2] < 1 || l.Weight.Shape[3] < 1:
		return fmt.Errorf("weights are %v", l.Weight.Shape)
	case l.Groups < 1 || k%l.Groups != 0:
		return fmt.Errorf("%d groups of %d outputs", l.Groups, k)
	case c*l.Groups != s.C:
		return fmt.Errorf("weights are %v in %d groups, the input has %d channels", l.Weight.Shape, l.Groups, s.C)
	case l.Bias != nil && len(l.Bias) != k:
		return fmt.Errorf("bias has %d values, want %d", len(l.Bias), k)
	}
	return nil
}

func poolShape(s Shape, kernel, stride, dilation [2]int, pads [4]int, ceil bool) (Shape, error) {
	if s.Flat {
		return Shape{}, fmt.Errorf("input is a vector of %d, want maps", s.C)
	}
	h, err := windowCount(s.H, kernel[0], stride[0], dilation[0], pads[0], pads[2], ceil)
	if err != nil {
		return Shape{}, err
	}
	w, err := windowCount(s.W, kernel[1], stride[1], dilation[1], pads[1], pads[3], ceil)
	return Shape{C: s.C, H: h, W: w}, err
}

// windowCount is the number of windows along one axis. With ceil a last window
// may hang over the end, but it must start inside the input or the leading pad.
func windowCount(size, kernel, stride, dilation, before, after int, ceil bool) (int, error) {
	if kernel < 1 || stride < 1 || dilation < 1 || before < 0 || after < 0 ||
		max(kernel, stride, dilation, before, after) > 1<<20 {
		return 0, fmt.Errorf("kernel %d, stride %d, dilation %d, pads %d and %d", kernel, stride, dilation, before, after)
	}
	span := (kernel-1)*dilation + 1
	room := size + before + after - span
	if room < 0 {
		return 0, fmt.Errorf("a window of %d does not fit in %d padded by %d and %d", span, size, before, after)
	}
	n := room/stride + 1
	if ceil && room%stride != 0 && n*stride < size+before {
		n++
	}
	return n, nil
}

// Geometry is the layer as the kernels see it.
func (l *Conv) Geometry() kernel.Conv {
	return kernel.Conv{In: l.Weight.Shape[1] * l.Groups, Out: l.Weight.Shape[0], KH: l.Weight.Shape[2], KW: l.Weight.Shape[3],
		StrideY: l.Stride[0], StrideX: l.Stride[1], DilY: l.Dilation[0], DilX: l.Dilation[1],
		PadTop: l.Pads[0], PadLeft: l.Pads[1], Groups: l.Groups}
}

// Geometry is the layer as the kernels see it.
func (l *MaxPool) Geometry() kernel.Pool {
	return kernel.Pool{KH: l.Kernel[0], KW: l.Kernel[1], StrideY: l.Stride[0], StrideX: l.Stride[1],
		DilY: l.Dilation[0], DilX: l.Dilation[1], PadTop: l.Pads[0], PadLeft: l.Pads[1]}
}

// Geometry is the layer as the kernels see it.
func (l *AvgPool) Geometry() kernel.Pool {
	return kernel.Pool{KH: l.Kernel[0], KW: l.Kernel[1], StrideY: l.Stride[0], StrideX: l.Stride[1],
		DilY: 1, DilX: 1, PadTop: l.Pads[0], PadLeft: l.Pads[1]}
}

// OutputShape returns the shape that the layer makes of one image's inputs of
// shapes ins, or what is wrong with them.
func OutputShape(l Layer, ins []Shape) (Shape, error) {
	s, err := outShape(l, ins)
	if err == nil && !fits(s.C, s.H, s.W) {
		err = fmt.Errorf("output %v is too large", s)
	}
	return s, err
}
