package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/kernel"
)

// Unary is a function of each number.
type Unary struct {
	Op          UnaryOp
	Alpha, Beta float32
}

// Kind is the layer's name. A leaky rectifier has one of its own in files.
func (l *Unary) Kind() string {
	if l.leaky() {
		return "LeakyReLU"
	}
	return "Unary"
}

func (l *Unary) slots() []slot {
	return []slot{attribute("op", (*string)(&l.Op)).leftOut(l.leaky()), attribute("alpha", &l.Alpha), attribute("beta", &l.Beta).leftOut(l.leaky() && l.Beta == 0)}
}

func (l *Unary) leaky() bool { return l.Op == UnaryLeakyRelu }

func (l *Unary) shape(ins []Shape) (Shape, error) {
	if _, ok := unaryOps[l.Op]; !ok {
		return ins[0], fmt.Errorf("unknown function %q", l.Op)
	}
	return ins[0], nil
}

func (*Unary) inputs() int           { return 1 }
func (*Unary) reach(_ Shape) reach   { return pointwise }
func (*Unary) macs(_, _ Shape) int64 { return 0 }
func (l *Unary) text() string {
	s := string(l.Op)
	if l.leaky() {
		return fmt.Sprintf("alpha %g", l.Alpha)
	}
	switch unaryOps[l.Op].parameters {
	case 1:
		s += fmt.Sprintf(", alpha %g", l.Alpha)
	case 2:
		s += fmt.Sprintf(", alpha %g, beta %g", l.Alpha, l.Beta)
	}
	return s
}

func (l *Unary) forward(c *call) error {
	l.apply(c.k, c.dst, c.srcs[0])
	return nil
}

// Apply computes the function of each number of src on the engine's workers; dst
// may be src.
func (l *Unary) Apply(e *Engine, dst, src []float32) { l.apply(e.k, dst, src) }

func (l *Unary) apply(k *kernel.Engine, dst, src []float32) {
	if f, ok := l.function(); ok {
		k.Map(f, dst, src)
		return
	}
	op, a, b := unaryOps[l.Op].f, float64(l.Alpha), float64(l.Beta)
	const chunk = 1 << 12
	k.For((len(src)+chunk-1)/chunk, func(i int) {
		lo := i * chunk
		hi := min(lo+chunk, len(src))
		for j, v := range src[lo:hi] {
			dst[lo+j] = float32(op(float64(v), a, b))
		}
	})
}

// isFunction reports whether a layer is a function that the kernels have.
func isFunction(l Layer) bool {
	u, ok := l.(*Unary)
	if ok {
		_, ok = u.function()
	}
	return ok
}

// function is what the kernels call the function, if they have it.
func (l *Unary) function() (f kernel.Function, ok bool) {
	return kernel.FunctionOf(string(l.Op), l.Alpha, l.Beta)
}

// ApplySlope computes the signal g times the slope of the function at each x, where
// its value is y, on the engine's workers; 0 where the signal is 0. dst may be g. It
// reports false if a signal cannot be taken down through the function.
func (l *Unary) ApplySlope(e *Engine, dst, g, x, y []float32) bool {
	if f, ok := l.function(); ok && f.HasSlope() {
		e.k.MapSlope(f, dst, g, x)
		return true
	}
	slope, ok := l.Slope()
	for i, v := range g {
		if v != 0 && ok {
			v *= slope(x[i], y[i])
		}
		dst[i] = v
	}
	return ok
}

