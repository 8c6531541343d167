package view

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"image"
	"slices"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/page"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// Explain asks why a network said what it said about a picture: one page with the best classes, three maps of what
// speaks for the first two, where these agree, the strongest features, what would have to be covered to
// change the answer, and how far each map can be believed.
type Explain struct {
	Classes []int  // to explain, one or two; nil: the two most probable of each image
	Layer   string // of Grad-CAM and of the features; "": as GradCAM
	Tokens  [2]int // see GradCAM
	Nodes   int    // of integrated gradients; 0: 32
	Seed    uint64 // of what is drawn: weights anew, and where control maps lie
	Memory  int    // about how many bytes the images of a batch take, at most 192 MiB; 0: that much

	// For the lines that make each part:
	Network []string // the flags that name the network and how it is read
	Source  []string // the arguments that name all images
	Version string   // of the program, for the page
	// Progress is told how far a stage of one image is.
	Progress func(stage string, done, total int)
}

// Fields are the settings of the request.
func (r *Explain) Fields() Fields {
	return Fields{
		FieldOf(Field{Name: "class", Usage: "one or two `CLASS`es to explain, by name or number: cat,dog; default: the image's two most probable", Network: true},
			&r.Classes, ParseClasses, list),
		FieldOf(Field{Name: "layer", Also: []string{"l"}, Network: true, Usage: "`LAYER` of Grad-CAM and of the features; default: the last block or convolution before the scores, of a transformer the last tokens that all count"},
			&r.Layer, oneLayer, func(layer string) string { return layer }),
		tokensField(&r.Tokens),
		IntField(Field{Name: "nodes", Default: "32", Usage: "of integrated gradients: `N` gradients between the baseline and the image"}, &r.Nodes, 1),
		SeedField(Field{Name: "seed", Usage: "of weights that are drawn anew and of where control maps lie"}, &r.Seed),
	}
}

// Validate reports the first thing wrong with the request for a network.
func (r Explain) Validate(net *model.Network) error {
	reading, err := net.Reading()
	if err != nil {
		return err
	}
	if len(r.Classes) > 2 {
		return &FieldError{Field: "class", Problem: fmt.Sprintf("%s: want one or two classes", list(r.Classes))}
	}
	for _, k := range r.Classes {
		if err := reading.Check(model.Target{Class: k}); err != nil {
			return &FieldError{Field: "class", Problem: fmt.Sprintf("%d: %v", k, err)}
		}
	}
	if r.Nodes < 0 || r.Nodes > 10_000 {
		return &FieldError{Field: "nodes", Problem: fmt.Sprintf("%d: want 1 to 10000", r.Nodes)}
	}
	if r.Layer != "" && net.Node(r.Layer) == nil {
		return &FieldError{Field: "layer", Problem: r.Layer + ": the network has no such layer"}
	}
	return nil
}

// explainMethods are the methods of the page, in its order.
var explainMethods = []attribution.Method{attribution.GradCAM, attribution.Occlusion, attribution.IntegratedGradients}

// Explainer is an Explain request made ready for any number of images. It may be used by many goroutines at once.
//
// What a part needs (packed weights, plans, scanners) is made for that part of that image and then let go: all
// together it would be some twenty times the weights.
type Explainer struct {
	s       *Session
	given   Explain
	r       Explain // with its defaults filled in
	reading *model.Reading
	patches occlusion.Options
}

// Explainer prepares a request.
func (s *Session) Explainer(r Explain) (*Explainer, error) {
	if err := r.Validate(s.Net); err != nil {
		return nil, err
	}
	given := r
	if r.Nodes == 0 {
		r.Nodes = 32
	}
	if r.Layer == "" {
		if given, err := (GradCAM{}).with(s.Net); err == nil {
			r.Layer = given.Layer // else each part that needs one says that there is none
		}
	}
	if r.Progress == nil {
		r.Progress = func(string, int, int) {}
	}
	limit := r.Memory
	if r.Memory == 0 || r.Memory > batchMemory {
		r.Memory = batchMemory
	}
	e := &Explainer{s: s, given: given, r: r}
	var err error
	if e.reading, err = s.Net.Reading(); err != nil {
		return nil, err
	}
	in := s.Net.Input
	e.patches = occlusion.Options{Stride: [2]int{max((in.H+7)/14, 1), max((in.W+7)/14, 1)}, Cover: true, Layers: []string{}, Memory: limit}
	return e, nil
}

