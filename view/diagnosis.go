package view

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
)

// Diagnosis is what is wrong with the filters of a network (experiments.Diagnose).
type Diagnosis struct {
	Model  string                        `json:"model"`
	Hash   string                        `json:"hash"`
	Images int                           `json:"images"` // looked for silent maps on; 0: none
	Data   string                        `json:"data,omitempty"`
	Layers []experiments.FilterDiagnosis `json:"layers"`
}

// Diagnose says what is wrong with the filters of convolutions of the network, which is called name. index, of the
// strongest image of each map, tells which maps never fire; nil: that is not tried.
func (s *Session) Diagnose(name string, convolutions []string, index *features.Index, src *images.Inputs) (Diagnosis, error) {
	d := Diagnosis{Model: name, Hash: s.hash}
	var peaks map[string][]float32
	if index != nil {
		peaks, d.Images, d.Data = Peaks(index), src.Len(), src.From
	}
	all, err := experiments.Diagnose(s.Net, peaks)
	if err != nil {
		return d, err
	}
	d.Layers = slices.DeleteFunc(all, func(d experiments.FilterDiagnosis) bool { return !slices.Contains(convolutions, d.Layer) })
	return d, nil
}

// diagnosedLayers is the most layers in a figure.
const diagnosedLayers = 8

// Diagnoses draws the diagnoses of one network, or two side by side: a row for each layer with the filters'
// strength, their spectrum, and how much sits in each band.
func Diagnoses(all []Diagnosis) (Figure, Table) {
	plate := render.Plate{Title: "Filters of " + all[0].Model, Columns: 3, Scale: 1.5}
	if len(all) == 2 {
		plate.Title += " and " + all[1].Model
	}
	layers := 0
	for _, m := range all {
		layers = max(layers, len(m.Layers))
	}
	for l := range min(layers, diagnosedLayers) {
		row := diagnosisRow{}
		for i, m := range all {
			if l < len(m.Layers) {
				label := ""
				if len(all) > 1 {
					label = m.Model
				}
				row.add(i, label, m.Layers[l])
			}
		}
		plate.Panels = append(plate.Panels, row.panels()...)
	}
	plate.Caption = []string{"Strength: RMS of each filter's weights, times the scale of the batch normalisation behind it. Spectrum: mean over filters, in rings of one width, the outer of which are larger. " +
		"Bands: low below 1/8, middle below 1/4 cycle per sample, high above."}
	if layers > diagnosedLayers {
		plate.Caption = append(plate.Caption, fmt.Sprintf("The first %d of %d layers; the table has all.", diagnosedLayers, layers))
	}
	for _, m := range all {
		plate.Caption = append(plate.Caption, m.Model+" "+m.Hash)
	}
	return Figure{Name: "diagnosis", Image: plate.Draw(), Numbers: all}, diagnosisTable(all)
}

// diagnosisRow gathers what the panels of one layer show, of one or two networks.
type diagnosisRow struct {
	title         string
	rms, spectrum []render.Series
	bands         []string
	shares        []float64
	colors        []color.Color
	legend        []render.LegendEntry
}

func (r *diagnosisRow) add(i int, label string, d experiments.FilterDiagnosis) {
	if r.title == "" {
		r.title = d.Layer
	} else if r.title != d.Layer {
		r.title += ", " + d.Layer
	}
	sorted := slices.Sorted(slices.Values(d.RMS))
	slices.Reverse(sorted)
	r.rms = append(r.rms, render.Series{Name: label, Y: sorted, Dots: len(sorted) < 130, Color: render.Categorical(2 * i)})
	if d.Spectrum == nil {
		return
	}
	s := render.Series{Name: label, Color: render.Categorical(2 * i)}
	for k, v := range d.Spectrum {
		s.X, s.Y = append(s.X, (float64(k)+0.5)/2/float64(len(d.Spectrum))), append(s.Y, v)
	}
	r.spectrum = append(r.spectrum, s)
	stride := max(d.Stride[0], d.Stride[1])
	if carry := 0.5 / float64(stride); carry < 0.5 {
		r.spectrum = append(r.spectrum, render.Series{Name: fmt.Sprintf("stride %d carries up to here", stride),
			X: []float64{carry, carry}, Y: []float64{0, slices.Max(d.Spectrum)}, Dashed: true, Color: render.Categorical(2*i + 1)})
	}
	for b, what := range []string{"low", "middle", "high"} {
		r.bands, r.shares, r.colors = append(r.bands, what), append(r.shares, d.Energy[b]), append(r.colors, render.Categorical(2*i))
	}
	if label != "" {
		r.legend = append(r.legend, render.LegendEntry{Color: render.Categorical(2 * i), Text: label})
	}
}

