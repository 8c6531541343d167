package view

import (
	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/model"
)

// SheetNumbers says what a sheet shows.
type SheetNumbers struct {
	Model  string       `json:"model"`
	Layer  string       `json:"layer"`
	Rule   deconv.Rule  `json:"rule"`
	Scale  Scaling      `json:"scale"`
	Fixed  float64      `json:"fixed,omitempty"`
	Clip   float64      `json:"clip"` // percentile of a projection's magnitudes that is white or black
	Images string       `json:"images"`
	Maps   []MapNumbers `json:"maps"`
}

// MapNumbers is one map of a sheet.
type MapNumbers struct {
	MapSummary
	Hits []HitNumbers `json:"hits"`
}

// HitNumbers is one of the strongest activations of a map.
type HitNumbers struct {
	features.Hit
	Name   string    `json:"name"`
	Label  string    `json:"label,omitempty"`
	Number *int      `json:"label_number,omitempty"` // in the data's numbering
	Box    model.Box `json:"box"`
	MaxAbs float64   `json:"max_abs"`
}

// MapSummary describes how a map fires, in numbers.
type MapSummary struct {
	Map       int           `json:"map"`
	Mean      float64       `json:"mean"`
	Std       float64       `json:"std"`
	OldStd    float64       `json:"deviation"` // the older name of Std, for one more version
	Max       float64       `json:"max"`
	Fired     float64       `json:"fired"`     // share of images
	Positions float64       `json:"positions"` // share of positions
	Dead      bool          `json:"dead"`
	Top       *features.Hit `json:"top,omitempty"`
}

// Summarize describes the maps of a layer of an index.
func Summarize(l *features.Layer) []MapSummary {
	var out []MapSummary
	area := l.H * l.W
	for m := range l.Stats {
		s := &l.Stats[m]
		n := float64(max(s.Images, 1))
		sum := MapSummary{Map: m, Mean: s.Mean(area), Std: s.Std(area), OldStd: s.Std(area),
			Fired: float64(s.Fired) / n, Positions: float64(s.Positive) / n / float64(area), Dead: s.Dead()}
		if len(l.Top[m]) > 0 {
			sum.Top = &l.Top[m][0]
			sum.Max = float64(sum.Top.Value)
		}
		out = append(out, sum)
	}
	return out
}

func (m *sheetMaker) numbers(top topMaps) SheetNumbers {
	stats := Summarize(m.layer)
	n := SheetNumbers{Model: m.s.hash, Layer: m.layer.Name, Rule: m.r.Rule, Scale: m.r.Scale, Fixed: m.r.Fixed, Clip: m.r.Clip, Images: m.src.From}
	for _, t := range top {
		var hits []HitNumbers
		for i, h := range t.hits {
			hn := HitNumbers{Hit: h, Name: m.src.Items[h.Image].Name, Label: m.src.Class(h.Image), Box: t.projections[i].Box, MaxAbs: t.projections[i].MaxAbs()}
			if hn.Label != "" {
				hn.Number = &m.src.Items[h.Image].Label
			}
			hits = append(hits, hn)
		}
		stats[t.number].Top = nil
		n.Maps = append(n.Maps, MapNumbers{stats[t.number], hits})
	}
	return n
}
