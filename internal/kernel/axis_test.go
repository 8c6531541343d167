package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Sums, normalisations and softmax along rows and columns against plain loops in
// float64, with guards; the same bits for any number of workers.
func TestAxis(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(81, 82))
		one, many := New(1), New(3)
		defer many.Close()
		cases := []Axis{{3136, 96, 1}, {1, 96, 3136}, {12, 197, 1}, {2, 1000, 1}, {3, 21, 65}, {1, 1, 1}, {1, 1, 200}}
		for range rounds(60) {
			x := Axis{1 + r.IntN(6), 1 + r.IntN(90), 1}
			if r.IntN(2) == 0 {
				x.Inner = 1 + r.IntN(200)
			}
			cases = append(cases, x)
		}
		for _, x := range cases {
			n := x.Outer * x.Size * x.Inner
			src, gamma, beta := randSlice(r, n), randSlice(r, x.Size), randSlice(r, x.Size)
			for i := range src {
				src[i] = 3*src[i] + 5 // a mean
			}
			job := &loopJob{lv: refLevel, dim: [6]int{x.Size, x.Inner, (x.Inner + axisColumns - 1) / axisColumns}}
			pieces := x.Outer
			if x.Inner > 1 {
				pieces *= job.dim[2]
			}
			compare := func(what string, out int, tolerance float64, run func(e *Engine, dst []float32), ref func(j *loopJob, lo, hi int)) {
				t.Helper()
				d, ok := guard(t, out)
				run(one, d)
				ok()
				d3 := make([]float32, out)
				run(many, d3)
				if !equalBits(d, d3) {
					t.Fatalf("%s of %v: one worker and three differ", what, x)
				}
				job.s[0], job.s[1] = make([]float32, out), src
				ref(job, 0, pieces)
				for i, v := range d {
					if want := job.s[0][i]; !(math.Abs(float64(v-want)) <= tolerance*(1+math.Abs(float64(want)))) {
						t.Fatalf("%s of %v: number %d is %v, want %v", what, x, i, v, want)
					}
				}
			}
			job.k[0] = 1 / float32(x.Size)
			compare("mean", x.Outer*x.Inner, 1e-6, func(e *Engine, d []float32) { e.SumAxis(x, job.k[0], d, src) }, refSumAxis)
			job.flag, job.x[0], job.s[2], job.s[3] = true, 1e-3, gamma, beta
			compare("norm", n, 4e-6, func(e *Engine, d []float32) { e.NormAxis(x, true, 1e-3, d, src, gamma, beta) }, refNormAxis)
			job.flag = false
			compare("root mean square", n, 4e-6, func(e *Engine, d []float32) { e.NormAxis(x, false, 1e-3, d, src, gamma, beta) }, refNormAxis)
			compare("softmax", n, 2e-6, func(e *Engine, d []float32) { e.SoftmaxAxis(x, false, d, src) }, refSoftmaxAxis)
			job.flag = true
			compare("logarithm of softmax", n, 2e-6, func(e *Engine, d []float32) { e.SoftmaxAxis(x, true, d, src) }, refSoftmaxAxis)
		}
	})
}

func TestGroupNorm(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(83, 84))
		one, many := New(1), New(3)
		defer many.Close()
		for range rounds(60) {
			groups, per, hw, n := 1+r.IntN(5), 1+r.IntN(5), 1+r.IntN(90), 1+r.IntN(3)
			c := groups * per
			src, gamma, beta := randSlice(r, n*c*hw), randSlice(r, c), randSlice(r, c)
			d, ok := guard(t, len(src))
			one.GroupNorm(n, c, hw, groups, 1e-3, d, src, gamma, beta)
			ok()
			other := make([]float32, len(src))
			many.GroupNorm(n, c, hw, groups, 1e-3, other, src, gamma, beta)
			want := make([]float32, len(src))
			job := &loopJob{lv: refLevel, dim: [6]int{per, hw, groups}, x: [3]float64{1e-3}, s: [4][]float32{want, src, gamma, beta}}
			refGroupNorm(job, 0, n*groups)
			for i, v := range d {
				if !(math.Abs(float64(v-want[i])) <= 2e-5*(1+math.Abs(float64(want[i])))) || v != other[i] {
					t.Fatalf("%d groups of %d x %d in %d images: number %d is %v, with three workers %v, want %v", groups, per, hw, n, i, v, other[i], want[i])
				}
			}
		}
	})
}

// A NaN or infinity in a row spoils that row only.
func TestAxisNaN(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(85, 86))
		e := New(2)
		defer e.Close()
		for _, x := range []Axis{{5, 40, 1}, {2, 9, 70}} {
			for _, odd := range []float64{math.NaN(), math.Inf(1)} {
				src := randSlice(r, x.Outer*x.Size*x.Inner)
				at := r.IntN(len(src))
				src[at] = float32(odd)
				line := func(i int) int { return i/(x.Size*x.Inner)*x.Inner + i%x.Inner }
				d := make([]float32, len(src))
				for what, f := range map[string]func(){
					"softmax": func() { e.SoftmaxAxis(x, false, d, src) },
					"norm":    func() { e.NormAxis(x, true, 1e-5, d, src, nil, nil) },
				} {
					f()
					for i, v := range d {
						if (line(i) == line(at)) != (v != v) && !(what == "norm" && v == 0) {
							t.Fatalf("%s of %v with %v at %d: number %d is %v", what, x, odd, at, i, v)
						}
					}
				}
			}
		}
	})
}

