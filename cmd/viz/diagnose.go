package main

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/urfave/cli/v2"
)

// diagnosed is one network's diagnosis, as in the JSON.
type diagnosed struct {
	Model  string                        `json:"model"`
	Hash   string                        `json:"hash"`
	Images int                           `json:"images"` // looked for silent maps on; 0: none
	Data   string                        `json:"data,omitempty"`
	Layers []experiments.FilterDiagnosis `json:"layers"`
}

// diagnoseFilters is viz filters --diagnose.
func diagnoseFilters(c *cli.Context) error {
	if c.NArg() > 2 {
		return usage("--diagnose compares two networks at most", "")
	}
	var nets []*model.Network
	var names []string
	if c.NArg() == 0 {
		net, from, err := loadModel(c, false)
		if err != nil {
			return err
		}
		nets, names = append(nets, net), append(names, from)
	}
	for _, file := range c.Args().Slice() {
		net, err := openModel(file)
		if err != nil {
			return err
		}
		nets, names = append(nets, net), append(names, filepath.Base(file))
	}
	if len(names) == 2 && names[0] == names[1] {
		names = []string{c.Args().Get(0), c.Args().Get(1)}
	}
	var chosen [][]string // convolutions of each network
	for i, net := range nets {
		convs, err := convNodes(net, c.String("layer"))
		if err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
		chosen = append(chosen, convs)
	}
	out, err := openOutput(c, nets[0])
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	var all []diagnosed
	for i, net := range nets {
		peak, n, from, err := peaks(c, engine, net)
		if err != nil {
			return err
		}
		d, err := experiments.Diagnose(net, peak)
		if err != nil {
			return err
		}
		d = slices.DeleteFunc(d, func(d experiments.FilterDiagnosis) bool { return !slices.Contains(chosen[i], d.Layer) })
		all = append(all, diagnosed{names[i], hash(net), n, from, d})
	}
	if err := drawDiagnosis(out, all); err != nil {
		return err
	}
	name := "diagnosis"
	var rows [][]string
	for _, m := range all {
		for _, d := range m.Layers {
			row := []string{m.Model, d.Layer, fmt.Sprint(d.Filters), fmt.Sprint(len(d.Dead)), silent(d, ""), fmt.Sprint(len(d.Duplicate)),
				fmt.Sprint(len(d.Dominant)), num(d.Spread, 4)}
			for b := range 3 {
				v := math.NaN()
				if d.Energy != nil {
					v = d.Energy[b]
				}
				row = append(row, num(v, 4))
			}
			rows = append(rows, append(row, num(d.Aliased, 4), num(d.AliasedNatural, 4)))
		}
	}
	header := []string{"model", "layer", "filters", "dead", "silent", "duplicate_pairs", "dominant", "rms_max_over_median", "energy_low", "energy_middle", "energy_high", "aliased_white", "aliased_natural"}
	if err := out.csv(name, header, rows); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, all)
	}
	return printDiagnosis(c.App.Writer, all)
}

// peaks is the largest value of each map over some images of the network's data
// set, or nil if there are none to be had.
func peaks(c *cli.Context, engine *model.Engine, net *model.Network) (map[string][]float32, int, string, error) {
	if c.Int("limit") == 0 || c.String("data") == "" && net.Origin.Data == "" {
		note(c, "no images: maps that never fire are not looked for (--data names some)")
		return nil, 0, "", nil
	}
	src, err := openSource(c, net, nil, false)
	if err != nil && c.String("data") == "" {
		note(c, "maps that never fire are not looked for: %v", err)
		return nil, 0, "", nil
	}
	if err != nil {
		return nil, 0, "", err
	}
	step, end := progress(c, "scanning")
	defer end()
	index, err := features.Collect(c.Context, engine, net, src, features.Options{Top: 1, Progress: step})
	if err != nil {
		return nil, 0, "", err
	}
	peak := map[string][]float32{}
	for _, l := range index.Layers {
		for _, top := range l.Top {
			v := float32(0)
			if len(top) > 0 {
				v = top[0].Value
			}
			peak[l.Name] = append(peak[l.Name], v)
		}
	}
	return peak, src.Len(), src.From, nil
}

// silent is the number of silent maps, or none where they were not looked for.
func silent(d experiments.FilterDiagnosis, none string) string {
	if d.Silent == nil {
		return none
	}
	return fmt.Sprint(len(d.Silent))
}

