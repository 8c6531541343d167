package render

import (
	"image/color"
	"math"
	"sync"

	"github.com/deconvnet/viz/internal/exact"
)

// A Palette gives the colour of t in 0..1. Values outside are clipped to the
// ends; NaN is magenta.
type Palette func(t float64) color.NRGBA

// nan is the colour of a value that is not a number.
var nan = color.NRGBA{R: 255, B: 255, A: 255}

// Steps is p with n equal steps: [0,1/n) has the colour of 0, the last step that
// of 1. It panics unless n is at least 2.
func Steps(p Palette, n int) Palette {
	if n < 2 {
		panic("render: Steps: want at least 2 steps")
	}
	return func(t float64) color.NRGBA {
		if math.IsNaN(t) {
			return nan
		}
		i := min(math.Floor(clip(t)*float64(n)), float64(n-1))
		return p(i / float64(n-1))
	}
}

// Gray runs from black to white.
func Gray(t float64) color.NRGBA {
	if math.IsNaN(t) {
		return nan
	}
	g := byteOf(clip(t))
	return color.NRGBA{g, g, g, 255}
}

// Jet is the rainbow of older MATLAB versions, dark blue over cyan, yellow to dark
// red: three trapezoids of slope 4. It shows steps that are not in the data; it is
// here for figures in the style of [zeiler14] (arXiv 1311.2901).
func Jet(t float64) color.NRGBA {
	if math.IsNaN(t) {
		return nan
	}
	t = clip(t)
	ramp := func(centre float64) uint8 { return byteOf(clip(1.5 - math.Abs(float64(4*t)-centre))) }
	return color.NRGBA{ramp(3), ramp(2), ramp(1), 255}
}

// viridis holds nine of the colours of Stéfan van der Walt and Nathaniel Smith's
// map of that name (matplotlib, 2015, public domain), at t = 0, 1/8, .. 1.
var viridis = [...]color.NRGBA{
	{0x44, 0x01, 0x54, 255}, {0x47, 0x2d, 0x7b, 255}, {0x3b, 0x52, 0x8b, 255},
	{0x2c, 0x72, 0x8e, 255}, {0x21, 0x91, 0x8c, 255}, {0x28, 0xae, 0x80, 255},
	{0x5e, 0xc9, 0x62, 255}, {0xad, 0xdc, 0x30, 255}, {0xfd, 0xe7, 0x25, 255},
}

var viridisLab = sync.OnceValue(func() (list [len(viridis)]lab) {
	for i, c := range viridis {
		list[i] = toLab(c)
	}
	return list
})

// Viridis runs from dark violet over green to yellow with evenly rising
// lightness: the default for maps that have no zero in the middle. Between nine
// control points it is linear in OKLab.
func Viridis(t float64) color.NRGBA {
	if math.IsNaN(t) {
		return nan
	}
	at := float64(clip(t) * float64(len(viridis)-1))
	i := min(int(at), len(viridis)-2)
	list := viridisLab()
	a, b := list[i], list[i+1]
	f := at - float64(i)
	return lab{a.l + float64(f*(b.l-a.l)), a.a + float64(f*(b.a-a.a)), a.b + float64(f*(b.b-a.b))}.color()
}

// Diverging shows the sign: t = 0.5 is exactly (128,128,128), below it the colour
// goes straight to a darker blue, above it to a lighter orange, in OKLab, with
// equal steps of lightness and of chroma on both sides. So equal magnitudes look
// equally strong, and the sign survives printing in grey.
func Diverging(t float64) color.NRGBA {
	if math.IsNaN(t) {
		return nan
	}
	const (
		rise   = 0.165 // lightness gained or lost at the ends
		chroma = 0.162 // at the ends; sRGB has no more at this lightness and orange
	)
	s := float64(2*clip(t)) - 1
	hue := orange
	if s < 0 {
		hue = blue
	}
	c := chroma * math.Abs(s)
	return lab{midGrey.l + float64(rise*s), c * hue.cos, c * hue.sin}.color()
}

// direction is a hue on the plane of a and b.
type direction struct{ cos, sin float64 }

func directionOf(angle float64) direction { return direction{exact.Cos(angle), exact.Sin(angle)} }

var blue, orange = directionOf(260 * math.Pi / 180), directionOf(56 * math.Pi / 180)

var midGrey = toLab(color.NRGBA{128, 128, 128, 255})

// Categorical is the colour of class i. The first 32 are chosen so that each is as
// far as possible from those before it (see distinct); from there on the colour is
// a hash of i and may resemble another. A negative i, for "none", is light grey.
func Categorical(i int) color.NRGBA {
	if i < 0 {
		return color.NRGBA{210, 210, 210, 255}
	}
	if set := distinct(); i < len(set) {
		return set[i]
	}
	// The finaliser of MurmurHash3 spreads the bits of i.
	h := uint64(i)
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	hue := 2 * math.Pi * float64(h&0xffff) / 0x10000
	l := 0.45 + float64(0.4*float64(h>>16&0xff)/255)
	c := 0.06 + float64(0.06*float64(h>>24&0xff)/255)
	return lab{l, c * exact.Cos(hue), c * exact.Sin(hue)}.color()
}

