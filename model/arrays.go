package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Layers on arrays of any rank. They know the sizes of the axes of one image's
// value by themselves ("dims", C order), so that Shape stays what maps need: a
// value is the same numbers in the same order however it is divided into axes.
// ArrayShape says which Shape dims get.
type (
	// Unary is a function of each number: see UnaryOps for what Op, Alpha and
	// Beta mean.
	Unary struct {
		Op          string
		Alpha, Beta float32
	}
	// Binary combines two arrays of dims A and B number by number, broadcast as in
	// NumPy: axes are aligned at the end, an axis of 1 repeats. Op is one of Add,
	// Sub, Mul, Div, Pow, Max, Min, or PRelu (a where a > 0, else a*b). With Value
	// one of the two is constant, the second or, if First is set, the first.
	Binary struct {
		Op    string
		A, B  []int
		Value *tensor.Tensor // dims as A or B; nil: both are inputs
		First bool
	}
	// MatMul is the matrix product over the last two axes of A and B, broadcast
	// over those before; both have at least two. Value and First are as in Binary.
	MatMul struct {
		A, B  []int
		Value *tensor.Tensor
		First bool
	}
	// ConvTranspose is the transpose of a convolution (its data gradient): every
	// input value adds its multiple of the filter to the output. The output has
	// (in-1)*Stride + (kernel-1)*Dilation + 1 - pads + OutPad rows and columns.
	ConvTranspose struct {
		Weight   *tensor.Tensor // [C, K/Groups, R, S]
		Bias     []float32      // [K] or nil
		Stride   [2]int
		Dilation [2]int
		Pads     [4]int
		OutPad   [2]int
		Groups   int
	}
	// WindowPool is what the pools above do not do. Op: "lp" is the P-norm of a
	// window, "average" a mean (for dilated windows), "argmax" the place of the
	// maximum in the image's array, c*H*W + row*W + column, or with columns
	// before rows if Columns is set; the first among equals.
	WindowPool struct {
		Op                       string
		Kernel, Stride, Dilation [2]int
		Pads                     [4]int
		Ceil, CountPad, Columns  bool
		P                        int
	}
	// InstanceNorm normalises each map by its own mean and variance:
	// Scale * (x-mean)/sqrt(var+Eps) + Shift per channel.
	InstanceNorm struct {
		Scale, Shift []float32 // [C]
		Eps          float64
	}
	// Reduce takes the axes Axes of an array of dims From together and leaves them
	// out: see ReduceOps for Op. "argmax" and "argmin" give the index along one axis,
	// of the first among equals or, if Last is set, of the last.
	Reduce struct {
		Op   string
		From []int
		Axes []int
		Last bool
	}
	// Rearrange reads an array in another order: number (i, j, ...) of an array of
	// dims To is number Offset + i*Strides[0] + j*Strides[1] + ... of the input.
	// That covers transposition, slices, repetition, and moves between depth and
	// space. What is what it was in the network's file, for readers.
	Rearrange struct {
		What        string
		Offset      int
		To, Strides []int
	}
	// AlongAxis makes each number of a new axis from Taps numbers of the same row of
	// axis Axis of an array of dims From: sum_k Weight[i*Taps+k] * row[Index[i*Taps+k]];
	// at an index of -1 Fill stands in. No Weight: all 1. That covers lookups,
	// padding of all modes, and resizing one axis after the other.
	AlongAxis struct {
		What   string
		From   []int
		Axis   int
		Taps   int
		Index  []int
		Weight []float32 // or nil
		Fill   float32
	}
	// SoftmaxAxis is the softmax over the middle one of three axes, or its
	// logarithm.
	SoftmaxAxis struct {
		Outer, Size, Inner int
		Log                bool
	}
	// Join puts its inputs one behind the other along axis Axis of an array of dims To.
	Join struct {
		Axis int
		To   []int
	}
	// Reshape divides the same numbers into axes of dims To.
	Reshape struct{ To []int }
	// Constant is the same whatever its input is.
	Constant struct{ Value *tensor.Tensor }
	// Sequence is a recurrent layer as ONNX has it (Recurrent is the one that can
	// be trained): Op is RNN, LSTM or GRU, with ONNX's weights and equations. The
	// input's dims are [Steps, Batch, Values]. The output is one vector: the hidden states [steps, directions, batch, Hidden], the
	// last of them [directions, batch, Hidden] and, of an LSTM, the last cell state.
	Sequence struct {
		Op                   string
		Steps, Batch, Values int
		Hidden               int
		Direction            string         // forward, reverse or bidirectional
		W, R                 *tensor.Tensor // [directions, gates*Hidden, values], [directions, gates*Hidden, Hidden]
		B                    *tensor.Tensor // [directions, 2*gates*Hidden] or nil
		P                    *tensor.Tensor // LSTM's peepholes [directions, 3*Hidden] or nil
		H0, C0               *tensor.Tensor // [directions, batch, Hidden] or nil
		Activations          string         // names, separated by commas: those of each direction in turn
		Alpha, Beta          []float32      // of the activations; nil: as in ONNX
		Clip                 float32        // of what goes into activations; 0: none
		InputForget          bool           // LSTM: the input gate is 1 - the forget gate
		BeforeReset          bool           // GRU: linear_before_reset
		Lengths              []int          // steps of each sequence of the batch; nil: all
	}
)

