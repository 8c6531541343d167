package backward

import "github.com/deconvnet/viz/model"

// product takes the signal g of matrix products down to the first operand, times
// the second's transpose, or to the second, times the first's. Rows without a signal
// are left out.
func (d *solo) product(l *model.MatMul, second bool, dst, g, x, y []float32) {
	m, k, n := l.Sizes()
	kernel := d.p.engine.Kernel()
	rows := make([]int, 0, m)
	part := make([]float32, max(m, n)*k)
	signal, other := make([]float32, m*n), make([]float32, m*k)
	turned := make([]float32, m*n)
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
			kernel.DenseForward(count, n, k, part[:count*k], signal[:count*n], y[b:b+k*n], nil)
			for r, i := range rows {
				add(dst[a+i*k:][:k], part[r*k:])
			}
			return
		}
		// A' g
		left := make([]float32, count*k)
		model.Turn(left, other, count, k)
		model.Turn(turned, signal, count, n)
		kernel.DenseForward(k, count, n, part[:k*n], left, turned[:count*n], nil)
		add(dst[b:b+k*n], part)
	})
}

// add adds src to dst.
func add(dst, src []float32) {
	for i := range dst {
		dst[i] += src[i]
	}
}
