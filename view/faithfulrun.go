package view

import (
	"context"
	"fmt"
	"math"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/attribution/faith"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// FaithfulOne is what one image says about each method, in the order of FaithfulNumbers.Rows.
type FaithfulOne struct {
	Boxed bool          `json:"boxed,omitempty"` // it is known where the object is
	Maps  []FaithfulMap `json:"maps"`
}

// FaithfulMap is what a method's map of one image is worth.
type FaithfulMap struct {
	Problem   string     `json:"problem,omitempty"` // why there is none: the network does not carry the method
	Deletion  []float64  `json:"deletion,omitempty"`
	Insertion []float64  `json:"insertion,omitempty"`
	Values    []*float64 `json:"values,omitempty"` // by measure; nil: not known
}

// FaithfulRun is a Faithful request at work: Image measures images, in any runs and places, and Add puts together
// what they say, in their order.
type FaithfulRun struct {
	s         *Session
	r         Faithful
	n         *FaithfulNumbers
	explainer *attribution.Explainer
	probe     *faith.Probe
	problems  []string // by method: what kept it from the first image that was measured here
	measured  int      // images, here
}

// FaithfulRun prepares a request.
func (s *Session) FaithfulRun(r Faithful) (*FaithfulRun, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Steps == 0 {
		r.Steps = 50
	}
	if r.Subsets == 0 {
		r.Subsets = 32
	}
	probe, err := faith.NewProbe(s.Engine, s.Net, model.Target{})
	if err != nil {
		return nil, err
	}
	probe.Memory = r.Memory
	reading, err := s.Net.Reading()
	if err != nil {
		return nil, err
	}
	n := &FaithfulNumbers{Model: s.hash, Steps: r.Steps, Subsets: r.Subsets, Fill: r.Fill.String(), Measured: reading.Quantity()}
	for _, m := range r.methods() {
		n.Rows = append(n.Rows, &FaithfulRow{Method: string(m)})
	}
	n.Rows = append(n.Rows, &FaithfulRow{Method: randomMap}, &FaithfulRow{Method: centreMap})
	for _, row := range n.Rows {
		row.values = map[string][]float64{}
		row.DeletionCurve, row.InsertionCurve = make([]float64, r.Steps+1), make([]float64, r.Steps+1)
	}
	if r.Boxes != nil {
		n.Boxes = r.Boxes.From
		if r.matched, err = r.Boxes.Match(s.Net.Classes); err != nil {
			return nil, &FieldError{Field: "boxes", Problem: err.Error()}
		}
	}
	return &FaithfulRun{s: s, r: r, n: n, explainer: attribution.New(s.Engine, s.Net), probe: probe, problems: make([]string, len(n.Rows))}, nil
}

// Image measures all methods on image i of a list, loaded before. number is the image's among all that the request is
// about, and decides what is random of it.
func (f *FaithfulRun) Image(ctx context.Context, src *images.Inputs, i, number int, x *tensor.Tensor) (out FaithfulOne, err error) {
	m, err := f.s.faithfulImage(ctx, f.r, f.explainer, f.probe, x, i, number)
	if err != nil {
		return out, err
	}
	if err := m.findBoxes(src); err != nil {
		return out, err
	}
	out.Boxed = m.boxes != nil
	out.Maps = make([]FaithfulMap, len(f.n.Rows))
	for k, row := range f.n.Rows {
		one := &out.Maps[k]
		if one.Problem = f.problems[k]; one.Problem != "" {
			continue
		}
		plane, seconds, err := m.plane(ctx, row.Method, k)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		if err != nil {
			if f.measured > 0 {
				return out, err
			}
			one.Problem, f.problems[k] = err.Error(), err.Error() // the network does not carry it
			continue
		}
		if *one, err = m.measure(ctx, plane, seconds); err != nil {
			return out, err
		}
	}
	f.measured++
	return out, nil
}

// key is what the measurement of an image depends on.
func (f *FaithfulRun) key(number int, x *tensor.Tensor) string {
	boxes := ""
	if f.r.Boxes != nil {
		boxes = f.r.Boxes.Hash
	}
	return partKey("faithful", f.n.Model, Attribution{Methods: f.r.methods(), Request: f.r.Request}.text(), f.r.Fill, f.r.Steps, f.r.Subsets, boxes, number, digest(x.Data))
}

// Add puts an image to those before.
func (f *FaithfulRun) Add(one FaithfulOne) error {
	n := f.n
	if len(one.Maps) != len(n.Rows) {
		return fmt.Errorf("%d methods were measured, want %d", len(one.Maps), len(n.Rows))
	}
	for k, row := range n.Rows {
		m := one.Maps[k]
		switch {
		case row.Problem != "":
			continue
		case m.Problem != "" && n.Images > 0:
			return fmt.Errorf("%s: %s", row.Method, m.Problem)
		case m.Problem != "":
			row.Problem = m.Problem
			continue
		case len(m.Deletion) != len(row.DeletionCurve) || len(m.Insertion) != len(row.InsertionCurve) || len(m.Values) != len(measures):
			return fmt.Errorf("%s: %d steps and %d measures, want %d and %d", row.Method, len(m.Deletion)-1, len(m.Values), len(row.DeletionCurve)-1, len(measures))
		}
		for j := range m.Deletion {
			row.DeletionCurve[j] += m.Deletion[j]
			row.InsertionCurve[j] += m.Insertion[j]
		}
		for j, v := range m.Values {
			value := math.NaN()
			if v != nil {
				value = *v
			}
			row.values[measures[j]] = append(row.values[measures[j]], value)
		}
	}
	if one.Boxed {
		n.Boxed++
	}
	n.Images++
	return nil
}

// Numbers are the results for all images that were added. Nothing can be added any more.
func (f *FaithfulRun) Numbers() (*FaithfulNumbers, error) {
	n, r := f.n, f.r
	if n.Images == 0 {
		return nil, errNoImages
	}
	if r.Boxes != nil && n.Boxed == 0 {
		return nil, &FieldError{Field: "boxes", Problem: r.Boxes.From + " has a box of the class that is explained in none of the images", Hint: "pictures are found by their file names, classes by their names"}
	}
	n.finish()
	return n, nil
}
