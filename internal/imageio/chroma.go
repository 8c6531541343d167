package imageio

import "image"

// Networks were trained on pixels that libjpeg decoded (Python's PIL, OpenCV and
// browsers use it): it interpolates chroma stored at half the resolution, where
// image/jpeg repeats it. At edges of colour the difference reaches 100 of 255.

// plane is one component of a JPEG as stored: of dx x dy pixels one sample.
type plane struct {
	pix    []uint8
	stride int
	w, h   int // in samples
	dx, dy int
}

func planeOf(pix []uint8, stride, w, h, dx, dy int) plane {
	return plane{pix, stride, (w + dx - 1) / dx, (h + dy - 1) / dy, dx, dy}
}

func (p plane) row(y int) []uint8 { return p.pix[min(max(y, 0), p.h-1)*p.stride:][:p.w] }

// expand writes row y of the picture, len(dst) pixels, as libjpeg does: half
// resolution is interpolated, except across if there are no more than two
// samples; anything else is repeated. sums has room for a row of samples.
func (p plane) expand(dst []uint8, sums []int, y int) {
	near := p.row(y / p.dy)
	other := p.row(y/p.dy - 1 + y%2*2) // if dy is 2: the row on the other side of y
	switch {
	case p.dx == 1 && p.dy == 1:
		copy(dst, near)
	case p.dx == 1 && p.dy == 2:
		for x := range dst {
			dst[x] = uint8((3*int(near[x]) + int(other[x]) + 1 + y%2) >> 2)
		}
	case p.dx == 2 && p.dy == 1 && p.w > 2:
		for x := range near {
			sums[x] = int(near[x])
		}
		widen(dst, sums[:p.w], 1, 2, 2)
	case p.dx == 2 && p.dy == 2 && p.w > 2:
		for x := range near {
			sums[x] = 3*int(near[x]) + int(other[x])
		}
		widen(dst, sums[:p.w], 8, 7, 4)
	default:
		for x := range dst {
			dst[x] = near[x/p.dx]
		}
	}
}

// widen doubles a row of sums: each new one is 3/4 of the nearer and 1/4 of the
// farther; dst is that, plus left or right for rounding, without the lowest bits.
func widen(dst []uint8, sums []int, left, right int, bits uint) {
	n := len(sums)
	for x := range dst {
		far, round := max(x/2-1, 0), left
		if x%2 == 1 {
			far, round = min(x/2+1, n-1), right
		}
		dst[x] = uint8((3*sums[x/2] + sums[far] + round) >> bits)
	}
}

// joinYCbCr makes pixels of three components that a JPEG stored; ycc says that they
// are Y, Cb, Cr and not R, G, B.
func joinYCbCr(m *image.YCbCr, ycc bool) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	dx, dy := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		dx = 2
	case image.YCbCrSubsampleRatio420:
		dx, dy = 2, 2
	case image.YCbCrSubsampleRatio440:
		dy = 2
	case image.YCbCrSubsampleRatio411:
		dx = 4
	case image.YCbCrSubsampleRatio410:
		dx, dy = 4, 2
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	cb, cr := planeOf(m.Cb, m.CStride, w, h, dx, dy), planeOf(m.Cr, m.CStride, w, h, dx, dy)
	us, vs, sums := make([]uint8, w), make([]uint8, w), make([]int, cb.w)
	for y := range h {
		cb.expand(us, sums, y)
		cr.expand(vs, sums, y)
		row, dst := m.Y[y*m.YStride:], out.Pix[y*out.Stride:]
		for x := range w {
			p := dst[4*x : 4*x+4 : 4*x+4]
			p[0], p[1], p[2], p[3] = row[x], us[x], vs[x], 255
			if ycc {
				p[0], p[1], p[2] = rgb(row[x], us[x], vs[x])
			}
		}
	}
	return out
}

// Pixels returns a picture that image.Decode made as Decode makes it: of a JPEG
// whose colours are stored at half the resolution, they are interpolated, which
// image/jpeg does not do. Other pictures, and parts of one, are returned as they are.
// What a file says about orientation is lost to image.Decode.
func Pixels(img image.Image) image.Image {
	if m, ok := img.(*image.YCbCr); ok && m.Rect.Min == (image.Point{}) && !m.Rect.Empty() {
		return joinYCbCr(m, true)
	}
	return img
}

// joinInks makes four inks of a JPEG's four components, which image/jpeg gives
// inverted, the second and third repeated if stored at half the resolution. ycck says
// that the first three are Y, Cb, Cr.
func joinInks(m *image.CMYK, tables []byte, ycck bool) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	d := 1
	if halfInks(tables) {
		d = 2
	}
	var planes [2]plane
	for i := range planes {
		p := planeOf(nil, (w+d-1)/d, w, h, d, d)
		p.pix = make([]uint8, p.w*p.h)
		for y := range p.h {
			for x := range p.w {
				p.pix[y*p.w+x] = 255 - m.Pix[y*d*m.Stride+4*x*d+1+i]
			}
		}
		planes[i] = p
	}
	us, vs, sums := make([]uint8, w), make([]uint8, w), make([]int, w)
	for y := range h {
		planes[0].expand(us, sums, y)
		planes[1].expand(vs, sums, y)
		src, dst := m.Pix[y*m.Stride:], out.Pix[y*out.Stride:]
		for x := range w {
			p := dst[4*x : 4*x+4 : 4*x+4]
			p[0], p[1], p[2], p[3] = 255-src[4*x], us[x], vs[x], 255-src[4*x+3]
			if ycck {
				r, g, b := rgb(p[0], p[1], p[2])
				p[0], p[1], p[2] = 255-r, 255-g, 255-b
			}
		}
	}
	return out
}

// halfInks reports whether the frame header among a JPEG's segments stores the
// second component at half the resolution of the first.
func halfInks(tables []byte) bool {
	for len(tables) >= 4 {
		n := 2 + int(tables[2])<<8 + int(tables[3])
		if m := tables[1]; m >= 0xc0 && m <= 0xc2 {
			return tables[11] == 0x22
		}
		tables = tables[n:]
	}
	return false
}

// rgb is the conversion of the JPEG File Interchange Format in 16 binary digits.
func rgb(y, cb, cr uint8) (r, g, b uint8) {
	yy, u, v := int(y)<<16, int(cb)-128, int(cr)-128
	const half = 1 << 15
	return clip((yy + 91881*v + half) >> 16), clip((yy - 22554*u - 46802*v + half) >> 16), clip((yy + 116130*u + half) >> 16)
}

func clip(x int) uint8 { return uint8(min(max(x, 0), 255)) }
