package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
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

// Classifier is a kind of classifier that Fit knows.
type Classifier string

const (
	// SVM is one linear support vector machine with squared hinge loss for each class
	// against the rest ([fan08], L2-loss).
	SVM Classifier = "svm"
	// Softmax is multinomial logistic regression.
	Softmax Classifier = "softmax"
)

// Classifiers lists the kinds of classifiers.
func Classifiers() []Classifier { return []Classifier{SVM, Softmax} }

// ParseClassifier reads the name of a Classifier.
func ParseClassifier(s string) (Classifier, error) {
	if !slices.Contains(Classifiers(), Classifier(s)) {
		return "", fmt.Errorf("unknown classifier %q, want one of %v", s, Classifiers())
	}
	return Classifier(s), nil
}

// Fit trains a classifier on n vectors x, [n][dim], of the given labels. The
// objective, the mean loss plus lambda/2 times the sum of squared weights (not
// biases), is convex and is brought to its minimum by gonum's L-BFGS.
func Fit(ctx context.Context, engine *model.Engine, classifier Classifier, x []float32, labels []int, classes int, lambda float64) (*Linear, error) {
	n := len(labels)
	loss := losses[classifier]
	if n == 0 || len(x)%n != 0 || classes < 2 || loss == nil || !(lambda > 0) {
		return nil, fmt.Errorf("cannot fit %s on %d values for %d vectors of %d classes with lambda %g", classifier, len(x), n, classes, lambda)
	}
	for i, l := range labels {
		if l < 0 || l >= classes {
			return nil, fmt.Errorf("vector %d has label %d of %d classes", i, l, classes)
		}
	}
	dim := len(x) / n
	m := &Linear{Classes: classes, Dim: dim, W: make([]float32, classes*dim), B: make([]float32, classes)}
	f := &fitting{m: m, k: kernel.Of(engine), loss: loss, x: m.normalise(x, n), labels: labels, lambda: lambda,
		scores: make([]float32, n*classes), ds: make([]float32, n*classes), dw: make([]float32, classes*dim), db: make([]float32, classes)}
	problem := optimize.Problem{
		Func: func(v []float64) float64 { f.ask(v); return f.value },
		Grad: func(g, v []float64) { f.ask(v); copy(g, f.grad) },
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
	m.Loss, m.Iterations = f.objective(result.X, nil), result.MajorIterations
	if m.Loss != m.Loss {
		return nil, fmt.Errorf("fitting %s: the features are not finite", classifier)
	}
	return m, nil
}

// losses are, by classifier, what adds the loss of one vector to sum.
var losses = map[Classifier]loss{SVM: squaredHinge, Softmax: crossEntropy}

type loss func(v *scored, sum float64) float64

// scored is a vector's scores, and the slopes of the mean loss of n vectors by them.
type scored struct {
	scores, slopes []float32
	label          int
	n              float64
	p              []float64 // scratch, one for each class
}

func crossEntropy(v *scored, sum float64) float64 {
	top, all := float64(slices.Max(v.scores)), 0.0
	for c, s := range v.scores {
		v.p[c] = exact.Exp(float64(s) - top)
		all += v.p[c]
	}
	for c, p := range v.p {
		v.slopes[c] = float32(p / all / v.n)
	}
	v.slopes[v.label] -= float32(1 / v.n)
	return sum + (exact.Log(all) + top - float64(v.scores[v.label]))
}

func squaredHinge(v *scored, sum float64) float64 {
	for c, s := range v.scores {
		sign := -1.0
		if c == v.label {
			sign = 1
		}
		v.slopes[c] = 0
		if short := 1 - float64(sign*float64(s)); short > 0 {
			sum += float64(short * short)
			v.slopes[c] = float32(-2 * sign * short / v.n)
		}
	}
	return sum
}

// fitting is the objective that Fit brings to its minimum.
type fitting struct {
	m          *Linear
	k          *kernel.Engine
	loss       loss
	x          []float32 // normalised
	labels     []int
	lambda     float64
	scores, ds []float32 // [n][classes]
	dw, db     []float32
	at, grad   []float64 // where the last answers are of, and the gradient there
	value      float64
}

// ask keeps the last answers: L-BFGS asks for function and gradient apart.
func (f *fitting) ask(v []float64) {
	if !slices.Equal(v, f.at) {
		f.at = append(f.at[:0], v...)
		f.grad = slices.Grow(f.grad[:0], len(v))[:len(v)]
		f.value = f.objective(v, f.grad)
	}
}

// objective is the value at the weights and biases in v, which become the
// classifier's; it writes the gradient unless that is nil.
func (f *fitting) objective(v, grad []float64) float64 {
	m, n := f.m, len(f.labels)
	for i := range m.W {
		m.W[i] = float32(v[i])
	}
	for i := range m.B {
		m.B[i] = float32(v[len(m.W)+i])
	}
	f.k.DenseForward(n, m.Dim, m.Classes, f.scores, f.x, m.W, m.B)
	loss, one := 0.0, scored{n: float64(n), p: make([]float64, m.Classes)}
	for i, label := range f.labels {
		from, to := i*m.Classes, (i+1)*m.Classes
		one.scores, one.slopes, one.label = f.scores[from:to], f.ds[from:to], label
		loss = f.loss(&one, loss)
	}
	loss /= float64(n)
	if grad != nil {
		f.k.DenseWeights(n, m.Dim, m.Classes, f.dw, f.db, f.x, f.ds)
		for i, g := range f.dw {
			grad[i] = float64(g) + float64(f.lambda*v[i])
		}
		for i, g := range f.db {
			grad[len(f.dw)+i] = float64(g)
		}
	}
	for _, w := range v[:len(m.W)] {
		loss += float64(f.lambda / 2 * w * w)
	}
	return loss
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
