package maximize

import (
	"math"

	"github.com/deconvnet/viz/internal/kernel"
)

// even is what makes the total variation smooth where neighbours are equal.
const even = 1e-3

// penalty is half the sum of the squared distances from grey, times l2, and the total
// variation (L. Rudin, S. Osher, E. Fatemi, 1992), times variation. Its gradient over
// the picture is taken off g.
func (v *canvas) penalty(picture []float64, l2, variation float64, g []float64) float64 {
	sum, plane := 0.0, v.h*v.w
	for i, p := range picture {
		if l2 > 0 {
			d := p - v.grey[i/plane]
			sum += float64(l2 * d * d / 2)
			g[i] -= float64(l2 * d)
		}
		if variation > 0 {
			var down, right float64
			j := i % plane
			if j+v.w < plane {
				down = picture[i+v.w] - p
			}
			if (j+1)%v.w != 0 {
				right = picture[i+1] - p
			}
			length := math.Sqrt(float64(down*down) + float64(right*right) + float64(even*even))
			sum += float64(variation * (length - even))
			if j+v.w < plane {
				g[i+v.w] -= variation * down / length
				g[i] += variation * down / length
			}
			if (j+1)%v.w != 0 {
				g[i+1] -= variation * right / length
				g[i] += variation * right / length
			}
		}
	}
	return sum
}

// likeness is how alike the maps of each start are to those of the others: the mean
// cosine between their Gram matrices (products of maps, summed over places: which maps
// fire together). maps are [start][c*plane]. weights say how much each start's likeness
// counts; the gradient of the weighted sum over maps is returned beside.
func likeness(k *kernel.Engine, maps [][]float32, c int, weights []float64) (mean []float64, gradient [][]float32) {
	n := len(maps)
	grams, lengths := make([][]float64, n), make([]float64, n)
	for i, a := range maps {
		grams[i] = gram(k, a, c)
		for _, v := range grams[i] {
			lengths[i] += float64(v * v)
		}
		lengths[i] = math.Sqrt(lengths[i])
	}
	mean, gradient = make([]float64, n), make([][]float32, n)
	cosines := make([][]float64, n)
	for i := range n {
		cosines[i] = make([]float64, n)
		for j := range n {
			if i == j || lengths[i] == 0 || lengths[j] == 0 {
				continue
			}
			for m, v := range grams[i] {
				cosines[i][j] += float64(v * grams[j][m])
			}
			cosines[i][j] /= lengths[i] * lengths[j]
			mean[i] += cosines[i][j] / float64(n-1)
		}
	}
	for i, a := range maps {
		turn := make([]float64, c*c) // of the weighted sum by the Gram matrix
		for j := range n {
			if i == j || lengths[i] == 0 || lengths[j] == 0 {
				continue
			}
			w := (weights[i] + weights[j]) / float64(n-1) / lengths[i]
			for m := range turn {
				turn[m] += float64(w * (grams[j][m]/lengths[j] - float64(cosines[i][j]*grams[i][m]/lengths[i])))
			}
		}
		gradient[i] = make([]float32, len(a))
		plane := len(a) / c
		k.For(c, func(row int) {
			sum := make([]float64, plane)
			for other := range c {
				w := 2 * turn[row*c+other]
				if w == 0 {
					continue
				}
				for p, v := range a[other*plane : (other+1)*plane] {
					sum[p] += float64(w * float64(v))
				}
			}
			for p, v := range sum {
				gradient[i][row*plane+p] = float32(v)
			}
		})
	}
	return mean, gradient
}

// gram is the matrix of products of maps, [c*c].
func gram(k *kernel.Engine, a []float32, c int) []float64 {
	out, plane := make([]float64, c*c), len(a)/c
	k.For(c, func(i int) {
		for j := range c {
			sum := 0.0
			for p, v := range a[i*plane : (i+1)*plane] {
				sum += float64(float64(v) * float64(a[j*plane+p]))
			}
			out[i*c+j] = sum
		}
	})
	return out
}
