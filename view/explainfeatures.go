package view

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
)

// ExplainFeature is a map of a layer that speaks for the first class.
type ExplainFeature struct {
	Layer        string      `json:"layer"`
	Map          int         `json:"map"`
	Contribution float64     `json:"contribution"` // what it adds to the score, to first order
	Unit         model.Unit  `json:"unit"`         // where it is strongest
	Value        float32     `json:"value"`
	Box          model.Box   `json:"box"`  // what that unit sees of the picture
	Rule         deconv.Rule `json:"rule"` // by which it was projected: the deconvnet's, or gradient where that does not lead down
}

// featurePictures are what a feature saw.
type featurePictures struct{ where, patch, projection image.Image }

const featuresOfLayer = 6

// featureLayers are those whose maps are shown: the layer of Grad-CAM, and the last one below it that sees at most
// a third of the picture's sides, so that parts of the object can be told.
func (e *Explainer) featureLayers() ([]string, error) {
	net := e.s.Net
	last := e.r.Layer
	if last == "" {
		_, err := net.LastFeatures()
		return nil, err
	}
	layers := []string{last}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	fields, err := net.Fields(shapes)
	if err != nil {
		return nil, err
	}
	small := ""
	for _, name := range net.FeatureLayers() {
		if name == last {
			break
		}
		if size, _ := fields.Size(name); size[0] > 0 && 3*size[0] <= net.Input.H && 3*size[1] <= net.Input.W {
			small = name
		}
	}
	if small != "" {
		layers = append(layers, small)
	}
	return layers, nil
}

// drawFeatures finds the maps that add most to the first class's score.
func (m *explaining) drawFeatures(ctx context.Context) error {
	layers, err := m.featureLayers()
	if err != nil {
		return err
	}
	var problems []string
	for i, layer := range layers {
		if err := m.featuresOf(ctx, layer); err != nil {
			if ctx.Err() != nil {
				return err
			}
			problems = append(problems, fmt.Sprintf("features of layer %s: %v", layer, err))
		}
		m.r.Progress("features", i+1, len(layers))
	}
	if problems != nil {
		return fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	return nil
}

func (m *explaining) featuresOf(ctx context.Context, layer string) error {
	adds, err := attribution.New(m.s.Engine, m.s.Net).Contributions(ctx, m.in.Tensor, m.classes[0], layer, m.r.Tokens)
	if err != nil {
		return err
	}
	rule := deconv.Paper
	if _, err := deconv.New(m.s.Engine, m.s.Net, rule).Keep(layer); err != nil {
		rule = deconv.Gradient // it goes through layers that the deconvnet has no way through
	}
	projector := deconv.New(m.s.Engine, m.s.Net, rule)
	keep, err := projector.Keep(layer)
	if err != nil {
		return err
	}
	keep.Layers = append(keep.Layers, layer)
	slices.Sort(keep.Layers)
	keep.Layers = slices.Compact(keep.Layers)
	plan, err := m.s.Engine.Compile(m.s.Net, keep)
	if err != nil {
		return err
	}
	trace, err := plan.Run(m.in.Tensor)
	if err != nil {
		return err
	}
	places, err := m.s.Net.Places(layer, m.r.Tokens)
	if err != nil {
		return err
	}
	shapes, err := m.s.Net.Shapes()
	if err != nil {
		return err
	}
	plane := shapes[layer].H * shapes[layer].W
	order := make([]int, len(adds))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(adds[b], adds[a]) })
	value := trace.Value(layer).Data
	var found []ExplainFeature
	var targets []deconv.Target
	for _, k := range order[:min(featuresOfLayer, len(order))] {
		if adds[k] <= 0 {
			break
		}
		best := 0
		for i := range places.H * places.W {
			if value[places.Index(k, i)] > value[places.Index(k, best)] {
				best = i
			}
		}
		at := places.Index(k, best) // among the layer's values, whatever their order
		u := model.Unit{Layer: layer, Channel: at / plane, Y: at % plane / shapes[layer].W, X: at % plane % shapes[layer].W}
		found = append(found, ExplainFeature{Layer: layer, Map: k, Contribution: adds[k], Unit: u, Value: value[at], Rule: rule})
		targets = append(targets, deconv.Target{Unit: u})
	}
	if len(found) == 0 {
		return fmt.Errorf("no map of %s adds to the score of %s", layer, m.s.classText(m.n.Classes[0]))
	}
	projections, err := projector.ProjectAll(ctx, trace, targets)
	if err != nil {
		return err
	}
	for i, p := range projections {
		found[i].Box = p.Box
		m.featurePicture(found[i], p)
	}
	m.n.Features = append(m.n.Features, found...)
	return nil
}

