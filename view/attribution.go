package view

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
)

// Attribution asks for figures of attribution methods: one figure for each target, of
// one method the image, the map and the map over the image, of several a sheet.
type Attribution struct {
	Methods []attribution.Method // nil: integrated gradients
	attribution.Request
	Opacity float64 // of the overlay where the map is strongest; 0: 0.7
}

// Fields are the settings of the request; Patches and Memory are not among them.
func (r *Attribution) Fields() Fields {
	return Fields{
		methodsField(&r.Methods, []attribution.Method{attribution.IntegratedGradients}),
		classesField("`CLASS`es by name or number, comma-separated; default: the image's most probable one", &r.Targets), r.targetField(), r.atField(),
		camLayerField(&r.Layers),
		tokensField(&r.Tokens),
		IntField(Field{Name: "nodes", Default: "50", Usage: "of integrated gradients: `N` gradients between the baseline and the image"}, &r.Nodes, 1),
		baselineField(Field{Name: "baseline", Default: "0", Usage: "of integrated gradients: 0, V or V/V/V in network units, mean (of the training data), image (its mean), or blur"}, &r.Baseline),
		ChoiceField(Field{Name: "base", Default: string(attribution.Saliency), Usage: "`METHOD` that smoothgrad, smoothgrad2 and vargrad repeat"}, &r.Base, func(s string) (attribution.Method, error) {
			return parseMethod("base", s)
		}),
		IntField(Field{Name: "samples", Default: "25", Usage: "noisy copies of the image that they take"}, &r.Samples, 1),
		r.noiseField(),
		IntField(Field{Name: "masks", Default: "1000", Usage: "random masks of rise"}, &r.Masks, 1),
		SeedField(Field{Name: "seed", Usage: "of noise and masks"}, &r.Seed),
		PositiveField(Field{Name: "opacity", Default: "0.7", Usage: "of the overlay where the map is strongest, 0 to 1"}, &r.Opacity, 1),
	}
}

// Validate reports the first thing wrong with the request.
func (r Attribution) Validate() error {
	if !(r.Opacity >= 0 && r.Opacity <= 1) {
		return &FieldError{Field: "opacity", Problem: fmt.Sprintf("%g: want more than 0, at most 1", r.Opacity)}
	}
	for _, m := range r.methods() {
		r.Method = m
		if err := r.Request.Validate(); err != nil {
			return fieldError(err)
		}
	}
	return nil
}

// fieldError is an error about a field of an attribution.Request as one of ours.
func fieldError(err error) error {
	if e, ok := errors.AsType[*attribution.FieldError](err); ok {
		return &FieldError{Field: e.Field, Problem: e.Problem}
	}
	return err
}

func (r Attribution) methods() []attribution.Method {
	if len(r.Methods) == 0 {
		return []attribution.Method{attribution.IntegratedGradients}
	}
	return r.Methods
}

// AttributionNumbers says what a figure of attributions shows.
type AttributionNumbers struct {
	Model   string              `json:"model"`
	Image   string              `json:"image"`
	Input   string              `json:"input"`   // hash of what the network sees of the image
	Options string              `json:"options"` // all that the numbers depend on besides
	Target  string              `json:"target"`
	Class   *int                `json:"class_number,omitempty"`
	Score   float64             `json:"score"` // of the target; of a class before softmax or sigmoid
	Methods []AttributionMethod `json:"methods"`
}

// AttributionMethod is one method's part of AttributionNumbers.
type AttributionMethod struct {
	Method       attribution.Method        `json:"method"`
	Base         attribution.Method        `json:"base,omitempty"`
	Shows        string                    `json:"shows"`
	Layers       []string                  `json:"layers,omitempty"`
	Shape        []int                     `json:"shape,omitempty"`
	Lo           float64                   `json:"lo"` // ends of the colours
	Hi           float64                   `json:"hi"`
	Outside      int                       `json:"outside"` // values beyond them
	Passes       int                       `json:"forward_passes,omitempty"`
	Seed         *uint64                   `json:"seed,omitempty"`
	Completeness *attribution.Completeness `json:"completeness,omitempty"`
	Problem      string                    `json:"problem,omitempty"` // why the network does not carry the method
}

