package view

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// Sheets asks for pictures of the strongest activations of maps, projected to pixels ([zeiler14] Fig. 2).
// The activations come from an index of features.
type Sheets struct {
	Maps  []int       // of the layer; nil: the 16 with the strongest activation
	Top   int         // activations of each map, from 1 to 400; 0: 9
	Rule  deconv.Rule // "": deconv.Paper
	Scale Scaling     // what is white and black: PerTile (the default), PerMap, PerLayer, or Fixed
	Fixed float64     // the magnitude that is white and black for Scale Fixed
	// Clip is the percentage of a projection's pixels that its magnitude covers, see
	// deconv.Projection.Magnitude; 0: DefaultClip.
	Clip float64
	Most int // maps on a sheet; 0: as many as fit
	// Full gathers all projections in full image size, [projections, C, H, W], map by map.
	Full bool
	// Progress is told how many of the projections are done.
	Progress func(done, total int)
}

// DefaultClip leaves out few enough pixels not to show and enough that the strongest do not decide what the
// others look like.
const DefaultClip = 99.5

// AtlasMaps is the most maps on a sheet of an atlas.
const AtlasMaps = 48

const (
	// maxPage bounds a sheet, in pixels.
	maxPage = 24_000_000
	// MaxValues bounds the arrays that one request makes, in values.
	MaxValues = 1 << 29
	// maxKept bounds the projections that are kept from measuring a layer's scale to drawing, in values.
	maxKept = 1 << 27
)

// Fields are the settings of the request but for its maps, see Selection.
func (r *Sheets) Fields() Fields {
	return Fields{
		IntField(Field{Name: "top", Default: "9", Usage: "strongest activations per map, each from another image"}, &r.Top, 1),
		RuleField(&r.Rule),
		r.scaleField(),
		clipField(&r.Clip),
	}
}

func (r *Sheets) scaleField() Field {
	return Field{Name: "scale", Default: string(PerTile), Usage: "what is white and black: the magnitude of each `tile`, map or layer, or a number",
		Set: func(_ *model.Network, text string) error {
			if v, err := strconv.ParseFloat(text, 64); err == nil {
				r.Scale, r.Fixed = Fixed, v
				return nil
			}
			if r.Scale = Scaling(text); r.Scale.check(PerTile, PerMap, PerLayer) != nil {
				return &FieldError{Field: "scale", Problem: text + ": want tile, map, layer or a positive number"}
			}
			return nil
		},
		Text: func() string {
			switch r.Scale {
			case Fixed:
				return fmt.Sprint(r.Fixed)
			case "":
				return string(PerTile)
			}
			return string(r.Scale)
		}}
}

// RuleField is how a projection goes down.
func RuleField(dst *deconv.Rule) Field {
	return ChoiceField(Field{Name: "rule", Default: string(deconv.Paper), Usage: "`RULE`: deconv (the paper's), guided, gradient (times the activation), deconv_lrngrad, deconv_leaky"},
		dst, deconv.ParseRule)
}

// clipField is Sheets.Clip.
func clipField(dst *float64) Field {
	f := PositiveField(Field{Name: "clip", Default: fmt.Sprint(DefaultClip), Usage: "`PERCENT` of a projection's pixels that its magnitude covers; 100: all"}, dst, 100)
	set := f.Set
	f.Set = func(net *model.Network, text string) error {
		if set(net, text) != nil {
			return &FieldError{Field: "clip", Problem: text + ": want a percentage above 0, at most 100"}
		}
		return nil
	}
	return f
}

// Validate reports the first thing wrong with the request.
func (r Sheets) Validate() error {
	if r.Top < 0 || r.Top > 400 {
		return &FieldError{Field: "top", Problem: fmt.Sprintf("%d: want 1 to 400", r.Top)}
	}
	if r.Clip < 0 || r.Clip > 100 || math.IsNaN(r.Clip) {
		return &FieldError{Field: "clip", Problem: fmt.Sprintf("%g: want a percentage above 0", r.Clip)}
	}
	if r.Scale == Fixed && !(r.Fixed > 0 && r.Fixed < math.MaxFloat32) {
		return &FieldError{Field: "scale", Problem: fmt.Sprintf("%g: want a positive number", r.Fixed)}
	}
	if r.Scale != "" {
		return r.Scale.check(PerTile, PerMap, PerLayer, Fixed)
	}
	return nil
}

func (r Sheets) defaults() Sheets {
	if r.Top == 0 {
		r.Top = 9
	}
	if r.Rule == "" {
		r.Rule = deconv.Paper
	}
	if r.Scale == "" {
		r.Scale = PerTile
	}
	if r.Clip == 0 {
		r.Clip = DefaultClip
	}
	return r
}

// Sheet is a picture of some maps of a layer.
type Sheet struct {
	Figure
	Maps   []int
	Places []image.Rectangle // of the maps' blocks on the picture
}

