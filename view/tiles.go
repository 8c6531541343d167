package view

import (
	"context"
	"image"
	"image/color"
	gomaps "maps"
	"slices"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/disintegration/imaging"
)

// topMaps are the maps of one picture.
type topMaps []topMap

type topMap struct {
	number      int
	hits        []features.Hit
	projections []*deconv.Projection
	crops       []image.Image
}

// magnitude is the largest of the projections' magnitudes.
func (t topMaps) magnitude(clip float64) float64 {
	m := 0.0
	for _, tm := range t {
		m = max(m, tm.magnitude(clip))
	}
	return m
}

func (t topMap) magnitude(clip float64) float64 {
	m := 0.0
	for _, p := range t.projections {
		m = max(m, p.Magnitude(clip))
	}
	return m
}

// values is the number of values in the projections and the pixels of their patches.
func (t topMaps) values() int {
	n := 0
	for _, m := range t {
		for i, p := range m.projections {
			b := m.crops[i].Bounds()
			n += len(p.Pixels) + b.Dx()*b.Dy()
		}
	}
	return n
}

// appendFull appends all projections in full image size, map by map.
func (t topMaps) appendFull(all []float32, in model.Input) []float32 {
	for _, m := range t {
		for _, p := range m.projections {
			all = append(all, p.Full(in.H, in.W)...)
		}
	}
	return all
}

// project takes the hits of some maps down to pixels. Each image is run once, for all its hits.
func (p *sheetMaker) project(ctx context.Context, maps []int) (topMaps, error) {
	type place struct{ m, h int }
	byImage := map[int][]place{}
	var top topMaps
	for i, m := range maps {
		t := topMap{number: m, hits: p.layer.Top[m]}
		t.projections = make([]*deconv.Projection, len(t.hits))
		t.crops = make([]image.Image, len(t.hits))
		top = append(top, t)
		for j, h := range t.hits {
			byImage[h.Image] = append(byImage[h.Image], place{i, j})
		}
	}
	for batch := range slices.Chunk(slices.Sorted(gomaps.Keys(byImage)), p.plan.Batch(256<<20, 32)) {
		var xs []*tensor.Tensor
		for _, i := range batch {
			x, err := p.src.Load(i)
			if err != nil {
				return nil, err
			}
			xs = append(xs, x)
		}
		t, err := p.plan.Run(tensor.Stack(xs...))
		if err != nil {
			return nil, err
		}
		var targets []deconv.Target
		var places []place
		for b, i := range batch {
			for _, at := range byImage[i] {
				h := top[at.m].hits[at.h]
				targets = append(targets, deconv.Target{Image: b, Unit: model.Unit{Layer: p.layer.Name, Channel: top[at.m].number, Y: h.Y, X: h.X}})
				places = append(places, at)
			}
		}
		projections, err := p.projector.ProjectAll(ctx, t, targets)
		if err != nil {
			return nil, err
		}
		for k, at := range places {
			top[at.m].projections[at.h] = projections[k]
			top[at.m].crops[at.h] = p.cell.frame(projections[k], projections[k].Crop(p.s.Net.Preprocess, p.s.Net.Input, t.Input))
		}
		p.tick(len(places))
	}
	return top, nil
}

// tileCell gives all tiles of a sheet one size, that of a receptive field away
// from the border, or the whole image if that is smaller; what lies outside the
// image is mid-grey. Units then stand at the same place in each tile.
type tileCell struct {
	fields *model.Fields
	size   [2]int  // rows, columns
	whole  [2]bool // the tile is the whole image along this axis
}

func newTileCell(net *model.Network, layer string) (tileCell, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return tileCell{}, err
	}
	fields, err := net.Fields(shapes)
	if err != nil {
		return tileCell{}, err
	}
	t := tileCell{fields: fields, size: [2]int{net.Input.H, net.Input.W}, whole: [2]bool{true, true}}
	field, _ := fields.Size(layer)
	for a, n := range field {
		if n > 0 && n < t.size[a] {
			t.size[a], t.whole[a] = n, false
		}
	}
	return t, nil
}

// frame puts a picture of a projection's box into its cell. A box that is cut
// by a border keeps to the side away from that border.
func (t tileCell) frame(p *deconv.Projection, img image.Image) image.Image {
	y, x := t.place(p)
	out := imaging.New(t.size[1], t.size[0], color.NRGBA{128, 128, 128, 255})
	return imaging.Paste(out, img, image.Pt(x, y))
}

// place is where in the cell the box begins: where it does in what the unit
// would see without borders, or in the image.
func (t tileCell) place(p *deconv.Projection) (y, x int) {
	y, x = p.Box.Y0, p.Box.X0
	open, _ := t.fields.Box(p.Unit.Layer, p.Unit.Y, p.Unit.X)
	if !t.whole[0] {
		y -= open.Y0
	}
	if !t.whole[1] {
		x -= open.X0
	}
	return y, x
}