// text is all that the result depends on but for the network and the image.
func (r Attribution) text() string {
	q := r.Request
	var targets []string
	for _, t := range q.Targets {
		switch {
		case t.Unit != nil:
			targets = append(targets, t.Unit.String())
		case t.At != nil:
			targets = append(targets, fmt.Sprintf("%d at %d,%d", t.Class, t.At[0], t.At[1]))
		default:
			targets = append(targets, fmt.Sprint(t.Class))
		}
	}
	deviation := "default"
	if q.Deviation != nil {
		deviation = fmt.Sprint(*q.Deviation)
	}
	return fmt.Sprintf("methods %v, targets %v, layers %v, tokens %v, nodes %d, baseline %v, base %s, samples %d, deviation %s, seed %d, masks %d, cells %d, keep %g, opacity %g",
		r.methods(), targets, q.Layers, q.Tokens, q.Nodes, q.Baseline, q.Base, q.Samples, deviation, q.Seed, q.Masks, q.Cells, q.Keep, r.Opacity)
}

// AttributionPrefix begins the names of an image's figures.
func AttributionPrefix(in Input) string { return "attribute-" + in.Stem + "-" }

// AttributionDone reports whether numbers are those of a request for an image.
func (s *Session) AttributionDone(r Attribution, in Input, n AttributionNumbers) bool {
	return n.Model == s.hash && n.Input == in.Hash() && n.Options == r.text()
}

// explained is a method's result, or why there is none.
type explained struct {
	method attribution.Method
	result *attribution.Result
	err    error
}

// Attribution draws the figures of one image. The explainer is of the session's
// network; a caller with many images keeps it. Of several methods those that the
// network does not carry are named in the figure; it is an error if none is left.
func (s *Session) Attribution(ctx context.Context, e *attribution.Explainer, r Attribution, in Input) ([]Figure, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	methods := r.methods()
	var targets [][]explained // by target, by method
	var first error
	for i, m := range methods {
		one := r.Request
		one.Method = m
		if r.Progress != nil { // of all methods together
			one.Progress = func(done, total int) { r.Progress(i*1000+done*1000/max(total, 1), len(methods)*1000) }
		}
		results, err := e.Explain(ctx, in.Tensor, one)
		if r.Memory > 0 && len(methods) > 1 {
			e.Forget()
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			if first == nil {
				first = err
			}
			if len(methods) == 1 {
				return nil, fieldError(err)
			}
			results = make([]*attribution.Result, max(len(targets), len(r.Targets), 1))
		}
		for k, o := range results {
			if len(targets) <= k {
				targets = append(targets, make([]explained, len(methods)))
			}
			targets[k][i] = explained{m, o, err}
		}
	}
	var out []Figure
	for _, list := range targets {
		if !slices.ContainsFunc(list, func(x explained) bool { return x.result != nil }) {
			return nil, first
		}
		out = append(out, s.attributionFigure(r, list, in))
	}
	return out, nil
}

func (s *Session) attributionFigure(r Attribution, list []explained, in Input) Figure {
	var some *attribution.Result
	for i := range list {
		if list[i].method = r.methods()[i]; list[i].result != nil {
			some = list[i].result
		}
	}
	n := AttributionNumbers{Model: s.hash, Image: in.Name, Input: in.Hash(), Options: r.text(), Target: some.Target.Name(s.Net), Score: some.Score}
	target := n.Target
	if some.Target.Unit == nil {
		n.Class = &some.Target.Class
		target = s.classText(*n.Class)
	}
	size := s.Net.Input
	f := attributionPanels{k: max(224/max(size.H, size.W), 1), h: size.H, w: size.W, opacity: r.Opacity}
	if f.opacity == 0 {
		f.opacity = 0.7
	}
	f.picture = render.Magnify(s.Net.Picture(in.Tensor.Data), f.k)
	panels := []render.Panel{{Title: "image", Image: f.picture, Note: fmt.Sprintf("%s; score of %s: %s", images.Title(in.Name), target, render.Number(n.Score))}}
	array := &Array{Shape: []int{size.H, size.W}}
	var names []string
	for _, x := range list {
		part := AttributionMethod{Method: x.method, Shows: x.method.Formula()}
		names = append(names, string(x.method))
		if x.result == nil {
			part.Problem = strings.TrimPrefix(x.err.Error(), string(x.method)+": ")
			panels = append(panels, render.Panel{Title: x.method.Title(), Note: part.Problem})
			array.Data = append(array.Data, make([]float32, size.H*size.W)...)
			n.Methods = append(n.Methods, part)
			continue
		}
		o := x.result
		part.Base, part.Layers, part.Shape, part.Passes, part.Completeness = o.Base, o.Layers, o.Shape, o.Passes, o.Completeness
		if x.method.Random() {
			part.Seed = &r.Seed
		}
		alone, over := f.panels(o, &part)
		n.Methods = append(n.Methods, part)
		panels = append(panels, alone)
		if len(list) == 1 {
			panels = append(panels, over)
			array = &Array{o.Shape, o.Values}
			break
		}
		array.Data = append(array.Data, o.PlaneAt(size.H, size.W)...)
	}
	title, columns := fmt.Sprintf("%s for %s", some.Method.Title(), target), 3
	caption := fmt.Sprintf("%s. %s", attributionText(some), s.about())
	if len(list) > 1 {
		array.Shape = append([]int{len(list)}, array.Shape...)
		title, columns = fmt.Sprintf("What the score of %s comes from, by %d methods", target, len(list)), min(6, len(list)+1)
		caption = "Maps with both signs lie around mid-grey: orange raises the score, blue lowers it. Maps from dark to yellow have one sign, or show magnitudes. Each has its own scale. " + s.about()
	}
	name := AttributionPrefix(in) + some.Target.Name(s.Net)
	if names = slices.Compact(names); len(names) == 1 {
		name += "-" + names[0]
	}
	return Figure{Name: name, Numbers: n, Array: array,
		Image: render.Figure{Title: title, Columns: columns, PanelSize: max(size.H, size.W) * f.k, Panels: panels, Caption: []string{caption}}.Draw(),
		Facts: []Fact{{"method", strings.Join(names, ",")}, {"target", n.Target}, {"image", in.Name}}}
}

