package exact

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

func alike(a, b, tolerance float64) bool {
	return a == b || a != a && b != b || math.Abs(a-b) <= tolerance*math.Abs(b)
}

// TestStatistics compares with gonum.
func TestStatistics(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := 1; n < 40; n++ {
		x, y := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i], y[i] = 100+r.NormFloat64(), r.Float64()
		}
		mean, std := MeanStdDev(x)
		if m, s := stat.MeanStdDev(x, nil); !alike(mean, m, 1e-14) || !alike(std, s, 1e-13) || Mean(x) != mean {
			t.Errorf("%d numbers: %v, %v, want %v, %v", n, mean, std, m, s)
		}
		if got, want := Correlation(x, y), stat.Correlation(x, y, nil); n > 1 && math.Abs(got-want) > 1e-14 {
			t.Errorf("%d numbers: correlation %v, want %v", n, got, want)
		}
	}
	if v := Correlation([]float64{0.1, 0.1, 0.1}, []float64{1, 2, 4}); v == v {
		t.Errorf("the correlation with a constant is %v, want NaN", v)
	}
	for freedom := 1; freedom < 300; freedom += 1 + freedom/5 {
		for _, v := range []float64{0, 1e-3, 0.01, 0.3, 1, 1.5, 2, 3, 5, 10, 40, 1000} {
			want := 2 * distuv.StudentsT{Sigma: 1, Nu: float64(freedom)}.CDF(-v)
			if got := Student(-v, freedom); !alike(got, want, 1e-11) || got != Student(v, freedom) {
				t.Errorf("Student(%v, %d) = %v, want %v", v, freedom, got, want)
			}
		}
	}
	if v, w := Student(math.Inf(-1), 3), Student(math.NaN(), 3); v != 0 || w == w {
		t.Errorf("of infinity %v, of NaN %v, want 0 and NaN", v, w)
	}
}
