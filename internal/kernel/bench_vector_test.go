package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Functions of single numbers, on rows that fit the nearest cache.
func BenchmarkFunctions(b *testing.B) {
	for _, f := range []Function{{Func: Exp}, {Func: Sigmoid}, {Func: Tanh}, {Func: Gelu}, {Func: GeluTanh}, {Func: Swish, A: 1}, {Func: HardSwish}} {
		b.Run(fmt.Sprint(f.Func), func(b *testing.B) {
			x := randSlice(rand.New(rand.NewPCG(1, 2)), 2048)
			y := make([]float32, len(x))
			lv := current()
			for b.Loop() {
				lv.apply(f, y, x)
			}
			b.ReportMetric(float64(len(x))*float64(b.N)/b.Elapsed().Seconds()/1e9, "G/s")
		})
	}
}
