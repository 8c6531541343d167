package render

import "image"

// A Table is a grid of tiles with a label for each row and each column, such as
// maps by epochs in [zeiler14] Fig. 4.
type Table struct {
	Title   string
	Caption []string // lines below the tiles, wrapped
	Columns []string // above the tiles, may be empty; shortened to the tile's width
	Rows    []TableRow
	MinTile int     // pixels, see GridOptions; 0: 64, negative: never enlarge
	Scale   float64 // of the texts; 0: 1
}

// A TableRow is a row of tiles; nil leaves a cell empty.
type TableRow struct {
	Label string // at the left, may be empty; at most 160 pixels wide
	Tiles []image.Image
}

// Draw returns the table on a white page. All tiles are enlarged by the same whole
// number and stand in the middle of cells of one size, on mid-grey, one pixel
// apart.
func (t Table) Draw() *image.NRGBA {
	const labelSpace, gap = 10, 1
	scale := t.Scale
	if scale <= 0 {
		scale = 1
	}
	maxLabel := int(160 * scale)
	minTile := t.MinTile
	if minTile == 0 {
		minTile = 64
	}
	face := newTypeface(regular(), bodySize*scale)
	var all []image.Image
	columns := len(t.Columns)
	left := 0
	labels := make([]string, len(t.Rows))
	for i, r := range t.Rows {
		all = append(all, r.Tiles...)
		columns = max(columns, len(r.Tiles))
		if labels[i] = face.shorten(clean(r.Label), maxLabel); labels[i] != "" {
			left = max(left, face.width(labels[i])+labelSpace)
		}
	}
	cell := largest(all)
	k := enlargement(cell, minTile)
	cell = cell.Mul(k)
	// A row is never lower than its label.
	rowH := max(cell.Y, face.height)
	top := 0
	if len(t.Columns) > 0 {
		top = face.height + 2
	}
	page, c, _ := newPage(t.Title, t.Caption, max(1, left+columns*(cell.X+gap)-gap), max(1, top+len(t.Rows)*(rowH+gap)-gap), scale)
	for i, s := range t.Columns {
		c.text(face, face.shorten(clean(s), cell.X), left+i*(cell.X+gap), 0, cell.X, 0.5, ink)
	}
	for i, r := range t.Rows {
		y := top + i*(rowH+gap)
		c.text(face, labels[i], 0, y+(rowH-face.height)/2, left-labelSpace, 1, ink)
		for j, tile := range r.Tiles {
			at := image.Pt(left+j*(cell.X+gap), y+(rowH-cell.Y)/2)
			drawTile(c.img, image.Rectangle{at, at.Add(cell)}, tile, k)
		}
	}
	return page.done()
}
