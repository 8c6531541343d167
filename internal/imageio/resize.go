package imageio

import (
	"image"
	"math"
	"runtime"
	"sync"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/disintegration/imaging"
)

// A Filter says how much an old pixel counts for a new one, by the distance of their centres in pixels of the coarser of
// the two pictures.
type Filter struct {
	reach  float64
	weight func(distance float64) float64
}

// Filters of Resize.
var (
	Box = Filter{0.5, func(x float64) float64 {
		if x <= 0.5 {
			return 1
		}
		return 0
	}}
	Linear  = Filter{1, func(x float64) float64 { return max(1-x, 0) }}
	Lanczos = Filter{3, func(x float64) float64 {
		if x >= 3 {
			return 0
		}
		return sinc(x) * sinc(x/3)
	}}
)

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return exact.Sin(math.Pi*x) / (math.Pi * x)
}

// Fit is a picture made as small as it must be for a w x h frame, with its shape.
func Fit(img image.Image, w, h int, f Filter) *image.NRGBA {
	size := img.Bounds().Size()
	if size.X <= w && size.Y <= h {
		return imaging.Clone(img)
	}
	shape := float64(size.X) / float64(size.Y)
	if shape > float64(w)/float64(h) {
		return Resize(img, w, int(float64(w)/shape), f)
	}
	return Resize(img, int(float64(h)*shape), h, f)
}

// Resize makes a picture w x h pixels large; 0 means 1. It has the pixels of imaging.Resize on amd64, but on every
// processor: products are rounded before they are added.
func Resize(img image.Image, w, h int, f Filter) *image.NRGBA {
	w, h = max(w, 1), max(h, 1)
	size := img.Bounds().Size()
	if size.X == 0 || size.Y == 0 {
		return &image.NRGBA{}
	}
	if size.X != w {
		img = f.across(img, w)
	}
	if size.Y != h {
		return f.down(pixels(img), h)
	}
	return pixels(img)
}

// pixels is the picture as it is stored here, which may be the picture itself.
func pixels(img image.Image) *image.NRGBA {
	if m, ok := img.(*image.NRGBA); ok && m.Rect.Min == (image.Point{}) {
		return m
	}
	return imaging.Clone(img)
}

// share is an old pixel of a new one.
type share struct {
	at     int
	weight float64
}

// parts lists of what each of n new pixels is made, of so many old ones in a row.
func (f Filter) parts(n, old int) [][]share {
	step := float64(old) / float64(n)
	coarser := max(step, 1)
	reach := math.Ceil(float64(coarser * f.reach))
	out := make([][]share, n)
	for i := range out {
		centre := float64((float64(i)+0.5)*step) - 0.5
		first, last := max(int(math.Ceil(centre-reach)), 0), min(int(math.Floor(centre+reach)), old-1)
		sum := 0.0
		for at := first; at <= last; at++ {
			if w := f.weight(math.Abs((float64(at) - centre) / coarser)); w != 0 {
				out[i] = append(out[i], share{at, w})
				sum += w
			}
		}
		if sum != 0 {
			for k := range out[i] {
				out[i][k].weight /= sum
			}
		}
	}
	return out
}

// stripRows are the rows that a goroutine takes at a time.
const stripRows = 64

// across resizes rows.
func (f Filter) across(img image.Image, w int) *image.NRGBA {
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, w, b.Dy()))
	parts := f.parts(w, b.Dx())
	strips(b.Dy(), func(y0, y1 int) {
		strip, ok := img.(*image.NRGBA)
		if at := image.Rect(b.Min.X, b.Min.Y+y0, b.Max.X, b.Min.Y+y1); ok {
			strip = strip.SubImage(at).(*image.NRGBA)
		} else {
			strip = imaging.Crop(img, at)
		}
		for y := range y1 - y0 {
			src, dst := strip.Pix[y*strip.Stride:], out.Pix[(y0+y)*out.Stride:]
			for x, list := range parts {
				mix(dst[4*x:4*x+4], src, 4, list)
			}
		}
	})
	return out
}

// down resizes columns.
func (f Filter) down(img *image.NRGBA, h int) *image.NRGBA {
	w := img.Rect.Dx()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	parts := f.parts(h, img.Rect.Dy())
	strips(h, func(y0, y1 int) {
		for y := y0; y < y1; y++ {
			for x := range w {
				mix(out.Pix[y*out.Stride+4*x:][:4], img.Pix[4*x:], img.Stride, parts[y])
			}
		}
	})
	return out
}

// mix makes a pixel of others, which are a step apart. Transparent ones count less.
func mix(dst, src []uint8, step int, parts []share) {
	var r, g, b, a float64
	for _, p := range parts {
		s := src[p.at*step:][:4]
		w := float64(float64(s[3]) * p.weight)
		r += float64(float64(s[0]) * w)
		g += float64(float64(s[1]) * w)
		b += float64(float64(s[2]) * w)
		a += w
	}
	if a == 0 {
		return
	}
	one := 1 / a
	dst[0], dst[1], dst[2], dst[3] = rounded(float64(r*one)), rounded(float64(g*one)), rounded(float64(b*one)), rounded(a)
}

func rounded(v float64) uint8 { return uint8(min(max(v+0.5, 0), 255)) }

// strips calls f for strips of rows, at the same time.
func strips(rows int, f func(from, to int)) {
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), (rows+stripRows-1)/stripRows) {
		wait.Go(func() {
			for y := range next {
				f(y, min(y+stripRows, rows))
			}
		})
	}
	for y := 0; y < rows; y += stripRows {
		next <- y
	}
	close(next)
	wait.Wait()
}