// Slopes are those of the function at x, if there is a kernel for them. A signal times them has the bits of ApplySlope by
// kernel.Engine.MulKept.
func (l *Unary) Slopes(e *Engine, dst, x []float32) bool {
	f, ok := l.function()
	if !ok || !f.HasSlope() {
		return false
	}
	for i := range dst {
		dst[i] = 1
	}
	e.k.MapSlope(f, dst, dst, x)
	return true
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

// Level reports whether the function is 0 or 1, so that its slope is 0.
func (l *Unary) Level() bool {
	return slices.Contains([]UnaryOp{UnaryNot, UnaryNotZero, UnaryIsNaN, UnaryIsInf}, l.Op)
}

// unaryOp is a function of one number and its derivative, given the function's
// argument x and value y; nil: no rule takes a signal down through it.
type unaryOp struct {
	parameters int
	f          func(x, a, b float64) float64
	slope      func(x, y, a, b float64) float64
}

func sigmoid(x float64) float64 { return 1 / (1 + exact.Exp(-x)) }

func softplus(x float64) float64 { return max(x, 0) + exact.Log1p(exact.Exp(-math.Abs(x))) }

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

// flat is the slope of a function that is 0 or 1.
func flat(_, _, _, _ float64) float64 { return 0 }

const sqrt2OverPi = 0.7978845608028654

var unaryOps = map[UnaryOp]unaryOp{
	UnaryAbs:  {0, func(x, _, _ float64) float64 { return math.Abs(x) }, func(x, _, _, _ float64) float64 { return pick(x > 0, 1, -indicator(x < 0)) }},
	UnaryNeg:  {0, func(x, _, _ float64) float64 { return -x }, func(_, _, _, _ float64) float64 { return -1 }},
	UnarySqrt: {0, func(x, _, _ float64) float64 { return math.Sqrt(x) }, func(_, y, _, _ float64) float64 { return 0.5 / y }},
	UnaryExp:  {0, func(x, _, _ float64) float64 { return exact.Exp(x) }, func(_, y, _, _ float64) float64 { return y }},
	UnaryLog:  {0, func(x, _, _ float64) float64 { return exact.Log(x) }, func(x, _, _, _ float64) float64 { return 1 / x }},
	UnaryErf: {0, func(x, _, _ float64) float64 { return exact.Erf(x) },
		func(x, _, _, _ float64) float64 { return 2 / math.Sqrt(math.Pi) * exact.Exp(-x*x) }},
	UnaryReciprocal: {0, func(x, _, _ float64) float64 { return 1 / x }, func(_, y, _, _ float64) float64 { return -y * y }},
	UnarySin:        {0, func(x, _, _ float64) float64 { return exact.Sin(x) }, func(x, _, _, _ float64) float64 { return exact.Cos(x) }},
	UnaryCos:        {0, func(x, _, _ float64) float64 { return exact.Cos(x) }, func(x, _, _, _ float64) float64 { return -exact.Sin(x) }},
	UnaryFloor:      {0, func(x, _, _ float64) float64 { return math.Floor(x) }, nil},
	UnaryCeil:       {0, func(x, _, _ float64) float64 { return math.Ceil(x) }, nil},
	UnaryRound:      {0, func(x, _, _ float64) float64 { return math.RoundToEven(x) }, nil},
	UnaryTruncate:   {0, func(x, _, _ float64) float64 { return math.Trunc(x) }, nil},      // conversion to an integer
	UnaryNotZero:    {0, func(x, _, _ float64) float64 { return indicator(x != 0) }, flat}, // conversion to a boolean
	UnarySign:       {0, func(x, _, _ float64) float64 { return pick(x > 0, 1, -indicator(x < 0)) }, nil},
	UnaryTanh:       {0, func(x, _, _ float64) float64 { return exact.Tanh(x) }, func(_, y, _, _ float64) float64 { return 1 - float64(y*y) }},
	UnarySigmoid:    {0, func(x, _, _ float64) float64 { return sigmoid(x) }, func(_, y, _, _ float64) float64 { return y * (1 - y) }},
	UnaryRelu:       {0, func(x, _, _ float64) float64 { return max(x, 0) }, func(x, _, _, _ float64) float64 { return indicator(x > 0) }},
	UnarySoftplus:   {0, func(x, _, _ float64) float64 { return softplus(x) }, func(x, _, _, _ float64) float64 { return sigmoid(x) }},
	UnarySoftsign: {0, func(x, _, _ float64) float64 { return x / (1 + math.Abs(x)) },
		func(x, _, _, _ float64) float64 { return 1 / ((1 + math.Abs(x)) * (1 + math.Abs(x))) }},
	UnaryMish: {0, func(x, _, _ float64) float64 { return x * exact.Tanh(softplus(x)) }, func(x, _, _, _ float64) float64 {
		t := exact.Tanh(softplus(x))
		return t + float64(x*(1-float64(t*t))*sigmoid(x))
	}},
	UnaryHardSwish: {0, func(x, _, _ float64) float64 { return x * min(max(x/6+0.5, 0), 1) },
		func(x, _, _, _ float64) float64 { return pick(x >= 3, 1, indicator(x > -3)*(x/3+0.5)) }},
	UnaryGelu: {0, func(x, _, _ float64) float64 { return 0.5 * x * (1 + exact.Erf(x/math.Sqrt2)) }, func(x, _, _, _ float64) float64 {
		return float64(0.5*(1+exact.Erf(x/math.Sqrt2))) + x*exact.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	}},
	UnaryGeluTanh: {0, func(x, _, _ float64) float64 {
		return 0.5 * x * (1 + exact.Tanh(sqrt2OverPi*(x+float64(0.044715*x*x*x))))
	}, func(x, _, _, _ float64) float64 {
		t := exact.Tanh(sqrt2OverPi * (x + float64(0.044715*x*x*x)))
		return float64(0.5*(1+t)) + float64(0.5*x*(1-float64(t*t))*sqrt2OverPi*(1+float64(3*0.044715*x*x)))
	}},
	UnaryLeakyRelu:       {1, func(x, a, _ float64) float64 { return pick(x > 0, x, a*x) }, func(x, _, a, _ float64) float64 { return pick(x > 0, 1, a) }},
	UnaryThresholdedRelu: {1, func(x, a, _ float64) float64 { return pick(x > a, x, 0) }, func(x, _, a, _ float64) float64 { return indicator(x > a) }},
	UnarySwish: {1, func(x, a, _ float64) float64 { return x * sigmoid(a*x) }, func(x, y, a, _ float64) float64 {
		s := sigmoid(a * x)
		return s + float64(a*y*(1-s))
	}},
	UnaryElu: {1, func(x, a, _ float64) float64 { return pick(x > 0, x, a*exact.Expm1(x)) },
		func(x, y, a, _ float64) float64 { return pick(x > 0, 1, y+a) }},
	UnaryCelu: {1, func(x, a, _ float64) float64 { return pick(x > 0, x, a*exact.Expm1(x/a)) },
		func(x, _, a, _ float64) float64 { return pick(x > 0, 1, exact.Exp(x/a)) }},
	UnarySelu: {2, func(x, a, b float64) float64 { return b * pick(x > 0, x, a*exact.Expm1(x)) },
		func(x, y, a, b float64) float64 { return pick(x > 0, b, y+float64(a*b)) }},
	UnaryHardSigmoid: {2, func(x, a, b float64) float64 { return min(max(float64(a*x)+b, 0), 1) },
		func(x, y, a, _ float64) float64 { return a * indicator(y > 0 && y < 1) }},
	UnaryShrink: {2, func(x, a, b float64) float64 {
		return float64(indicator(x < -b)*(x+a)) + float64(indicator(x > b)*(x-a))
	},
		func(x, _, _, b float64) float64 { return indicator(math.Abs(x) > b) }},
	UnaryTan:   {0, func(x, _, _ float64) float64 { return exact.Tan(x) }, func(_, y, _, _ float64) float64 { return 1 + float64(y*y) }},
	UnaryAsin:  {0, func(x, _, _ float64) float64 { return exact.Asin(x) }, func(x, _, _, _ float64) float64 { return 1 / math.Sqrt(1-float64(x*x)) }},
	UnaryAcos:  {0, func(x, _, _ float64) float64 { return exact.Acos(x) }, func(x, _, _, _ float64) float64 { return -1 / math.Sqrt(1-float64(x*x)) }},
	UnaryAtan:  {0, func(x, _, _ float64) float64 { return exact.Atan(x) }, func(x, _, _, _ float64) float64 { return 1 / (1 + float64(x*x)) }},
	UnarySinh:  {0, func(x, _, _ float64) float64 { return exact.Sinh(x) }, func(x, _, _, _ float64) float64 { return exact.Cosh(x) }},
	UnaryCosh:  {0, func(x, _, _ float64) float64 { return exact.Cosh(x) }, func(x, _, _, _ float64) float64 { return exact.Sinh(x) }},
	UnaryAsinh: {0, func(x, _, _ float64) float64 { return exact.Asinh(x) }, func(x, _, _, _ float64) float64 { return 1 / math.Sqrt(float64(x*x)+1) }},
	UnaryAcosh: {0, func(x, _, _ float64) float64 { return exact.Acosh(x) }, func(x, _, _, _ float64) float64 { return 1 / math.Sqrt(float64(x*x)-1) }},
	UnaryAtanh: {0, func(x, _, _ float64) float64 { return exact.Atanh(x) }, func(x, _, _, _ float64) float64 { return 1 / (1 - float64(x*x)) }},
	UnaryNot:   {0, func(x, _, _ float64) float64 { return indicator(x == 0) }, flat},
	UnaryIsNaN: {0, func(x, _, _ float64) float64 { return indicator(math.IsNaN(x)) }, flat},
	UnaryIsInf: {2, func(x, a, b float64) float64 {
		return indicator(a != 0 && math.IsInf(x, 1) || b != 0 && math.IsInf(x, -1))
	}, flat},
	UnaryAffine:     {2, func(x, a, b float64) float64 { return float64(a*x) + b }, func(_, _, a, _ float64) float64 { return a }},
	UnaryScaledTanh: {2, func(x, a, b float64) float64 { return a * exact.Tanh(b*x) }, func(x, _, a, b float64) float64 { t := exact.Tanh(b * x); return a * b * (1 - float64(t*t)) }},
}
