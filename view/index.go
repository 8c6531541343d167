package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
)

// Scan asks for an index of features of many images.
type Scan struct {
	features.Options
	Shard string // part of the images, see ParseShard; "": all
}

// Fields are the settings of the request.
func (r *Scan) Fields() Fields {
	return Fields{
		LayersField(Field{Name: "layers", Default: "all", Usage: "`LAYERS` by number or name, comma-separated, or all: every convolution layer"}, &r.Layers, (*model.Network).ResolveLayers),
		IntField(Field{Name: "top", Default: "9", Usage: "strongest images to keep for each map"}, &r.Top, 1),
		TextField(Field{Name: "shard", Usage: "scan only part `I/N` of the images, such as 2/4, or 1+1/4 if parts are counted from 0"}, &r.Shard),
		RangeField(Field{Name: "batch", Usage: "images in a forward pass, 0: as memory allows; changes no result"}, &r.Batch, 0, 1<<16),
		SwitchField(Field{Name: "exact", Usage: "sum convolutions directly: activations exact to 1e-6 instead of 1e-4, up to twice as slow"}, &r.Exact),
	}
}

// Validate reports the first thing wrong with the request.
func (r Scan) Validate() error {
	if r.Top < 0 || r.Top > 400 {
		return &FieldError{Field: "top", Problem: fmt.Sprintf("%d: want 1 to 400", r.Top)}
	}
	if r.Shard != "" {
		_, _, err := ParseShard(r.Shard, 0)
		return err
	}
	return nil
}

// Cut limits the scan to the shard of n images.
func (r *Scan) Cut(n int) (err error) {
	if r.Shard == "" {
		return nil
	}
	r.From, r.To, err = ParseShard(r.Shard, n)
	if err == nil && r.From == r.To {
		err = &FieldError{Field: "shard", Problem: fmt.Sprintf("%s is empty: there are %d images", r.Shard, n)}
	}
	return err
}

// IndexSummary says what an index of features holds.
type IndexSummary struct {
	Model    string         `json:"model"`
	Images   int            `json:"images"`
	Scanned  int            `json:"scanned"`
	Skipped  int            `json:"skipped"`
	Complete bool           `json:"complete"`
	Layers   []LayerSummary `json:"layers"`
}

// LayerSummary says what an index holds of one layer.
type LayerSummary struct {
	Name      string       `json:"name"`
	Maps      int          `json:"maps"`
	Dead      int          `json:"dead"`          // maps that never fire
	Map       []MapSummary `json:"map,omitempty"` // of the layer that was asked for
	Fired     float64      `json:"-"`             // mean share of images that fire
	Positions float64      `json:"-"`             // mean share of positions that fire
}

// SummarizeIndex describes an index, with the maps of one layer if it is named, or numbered from 1.
func SummarizeIndex(x *features.Index, layer string) (IndexSummary, error) {
	sum := IndexSummary{Model: x.Model, Images: x.Images, Scanned: x.Scanned(), Skipped: len(x.Skipped), Complete: x.Complete(), Layers: []LayerSummary{}}
	found := false
	var names []string
	for i := range x.Layers {
		l := &x.Layers[i]
		maps := Summarize(l)
		s := LayerSummary{Name: l.Name, Maps: len(maps)}
		for _, m := range maps {
			if m.Dead {
				s.Dead++
			}
			s.Fired += m.Fired / float64(len(maps))
			s.Positions += m.Positions / float64(len(maps))
		}
		if layer == l.Name || layer == strconv.Itoa(i+1) {
			s.Map, found = maps, true
		}
		names = append(names, l.Name)
		sum.Layers = append(sum.Layers, s)
	}
	if layer != "" && !found {
		return sum, &FieldError{Field: "layer", Problem: layer + ": the index has no such layer", Hint: "it has " + strings.Join(names, ", ")}
	}
	return sum, nil
}

// Chosen is the layer whose maps the summary lists, nil if none was asked for.
func (s IndexSummary) Chosen() *LayerSummary {
	if i := slices.IndexFunc(s.Layers, func(l LayerSummary) bool { return l.Map != nil }); i >= 0 {
		return &s.Layers[i]
	}
	return nil
}

// NameIndex gives the images of an index their names and the names of their labels.
func NameIndex(x *features.Index, src *images.Inputs) {
	x.SetNames(func(i int) (string, string) { return src.Items[i].Name, src.Class(i) })
}

// Peaks is the largest value of each map of an index, by layer: 0 of a map that never fires.
func Peaks(x *features.Index) map[string][]float32 {
	peaks := map[string][]float32{}
	for _, l := range x.Layers {
		for _, top := range l.Top {
			peaks[l.Name] = append(peaks[l.Name], topValue(top))
		}
	}
	return peaks
}

// ParseShard reads "2/4" as the second quarter of n images, [from, to), and "1+1/4" likewise, for those who count from 0
// and have no shell to add.
func ParseShard(s string, n int) (from, to int, err error) {
	a, b, ok := strings.Cut(s, "/")
	a, fromZero := strings.CutSuffix(a, "+1")
	i, err1 := strconv.Atoi(a)
	of, err2 := strconv.Atoi(b)
	if fromZero {
		i++
	}
	if !ok || err1 != nil || err2 != nil || i < 1 || i > of || of > 1<<20 {
		return 0, 0, &FieldError{Field: "shard", Problem: s + ": want I/N with I from 1 to N, such as 2/4"}
	}
	return n * (i - 1) / of, n * i / of, nil
}

// Text is the summary in words, and its columns: the maps of the chosen layer, or the layers.
func (s IndexSummary) Text(x *features.Index) (head string, rows [][]string) {
	if chosen := s.Chosen(); chosen != nil {
		rows = [][]string{{"map", "mean", "std", "strongest", "images that fire", "positions that fire"}}
		for _, m := range chosen.Map {
			rows = append(rows, []string{fmt.Sprint(m.Map), fmt.Sprintf("%.4g", m.Mean), fmt.Sprintf("%.4g", m.Std), fmt.Sprintf("%.4g", m.Max), fmt.Sprintf("%.1f %%", 100*m.Fired), fmt.Sprintf("%.2f %%", 100*m.Positions)})
		}
		return fmt.Sprintf("%s: %d maps, %d never fire", chosen.Name, chosen.Maps, chosen.Dead), rows
	}
	rows = [][]string{{"layer", "maps", "never fire", "images that fire", "positions that fire"}}
	for _, l := range s.Layers {
		rows = append(rows, []string{l.Name, fmt.Sprint(l.Maps), fmt.Sprint(l.Dead), fmt.Sprintf("%.1f %%", 100*l.Fired), fmt.Sprintf("%.1f %%", 100*l.Positions)})
	}
	return fmt.Sprintf("model %s, %d of %d images scanned, %d left out, the %d strongest of each map", x.Model, s.Scanned, s.Images, s.Skipped, x.TopK), rows
}
