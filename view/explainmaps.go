package view

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/attribution/faith"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
)

// ExplainMap is one map of the page: of a method, for a class.
type ExplainMap struct {
	Method       attribution.Method        `json:"method"`
	Class        int                       `json:"class_number"`
	Shape        []int                     `json:"shape,omitempty"`
	Layers       []string                  `json:"layers,omitempty"`
	Lo           float64                   `json:"lo"` // ends of the colours
	Hi           float64                   `json:"hi"`
	Patch        *[2]int                   `json:"patch,omitempty"`
	Stride       *[2]int                   `json:"stride,omitempty"`
	Completeness *attribution.Completeness `json:"completeness,omitempty"`
	Problem      string                    `json:"problem,omitempty"`
	// Likeness is the rank correlation with the first class's map by the same method, of the second class.
	Likeness *float64 `json:"likeness,omitempty"`
}

// explainedMap is a map with its pictures.
type explainedMap struct {
	*attribution.Result // nil: the network does not carry the method
	numbers             *ExplainMap
	plane               []float32 // [H, W] of the input, with signs, not rectified
	over                image.Image
}

// batchMemory bounds what several images at once take.
const batchMemory = 192 << 20

// baseline is what integrated gradients start from: the colour that occlusion covers with.
var baseline = attribution.Baseline{Kind: attribution.MeanBaseline}

func (e *Explainer) camRequest() attribution.Request {
	r := attribution.Request{Method: attribution.GradCAM, Tokens: e.r.Tokens, Memory: e.r.Memory}
	if e.r.Layer != "" {
		r.Layers = []string{e.r.Layer}
	}
	return r
}

func (e *Explainer) pathRequest(nodes int) attribution.Request {
	return attribution.Request{Method: attribution.IntegratedGradients, Nodes: nodes, Baseline: baseline, Memory: e.r.Memory}
}

// drawMaps makes the three maps of each class.
func (m *explaining) drawMaps(ctx context.Context) error {
	results, scan, errs, err := m.results(ctx, m.s.Net, m.r.Nodes, m.classes)
	if err != nil {
		return err
	}
	defer func() { m.scanner = nil }()
	if scan != nil {
		m.occlusionFigures(scan)
	}
	for k, target := range m.classes {
		var row []*explainedMap
		for i, method := range explainMethods {
			x := &explainedMap{numbers: &ExplainMap{Method: method, Class: target.Class}}
			row = append(row, x)
			if errs[i] != nil {
				x.numbers.Problem = strings.TrimPrefix(errs[i].Error(), string(method)+": ")
			} else {
				x.Result = results[i][k]
				m.draw(x)
			}
			if k > 0 && x.Result != nil {
				like := faith.Spearman(m.maps[0][i].plane, x.plane, false)
				if like-like == 0 {
					x.numbers.Likeness = &like
				}
			}
			m.n.Maps = append(m.n.Maps, *x.numbers)
		}
		m.maps = append(m.maps, row)
	}
	return nil
}

// results are a network's maps by method and target, or why there are none.
func (m *explaining) results(ctx context.Context, net *model.Network, nodes int, targets []attribution.Target) (results [][]*attribution.Result, scan *occlusion.Map, errs []error, err error) {
	results, errs = make([][]*attribution.Result, len(explainMethods)), make([]error, len(explainMethods))
	for _, method := range []attribution.Method{attribution.GradCAM, attribution.IntegratedGradients, attribution.Occlusion} { // whose scanner stays
		i := slices.Index(explainMethods, method)
		switch r := (attribution.Request{}); method {
		case attribution.Occlusion:
			results[i], scan, errs[i] = m.scan(ctx, net, targets)
		default:
			if r = m.camRequest(); method == attribution.IntegratedGradients {
				r = m.pathRequest(nodes)
				r.Progress = func(done, total int) { m.r.Progress("integrated gradients", done, total) }
			}
			r.Targets = targets
			results[i], errs[i] = attribution.New(m.s.Engine, net).Explain(ctx, m.in.Tensor, r)
		}
		if ctx.Err() != nil {
			return nil, nil, nil, ctx.Err()
		}
	}
	return results, scan, errs, nil
}