func (*Unary) Kind() string         { return "Unary" }
func (*Binary) Kind() string        { return "Binary" }
func (*MatMul) Kind() string        { return "MatMul" }
func (*ConvTranspose) Kind() string { return "ConvTranspose" }
func (*WindowPool) Kind() string    { return "WindowPool" }
func (*InstanceNorm) Kind() string  { return "InstanceNorm" }
func (*Reduce) Kind() string        { return "Reduce" }
func (*Rearrange) Kind() string     { return "Rearrange" }
func (*AlongAxis) Kind() string     { return "AlongAxis" }
func (*SoftmaxAxis) Kind() string   { return "SoftmaxAxis" }
func (*Join) Kind() string          { return "Join" }
func (*Reshape) Kind() string       { return "Reshape" }
func (*Constant) Kind() string      { return "Constant" }
func (*Sequence) Kind() string      { return "Sequence" }

// ArrayShape is the Shape of an array of dims: no axis or one is a vector, of
// two the second are columns, of more than three the last ones are columns.
func ArrayShape(dims []int) Shape {
	s := Shape{C: 1, H: 1, W: 1, Flat: len(dims) < 2}
	for i, d := range dims {
		switch {
		case i == 0:
			s.C = d
		case i == 1 && len(dims) > 2:
			s.H = d
		default:
			s.W *= d
		}
	}
	return s
}

// arrayLen is the number of values, an error unless dims are positive and
// sensible.
func arrayLen(dims []int) (int, error) {
	if len(dims) > maxRank || !fits(dims...) || slices.Contains(dims, 0) {
		return 0, fmt.Errorf("dims are %v, want at most %d positive sizes of sensible magnitude", dims, maxRank)
	}
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n, nil
}

const maxRank = 16

// holds checks that an input is an array of dims.
func holds(s Shape, dims []int) error {
	n, err := arrayLen(dims)
	if err == nil && n != s.Len() {
		err = fmt.Errorf("input is %v, %d values, want an array of %v", s, s.Len(), dims)
	}
	return err
}

// Broadcast returns the dims that arrays of dims a and b combine to.
func Broadcast(a, b []int) ([]int, error) {
	out := make([]int, max(len(a), len(b)))
	for i := range out {
		x, y := 1, 1
		if j := i - (len(out) - len(a)); j >= 0 {
			x = a[j]
		}
		if j := i - (len(out) - len(b)); j >= 0 {
			y = b[j]
		}
		if x != y && x != 1 && y != 1 {
			return nil, fmt.Errorf("arrays of %v and %v do not combine", a, b)
		}
		out[i] = max(x, y)
		if x == 0 || y == 0 {
			out[i] = 0
		}
	}
	return out, nil
}

// operands checks the inputs of Binary and MatMul.
func operands(a, b []int, value *tensor.Tensor, first bool, ins []Shape) error {
	want := [][]int{a, b}
	if value != nil {
		known := b
		want = want[:1]
		if first {
			known, want[0] = a, b
		}
		n, err := arrayLen(known)
		if err != nil {
			return err
		}
		if !slices.Equal(value.Shape, known) || len(value.Data) != n {
			return fmt.Errorf("the constant is %v, want %v", value.Shape, known)
		}
	}
	if len(ins) != len(want) {
		return fmt.Errorf("%d inputs, want %d", len(ins), len(want))
	}
	for i, dims := range want {
		if err := holds(ins[i], dims); err != nil {
			return err
		}
	}
	return nil
}