// drawDiagnosis draws a row for each layer: the filters' strength, their spectrum,
// and how many sit in each band.
func drawDiagnosis(out *output, all []diagnosed) error {
	plate := render.Plate{Title: "Filters of " + all[0].Model, Columns: 3, Scale: 1.5}
	if len(all) == 2 {
		plate.Title += " and " + all[1].Model
	}
	layers := 0
	for _, m := range all {
		layers = max(layers, len(m.Layers))
	}
	const most = 8
	for l := range min(layers, most) {
		var rms, spectrum []render.Series
		names := []string{}
		var shares []float64
		var colors []color.Color
		var legend []render.LegendEntry
		title := ""
		for i, m := range all {
			if l >= len(m.Layers) {
				continue
			}
			d := m.Layers[l]
			label := ""
			if len(all) > 1 {
				label = m.Model
			}
			if title == "" {
				title = d.Layer
			} else if title != d.Layer {
				title += ", " + d.Layer
			}
			sorted := slices.Sorted(slices.Values(d.RMS))
			slices.Reverse(sorted)
			rms = append(rms, render.Series{Name: label, Y: sorted, Dots: len(sorted) < 130, Color: render.Categorical(2 * i)})
			if d.Spectrum != nil {
				s := render.Series{Name: label, Color: render.Categorical(2 * i)}
				for k, v := range d.Spectrum {
					s.X, s.Y = append(s.X, (float64(k)+0.5)/2/float64(len(d.Spectrum))), append(s.Y, v)
				}
				spectrum = append(spectrum, s)
				if carry := 0.5 / float64(max(d.Stride[0], d.Stride[1])); carry < 0.5 {
					spectrum = append(spectrum, render.Series{Name: fmt.Sprintf("stride %d carries up to here", max(d.Stride[0], d.Stride[1])),
						X: []float64{carry, carry}, Y: []float64{0, slices.Max(d.Spectrum)}, Dashed: true, Color: render.Categorical(2*i + 1)})
				}
				for b, what := range []string{"low", "middle", "high"} {
					names, shares, colors = append(names, what), append(shares, d.Energy[b]), append(colors, render.Categorical(2*i))
				}
				if label != "" {
					legend = append(legend, render.LegendEntry{Color: render.Categorical(2 * i), Text: label})
				}
			}
		}
		chart := func(title, x, y string) render.Chart {
			return render.Chart{Title: title, XLabel: x, YLabel: y, Width: 740, Height: 520, Scale: 1.5}
		}
		plate.Panels = append(plate.Panels, chart(title+": strength", "filter, strongest first", "root mean square").Lines(rms))
		if spectrum == nil {
			plate.Panels = append(plate.Panels, nil, nil)
			continue
		}
		bands := chart(title+": energy by band", "", "share of energy")
		bands.Colors, bands.Legend = colors, legend
		plate.Panels = append(plate.Panels, chart(title+": spectrum", "frequency, cycles per sample of its input", "share of energy").Lines(spectrum),
			bands.Bars(names, shares))
	}
	plate.Caption = []string{"Strength: RMS of each filter's weights, times the scale of the batch normalisation behind it. Spectrum: mean over filters, in rings of one width, the outer of which are larger. " +
		"Bands: low below 1/8, middle below 1/4 cycle per sample, high above."}
	if layers > most {
		plate.Caption = append(plate.Caption, fmt.Sprintf("The first %d of %d layers; the table has all.", most, layers))
	}
	for _, m := range all {
		plate.Caption = append(plate.Caption, m.Model+" "+m.Hash)
	}
	_, err := out.picture("diagnosis", plate.Draw(), numbers{json: all})
	return err
}

func printDiagnosis(to io.Writer, all []diagnosed) error {
	for _, m := range all {
		fmt.Fprintf(to, "\n%s\n", m.Model)
		w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		tried := "silent"
		if m.Images == 0 {
			tried = "silent (not tried)"
		}
		fmt.Fprintf(w, "layer\tkernel/stride\tfilters\tdead\t%s\tduplicates\tdominant\tmax/median RMS\tenergy low, middle, high\taliased white, natural\n", tried)
		for _, d := range m.Layers {
			energy := "-"
			if d.Energy != nil {
				energy = fmt.Sprintf("%.2f %.2f %.2f", d.Energy[0], d.Energy[1], d.Energy[2])
			}
			fmt.Fprintf(w, "%s\t%dx%d/%d\t%d\t%d\t%s\t%d\t%d\t%.2f\t%s\t%.2f %.2f\n", d.Layer, d.Kernel[0], d.Kernel[1], d.Stride[0], d.Filters, len(d.Dead), silent(d, "-"),
				len(d.Duplicate), len(d.Dominant), d.Spread, energy, d.Aliased, d.AliasedNatural)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		found := false
		for _, d := range m.Layers {
			for _, r := range d.Remedies {
				fmt.Fprintf(to, "%s: %s\n", d.Layer, r)
				found = true
			}
		}
		if !found {
			fmt.Fprintln(to, "nothing to remedy")
		}
	}
	return nil
}
