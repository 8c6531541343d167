package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// ulps is how far v is from want in units of the last place of a float32 of
// want's size.
func ulps(v float32, want float64) float64 {
	if math.IsNaN(want) && v != v || float64(v) == want || v == float32(want) {
		return 0
	}
	_, exponent := math.Frexp(want)
	unit := math.Ldexp(1, max(exponent-24, -149))
	if math.IsInf(want, 0) || want != want {
		return math.Inf(1)
	}
	return math.Abs(float64(v)-want) / unit
}

// The largest errors of the functions over all of float32's range: units of the
// last place, or an absolute error where the result is far smaller than the argument.
var functionErrors = []struct {
	f              Function
	ulps, absolute float64
}{
	{Function{Func: Exp}, 1, 0},
	{Function{Func: Sigmoid}, 2.5, 0},
	{Function{Func: Tanh}, 2.5, 0},
	{Function{Func: Erf}, 2.5, 0},
	{Function{Func: Gelu}, 4, 1e-7},
	{Function{Func: GeluTanh}, 4, 1e-7},
	{Function{Func: Swish, A: 1}, 3, 1e-42},
	{Function{Func: Swish, A: 1.702}, 4, 1e-7},
	{Function{Func: HardSwish}, 2, 1e-7},
	{Function{Func: HardSigmoid, A: 0.2, B: 0.5}, 1, 0},
	{Function{Func: Softplus}, 3, 0},
	{Function{Func: Mish}, 5, 1e-42},
	{Function{Func: Elu, A: 1, B: 1}, 2, 0},
	{Function{Func: Elu, A: 1.7580993, B: 1.050701}, 2, 0},
	{Function{Func: Leaky, A: 0.01}, 0.6, 0},
	{Function{Func: Affine, A: 0.3, B: 0}, 0.6, 0},
	{Function{Func: Sqrt}, 0.6, 0},
}

// arguments are floats of every size and sign, dense where functions bend.
func arguments(r *rand.Rand, n int) []float32 {
	x := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.MaxFloat32, -math.MaxFloat32,
		math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 1e-40, -1e-40, 88.7, 88.73, -87.3, -87.4, -103.9, -104, 0.65, 0.83666, 3, -3, 1, -1}
	for len(x) < n {
		switch r.IntN(4) {
		case 0:
			x = append(x, float32(r.NormFloat64()))
		case 1:
			x = append(x, float32(r.NormFloat64()*10))
		case 2:
			x = append(x, float32(r.Float64()*220-110))
		default:
			x = append(x, math.Float32frombits(r.Uint32()))
		}
	}
	return x
}

func TestFunctions(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(41, 42))
		e := New(2)
		defer e.Close()
		x := arguments(r, rounds(40000)+3*mapChunk)
		y := make([]float32, len(x))
		for _, c := range functionErrors {
			e.Map(c.f, y, x)
			worst, far, at := 0.0, 0.0, 0
			for i, v := range x {
				want := refFunction(c.f, float64(v))
				u, d := ulps(y[i], want), math.Abs(float64(y[i])-want)
				if u > c.ulps {
					far = max(far, d)
				}
				if u > worst && !(d <= c.absolute) {
					worst, at = u, i
				}
			}
			t.Logf("%v: %.2f at %v, beyond that %.2g", c.f, worst, x[at], far)
			if worst > c.ulps {
				t.Errorf("%v(%v) is %v, want %v: %.2f units of the last place", c.f, x[at], y[at], refFunction(c.f, float64(x[at])), worst)
			}
			// Kernels take several vectors at once, of which each number is what it is alone.
			for i := range x[:rounds(40000)] {
				one := x[i : i+1 : i+1]
				alone := []float32{0}
				if current().apply(c.f, alone, one); same(alone, y[i:i+1]) >= 0 {
					t.Fatalf("%v(%v) is %v in a row, %v alone", c.f, one[0], y[i], alone[0])
				}
			}
		}
	})
}

