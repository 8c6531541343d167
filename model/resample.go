package model

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/disintegration/imaging"
)

// A Resampling says how an image is resized. All but the zero value are those of
// other libraries, to the grey level.
type Resampling string

const (
	// ResampleOwn is viz's bilinear filter, antialiased, with other roundings than
	// PIL's. Networks that do not say how they were fed have it.
	ResampleOwn Resampling = ""
	// As PIL's Image.resize, which torchvision and timm use: wide enough to take in
	// every pixel when an image becomes smaller (antialiased).
	ResampleBilinear Resampling = "bilinear"
	ResampleBicubic  Resampling = "bicubic"
	ResampleLanczos  Resampling = "lanczos"
	ResampleHamming  Resampling = "hamming"
	ResampleBox      Resampling = "box"
	ResampleNearest  Resampling = "nearest"
	// As PyTorch's interpolate, TensorFlow's image.resize and OpenCV: between the two
	// (or four) nearest pixels in each direction, however small the image becomes.
	ResampleBilinearPlain Resampling = "bilinear-noantialias"
	ResampleBicubicPlain  Resampling = "bicubic-noantialias"
	// The mean over the area under each new pixel, as OpenCV's INTER_AREA.
	ResampleArea Resampling = "area"
)

// Resamplings lists the filters that have names.
func Resamplings() []Resampling {
	return []Resampling{ResampleBilinear, ResampleBicubic, ResampleLanczos, ResampleHamming, ResampleBox, ResampleNearest,
		ResampleBilinearPlain, ResampleBicubicPlain, ResampleArea}
}

// ParseResampling reads a filter's name.
func ParseResampling(s string) (Resampling, error) {
	if f := Resampling(s); slices.Contains(Resamplings(), f) {
		return f, nil
	}
	return "", fmt.Errorf("no filter %q: there are %s", s, listed(Resamplings()))
}

func listed[T ~string](list []T) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = string(v)
	}
	return strings.Join(parts, ", ")
}

// kernel is a PIL filter: its half width in new pixels and its shape.
func (f Resampling) kernel() (support float64, shape func(x float64) float64) {
	sinc := func(x float64) float64 {
		if x == 0 {
			return 1
		}
		return exact.Sin(math.Pi*x) / (math.Pi * x)
	}
	switch f {
	case ResampleBilinear:
		return 1, func(x float64) float64 { return max(1-math.Abs(x), 0) }
	case ResampleBicubic:
		return 2, func(x float64) float64 { return cubic(x, -0.5) }
	case ResampleHamming:
		return 1, func(x float64) float64 {
			if math.Abs(x) >= 1 {
				return 0
			}
			return sinc(x) * (0.54 + float64(0.46*exact.Cos(math.Pi*x)))
		}
	case ResampleLanczos:
		return 3, func(x float64) float64 {
			if x < -3 || x >= 3 {
				return 0
			}
			return sinc(x) * sinc(x/3)
		}
	case ResampleBox:
		return 0.5, func(x float64) float64 {
			if x > -0.5 && x <= 0.5 {
				return 1
			}
			return 0
		}
	}
	return 0, nil
}

