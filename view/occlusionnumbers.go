package view

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
)

// OcclusionNumbers lists the numbers of an occlusion map, by position row by row.
type OcclusionNumbers struct {
	Model     string           `json:"model"`
	Image     string           `json:"image"`
	Input     string           `json:"input"`   // hash of what the network sees of the image
	Options   string           `json:"options"` // Occlusion.Text
	Patch     [2]int           `json:"patch"`
	Stride    [2]int           `json:"stride"`
	Fill      string           `json:"fill"`
	FillText  string           `json:"fill_text,omitempty"` // of fill mean: whose mean, and which pixel
	Soft      int              `json:"soft,omitempty"`
	Labels    []int32          `json:"labels,omitempty"` // of the mask's segments, 0xRRGGBB
	Rows      int              `json:"rows"`
	Cols      int              `json:"cols"`
	Quantity  model.Quantity   `json:"quantity"`      // what clean_prob and prob are: probability, or value
	At        *[2]int          `json:"at,omitempty"`  // row, column of the scores' map
	Sum       bool             `json:"sum,omitempty"` // prob and logit are sums over all places of the scores' map
	CleanBest string           `json:"clean_best"`
	BestClass int              `json:"clean_best_class"`
	Method    string           `json:"method"`
	Whole     int64            `json:"whole_macs"` // of as many whole passes
	MACs      int64            `json:"macs"`       // made
	Classes   []OcclusionClass `json:"classes"`
	Layers    []OcclusionLayer `json:"layers"`
	ArgMax    []int32          `json:"argmax"`
}

// OcclusionClass is what becomes of one class.
type OcclusionClass struct {
	Class      int       `json:"class"`
	Name       string    `json:"name"`
	CleanProb  float32   `json:"clean_prob"`
	CleanLogit float32   `json:"clean_logit"`
	Lowest     model.Box `json:"lowest"` // patch with the smallest probability
	Prob       []float32 `json:"prob"`   // by position, row by row
	Logit      []float32 `json:"logit"`
}

// OcclusionLayer is the total activity of the strongest map of a layer.
type OcclusionLayer struct {
	Layer string    `json:"layer"`
	Map   int       `json:"map"`
	Clean float32   `json:"clean"`
	Total []float32 `json:"total"`
}

// Numbers lists the numbers of a map of an image, of the given classes.
func (o *Occluder) Numbers(in Input, m *occlusion.Map, classes ...int) OcclusionNumbers {
	n := OcclusionNumbers{Model: o.s.hash, Image: in.Name, Input: in.Hash(), Options: o.text, Patch: m.Patch, Stride: m.Stride, Fill: m.FillName,
		Soft: m.Soft, Labels: m.Labels, Rows: m.Rows, Cols: m.Cols, Quantity: m.Quantity, At: m.At, Sum: m.Sum(),
		CleanBest: m.Predicted(m.CleanBest), BestClass: m.CleanBest, Method: m.Method.String(), MACs: m.MACs, Whole: m.Whole, ArgMax: m.ArgMax}
	if n.Fill == string(occlusion.MeanFill) {
		n.FillText = m.Net.Preprocess.MeanFillText(m.Net.Input)
	}
	for j, k := range m.Classes {
		if slices.Contains(classes, k) {
			n.Classes = append(n.Classes, OcclusionClass{k, m.Net.Class(k), m.CleanProb[j], m.CleanLogit[j], m.Lowest(j), m.Prob[j], m.Logit[j]})
		}
	}
	for _, t := range m.Totals {
		n.Layers = append(n.Layers, OcclusionLayer{t.Layer, t.Channel, t.Clean, t.Total})
	}
	return n
}

// Made reports whether numbers that were kept are those of this request, network and image.
func (o *Occluder) Made(n OcclusionNumbers, in Input) bool {
	return n.Options == o.text && n.Model == o.s.hash && n.Image == in.Name && n.Input == in.Hash()
}

// NamedArray is an array with a name for its file. Either Float or Int is set.
type NamedArray struct {
	Name  string
	Shape []int
	Float []float32
	Int   []int32
}

// OcclusionArrays are prob, logit, pixel_drop, total, argmax and, last, positions (row and column of the patches'
// corners). With several classes or layers, the second and later ones carry their number or name.
func OcclusionArrays(m *occlusion.Map) (out []NamedArray) {
	in := m.Net.Input
	shape := []int{m.Rows, m.Cols}
	for j, k := range m.Classes {
		tail := classTail(j, k)
		out = append(out, NamedArray{Name: "prob" + tail, Shape: shape, Float: m.Prob[j]},
			NamedArray{Name: "logit" + tail, Shape: shape, Float: m.Logit[j]},
			NamedArray{Name: "pixel_drop" + tail, Shape: []int{in.H, in.W}, Float: m.PixelDrop[j]})
	}
	for j, t := range m.Totals {
		out = append(out, NamedArray{Name: totalName(j, t.Layer), Shape: shape, Float: t.Total})
	}
	out = append(out, NamedArray{Name: "argmax", Shape: shape, Int: m.ArgMax})
	var positions []int32
	for _, b := range m.Boxes {
		positions = append(positions, int32(b.Y0), int32(b.X0))
	}
	return append(out, NamedArray{Name: "positions", Shape: []int{m.Rows, m.Cols, 2}, Int: positions})
}

// classTail and totalName name the arrays of the j-th class or layer.
func classTail(j, class int) string {
	if j == 0 {
		return ""
	}
	return fmt.Sprintf("-%d", class)
}

func totalName(j int, layer string) string {
	if j == 0 {
		return "total"
	}
	return "total-" + layer
}

// ArrayNames are the names of the OcclusionArrays that belong to the numbers.
func (n OcclusionNumbers) ArrayNames() []string {
	names := []string{"argmax", "positions"}
	for j, c := range n.Classes {
		tail := classTail(j, c.Class)
		names = append(names, "prob"+tail, "logit"+tail, "pixel_drop"+tail)
	}
	for j, l := range n.Layers {
		names = append(names, totalName(j, l.Layer))
	}
	return names
}

// OcclusionPlan says how an occlusion map would be computed, layer by layer.
type OcclusionPlan struct {
	Model     string            `json:"model"`
	Patch     [2]int            `json:"patch"`
	Stride    [2]int            `json:"stride"`
	Positions int               `json:"positions"`
	MACs      int64             `json:"macs"`
	Whole     int64             `json:"whole_macs"`
	Memory    int               `json:"memory"`
	Layers    []occlusion.Layer `json:"layers"`
}

// Plan says how the maps of an image would be computed.
func (o *Occluder) Plan() OcclusionPlan {
	p := o.scanner.Predict()
	return OcclusionPlan{o.s.Net.Name, o.r.Patch, o.r.Stride, p.Positions, p.MACs, p.Whole, p.Memory, p.Layers}
}
