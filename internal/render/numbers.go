package render

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
)

// Signed draws data, [c][h][w] with c = 1 (grey) or 3 (red, green, blue), with
// zero as mid-grey: v is drawn as 128 + 127*v/scale if v >= 0, 128 + 128*v/scale
// if below, rounded and clipped, so that scale becomes 255 and -scale becomes 0.
// MaxAbs(data) is a natural scale. If scale is not positive, everything is
// mid-grey. A pixel with a NaN is magenta. It panics if c or len(data) is wrong.
func Signed(data []float32, c, h, w int, scale float64) *image.NRGBA {
	checkPlanes("Signed", data, c, h, w)
	return planes(data, c, h, w, func(v float64) uint8 {
		if !(scale > 0) {
			return 128
		}
		t := min(max(v/scale, -1), 1)
		if t < 0 {
			return uint8(128 + float64(128*t) + 0.5)
		}
		return uint8(128 + float64(127*t) + 0.5)
	})
}

// Unit draws data, [c][h][w] with c = 1 (grey) or 3 (red, green, blue), linearly
// from lo (black) to hi (white), rounded and clipped. If hi <= lo, everything is
// mid-grey. A pixel with a NaN is magenta. It panics if c or len(data) is wrong.
func Unit(data []float32, c, h, w int, lo, hi float64) *image.NRGBA {
	checkPlanes("Unit", data, c, h, w)
	return planes(data, c, h, w, func(v float64) uint8 { return byteOf(position(v, lo, hi)) })
}

func checkPlanes(name string, data []float32, c, h, w int) {
	if c != 1 && c != 3 {
		panic(fmt.Sprintf("render: %s: got %d channels, want 1 or 3", name, c))
	}
	if h < 0 || w < 0 || len(data) != c*h*w {
		panic(fmt.Sprintf("render: %s: got %d values, want %dx%dx%d", name, len(data), c, h, w))
	}
}

// planes calls f for each value that is not NaN.
func planes(data []float32, c, h, w int, f func(v float64) uint8) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	n := h * w
	for i := range n {
		px := img.Pix[4*i : 4*i+4]
		px[3] = 255
		bad := false
		for k := range 3 {
			v := float64(data[k%c*n+i])
			if math.IsNaN(v) {
				bad = true
				continue
			}
			px[k] = f(v)
		}
		if bad {
			px[0], px[1], px[2] = nan.R, nan.G, nan.B
		}
	}
	return img
}

// position is where v lies between lo and hi, clipped to 0..1; 0.5 if hi <= lo.
func position(v, lo, hi float64) float64 {
	if !(hi > lo) {
		return 0.5
	}
	return clip((v - lo) / (hi - lo))
}

// Heat draws values, [h][w], one pixel a value, with lo at the palette's beginning
// and hi at its end. If hi <= lo the whole map has the palette's middle colour:
// a flat map is never stretched. NaN is magenta. It panics if len(values) is wrong.
func Heat(values []float32, h, w int, lo, hi float64, p Palette) *image.NRGBA {
	if h < 0 || w < 0 || len(values) != h*w {
		panic(fmt.Sprintf("render: Heat: got %d values, want %dx%d", len(values), h, w))
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i, v := range values {
		c := nan
		if v == v {
			c = p(position(float64(v), lo, hi))
		}
		img.SetNRGBA(i%w, i/w, c)
	}
	return img
}

// Classes draws values, [h][w], one pixel a value, each in its Categorical colour.
// It panics if len(values) is wrong.
func Classes(values []int, h, w int) *image.NRGBA {
	if h < 0 || w < 0 || len(values) != h*w {
		panic(fmt.Sprintf("render: Classes: got %d values, want %dx%d", len(values), h, w))
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i, v := range values {
		img.SetNRGBA(i%w, i/w, Categorical(v))
	}
	return img
}

// MaxAbs is the largest magnitude in data, 0 if there is none; NaN is ignored.
func MaxAbs(data []float32) float64 {
	m := 0.0
	for _, v := range data {
		if a := math.Abs(float64(v)); a > m {
			m = a
		}
	}
	return m
}

// Range is the smallest and the largest value in data, 0, 0 if there is none; NaN
// is ignored.
func Range(data []float32) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range data {
		if v == v {
			lo, hi = min(lo, float64(v)), max(hi, float64(v))
		}
	}
	if lo > hi {
		return 0, 0
	}
	return lo, hi
}

// Percentile is the value below which p percent of data lie (p in 0..100), linear
// between neighbours like NumPy's default; NaN is ignored, without data it is 0.
func Percentile(data []float32, p float64) float64 {
	sorted := make([]float32, 0, len(data))
	for _, v := range data {
		if v == v {
			sorted = append(sorted, v)
		}
	}
	if len(sorted) == 0 {
		return 0
	}
	slices.Sort(sorted)
	at := float64(clip(p/100) * float64(len(sorted)-1))
	i := min(int(at), len(sorted)-1)
	a, b := float64(sorted[i]), float64(sorted[min(i+1, len(sorted)-1)])
	if f := at - float64(i); f > 0 {
		return a + float64(f*(b-a))
	}
	return a
}

// PercentileAbs is Percentile of the magnitudes: a scale for Signed that a few
// outliers do not rule.
func PercentileAbs(data []float32, p float64) float64 {
	abs := make([]float32, len(data))
	for i, v := range data {
		abs[i] = float32(math.Abs(float64(v)))
	}
	return Percentile(abs, p)
}

// Magnify enlarges img k times in both directions, each pixel becoming a k x k
// square. It panics unless k is positive.
func Magnify(img image.Image, k int) *image.NRGBA {
	if k < 1 {
		panic(fmt.Sprintf("render: Magnify: factor %d, want at least 1", k))
	}
	src := toNRGBA(img)
	size := src.Rect.Size()
	dst := image.NewNRGBA(image.Rectangle{Max: size.Mul(k)})
	pasteLarge(dst.Pix, dst.Stride, src, k)
	return dst
}

// enlarged is Magnify, but may be the image itself.
func enlarged(img image.Image, k int) *image.NRGBA {
	if k == 1 {
		return toNRGBA(img)
	}
	return Magnify(img, k)
}

// MagnifyTo enlarges img by the largest whole number that leaves its longer side
// at most target pixels; an image that is larger keeps its size.
func MagnifyTo(img image.Image, target int) *image.NRGBA {
	return Magnify(img, factor(img.Bounds().Size(), target))
}

func factor(size image.Point, target int) int {
	return max(1, target/max(1, size.X, size.Y))
}

// stretch scales img to w x h pixels, nearest neighbour: the middle of each new
// pixel is looked up.
func stretch(img image.Image, w, h int) *image.NRGBA {
	src := toNRGBA(img)
	sw, sh := src.Rect.Dx(), src.Rect.Dy()
	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	if sw == 0 || sh == 0 {
		return dst
	}
	for y := range h {
		sy := (2*y + 1) * sh / (2 * h)
		if y > 0 && sy == (2*y-1)*sh/(2*h) {
			copy(dst.Pix[y*dst.Stride:], dst.Pix[(y-1)*dst.Stride:][:4*w])
			continue
		}
		for x := range w {
			sx := (2*x + 1) * sw / (2 * w)
			copy(dst.Pix[y*dst.Stride+4*x:][:4], src.Pix[sy*src.Stride+4*sx:][:4])
		}
	}
	return dst
}

// toNRGBA is img itself if it is an NRGBA at (0,0), else a copy.
func toNRGBA(img image.Image) *image.NRGBA {
	b := img.Bounds()
	if p, ok := img.(*image.NRGBA); ok && b.Min == (image.Point{}) {
		return p
	}
	dst := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			dst.SetNRGBA(x, y, color.NRGBAModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA))
		}
	}
	return dst
}

