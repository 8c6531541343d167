package imageio

import (
	"image"

	"github.com/disintegration/imaging"
)

// plain returns img as *image.Gray or *image.NRGBA that begins at 0,0. Of 16-bit
// samples the upper 8 bits are kept.
func plain(img image.Image) image.Image {
	b := img.Bounds()
	switch m := img.(type) {
	case *image.Gray:
		if b.Min == (image.Point{}) {
			return m
		}
		out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
		for y := range b.Dy() {
			copy(out.Pix[y*out.Stride:][:b.Dx()], m.Pix[y*m.Stride:])
		}
		return out
	case *image.Gray16:
		out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
		for y := range b.Dy() {
			for x := range b.Dx() {
				out.Pix[y*out.Stride+x] = m.Pix[y*m.Stride+2*x]
			}
		}
		return out
	case *image.RGBA:
		if b.Min == (image.Point{}) && m.Opaque() { // the same bytes
			return &image.NRGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}
		}
	case *image.NRGBA:
		if b.Min == (image.Point{}) {
			return m
		}
	}
	return imaging.Clone(img)
}

// turn applies an EXIF orientation to what plain returns.
func turn(img image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return img
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	tw, th := w, h
	if orientation >= 5 {
		tw, th = h, w
	}
	to := image.Rect(0, 0, tw, th)
	if m, ok := img.(*image.Gray); ok {
		out := image.NewGray(to)
		turnBytes(out.Pix, out.Stride, m.Pix, m.Stride, w, h, 1, orientation)
		return out
	}
	m, out := img.(*image.NRGBA), image.NewNRGBA(to)
	turnBytes(out.Pix, out.Stride, m.Pix, m.Stride, w, h, 4, orientation)
	return out
}

// turnBytes turns w x h pixels of n bytes. The orientations are those of the TIFF
// specification: where row 0 and column 0 of the stored picture are to be seen.
func turnBytes(dst []uint8, dstStride int, src []uint8, srcStride, w, h, n, orientation int) {
	for y := range h {
		row := src[y*srcStride:]
		for x := range w {
			tx, ty := x, y
			switch orientation {
			case 2: // row 0 at the top, column 0 on the right
				tx = w - 1 - x
			case 3: // bottom, right
				tx, ty = w-1-x, h-1-y
			case 4: // bottom, left
				ty = h - 1 - y
			case 5: // left, top
				tx, ty = y, x
			case 6: // right, top
				tx, ty = h-1-y, x
			case 7: // right, bottom
				tx, ty = h-1-y, w-1-x
			case 8: // left, bottom
				tx, ty = y, w-1-x
			}
			copy(dst[ty*dstStride+tx*n:][:n], row[x*n:])
		}
	}
}

// inkToRGB turns four bytes C, M, Y, K, 255 the most ink, into R, G, B and opaque.
func inkToRGB(p []uint8) {
	k := 255 - int(p[3])
	for i := range 3 {
		p[i] = uint8((int(255-p[i])*k + 127) / 255)
	}
	p[3] = 255
}
