package view

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Correspondence is what masking the same parts of several images did (experiments.Correspond).
type Correspondence struct {
	Layers []string
	Parts  []experiments.Part
	Images *tensor.Tensor // [N, C, H, W]
	Names  []string       // of the images
	Draws  int            // of random masks for each part
	Seed   uint64         // of the random masks
	Rows   []experiments.Correspondence
}

// Fields are the settings of the request.
func (c *Correspondence) Fields() Fields {
	return Fields{
		LayersField(Field{Name: "layers", Default: "last,top", Usage: "`LAYER`s by number or name; last is the last block or convolution before the scores, top what the class scores are made of"}, &c.Layers, ParseTopLayers),
		IntField(Field{Name: "random", Default: "20", Usage: "draws of random masks for each part"}, &c.Draws, 2),
		SeedField(Field{Name: "seed", Usage: "of the random masks"}, &c.Seed),
	}
}

// Validate reports the first thing wrong with the request.
func (c Correspondence) Validate() error {
	if c.Draws < 2 || c.Draws > 10000 {
		return &FieldError{Field: "random", Problem: fmt.Sprintf("%d: want 2 to 10000", c.Draws)}
	}
	return nil
}

// Prepare checks the request, and fills in the layers.
func (c *Correspondence) Prepare(net *model.Network) (err error) {
	if c.Layers == nil {
		c.Layers, err = ParseTopLayers(net, "last,top")
	}
	if err == nil {
		err = c.Validate()
	}
	return err
}

// Correspond masks parts of images, and fills in what that did.
func (s *Session) Correspond(ctx context.Context, c *Correspondence, m *MaskedParts, progress func(done, total int)) (err error) {
	if err := c.Validate(); err != nil {
		return err
	}
	c.Parts, c.Images, c.Names = m.Parts, m.Images, m.Names
	c.Rows, err = experiments.Correspond(ctx, s.Engine, s.Net, m.Images, m.Parts, experiments.CorrespondOptions{Layers: c.Layers, Random: c.Draws, Seed: c.Seed, Progress: progress})
	return err
}

// Text is the result in columns.
func (c Correspondence) Text() [][]string {
	rows := [][]string{{"layer", "part", fmt.Sprintf("score ± spread (%d images)", len(c.Names)), "standard error", "below random by"}}
	for _, r := range c.Rows {
		below := fmt.Sprintf("%.4f, %.1f standard errors", r.Below, r.Lower)
		if r.Part == experiments.Random {
			below = ""
		}
		rows = append(rows, []string{r.Layer, r.Part, fmt.Sprintf("%.4f ± %.4f", r.Score, r.Std), fmt.Sprintf("%.4f", r.Error), below})
	}
	return rows
}

// CorrespondenceNumbers is the JSON form of a Correspondence.
type CorrespondenceNumbers struct {
	Model  string                       `json:"model"`
	Images []string                     `json:"images"`
	Parts  map[string][][4]int          `json:"parts"`        // boxes by part and image: x0, y0, x1, y1
	Draws  int                          `json:"random_draws"` // for each part
	Seed   uint64                       `json:"seed"`
	Rows   []experiments.Correspondence `json:"rows"`
}

// Correspondence draws the parts masked and the scores of each layer.
func (s *Session) Correspondence(c Correspondence) (Figure, Table) {
	numbers := CorrespondenceNumbers{s.hash, c.Names, map[string][][4]int{}, c.Draws, c.Seed, c.Rows}
	for _, p := range c.Parts {
		for _, b := range p.Boxes {
			numbers.Parts[p.Name] = append(numbers.Parts[p.Name], [4]int{b.Min.X, b.Min.Y, b.Max.X, b.Max.Y})
		}
	}
	panels := []image.Image{maskedParts(s.Net, c)}
	for _, l := range c.Layers {
		panels = append(panels, correspondenceBars(c, l))
	}
	plate := render.Plate{Title: "Correspondence in " + s.Net.Name, Panels: panels, Columns: 1, Scale: 1.4, Caption: []string{
		"Signs of the change of each value when a part is masked (with the mean colour), compared between all pairs of images: 0 if all change alike. " +
			"Grey: masks of the same sizes at random places; aligned: at one random place in all images. " +
			"Lines are one standard error (jackknife over images).", "Model " + s.hash}}
	t := Table{Name: "correspond", Header: []string{"layer", "part", "score", "std", "standard_error", "below_random", "below_random_error", "below_random_in_errors"}}
	for _, r := range c.Rows {
		t.Rows = append(t.Rows, []string{r.Layer, r.Part, Num(r.Score, 6), Num(r.Std, 6), Num(r.Error, 6), Num(r.Below, 6), Num(r.BelowError, 6), Num(r.Lower, 2)})
	}
	return Figure{Name: "correspond", Image: plate.Draw(), Numbers: numbers, Facts: []Fact{{"layers", strings.Join(c.Layers, ",")}, {"images", strings.Join(c.Names, " ")}}}, t
}

// maskedParts shows some of the images, and each part masked in them.
func maskedParts(net *model.Network, c Correspondence) image.Image {
	in := net.Input
	size := in.Shape().Len()
	shown := min(len(c.Names), 6)
	plain := render.TableRow{Label: "image"}
	for i := range shown {
		plain.Tiles = append(plain.Tiles, net.Preprocess.Image(c.Images.Data[i*size:(i+1)*size], in))
	}
	rows := []render.TableRow{plain}
	fill := net.Preprocess.MeanFill(in)
	for _, p := range c.Parts {
		row := render.TableRow{Label: p.Name}
		for i := range shown {
			m := slices.Clone(c.Images.Data[i*size : (i+1)*size])
			experiments.Mask(m, in, p.Boxes[i], fill)
			row.Tiles = append(row.Tiles, net.Preprocess.Image(m, in))
		}
		rows = append(rows, row)
	}
	return render.Table{Rows: rows, MinTile: 96, Scale: 1.4, Title: fmt.Sprintf("%d of %d images, and the parts masked", shown, len(c.Names))}.Draw()
}

// correspondenceBars are the scores of a layer, those of random masks in grey.
func correspondenceBars(c Correspondence, layer string) image.Image {
	var labels []string
	var values, errors []float64
	var colors []color.Color
	for _, r := range c.Rows {
		if r.Layer != layer {
			continue
		}
		labels, values, errors = append(labels, r.Part), append(values, r.Score), append(errors, r.Error)
		if r.Draws > 0 {
			colors = append(colors, color.Gray{150})
		} else {
			colors = append(colors, render.Categorical(0))
		}
	}
	return render.Chart{Title: "Layer " + layer, YLabel: "mean Hamming distance of signs", Width: 170*len(labels) + 160, Height: 620, Scale: 1.4,
		Errors: errors, Colors: colors}.Bars(labels, values)
}