// arrayShape is the shape pass for the kinds of this file.
func arrayShape(l Layer, ins []Shape) (Shape, error) {
	s := ins[0]
	dims := []int(nil)
	switch l := l.(type) {
	case *Unary:
		if _, ok := unaryOps[l.Op]; !ok {
			return s, fmt.Errorf("unknown function %q", l.Op)
		}
		return s, nil
	case *Binary:
		if _, ok := binaryOps[l.Op]; !ok {
			return s, fmt.Errorf("unknown operation %q", l.Op)
		}
		if err := operands(l.A, l.B, l.Value, l.First, ins); err != nil {
			return s, err
		}
		dims, err := Broadcast(l.A, l.B)
		if err != nil {
			return s, err
		}
		if _, err := arrayLen(dims); err != nil {
			return s, err
		}
		// A value of the result's size keeps its shape.
		out := ArrayShape(dims)
		for i, in := range ins {
			switch {
			case holds(in, dims) != nil:
			case i > 0 && out != in && holds(ins[0], dims) == nil:
				return s, fmt.Errorf("cannot combine %v with %v", ins[0], in)
			default:
				out = in
			}
		}
		return out, nil
	case *MatMul:
		if len(l.A) < 2 || len(l.B) < 2 || l.A[len(l.A)-1] != l.B[len(l.B)-2] {
			return s, fmt.Errorf("cannot multiply matrices of %v and %v", l.A, l.B)
		}
		if err := operands(l.A, l.B, l.Value, l.First, ins); err != nil {
			return s, err
		}
		d, err := Broadcast(l.A[:len(l.A)-2], l.B[:len(l.B)-2])
		if err != nil {
			return s, err
		}
		dims = append(d, l.A[len(l.A)-2], l.B[len(l.B)-1])
	case *ConvTranspose:
		return l.shape(s)
	case *WindowPool:
		if !slices.Contains([]string{"lp", "average", "argmax"}, l.Op) || l.Op == "lp" && l.P < 1 {
			return s, fmt.Errorf("unknown pool %q of power %d", l.Op, l.P)
		}
		return poolShape(s, l.Kernel, l.Stride, l.Dilation, l.Pads, l.Ceil)
	case *InstanceNorm:
		if len(l.Scale) != s.C || len(l.Shift) != s.C {
			return s, fmt.Errorf("scales for %d channels, the input has %d", len(l.Scale), s.C)
		}
		return s, nil
	case *Reduce:
		if err := holds(s, l.From); err != nil {
			return s, err
		}
		_, arg := argOps[l.Op]
		if _, ok := reduceOps[l.Op]; !ok && !arg {
			return s, fmt.Errorf("unknown reduction %q", l.Op)
		}
		if arg && len(l.Axes) != 1 {
			return s, fmt.Errorf("%s over the axes %v, want one", l.Op, l.Axes)
		}
		for i, a := range l.Axes {
			if a < 0 || a >= len(l.From) || i > 0 && a <= l.Axes[i-1] {
				return s, fmt.Errorf("axes %v of %v", l.Axes, l.From)
			}
		}
		for i, d := range l.From {
			if !slices.Contains(l.Axes, i) {
				dims = append(dims, d)
			}
		}
	case *Rearrange:
		if _, err := arrayLen(l.To); err != nil {
			return s, err
		}
		if len(l.Strides) != len(l.To) {
			return s, fmt.Errorf("%d strides for %v", len(l.Strides), l.To)
		}
		low, high := l.Offset, l.Offset
		for i, d := range l.To {
			if v := l.Strides[i]; v < -maxElements || v > maxElements {
				return s, fmt.Errorf("stride %d", v)
			} else if v < 0 {
				low += (d - 1) * v
			} else {
				high += (d - 1) * v
			}
		}
		if low < 0 || high >= s.Len() {
			return s, fmt.Errorf("numbers %d to %d of an input of %d values", low, high, s.Len())
		}
		dims = l.To
	case *AlongAxis:
		if err := holds(s, l.From); err != nil {
			return s, err
		}
		if l.Axis < 0 || l.Axis >= len(l.From) || l.Taps < 1 || len(l.Index) == 0 || len(l.Index)%l.Taps != 0 ||
			l.Weight != nil && len(l.Weight) != len(l.Index) {
			return s, fmt.Errorf("%d indices and %d weights in groups of %d along axis %d of %v", len(l.Index), len(l.Weight), l.Taps, l.Axis, l.From)
		}
		for _, i := range l.Index {
			if i < -1 || i >= l.From[l.Axis] {
				return s, fmt.Errorf("index %d along axis %d of %v", i, l.Axis, l.From)
			}
		}
		dims = slices.Clone(l.From)
		dims[l.Axis] = len(l.Index) / l.Taps
	case *SoftmaxAxis:
		return s, holds(s, []int{l.Outer, l.Size, l.Inner})
	case *Join:
		n, err := arrayLen(l.To)
		if err != nil {
			return s, err
		}
		if l.Axis < 0 || l.Axis >= len(l.To) {
			return s, fmt.Errorf("axis %d of %v", l.Axis, l.To)
		}
		outer := 1
		for _, d := range l.To[:l.Axis] {
			outer *= d
		}
		for _, in := range ins {
			if n -= in.Len(); n < 0 || in.Len()%outer != 0 {
				return s, fmt.Errorf("inputs %v do not make an array of %v", ins, l.To)
			}
		}
		if n != 0 {
			return s, fmt.Errorf("inputs %v do not make an array of %v", ins, l.To)
		}
		dims = l.To
	case *Reshape:
		if err := holds(s, l.To); err != nil {
			return s, err
		}
		dims = l.To
	case *Constant:
		if l.Value == nil {
			return s, fmt.Errorf("it has no value")
		}
		if n, err := arrayLen(l.Value.Shape); err != nil || n != len(l.Value.Data) {
			return s, fmt.Errorf("value of %v", l.Value.Shape)
		}
		dims = l.Value.Shape
	case *Sequence:
		n, err := l.check(s)
		return Shape{C: n, H: 1, W: 1, Flat: true}, err
	default:
		return s, unknownKind(l)
	}
	if _, err := arrayLen(dims); err != nil {
		return s, err
	}
	return ArrayShape(dims), nil
}

