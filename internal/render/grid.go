package render

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// mid is the colour of what has no value: padding around small tiles.
var mid = color.NRGBA{128, 128, 128, 255}

// GridOptions says how Grid lays out tiles. The zero value is a near-square grid
// with white lines of one pixel.
type GridOptions struct {
	Columns    int         // tiles in a row; 0: ceil(sqrt(number of tiles))
	Gap        int         // pixels between tiles and around them; 0: 1, negative: none
	Background color.Color // of the gaps and of cells without a tile; nil: white
	Labels     []string    // short text above each tile; nil: none
	MinTile    int         // enlarge by the smallest whole number that makes the longest side at least this; 0: never
}

// Grid lays tiles out row by row. All cells have one size, that of the widest and
// the highest tile; smaller tiles stand in the middle of their cell on mid-grey
// (the odd pixel is right or below). A nil tile leaves its cell empty. Without
// tiles the result is a single pixel of background.
func Grid(tiles []image.Image, o GridOptions) *image.NRGBA {
	background := o.Background
	if background == nil {
		background = color.White
	}
	gap := o.Gap
	if gap == 0 {
		gap = 1
	}
	gap = max(gap, 0)
	columns := columnsFor(len(tiles), o.Columns)
	rows := 0
	if columns > 0 {
		rows = (len(tiles) + columns - 1) / columns
	}
	cell := largest(tiles)
	k := enlargement(cell, o.MinTile)
	cell = cell.Mul(k)

	strip, face := 0, typeface{}
	if o.Labels != nil {
		face = newTypeface(regular(), tickSize)
		strip = face.height
	}
	w := max(1, columns*(cell.X+gap)+gap)
	h := max(1, rows*(cell.Y+strip+gap)+gap)
	if len(tiles) == 0 {
		w, h = 1, 1
	}
	page := newCanvas(w, h)
	dst := page.done() // shares the pixels, which are opaque
	fill(dst, dst.Rect, background)
	for i, tile := range tiles {
		at := image.Pt(gap+i%columns*(cell.X+gap), gap+i/columns*(cell.Y+strip+gap))
		if i < len(o.Labels) {
			page.text(face, o.Labels[i], at.X, at.Y, cell.X, 0, soft)
		}
		at.Y += strip
		drawTile(dst, image.Rectangle{at, at.Add(cell)}, tile, k)
	}
	return dst
}

// columnsFor is want, or the side of the smallest square that holds n tiles; never
// more than n.
func columnsFor(n, want int) int {
	if want < 1 {
		want = int(math.Ceil(math.Sqrt(float64(n))))
	}
	return min(want, n)
}

// largest is the widest width and the highest height among tiles.
func largest(tiles []image.Image) image.Point {
	var size image.Point
	for _, t := range tiles {
		if t != nil {
			size.X = max(size.X, t.Bounds().Dx())
			size.Y = max(size.Y, t.Bounds().Dy())
		}
	}
	return size
}

// enlargement is the smallest whole number that makes the longer side of size at
// least target.
func enlargement(size image.Point, target int) int {
	side := max(1, size.X, size.Y)
	return max(1, (target+side-1)/side)
}

// drawTile draws tile, k times enlarged, into the middle of cell on mid-grey.
func drawTile(dst draw.Image, cell image.Rectangle, tile image.Image, k int) {
	if tile == nil {
		return
	}
	src := toNRGBA(tile)
	size := src.Rect.Size().Mul(k)
	if size != cell.Size() {
		fill(dst, cell, mid)
	}
	at := cell.Min.Add(cell.Size().Sub(size).Div(2))
	pix, stride, bounds := pixels(dst)
	if r := (image.Rectangle{at, at.Add(size)}); pix == nil || r.Empty() || !r.In(bounds) || !opaque(src) {
		fill(dst, cell, mid)
		paste(dst, at, Magnify(src, k))
		return
	}
	pasteLarge(pix[(at.Y-bounds.Min.Y)*stride+4*(at.X-bounds.Min.X):], stride, src, k)
}
