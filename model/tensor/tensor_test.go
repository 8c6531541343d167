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