// scan covers the image, for all targets at once.
func (m *explaining) scan(ctx context.Context, net *model.Network, targets []attribution.Target) ([]*attribution.Result, *occlusion.Map, error) {
	s, err := occlusion.New(m.s.Engine, net, m.patches)
	if err != nil {
		return nil, nil, err
	}
	var classes []int
	for _, t := range targets {
		classes = append(classes, t.Class)
	}
	of, err := s.For(classes)
	if err != nil {
		return nil, nil, err
	}
	m.scanner = of
	maps, err := of.ScanAll(ctx, m.in.Tensor, func(done, total int) { m.r.Progress("occlusion", done, total) })
	if err != nil {
		return nil, nil, err
	}
	var out []*attribution.Result
	for k, t := range targets {
		out = append(out, &attribution.Result{Method: attribution.Occlusion, Target: t, Shape: []int{m.s.Net.Input.H, m.s.Net.Input.W},
			Values: maps[0].PixelDrop[k], Score: float64(maps[0].CleanLogit[k])})
	}
	return out, maps[0], nil
}

// occlusionFigures are what viz occlude draws.
func (m *explaining) occlusionFigures(scan *occlusion.Map) {
	o := &Occluder{s: m.s, r: Occlusion{Options: m.patches}, patches: m.scanner.Patches(), scanner: m.scanner}
	o.r.Classes = m.n.Classes
	o.text = o.r.Text()
	m.figures = append(m.figures, o.Figures(m.in.Input, []*occlusion.Map{scan}, nil)...)
	for i := range m.figures {
		if len(m.n.Classes) == 1 {
			m.figures[i].Name += "-" + m.s.Net.Class(m.n.Classes[0])
		}
	}
}

// draw makes the map's figure, and lays it over the image.
func (m *explaining) draw(x *explainedMap) {
	in := m.s.Net.Input
	k := max(224/max(in.H, in.W), 1)
	f := attributionPanels{k: k, h: in.H, w: in.W, opacity: 0.7, picture: render.Magnify(m.in.picture(m.s.Net), k)}
	var part AttributionMethod
	_, over := f.panels(x.Result, &part)
	h, w := x.Size()
	x.plane, x.over = render.Smooth(whole(x.Result), h, w, in.H, in.W), over.Image
	if g := grain(in); x.Method == attribution.IntegratedGradients && g > 1 { // single pixels are too small to see
		coarse := &attribution.Result{Method: x.Method, Shape: []int{1, in.H / g, in.W / g}, Values: faith.Cells(x.plane, in.H, in.W, in.H/g, in.W/g)}
		_, over = f.panels(coarse, &part)
		x.over = over.Image
	}
	n := x.numbers
	n.Shape, n.Layers, n.Lo, n.Hi, n.Completeness = x.Shape, x.Layers, part.Lo, part.Hi, x.Completeness
	if x.Method == attribution.Occlusion {
		patch := m.scanner.Patches()[0]
		n.Patch, n.Stride = &patch, &m.patches.Stride
		return // its figure is that of the scan
	}
	r := Attribution{Methods: []attribution.Method{x.Method}, Request: m.camRequest()}
	if x.Method == attribution.IntegratedGradients {
		r.Request = m.pathRequest(m.r.Nodes)
	}
	r.Targets = m.classes
	m.figures = append(m.figures, m.s.attributionFigure(r, []explained{{x.Method, x.Result, nil}}, m.in.Input))
}

// ExplainAgreement says how far the maps of the first class name the same places.
type ExplainAgreement struct {
	Class  int           `json:"class_number"`
	Grid   [2]int        `json:"grid"`   // rows, columns of cells that maps are compared on
	Share  float64       `json:"share"`  // of the cells that count as a map's top
	Chance float64       `json:"chance"` // overlap of two such sets drawn by chance
	Pairs  []ExplainPair `json:"pairs"`
	// Common is the share of the picture that is in the top of all maps; CommonByChance what it would be by chance.
	Common         float64 `json:"common"`
	CommonByChance float64 `json:"common_by_chance"`
	Votes          []int   `json:"votes"` // by cell: maps that have it in their top
	Maps           int     `json:"maps"`
}

// ExplainPair compares two methods.
type ExplainPair struct {
	A        attribution.Method `json:"a"`
	B        attribution.Method `json:"b"`
	Spearman *float64           `json:"spearman"` // rank correlation of the cells' means
	Overlap  float64            `json:"overlap"`  // of the tops: area in both over area in either
}

const (
	cellsOnSide = 14  // of the grid on which maps are compared
	topShare    = 0.2 // of the cells, that count as a map's top
)