// ExplainMemory is about how many bytes the maps of a page take at least, beside the network.
func (s *Session) ExplainMemory() (int, error) {
	return attribution.New(s.Engine, s.Net).Memory(explainMethods...)
}

// Picture is an image to explain: as the network sees it, and as it was before that, nil if it never was a picture.
type Picture struct {
	Input
	Original image.Image
	Again    []string // the arguments that name the image; nil: its name
}

// PictureOf is image i of a list, decoded once.
func PictureOf(src *images.Inputs, i int) (Picture, error) {
	p, err := src.Open(i)
	if err != nil {
		return Picture{}, err
	}
	x, err := p.Tensor(src.Net.Preprocess, src.Net.Input)
	if err != nil {
		return Picture{}, err
	}
	return Picture{Input: InputOf(src, i, x), Original: p.Image}, nil
}

// Explanation is the page of one image, its parts as figures, and its numbers.
type Explanation struct {
	Page    Page
	Figures []Figure
	Numbers *ExplainNumbers
	Summary []string    // the most important in sentences
	Small   image.Image // the image as the network sees it, for an index
}

// ExplainNumbers is what a page says, in numbers.
type ExplainNumbers struct {
	Model    string         `json:"model"`
	Image    string         `json:"image"`
	Input    string         `json:"input"`
	Quantity model.Quantity `json:"quantity"`
	Top      []ClassScore   `json:"top"`     // best first; of scores for every place their mean
	Classes  []int          `json:"classes"` // that are explained
	Seed     uint64         `json:"seed"`

	Maps      []ExplainMap      `json:"maps"`
	Agreement *ExplainAgreement `json:"agreement,omitempty"`
	Features  []ExplainFeature  `json:"features"`
	Change    *ExplainChange    `json:"change,omitempty"`
	Trust     []*ExplainTrust   `json:"trust"`
	Problems  []ExplainProblem  `json:"problems"`
	Steps     []string          `json:"preprocessing"`
}

// ExplainProblem is a part that could not be made.
type ExplainProblem struct {
	Part string `json:"part"`
	Why  string `json:"why"`
}

// explaining is an Explainer at work on one image.
type explaining struct {
	*Explainer
	in      Picture
	n       *ExplainNumbers
	classes []attribution.Target
	scanner *occlusion.Scanner // while maps are drawn
	maps    [][]*explainedMap  // by class, by method
	figures []Figure
	page    explainPage

	// Pictures of the page that are not among the maps:
	votes, covered, curves image.Image
	seen                   []featurePictures // by feature
}

// Explain explains one image. Parts that the network does not allow are named with the reason, on the page and in
// the numbers.
func (e *Explainer) Explain(ctx context.Context, in Picture) (*Explanation, error) {
	m := &explaining{Explainer: e, in: in, n: &ExplainNumbers{Model: e.s.hash, Image: in.Name, Input: in.Hash(), Quantity: e.reading.Quantity(),
		Seed: e.r.Seed, Steps: e.s.Net.Preprocess.Steps(e.s.Net.Input), Problems: []ExplainProblem{}, Features: []ExplainFeature{}, Maps: []ExplainMap{}, Trust: []*ExplainTrust{}}}
	if err := m.classify(); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		name string
		make func(context.Context) error
	}{{"maps", m.drawMaps}, {"agreement", m.agree}, {"features", m.drawFeatures}, {"change", m.change}, {"trust", m.trust}} {
		if err := part.make(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			m.problem(part.name, err)
		}
	}
	if err := m.write(); err != nil {
		return nil, err
	}
	html, err := page.HTML("explain", m.page)
	if err != nil {
		return nil, err
	}
	return &Explanation{Page: Page{File: in.Stem + ".html", HTML: html}, Figures: m.figures, Numbers: m.n, Summary: m.page.Summary, Small: in.picture(e.s.Net)}, nil
}