// attributionText says in words what a map shows.
func attributionText(r *attribution.Result) string {
	text := strings.ToUpper(r.Method.Formula()[:1]) + r.Method.Formula()[1:]
	if r.Base != "" {
		text += " of: " + r.Base.Formula()
	}
	if len(r.Layers) > 0 {
		text += ", at " + strings.Join(r.Layers, ", ")
		if len(r.Layers) > 1 {
			text += ": of each layer tanh(2 map/its largest), and the largest of these"
		}
	}
	if c := r.Completeness; c != nil {
		text += fmt.Sprintf(". %d nodes from the baseline %s; the map adds up to the score's difference, %s, but for %s", c.Nodes, c.Baseline,
			render.Number(c.Difference), render.Number(c.Residual))
	}
	if r.Signed() {
		text += ". Orange raises the score, blue lowers it"
	}
	return text
}

// attributionPanels draws maps beside and over the image.
type attributionPanels struct {
	picture image.Image
	h, w, k int
	opacity float64
}

// within is the share of values, in percent, that the colours of maps of pixels cover:
// a few pixels are far stronger than the others.
const within = 99.5

// panels are the map of a result, and the map over the image.
func (f attributionPanels) panels(o *attribution.Result, n *AttributionMethod) (alone, over render.Panel) {
	h, w := o.Size()
	plane := o.Plane()
	palette, most := render.Viridis, render.MaxAbs(plane)
	if len(o.Shape) == 3 {
		if m := render.PercentileAbs(plane, within); m > 0 {
			most = m
		}
	}
	n.Hi = most
	if o.Signed() {
		palette, n.Lo = render.Diverging, -most
	} else if o.Method == attribution.RISE { // a mask shows a part of everything: only differences say something
		n.Lo, _ = render.Range(plane)
	}
	for _, v := range plane {
		if math.Abs(float64(v)) > most {
			n.Outside++
		}
	}
	note := fmt.Sprintf("%d×%d values", h, w)
	if n.Outside > 0 {
		note += fmt.Sprintf(", %d beyond the scale", n.Outside)
	}
	switch {
	case most == 0:
		note = "no attribution: all values are 0"
	case n.Completeness != nil:
		note += fmt.Sprintf("; residual %s of %s", render.Number(n.Completeness.Residual), render.Number(n.Completeness.Difference))
	}
	bar := &render.ColorBar{Palette: palette, Lo: n.Lo, Hi: n.Hi}
	alone = render.Panel{Title: o.Method.Title(), Image: render.Heat(plane, h, w, n.Lo, n.Hi, palette), Bar: bar, Note: note}
	smooth := render.Smooth(plane, h, w, f.h*f.k, f.w*f.k)
	heat := render.Heat(smooth, f.h*f.k, f.w*f.k, n.Lo, n.Hi, palette)
	for i, v := range smooth { // as opaque as strong
		opaque := 0.0
		if most > 0 {
			opaque = min(math.Abs(float64(v)-max(n.Lo, 0))/max(most-max(n.Lo, 0), math.SmallestNonzeroFloat32), 1)
		}
		heat.Pix[4*i+3] = uint8(math.Round(255 * opaque))
	}
	over = render.Panel{Title: "over the image", Image: render.Overlay(f.picture, heat, f.opacity), Note: fmt.Sprintf("interpolated; as opaque as strong, at most %.2g", f.opacity)}
	return alone, over
}
