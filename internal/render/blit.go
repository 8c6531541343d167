package render

import (
	"image"
	"image/color"
	"image/draw"
)

// pixels are those of an image with four bytes a pixel, nil for other images.
func pixels(img image.Image) (pix []byte, stride int, bounds image.Rectangle) {
	switch m := img.(type) {
	case *image.NRGBA:
		return m.Pix, m.Stride, m.Rect
	case *image.RGBA:
		return m.Pix, m.Stride, m.Rect
	}
	return nil, 0, image.Rectangle{}
}

// fill gives all pixels of a rectangle one colour. It is draw.Draw, which takes pixels one by one, for the usual images.
func fill(dst draw.Image, r image.Rectangle, c color.Color) {
	pix, stride, bounds := pixels(dst)
	k := color.NRGBAModel.Convert(c).(color.NRGBA)
	if pix == nil || k.A != 255 {
		draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
		return
	}
	if r = r.Intersect(bounds); r.Empty() {
		return
	}
	at := (r.Min.Y-bounds.Min.Y)*stride + 4*(r.Min.X-bounds.Min.X)
	first := pix[at:][:4*r.Dx()]
	for i := 0; i < len(first); i += 4 {
		first[i], first[i+1], first[i+2], first[i+3] = k.R, k.G, k.B, 255
	}
	for y := 1; y < r.Dy(); y++ {
		copy(pix[at+y*stride:], first)
	}
}

// paste lays src over dst, its corner at a point.
func paste(dst draw.Image, at image.Point, src image.Image) {
	b := src.Bounds()
	r := image.Rectangle{at, at.Add(b.Size())}
	to, stride, bounds := pixels(dst)
	from, pitch, _ := pixels(src)
	if to == nil || from == nil || !r.In(bounds) || !opaque(src) {
		draw.Draw(dst, r, src, b.Min, draw.Over)
		return
	}
	for y := range b.Dy() {
		copy(to[(r.Min.Y-bounds.Min.Y+y)*stride+4*(r.Min.X-bounds.Min.X):], from[y*pitch:][:4*b.Dx()])
	}
}

// pasteLarge writes the pixels of src, k times enlarged, from the first of pix on.
func pasteLarge(pix []byte, stride int, src *image.NRGBA, k int) {
	w, h := src.Rect.Dx(), src.Rect.Dy()
	for y := range h {
		row := pix[y*k*stride:][:4*w*k]
		from := src.Pix[y*src.Stride:][:4*w]
		for at := 0; len(from) >= 4; from = from[4:] {
			v := [4]byte(from)
			for range k {
				*(*[4]byte)(row[at:]) = v
				at += 4
			}
		}
		for i := 1; i < k; i++ {
			copy(pix[(y*k+i)*stride:], row)
		}
	}
}

// opaque reports whether nothing shines through an image.
func opaque(img image.Image) bool {
	if m, ok := img.(*image.NRGBA); ok {
		for y := range m.Rect.Dy() {
			all := byte(255)
			row := m.Pix[y*m.Stride:][:4*m.Rect.Dx()]
			for ; len(row) >= 16; row = row[16:] {
				all &= row[3] & row[7] & row[11] & row[15]
			}
			for ; len(row) >= 4; row = row[4:] {
				all &= row[3]
			}
			if all != 255 {
				return false
			}
		}
		return true
	}
	o, ok := img.(interface{ Opaque() bool })
	return ok && o.Opaque()
}