// cubic is Keys' cubic convolution with the slope a at 1.
func cubic(x, a float64) float64 {
	switch x = math.Abs(x); {
	case x < 1:
		return float64((float64((a+2)*x)-(a+3))*x*x) + 1
	case x < 2:
		return (float64((float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

// A tap is what one new pixel is made of: old pixels from first on, by weight.
type tap struct {
	first  int
	weight []float64
}

// axis is one direction of a resize: the places from..to of the old pixels
// become out new ones. Old pixels outside lo..hi are not read.
type axis struct {
	lo, hi   int
	from, to float64
	out      int64
}

// tap returns what the i-th new pixel is made of.
func (f Resampling) tap(a axis, i int64) tap {
	scale := (a.to - a.from) / float64(a.out)
	centre := a.from + float64((float64(i)+0.5)*scale)
	support, shape := f.kernel()
	switch {
	case shape != nil:
		stretch := max(scale, 1)
		reach := float64(support * stretch)
		lo := min(max(int(centre-reach+0.5), a.lo), a.hi-1)
		hi := max(min(int(centre+reach+0.5), a.hi), lo+1)
		return weigh(lo, hi, func(j int) float64 { return shape((float64(j) - centre + 0.5) / stretch) })
	case f == ResampleArea:
		l, r := centre-scale/2, centre+scale/2
		lo := min(max(int(math.Floor(l+1e-9)), a.lo), a.hi-1)
		hi := max(min(int(math.Ceil(r-1e-9)), a.hi), lo+1)
		return weigh(lo, hi, func(j int) float64 { return max(min(r, float64(j+1))-max(l, float64(j)), 0) })
	case f == ResampleNearest:
		return tap{min(max(int(centre), a.lo), a.hi-1), []float64{1}}
	}
	return f.between(a, centre-0.5)
}

// nearestPixels lists the old pixels that are nearest to n new ones from the at-th on.
// Where a place is just between two, the rounding of a sum decides, as in PIL.
func nearestPixels(a axis, at int64, n int) []int {
	out := make([]int, n)
	scale := (a.to - a.from) / float64(a.out)
	place, i := a.from+float64(scale*0.5), -at
	if at > 1<<20 {
		place, i = place+float64(float64(at)*scale), 0
	}
	for ; i < int64(n); i++ {
		if i >= 0 {
			out[i] = min(max(int(place), a.lo), a.hi-1)
		}
		place += scale
	}
	return out
}

// weigh returns old pixels lo..hi with weights that add up to 1.
func weigh(lo, hi int, weight func(j int) float64) tap {
	t := tap{lo, make([]float64, hi-lo)}
	sum := 0.
	for j := range t.weight {
		t.weight[j] = weight(lo + j)
		sum += t.weight[j]
	}
	if sum == 0 {
		return tap{lo, []float64{1}}
	}
	for j := range t.weight {
		t.weight[j] /= sum
	}
	return t
}

// between interpolates at a place between pixel centres; beyond the edge lies
// the pixel at the edge.
func (f Resampling) between(a axis, place float64) tap {
	base := int(math.Floor(place))
	t := place - float64(base)
	first, weights := base, []float64{1 - t, t}
	if f == ResampleBicubicPlain {
		const slope = -0.75
		first, weights = base-1, []float64{cubic(1+t, slope), cubic(t, slope), cubic(1-t, slope), cubic(2-t, slope)}
	}
	lo := min(max(first, a.lo), a.hi-1)
	hi := min(max(first+len(weights), lo+1), a.hi)
	out := tap{lo, make([]float64, hi-lo)}
	for j, w := range weights {
		out.weight[min(max(first+j, lo), hi-1)-lo] += w
	}
	return out
}

// maxBetween bounds what lies between the two passes, in bytes. Only strips exceed it.
const maxBetween = 1 << 28

// resize makes the w x h pixels from (x, y) on of what img becomes when its two
// axes are resized. No more than these pixels is computed.
func (f Resampling) resize(img image.Image, ax, ay axis, x, y int64, w, h int) *image.NRGBA {
	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	if f == ResampleNearest {
		columns, rows := nearestPixels(ax, x, w), nearestPixels(ay, y, h)
		src := crop(img, columns[0], rows[0], columns[w-1]+1, rows[h-1]+1)
		for y := range h {
			for x := range w {
				at := (rows[y]-rows[0])*src.Stride + 4*(columns[x]-columns[0])
				copy(dst.Pix[y*dst.Stride+4*x:], src.Pix[at:at+4])
			}
		}
		return dst
	}
	x0, x1 := f.span(ax, x, w)
	y0, y1 := f.span(ay, y, h)
	src := crop(img, x0, y0, x1, y1)
	wide, high := x1-x0, y1-y0
	column := func(i int) tap { return f.tap(ax, x+int64(i)).from(x0) }
	row := func(i int) tap { return f.tap(ay, y+int64(i)).from(y0) }
	_, shape := f.kernel()
	switch {
	case shape == nil && int64(w)*int64(high) <= int64(wide)*int64(h):
		between := make([]float32, 4*w*high)
		passFloat(between, src.Pix, column, lines{high, w, src.Stride, 4, 4 * w, 4})
		passFloat(dst.Pix, between, row, lines{w, h, 4, 4 * w, 4, dst.Stride})
	case shape == nil:
		between := make([]float32, 4*wide*h)
		passFloat(between, src.Pix, row, lines{wide, h, 4, src.Stride, 4, 4 * wide})
		passFloat(dst.Pix, between, column, lines{h, w, 4 * wide, 4, dst.Stride, 4})
	case w <= maxBetween/4/high:
		between := make([]uint8, 4*w*high)
		passFixed(between, src.Pix, column, lines{high, w, src.Stride, 4, 4 * w, 4})
		passFixed(dst.Pix, between, row, lines{w, h, 4, 4 * w, 4, dst.Stride})
	default:
		between := make([]uint8, 4*wide*h)
		passFixed(between, src.Pix, row, lines{wide, h, 4, src.Stride, 4, 4 * wide})
		passFixed(dst.Pix, between, column, lines{h, w, 4 * wide, 4, dst.Stride, 4})
	}
	for i := 3; i < len(dst.Pix); i += 4 {
		dst.Pix[i] = 255
	}
	return dst
}

// crop copies a part of an image, in places counted from its corner.
func crop(img image.Image, x0, y0, x1, y1 int) *image.NRGBA {
	return imaging.Crop(img, image.Rect(x0, y0, x1, y1).Add(img.Bounds().Min))
}

// span is the range of old pixels that n new ones from the at-th on are made of.
func (f Resampling) span(a axis, at int64, n int) (lo, hi int) {
	last := f.tap(a, at+int64(n)-1)
	return f.tap(a, at).first, last.first + len(last.weight)
}

func (t tap) from(origin int) tap {
	t.first -= origin
	return t
}

// lines says what a pass works on: n lines of out new pixels, and how far it is
// from line to line and from pixel to pixel in the old and the new image.
type lines struct{ n, out, srcLine, srcStep, dstLine, dstStep int }

// fixedBits are the bits after the point of weights in passFixed, as in PIL.
const fixedBits = 22

// passFixed resizes along one direction in whole numbers and rounds to bytes, as PIL.
func passFixed(dst, src []uint8, taps func(i int) tap, l lines) {
	for j := range l.out {
		t := taps(j)
		weights := make([]int32, len(t.weight))
		for k, w := range t.weight {
			weights[k] = int32(math.Round(w * (1 << fixedBits)))
		}
		for i := range l.n {
			var r, g, b int32 = 1 << (fixedBits - 1), 1 << (fixedBits - 1), 1 << (fixedBits - 1)
			at := i*l.srcLine + t.first*l.srcStep
			for _, w := range weights {
				p := src[at : at+3 : at+3]
				r += int32(p[0]) * w
				g += int32(p[1]) * w
				b += int32(p[2]) * w
				at += l.srcStep
			}
			to := dst[i*l.dstLine+j*l.dstStep:][:3]
			to[0], to[1], to[2] = byteOf(r), byteOf(g), byteOf(b)
		}
	}
}

func byteOf(fixed int32) uint8 { return uint8(min(max(fixed>>fixedBits, 0), 255)) }

// passFloat resizes along one direction; numbers are only rounded to become bytes.
func passFloat[D, S uint8 | float32](dst []D, src []S, taps func(i int) tap, l lines) {
	var d D
	_, bytes := any(d).(uint8)
	for j := range l.out {
		t := taps(j)
		for i := range l.n {
			var sum [3]float32
			at := i*l.srcLine + t.first*l.srcStep
			for _, weight := range t.weight {
				p, w := src[at:at+3:at+3], float32(weight)
				sum[0] += float32(float32(p[0]) * w)
				sum[1] += float32(float32(p[1]) * w)
				sum[2] += float32(float32(p[2]) * w)
				at += l.srcStep
			}
			to := dst[i*l.dstLine+j*l.dstStep:][:3]
			for c, v := range sum {
				if bytes {
					v = min(max(v+0.5, 0), 255)
				}
				to[c] = D(v)
			}
		}
	}
}
