package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/draw"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/disintegration/imaging"
	"github.com/urfave/cli/v2"
)

//go:embed atlas.html
var atlasPages string

// atlasImages is the most images that an atlas has pictures of.
const atlasImages = 5000

// atlasData is what the pages of an atlas show.
type atlasData struct {
	Title, Model, Hash, Version string
	Rule                        string
	Images                      string // where they are from
	Scanned, Skipped            int
	Top                         int
	Layers                      []*atlasLayer
	Pictures                    []*atlasImage
	Layer                       *atlasLayer // the page's own
}

type atlasLayer struct {
	Name, Page, Shape string
	Number            int
	Field             string // size of the receptive field
	Dead              int
	Fired, Positions  float64 // means over maps, percent
	Sheets            []sheetPage
	Maps              []*atlasMap
	Previous, Next    *atlasLayer
}

// Areas are the places of the maps on a sheet, for an image map.
func (l *atlasLayer) Areas(p sheetPage) []map[string]any {
	var out []map[string]any
	for i, m := range p.Maps {
		r := p.Places[i]
		out = append(out, map[string]any{"Map": m, "Coords": fmt.Sprintf("%d,%d,%d,%d", r.Min.X, r.Min.Y, r.Max.X, r.Max.Y)})
	}
	return out
}

type atlasMap struct {
	mapSummary
	Layer  *atlasLayer
	Sheet  int
	Hits   []atlasHit
	Labels string // the commonest label among the hits
}

type atlasHit struct {
	features.Hit
	Map   *atlasMap
	Image *atlasImage
}

type atlasImage struct {
	Number      int
	Name, Label string
	X, Y        int  // place on images.png
	Shown       bool // there
	Hits        []atlasHit
}

// writeAtlas writes index.html, a page for each layer, and one of the images.
func writeAtlas(out *output, net *model.Network, rule deconv.Rule, index *features.Index, src *images.Inputs, layers []string, pages [][]sheetPage) error {
	summary, err := net.Summary()
	if err != nil {
		return err
	}
	shapes, err := net.Shapes()
	if err != nil {
		return err
	}
	a := &atlasData{Title: "Features of " + net.Name, Model: net.Name, Hash: hash(net), Version: version(), Rule: string(rule),
		Images: src.From, Scanned: index.Scanned(), Skipped: len(index.Skipped), Top: index.TopK}
	byNumber := map[int]*atlasImage{}
	for i, name := range layers {
		from := index.Layer(name)
		l := &atlasLayer{Name: name, Page: fileName("layer-"+name) + ".html", Number: i + 1, Shape: shapes[name].String(), Sheets: pages[i]}
		for _, s := range summary {
			if s.Name == name && s.Field[0] > 0 {
				l.Field = fmt.Sprintf("%dx%d", s.Field[0], s.Field[1])
			}
		}
		sums := summarize(from)
		for sheet, p := range pages[i] {
			for _, number := range p.Maps {
				m := &atlasMap{mapSummary: sums[number], Layer: l, Sheet: sheet}
				count := map[string]int{}
				for _, h := range from.Top[number] {
					img := byNumber[h.Image]
					if img == nil {
						img = &atlasImage{Number: h.Image, Name: src.Items[h.Image].Name}
						if k := src.Items[h.Image].Label; k >= 0 && k < len(src.Classes) {
							img.Label = src.Classes[k]
						}
						byNumber[h.Image] = img
						a.Pictures = append(a.Pictures, img)
					}
					hit := atlasHit{h, m, img}
					m.Hits, img.Hits = append(m.Hits, hit), append(img.Hits, hit)
					if img.Label != "" {
						count[img.Label]++
						if n := count[img.Label]; 2*n > len(from.Top[number]) {
							m.Labels = fmt.Sprintf("%s (%d of %d)", img.Label, n, len(from.Top[number]))
						}
					}
				}
				if m.Dead {
					l.Dead++
				}
				l.Fired += 100 * m.Fired
				l.Positions += 100 * m.Positions
				l.Maps = append(l.Maps, m)
			}
		}
		if n := float64(len(l.Maps)); n > 0 {
			l.Fired, l.Positions = l.Fired/n, l.Positions/n
		}
		if i > 0 {
			l.Previous = a.Layers[i-1]
			l.Previous.Next = l
		}
		a.Layers = append(a.Layers, l)
	}
	slices.SortFunc(a.Pictures, func(x, y *atlasImage) int { return x.Number - y.Number })
	if err := atlasPictures(out, net, a, src); err != nil {
		return err
	}
	tmpl, err := template.New("atlas").Funcs(template.FuncMap{
		"number":  func(v any) string { return render.Number(toFloat(v)) },
		"percent": func(v float64) string { return fmt.Sprintf("%.1f %%", v) },
		"share":   func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) },
		"inc":     func(i int) int { return i + 1 },
	}).Parse(atlasPages)
	if err != nil {
		return err
	}
	page := func(file, name string, data any) error {
		path := filepath.Join(out.dir, file)
		if err := out.claimPage(path); err != nil {
			return err
		}
		if err := imageio.WriteFile(path, func(w io.Writer) error { return tmpl.ExecuteTemplate(w, name, data) }); err != nil {
			return err
		}
		wrote(out.c, path)
		return nil
	}
	for _, l := range a.Layers {
		own := *a
		own.Layer = l
		if err := page(l.Page, "layer", &own); err != nil {
			return err
		}
	}
	if err := page("images.html", "images", a); err != nil {
		return err
	}
	return page("index.html", "index", a)
}