// Slopes: within 1e-6 of their largest value, about 1.1, times the signal.
func TestSlopes(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(43, 44))
		e := New(2)
		defer e.Close()
		x := arguments(r, rounds(40000)+3*mapChunk)
		g := randSlice(r, len(x))
		for i := range g {
			if i%9 == 0 {
				g[i] = 0
			}
		}
		y := make([]float32, len(x))
		for _, c := range functionErrors {
			if !c.f.HasSlope() {
				continue
			}
			e.MapSlope(c.f, y, g, x)
			for i, v := range x {
				want := refSlope(c.f, g[i], float64(v))
				if d := math.Abs(float64(y[i]) - float64(want)); !(d <= 1e-6*math.Abs(float64(g[i]))*max(1, math.Abs(float64(want)))) && !(want != want && y[i] != y[i]) {
					t.Errorf("slope of %v at %v times %v is %v, want %v", c.f, v, g[i], y[i], want)
					break
				}
			}
		}
	})
}

// Functions of rows of every length write nothing else, in place too, and a number
// does not depend on where in the row it is.
func TestFunctionRows(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		if current().vector == nil {
			t.Skip("no vectors")
		}
		lv := current()
		r := rand.New(rand.NewPCG(45, 46))
		for n := 1; n < 4*lv.lanes+3; n++ {
			x := strange(r, n)
			for i := range funcCount {
				f := Function{i, 0.7, 0.3}
				d, ok := guard(t, n)
				lv.apply(f, d, x)
				ok()
				one := make([]float32, 1)
				for j := range d {
					lv.apply(f, one, x[j:j+1])
					if same(one, d[j:j+1]) >= 0 {
						t.Fatalf("%v(%v) is %v alone, %v as number %d of %d", f, x[j], one[0], d[j], j, n)
					}
				}
				copy(d, x)
				lv.apply(f, d, d)
				ok()
				for j := range d {
					lv.apply(f, one, x[j:j+1])
					if same(one, d[j:j+1]) >= 0 {
						t.Fatalf("%v of %d in place: %v, want %v", f, n, d[j], one[0])
					}
				}
			}
		}
	})
}

// Arithmetic of rows has the bits of plain Go; sums are near float64's.
func TestRows(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		v := current().vector
		if v == nil {
			t.Skip("no vectors")
		}
		r := rand.New(rand.NewPCG(47, 48))
		ops := []func(a, b float32) float32{addGeneric, subGeneric, mulGeneric, divGeneric}
		for n := 1; n < 100; n++ {
			a, b := strange(r, n), strange(r, n)
			want := make([]float32, n)
			d, ok := guard(t, n)
			check := func(what string) {
				t.Helper()
				ok()
				if i := same(d, want); i >= 0 {
					t.Fatalf("%s of %d: number %d is %v, want %v", what, n, i, d[i], want[i])
				}
			}
			for op, f := range ops {
				for i := range want {
					want[i] = f(a[i], b[i])
				}
				v.rows[op](&d[0], &a[0], &b[0], n)
				check(fmt.Sprint("rows ", op))
				for i := range want {
					want[i] = f(a[i], b[0])
				}
				v.right[op](&d[0], &a[0], n, b[0])
				check(fmt.Sprint("right ", op))
				for i := range want {
					want[i] = f(a[0], b[i])
				}
				v.left[op](&d[0], &b[0], n, a[0])
				check(fmt.Sprint("left ", op))
			}
			maxRowsGeneric(&want[0], &a[0], &b[0], n)
			v.maxRows(&d[0], &a[0], &b[0], n)
			for i := range d {
				if d[i] == 0 && want[i] == 0 {
					d[i] = want[i] // either zero
				}
			}
			check("maximum")
			a, b = randSlice(r, n), randSlice(r, n)
			testSums(t, v, a, b)
		}
	})
}