// agree compares the first class's maps.
func (m *explaining) agree(context.Context) error {
	in := m.s.Net.Input
	a := &ExplainAgreement{Class: m.n.Classes[0], Grid: m.grid(), Share: topShare, Chance: topShare / (2 - topShare), CommonByChance: 1}
	a.Votes = make([]int, a.Grid[0]*a.Grid[1])
	var methods []attribution.Method
	var cells [][]float32
	var tops [][]bool
	for _, x := range m.maps[0] {
		if x.Result == nil || render.MaxAbs(x.plane) == 0 {
			continue
		}
		methods = append(methods, x.Method)
		cells = append(cells, faith.Cells(x.plane, in.H, in.W, a.Grid[0], a.Grid[1]))
		tops = append(tops, faith.Top(cells[len(cells)-1], topShare))
		for i, t := range tops[len(tops)-1] {
			if t {
				a.Votes[i]++
			}
		}
		a.CommonByChance *= topShare
	}
	if a.Maps = len(methods); a.Maps < 2 {
		return fmt.Errorf("fewer than two maps are there to compare")
	}
	for i := range methods {
		for j := i + 1; j < len(methods); j++ {
			p := ExplainPair{A: methods[i], B: methods[j], Overlap: faith.Overlap(tops[i], tops[j])}
			if rank := faith.Spearman(cells[i], cells[j], false); rank-rank == 0 {
				p.Spearman = &rank
			}
			a.Pairs = append(a.Pairs, p)
		}
	}
	for _, v := range a.Votes {
		if v == a.Maps {
			a.Common += 1 / float64(len(a.Votes))
		}
	}
	m.n.Agreement = a
	picture := m.votesPicture(a)
	m.votes = picture
	m.figures = append(m.figures, Figure{Name: "agreement-" + m.in.Stem, Image: picture, Numbers: a, Facts: []Fact{{"image", m.in.Name}}})
	return nil
}

// votesPicture shows which cells how many maps name: the rest of the picture is faded.
func (m *explaining) votesPicture(a *ExplainAgreement) image.Image {
	in := m.s.Net.Input
	k := max(224/max(in.H, in.W), 1)
	img := render.Magnify(m.in.picture(m.s.Net), k)
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			votes := a.Votes[min(((y/k+1)*a.Grid[0]-1)/in.H, a.Grid[0]-1)*a.Grid[1]+min(((x/k+1)*a.Grid[1]-1)/in.W, a.Grid[1]-1)]
			keep := 0.15 + 0.85*float64(votes)/float64(a.Maps)
			o := img.PixOffset(x, y)
			for c := range 3 {
				img.Pix[o+c] = uint8(float64(keep*float64(img.Pix[o+c])) + float64((1-keep)*235))
			}
		}
	}
	m.outline(img, a, k)
	return img
}

// outline draws a line around the cells that all maps name.
func (m *explaining) outline(img *image.NRGBA, a *ExplainAgreement, k int) {
	in := m.s.Net.Input
	line := color.NRGBA{255, 120, 0, 255}
	all := func(r, c int) bool {
		return r >= 0 && c >= 0 && r < a.Grid[0] && c < a.Grid[1] && a.Votes[r*a.Grid[1]+c] == a.Maps
	}
	for r := range a.Grid[0] {
		for c := range a.Grid[1] {
			if !all(r, c) {
				continue
			}
			b := image.Rect(c*in.W/a.Grid[1]*k, r*in.H/a.Grid[0]*k, (c+1)*in.W/a.Grid[1]*k, (r+1)*in.H/a.Grid[0]*k)
			for _, side := range []struct {
				open bool
				r    image.Rectangle
			}{{!all(r-1, c), image.Rect(b.Min.X, b.Min.Y, b.Max.X, b.Min.Y+2)}, {!all(r+1, c), image.Rect(b.Min.X, b.Max.Y-2, b.Max.X, b.Max.Y)},
				{!all(r, c-1), image.Rect(b.Min.X, b.Min.Y, b.Min.X+2, b.Max.Y)}, {!all(r, c+1), image.Rect(b.Max.X-2, b.Min.Y, b.Max.X, b.Max.Y)}} {
				if side.open {
					render.DrawBox(img, side.r, line, 2)
				}
			}
		}
	}
}

// grain is the side of the squares of pixels over which maps of pixels are shown.
func grain(in model.Input) int { return max(min(in.H, in.W)/56, 1) }