// featurePicture draws a feature for the page, and its figure.
func (m *explaining) featurePicture(f ExplainFeature, p *deconv.Projection) {
	s := m.s
	m.seen = append(m.seen, featurePictures{
		where:      m.where(p.Box),
		patch:      render.MagnifyTo(p.Crop(s.Net.Preprocess, s.Net.Input, m.in.Tensor), 128),
		projection: render.MagnifyTo(p.Draw(s.Net.Preprocess, p.Magnitude(DefaultClip)), 128)})
	m.figures = append(m.figures, s.UnitFigure(Unit{Unit: f.Unit, Rule: p.Rule}, m.in.Input, p))
}

// where is the image, small, with a box.
func (m *explaining) where(b model.Box) image.Image {
	in := m.s.Net.Input
	img := imageio.Fit(render.MagnifyTo(m.in.picture(m.s.Net), 128), 128, 128, imageio.Lanczos)
	w, h := img.Rect.Dx(), img.Rect.Dy()
	render.DrawBox(img, image.Rect(b.X0*w/in.W, b.Y0*h/in.H, b.X1*w/in.W, b.Y1*h/in.H), color.NRGBA{255, 120, 0, 255}, 2)
	return img
}

// ExplainChange says what was covered to change the answer.
type ExplainChange struct {
	Changed bool        `json:"changed"`
	Lost    bool        `json:"label_lost"` // a label fell below one half; else another class was the best
	Class   int         `json:"class_number"`
	Before  ClassScore  `json:"before"`
	After   ClassScore  `json:"after"`  // of the same class
	Answer  int         `json:"answer"` // the best class after
	Patch   [2]int      `json:"patch"`
	Grid    int         `json:"patches"` // there are
	Among   int         `json:"among"`   // so many all but the first were chosen: those that alone lower the class most
	Boxes   []model.Box `json:"covered"` // in the order they were found
	Spared  int         `json:"not_needed"`
	Share   float64     `json:"share"` // of the picture that is covered
}

// change looks for what has to be covered so that the answer is another.
func (m *explaining) change(ctx context.Context) error {
	changer, err := occlusion.NewChanger(m.s.Engine, m.s.Net, occlusion.Options{})
	if err != nil {
		return err
	}
	if m.r.Classes != nil && m.r.Classes[0] != m.n.Top[0].Class {
		return fmt.Errorf("%s is not what the network says: there is no answer to change", m.s.classText(m.r.Classes[0]))
	}
	c, err := changer.Find(ctx, m.in.Tensor, m.search())
	if err != nil {
		return err
	}
	in := m.s.Net.Input
	score := func(t model.Told) ClassScore {
		v := ClassScore{Class: c.Class, Name: m.s.Net.Class(c.Class), Score: t.Score}
		p := t.Value / float64(max(m.reading.Shape.H*m.reading.Shape.W, 1))
		v.Probability = &p
		return v
	}
	n := &ExplainChange{Changed: c.Changed, Lost: c.Lost, Class: c.Class, Before: score(c.Clean), After: score(c.Last), Answer: c.After,
		Patch: c.Patch, Grid: c.Grid, Among: m.search().Among, Boxes: c.Boxes, Spared: len(c.Spared)}
	covered := make([]bool, in.H*in.W)
	for _, b := range c.Boxes {
		for y := b.Y0; y < b.Y1; y++ {
			for x := b.X0; x < b.X1; x++ {
				if !covered[y*in.W+x] {
					covered[y*in.W+x] = true
					n.Share += 1 / float64(len(covered))
				}
			}
		}
	}
	m.n.Change = n
	k := max(224/max(in.H, in.W), 1)
	img := render.Magnify(m.s.Net.Picture(c.Covered.Data), k)
	for _, b := range c.Boxes {
		render.DrawBox(img, image.Rect(b.X0*k, b.Y0*k, b.X1*k, b.Y1*k), image.White.C, 1)
	}
	m.covered = img
	m.figures = append(m.figures, Figure{Name: "covered-" + m.in.Stem, Image: img, Numbers: n, Array: &Array{c.Covered.Shape, c.Covered.Data}, Facts: []Fact{{"image", m.in.Name}}})
	return nil
}

// search covers at most a quarter of the patches that the picture is cut into, chosen among three eighths.
func (m *explaining) search() occlusion.Search {
	in := m.s.Net.Input
	each := func(side int) int { p := (side + 7) / 8; return (side + p - 1) / p }
	n := each(in.H) * each(in.W)
	return occlusion.Search{Most: max(n/4, 1), Among: max(3*n/8, 1), Progress: func(done, total int) { m.r.Progress("covering", done, total) }}
}