// sheetMaker is a Sheets request at work on one layer.
type sheetMaker struct {
	s         *Session
	r         Sheets
	src       *images.Inputs
	layer     *features.Layer
	projector *deconv.Projector
	plan      *model.Plan
	cell      tileCell
	page      int // maps on a sheet
	layerMax  float64
	done      int
	total     int
}

// CheckSheets reports whether Sheets can draw a layer: its rule must lead down from it.
func (s *Session) CheckSheets(r Sheets, layer string) error {
	if err := r.Validate(); err != nil {
		return err
	}
	_, err := deconv.New(s.Engine, s.Net, r.defaults().Rule).Keep(layer)
	return err
}

func (s *Session) newSheetMaker(r Sheets, src *images.Inputs, layer *features.Layer) (*sheetMaker, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	m := &sheetMaker{s: s, r: r.defaults(), src: src, layer: layer}
	m.projector = deconv.New(s.Engine, s.Net, m.r.Rule)
	keep, err := m.projector.Keep(layer.Name)
	if err != nil {
		return nil, err
	}
	if m.cell, err = newTileCell(s.Net, layer.Name); err != nil {
		return nil, err
	}
	if m.plan, err = s.Engine.Compile(s.Net, keep); err != nil {
		return nil, err
	}
	side := math.Ceil(math.Sqrt(float64(m.r.Top))) * float64(max(m.cell.size[0], m.cell.size[1], 64))
	if m.page = max(int(maxPage/(2*side*side)), 1); r.Most > 0 {
		m.page = min(m.page, r.Most)
	}
	if m.r.Maps == nil {
		m.r.Maps = firing(layer, 16)
	}
	for _, k := range m.r.Maps {
		m.total += len(layer.Top[k])
	}
	return m, nil
}

func (m *sheetMaker) tick(n int) {
	if m.done += n; m.r.Progress != nil {
		m.r.Progress(m.done, m.total)
	}
}

// Sheets draws the sheets of one layer and hands each to yield, so that not all are in memory at once. full
// is all projections in full image size if Sheets.Full asks for them, else nil.
func (s *Session) Sheets(ctx context.Context, r Sheets, src *images.Inputs, layer *features.Layer, yield func(Sheet) error) (full *Array, err error) {
	m, err := s.newSheetMaker(r, src, layer)
	if err != nil {
		return nil, err
	}
	in := s.Net.Input
	size := in.C * in.H * in.W
	if r.Full && size > MaxValues/max(m.total, 1) {
		return nil, &FieldError{Field: "npy", Problem: fmt.Sprintf("%d projections of %dx%dx%d take %.1f GB", m.total, in.C, in.H, in.W, 4e-9*float64(m.total)*float64(size)),
			Hint: "name fewer maps with --maps"}
	}
	sheets := (len(m.r.Maps) + m.page - 1) / m.page
	pages := slices.Collect(slices.Chunk(m.r.Maps, (len(m.r.Maps)+sheets-1)/sheets)) // of about one size
	kept, err := m.measure(ctx, pages)
	if err != nil {
		return nil, err
	}
	var all []float32
	for i, page := range pages {
		top := kept[i]
		if top == nil {
			if top, err = m.project(ctx, page); err != nil {
				return nil, err
			}
		}
		kept[i] = nil
		if len(pages) == 1 {
			m.layerMax = top.magnitude(m.r.Clip)
		}
		if r.Full {
			all = top.appendFull(all, in)
		}
		name := fmt.Sprintf("%s-%s", m.r.Rule, layer.Name)
		if len(pages) > 1 {
			name += fmt.Sprintf("-sheet%d", i+1)
		}
		if err := yield(m.sheet(name, page, top)); err != nil {
			return nil, err
		}
	}
	if r.Full {
		full = &Array{[]int{len(all) / size, in.C, in.H, in.W}, all}
	}
	return full, nil
}

// measure finds the magnitude of the whole layer if several sheets are to share it. The projections of a page
// are kept for drawing while they fit into memory; those of other pages are nil.
func (m *sheetMaker) measure(ctx context.Context, pages [][]int) ([]topMaps, error) {
	kept := make([]topMaps, len(pages))
	if m.r.Scale != PerLayer || len(pages) == 1 {
		return kept, nil
	}
	held := 0
	for i, page := range pages {
		top, err := m.project(ctx, page)
		if err != nil {
			return nil, err
		}
		m.layerMax = max(m.layerMax, top.magnitude(m.r.Clip))
		if size := top.values(); held+size <= maxKept {
			held += size
			kept[i] = top
		} else {
			for _, k := range page {
				m.total += len(m.layer.Top[k])
			}
		}
	}
	return kept, nil
}

func (m *sheetMaker) sheet(name string, maps []int, top topMaps) Sheet {
	img, places := m.draw(top)
	return Sheet{Figure: Figure{Name: name, Image: img, Numbers: m.numbers(top), Array: m.array(top), Facts: m.facts()}, Maps: maps, Places: places}
}

