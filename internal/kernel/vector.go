package kernel

// vectorOps are kernels over rows of any length n > 0: what is behind a row is
// neither read nor written, and a number does not depend on its place in a row, so
// that it does not matter how arrays are cut into rows. Only the sums depend on n.
type vectorOps struct {
	// Functions of single numbers with parameters a and b, by Func, and g times their
	// slopes at src, 0 where g is 0; nil: there is none.
	functions [funcCount]func(dst, src *float32, n int, a, b float32)
	slopes    [funcCount]func(dst, g, src *float32, n int, a, b float32)
	mulKept   func(dst, g, slopes *float32, n int) // the same with slopes known: those times 1

	// Arithmetic by Arith: of two rows, of a row and a number on its right or left.
	rows  [arithCount]func(dst, a, b *float32, n int)
	right [arithCount]func(dst, a *float32, n int, b float32)
	left  [arithCount]func(dst, b *float32, n int, a float32)

	maxRows func(dst, a, b *float32, n int)
	fmaRows func(dst, acc, a, b *float32, n int)                  // dst = acc + a b
	fmaRow  func(dst, acc, a *float32, n int, b float32)          // dst = acc + a b
	sumTwo  func(dst, a, b *float32, n int, from, wa, wb float32) // dst = from + a wa + b wb, each product rounded
	sum     func(x *float32, n int) float32                       // of x
	squares func(x *float32, n int, mean float32) float32         // sum of (x-mean)^2
	max     func(x *float32, n int) float32                       // if none is NaN
	expSum  func(dst, src *float32, n int, shift float32) float32 // dst = exp(src-shift), and its sum
	norm    func(dst, src, gamma, beta *float32, n int, mean, scale float32)

	// Of n columns over rows that are stride bytes apart.
	columnSum     func(dst, src *float32, n, rows, stride int)
	columnSquares func(dst, src, mean *float32, n, rows, stride int)
	columnNorm    func(dst, src, mean, scale, gamma, beta *float32, n, rows, stride int)

	// The numbers of two rows by turns; n is a multiple of 8. In weaveSums they are 0 + a wa + b wb and 0 + c wc + d wd,
	// each product rounded.
	weave     func(dst, even, odd *float32, n int)
	weaveSums func(dst, a, b, c, d *float32, n int, wa, wb, wc, wd float32)

	// Means, by step: dst[i] = scale times the sum, in float64, of kh rows, pitch bytes apart, of kw numbers from
	// src[step i] on. n is a multiple of 8. With step 2 one number more may be read.
	means [3]func(dst, src *float32, n, kh, kw, pitch int, scale float64)
}

// Func is a function of one number, with up to two parameters.
type Func int

const (
	Exp         Func = iota // exp(x)
	Sigmoid                 // 1/(1+exp(-x))
	Tanh                    // tanh(x)
	Erf                     // erf(x)
	Gelu                    // x times the normal distribution at x
	GeluTanh                // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
	Swish                   // x/(1+exp(-A x))
	HardSwish               // x min(max(x/6 + 1/2, 0), 1)
	HardSigmoid             // min(max(A x + B, 0), 1)
	Softplus                // log(1+exp(x))
	Mish                    // x tanh(log(1+exp(x)))
	Elu                     // B x above 0, else A (exp(x)-1)
	Leaky                   // x above 0, else A x
	Affine                  // A x + B
	Sqrt                    // the square root of x
	funcCount
)

// Function is a function with its parameters.
type Function struct {
	Func Func
	A, B float32
}

// FunctionOf is the function that networks call by a name, with its parameters alpha
// and beta, if there is a kernel for it.
func FunctionOf(name string, alpha, beta float32) (Function, bool) {
	f, ok := map[string]Func{"Exp": Exp, "Sigmoid": Sigmoid, "Tanh": Tanh, "Erf": Erf, "Gelu": Gelu, "GeluTanh": GeluTanh, "Swish": Swish,
		"HardSwish": HardSwish, "HardSigmoid": HardSigmoid, "Softplus": Softplus, "Mish": Mish, "Elu": Elu, "Selu": Elu, "LeakyRelu": Leaky,
		"Affine": Affine, "Sqrt": Sqrt}[name]
	switch name {
	case "Elu":
		beta = 1
	case "Selu":
		alpha *= beta
	}
	return Function{Func: f, A: alpha, B: beta}, ok
}

