package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"gonum.org/v1/gonum/optimize"
)

// Linear is a linear classifier: scores = W·(x-Mean)*Scale + B.
type Linear struct {
	Classes, Dim int
	W            []float32 // [classes][dim]
	B            []float32 // [classes]
	Mean         []float32 // [dim], of the training vectors
	Scale        float32   // makes their mean squared norm 1
	Loss         float64   // the objective at the end
	Iterations   int
}

// Classifiers lists the kinds of classifiers that Fit knows: svm is one linear support
// vector machine with squared hinge loss for each class against the rest
// ([fan08], L2-loss), softmax is multinomial logistic regression.
func Classifiers() []string { return []string{"svm", "softmax"} }

// Fit trains a classifier on n vectors x, [n][dim], of the given labels. The
// objective, the mean loss plus lambda/2 times the sum of squared weights (not
// biases), is convex and is brought to its minimum by gonum's L-BFGS.
func Fit(ctx context.Context, engine *model.Engine, classifier string, x []float32, labels []int, classes int, lambda float64) (*Linear, error) {
	n := len(labels)
	if n == 0 || len(x)%n != 0 || classes < 2 || !slices.Contains(Classifiers(), classifier) || !(lambda > 0) {
		return nil, fmt.Errorf("cannot fit %s on %d values for %d vectors of %d classes with lambda %g", classifier, len(x), n, classes, lambda)
	}
	for i, l := range labels {
		if l < 0 || l >= classes {
			return nil, fmt.Errorf("vector %d has label %d of %d classes", i, l, classes)
		}
	}
	dim := len(x) / n
	m := &Linear{Classes: classes, Dim: dim, W: make([]float32, classes*dim), B: make([]float32, classes)}
	x = m.normalise(x, n)
	k := kernel.Of(engine)
	scores, ds := make([]float32, n*classes), make([]float32, n*classes)
	dw, db := make([]float32, classes*dim), make([]float32, classes)
	p := make([]float64, classes)
	// both computes the objective and its gradient at the weights and biases in v.
	both := func(v, grad []float64) float64 {
		for i := range m.W {
			m.W[i] = float32(v[i])
		}
		for i := range m.B {
			m.B[i] = float32(v[len(m.W)+i])
		}
		k.DenseForward(n, dim, classes, scores, x, m.W, m.B)
		loss := 0.0
		for i := range n {
			row, d := scores[i*classes:(i+1)*classes], ds[i*classes:(i+1)*classes]
			if classifier == "softmax" {
				top := float64(slices.Max(row))
				sum := 0.0
				for c, s := range row {
					p[c] = math.Exp(float64(s) - top)
					sum += p[c]
				}
				loss += math.Log(sum) + top - float64(row[labels[i]])
				for c := range row {
					d[c] = float32(p[c] / sum / float64(n))
				}
				d[labels[i]] -= float32(1 / float64(n))
				continue
			}
			for c, s := range row {
				sign := -1.0
				if c == labels[i] {
					sign = 1
				}
				d[c] = 0
				if short := 1 - sign*float64(s); short > 0 {
					loss += short * short
					d[c] = float32(-2 * sign * short / float64(n))
				}
			}
		}
		loss /= float64(n)
		if grad != nil {
			k.DenseWeights(n, dim, classes, dw, db, x, ds)
			for i, g := range dw {
				grad[i] = float64(g) + lambda*v[i]
			}
			for i, g := range db {
				grad[len(dw)+i] = float64(g)
			}
		}
		for _, w := range v[:len(m.W)] {
			loss += lambda / 2 * w * w
		}
		return loss
	}
	// L-BFGS asks for function and gradient apart; the last answers are kept.
	var at, grad []float64
	var value float64
	ask := func(v []float64) {
		if !slices.Equal(v, at) {
			at = append(at[:0], v...)
			grad = slices.Grow(grad[:0], len(v))[:len(v)]
			value = both(v, grad)
		}
	}
	problem := optimize.Problem{
		Func: func(v []float64) float64 { ask(v); return value },
		Grad: func(g, v []float64) { ask(v); copy(g, grad) },
		Status: func() (optimize.Status, error) {
			if err := ctx.Err(); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}
	settings := &optimize.Settings{MajorIterations: 300, GradientThreshold: 1e-5, Concurrent: 1,
		Converger: &optimize.FunctionConverge{Absolute: 1e-9, Relative: 1e-5, Iterations: 8}}
	result, err := optimize.Minimize(problem, make([]float64, len(m.W)+len(m.B)), settings, &optimize.LBFGS{Store: 12})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	// The arithmetic is float32, so near the minimum a line search may find no
	// better point: it is there.
	if result == nil || err != nil && !errors.Is(err, optimize.ErrLinesearcherFailure) && result.Location.X == nil {
		return nil, fmt.Errorf("fitting %s: %w", classifier, err)
	}
	m.Loss, m.Iterations = both(result.X, nil), result.MajorIterations
	if m.Loss != m.Loss {
		return nil, fmt.Errorf("fitting %s: the features are not finite", classifier)
	}
	return m, nil
}

// normalise sets Mean and Scale and returns x with them applied.
func (m *Linear) normalise(x []float32, n int) []float32 {
	mean := make([]float64, m.Dim)
	for i, v := range x {
		mean[i%m.Dim] += float64(v) / float64(n)
	}
	m.Mean = make([]float32, m.Dim)
	for i, v := range mean {
		m.Mean[i] = float32(v)
	}
	squares := 0.0
	for i, v := range x {
		d := float64(v) - mean[i%m.Dim]
		squares += d * d / float64(n)
	}
	m.Scale = 1
	if squares > 0 {
		m.Scale = float32(1 / math.Sqrt(squares))
	}
	return m.apply(x)
}

func (m *Linear) apply(x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = (v - m.Mean[i%m.Dim]) * m.Scale
	}
	return out
}

// Predict returns the best class of each vector of x, [n][dim].
func (m *Linear) Predict(engine *model.Engine, x []float32) []int {
	n := len(x) / m.Dim
	scores := make([]float32, n*m.Classes)
	kernel.Of(engine).DenseForward(n, m.Dim, m.Classes, scores, m.apply(x), m.W, m.B)
	out := make([]int, n)
	for i := range out {
		out[i] = tensor.ArgMax(scores[i*m.Classes : (i+1)*m.Classes])
	}
	return out
}

// PerClass is the mean over classes of the share of a class's items that are
// predicted right, which does not depend on how many of each there are
// ([zeiler14] 5.2). Classes without items do not count.
func PerClass(predicted, labels []int, classes int) float64 {
	right, all := make([]float64, classes), make([]float64, classes)
	for i, l := range labels {
		all[l]++
		if predicted[i] == l {
			right[l]++
		}
	}
	sum, n := 0.0, 0
	for c := range all {
		if all[c] > 0 {
			sum += right[c] / all[c]
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}
