package maximize

import (
	"math"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"gonum.org/v1/gonum/dsp/fourier"
)

// canvas turns the numbers that are changed into a picture in the network's units, and
// gradients over the picture into gradients over the numbers. The picture is larger
// than the input by a margin, so that jitter finds something at every side.
type canvas struct {
	k       *kernel.Engine
	c, h, w int
	margin  int
	paint   Paint
	colours [][]float64 // [channel][axis]: from axes of colour to channels; nil: channels are their own axes
	scale   []float64   // [frequencies]: of Fourier's numbers
	lo, hi  []float64   // of a channel, in the network's units: black and white
	grey    []float64   // of a channel: what 0 everywhere is, from 0 (black) to 1
	offset  []float64   // what makes it so
}

// axes are those along which the colours of photographs vary most independently:
// brightness, blue to yellow, red to green; as rows of red, green, blue (D. L. Ruderman
// et al., Statistics of cone responses to natural images, 1998), and about how strongly.
var axes = [3][3]float64{
	{1 / math.Sqrt(3), 1 / math.Sqrt(3), 1 / math.Sqrt(3)},
	{1 / math.Sqrt(6), 1 / math.Sqrt(6), -2 / math.Sqrt(6)},
	{1 / math.Sqrt2, -1 / math.Sqrt2, 0}}

var strengths = [3]float64{1, 0.3, 0.15}

func newCanvas(k *kernel.Engine, net *model.Network, o Options) *canvas {
	in, p := net.Input, net.Preprocess
	v := &canvas{k: k, c: in.C, margin: *o.Jitter, paint: o.Paint}
	v.h, v.w = in.H+2*v.margin, in.W+2*v.margin
	for c := range in.C {
		v.lo = append(v.lo, float64(p.Units(c, 0)))
		v.hi = append(v.hi, float64(p.Units(c, 255)))
		grey := 0.5
		if len(p.DataMean) == in.C {
			grey = min(max(float64(p.DataMean[c])/255, 0.02), 0.98)
			if p.Invert {
				grey = 1 - grey
			}
		}
		v.grey, v.offset = append(v.grey, grey), append(v.offset, exact.Log(grey/(1-grey)))
	}
	if in.C == 3 && !o.PlainColours {
		for c := range 3 {
			if p.BGR {
				c = 2 - c
			}
			row := make([]float64, 3)
			for a := range axes {
				row[a] = axes[a][c] * strengths[a]
			}
			v.colours = append(v.colours, row)
		}
	}
	if v.paint == Fourier {
		v.scale = v.waves()
	}
	return v
}

// size is how many numbers a picture is made from.
func (v *canvas) size() int {
	if v.paint == Fourier {
		return 2 * v.c * v.h * (v.w/2 + 1)
	}
	return v.c * v.h * v.w
}

// waves are the amplitudes of waves by frequency, as in photographs.
func (v *canvas) waves() []float64 {
	half, side := v.w/2+1, float64(max(v.h, v.w))
	out := make([]float64, v.h*half)
	for y := range v.h {
		fy := float64(min(y, v.h-y)) / float64(v.h)
		for x := range half {
			f := exact.Hypot(fy, float64(x)/float64(v.w))
			out[y*half+x] = 1 / (4 * max(f, 1/side) * math.Sqrt(float64(v.h*v.w)))
		}
	}
	return out
}

// planes are the numbers as planes, [c][h][w], along the axes of colour.
func (v *canvas) planes(numbers []float32) []float64 {
	out := make([]float64, v.c*v.h*v.w)
	if v.paint != Fourier {
		for i, n := range numbers {
			out[i] = float64(n)
		}
		return out
	}
	v.k.For(v.c, func(c int) {
		spectrum := make([]complex128, len(v.scale))
		for i := range spectrum {
			at := 2 * (c*len(spectrum) + i)
			spectrum[i] = complex(float64(numbers[at])*v.scale[i], float64(numbers[at+1])*v.scale[i])
		}
		fromWaves(spectrum, v.h, v.w, out[c*v.h*v.w:(c+1)*v.h*v.w])
	})
	return out
}

// back takes a gradient over planes to one over the numbers.
func (v *canvas) back(planes []float64) []float64 {
	if v.paint != Fourier {
		return planes
	}
	half := v.w/2 + 1
	out := make([]float64, v.size())
	v.k.For(v.c, func(c int) {
		spectrum := make([]complex128, len(v.scale))
		toWaves(planes[c*v.h*v.w:(c+1)*v.h*v.w], v.h, v.w, spectrum)
		for i, s := range spectrum {
			k := v.scale[i]
			if x := i % half; x > 0 && 2*x != v.w {
				k *= 2 // stands for its conjugate, too
			}
			at := 2 * (c*len(spectrum) + i)
			out[at], out[at+1] = k*real(s), k*imag(s)
		}
	})
	return out
}

