package tensor_test

import (
	"math"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

func TestArgMax(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		x    []float32
		want int
	}{
		{nil, -1},
		{[]float32{1, 3, 3, 2}, 1},
		{[]float32{-inf, -inf}, 0},
		{[]float32{nan, -inf, 2, nan}, 2},
		{[]float32{nan, nan}, 0},
		{[]float32{nan, -inf}, 1},
	} {
		if got := tensor.ArgMax(c.x); got != c.want {
			t.Errorf("ArgMax(%v) = %d, want %d", c.x, got, c.want)
		}
	}
}

// By hand: exp(ln 1), exp(ln 3) and exp(ln 4) of 8; scores far from 0 neither
// overflow nor lose the cross entropy.
func TestSoftmax(t *testing.T) {
	x := []float32{0, float32(math.Log(3)), float32(math.Log(4))}
	for i, want := range []float64{1. / 8, 3. / 8, 4. / 8} {
		if got := tensor.Softmax(x)[i]; math.Abs(got-want) > 1e-7 {
			t.Errorf("softmax %d is %v, want %v", i, got, want)
		}
		if got := tensor.CrossEntropy(x, i); math.Abs(got+math.Log(want)) > 1e-6 {
			t.Errorf("cross entropy %d is %v, want %v", i, got, -math.Log(want))
		}
	}
	far := []float32{2000, 0}
	if p := tensor.Softmax(far); p[0] != 1 || p[1] != 0 {
		t.Errorf("softmax of %v is %v", far, p)
	}
	if got := tensor.CrossEntropy(far, 1); got != 2000 {
		t.Errorf("cross entropy is %v, want 2000", got)
	}
}