// Overlay lays heat, scaled to base's size without smoothing, over base:
// (1-alpha)*base + alpha*heat, with alpha in 0..1 multiplied by heat's own
// opacity. The result is as opaque as base.
func Overlay(base, heat image.Image, alpha float64) *image.NRGBA {
	under := toNRGBA(base)
	w, h := under.Rect.Dx(), under.Rect.Dy()
	over := stretch(heat, w, h)
	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	alpha = clip(alpha)
	for y := range h {
		for x := range w {
			b, o := under.NRGBAAt(x, y), over.NRGBAAt(x, y)
			a := alpha * float64(o.A) / 255
			mix := func(p, q uint8) uint8 { return uint8(float64((1-a)*float64(p)) + float64(a*float64(q)) + 0.5) }
			dst.SetNRGBA(x, y, color.NRGBA{mix(b.R, o.R), mix(b.G, o.G), mix(b.B, o.B), b.A})
		}
	}
	return dst
}

// Smooth enlarges values, [h][w], to [toH][toW] by linear interpolation between the
// middles of the cells; beyond the outer middles values stay as they are.
func Smooth(values []float32, h, w, toH, toW int) []float32 {
	if len(values) != h*w || h < 1 || w < 1 {
		panic(fmt.Sprintf("render: Smooth: got %d values, want %dx%d", len(values), h, w))
	}
	rows, cols := between(h, toH), between(w, toW)
	out := make([]float32, toH*toW)
	for y, r := range rows {
		for x, c := range cols {
			top := float64((1-c.share)*float64(values[r.i*w+c.i])) + float64(c.share*float64(values[r.i*w+c.j]))
			bottom := float64((1-c.share)*float64(values[r.j*w+c.i])) + float64(c.share*float64(values[r.j*w+c.j]))
			out[y*toW+x] = float32(float64((1-r.share)*top) + float64(r.share*bottom))
		}
	}
	return out
}

// neighbours are two cells and the share of the second.
type neighbours struct {
	i, j  int
	share float64
}

// between is, for each of m points on n cells, the cells beside it.
func between(n, m int) []neighbours {
	out := make([]neighbours, m)
	for p := range out {
		at := min(max((float64(p)+0.5)*float64(n)/float64(m)-0.5, 0), float64(n-1))
		i := int(at)
		out[p] = neighbours{i, min(i+1, n-1), at - float64(i)}
	}
	return out
}

// Hatch draws diagonal lines of the given colour over the pixels of img that inside
// names.
func Hatch(img *image.NRGBA, inside func(x, y int) bool, c color.NRGBA) {
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			if (x+y)%8 < 2 && inside(x, y) {
				img.SetNRGBA(x, y, c)
			}
		}
	}
}

// DrawBox draws the outline of r into img, thickness pixels wide and wholly inside
// r. What lies outside img is left out.
func DrawBox(img *image.NRGBA, r image.Rectangle, c color.Color, thickness int) {
	inner := r.Inset(thickness)
	if r.Dx() <= 2*thickness || r.Dy() <= 2*thickness {
		inner = image.Rectangle{}
	}
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	for y := max(r.Min.Y, img.Rect.Min.Y); y < min(r.Max.Y, img.Rect.Max.Y); y++ {
		for x := max(r.Min.X, img.Rect.Min.X); x < min(r.Max.X, img.Rect.Max.X); x++ {
			if !(image.Point{x, y}).In(inner) {
				img.SetNRGBA(x, y, n)
			}
		}
	}
}
