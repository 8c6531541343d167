package render

import (
	"image"
)

// A Block is one feature map on a sheet: a grid of projections at the left and, if
// there are any, a grid of the image patches they belong to at the right
// ([zeiler14] Fig. 2). Tile i of Right belongs to tile i of Left.
type Block struct {
	Label       string // above the block, such as "map 17  max 3.21"
	Left, Right []image.Image
	Columns     int // of each grid; 0: ceil(sqrt(number of tiles)), so 3 for nine
}

// BlockOptions says how BlockSheet lays out blocks.
type BlockOptions struct {
	Title   string
	Caption []string // lines below the blocks, wrapped
	Columns int      // blocks in a row; 0: as many as make the sheet roughly square
	MinTile int      // pixels, see GridOptions; 0: 64, negative: never enlarge
}

// Lines inside a grid are one pixel, as in Grid; these are the wider spaces.
const (
	pairGap   = 4  // between the two grids of a block
	blockGap  = 24 // between blocks
	labelGap  = 4  // between label and grids
	minBlockW = 120
)

// BlockSheet draws blocks row by row under their labels. All tiles of the sheet are
// enlarged by the same whole number; within a block, tiles of different sizes
// (patches at the image border) stand in the middle of cells of the largest
// size, on mid-grey.
func BlockSheet(blocks []Block, o BlockOptions) *image.NRGBA {
	img, _ := PlacedBlocks(blocks, o)
	return img
}

// PlacedBlocks is BlockSheet, and says where on the sheet each block is, with its
// label.
func PlacedBlocks(blocks []Block, o BlockOptions) (*image.NRGBA, []image.Rectangle) {
	minTile := o.MinTile
	if minTile == 0 {
		minTile = 64
	}
	var all []image.Image
	for _, b := range blocks {
		all = append(append(all, b.Left...), b.Right...)
	}
	k := enlargement(largest(all), minTile)
	bodies := make([]image.Image, len(blocks))
	for i, b := range blocks {
		bodies[i] = b.draw(k)
	}
	size := largest(bodies)
	if len(blocks) > 0 {
		size.X = max(size.X, minBlockW)
	}
	label := newTypeface(regular(), headSize)
	cellW := size.X + blockGap
	cellH := size.Y + label.height + labelGap + blockGap

	columns := o.Columns
	if columns < 1 { // the number whose sheet is nearest to a square, at least as wide as high
		for columns = 1; columns*cellW < (len(blocks)+columns-1)/columns*cellH; columns++ {
		}
	}
	columns = max(1, min(columns, len(blocks)))
	rows := (len(blocks) + columns - 1) / columns
	page, c, at := newPage(o.Title, o.Caption, max(1, columns*cellW-blockGap), max(1, rows*cellH-blockGap), 1)
	places := make([]image.Rectangle, len(blocks))
	for i, b := range blocks {
		x, y := i%columns*cellW, i/columns*cellH
		c.text(label, label.shorten(clean(b.Label), size.X), x, y, size.X, 0, ink)
		c.picture(bodies[i], x, y+label.height+labelGap)
		places[i] = image.Rect(x, y, x+size.X, y+label.height+labelGap+size.Y).Add(at)
	}
	return page.done(), places
}

// draw is the block without its label, every tile enlarged k times.
func (b Block) draw(k int) *image.NRGBA {
	cell := largest(append(append([]image.Image{}, b.Left...), b.Right...))
	left := tileGrid(b.Left, cell, b.Columns, k)
	if len(b.Right) == 0 {
		return left
	}
	right := tileGrid(b.Right, cell, b.Columns, k)
	w := left.Rect.Dx() + pairGap + right.Rect.Dx()
	c := newCanvas(w, max(left.Rect.Dy(), right.Rect.Dy()))
	c.picture(left, 0, 0)
	c.picture(right, left.Rect.Dx()+pairGap, 0)
	return c.done()
}

// tileGrid is Grid without the outer line and with cells of a given size (before
// the enlargement).
func tileGrid(tiles []image.Image, cell image.Point, columns, k int) *image.NRGBA {
	padded := make([]image.Image, len(tiles))
	for i, t := range tiles {
		if t == nil {
			continue
		}
		p := image.NewNRGBA(image.Rectangle{Max: cell})
		drawTile(p, p.Rect, t, 1)
		padded[i] = Magnify(p, k)
	}
	g := Grid(padded, GridOptions{Columns: columns})
	if len(tiles) == 0 {
		return g
	}
	return toNRGBA(g.SubImage(g.Rect.Inset(1)))
}