func (l *ConvTranspose) shape(s Shape) (Shape, error) {
	if l.Weight == nil || len(l.Weight.Shape) != 4 {
		return s, fmt.Errorf("weights are not [in, out, rows, columns]")
	}
	w := l.Weight.Shape
	switch {
	case s.Flat:
		return s, fmt.Errorf("input is a vector of %d, want maps", s.C)
	case slices.Min(w) < 1 || l.Groups < 1 || w[0]%l.Groups != 0 || w[0] != s.C:
		return s, fmt.Errorf("weights are %v in %d groups, the input has %d channels", w, l.Groups, s.C)
	case !fits(w[1], l.Groups):
		return s, fmt.Errorf("weights are %v in %d groups", w, l.Groups)
	case l.Bias != nil && len(l.Bias) != w[1]*l.Groups:
		return s, fmt.Errorf("bias has %d values, want %d", len(l.Bias), w[1]*l.Groups)
	}
	out := Shape{C: w[1] * l.Groups}
	for a, size := range [2]int{s.H, s.W} {
		if min(l.Stride[a], l.Dilation[a]) < 1 || min(l.Pads[a], l.Pads[a+2], l.OutPad[a]) < 0 ||
			max(w[a+2], l.Stride[a], l.Dilation[a], l.Pads[a], l.Pads[a+2], l.OutPad[a]) > 1<<20 {
			return s, fmt.Errorf("kernel %d, stride %d, dilation %d, pads %d and %d, output padding %d",
				w[a+2], l.Stride[a], l.Dilation[a], l.Pads[a], l.Pads[a+2], l.OutPad[a])
		}
		n := (size-1)*l.Stride[a] + (w[a+2]-1)*l.Dilation[a] + 1 - l.Pads[a] - l.Pads[a+2] + l.OutPad[a]
		if n < 1 {
			return s, fmt.Errorf("the output of %v would have %d rows or columns", s, n)
		}
		if a == 0 {
			out.H = n
		} else {
			out.W = n
		}
	}
	return out, nil
}

// Geometry is the convolution that the layer is the transpose of.
func (l *ConvTranspose) Geometry() kernel.Conv {
	w := l.Weight.Shape
	return kernel.Conv{In: w[1] * l.Groups, Out: w[0], KH: w[2], KW: w[3],
		StrideY: l.Stride[0], StrideX: l.Stride[1], DilY: l.Dilation[0], DilX: l.Dilation[1],
		PadTop: l.Pads[0], PadLeft: l.Pads[1], Groups: l.Groups}
}

// Geometry is the layer as the kernels see it.
func (l *WindowPool) Geometry() kernel.Pool {
	return kernel.Pool{KH: l.Kernel[0], KW: l.Kernel[1], StrideY: l.Stride[0], StrideX: l.Stride[1],
		DilY: l.Dilation[0], DilX: l.Dilation[1], PadTop: l.Pads[0], PadLeft: l.Pads[1]}
}