func testSums(t *testing.T, v *vectorOps, x, y []float32) {
	n := len(x)
	near := func(what string, got, want, size float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 3e-7*(size+1e-30)) {
			t.Fatalf("%s of %d is %v, want %v", what, n, got, want)
		}
	}
	sum, size, squares, top, exps := 0.0, 0.0, 0.0, math.Inf(-1), 0.0
	for _, a := range x {
		sum, size = sum+float64(a), size+math.Abs(float64(a))
		squares += (float64(a) - float64(y[0])) * (float64(a) - float64(y[0]))
		top = max(top, float64(a))
		exps += math.Exp(float64(a) - float64(y[0]))
	}
	near("sum", float64(v.sum(&x[0], n)), sum, size)
	near("squares", float64(v.squares(&x[0], n, y[0])), squares, 2*squares)
	near("maximum", float64(v.max(&x[0], n)), top, 0)
	d, ok := guard(t, n)
	near("sum of exponentials", float64(v.expSum(&d[0], &x[0], n, y[0])), exps, 2*exps)
	for i, a := range x {
		near("exponential", float64(d[i]), math.Exp(float64(a)-float64(y[0])), 2*float64(d[i]))
	}
	v.sumTwo(&d[0], &x[0], &y[0], n, 0.5, 0.3, 0.7)
	for i, a := range x {
		if want := 0.5 + float32(a*0.3) + float32(y[i]*0.7); d[i] != want {
			t.Fatalf("sum of two of %d is %v, want %v", n, d[i], want)
		}
	}
	v.fmaRow(&d[0], &y[0], &x[0], n, 0.3)
	for i, a := range x {
		near("product and sum", float64(d[i]), float64(y[i])+float64(a)*float64(float32(0.3)), math.Abs(float64(y[i]))+math.Abs(float64(a)))
	}
	v.fmaRows(&d[0], &y[0], &x[0], &y[0], n)
	for i, a := range x {
		near("products and sums", float64(d[i]), float64(y[i])+float64(a)*float64(y[i]), math.Abs(float64(y[i]))+math.Abs(float64(a*y[i])))
	}
	v.norm(&d[0], &x[0], &y[0], &x[0], n, 0.25, 1.5)
	for i, a := range x {
		near("norm", float64(d[i]), (float64(a)-0.25)*1.5*float64(y[i])+float64(a), 4*(math.Abs(float64(a))+1)*(1+math.Abs(float64(y[i]))))
	}
	ok()
}

// Columns of every width and height.
func TestColumns(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		v := current().vector
		if v == nil {
			t.Skip("no vectors")
		}
		r := rand.New(rand.NewPCG(49, 50))
		for n := 1; n < 40; n++ {
			for _, rows := range []int{1, 2, 3, 4, 5, 7, 8, 9, 31} {
				pitch := n + 3
				x := randSlice(r, rows*pitch)
				mean, scale, gamma, beta := randSlice(r, n), randSlice(r, n), randSlice(r, rows), randSlice(r, rows)
				sum, ok := guard(t, n)
				v.columnSum(&sum[0], &x[0], n, rows, 4*pitch)
				ok()
				square, ok := guard(t, n)
				v.columnSquares(&square[0], &x[0], &mean[0], n, rows, 4*pitch)
				ok()
				d, ok := guard(t, rows*pitch)
				v.columnNorm(&d[0], &x[0], &mean[0], &scale[0], &gamma[0], &beta[0], n, rows, 4*pitch)
				ok()
				for i := range n {
					var s, size, q float64
					for k := range rows {
						a := float64(x[k*pitch+i])
						s, size = s+a, size+math.Abs(a)
						q += (a - float64(mean[i])) * (a - float64(mean[i]))
						want := (a-float64(mean[i]))*float64(scale[i])*float64(gamma[k]) + float64(beta[k])
						if got := float64(d[k*pitch+i]); !(math.Abs(got-want) <= 1e-6*(1+size)*4) {
							t.Fatalf("norm of %dx%d at %d, %d: %v, want %v", rows, n, k, i, got, want)
						}
					}
					if math.Abs(float64(sum[i])-s) > 3e-7*size || math.Abs(float64(square[i])-q) > 1e-6*q {
						t.Fatalf("sums of %dx%d at %d: %v and %v, want %v and %v", rows, n, i, sum[i], square[i], s, q)
					}
				}
				for k := range rows - 1 {
					for i := n; i < pitch; i++ {
						if d[k*pitch+i] == d[k*pitch+i] {
							t.Fatalf("norm of %d columns wrote column %d", n, i)
						}
					}
				}
			}
		}
	})
}