// Walks through arrays of any rank and steps, against plain indexing.
func TestWalk(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(87, 88))
		one, many := New(1), New(3)
		defer many.Close()
		for range rounds(250) {
			testWalk(t, r, one, many)
		}
	})
}

func testWalk(t *testing.T, r *rand.Rand, one, many *Engine) {
	dims := make([]int, 1+r.IntN(4))
	size := 1
	for i := range dims {
		dims[i] = 1 + r.IntN(7)
		if r.IntN(3) == 0 {
			dims[i] = 1 + r.IntN(40)
		}
		size *= dims[i]
	}
	images := 1 + r.IntN(2)
	// Operands broadcast along random axes, or constant.
	operand := func() (steps []int, n int) {
		steps, n = make([]int, len(dims)), 1
		for i := len(dims) - 1; i >= 0; i-- {
			if r.IntN(3) > 0 {
				steps[i] = n
				n *= dims[i]
			}
		}
		return steps, n
	}
	sa, na := operand()
	sb, nb := operand()
	if r.IntN(4) == 0 {
		sa, na = sb, nb
	}
	each := func(f func(image, i, a, b int)) {
		for image := range images {
			for i := range size {
				a, b, rest := 0, 0, i
				for k := len(dims) - 1; k >= 0; k-- {
					a, b, rest = a+rest%dims[k]*sa[k], b+rest%dims[k]*sb[k], rest/dims[k]
				}
				f(image, i, a, b)
			}
		}
	}
	a, b := strange(r, images*na), strange(r, nb)
	op := Arith(r.IntN(int(arithCount)))
	want, got := make([]float32, images*size), make([]float32, images*size)
	check := func(what string, run func(e *Engine, dst []float32)) {
		t.Helper()
		d, ok := guard(t, images*size)
		run(one, d)
		ok()
		run(many, got)
		for _, d := range [][]float32{d, got} {
			if i := same(d, want); i >= 0 {
				t.Fatalf("%s of %v by steps %v and %v, %d images: number %d is %v, want %v", what, dims, sa, sb, images, i, d[i], want[i])
			}
		}
	}
	each(func(image, i, x, y int) { want[image*size+i] = refArith(op, a[image*na+x], b[y]) })
	check(fmt.Sprint("operation ", op), func(e *Engine, d []float32) { e.Combine(op, NewWalk(dims, sa, sb), images, size, na, 0, d, a, b) })

	// Moves: the axes of the source in a random order, some backwards.
	sa, na = make([]int, len(dims)), 1
	offset := 3
	for _, i := range r.Perm(len(dims)) {
		sa[i] = na
		if r.IntN(5) == 0 {
			sa[i] = -na
			offset += (dims[i] - 1) * na
		}
		na *= dims[i]
	}
	sb = sa
	na += 3
	a = strange(r, images*na)
	each(func(image, i, x, _ int) { want[image*size+i] = a[image*na+offset+x] })
	check("move", func(e *Engine, d []float32) { e.Rearrange(NewMove(dims, sa), offset, images, size, na, d, a) })
}

// The gradient of a normalisation against differences of its definition, in float64.
func TestNormAxisGrad(t *testing.T) {
	r := rand.New(rand.NewPCG(89, 90))
	one, many := New(1), New(3)
	defer many.Close()
	for range rounds(40) {
		x := Axis{1 + r.IntN(4), 2 + r.IntN(7), 1}
		if r.IntN(2) == 0 {
			x.Inner = 1 + r.IntN(130)
		}
		n := x.Outer * x.Size * x.Inner
		src, g, gamma := randSlice(r, n), randSlice(r, n), randSlice(r, x.Size)
		for _, centre := range []bool{true, false} {
			const eps = 0.1
			d, ok := guard(t, n)
			one.NormAxisGrad(x, centre, false, eps, d, g, src, gamma)
			ok()
			other := make([]float32, n)
			many.NormAxisGrad(x, centre, false, eps, other, g, src, gamma)
			for range 5 {
				i := r.IntN(n)
				line, step := i/(x.Size*x.Inner)*x.Size*x.Inner+i%x.Inner, x.Inner
				// The sum of g times the row's results, with number i moved by h.
				f := func(h float64) (s float64) {
					var mean, square float64
					at := func(k int) float64 {
						if line+k*step == i {
							return float64(src[i]) + h
						}
						return float64(src[line+k*step])
					}
					for k := range x.Size {
						if centre {
							mean += at(k) / float64(x.Size)
						}
					}
					for k := range x.Size {
						square += (at(k) - mean) * (at(k) - mean) / float64(x.Size)
					}
					for k := range x.Size {
						s += float64(g[line+k*step]) * float64(gamma[k]) * (at(k) - mean) / math.Sqrt(square+eps)
					}
					return s
				}
				const h = 1e-5
				want := (f(h) - f(-h)) / (2 * h)
				if !(math.Abs(float64(d[i])-want) <= 1e-5*(1+math.Abs(want))) || d[i] != other[i] {
					t.Fatalf("%v, centre %v: number %d is %v, with three workers %v, want %v", x, centre, i, d[i], other[i], want)
				}
			}
			one.NormAxisGrad(x, centre, true, eps, d, g, src, nil)
			i := r.IntN(n)
			mean, scale := refMoments(src, i/(x.Size*x.Inner)*x.Size*x.Inner+i%x.Inner, x.Inner, x.Size, centre, eps)
			if want := float64(g[i]) * scale; math.Abs(float64(d[i])-want) > 1e-6*(1+math.Abs(want)) {
				t.Fatalf("%v with fixed statistics (mean %v): number %d is %v, want %v", x, mean, i, d[i], want)
			}
		}
	}
}