func toFloat(v any) float64 {
	switch v := v.(type) {
	case float32:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// atlasTile is the side of an image in an atlas, in pixels.
const atlasTile = 64

// atlasPictures writes one picture with all images that maps respond to, as the
// network sees them, and says where each is on it.
func atlasPictures(out *output, net *model.Network, a *atlasData, src *images.Inputs) error {
	n := len(a.Pictures)
	if n == 0 || n > atlasImages {
		if n > 0 {
			note(out.c, "%d images are named in the atlas, but not shown: more than %d", n, atlasImages)
		}
		return nil
	}
	step, end := progress(out.c, "images of the atlas")
	defer end()
	columns := int(math.Ceil(math.Sqrt(float64(n))))
	sheet := imaging.New(columns*atlasTile, (n+columns-1)/columns*atlasTile, color.NRGBA{128, 128, 128, 255})
	for i, p := range a.Pictures {
		if err := out.c.Context.Err(); err != nil {
			return err
		}
		x, err := src.Load(p.Number)
		if err != nil {
			return err
		}
		tile := image.Image(net.Preprocess.Image(x.Data, net.Input))
		if max(net.Input.H, net.Input.W) > atlasTile {
			tile = imaging.Fit(tile, atlasTile, atlasTile, imaging.Linear)
		} else {
			tile = render.Magnify(tile, atlasTile/max(net.Input.H, net.Input.W))
		}
		p.X, p.Y = i%columns*atlasTile, i/columns*atlasTile
		b := tile.Bounds().Size()
		draw.Draw(sheet, image.Rect(0, 0, b.X, b.Y).Add(image.Pt(p.X+(atlasTile-b.X)/2, p.Y+(atlasTile-b.Y)/2)), tile, tile.Bounds().Min, draw.Src)
		p.Shown = true
		if step != nil {
			step(i+1, n)
		}
	}
	path := filepath.Join(out.dir, "images.png")
	if err := imageio.WritePNG(path, sheet, provenance(out.c, net, "images", src.From)); err != nil {
		return err
	}
	wrote(out.c, path)
	return nil
}

// writeMaps draws a large sheet of each of some maps: its strongest images with the
// receptive field in each, patch and projection, and how it fires.
func (s *sheets) writeMaps(c *cli.Context, engine *model.Engine, src *images.Inputs, l features.Layer, maps []int, out *output) error {
	if len(maps) > 1 {
		if err := out.several(len(maps), "maps"); err != nil {
			return err
		}
	}
	s.projector = deconv.New(engine, s.net, s.rule)
	plan, err := engine.Compile(s.net, s.keep)
	if err != nil {
		return err
	}
	top, err := s.project(c.Context, plan, src, l, maps, func(int) {})
	if err != nil {
		return err
	}
	layerMax := top.magnitude(s.clip)
	stats := summarize(&l)
	for i, m := range top {
		var panels []render.Panel
		for j, p := range m.projections {
			x, err := src.Load(m.hits[j].Image)
			if err != nil {
				return err
			}
			k := max(224/max(s.net.Input.H, s.net.Input.W), 1)
			marked := render.Magnify(s.net.Preprocess.Image(x.Data, s.net.Input), k)
			render.DrawBox(marked, image.Rect(p.Box.X0*k, p.Box.Y0*k, p.Box.X1*k, p.Box.Y1*k), image.White.C, max(k/2, 1))
			scale := s.scale(m, layerMax)
			if s.scaling == "tile" {
				scale = p.Magnitude(s.clip)
			}
			label := ""
			if k := src.Items[m.hits[j].Image].Label; k >= 0 && k < len(src.Classes) {
				label = ", " + src.Classes[k]
			}
			panels = append(panels,
				render.Panel{Title: fmt.Sprintf("%d. %s%s", j+1, images.Title(src.Items[m.hits[j].Image].Name), label), Image: marked,
					Note: fmt.Sprintf("unit at row %d, column %d; box: receptive field, rows %d to %d, columns %d to %d", m.hits[j].Y, m.hits[j].X, p.Box.Y0, p.Box.Y1-1, p.Box.X0, p.Box.X1-1)},
				render.Panel{Title: "patch", Image: render.MagnifyTo(m.crops[j], 224), Note: activationNote(p.Value)},
				render.Panel{Title: "projection", Image: render.MagnifyTo(s.cell.frame(p, p.Draw(s.net.Preprocess, scale)), 224),
					Bar: &render.ColorBar{Palette: render.Gray, Lo: -scale, Hi: scale, Label: "input units"}})
		}
		h := &l.Stats[m.number].Maxima
		edges, counts := histogramBars(h)
		panels = append(panels, render.Panel{Title: "strongest activation in each image", Image: render.Chart{XLabel: "activation (log scale)", YLabel: "images", Width: 480, Height: 300}.Bars(edges, counts),
			Note: fmt.Sprintf("%d images, of which %.1f %% fire; in all positions mean %s, deviation %s, %.2f %% above 0", l.Stats[m.number].Images, 100*stats[m.number].Fired,
				render.Number(stats[m.number].Mean), render.Number(stats[m.number].Deviation), 100*stats[m.number].Positions)})
		shape, data := s.array(topMaps{m})
		fig := render.Figure{Title: fmt.Sprintf("%s, map %d: strongest activations, projected by rule %s", s.layer, m.number, s.rule), Columns: 6, PanelSize: 224, Panels: panels,
			Caption: []string{fmt.Sprintf("0 is mid-grey, %s; grey is outside the image. %s %s; images: %s (%d)", s.scaleText(layerMax), s.net.Name, hash(s.net), src.From, src.Len())}}
		if _, err := out.picture(fmt.Sprintf("%s-%s-map%d", s.rule, s.layer, m.number), fig.Draw(),
			numbers{json: s.numbers(top[i:i+1], l, src), shape: shape, data: data},
			"layer", s.layer, "map", fmt.Sprint(m.number), "rule", string(s.rule), "scale", s.scaling, "images", src.From); err != nil {
			return err
		}
	}
	return nil
}

// histogramBars are the bars of a histogram: zeros and what is below, then octaves.
func histogramBars(h *features.Histogram) (names []string, counts []float64) {
	names, counts = []string{"0"}, []float64{float64(h.Zero)}
	last := -1 << 20
	for i, n := range h.Counts {
		b := h.First + i
		if b < 0 {
			counts[0] += float64(n)
			names[0] = "≤ 0"
			continue
		}
		if octave := b / 4 * 4; octave != last {
			// Numbers below about a hundredth of the largest are one bar.
			if features.Bound(b+4) < features.Bound(h.First+len(h.Counts))/64 {
				counts[0] += float64(n)
				names[0] = "~ 0"
				continue
			}
			last = octave
			names, counts = append(names, render.Number(features.Bound(octave))), append(counts, 0)
		}
		counts[len(counts)-1] += float64(n)
	}
	return names, counts
}