// gates is the number of gates of a cell.
func (l *Sequence) gates() int { return map[string]int{"RNN": 1, "LSTM": 4, "GRU": 3}[l.Op] }

func (l *Sequence) directions() int {
	if l.Direction == "bidirectional" {
		return 2
	}
	return 1
}

// ActivationNames are the names of a cell's activations, for each direction in turn.
func (l *Sequence) ActivationNames() []string {
	per := map[string][]string{"RNN": {"Tanh"}, "LSTM": {"Sigmoid", "Tanh", "Tanh"}, "GRU": {"Sigmoid", "Tanh"}}[l.Op]
	if l.Activations != "" {
		return strings.Split(l.Activations, ",")
	}
	return slices.Repeat(per, l.directions())
}

// check returns the number of values that come out.
func (l *Sequence) check(s Shape) (int, error) {
	g, d := l.gates(), l.directions()
	switch {
	case g == 0 || !slices.Contains([]string{"forward", "reverse", "bidirectional"}, l.Direction):
		return 0, fmt.Errorf("unknown cell %q of direction %q", l.Op, l.Direction)
	case l.Hidden < 1 || l.Hidden > 1<<20:
		return 0, fmt.Errorf("hidden size %d", l.Hidden)
	}
	if err := holds(s, []int{l.Steps, l.Batch, l.Values}); err != nil {
		return 0, err
	}
	steps, batch, values, h := l.Steps, l.Batch, l.Values, l.Hidden
	for _, w := range []struct {
		name string
		t    *tensor.Tensor
		want []int
		must bool
	}{
		{"W", l.W, []int{d, g * h, values}, true}, {"R", l.R, []int{d, g * h, h}, true}, {"B", l.B, []int{d, 2 * g * h}, false},
		{"P", l.P, []int{d, 3 * h}, false}, {"the first hidden state", l.H0, []int{d, batch, h}, false}, {"the first cell state", l.C0, []int{d, batch, h}, false},
	} {
		if w.t == nil && w.must {
			return 0, fmt.Errorf("%s is missing", w.name)
		}
		if w.t == nil {
			continue
		}
		if n, err := arrayLen(w.want); err != nil || !slices.Equal(w.t.Shape, w.want) || n != len(w.t.Data) {
			return 0, fmt.Errorf("%s is %v, want %v", w.name, w.t.Shape, w.want)
		}
	}
	if (l.P != nil || l.C0 != nil) && l.Op != "LSTM" {
		return 0, fmt.Errorf("peepholes or a cell state in a %s", l.Op)
	}
	names := l.ActivationNames()
	if want := d * map[string]int{"RNN": 1, "LSTM": 3, "GRU": 2}[l.Op]; len(names) != want ||
		l.Alpha != nil && len(l.Alpha) != want || l.Beta != nil && len(l.Beta) != want {
		return 0, fmt.Errorf("activations %v, want %d", names, want)
	}
	for _, n := range names {
		if _, ok := unaryOps[n]; !ok {
			return 0, fmt.Errorf("unknown activation %q", n)
		}
	}
	if l.Lengths != nil && len(l.Lengths) != batch {
		return 0, fmt.Errorf("%d lengths for a batch of %d", len(l.Lengths), batch)
	}
	for _, n := range l.Lengths {
		if n < 0 || n > steps {
			return 0, fmt.Errorf("a sequence of %d in %d steps", n, steps)
		}
	}
	total := []int{d, batch, h, steps + 2}
	if _, err := arrayLen(total); err != nil {
		return 0, err
	}
	n := d * batch * h * (steps + 1)
	if l.Op == "LSTM" {
		n += d * batch * h
	}
	return n, nil
}

// local reports whether an input of shape in is as large as the result: then
// number i of the result depends on no other number of it than number i.
func (l *Binary) local(in Shape) bool {
	dims, err := Broadcast(l.A, l.B)
	return err == nil && holds(in, dims) == nil
}

