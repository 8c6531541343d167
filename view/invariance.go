package view

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"image/draw"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Invariance is how features and the class's probability follow while images are moved, scaled, turned and
// otherwise changed (experiments.Invariance; [zeiler14] Fig. 5).
type Invariance struct {
	Layers     []string
	Transforms []experiments.Transform // nil: all
	Class      *int                    // whose probability is followed; nil: the image's own, or the most probable one where that is not known
	Points     int                     // amounts of each transform, about; 0: 25
	Images     []InvarianceImage
	Inputs     []*tensor.Tensor // of the images, [1, C, H, W]
	From       string           // where the images come from, for the figures' provenance
	Relative   bool             // draw distances as a share of the norm of the unchanged image's values
	OneFigure  bool             // all transforms in one figure
}

// Fields are the settings of the request.
func (r *Invariance) Fields() Fields {
	return Fields{
		LayersField(Field{Name: "layers", Default: "1,top", Usage: "`LAYER`s by number or name; top is what the class scores are made of"}, &r.Layers, ParseTopLayers),
		FieldOf(Field{Name: "transforms", Default: "all", Usage: transformsText(experiments.Transforms())}, &r.Transforms, Plain(ParseTransforms), func(list []experiments.Transform) string {
			if len(list) == len(experiments.Transforms()) {
				return "all"
			}
			return strings.ReplaceAll(transformsText(list), ", ", ",")
		}),
		classField(&r.Class),
		SwitchField(Field{Name: "relative", Usage: "draw distances as a share of the norm of the unchanged image's values"}, &r.Relative),
		IntField(Field{Name: "points", Default: "25", Usage: "amounts of each transform, about"}, &r.Points, 3),
	}
}