// distinct picks 32 colours out of a lattice over sRGB, beginning with a blue and
// taking each time the one whose nearest earlier colour is farthest away in
// OKLab. White (the page) and the magenta of NaN count as taken; dark, light, greyish
// and glaring colours are left out. The idea is Glasbey et al., Colour
// displays for categorical images, 2007, doi:10.1002/col.20327.
var distinct = sync.OnceValue(func() []color.NRGBA {
	type candidate struct {
		c    color.NRGBA
		lab  lab
		away float64 // squared distance to the nearest colour taken
	}
	var all []candidate
	white, magenta := toLab(color.NRGBA{255, 255, 255, 255}), toLab(nan)
	const steps = 16
	for n := range steps * steps * steps {
		c := color.NRGBA{uint8(n / steps / steps * 17), uint8(n / steps % steps * 17), uint8(n % steps * 17), 255}
		l := toLab(c)
		if chroma := exact.Hypot(l.a, l.b); l.l >= 0.42 && l.l <= 0.84 && chroma >= 0.06 && chroma <= 0.2 {
			all = append(all, candidate{c, l, min(l.distance2(white), l.distance2(magenta))})
		}
	}
	set := []color.NRGBA{{51, 102, 204, 255}}
	for len(set) < 32 {
		last := toLab(set[len(set)-1])
		best := 0
		for i := range all {
			all[i].away = min(all[i].away, all[i].lab.distance2(last))
			if all[i].away > all[best].away {
				best = i
			}
		}
		set = append(set, all[best].c)
	}
	return set
})

// lab is a colour in OKLab, whose distances follow what we see: l is lightness
// 0..1, a runs from green to red, b from blue to yellow.
// Björn Ottosson, A perceptual color space for image processing, 2020.
type lab struct{ l, a, b float64 }

func (p lab) distance2(q lab) float64 {
	return float64((p.l-q.l)*(p.l-q.l)) + float64((p.a-q.a)*(p.a-q.a)) + float64((p.b-q.b)*(p.b-q.b))
}

// sum3 rounds products before it adds them, on every processor.
func sum3(a, b, c float64) float64 { return float64(a) + float64(b) + float64(c) }

func toLab(c color.NRGBA) lab {
	r, g, b := linear(c.R), linear(c.G), linear(c.B)
	l := exact.Cbrt(sum3(0.4122214708*r, 0.5363325363*g, 0.0514459929*b))
	m := exact.Cbrt(sum3(0.2119034982*r, 0.6806995451*g, 0.1073969566*b))
	s := exact.Cbrt(sum3(0.0883024619*r, 0.2817188376*g, 0.6299787005*b))
	return lab{
		sum3(0.2104542553*l, 0.7936177850*m, -0.0040720468*s),
		sum3(1.9779984951*l, -2.4285922050*m, 0.4505937099*s),
		sum3(0.0259040371*l, 0.7827717662*m, -0.8086757660*s),
	}
}

// rgb is p in linear sRGB; outside the gamut it leaves 0..1.
func (p lab) rgb() (r, g, b float64) {
	l := sum3(p.l, 0.3963377774*p.a, 0.2158037573*p.b)
	m := sum3(p.l, -0.1055613458*p.a, -0.0638541728*p.b)
	s := sum3(p.l, -0.0894841775*p.a, -1.2914855480*p.b)
	l, m, s = l*l*l, m*m*m, s*s*s
	return sum3(4.0767416621*l, -3.3077115913*m, 0.2309699292*s),
		sum3(-1.2684380046*l, 2.6097574011*m, -0.3413193965*s),
		sum3(-0.0041960863*l, -0.7034186147*m, 1.7076147010*s)
}

func (p lab) color() color.NRGBA {
	r, g, b := p.rgb()
	return color.NRGBA{gamma(r), gamma(g), gamma(b), 255}
}

// linear and gamma are the sRGB transfer function (IEC 61966-2-1) both ways.
func linear(v uint8) float64 { return unbent(float64(v) / 255) }

// unbent is a channel of 0..1 without sRGB's gamma.
func unbent(x float64) float64 {
	if x <= 0.04045 {
		return x / 12.92
	}
	return exact.Pow((x+0.055)/1.055, 2.4)
}

// gammaSteps are where gamma gives the next byte, to some 50 bits.
var gammaSteps = sync.OnceValue(func() []float64 {
	steps := make([]float64, 257)
	for i := 1; i < 256; i++ {
		steps[i] = unbent((float64(i) - 0.5) / 255)
	}
	steps[256] = math.Inf(1)
	return steps
})

// gamma is the byte of a linear channel. Powers take long, so it looks where x is between the steps, and asks
// gammaByDefinition near one.
func gamma(x float64) uint8 {
	steps := gammaSteps()
	i := 0
	for half := 128; half > 0; half /= 2 {
		if steps[i+half] <= x {
			i += half
		}
	}
	const near = 1e-9
	if x-steps[i] < near || steps[i+1]-x < near {
		return gammaByDefinition(x)
	}
	return uint8(i)
}

func gammaByDefinition(x float64) uint8 {
	if x <= 0.0031308 {
		return byteOf(clip(12.92 * x))
	}
	return byteOf(clip(float64(1.055*exact.Pow(x, 1/2.4)) - 0.055))
}

// clip limits t to 0..1.
func clip(t float64) float64 { return min(max(t, 0), 1) }

// byteOf maps 0..1 to 0..255, rounding to nearest.
func byteOf(t float64) uint8 { return uint8(float64(t*255) + 0.5) }
