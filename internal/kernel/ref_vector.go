package kernel

import (
	"math"

	"github.com/deconvnet/viz/internal/exact"
)

// refFunction defines the functions of single numbers.
func refFunction(f Function, x float64) float64 {
	a, b := float64(f.A), float64(f.B)
	switch f.Func {
	case Exp:
		return exact.Exp(x)
	case Sigmoid:
		return refSigmoid(x)
	case Tanh:
		return exact.Tanh(x)
	case Erf:
		return exact.Erf(x)
	case Gelu:
		return x * exact.Erfc(-x/math.Sqrt2) / 2
	case GeluTanh:
		return x * refSigmoid(2*refInner*(x+float64(0.044715*x*x*x)))
	case Swish:
		return x * refSigmoid(a*x)
	case HardSwish:
		return x * min(max(x/6+0.5, 0), 1)
	case HardSigmoid:
		return min(max(float64(a*x)+b, 0), 1)
	case Softplus:
		return max(x, 0) + exact.Log1p(exact.Exp(-math.Abs(x)))
	case Mish:
		return x * exact.Tanh(max(x, 0)+exact.Log1p(exact.Exp(-math.Abs(x))))
	case Elu:
		if x > 0 {
			return b * x
		}
		return a * exact.Expm1(x)
	case Leaky:
		if x > 0 {
			return x
		}
		return a * x
	case Affine:
		return float64(a*x) + b
	case Sqrt:
		return math.Sqrt(x)
	}
	panic("kernel: unknown function")
}

const refInner = 0.7978845608028654 // sqrt(2/pi)

func refSigmoid(x float64) float64 {
	if x < 0 {
		e := exact.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + exact.Exp(-x))
}

// refSlopes are the functions whose slopes there are.
var refSlopes = [funcCount]bool{Sigmoid: true, Tanh: true, Gelu: true, GeluTanh: true, Swish: true, HardSwish: true, Erf: true}

// refSlope is g times the slope at x, 0 where g is 0.
func refSlope(f Function, g float32, x float64) float32 {
	if g == 0 {
		return 0
	}
	return g * float32(refDerivative(f, x))
}

func refDerivative(f Function, x float64) float64 {
	switch f.Func {
	case Sigmoid:
		return refSigmoid(x) * refSigmoid(-x)
	case Tanh:
		t := exact.Tanh(x)
		return 1 - float64(t*t)
	case Gelu:
		return exact.Erfc(-x/math.Sqrt2)/2 + float64(x*exact.Exp(-x*x/2))/math.Sqrt(2*math.Pi)
	case GeluTanh:
		x = min(max(x, -20), 20)
		s := refSigmoid(2 * refInner * (x + float64(0.044715*x*x*x)))
		return s + float64(x*s*refSigmoid(-2*refInner*(x+float64(0.044715*x*x*x)))*2*refInner*(1+float64(3*0.044715*x*x)))
	case Swish:
		x = min(max(float64(f.A)*x, -100), 100)
		s := refSigmoid(x)
		return s + float64(x*s*refSigmoid(-x))
	case HardSwish:
		switch {
		case x >= 3:
			return 1
		case x <= -3:
			return 0
		}
		return x/3 + 0.5
	case Erf:
		return 2 / math.Sqrt(math.Pi) * exact.Exp(-x*x)
	}
	panic("kernel: no slope of the function")
}

// refProduct computes product i of a job in float64.
func refProduct(j *productJob, i int) {
	p := &j.p
	a, b, c := j.place(i)
	x := j.a[a:]
	var y []float32
	transB := p.TransB
	if j.packed != nil {
		y, transB = j.packed[b].ref, false
	} else {
		y = j.b[b:]
	}
	for r := range p.M {
		for q := range p.N {
			sum := 0.0
			for k := range p.K {
				u, v := r*p.K+k, k*p.N+q
				if p.TransA {
					u = k*p.M + r
				}
				if transB {
					v = q*p.K + k
				}
				sum += float64(float64(x[u]) * float64(y[v]))
			}
			out := float32(sum)
			if p.Bias != nil {
				out += p.Bias[q]
			}
			if p.Act != nil {
				out = float32(refFunction(*p.Act, float64(out)))
			}
			j.c[c+r*p.N+q] = out
		}
	}
}

// refArith computes an operation on two numbers.
func refArith(op Arith, a, b float32) float32 {
	switch op {
	case AddOp:
		return a + b
	case SubOp:
		return a - b
	case MulOp:
		return a * b
	case DivOp:
		return a / b
	}
	panic("kernel: unknown operation")
}