// Arith is an operation on two numbers.
type Arith int

const (
	AddOp Arith = iota
	SubOp
	MulOp
	DivOp
	arithCount
)

// ArithOf is the operation called Add, Sub, Mul or Div.
func ArithOf(name string) (Arith, bool) {
	op, ok := map[string]Arith{"Add": AddOp, "Sub": SubOp, "Mul": MulOp, "Div": DivOp}[name]
	return op, ok
}

// Map computes dst[i] = f(src[i]); dst may be src.
func (e *Engine) Map(f Function, dst, src []float32) {
	if len(dst) != len(src) || f.Func < 0 || f.Func >= funcCount {
		panic("kernel: Map: lengths differ, or unknown function")
	}
	j := e.newLoop()
	j.s[0], j.s[1] = dst, src
	j.dim[0], j.k[0], j.k[1] = int(f.Func), f.A, f.B
	e.runLoop(j, len(src), mapChunk, func(j *loopJob, lo, hi int) {
		j.lv.apply(Function{Func(j.dim[0]), j.k[0], j.k[1]}, j.s[0][lo:hi], j.s[1][lo:hi])
	})
}

// mapChunk is the number of elements of a task of Map.
const mapChunk = 4 << 10

// apply computes dst = f(src) on this thread; dst may be src.
func (lv *level) apply(f Function, dst, src []float32) {
	if len(src) == 0 {
		return
	}
	_ = dst[len(src)-1]
	if lv.vector == nil {
		for i, v := range src {
			dst[i] = float32(refFunction(f, float64(v)))
		}
		return
	}
	lv.vector.functions[f.Func](&dst[0], &src[0], len(src), f.A, f.B)
}

// MulKept computes dst[i] = g[i] slopes[i], 0 where g is 0; dst may be g. With the slopes that MapSlope gives for signals
// of 1 it has the bits of MapSlope.
func (e *Engine) MulKept(dst, g, slopes []float32) {
	if len(dst) != len(g) || len(dst) != len(slopes) {
		panic("kernel: MulKept: lengths differ")
	}
	j := e.newLoop()
	j.s[0], j.s[1], j.s[2] = dst, g, slopes
	e.runLoop(j, len(g), mapChunk, func(j *loopJob, lo, hi int) {
		v := j.lv.vector
		if v == nil {
			v = genericVector
		}
		v.mulKept(&j.s[0][lo], &j.s[1][lo], &j.s[2][lo], hi-lo)
	})
}

// HasSlope reports whether MapSlope knows the function's slope.
func (f Function) HasSlope() bool { return refSlopes[f.Func] }

// MapSlope computes dst[i] = g[i] f'(x[i]), 0 where g is 0; dst may be g or x.
func (e *Engine) MapSlope(f Function, dst, g, x []float32) {
	if len(dst) != len(g) || len(dst) != len(x) || f.Func < 0 || f.Func >= funcCount || !f.HasSlope() {
		panic("kernel: MapSlope: lengths differ, or no slope of the function")
	}
	j := e.newLoop()
	j.s[0], j.s[1], j.s[2] = dst, g, x
	j.dim[0], j.k[0], j.k[1] = int(f.Func), f.A, f.B
	e.runLoop(j, len(x), mapChunk, func(j *loopJob, lo, hi int) {
		f := Function{Func(j.dim[0]), j.k[0], j.k[1]}
		dst, g, x := j.s[0][lo:hi], j.s[1][lo:hi], j.s[2][lo:hi]
		if j.lv.vector == nil {
			for i, v := range g {
				dst[i] = refSlope(f, v, float64(x[i]))
			}
			return
		}
		j.lv.vector.slopes[f.Func](&dst[0], &g[0], &x[0], len(x), f.A, f.B)
	})
}
