package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

type productCase struct {
	m, k, n, places, images int
	transA, transB, packed  bool
	shared                  bool // one right operand for all products
	bias                    bool
	act                     *Function
}

func (c productCase) String() string {
	return fmt.Sprintf("%dx%dx%d, %d in %d images, turned %v %v, packed %v, shared %v, bias %v, function %v", c.m, c.k, c.n, c.places, c.images, c.transA, c.transB, c.packed, c.shared, c.bias, c.act)
}

func (c productCase) product() Product {
	p := Product{M: c.m, K: c.k, N: c.n, Images: c.images, TransA: c.transA, TransB: c.transB && !c.packed, Act: c.act,
		A: c.places * c.m * c.k, B: c.places * c.k * c.n, C: c.places * c.m * c.n}
	if c.shared {
		p.B = 0
	}
	for i := range c.places {
		at := ProductPlace{i * c.m * c.k, i * c.k * c.n, i * c.m * c.n}
		switch {
		case c.shared:
			at.B = 0
		case c.packed:
			at.B = i
		}
		p.Places = append(p.Places, at)
	}
	return p
}

// run computes the case on e, and returns the result between guards.
func (c productCase) run(t *testing.T, e *Engine, a, b, bias []float32) []float32 {
	t.Helper()
	p := c.product()
	if c.bias {
		p.Bias = bias
	}
	var packed []*Matrix
	if c.packed {
		for i := range c.places {
			packed = append(packed, PackMatrix(c.k, c.n, b[i*c.k*c.n:(i+1)*c.k*c.n], c.transB))
		}
	}
	out, ok := guard(t, c.images*c.places*c.m*c.n)
	e.MatMul(p, out, a, b, packed)
	ok()
	return out
}

func randProduct(r *rand.Rand) productCase {
	c := productCase{m: 1 + r.IntN(40), k: 1 + r.IntN(80), n: 1 + r.IntN(80), places: 1 + r.IntN(3), images: 1 + r.IntN(3),
		transA: r.IntN(2) == 0, transB: r.IntN(2) == 0, packed: r.IntN(2) == 0, shared: r.IntN(2) == 0, bias: r.IntN(2) == 0}
	if r.IntN(6) == 0 {
		c.k = 257 + r.IntN(400)
	}
	if r.IntN(3) == 0 {
		c.act = &Function{Func: Func(1 + r.IntN(int(Sqrt)-1)), A: 0.7, B: 0.2}
	}
	return c
}

// MatMul against sums in float64; the same bits for any number of workers.
func TestMatMul(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(61, 62))
		one, many := New(1), New(5)
		defer many.Close()
		cases := []productCase{
			{m: 197, k: 64, n: 197, places: 4, images: 1, transB: true},
			{m: 300, k: 96, n: 384, places: 1, images: 1, packed: true, bias: true, act: &Function{Func: Gelu}},
			{m: 1, k: 700, n: 1000, places: 1, images: 2, packed: true, shared: true, bias: true},
			{m: 49, k: 1030, n: 33, places: 1, images: 1, transA: true},
		}
		for range rounds(150) {
			cases = append(cases, randProduct(r))
		}
		for _, c := range cases {
			a, b, bias := randSlice(r, c.images*c.places*c.m*c.k), randSlice(r, c.images*c.places*c.k*c.n), randSlice(r, c.n)
			got := c.run(t, one, a, b, bias)
			if other := c.run(t, many, a, b, bias); !equalBits(got, other) {
				t.Fatalf("%v: one worker and five differ", c)
			}
			j := &productJob{lv: refLevel, p: c.product(), a: a, b: b, c: make([]float32, len(got))}
			if c.bias {
				j.p.Bias = bias
			}
			j.p.TransB = c.transB
			if c.packed { // as plain matrices
				for i := range j.p.Places {
					j.p.Places[i].B *= c.k * c.n
				}
				j.p.B = 0
			}
			for i := range c.images * c.places {
				refProduct(j, i)
			}
			for i, v := range got {
				if want := j.c[i]; !(math.Abs(float64(v-want)) <= 1e-6*(math.Sqrt(float64(c.k))+math.Abs(float64(want)))*4) {
					t.Fatalf("%v: number %d is %v, want %v", c, i, v, want)
				}
			}
		}
	})
}

// A NaN or an infinity goes to the numbers it belongs to, and to no other.
func TestMatMulNaN(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(63, 64))
		e := New(2)
		defer e.Close()
		for range rounds(40) {
			c := randProduct(r)
			c.act, c.shared = nil, false
			a, b, bias := randSlice(r, c.images*c.places*c.m*c.k), randSlice(r, c.images*c.places*c.k*c.n), randSlice(r, c.n)
			i, row, k := r.IntN(c.images*c.places), r.IntN(c.m), r.IntN(c.k)
			at := i*c.m*c.k + row*c.k + k
			if c.transA {
				at = i*c.m*c.k + k*c.m + row
			}
			a[at] = float32(math.NaN())
			for j, v := range c.run(t, e, a, b, bias) {
				if want := j/(c.m*c.n) == i && j/c.n%c.m == row; want != (v != v) {
					t.Fatalf("%v: NaN in row %d of product %d, number %d is %v", c, row, i, j, v)
				}
			}
		}
	})
}

func BenchmarkMatMul(b *testing.B) {
	for _, c := range []productCase{
		{m: 197, k: 768, n: 3072, places: 1, images: 1, packed: true, bias: true, act: &Function{Func: Gelu}},
		{m: 197, k: 3072, n: 768, places: 1, images: 1, packed: true, bias: true},
		{m: 197, k: 64, n: 197, places: 12, images: 1, transB: true},
		{m: 197, k: 197, n: 64, places: 12, images: 1},
		{m: 3136, k: 96, n: 384, places: 1, images: 1, packed: true, bias: true, act: &Function{Func: Gelu}},
		{m: 49, k: 768, n: 3072, places: 1, images: 1, packed: true, bias: true},
	} {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%dx%dx%dx%d/%d", c.places, c.m, c.k, c.n, workers), func(b *testing.B) {
				r := rand.New(rand.NewPCG(65, 66))
				e := New(workers)
				defer e.Close()
				x, y, bias := randSlice(r, c.places*c.m*c.k), randSlice(r, c.places*c.k*c.n), randSlice(r, c.n)
				p, out := c.product(), make([]float32, c.places*c.m*c.n)
				p.Bias = bias
				var packed []*Matrix
				if c.packed {
					packed = []*Matrix{PackMatrix(c.k, c.n, y, false)}
				}
				for b.Loop() {
					e.MatMul(p, out, x, y, packed)
				}
				b.ReportMetric(2*float64(c.places*c.m*c.k*c.n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