func (r *diagnosisRow) panels() []image.Image {
	chart := func(title, x, y string) render.Chart {
		return render.Chart{Title: r.title + ": " + title, XLabel: x, YLabel: y, Width: 740, Height: 520, Scale: 1.5}
	}
	strength := chart("strength", "filter, strongest first", "root mean square").Lines(r.rms)
	if r.spectrum == nil {
		return []image.Image{strength, nil, nil}
	}
	bands := chart("energy by band", "", "share of energy")
	bands.Colors, bands.Legend = r.colors, r.legend
	return []image.Image{strength, chart("spectrum", "frequency, cycles per sample of its input", "share of energy").Lines(r.spectrum), bands.Bars(r.bands, r.shares)}
}

func diagnosisTable(all []Diagnosis) Table {
	t := Table{Name: "diagnosis", Header: []string{"model", "layer", "filters", "dead", "silent", "duplicate_pairs", "dominant", "rms_max_over_median",
		"energy_low", "energy_middle", "energy_high", "aliased_white", "aliased_natural"}}
	for _, m := range all {
		for _, d := range m.Layers {
			row := []string{m.Model, d.Layer, fmt.Sprint(d.Filters), fmt.Sprint(len(d.Dead)), Silent(d, ""), fmt.Sprint(len(d.Duplicate)),
				fmt.Sprint(len(d.Dominant)), Num(d.Spread, 4)}
			for b := range 3 {
				v := math.NaN()
				if d.Energy != nil {
					v = d.Energy[b]
				}
				row = append(row, Num(v, 4))
			}
			t.Rows = append(t.Rows, append(row, Num(d.Aliased, 4), Num(d.AliasedNatural, 4)))
		}
	}
	return t
}

// Silent is the number of silent maps, or none where they were not looked for.
func Silent(d experiments.FilterDiagnosis, none string) string {
	if d.Silent == nil {
		return none
	}
	return fmt.Sprint(len(d.Silent))
}

// Text is the diagnosis in columns, a row for each layer.
func (m Diagnosis) Text() [][]string {
	tried := "silent"
	if m.Images == 0 {
		tried = "silent (not tried)"
	}
	rows := [][]string{{"layer", "kernel/stride", "filters", "dead", tried, "duplicates", "dominant", "max/median RMS", "energy low, middle, high", "aliased white, natural"}}
	for _, d := range m.Layers {
		energy := "-"
		if d.Energy != nil {
			energy = fmt.Sprintf("%.2f %.2f %.2f", d.Energy[0], d.Energy[1], d.Energy[2])
		}
		rows = append(rows, []string{d.Layer, fmt.Sprintf("%dx%d/%d", d.Kernel[0], d.Kernel[1], d.Stride[0]), fmt.Sprint(d.Filters), fmt.Sprint(len(d.Dead)), Silent(d, "-"),
			fmt.Sprint(len(d.Duplicate)), fmt.Sprint(len(d.Dominant)), fmt.Sprintf("%.2f", d.Spread), energy, fmt.Sprintf("%.2f %.2f", d.Aliased, d.AliasedNatural)})
	}
	return rows
}

// Remedies says what could be done, a line each.
func (m Diagnosis) Remedies() (lines []string) {
	for _, d := range m.Layers {
		for _, r := range d.Remedies {
			lines = append(lines, d.Layer+": "+r)
		}
	}
	if lines == nil {
		lines = []string{"nothing to remedy"}
	}
	return lines
}