// arrayText describes a layer of this file for a reader.
func arrayText(l Layer) string {
	switch l := l.(type) {
	case *Unary:
		s := l.Op
		switch unaryOps[l.Op].parameters {
		case 1:
			s += fmt.Sprintf(", alpha %g", l.Alpha)
		case 2:
			s += fmt.Sprintf(", alpha %g, beta %g", l.Alpha, l.Beta)
		}
		return s
	case *Binary:
		return l.Op + operandText(l.A, l.B, l.Value, l.First)
	case *MatMul:
		return strings.TrimPrefix(operandText(l.A, l.B, l.Value, l.First), " ")
	case *ConvTranspose:
		s := window([2]int{l.Weight.Shape[2], l.Weight.Shape[3]}, l.Stride, l.Dilation, l.Pads)
		if l.OutPad != [2]int{} {
			s += fmt.Sprintf(", output padding %dx%d", l.OutPad[0], l.OutPad[1])
		}
		if l.Groups > 1 {
			s += fmt.Sprintf(", groups %d", l.Groups)
		}
		return s
	case *WindowPool:
		return l.Op + " " + window(l.Kernel, l.Stride, l.Dilation, l.Pads)
	case *Reduce:
		return fmt.Sprintf("%s over %v of %v", l.Op, l.Axes, l.From)
	case *Rearrange:
		return fmt.Sprintf("%s to %v", l.What, l.To)
	case *AlongAxis:
		return fmt.Sprintf("%s axis %d of %v to %d", l.What, l.Axis, l.From, len(l.Index)/max(l.Taps, 1))
	case *SoftmaxAxis:
		if l.Log {
			return "logarithm"
		}
	case *Join:
		return fmt.Sprintf("along axis %d to %v", l.Axis, l.To)
	case *Reshape:
		return fmt.Sprintf("to %v", l.To)
	case *Sequence:
		return fmt.Sprintf("%s %s, hidden %d, %d steps", l.Direction, l.Op, l.Hidden, l.Steps)
	}
	return ""
}

func operandText(a, b []int, value *tensor.Tensor, first bool) string {
	switch {
	case value == nil:
		return fmt.Sprintf(" %v and %v", a, b)
	case len(value.Data) == 1 && first:
		return fmt.Sprintf(" of %g and the input", value.Data[0])
	case len(value.Data) == 1:
		return fmt.Sprintf(" by %g", value.Data[0])
	case first:
		return fmt.Sprintf(" of a constant %v and %v", a, b)
	}
	return fmt.Sprintf(" %v by a constant %v", a, b)
}

// unaryOp is a function of one number and its derivative, given the function's
// argument x and value y; nil: no rule takes a signal down through it.
type unaryOp struct {
	parameters int
	f          func(x, a, b float64) float64
	slope      func(x, y, a, b float64) float64
}