// problem notes that a part could not be made.
func (m *explaining) problem(part string, err error) {
	m.n.Problems = append(m.n.Problems, ExplainProblem{part, err.Error()})
}

// why is the reason that a part is not there, "" if it is.
func (m *explaining) why(part string) string {
	for _, p := range m.n.Problems {
		if p.Part == part {
			return p.Why
		}
	}
	return ""
}

// topClasses is how many classes the page lists.
const topClasses = 5

// classify finds the best classes, and those that are explained.
func (m *explaining) classify() error {
	plan, err := m.s.Engine.Compile(m.s.Net, model.Keep{Layers: []string{m.s.Net.Logits}})
	if err != nil {
		return err
	}
	trace, err := plan.Run(m.in.Tensor)
	if err != nil {
		return err
	}
	scores := trace.Value(m.s.Net.Logits).Data
	if err := finite(m.in.Name, "value", m.s.Net.Logits, scores); err != nil {
		return err
	}
	all := make([]int, m.reading.NumClasses())
	for i := range all {
		all[i] = i
	}
	told := m.reading.TellAll(scores, all, nil)
	first := m.reading.Default(scores).Class
	slices.SortStableFunc(all, func(a, b int) int {
		switch {
		case a == b:
			return 0
		case a == first:
			return -1
		case b == first:
			return 1
		}
		return cmp.Or(cmp.Compare(told[b].Value, told[a].Value), cmp.Compare(told[b].Score, told[a].Score))
	})
	places := float64(max(m.reading.Shape.H*m.reading.Shape.W, 1))
	m.n.Classes = m.r.Classes
	for i, k := range all[:min(topClasses, len(all))] {
		c := ClassScore{Class: k, Score: told[k].Score / places}
		if m.n.Quantity == model.Probability {
			p := told[k].Value / places
			c.Probability = &p
		}
		if k < len(m.s.Net.Classes) {
			c.Name = m.s.Net.Classes[k]
		}
		m.n.Top = append(m.n.Top, c)
		if m.r.Classes == nil && i < 2 {
			m.n.Classes = append(m.n.Classes, k)
		}
	}
	for _, k := range m.n.Classes {
		m.classes = append(m.classes, attribution.Class(k))
	}
	return nil
}

// meanFill is the image in the mean colour: nothing is there.
func (e *Explainer) meanFill() *tensor.Tensor {
	in := e.s.Net.Input
	out := tensor.New(1, in.C, in.H, in.W)
	for c, v := range e.s.Net.Preprocess.MeanFill(in) {
		plane := out.Data[c*in.H*in.W : (c+1)*in.H*in.W]
		for i := range plane {
			plane[i] = v
		}
	}
	return out
}

// explainIndex is what explain-index.html shows.
type explainIndex struct {
	Model, Hash, Version string
	Pictures             []explainIndexed
}

type explainIndexed struct {
	Name, File string
	Picture    template.URL
	Summary    []string
}

// ExplainIndex is a page that leads to the pages of several images.
func (s *Session) ExplainIndex(version string, pages []*Explanation) (Page, error) {
	index := explainIndex{Model: s.Net.Name, Hash: s.hash, Version: version}
	urls := &inliner{}
	for _, p := range pages {
		index.Pictures = append(index.Pictures, explainIndexed{images.Title(p.Numbers.Image), p.Page.File, urls.of(p.Small), p.Summary})
	}
	if urls.err != nil {
		return Page{}, urls.err
	}
	html, err := page.HTML("explain-index", index)
	return Page{File: "index.html", HTML: html}, err
}

// grid is that of the cells on which maps are compared.
func (e *Explainer) grid() [2]int {
	in := e.s.Net.Input
	return [2]int{min(cellsOnSide, in.H), min(cellsOnSide, in.W)}
}
