package view

import (
	"context"
	"fmt"
	"slices"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Evaluate asks how well a network does on labelled images.
type Evaluate struct {
	// Unreadable is told of each image that cannot be read; it is left out, unless an error is returned. nil: such
	// an image is an error.
	Unreadable func(i int, err error) error
	Progress   func(done, total int)
}

// Evaluation is how well a network does. Dropout is off.
type Evaluation struct {
	Model     string   `json:"model"`
	Data      string   `json:"data"`
	Images    int      `json:"images"`
	Correct   int      `json:"correct"`
	Accuracy  float64  `json:"accuracy"`
	Loss      float64  `json:"loss"`      // mean cross entropy, natural logarithm; of sigmoids, the mean over them
	Classes   []string `json:"classes"`   // the network's
	Confusion [][]int  `json:"confusion"` // [true][predicted], both as the network numbers its classes
}

// Recall is the share of the images of a class that were taken for it, and whether there are any.
func (e *Evaluation) Recall(class int) (float64, bool) {
	total := 0
	for _, n := range e.Confusion[class] {
		total += n
	}
	if total == 0 {
		return 0, false
	}
	return float64(e.Confusion[class][class]) / float64(total), true
}

// NotClasses says that a network has values where scores of classes are needed.
type NotClasses struct{ Network string }

func (e *NotClasses) Error() string {
	return fmt.Sprintf("the outputs of network %s are values, not scores of classes", e.Network)
}

// ClassScores reads a network's scores, which are those of classes; a *NotClasses if they are not.
func ClassScores(net *model.Network) (*model.Reading, error) {
	r, err := net.Classifier()
	if err == nil && r.Kind == model.RawScores {
		return nil, &NotClasses{net.Name}
	}
	return r, err
}

// evaluator is an Evaluate request at work.
type evaluator struct {
	r       Evaluate
	s       *Session
	src     *images.Inputs
	reading *model.Reading
	x       *tensor.Tensor // a batch
	out     *Evaluation
	loss    float64
}

// Evaluate runs the images of a list, whose labels are the network's classes.
func (s *Session) Evaluate(ctx context.Context, r Evaluate, src *images.Inputs) (*Evaluation, error) {
	reading, err := ClassScores(s.Net)
	if err != nil {
		return nil, err
	}
	out := &Evaluation{Model: s.hash, Data: src.From, Classes: s.Net.Classes}
	for range reading.Labels() {
		out.Confusion = append(out.Confusion, make([]int, reading.Labels()))
	}
	plan, err := s.Engine.Compile(s.Net, model.Keep{Layers: []string{s.Net.Logits}, Fast: true})
	if err != nil {
		return nil, err
	}
	batch := plan.Batch(256<<20, 100)
	e := &evaluator{r: r, s: s, src: src, reading: reading, x: tensor.New(batch, s.Net.Input.C, s.Net.Input.H, s.Net.Input.W), out: out}
	for at := 0; at < src.Len(); at += batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(batch, src.Len()-at)
		read, err := e.load(at, n)
		if err != nil {
			return nil, err
		}
		t, err := plan.Run(e.x.Slice(0, n))
		if err != nil {
			return nil, err
		}
		if err := e.count(at, read, t.Value(s.Net.Logits).Data); err != nil {
			return nil, err
		}
		if r.Progress != nil {
			r.Progress(at+n, src.Len())
		}
	}
	if out.Images > 0 {
		out.Accuracy = float64(out.Correct) / float64(out.Images)
		out.Loss = e.loss / float64(out.Images)
	}
	return out, nil
}

// load reads n images from number at on into the batch, and says which of them could be read.
func (e *evaluator) load(at, n int) (read []bool, err error) {
	size := e.x.Len() / e.x.Shape[0]
	errs := make([]error, n)
	e.s.Engine.For(n, func(i int) { errs[i] = e.src.Input(at+i, e.x.Data[i*size:(i+1)*size]) })
	for i, err := range errs {
		item := e.src.Items[at+i]
		switch k := e.reading.Labels(); {
		case err != nil && e.r.Unreadable == nil:
			return nil, err
		case err != nil:
			if err := e.r.Unreadable(at+i, err); err != nil {
				return nil, err
			}
			clear(e.x.Data[i*size : (i+1)*size])
		case item.Label < 0 || item.Label >= k:
			return nil, fmt.Errorf("%s has label %d, the network has %d classes", item.Name, item.Label, k)
		}
		read = append(read, err == nil)
	}
	return read, nil
}

// count adds the scores of a batch.
func (e *evaluator) count(at int, read []bool, scores []float32) error {
	size := e.reading.Shape.Len()
	for i, ok := range read {
		if !ok {
			continue
		}
		own := scores[i*size : (i+1)*size]
		if err := known(e.src.Items[at+i].Name, e.s.Net.Logits, own); err != nil {
			return err
		}
		label, best := e.src.Items[at+i].Label, e.reading.Predict(own)
		e.out.Images++
		e.out.Confusion[label][best]++
		if label == best {
			e.out.Correct++
		}
		e.loss += e.reading.Loss(own, label)
	}
	return nil
}

// Text is the confusion in columns, with a row for each of the given classes, or for all if there are none.
func (e *Evaluation) Text(classes []int) [][]string {
	head := []string{"true \\ predicted"}
	for i := range e.Confusion[0] {
		head = append(head, fmt.Sprint(i))
	}
	rows := [][]string{append(head, "recall")}
	for i, counts := range e.Confusion {
		if len(classes) > 0 && !slices.Contains(classes, i) {
			continue
		}
		name := fmt.Sprint(i)
		if i < len(e.Classes) {
			name = e.Classes[i]
		}
		row := []string{fmt.Sprintf("%d %s", i, name)}
		for _, n := range counts {
			row = append(row, fmt.Sprint(n))
		}
		if recall, ok := e.Recall(i); ok {
			row = append(row, fmt.Sprintf("%.3f", recall))
		}
		rows = append(rows, row)
	}
	return rows
}
