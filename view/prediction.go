package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
)

// Prediction asks how long a scan would take, and how large its index would be, from a scan of some of the images.
type Prediction struct {
	Images   int            // that the scan would be of; 0: those of the list
	Machines []int          // like this one; nil: powers of 2 to 512
	Clock    func() float64 // seconds; it must be set
}

// Fields are the settings of the request.
func (r *Prediction) Fields() Fields {
	return Fields{
		IntField(Field{Name: "predict-images", Usage: "with --predict: for `N` images; default: those named"}, &r.Images, 1),
		NumbersField(Field{Name: "machines", Default: "1,2,4,8,16,32,64,128,256,512", Usage: "with --predict: for `N,...` machines like this"}, &r.Machines),
	}
}

// Validate reports the first thing wrong with the request.
func (r Prediction) Validate() error {
	for _, m := range r.Machines {
		if m < 1 || m > 1<<20 {
			return &FieldError{Field: "machines", Problem: fmt.Sprintf("%d: want 1 to %d", m, 1<<20)}
		}
	}
	if r.Images < 0 {
		return &FieldError{Field: "predict-images", Problem: fmt.Sprintf("%d: want at least 1", r.Images)}
	}
	return nil
}

// Predicted is the answer to a Prediction.
type Predicted struct {
	Model     string             `json:"model"`
	Images    int                `json:"images"`
	Sample    int                `json:"sample"`     // images that were scanned to know
	PerSecond float64            `json:"per_second"` // images, on this machine
	Index     int                `json:"index_bytes"`
	Merge     float64            `json:"merge_seconds"` // for each part
	Machines  []PredictedMachine `json:"machines"`
}

// PredictedMachine is what a number of machines would take.
type PredictedMachine struct {
	Machines int     `json:"machines"`
	Hours    float64 `json:"hours"`         // of the scan
	Minutes  float64 `json:"merge_minutes"` // on one machine, when all parts are there
	Parts    int     `json:"part_bytes"`    // of all parts together
}

const (
	predictFirst   = 64  // images of the first scan
	predictSeconds = 2.0 // that a scan should take to be believed
	predictMost    = 1 << 16
)

// Predict scans some images of a list, more and more until it takes some seconds.
func (s *Session) Predict(ctx context.Context, r Prediction, scan Scan, src *images.Inputs) (*Predicted, error) {
	if err := errors.Join(r.Validate(), scan.Validate()); err != nil {
		return nil, err
	}
	if r.Images == 0 {
		r.Images = src.Len()
	}
	o := scan.Options
	var err error
	if o.Plan, err = features.Compile(s.Engine, s.Net, o); err != nil {
		return nil, err
	}
	o.Hash, o.From, o.To, o.Resume = s.hash, 0, 0, nil
	unreadable := 0
	o.Unreadable = func(int, error) error { unreadable++; return nil }
	for n := predictFirst; ; n *= 4 {
		numbers := make([]int, n) // all over the list, some of them again if it is short
		for i := range numbers {
			numbers[i] = int(int64(i) * int64(max(src.Len(), n)) / int64(n) % int64(src.Len()))
		}
		some, err := images.For(src.Subset(numbers), s.Net)
		if err != nil {
			return nil, err
		}
		unreadable = 0
		start := r.Clock()
		x, err := features.Collect(ctx, s.Engine, s.Net, some, o)
		if err != nil {
			return nil, err
		}
		took := r.Clock() - start
		if unreadable == n {
			return nil, errNoImages
		}
		if took >= predictSeconds || n >= predictMost {
			NameIndex(x, some)
			return s.predicted(r, x, float64(n)/max(took, 1e-9))
		}
	}
}

// predicted scales what a scan of some images gave.
func (s *Session) predicted(r Prediction, x *features.Index, perSecond float64) (*Predicted, error) {
	p := &Predicted{Model: s.hash, Images: r.Images, Sample: x.Images, PerSecond: perSecond}
	named, hits, names := len(x.Named), 0, 0
	for _, n := range x.Named {
		names += len(n.Name) + len(n.Label) + len(`{"image":1234567,"name":"","label":""},`)
	}
	for _, l := range x.Layers {
		hits += len(l.Top) * x.TopK
	}
	x.Named, x.Skipped = []features.Named{}, []features.Skip{}
	var text bytes.Buffer
	if err := x.Write(&text); err != nil {
		return nil, err
	}
	p.Index = text.Len() + min(hits, r.Images)*names/max(named, 1)
	start := r.Clock()
	again, err := features.Read(bytes.NewReader(text.Bytes()))
	if err == nil {
		_, err = features.Merge(again)
	}
	if err != nil {
		return nil, err
	}
	p.Merge = r.Clock() - start
	for _, m := range r.Machines {
		p.Machines = append(p.Machines, PredictedMachine{Machines: m, Hours: float64((r.Images+m-1)/m) / perSecond / 3600, Minutes: p.Merge * float64(m) / 60, Parts: p.Index * m})
	}
	return p, nil
}

// Text is the answer in words, and its columns.
func (p *Predicted) Text() (head string, rows [][]string) {
	head = fmt.Sprintf("%.1f images a second here, of %d that were tried; the index of %d images takes about %.1f MB", p.PerSecond, p.Sample, p.Images, float64(p.Index)/1e6)
	rows = [][]string{{"machines", "hours", "minutes to merge", "MB of parts"}}
	for _, m := range p.Machines {
		rows = append(rows, []string{fmt.Sprint(m.Machines), fmt.Sprintf("%.2f", m.Hours), fmt.Sprintf("%.2f", m.Minutes), fmt.Sprintf("%.0f", float64(m.Parts)/1e6)})
	}
	return head, rows
}