func transformsText(list []experiments.Transform) string {
	var names []string
	for _, t := range list {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// Validate reports the first thing wrong with the request.
func (r Invariance) Validate() error {
	if r.Points < 0 || r.Points > 1000 {
		return &FieldError{Field: "points", Problem: fmt.Sprintf("%d: want 3 to 1000", r.Points)}
	}
	return nil
}

// Prepare checks the request, and fills in the layers.
func (r *Invariance) Prepare(net *model.Network) (err error) {
	if r.Layers == nil {
		r.Layers, err = ParseTopLayers(net, "1,top")
	}
	if err == nil {
		err = r.Validate()
	}
	return err
}

// Measure transforms image i of a list, loaded before, and adds its curves.
func (r *Invariance) Measure(ctx context.Context, s *Session, src *images.Inputs, i int, x *tensor.Tensor) error {
	points := r.Points
	if points == 0 {
		points = 25
	}
	class := -1
	if r.Class != nil {
		class = *r.Class
	}
	reading, err := s.Net.Reading()
	if err != nil {
		return err
	}
	if label := src.Items[i].Label; class < 0 && label >= 0 {
		class = reading.ClassOf(label)
	}
	if class < 0 {
		t, err := s.Engine.Forward(s.Net, x)
		if err != nil {
			return err
		}
		scores := t.Value(s.Net.Logits).Data
		if err := known(src.Items[i].Name, s.Net.Logits, scores); err != nil {
			return err
		}
		class = reading.Default(scores).Class
	}
	curves, err := experiments.Invariance(ctx, s.Engine, s.Net, x, class, experiments.InvarianceOptions{Transforms: r.Transforms, Layers: r.Layers, Points: points})
	if err != nil {
		return fmt.Errorf("%s: %w", src.Items[i].Name, err)
	}
	for _, c := range curves {
		err := finite(src.Items[i].Name, string(c.Transform)+": probability", s.Net.Logits, c.Probability)
		for l, layer := range r.Layers {
			err = cmp.Or(finite(src.Items[i].Name, string(c.Transform)+": distance", layer, c.Distance[l]), err)
		}
		if err != nil {
			return err
		}
	}
	r.Images = append(r.Images, InvarianceImage{Image: images.Title(src.Items[i].Name), Class: s.Net.Class(class), Number: class, Curves: curves})
	r.Inputs = append(r.Inputs, x)
	return nil
}

// ParseTransforms reads names of transforms, or "all".
func ParseTransforms(list string) ([]experiments.Transform, error) {
	if list == "all" {
		return experiments.Transforms(), nil
	}
	var out []experiments.Transform
	for _, name := range strings.Split(list, ",") {
		t := experiments.Transform(strings.TrimSpace(name))
		if !slices.Contains(experiments.Transforms(), t) {
			return nil, &FieldError{Field: "transforms", Problem: fmt.Sprintf("%s: want some of %s, or all", name, transformsText(experiments.Transforms()))}
		}
		out = append(out, t)
	}
	return out, nil
}

// InvarianceImage is one image's curves.
type InvarianceImage struct {
	Image  string                        `json:"image"`
	Class  string                        `json:"class"`
	Number int                           `json:"class_number"`
	Curves []experiments.InvarianceCurve `json:"curves"`
}

// InvarianceNumbers is the JSON form of a figure.
type InvarianceNumbers struct {
	Model  string            `json:"model"`
	Layers []string          `json:"layers"`
	Images []InvarianceImage `json:"images"`
}

// paperTransforms are the three of the paper, which make the first figure; the others make a second.
var paperTransforms = []experiments.Transform{experiments.ShiftY, experiments.Scale, experiments.Rotate}

// Invariance draws one figure of the paper's transforms and one of the others.
func (s *Session) Invariance(r Invariance) ([]Figure, error) {
	var pages [2][]int
	for i, t := range r.Transforms {
		page := 1
		if r.OneFigure || slices.Contains(paperTransforms, t) {
			page = 0
		}
		pages[page] = append(pages[page], i)
	}
	var out []Figure
	for p, which := range pages {
		if len(which) == 0 {
			continue
		}
		plate := render.Plate{Title: "Invariance of " + s.Net.Name, Columns: 2 + len(r.Layers), Scale: 1.5}
		how := "Distance: Euclidean, of the layer's values to those of the unchanged image"
		if r.Relative {
			how += ", as a share of their norm"
		}
		plate.Caption = []string{how + ". What comes in from outside has the mean colour of the training data.",
			"Layers: " + strings.Join(r.Layers, ", ") + ". Model " + s.hash}
		for _, t := range which {
			panels, err := s.invariancePanels(r, t)
			if err != nil {
				return nil, err
			}
			plate.Panels = append(plate.Panels, panels...)
		}
		numbers := InvarianceNumbers{Model: s.hash, Layers: r.Layers}
		for _, im := range r.Images {
			part := InvarianceImage{Image: im.Image, Class: im.Class, Number: im.Number}
			for _, t := range which {
				part.Curves = append(part.Curves, im.Curves[t])
			}
			numbers.Images = append(numbers.Images, part)
		}
		out = append(out, Figure{Name: []string{"invariance", "invariance-more"}[p], Image: plate.Draw(), Numbers: numbers,
			Facts: []Fact{{"layers", strings.Join(r.Layers, ",")}, {"images", r.From}}})
	}
	return out, nil
}

// invariancePanels is a row of the figure: the images at five amounts, a chart for each layer, and one of the
// probability.
func (s *Session) invariancePanels(r Invariance, which int) ([]image.Image, error) {
	tiles, err := s.transformedImages(r, which)
	if err != nil {
		return nil, err
	}
	panels := []image.Image{tiles}
	t := r.Transforms[which]
	for l := range len(r.Layers) + 1 {
		var series []render.Series
		for i, im := range r.Images {
			k := im.Curves[which]
			y := k.Probability
			switch {
			case l < len(r.Layers) && r.Relative:
				y = k.Relative(l)
			case l < len(r.Layers):
				y = k.Distance[l]
			}
			series = append(series, render.Series{Name: im.Image + " " + im.Class, X: k.Amounts, Y: y, Color: render.Categorical(i)})
		}
		chart := render.Chart{XLabel: fmt.Sprintf("%s, %s", t, t.Unit()), YLabel: "probability of the class", Title: "Output", Width: 780, Height: 600, Scale: 1.5, YMin: 0, YMax: 1.02}
		if l < len(r.Layers) {
			chart.Title, chart.YLabel, chart.YMax = "Layer "+r.Layers[l], "distance", 0
			if r.Relative {
				chart.YLabel = "distance / norm"
			}
		}
		panels = append(panels, chart.Lines(series))
	}
	return panels, nil
}

// transformedImages shows the images at five amounts of a transform, framed in the colours of their curves.
func (s *Session) transformedImages(r Invariance, which int) (image.Image, error) {
	curve := r.Images[0].Curves[which]
	shown := min(5, len(curve.Amounts))
	var tiles []image.Image
	var amounts []string
	buf := make([]float32, s.Net.Input.Shape().Len())
	for i, x := range r.Inputs {
		for k := range shown {
			a := curve.Amounts[k*(len(curve.Amounts)-1)/(shown-1)]
			if i == 0 {
				amounts = append(amounts, render.Number(a))
			}
			if err := curve.Transform.Apply(s.Net, buf, x.Data, a); err != nil {
				return nil, err
			}
			tile := render.MagnifyTo(s.Net.Preprocess.Image(buf, s.Net.Input), 110)
			b := tile.Bounds()
			framed := filled(b.Dx()+8, b.Dy()+8, render.Categorical(i))
			draw.Draw(framed, b.Add(image.Pt(4, 4)), tile, b.Min, draw.Src)
			tiles = append(tiles, framed)
		}
	}
	return render.Plate{Title: fmt.Sprintf("%s: %s %s", curve.Transform, strings.Join(amounts, ", "), curve.Transform.Unit()), Columns: 1, Scale: 1.2,
		Panels: []image.Image{render.Grid(tiles, render.GridOptions{Columns: shown, Gap: 4})}}.Draw(), nil
}

// Table lists all curves, as invariance.csv.
func (r Invariance) Table() Table {
	t := Table{Name: "invariance", Header: []string{"image", "class", "transform", "amount"}}
	for _, l := range r.Layers {
		t.Header = append(t.Header, "distance_"+l, "relative_"+l)
	}
	t.Header = append(t.Header, "probability")
	for _, im := range r.Images {
		for _, k := range im.Curves {
			for a, v := range k.Amounts {
				row := []string{im.Image, im.Class, string(k.Transform), Num(v, 5)}
				for l := range r.Layers {
					row = append(row, Num(k.Distance[l][a], 6), Num(k.Relative(l)[a], 6))
				}
				t.Rows = append(t.Rows, append(row, Num(k.Probability[a], 6)))
			}
		}
	}
	return t
}

// InvarianceChange is what one amount of a transform does, as means over images.
type InvarianceChange struct {
	Transform experiments.Transform `json:"transform"`
	Amount    float64               `json:"amount"`
	Relative  []*float64            `json:"relative"` // by layer, distance as a share of the norm; null where that is 0
	Drop      float64               `json:"probability_drop"`
}

// Changes is what the smallest and the largest amount of each transform do.
func (r Invariance) Changes() []InvarianceChange {
	var out []InvarianceChange
	for i, t := range r.Transforms {
		amounts := r.Images[0].Curves[i].Amounts
		id := slices.Index(amounts, t.Identity())
		small, large := -1, id
		for k := range amounts {
			if k != id && (small < 0 || change(t, amounts[k]) < change(t, amounts[small])) {
				small = k
			}
			if change(t, amounts[k]) >= change(t, amounts[large]) {
				large = k
			}
		}
		out = append(out, r.change(i, small, id), r.change(i, large, id))
	}
	return out
}

// change is how far an amount is from no change.
func change(t experiments.Transform, amount float64) float64 {
	switch d := math.Abs(amount - t.Identity()); t {
	case experiments.Rotate:
		return min(d, 360-d)
	case experiments.Scale, experiments.Contrast:
		return math.Abs(exact.Log(amount))
	default:
		return d
	}
}

// change is what amount k of transform i does, against amount id.
func (r Invariance) change(i, k, id int) InvarianceChange {
	n := float64(len(r.Images))
	c := InvarianceChange{Transform: r.Transforms[i], Amount: r.Images[0].Curves[i].Amounts[k]}
	for l := range r.Layers {
		mean := 0.0
		for _, im := range r.Images {
			mean += im.Curves[i].Relative(l)[k] / n
		}
		if mean-mean != 0 { // NaN
			c.Relative = append(c.Relative, nil)
		} else {
			c.Relative = append(c.Relative, &mean)
		}
	}
	for _, im := range r.Images {
		p := im.Curves[i].Probability
		c.Drop += (p[id] - p[k]) / n
	}
	return c
}

// Text is what small and large changes do, in columns.
func (r Invariance) Text() [][]string {
	rows := [][]string{{fmt.Sprintf("mean of %d images", len(r.Images)), "by", "relative distance in " + strings.Join(r.Layers, ", "), "drop in probability"}}
	for _, c := range r.Changes() {
		var parts []string
		for _, v := range c.Relative {
			if v == nil {
				parts = append(parts, "-")
			} else {
				parts = append(parts, fmt.Sprintf("%.3f", *v))
			}
		}
		rows = append(rows, []string{string(c.Transform), Number(c.Amount) + " " + c.Transform.Unit(), strings.Join(parts, "  "), fmt.Sprintf("%.3f", c.Drop)})
	}
	return rows
}
