package model

import (
	"math"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// ForwardArray computes the kinds of arrays.go, whole, for n images: srcs are the
// inputs of shapes ins, dst the output of shape out. These are the plain loops;
// what has to be fast goes through internal/kernel.
func ForwardArray(k *kernel.Engine, l Layer, n int, dst []float32, out Shape, srcs [][]float32, ins []Shape) error {
	src, in := srcs[0], ins[0]
	each := func(f func(dst, src []float32)) {
		k.For(n, func(i int) { f(dst[i*out.Len():(i+1)*out.Len()], src[i*in.Len():(i+1)*in.Len()]) })
	}
	switch l := l.(type) {
	case *Unary:
		op, a, b := unaryOps[l.Op].f, float64(l.Alpha), float64(l.Beta)
		const chunk = 1 << 12
		k.For((len(src)+chunk-1)/chunk, func(i int) {
			lo := i * chunk
			hi := min(lo+chunk, len(src))
			for j, v := range src[lo:hi] {
				dst[lo+j] = float32(op(float64(v), a, b))
			}
		})
	case *Binary:
		k.For(n, func(i int) {
			a, b := operandData(l.Value, l.First, srcs, ins, i)
			combine(l, dst[i*out.Len():(i+1)*out.Len()], a, b)
		})
	case *MatMul:
		k.For(n, func(i int) {
			a, b := operandData(l.Value, l.First, srcs, ins, i)
			matMul(l, dst[i*out.Len():(i+1)*out.Len()], a, b)
		})
	case *ConvTranspose:
		return forwardTranspose(k, l, kernel.PackData(l.Geometry(), l.Weight.Data), n, dst, out, src, in)
	case *WindowPool:
		each(func(dst, src []float32) { windowPool(l, dst, out, src, in) })
	case *InstanceNorm:
		each(func(dst, src []float32) { instanceNorm(l, dst, src, in) })
	case *Reduce:
		each(func(dst, src []float32) { reduce(l, dst, src) })
	case *Rearrange:
		each(func(dst, src []float32) { l.visit(func(i, j int) { dst[i] = src[j] }) })
	case *AlongAxis:
		each(func(dst, src []float32) { alongAxis(l, dst, src) })
	case *SoftmaxAxis:
		each(func(dst, src []float32) { softmaxAxis(l, dst, src) })
	case *Join:
		k.For(n, func(i int) {
			join(l, dst[i*out.Len():(i+1)*out.Len()], func(j int) []float32 { return srcs[j][i*ins[j].Len() : (i+1)*ins[j].Len()] }, len(srcs))
		})
	case *Reshape:
		copy(dst, src)
	case *Constant:
		each(func(dst, _ []float32) { copy(dst, l.Value.Data) })
	case *Sequence:
		each(func(dst, src []float32) { l.run(dst, src) })
	default:
		return unknownKind(l)
	}
	return nil
}

func forwardTranspose(k *kernel.Engine, l *ConvTranspose, f *kernel.Filters, n int, dst []float32, out Shape, src []float32, in Shape) error {
	k.ConvData(f, n, dst, out.Box(), src, in.Box())
	if l.Bias == nil {
		return nil
	}
	plane := out.H * out.W
	for i := range dst {
		dst[i] += l.Bias[i/plane%out.C]
	}
	return nil
}

// operandData returns the two operands of image i.
func operandData(value *tensor.Tensor, first bool, srcs [][]float32, ins []Shape, i int) (a, b []float32) {
	a = srcs[0][i*ins[0].Len() : (i+1)*ins[0].Len()]
	switch {
	case value == nil:
		return a, srcs[1][i*ins[1].Len() : (i+1)*ins[1].Len()]
	case first:
		return value.Data, a
	}
	return a, value.Data
}

// strides are the steps through an array of dims for an array of dims out that
// it is broadcast to: 0 along axes that repeat.
func strides(dims, out []int) []int {
	s := make([]int, len(out))
	step := 1
	for i := len(dims) - 1; i >= 0; i-- {
		if dims[i] > 1 {
			s[i+len(out)-len(dims)] = step
		}
		step *= dims[i]
	}
	return s
}

// walk2 visits all places of an array of dims, with the places in two others
// that have the given strides. Axes that run on in both are taken together.
func walk2(dims, sa, sb []int, row func(i, a, b, n, da, db int)) {
	var d, x, y []int
	for i, n := range dims {
		if n == 1 {
			continue
		}
		if m := len(d) - 1; m >= 0 && x[m] == sa[i]*n && y[m] == sb[i]*n {
			d[m], x[m], y[m] = d[m]*n, sa[i], sb[i]
			continue
		}
		d, x, y = append(d, n), append(x, sa[i]), append(y, sb[i])
	}
	if len(d) == 0 {
		d, x, y = []int{1}, []int{0}, []int{0}
	}
	last := len(d) - 1
	index := make([]int, last)
	at, a, b := 0, 0, 0
	for {
		row(at, a, b, d[last], x[last], y[last])
		at += d[last]
		i := last - 1
		for ; i >= 0; i-- {
			a, b = a+x[i], b+y[i]
			if index[i]++; index[i] < d[i] {
				break
			}
			a, b, index[i] = a-x[i]*d[i], b-y[i]*d[i], 0
		}
		if i < 0 {
			return
		}
	}
}

// Visit calls do for every number of the result of the operation with its place
// i and those of the operands.
func (l *Binary) Visit(do func(i, a, b int)) {
	dims, err := Broadcast(l.A, l.B)
	if err != nil {
		return
	}
	walk2(dims, strides(l.A, dims), strides(l.B, dims), func(i, a, b, n, da, db int) {
		for range n {
			do(i, a, b)
			i, a, b = i+1, a+da, b+db
		}
	})
}

func combine(l *Binary, dst, a, b []float32) {
	dims, _ := Broadcast(l.A, l.B)
	f := binaryOps[l.Op].f
	walk2(dims, strides(l.A, dims), strides(l.B, dims), func(i, x, y, n, da, db int) {
		row := dst[i : i+n]
		switch l.Op {
		case "Add":
			for j := range row {
				row[j] = a[x+j*da] + b[y+j*db]
			}
		case "Mul":
			for j := range row {
				row[j] = a[x+j*da] * b[y+j*db]
			}
		default:
			for j := range row {
				row[j] = f(a[x+j*da], b[y+j*db])
			}
		}
	})
}

// Visit calls do for every product a*b that goes into number i of the result,
// the terms of one number one after the other.
func (l *MatMul) Visit(do func(i, a, b int)) {
	ra, rb := len(l.A), len(l.B)
	m, k, n := l.A[ra-2], l.A[ra-1], l.B[rb-1]
	dims, err := Broadcast(l.A[:ra-2], l.B[:rb-2])
	if err != nil {
		return
	}
	walk2(dims, strides(l.A[:ra-2], dims), strides(l.B[:rb-2], dims), func(at, x, y, count, da, db int) {
		for range count {
			for i := range m {
				for j := range n {
					for t := range k {
						do((at*m+i)*n+j, (x*m+i)*k+t, (y*k+t)*n+j)
					}
				}
			}
			at, x, y = at+1, x+da, y+db
		}
	})
}

func matMul(l *MatMul, dst, a, b []float32) {
	ra, rb := len(l.A), len(l.B)
	m, k, n := l.A[ra-2], l.A[ra-1], l.B[rb-1]
	dims, _ := Broadcast(l.A[:ra-2], l.B[:rb-2])
	row := make([]float64, n)
	walk2(dims, strides(l.A[:ra-2], dims), strides(l.B[:rb-2], dims), func(at, x, y, count, da, db int) {
		for range count {
			for i := range m {
				clear(row)
				for t := range k {
					v := float64(a[(x*m+i)*k+t])
					for j, w := range b[(y*k+t)*n : (y*k+t+1)*n] {
						row[j] += v * float64(w)
					}
				}
				for j, v := range row {
					dst[(at*m+i)*n+j] = float32(v)
				}
			}
			at, x, y = at+1, x+da, y+db
		}
	})
}

// windowPool walks over the windows of each map. Places outside the input do
// not count, but for an average that counts padding, which ends where the
// padding does even if the last window hangs over.
func windowPool(l *WindowPool, dst []float32, out Shape, src []float32, in Shape) {
	at := 0
	for c := range in.C {
		for oy := range out.H {
			for ox := range out.W {
				sum, count, best := 0.0, 0, -1
				for ky := range l.Kernel[0] {
					y := oy*l.Stride[0] - l.Pads[0] + ky*l.Dilation[0]
					for kx := range l.Kernel[1] {
						x := ox*l.Stride[1] - l.Pads[1] + kx*l.Dilation[1]
						if y < 0 || y >= in.H || x < 0 || x >= in.W {
							if l.CountPad && y < in.H+l.Pads[2] && x < in.W+l.Pads[3] {
								count++
							}
							continue
						}
						j := (c*in.H+y)*in.W + x
						v := src[j]
						count++
						switch {
						case l.Op == "lp":
							sum += math.Pow(math.Abs(float64(v)), float64(l.P))
						case l.Op == "average":
							sum += float64(v)
						case best < 0 || v > src[best]:
							best = j
						}
					}
				}
				switch l.Op {
				case "lp":
					sum = math.Pow(sum, 1/float64(l.P))
				case "average":
					sum /= float64(max(count, 1))
				default:
					if l.Columns && best >= 0 {
						y, x := best/in.W%in.H, best%in.W
						best = (c*in.W+x)*in.H + y
					}
					sum = float64(best)
				}
				dst[at] = float32(sum)
				at++
			}
		}
	}
}

// Moments are mean and 1/sqrt(variance+Eps) of each map of one image.
func (l *InstanceNorm) Moments(src []float32, in Shape) (mean, scale []float64) {
	plane := in.H * in.W
	for c := range in.C {
		var sum, square float64
		for _, v := range src[c*plane : (c+1)*plane] {
			sum += float64(v)
		}
		m := sum / float64(plane)
		for _, v := range src[c*plane : (c+1)*plane] {
			square += (float64(v) - m) * (float64(v) - m)
		}
		mean, scale = append(mean, m), append(scale, 1/math.Sqrt(square/float64(plane)+l.Eps))
	}
	return mean, scale
}

func instanceNorm(l *InstanceNorm, dst, src []float32, in Shape) {
	plane := in.H * in.W
	mean, scale := l.Moments(src, in)
	for c := range in.C {
		for i := c * plane; i < (c+1)*plane; i++ {
			dst[i] = float32((float64(src[i])-mean[c])*scale[c]*float64(l.Scale[c]) + float64(l.Shift[c]))
		}
	}
}

// Visit calls do for every number j of the input with the place i of the result
// that it goes into.
func (l *Reduce) Visit(do func(i, j int)) {
	s := make([]int, len(l.From))
	step := 1
	for i := len(l.From) - 1; i >= 0; i-- {
		gone := false
		for _, a := range l.Axes {
			gone = gone || a == i
		}
		if !gone {
			s[i] = step
			step *= l.From[i]
		}
	}
	walk2(l.From, s, s, func(j, i, _, n, d, _ int) {
		for range n {
			do(i, j)
			i, j = i+d, j+1
		}
	})
}

func reduce(l *Reduce, dst, src []float32) {
	if better, ok := argOps[l.Op]; ok {
		inner := 1
		for _, d := range l.From[l.Axes[0]+1:] {
			inner *= d
		}
		best := make([]float32, len(dst))
		seen := make([]bool, len(dst))
		l.Visit(func(i, j int) {
			if v := src[j]; !seen[i] || better(v, best[i]) || l.Last && v == best[i] {
				seen[i], best[i], dst[i] = true, v, float32(j/inner%l.From[l.Axes[0]])
			}
		})
		return
	}
	op := reduceOps[l.Op]
	sums := make([]float64, len(dst))
	shift := 0.0
	if l.Op == "logsumexp" { // the largest number comes out of the sum, so that nothing overflows
		shift = math.Inf(-1)
		for _, v := range src {
			shift = max(shift, float64(v))
		}
		if math.IsInf(shift, 0) {
			shift = 0
		}
	}
	for i := range sums {
		sums[i] = op.start
	}
	l.Visit(func(i, j int) { sums[i] = op.step(sums[i], float64(src[j])-shift) })
	for i, s := range sums {
		if op.end != nil {
			s = op.end(s, len(src)/len(dst))
		}
		dst[i] = float32(s + shift)
	}
}

// visit calls do for every number i of the result with the place j it is from.
func (l *Rearrange) visit(do func(i, j int)) {
	walk2(l.To, l.Strides, l.Strides, func(i, j, _, n, d, _ int) {
		j += l.Offset
		for range n {
			do(i, j)
			i, j = i+1, j+d
		}
	})
}

// Visit calls do for every number i of the result with the place j of the input
// that it is from.
func (l *Rearrange) Visit(do func(i, j int)) { l.visit(do) }

// split divides an array into what lies before, in and behind an axis.
func split(dims []int, axis int) (outer, size, inner int) {
	outer, inner = 1, 1
	for _, d := range dims[:axis] {
		outer *= d
	}
	for _, d := range dims[axis+1:] {
		inner *= d
	}
	return outer, dims[axis], inner
}

// Visit calls do for every term of the result: w times number j of the input,
// or the fill if that is -1, goes into number i.
func (l *AlongAxis) Visit(do func(i, j int, w float32)) {
	outer, size, inner := split(l.From, l.Axis)
	to := len(l.Index) / l.Taps
	for o := range outer {
		for t := range to {
			for k := t * l.Taps; k < (t+1)*l.Taps; k++ {
				w := float32(1)
				if l.Weight != nil {
					w = l.Weight[k]
				}
				for x := range inner {
					j := -1
					if l.Index[k] >= 0 {
						j = (o*size+l.Index[k])*inner + x
					}
					do((o*to+t)*inner+x, j, w)
				}
			}
		}
	}
}

func alongAxis(l *AlongAxis, dst, src []float32) {
	clear(dst)
	l.Visit(func(i, j int, w float32) {
		v := l.Fill
		if j >= 0 {
			v = src[j]
		}
		if l.Weight != nil {
			v *= w
		}
		if l.Taps == 1 {
			dst[i] = v
			return
		}
		dst[i] += v
	})
}

func softmaxAxis(l *SoftmaxAxis, dst, src []float32) {
	outer, size, inner := l.Outer, l.Size, l.Inner
	for o := range outer {
		for x := range inner {
			at := o*size*inner + x
			top := float32(math.Inf(-1))
			for i := range size {
				top = max(top, src[at+i*inner])
			}
			sum := 0.0
			for i := range size {
				sum += math.Exp(float64(src[at+i*inner]) - float64(top))
			}
			for i := range size {
				v := float64(src[at+i*inner]) - float64(top)
				if l.Log {
					v -= math.Log(sum)
				} else {
					v = math.Exp(v) / sum
				}
				dst[at+i*inner] = float32(v)
			}
		}
	}
}

func join(l *Join, dst []float32, part func(int) []float32, parts int) {
	outer, size, inner := split(l.To, l.Axis)
	at := 0
	for j := range parts {
		src := part(j)
		row := len(src) / outer
		for o := range outer {
			copy(dst[o*size*inner+at:], src[o*row:(o+1)*row])
		}
		at += row
	}
}

// run computes the recurrence in float64 over the hidden state.
func (l *Sequence) run(dst, src []float32) {
	steps, batch, values, h := l.Steps, l.Batch, l.Values, l.Hidden
	d, g := l.directions(), l.gates()
	lastH := dst[steps*d*batch*h:]
	names := l.ActivationNames()
	per := len(names) / d
	for dir := range d {
		reverse := l.Direction == "reverse" || dir == 1
		act := make([]func(float64) float64, per)
		for i := range act {
			a, b := ActivationDefaults(names[dir*per+i])
			if l.Alpha != nil {
				a = float64(l.Alpha[dir*per+i])
			}
			if l.Beta != nil {
				b = float64(l.Beta[dir*per+i])
			}
			f := unaryOps[names[dir*per+i]].f
			act[i] = func(x float64) float64 {
				if c := float64(l.Clip); c > 0 {
					x = min(max(x, -c), c)
				}
				return f(x, a, b)
			}
		}
		w, r := l.W.Data[dir*g*h*values:], l.R.Data[dir*g*h*h:]
		bias := func(i int) float64 {
			if l.B == nil {
				return 0
			}
			return float64(l.B.Data[dir*2*g*h+i])
		}
		peep := func(i int) float64 {
			if l.P == nil {
				return 0
			}
			return float64(l.P.Data[dir*3*h+i])
		}
		start := func(t *tensor.Tensor, b int) []float64 {
			v := make([]float64, h)
			if t != nil {
				for i := range v {
					v[i] = float64(t.Data[(dir*batch+b)*h+i])
				}
			}
			return v
		}
		for b := range batch {
			hidden, cell := start(l.H0, b), start(l.C0, b)
			length := steps
			if l.Lengths != nil {
				length = l.Lengths[b]
			}
			// Beyond a sequence's end the states are 0.
			for t := length; t < steps; t++ {
				clear(dst[((t*d+dir)*batch+b)*h:][:h])
			}
			next := make([]float64, h)
			pre := make([]float64, g*h)
			for s := range length {
				t := s
				if reverse {
					t = length - 1 - s
				}
				x := src[(t*batch+b)*values:][:values]
				from := func(i int) float64 { // W x
					var sum float64
					for j, v := range x {
						sum += float64(v) * float64(w[i*values+j])
					}
					return sum
				}
				back := func(i int, hidden []float64) float64 { // R h
					var sum float64
					for j, v := range hidden {
						sum += v * float64(r[i*h+j])
					}
					return sum
				}
				for i := range pre {
					pre[i] = from(i) + bias(i)
				}
				switch l.Op {
				case "RNN":
					for i := range h {
						next[i] = act[0](pre[i] + back(i, hidden) + bias(h+i))
					}
				case "GRU": // gates z, r, h
					z, rs := make([]float64, h), make([]float64, h)
					for i := range h {
						z[i] = act[0](pre[i] + back(i, hidden) + bias(3*h+i))
						rs[i] = act[0](pre[h+i] + back(h+i, hidden) + bias(4*h+i))
					}
					gated := make([]float64, h)
					for i := range gated {
						gated[i] = rs[i] * hidden[i]
					}
					for i := range h {
						rec := rs[i] * (back(2*h+i, hidden) + bias(5*h+i))
						if !l.BeforeReset {
							rec = back(2*h+i, gated) + bias(5*h+i)
						}
						next[i] = (1-z[i])*act[1](pre[2*h+i]+rec) + z[i]*hidden[i]
					}
				case "LSTM": // gates i, o, f, c
					for i := range h {
						sum := func(gate int) float64 {
							return pre[gate*h+i] + back(gate*h+i, hidden) + bias((4+gate)*h+i)
						}
						in := act[0](sum(0) + peep(i)*cell[i])
						forget := 1 - in
						if !l.InputForget {
							forget = act[0](sum(2) + peep(2*h+i)*cell[i])
						}
						c := forget*cell[i] + in*act[1](sum(3))
						out := act[0](sum(1) + peep(h+i)*c)
						cell[i] = c
						next[i] = out * act[2](c)
					}
				}
				hidden, next = next, hidden
				for i, v := range hidden {
					dst[((t*d+dir)*batch+b)*h+i] = float32(v)
				}
			}
			for i := range h {
				lastH[(dir*batch+b)*h+i] = float32(hidden[i])
				if l.Op == "LSTM" {
					lastH[((d+dir)*batch+b)*h+i] = float32(cell[i])
				}
			}
		}
	}
}

// ActivationDefaults are alpha and beta of a Sequence's activation if they are
// not stated, as in ONNX.
func ActivationDefaults(name string) (a, b float64) {
	switch name {
	case "LeakyRelu":
		return 0.01, 0
	case "ThresholdedRelu", "Elu":
		return 1, 0
	case "HardSigmoid":
		return 0.2, 0.5
	case "Affine", "ScaledTanh":
		return 1, 1
	}
	return 0, 0
}