// UnaryOps lists the functions that Unary knows, by their names in ONNX:
// Elu: x, alpha (exp x - 1) below 0; Selu: beta (alpha (exp x - 1)) and beta x;
// Celu: alpha (exp(x/alpha) - 1); HardSigmoid: alpha x + beta within 0..1;
// Gelu: x times the normal distribution; GeluTanh: its approximation; Affine:
// alpha x + beta; ScaledTanh: alpha tanh(beta x); ThresholdedRelu: x above
// alpha, else 0; Swish: x sigmoid(alpha x); Shrink: Softsign: x/(1+|x|);
// the others as their names say.
func UnaryOps() []string {
	var out []string
	for op := range unaryOps {
		out = append(out, op)
	}
	slices.Sort(out)
	return out
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func indicator(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func pick(first bool, a, b float64) float64 {
	if first {
		return a
	}
	return b
}

const sqrt2OverPi = 0.7978845608028654

var unaryOps = map[string]unaryOp{
	"Abs":  {0, func(x, _, _ float64) float64 { return math.Abs(x) }, func(x, _, _, _ float64) float64 { return pick(x > 0, 1, -indicator(x < 0)) }},
	"Neg":  {0, func(x, _, _ float64) float64 { return -x }, func(_, _, _, _ float64) float64 { return -1 }},
	"Sqrt": {0, func(x, _, _ float64) float64 { return math.Sqrt(x) }, func(_, y, _, _ float64) float64 { return 0.5 / y }},
	"Exp":  {0, func(x, _, _ float64) float64 { return math.Exp(x) }, func(_, y, _, _ float64) float64 { return y }},
	"Log":  {0, func(x, _, _ float64) float64 { return math.Log(x) }, func(x, _, _, _ float64) float64 { return 1 / x }},
	"Erf": {0, func(x, _, _ float64) float64 { return math.Erf(x) },
		func(x, _, _, _ float64) float64 { return 2 / math.Sqrt(math.Pi) * math.Exp(-x*x) }},
	"Reciprocal": {0, func(x, _, _ float64) float64 { return 1 / x }, func(_, y, _, _ float64) float64 { return -y * y }},
	"Sin":        {0, func(x, _, _ float64) float64 { return math.Sin(x) }, func(x, _, _, _ float64) float64 { return math.Cos(x) }},
	"Cos":        {0, func(x, _, _ float64) float64 { return math.Cos(x) }, func(x, _, _, _ float64) float64 { return -math.Sin(x) }},
	"Floor":      {0, func(x, _, _ float64) float64 { return math.Floor(x) }, nil},
	"Ceil":       {0, func(x, _, _ float64) float64 { return math.Ceil(x) }, nil},
	"Round":      {0, func(x, _, _ float64) float64 { return math.RoundToEven(x) }, nil},
	"Truncate":   {0, func(x, _, _ float64) float64 { return math.Trunc(x) }, nil},     // conversion to an integer
	"NotZero":    {0, func(x, _, _ float64) float64 { return indicator(x != 0) }, nil}, // conversion to a boolean
	"Sign":       {0, func(x, _, _ float64) float64 { return pick(x > 0, 1, -indicator(x < 0)) }, nil},
	"Tanh":       {0, func(x, _, _ float64) float64 { return math.Tanh(x) }, func(_, y, _, _ float64) float64 { return 1 - y*y }},
	"Sigmoid":    {0, func(x, _, _ float64) float64 { return sigmoid(x) }, func(_, y, _, _ float64) float64 { return y * (1 - y) }},
	"Relu":       {0, func(x, _, _ float64) float64 { return max(x, 0) }, func(x, _, _, _ float64) float64 { return indicator(x > 0) }},
	"Softplus":   {0, func(x, _, _ float64) float64 { return softplus(x) }, func(x, _, _, _ float64) float64 { return sigmoid(x) }},
	"Softsign": {0, func(x, _, _ float64) float64 { return x / (1 + math.Abs(x)) },
		func(x, _, _, _ float64) float64 { return 1 / ((1 + math.Abs(x)) * (1 + math.Abs(x))) }},
	"Mish": {0, func(x, _, _ float64) float64 { return x * math.Tanh(softplus(x)) }, func(x, _, _, _ float64) float64 {
		t := math.Tanh(softplus(x))
		return t + x*(1-t*t)*sigmoid(x)
	}},
	"HardSwish": {0, func(x, _, _ float64) float64 { return x * min(max(x/6+0.5, 0), 1) },
		func(x, _, _, _ float64) float64 { return pick(x >= 3, 1, indicator(x > -3)*(x/3+0.5)) }},
	"Gelu": {0, func(x, _, _ float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }, func(x, _, _, _ float64) float64 {
		return 0.5*(1+math.Erf(x/math.Sqrt2)) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	}},
	"GeluTanh": {0, func(x, _, _ float64) float64 { return 0.5 * x * (1 + math.Tanh(sqrt2OverPi*(x+0.044715*x*x*x))) }, func(x, _, _, _ float64) float64 {
		t := math.Tanh(sqrt2OverPi * (x + 0.044715*x*x*x))
		return 0.5*(1+t) + 0.5*x*(1-t*t)*sqrt2OverPi*(1+3*0.044715*x*x)
	}},
	"LeakyRelu":       {1, func(x, a, _ float64) float64 { return pick(x > 0, x, a*x) }, func(x, _, a, _ float64) float64 { return pick(x > 0, 1, a) }},
	"ThresholdedRelu": {1, func(x, a, _ float64) float64 { return pick(x > a, x, 0) }, func(x, _, a, _ float64) float64 { return indicator(x > a) }},
	"Swish": {1, func(x, a, _ float64) float64 { return x * sigmoid(a*x) }, func(x, y, a, _ float64) float64 {
		s := sigmoid(a * x)
		return s + a*y*(1-s)
	}},
	"Elu": {1, func(x, a, _ float64) float64 { return pick(x > 0, x, a*math.Expm1(x)) },
		func(x, y, a, _ float64) float64 { return pick(x > 0, 1, y+a) }},
	"Celu": {1, func(x, a, _ float64) float64 { return pick(x > 0, x, a*math.Expm1(x/a)) },
		func(x, _, a, _ float64) float64 { return pick(x > 0, 1, math.Exp(x/a)) }},
	"Selu": {2, func(x, a, b float64) float64 { return b * pick(x > 0, x, a*math.Expm1(x)) },
		func(x, y, a, b float64) float64 { return pick(x > 0, b, y+a*b) }},
	"HardSigmoid": {2, func(x, a, b float64) float64 { return min(max(a*x+b, 0), 1) },
		func(x, y, a, _ float64) float64 { return a * indicator(y > 0 && y < 1) }},
	"Affine":     {2, func(x, a, b float64) float64 { return a*x + b }, func(_, _, a, _ float64) float64 { return a }},
	"ScaledTanh": {2, func(x, a, b float64) float64 { return a * math.Tanh(b*x) }, func(x, _, a, b float64) float64 { t := math.Tanh(b * x); return a * b * (1 - t*t) }},
}

// Slope is the derivative of the function at x, where its value is y; ok is
// false if a signal cannot be taken down through it.
func (l *Unary) Slope() (slope func(x, y float32) float32, ok bool) {
	op := unaryOps[l.Op]
	a, b := float64(l.Alpha), float64(l.Beta)
	if op.slope == nil {
		return nil, false
	}
	return func(x, y float32) float32 { return float32(op.slope(float64(x), float64(y), a, b)) }, true
}

// binaryOp is an operation on two numbers and its two derivatives.
type binaryOp struct {
	f      func(a, b float32) float32
	da, db func(a, b float32) float32
}

func float32Step(on bool) float32 { return float32(indicator(on)) }

var binaryOps = map[string]binaryOp{
	"Add": {func(a, b float32) float32 { return a + b }, func(_, _ float32) float32 { return 1 }, func(_, _ float32) float32 { return 1 }},
	"Sub": {func(a, b float32) float32 { return a - b }, func(_, _ float32) float32 { return 1 }, func(_, _ float32) float32 { return -1 }},
	"Mul": {func(a, b float32) float32 { return a * b }, func(_, b float32) float32 { return b }, func(a, _ float32) float32 { return a }},
	"Div": {func(a, b float32) float32 { return a / b }, func(_, b float32) float32 { return 1 / b }, func(a, b float32) float32 { return -a / (b * b) }},
	"Pow": {func(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b))) },
		func(a, b float32) float32 {
			return float32(float64(b) * math.Pow(float64(a), float64(b)-1))
		},
		func(a, b float32) float32 {
			return float32(math.Pow(float64(a), float64(b)) * math.Log(float64(a)))
		}},
	"Max": {func(a, b float32) float32 { return max(a, b) }, func(a, b float32) float32 { return float32Step(a >= b) }, func(a, b float32) float32 { return float32Step(b > a) }},
	"Min": {func(a, b float32) float32 { return min(a, b) }, func(a, b float32) float32 { return float32Step(a <= b) }, func(a, b float32) float32 { return float32Step(b < a) }},
	"PRelu": {func(a, b float32) float32 {
		if a > 0 {
			return a
		}
		return a * b
	}, func(a, b float32) float32 {
		if a > 0 {
			return 1
		}
		return b
	}, func(a, _ float32) float32 { return min(a, 0) }},
}