func (m *sheetMaker) facts(more ...Fact) []Fact {
	facts := append([]Fact{{"layer", m.layer.Name}}, more...)
	return append(facts, Fact{"rule", string(m.r.Rule)}, Fact{"scale", string(m.r.Scale)}, Fact{"images", m.src.From})
}

// firing lists the n maps with the strongest activations, in order of number.
func firing(l *features.Layer, n int) []int {
	maps := make([]int, len(l.Top))
	for i := range maps {
		maps[i] = i
	}
	slices.SortStableFunc(maps, func(a, b int) int { return cmp.Compare(topValue(l.Top[b]), topValue(l.Top[a])) })
	maps = maps[:min(n, len(maps))]
	slices.Sort(maps)
	return maps
}

// topValue is the value of the first hit, 0 if there is none.
func topValue(top []features.Hit) float32 {
	if len(top) == 0 {
		return 0
	}
	return top[0].Value
}

// draw lays a sheet out: per map a block of projections beside a block of patches.
func (m *sheetMaker) draw(top topMaps) (image.Image, []image.Rectangle) {
	var blocks []render.Block
	for _, t := range top {
		b := render.Block{Label: fmt.Sprintf("map %d  max %s", t.number, render.Number(float64(topValue(t.hits)))), Right: t.crops}
		if topValue(t.hits) <= 0 {
			b.Label = fmt.Sprintf("map %d  never fires", t.number)
		}
		for _, p := range t.projections {
			b.Left = append(b.Left, m.cell.frame(p, p.Draw(m.s.Net.Preprocess, m.scale(t, p))))
		}
		blocks = append(blocks, b)
	}
	return render.PlacedBlocks(blocks, render.BlockOptions{
		Title: fmt.Sprintf("%s: strongest activations, projected by rule %s", m.layer.Name, ruleText(m.r.Rule)),
		Caption: []string{fmt.Sprintf("Left of each block: projections, 0 is mid-grey, %s. Right: the patches of the images in the receptive field; grey is outside the image.", m.scaleText()),
			fmt.Sprintf("%s; %s", m.s.about(), m.imagesText())}})
}

// imagesText says which images were looked at, and that they are few if they are.
func (m *sheetMaker) imagesText() string {
	text := fmt.Sprintf("images: %s (%d)", m.src.From, m.src.Len())
	if m.src.Len() <= m.r.Top {
		text += fmt.Sprintf("; the strongest of only %d images: more images would show more", m.src.Len())
	}
	return text
}

// scale is what is white and black in the tile of a projection of a map.
func (m *sheetMaker) scale(t topMap, p *deconv.Projection) float64 {
	switch m.r.Scale {
	case Fixed:
		return m.r.Fixed
	case PerMap:
		return t.magnitude(m.r.Clip)
	case PerLayer:
		return m.layerMax
	}
	return p.Magnitude(m.r.Clip)
}

func (m *sheetMaker) scaleText() string {
	switch m.r.Scale {
	case Fixed:
		return "white and black are ±" + render.Number(m.r.Fixed)
	case PerMap:
		return "white and black are each map's " + ClipText(m.r.Clip)
	case PerLayer:
		return fmt.Sprintf("white and black are ±%s, the layer's %s", render.Number(m.layerMax), ClipText(m.r.Clip))
	}
	return "white and black are each tile's " + ClipText(m.r.Clip)
}

// ClipText says in words which magnitude a scale is.
func ClipText(clip float64) string {
	if clip == 100 {
		return "largest magnitude"
	}
	return fmt.Sprintf("magnitude at the %gth percentile", clip)
}

// array is the projections of a sheet, [maps, hits, C, rows, columns], each in its tile; what is not there
// is 0.
func (m *sheetMaker) array(top topMaps) *Array {
	c, h, w := m.s.Net.Input.C, m.cell.size[0], m.cell.size[1]
	hits := 0
	for _, t := range top {
		hits = max(hits, len(t.hits))
	}
	if hits == 0 || c*h*w > MaxValues/(len(top)*hits) {
		return nil
	}
	data := make([]float32, len(top)*hits*c*h*w)
	for i, t := range top {
		for j, p := range t.projections {
			y, x := m.cell.place(p)
			for k := range c * p.Box.H() {
				ch, row := k/p.Box.H(), k%p.Box.H()
				at := (((i*hits+j)*c+ch)*h+y+row)*w + x
				copy(data[at:at+p.Box.W()], p.Pixels[k*p.Box.W():])
			}
		}
	}
	return &Array{[]int{len(top), hits, c, h, w}, data}
}

// ruleText names a rule for people: a projection starts at the activation, so that the gradient is multiplied by it.
func ruleText(r deconv.Rule) string {
	if r == deconv.Gradient {
		return "gradient (times the activation)"
	}
	return string(r)
}