// fromWaves writes the sum of waves, [h][w/2+1], to dst, [h][w]. The waves are spent.
func fromWaves(spectrum []complex128, h, w int, dst []float64) {
	half := w/2 + 1
	columns, rows := fourier.NewCmplxFFT(h), fourier.NewFFT(w)
	column := make([]complex128, h)
	for x := range half {
		for y := range h {
			column[y] = spectrum[y*half+x]
		}
		columns.Sequence(column, column)
		for y := range h {
			spectrum[y*half+x] = column[y]
		}
	}
	for y := range h {
		rows.Sequence(dst[y*w:(y+1)*w], spectrum[y*half:(y+1)*half])
	}
}

// toWaves is the transform of a plane, [h][w], to [h][w/2+1].
func toWaves(plane []float64, h, w int, dst []complex128) {
	half := w/2 + 1
	columns, rows := fourier.NewCmplxFFT(h), fourier.NewFFT(w)
	for y := range h {
		rows.Coefficients(dst[y*half:(y+1)*half], plane[y*w:(y+1)*w])
	}
	column := make([]complex128, h)
	for x := range half {
		for y := range h {
			column[y] = dst[y*half+x]
		}
		columns.Coefficients(column, column)
		for y := range h {
			dst[y*half+x] = column[y]
		}
	}
}

// picture is the numbers as pixels from 0 (black) to 1, [c][h][w].
func (v *canvas) picture(numbers []float32) []float64 {
	u := v.planes(numbers)
	plane := v.h * v.w
	v.k.For(v.h, func(y int) {
		for i := y * v.w; i < (y+1)*v.w; i++ {
			v.mix(u, i, false)
			for c, offset := range v.offset {
				u[c*plane+i] = 1 / (1 + exact.Exp(-u[c*plane+i]-offset))
			}
		}
	})
	return u
}

// mix takes pixel i from axes of colour to channels, or, transposed, gradients back.
func (v *canvas) mix(u []float64, i int, transposed bool) {
	if v.colours == nil {
		return
	}
	plane := v.h * v.w
	var out [3]float64
	for c, row := range v.colours {
		for a, k := range row {
			if transposed {
				out[a] += float64(k * u[c*plane+i])
			} else {
				out[c] += float64(k * u[a*plane+i])
			}
		}
	}
	for c, s := range out {
		u[c*plane+i] = s
	}
}

// gradient takes a gradient over the pixels of a picture to one over the numbers. The
// gradient given is spent.
func (v *canvas) gradient(picture, g []float64) []float64 {
	plane := v.h * v.w
	v.k.For(v.h, func(y int) {
		for i := y * v.w; i < (y+1)*v.w; i++ {
			for at := i; at < len(g); at += plane {
				g[at] *= picture[at] * (1 - picture[at])
			}
			v.mix(g, i, true)
		}
	})
	return v.back(g)
}

// units brings pixels to the network's units, in place of a gradient the other way.
func (v *canvas) units(picture []float64) []float64 {
	out, plane := make([]float64, len(picture)), v.h*v.w
	for i, p := range picture {
		c := i / plane
		out[i] = v.lo[c] + float64(p*(v.hi[c]-v.lo[c]))
	}
	return out
}

// middle is the part of planes in units that is shown: the input's size, in float32.
func (v *canvas) middle(planes []float64, in model.Input) []float32 {
	out := make([]float32, 0, in.Shape().Len())
	for c := range v.c {
		for y := range in.H {
			at := (c*v.h+v.margin+y)*v.w + v.margin
			for _, p := range planes[at : at+in.W] {
				out = append(out, float32(p))
			}
		}
	}
	return out
}

// blur smooths the numbers' picture along the axes of colour by a Gaussian.
func (v *canvas) blur(numbers []float32, deviation float64) {
	half := v.w/2 + 1
	weight := func(i int) float64 {
		fy, fx := float64(min(i/half, v.h-i/half))/float64(v.h), float64(i%half)/float64(v.w)
		return exact.Exp(-2 * math.Pi * math.Pi * deviation * deviation * (float64(fy*fy) + float64(fx*fx)))
	}
	if v.paint == Fourier {
		for i := range numbers {
			numbers[i] = float32(float64(numbers[i]) * weight(i/2%(v.h*half)))
		}
		return
	}
	planes, spectrum := v.planes(numbers), make([]complex128, v.h*half)
	for c := range v.c {
		plane := planes[c*v.h*v.w : (c+1)*v.h*v.w]
		toWaves(plane, v.h, v.w, spectrum)
		for i := range spectrum {
			spectrum[i] *= complex(weight(i)/float64(v.h*v.w), 0)
		}
		fromWaves(spectrum, v.h, v.w, plane)
		for i, p := range plane {
			numbers[c*len(plane)+i] = float32(p)
		}
	}
}
