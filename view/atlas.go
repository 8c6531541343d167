package view

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/page"
	"github.com/deconvnet/viz/internal/render"
	"github.com/disintegration/imaging"
)

// Atlas asks for the pages that lead from layers to maps to images, around sheets that were drawn before.
type Atlas struct {
	Layers  []string
	Sheets  [][]AtlasSheet // by layer
	Files   []string       // the page of each layer, such as layer-relu1.html
	Rule    string
	Version string // of the program, for the foot of the pages
	// Progress is told how many of the images are drawn.
	Progress func(done, total int)
}

// AtlasSheet is a sheet's file and what is where on it.
type AtlasSheet struct {
	File   string
	Size   image.Point
	Maps   []int
	Places []image.Rectangle
}

// Page is a file of HTML.
type Page struct {
	File string
	HTML []byte
}

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
	Sheets            []AtlasSheet
	Maps              []*atlasMap
	Previous, Next    *atlasLayer
}

// Areas are the places of the maps on a sheet, for an image map.
func (l *atlasLayer) Areas(p AtlasSheet) []map[string]any {
	var out []map[string]any
	for i, m := range p.Maps {
		r := p.Places[i]
		out = append(out, map[string]any{"Map": m, "Coords": fmt.Sprintf("%d,%d,%d,%d", r.Min.X, r.Min.Y, r.Max.X, r.Max.Y)})
	}
	return out
}

type atlasMap struct {
	MapSummary
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

// Atlas makes index.html, a page for each layer, images.html, and images.png, a picture of all images that
// maps respond to, as the network sees them (nil if they are too many, which note says).
func (s *Session) Atlas(ctx context.Context, r Atlas, src *images.Inputs, index *features.Index) (pages []Page, picture image.Image, note string, err error) {
	a, err := s.atlasData(r, src, index)
	if err != nil {
		return nil, nil, "", err
	}
	switch n := len(a.Pictures); {
	case n > atlasImages:
		note = fmt.Sprintf("%d images are named in the atlas, but not shown: more than %d", n, atlasImages)
	case n > 0:
		if picture, err = s.atlasPicture(ctx, r, a, src); err != nil {
			return nil, nil, "", err
		}
	}
	add := func(file, name string, data any) {
		var html []byte
		if err == nil {
			html, err = page.HTML(name, data)
			pages = append(pages, Page{file, html})
		}
	}
	for _, l := range a.Layers {
		own := *a
		own.Layer = l
		add(l.Page, "atlas-layer", &own)
	}
	add("images.html", "atlas-images", a)
	add("index.html", "atlas-index", a)
	return pages, picture, note, err
}

func (s *Session) atlasData(r Atlas, src *images.Inputs, index *features.Index) (*atlasData, error) {
	shapes, err := s.Net.Shapes()
	if err != nil {
		return nil, err
	}
	fields, err := s.Net.Fields(shapes)
	if err != nil {
		return nil, err
	}
	a := &atlasData{Title: "Features of " + s.Net.Name, Model: s.Net.Name, Hash: s.hash, Version: r.Version, Rule: r.Rule,
		Images: src.From, Scanned: index.Scanned(), Skipped: len(index.Skipped), Top: index.TopK}
	byNumber := map[int]*atlasImage{}
	for i, name := range r.Layers {
		l := &atlasLayer{Name: name, Page: r.Files[i], Number: i + 1, Shape: shapes[name].String(), Sheets: r.Sheets[i]}
		if f, _ := fields.Size(name); f[0] > 0 {
			l.Field = fmt.Sprintf("%dx%d", f[0], f[1])
		}
		a.addMaps(l, src, index.Layer(name), byNumber)
		if i > 0 {
			l.Previous = a.Layers[i-1]
			l.Previous.Next = l
		}
		a.Layers = append(a.Layers, l)
	}
	slices.SortFunc(a.Pictures, func(x, y *atlasImage) int { return x.Number - y.Number })
	return a, nil
}

// addMaps adds the maps of a layer, with the images they respond to.
func (a *atlasData) addMaps(l *atlasLayer, src *images.Inputs, from *features.Layer, byNumber map[int]*atlasImage) {
	sums := Summarize(from)
	for sheet, p := range l.Sheets {
		for _, number := range p.Maps {
			m := &atlasMap{MapSummary: sums[number], Layer: l, Sheet: sheet}
			count := map[string]int{}
			for _, h := range from.Top[number] {
				img := byNumber[h.Image]
				if img == nil {
					img = &atlasImage{Number: h.Image, Name: src.Items[h.Image].Name, Label: src.Class(h.Image)}
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
			l.Fired += float64(100 * m.Fired)
			l.Positions += float64(100 * m.Positions)
			l.Maps = append(l.Maps, m)
		}
	}
	if n := float64(len(l.Maps)); n > 0 {
		l.Fired, l.Positions = l.Fired/n, l.Positions/n
	}
}

// atlasTile is the side of an image in an atlas, in pixels.
const atlasTile = 64

// atlasPicture draws all images of an atlas on one picture, and says where each is on it.
func (s *Session) atlasPicture(ctx context.Context, r Atlas, a *atlasData, src *images.Inputs) (image.Image, error) {
	in := s.Net.Input
	n := len(a.Pictures)
	columns := int(math.Ceil(math.Sqrt(float64(n))))
	sheet := imaging.New(columns*atlasTile, (n+columns-1)/columns*atlasTile, color.NRGBA{128, 128, 128, 255})
	for i, p := range a.Pictures {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x, err := src.Load(p.Number)
		if err != nil {
			return nil, err
		}
		tile := image.Image(s.Net.Picture(x.Data))
		if max(in.H, in.W) > atlasTile {
			tile = imageio.Fit(tile, atlasTile, atlasTile, imageio.Linear)
		} else {
			tile = render.Magnify(tile, atlasTile/max(in.H, in.W))
		}
		p.X, p.Y = i%columns*atlasTile, i/columns*atlasTile
		b := tile.Bounds().Size()
		draw.Draw(sheet, image.Rect(0, 0, b.X, b.Y).Add(image.Pt(p.X+(atlasTile-b.X)/2, p.Y+(atlasTile-b.Y)/2)), tile, tile.Bounds().Min, draw.Src)
		p.Shown = true
		if r.Progress != nil {
			r.Progress(i+1, n)
		}
	}
	return sheet, nil
}
