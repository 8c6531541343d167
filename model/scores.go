package model

import (
	"fmt"
	"math"
	"strings"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model/tensor"
)

// Scores says what the values of a network's scores node (Network.Logits) mean.
type Scores string

const (
	// SoftmaxScores: classes exclude each other, the softmax of the scores are their
	// probabilities. The zero value.
	SoftmaxScores Scores = ""
	// SigmoidScores: each output stands for itself, its sigmoid is its probability.
	// One output tells two classes apart.
	SigmoidScores Scores = "sigmoid"
	// LogitScores: the network ends without an activation. Several outputs are read as
	// SoftmaxScores, one as SigmoidScores.
	LogitScores Scores = "logits"
	// RawScores: the values are what they are, as of a regression. There are no
	// probabilities.
	RawScores Scores = "raw"
)

func (s Scores) String() string {
	if s == SoftmaxScores {
		return "softmax"
	}
	return string(s)
}

// ParseScores reads what String writes.
func ParseScores(text string) (Scores, error) {
	switch s := Scores(strings.ToLower(text)); s {
	case "softmax":
		return SoftmaxScores, nil
	case SigmoidScores, LogitScores, RawScores:
		return s, nil
	}
	return "", fmt.Errorf("scores %q: want softmax, sigmoid, logits or raw", text)
}

// Quantity is what a number about a class is.
type Quantity string

const (
	Probability Quantity = "probability" // 0 to 1
	Score       Quantity = "score"       // before softmax or sigmoid
	Value       Quantity = "value"       // of a regression, or unknown
)

// Output is one output of a network: its author's name, and the node that makes it.
type Output struct {
	Name string `json:"name"`
	Node string `json:"node"`
}

// Target is what is explained: a class of a network's scores. Of a network that
// gives scores for every place of a map (segmentation) it is their sum over all
// places, or the scores at one.
type Target struct {
	Class int
	At    *[2]int // row, column of the scores' map; nil: all
}

// Reading reads the values of a network's scores node.
type Reading struct {
	Kind   Scores // softmax, sigmoid or raw
	Shape  Shape  // of the scores node
	named  bool   // one output, two names
	closed *Unary // the network's own sigmoid, if it is none by name
}

