package imageio

import "image"

// smoothChroma turns a JPEG whose colours were stored at half the resolution into
// pixels as the usual decoder (libjpeg, and with it Python's PIL) does: colours
// between samples are interpolated, where image/jpeg repeats them. Networks were
// trained on such pixels; at edges of colour the difference reaches 100 of 255.
// Other pictures are returned as they are.
func smoothChroma(img image.Image) image.Image {
	p, ok := img.(*image.YCbCr)
	if !ok || p.SubsampleRatio != image.YCbCrSubsampleRatio420 && p.SubsampleRatio != image.YCbCrSubsampleRatio422 {
		return img
	}
	b := p.Bounds()
	w, h := b.Dx(), b.Dy()
	cw, ch := (w+1)/2, h
	half := p.SubsampleRatio == image.YCbCrSubsampleRatio420
	if half {
		ch = (h + 1) / 2
	}
	if b.Min != (image.Point{}) || cw < 3 || ch < 1 {
		return img
	}
	out := image.NewNRGBA(b)
	var rows [2][]uint8
	for i := range rows {
		rows[i] = make([]uint8, 2*cw)
	}
	column := make([]int, cw)
	for y := range h {
		for i, plane := range [][]uint8{p.Cb, p.Cr} {
			if !half {
				wide(rows[i], plane[y*p.CStride:][:cw])
				continue
			}
			near := y / 2 // the nearer of two rows counts three times
			far := min(max(near-1+2*(y%2), 0), ch-1)
			for x := range column {
				column[x] = 3*int(plane[near*p.CStride+x]) + int(plane[far*p.CStride+x])
			}
			widen(rows[i], column)
		}
		for x := range w {
			r, g, bl := rgb(p.Y[y*p.YStride+x], rows[0][x], rows[1][x])
			copy(out.Pix[y*out.Stride+4*x:], []uint8{r, g, bl, 255})
		}
	}
	return out
}

// wide doubles a row: each new sample is 3/4 of the nearer and 1/4 of the farther.
func wide(dst, src []uint8) {
	n := len(src)
	for x := range n {
		left, right := int(src[max(x-1, 0)]), int(src[min(x+1, n-1)])
		dst[2*x] = uint8((3*int(src[x]) + left + 1) >> 2)
		dst[2*x+1] = uint8((3*int(src[x]) + right + 2) >> 2)
	}
	dst[0], dst[2*n-1] = src[0], src[n-1]
}

// widen is wide for sums that are four times the samples.
func widen(dst []uint8, sums []int) {
	n := len(sums)
	for x := range n {
		left, right := sums[max(x-1, 0)], sums[min(x+1, n-1)]
		dst[2*x] = uint8((3*sums[x] + left + 8) >> 4)
		dst[2*x+1] = uint8((3*sums[x] + right + 7) >> 4)
	}
}

// rgb is the conversion of the JPEG File Interchange Format in 16 binary digits.
func rgb(y, cb, cr uint8) (r, g, b uint8) {
	yy, u, v := int(y)<<16, int(cb)-128, int(cr)-128
	clip := func(x int) uint8 { return uint8(min(max(x>>16, 0), 255)) }
	const half = 1 << 15
	return clip(yy + 91881*v + half), clip(yy - 22554*u - 46802*v + half), clip(yy + 116130*u + half)
}
