package view

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Classify asks for the most probable classes of images.
type Classify struct {
	Top int // classes of each image; 0: 5
}

// Fields are the settings of the request.
func (r *Classify) Fields() Fields {
	return Fields{IntField(Field{Name: "top", Default: "5", Usage: "classes to list for each image"}, &r.Top, 1)}
}

// Validate reports the first thing wrong with the request.
func (r Classify) Validate() error {
	if r.Top < 0 {
		return &FieldError{Field: "top", Problem: fmt.Sprintf("%d: want at least 1", r.Top)}
	}
	return nil
}

// Classified is what one image was taken for.
type Classified struct {
	Image    string         `json:"image"`
	Label    *int           `json:"label,omitempty"`  // true class, if the data set says
	Quantity model.Quantity `json:"quantity"`         // probability, or value: then there are no probabilities
	Labels   []int          `json:"labels,omitempty"` // of several labels that stand for themselves, those of 0.5 or more
	Top      []ClassScore   `json:"top"`              // best first
}

// ClassScore is the score of one class.
type ClassScore struct {
	Class       int      `json:"class"`
	Name        string   `json:"name,omitempty"`
	Probability *float64 `json:"probability,omitempty"`
	Score       float64  `json:"score"` // before softmax or sigmoid
}

// Shown is the probability, or the score where there is none.
func (c ClassScore) Shown() float64 {
	if c.Probability != nil {
		return *c.Probability
	}
	return c.Score
}

// Classifier is a Classify request made ready for any number of images.
type Classifier struct {
	s       *Session
	top     int
	reading *model.Reading
	plan    *model.Plan
}

// Classifier prepares a request.
func (s *Session) Classifier(r Classify) (*Classifier, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Top == 0 {
		r.Top = 5
	}
	reading, err := s.Net.Classifier()
	if err != nil {
		return nil, err
	}
	plan, err := s.Engine.Compile(s.Net, model.Keep{Layers: []string{s.Net.Logits}})
	if err != nil {
		return nil, err
	}
	return &Classifier{s, r.Top, reading, plan}, nil
}

// Classify runs image i of a list, loaded before.
func (c *Classifier) Classify(src *images.Inputs, i int, x *tensor.Tensor) (Classified, error) {
	trace, err := c.plan.Run(x)
	if err != nil {
		return Classified{}, err
	}
	scores := trace.Value(c.s.Net.Logits).Data
	if err := known(src.Items[i].Name, c.s.Net.Logits, scores); err != nil {
		return Classified{}, err
	}
	r := Classified{Image: src.Items[i].Name, Quantity: c.reading.Quantity(), Top: c.best(scores)}
	if c.reading.Kind == model.SigmoidScores && !c.reading.Binary() {
		r.Labels = c.reading.Holds(scores)
	}
	if label := src.Items[i].Label; label >= 0 {
		r.Label = &label
	}
	return r, nil
}

// known is an error if the scores of an image, values of a layer, are no numbers, or above all: no class is the best then.
func known(image, layer string, scores []float32) error {
	for i, v := range scores {
		if v != v || math.IsInf(float64(v), 1) {
			return damaged(image, fmt.Sprintf("value %d of layer %s", i, layer), float64(v))
		}
	}
	return nil
}

// finite is an error if something of an image, at a layer, is not finite: no scale holds it.
func finite[F float32 | float64](image, what, layer string, values []F) error {
	for i, v := range values {
		if v-v != 0 {
			return damaged(image, fmt.Sprintf("%s %d of layer %s", what, i, layer), float64(v))
		}
	}
	return nil
}

func damaged(image, what string, v float64) error {
	return fmt.Errorf("%s: %s is %g: the weights or the input are too large, or damaged", image, what, v)
}

// best are the classes with the highest scores, best first, ties by number.
func (c *Classifier) best(scores []float32) []ClassScore {
	classes := make([]int, c.reading.NumClasses())
	for i := range classes {
		classes[i] = i
	}
	all := make([]ClassScore, len(classes))
	for i, told := range c.reading.TellAll(scores, classes, nil) {
		all[i] = ClassScore{Class: i, Score: told.Score}
		if c.reading.Quantity() == model.Probability {
			all[i].Probability = &told.Value
		}
		if i < len(c.s.Net.Classes) {
			all[i].Name = c.s.Net.Classes[i]
		}
	}
	slices.SortStableFunc(all, func(a, b ClassScore) int { return cmp.Compare(b.Score, a.Score) })
	return all[:min(c.top, len(all))]
}

// ClassifiedText is what images were taken for, in columns.
func (s *Session) ClassifiedText(all []Classified) (rows [][]string) {
	for i, r := range all {
		if i > 0 {
			rows = append(rows, nil)
		}
		title := r.Image
		if r.Label != nil {
			title += fmt.Sprintf(" (class %d %s)", *r.Label, s.Net.Class(*r.Label))
		}
		rows = append(rows, []string{title})
		for k, c := range r.Top {
			rows = append(rows, []string{fmt.Sprint(k + 1), fmt.Sprintf("%.5f", c.Shown()), fmt.Sprint(c.Class), c.Name})
		}
	}
	return rows
}
