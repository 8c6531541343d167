package backward

import (
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// product takes the signal g of matrix products down to the first operand, times
// the second's transpose, or to the second, times the first's. Rows without a signal
// are left out.
func (d *solo) product(l *model.MatMul, second bool, dst, g, x, y []float32) {
	m, k, n := l.Sizes()
	engine := kernel.Of(d.p.engine)
	rows := make([]int, 0, m)
	part := make([]float32, max(m, n)*k)
	signal, other := make([]float32, m*n), make([]float32, m*k)
	place := make([]kernel.ProductPlace, 1)
	l.Products(func(out, a, b int) {
		rows = rows[:0]
		for i := range m {
			row := g[out+i*n:][:n]
			for _, v := range row {
				if v != 0 {
					copy(signal[len(rows)*n:], row)
					if second {
						copy(other[len(rows)*k:], x[a+i*k:][:k])
					}
					rows = append(rows, i)
					break
				}
			}
		}
		count := len(rows)
		if count == 0 {
			return
		}
		if !second { // g B'
			engine.MatMul(kernel.Product{M: count, K: n, N: k, Images: 1, Places: place, TransB: true}, part, signal, y[b:], nil)
			for r, i := range rows {
				add(dst[a+i*k:][:k], part[r*k:])
			}
			return
		}
		// A' g
		engine.MatMul(kernel.Product{M: k, K: count, N: n, Images: 1, Places: place, TransA: true}, part, other, signal, nil)
		add(dst[b:b+k*n], part)
	})
}

// add adds src to dst.
func add(dst, src []float32) {
	for i := range dst {
		dst[i] += src[i]
	}
}
