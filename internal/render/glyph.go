package render

import (
	"image"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// steadyFace is a typeface whose glyphs have the same pixels on every processor. The rasteriser's own curves round
// products and sums together on arm64, so it gets straight lines only.
type steadyFace struct {
	font.Face
	font  *opentype.Font
	scale fixed.Int26_6

	buffer sfnt.Buffer
	rast   vector.Rasterizer
	mask   image.Alpha
}

// newSteadyFace is a face of a TrueType font, whose size is in pixels.
func newSteadyFace(f *opentype.Font, size float64) (font.Face, error) {
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72})
	if err != nil {
		return nil, err
	}
	return &steadyFace{Face: face, font: f, scale: fixed.Int26_6(0.5 + float64(size*64))}, nil
}

// Glyph draws a character whose origin is at dot. The mask is good until the next call.
func (f *steadyFace) Glyph(dot fixed.Point26_6, r rune) (image.Rectangle, image.Image, image.Point, fixed.Int26_6, bool) {
	none := func() (image.Rectangle, image.Image, image.Point, fixed.Int26_6, bool) {
		return image.Rectangle{}, nil, image.Point{}, 0, false
	}
	index, err := f.font.GlyphIndex(&f.buffer, r)
	if err != nil {
		return none()
	}
	advance, err := f.font.GlyphAdvance(&f.buffer, index, f.scale, font.HintingNone)
	if err != nil {
		return none()
	}
	outline, err := f.font.LoadGlyph(&f.buffer, index, f.scale, nil)
	if err != nil {
		return none()
	}
	b := outline.Bounds().Add(dot)
	at := image.Rect(b.Min.X.Floor(), b.Min.Y.Floor(), b.Max.X.Ceil(), b.Max.Y.Ceil())
	w, h := at.Dx(), at.Dy()
	if n := w * h; n > cap(f.mask.Pix) {
		f.mask.Pix = make([]uint8, n)
	} else {
		f.mask.Pix = f.mask.Pix[:n]
	}
	f.mask.Stride, f.mask.Rect = w, image.Rect(0, 0, w, h)
	f.rast.Reset(w, h)
	f.rast.DrawOp = draw.Src
	f.draw(outline, dot.Sub(fixed.P(at.Min.X, at.Min.Y)))
	f.rast.Draw(&f.mask, f.mask.Rect, image.Opaque, image.Point{})
	return at, &f.mask, image.Point{}, advance, index != 0
}

// draw gives an outline, moved, to the rasteriser. Outlines of TrueType are lines and parabolas.
func (f *steadyFace) draw(outline sfnt.Segments, by fixed.Point26_6) {
	for _, s := range outline {
		var p [2][2]float32
		for i := range p {
			p[i] = [2]float32{float32(s.Args[i].X+by.X) / 64, float32(s.Args[i].Y+by.Y) / 64}
		}
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			f.rast.MoveTo(p[0][0], p[0][1])
		case sfnt.SegmentOpLineTo:
			f.rast.LineTo(p[0][0], p[0][1])
		case sfnt.SegmentOpQuadTo:
			f.parabola(p[0], p[1])
		}
	}
}

// parabola draws a curve from the pen to a point, which a control point bends, in lines that are as long as no one sees.
func (f *steadyFace) parabola(control, to [2]float32) {
	var from [2]float32
	from[0], from[1] = f.rast.Pen()
	bend := float32(0) // how far from a line it is, squared
	for i := range from {
		d := from[i] - float32(2*control[i]) + to[i]
		bend += float32(d * d)
	}
	if bend >= 0.333 {
		between := func(t, a, b float32) float32 { return a + float32(t*(b-a)) }
		n := 1 + int(math.Sqrt(math.Sqrt(3*float64(bend))))
		t, step := float32(0), 1/float32(n)
		for range n - 1 {
			t += step
			var p [2]float32
			for i := range p {
				p[i] = between(t, between(t, from[i], control[i]), between(t, control[i], to[i]))
			}
			f.rast.LineTo(p[0], p[1])
		}
	}
	f.rast.LineTo(to[0], to[1])
}