// Slopes are the derivatives of the operation by its first and second operand.
func (l *Binary) Slopes() (first, second func(a, b float32) float32) {
	op := binaryOps[l.Op]
	return op.da, op.db
}

// reduceOps fold numbers into one: step takes the sum so far and a number, end
// the sum and the count.
var reduceOps = map[string]struct {
	start float64
	step  func(sum, v float64) float64
	end   func(sum float64, n int) float64
}{
	"sum":       {0, func(s, v float64) float64 { return s + v }, nil},
	"mean":      {0, func(s, v float64) float64 { return s + v }, func(s float64, n int) float64 { return s / float64(n) }},
	"max":       {math.Inf(-1), func(s, v float64) float64 { return max(s, v) }, nil},
	"min":       {math.Inf(1), func(s, v float64) float64 { return min(s, v) }, nil},
	"prod":      {1, func(s, v float64) float64 { return s * v }, nil},
	"l1":        {0, func(s, v float64) float64 { return s + math.Abs(v) }, nil},
	"l2":        {0, func(s, v float64) float64 { return s + v*v }, func(s float64, _ int) float64 { return math.Sqrt(s) }},
	"sumsquare": {0, func(s, v float64) float64 { return s + v*v }, nil},
	"logsum":    {0, func(s, v float64) float64 { return s + v }, func(s float64, _ int) float64 { return math.Log(s) }},
	"logsumexp": {0, func(s, v float64) float64 { return s + math.Exp(v) }, func(s float64, _ int) float64 { return math.Log(s) }},
}

// argOps: whether v is better than what was best so far.
var argOps = map[string]func(v, best float32) bool{
	"argmax": func(v, best float32) bool { return v > best },
	"argmin": func(v, best float32) bool { return v < best },
}

// ReduceOps lists the reductions that Reduce knows besides argmax and argmin.
func ReduceOps() []string {
	var out []string
	for op := range reduceOps {
		out = append(out, op)
	}
	slices.Sort(out)
	return out
}