// Reading says how the network's scores are read. It is an error if the network
// has no node with scores.
func (net *Network) Reading() (*Reading, error) {
	if net.Logits == "" {
		return nil, net.noScores()
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	s, ok := shapes[net.Logits]
	if !ok {
		return nil, net.noScores()
	}
	return net.reading(s), nil
}

func (net *Network) noScores() error {
	return fmt.Errorf("network %s is no classifier: it has no node with class scores", net.Name)
}

// reading is Reading where the shape of the scores is known.
func (net *Network) reading(s Shape) *Reading {
	r := &Reading{Kind: net.Scores, Shape: s}
	if r.Kind == LogitScores {
		r.Kind = SoftmaxScores
		if s.C == 1 {
			r.Kind = SigmoidScores
		}
	}
	r.named = r.Binary() && len(net.Classes) == 2
	if r.Kind == SigmoidScores {
		for i := range net.Nodes {
			n := &net.Nodes[i]
			if l, ok := n.Layer.(*Unary); ok && l.Op == UnaryHardSigmoid && n.Inputs[0] == net.Logits {
				r.closed = l
			}
		}
	}
	return r
}

// Classifier is Reading for what needs one score for each class: it is an error,
// too, if the network gives scores for every place of a map, or numbers that are
// no scores.
func (net *Network) Classifier() (*Reading, error) {
	r, err := net.Reading()
	switch {
	case err != nil:
		return nil, err
	case r.Spatial():
		return nil, fmt.Errorf("network %s gives scores for each place of a map (%v at %s), not for the image", net.Name, r.Shape, net.Logits)
	}
	return r, nil
}

// Probabilities are what scores, the values at Logits for one image, say of each
// class; of raw values they are these values. See Reading.Probabilities.
func (net *Network) Probabilities(scores []float32) []float64 {
	return net.reading(Shape{C: len(scores), H: 1, W: 1, Flat: true}).Probabilities(scores)
}

// Predict is the class that scores speak for; see Reading.Predict.
func (net *Network) Predict(scores []float32) int {
	return net.reading(Shape{C: len(scores), H: 1, W: 1, Flat: true}).Predict(scores)
}

// Quantity is what Probabilities gives.
func (net *Network) Quantity() Quantity {
	if net.Scores == RawScores {
		return Value
	}
	return Probability
}

// NumClasses is the number of classes, 0 if the network is no classifier.
func (net *Network) NumClasses() int {
	r, err := net.Reading()
	if err != nil {
		return 0
	}
	return r.NumClasses()
}

// Quantity is what Probabilities and Value give.
func (r *Reading) Quantity() Quantity {
	if r.Kind == RawScores {
		return Value
	}
	return Probability
}

// Spatial reports whether there are scores for every place of a map.
func (r *Reading) Spatial() bool { return r.Shape.H*r.Shape.W > 1 }

// Binary reports whether one output tells two classes apart.
func (r *Reading) Binary() bool { return r.Kind == SigmoidScores && r.Shape.C == 1 && !r.Spatial() }

// NumClasses is the number of classes that can be asked for: as many as there are
// outputs. One output that tells two classes apart is class 0, unless both classes
// have names: then class 0 is that the output is not so, class 1 that it is.
func (r *Reading) NumClasses() int {
	if r.named {
		return 2
	}
	return r.Shape.C
}

// Labels is the number of classes that labels of data may have: NumClasses, or 2
// if Binary, with 1 for a high output.
func (r *Reading) Labels() int {
	if r.Binary() {
		return 2
	}
	return r.NumClasses()
}

// ClassOf is the class to explain for a label of data.
func (r *Reading) ClassOf(label int) int {
	if r.Binary() && !r.named {
		return 0
	}
	return label
}

// sigmoid is the probability that an output says by itself.
func (r *Reading) sigmoid(score float32) float64 {
	if l := r.closed; l != nil {
		return min(max(float64(float64(l.Alpha)*float64(score))+float64(l.Beta), 0), 1)
	}
	return sigmoid(float64(score))
}

// Probabilities are those of all classes, or the values if they are raw. The
// scores are one for each class.
func (r *Reading) Probabilities(scores []float32) []float64 {
	if r.Kind == SoftmaxScores {
		return tensor.Softmax(scores)
	}
	out := make([]float64, len(scores), len(scores)+1)
	for i, s := range scores {
		out[i] = float64(s)
		if r.Kind == SigmoidScores {
			out[i] = r.sigmoid(s)
		}
	}
	if r.named && len(out) == 1 {
		out = append(out, out[0])
		out[0] = 1 - out[0]
	}
	return out
}

// Predict is the class with the highest score, the first of several; of a map, the
// class that is so at most places. If Binary it is 1 where the probability is 0.5
// or more, else 0.
func (r *Reading) Predict(scores []float32) int {
	switch {
	case r.Binary():
		if r.sigmoid(scores[0]) >= 0.5 {
			return 1
		}
		return 0
	case !r.Spatial():
		return tensor.ArgMax(scores)
	}
	plane := r.Shape.H * r.Shape.W
	most, column := make([]float32, r.Shape.C), make([]float32, r.Shape.C)
	for p := range plane {
		for c := range column {
			column[c] = scores[c*plane+p]
		}
		most[tensor.ArgMax(column)]++
	}
	return tensor.ArgMax(most)
}

// Holds lists the labels with a probability of 0.5 or more, where each stands for
// itself; else it is the predicted class alone.
func (r *Reading) Holds(scores []float32) []int {
	if r.Kind != SigmoidScores || r.Spatial() || r.Binary() {
		return []int{r.Predict(scores)}
	}
	out := []int{}
	for i, s := range scores {
		if r.sigmoid(s) >= 0.5 {
			out = append(out, i)
		}
	}
	return out
}

// Loss is the cross entropy of scores where label is right (natural logarithm): of
// several labels that stand for themselves, the mean over them.
func (r *Reading) Loss(scores []float32, label int) float64 {
	switch {
	case r.Kind == SoftmaxScores:
		return tensor.CrossEntropy(scores, label)
	case r.Binary():
		label-- // 0 if the output is to be high
	}
	sum := 0.0
	for i, s := range scores {
		x := float64(s)
		if i == label {
			x = -x
		}
		sum += softplus(x)
	}
	return sum / float64(len(scores))
}

// Default is what is explained if nobody says: the predicted class.
func (r *Reading) Default(scores []float32) Target {
	if r.Binary() && !r.named {
		return Target{}
	}
	return Target{Class: r.Predict(scores)}
}

// Check reports a target that the scores do not have.
func (r *Reading) Check(t Target) error {
	if n := r.NumClasses(); t.Class < 0 || t.Class >= n {
		return fmt.Errorf("no class %d: the network has %d, 0 to %d", t.Class, n, n-1)
	}
	switch {
	case t.At == nil:
	case !r.Spatial():
		return fmt.Errorf("a place is named, but the scores are %v and have none", r.Shape)
	case t.At[0] < 0 || t.At[0] >= r.Shape.H || t.At[1] < 0 || t.At[1] >= r.Shape.W:
		return fmt.Errorf("row %d, column %d is outside the scores' map, which is %dx%d", t.At[0], t.At[1], r.Shape.H, r.Shape.W)
	}
	return nil
}

// places are the target's output and the places of its map that count.
func (r *Reading) places(t Target) (class, from, to int) {
	class = t.Class
	if r.named {
		class = 0
	}
	if t.At == nil {
		return class, 0, r.Shape.H * r.Shape.W
	}
	from = t.At[0]*r.Shape.W + t.At[1]
	return class, from, from + 1
}

// Told is what a target is worth.
type Told struct {
	Value float64 // of Reading.Quantity; summed over places
	Score float64 // before softmax or sigmoid; summed over places
	Odds  float64 // rises and falls with Value, and still differs where Value rounds to 1
}

// Tell reads a target off the scores of one image.
func (r *Reading) Tell(scores []float32, t Target) Told {
	return r.TellAll(scores, []int{t.Class}, t.At)[0]
}

// TellAll is Tell for several classes.
func (r *Reading) TellAll(scores []float32, classes []int, at *[2]int) []Told {
	_, from, to := r.places(Target{At: at})
	plane := r.Shape.H * r.Shape.W
	out := make([]Told, len(classes))
	column := make([]float32, r.Shape.C)
	for p := from; p < to; p++ {
		for c := range column {
			column[c] = scores[c*plane+p]
		}
		var softmax []float64
		if r.Kind == SoftmaxScores {
			softmax = tensor.Softmax(column)
		}
		for i, k := range classes {
			out[i].add(r.tell(column, softmax, k))
		}
	}
	return out
}

func (t *Told) add(o Told) {
	t.Value += o.Value
	t.Score += o.Score
	t.Odds += o.Odds
}

// tell reads a class off the scores of one place; softmax is theirs if that is what they mean.
func (r *Reading) tell(scores []float32, softmax []float64, class int) Told {
	output, _, _ := r.places(Target{Class: class})
	s := float64(scores[output])
	switch {
	case r.Kind == SoftmaxScores:
		return Told{softmax[class], s, logOdds(scores, softmax, class)}
	case r.Kind == RawScores:
		return Told{s, s, s}
	case r.named && class == 0:
		return Told{1 - r.sigmoid(scores[0]), -s, -s}
	}
	return Told{r.sigmoid(scores[output]), s, s}
}

// Start is the gradient of a target's score by the values at the scores node.
func (r *Reading) Start(t Target) []float32 {
	class, from, to := r.places(t)
	out := make([]float32, r.Shape.Len())
	for p := from; p < to; p++ {
		out[class*r.Shape.H*r.Shape.W+p] = 1
		if r.named && t.Class == 0 {
			out[p] = -1
		}
	}
	return out
}

// logOdds is log p/(1-p) of class c, whose softmax is p: its score minus log sum
// exp of the others'.
func logOdds(scores []float32, p []float64, c int) float64 {
	if p[c] < 0.5 && p[c] > 1e-300 {
		return exact.Log(p[c]) - exact.Log1p(-p[c])
	}
	top := math.Inf(-1)
	for i, s := range scores {
		if i != c {
			top = max(top, float64(s))
		}
	}
	var others float64
	for i, s := range scores {
		if i != c {
			others += exact.Exp(float64(s) - top)
		}
	}
	return float64(scores[c]) - top - exact.Log(others)
}
