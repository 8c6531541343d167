package dataset

import (
	"fmt"
	"image"
	"math"
	"strconv"

	"github.com/deconvnet/viz/internal/exact"
)

// The shapes set: 32x32 RGB, one object of one of ten classes on a noisy background. It stands in for a
// real data set where none is at hand, and since the place of the object is known it can say whether a
// projection or an occlusion map points at the right pixels.
//
// Nothing but the form tells the class: colour, size, place and background are drawn from the same
// distributions for every class, so covering the object leaves nothing to go by.

const (
	shapeSide = 32
	// A side of 4 gives 16 samples a pixel for smooth edges.
	shapeSamples = 4
	// Radius of the object, in pixels: half the side of the square that holds it before it is tilted.
	minRadius, maxRadius = 6.0, 9.0
)

// shape is one class. in reports whether the point x, y belongs to the object; it stays within -1..1 on
// both axes, y pointing down; k in 0..1 is a free choice made for each image.
type shape struct {
	name string
	tilt float64 // the object is turned by up to this, in degrees
	in   func(x, y, k float64) bool
}

var shapes = []shape{
	{"disc", 0, func(x, y, _ float64) bool { return exact.Hypot(x, y) <= 0.95 }},
	{"ring", 0, func(x, y, k float64) bool {
		r := exact.Hypot(x, y)
		return r <= 1 && r >= 0.5+float64(0.1*k)
	}},
	{"square", 15, func(x, y, _ float64) bool { return max(math.Abs(x), math.Abs(y)) <= 0.85 }},
	{"triangle", 20, func(x, y, _ float64) bool {
		return y >= -0.9 && y <= 0.8 && math.Abs(x) <= 0.95*(y+0.9)/1.7
	}},
	{"cross", 15, func(x, y, k float64) bool {
		x, y = math.Abs(x), math.Abs(y)
		return max(x, y) <= 1 && min(x, y) <= 0.24+float64(0.08*k)
	}},
	{"star", 36, inStar},
	{"crescent", 25, func(x, y, k float64) bool {
		if k < 0.5 {
			x = -x
		}
		return exact.Hypot(x, y) <= 1 && exact.Hypot(x-0.5, y) > 0.85
	}},
	{"rows", 10, inRows},
	{"columns", 10, func(x, y, k float64) bool { return inRows(y, x, k) }},
	{"checks", 10, func(x, y, k float64) bool {
		const cell = 0.45
		if max(math.Abs(x), math.Abs(y)) > 2*cell {
			return false
		}
		odd := (int(math.Floor(x/cell))+int(math.Floor(y/cell)))&1 != 0
		return odd == (k < 0.5)
	}},
}

// inStar is a star of five points: each point is half of the sector between two notches, mirrored.
func inStar(x, y, _ float64) bool {
	const sector = 2 * math.Pi / 5
	const notch = 0.44 // radius of the notches; the points have radius 1
	a := exact.Atan2(x, -y)
	a = math.Abs(a - float64(sector*math.Round(a/sector)))
	r := exact.Hypot(x, y)
	px, py := float64(r*exact.Cos(a)), float64(r*exact.Sin(a))
	nx, ny := float64(notch*exact.Cos(sector/2)), float64(notch*exact.Sin(sector/2))
	// On the centre's side of the line from the point (1, 0) to the notch (nx, ny).
	return float64((nx-1)*py)-float64(ny*(px-1)) >= 0
}

// inRows is three bars with two gaps between them, all equally thick.
func inRows(x, y, _ float64) bool {
	const half, bars = 0.9, 5
	if max(math.Abs(x), math.Abs(y)) >= half {
		return false
	}
	return int((y+half)/(2*half/bars))%2 == 0
}

func openShapes(o Options) (*Data, error) {
	for _, size := range []*int{&o.Train, &o.Test} {
		if *size < 0 {
			return nil, fmt.Errorf("shapes: size: got %d, want 0 or more", *size)
		}
	}
	if o.Train == 0 {
		o.Train = 20000
	}
	if o.Test == 0 {
		o.Test = 2000
	}
	d := &Data{Name: "shapes", Generated: true, Source: fmt.Sprintf("generated, seed %d", o.Seed)}
	for _, s := range shapes {
		d.Classes = append(d.Classes, s.name)
	}
	for _, sp := range []struct {
		name string
		id   uint64
		n    int
	}{{"train", 1, o.Train}, {"test", 2, o.Test}} {
		s := &Set{name: d.Name, split: sp.name, c: 3, h: shapeSide, w: shapeSide}
		s.labels = make([]int, sp.n)
		for i := range s.labels {
			s.labels[i] = i % len(shapes) // so that every beginning of the set is balanced
		}
		s.id = func(i int) string { return sp.name + "/" + strconv.Itoa(i) }
		s.draw = func(i int) (image.Image, image.Rectangle, error) {
			m, object := drawShape(o.Seed, sp.id, uint64(i), s.labels[i], true)
			return m, object, nil
		}
		d.put(s)
	}
	return d, nil
}

// random is SplitMix64 [steele14]: with so little state that each image can have its own, and the same
// in every Go release. Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014,
// doi:10.1145/2660193.2660195.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// newRandom seeds a generator from a chain of hashes, so that neighbouring images have nothing in common.
func newRandom(keys ...uint64) *random {
	var r random
	for _, k := range keys {
		r ^= random(k)
		r = random(r.next())
	}
	return &r
}

// in returns a number between lo and hi.
func (r *random) in(lo, hi float64) float64 {
	return lo + float64((hi-lo)*float64(float64(r.next()>>11)/(1<<53)))
}

type rgb [3]float64

func (c rgb) luma() float64 { return float64(0.299*c[0]) + float64(0.587*c[1]) + float64(0.114*c[2]) }

// mix blends towards d by a in 0..1.
func (c *rgb) mix(d rgb, a float64) {
	for i := range c {
		c[i] += float64(a * (d[i] - c[i]))
	}
}

// drawShape draws image i of a split. It depends on nothing but its arguments: products are rounded by
// themselves on all processors (only exact.Exp and Sincos may differ in their last bit). With object false
// everything else is drawn alike and the rectangle is empty: for tests.
func drawShape(seed, split, i uint64, label int, object bool) (*image.NRGBA, image.Rectangle) {
	var canvas [shapeSide][shapeSide]rgb
	// Place and colour come before the class is looked at.
	r := newRandom(seed, split, i)
	drawBackground(&canvas, r)
	radius := r.in(minRadius, maxRadius)
	margin := float64(1.2 * radius) // the widest turned shape, the triangle, needs 1.18
	cx, cy := r.in(margin, shapeSide-margin), r.in(margin, shapeSide-margin)
	colour := contrasting(canvas[int(cy)][int(cx)], r)
	turn, k := r.in(-1, 1), r.in(0, 1)

	var box image.Rectangle
	if object {
		s := shapes[label]
		sin, cos := exact.Sincos(turn * s.tilt * math.Pi / 180)
		for y := int(cy - margin); y < min(int(math.Ceil(cy+margin)), shapeSide); y++ {
			for x := int(cx - margin); x < min(int(math.Ceil(cx+margin)), shapeSide); x++ {
				hits := 0
				for j := range shapeSamples * shapeSamples {
					dx := (float64(x) + (float64(j%shapeSamples)+0.5)/shapeSamples - cx) / radius
					dy := (float64(y) + (float64(j/shapeSamples)+0.5)/shapeSamples - cy) / radius
					u, v := float64(cos*dx)+float64(sin*dy), float64(cos*dy)-float64(sin*dx)
					if max(math.Abs(u), math.Abs(v)) <= 1 && s.in(u, v, k) {
						hits++
					}
				}
				if hits > 0 {
					canvas[y][x].mix(colour, float64(hits)/(shapeSamples*shapeSamples))
					box = box.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
	}

	// Noise goes over everything, lest the object be told by being smooth.
	m := image.NewNRGBA(image.Rect(0, 0, shapeSide, shapeSide))
	for y := range shapeSide {
		for x := range shapeSide {
			p := m.Pix[m.PixOffset(x, y):]
			grey := r.in(-9, 9) + r.in(-9, 9)
			for c, v := range canvas[y][x] {
				p[c] = uint8(min(max(math.Round(v+grey+r.in(-8, 8)), 0), 255))
			}
			p[3] = 255
		}
	}
	return m, box
}

// contrasting picks a random colour that stands out from c, also when turned to grey.
func contrasting(c rgb, r *random) rgb {
	for {
		// One in two draws or so is far enough from any c that a background can have.
		d := rgb{r.in(10, 245), r.in(10, 245), r.in(10, 245)}
		if math.Abs(d.luma()-c.luma()) >= 65 {
			return d
		}
	}
}

// drawBackground fills the canvas with a soft cloud of colours and a few faint strokes and spots, so that
// an edge by itself means nothing.
func drawBackground(canvas *[shapeSide][shapeSide]rgb, r *random) {
	base := rgb{r.in(60, 195), r.in(60, 195), r.in(60, 195)}
	const cells = 4
	var knots [cells + 1][cells + 1]rgb
	for y := range knots {
		for x := range knots[y] {
			for c := range base {
				knots[y][x][c] = base[c] + r.in(-32, 32)
			}
		}
	}
	smooth := func(i int) (int, float64) { // knot and weight of the one after
		cell, t := math.Modf(float64((float64(i) + 0.5) * cells / shapeSide))
		return int(cell), t * t * (3 - float64(2*t))
	}
	for y := range canvas {
		j, ty := smooth(y)
		for x := range canvas[y] {
			i, tx := smooth(x)
			top, bottom := knots[j][i], knots[j+1][i]
			top.mix(knots[j][i+1], tx)
			bottom.mix(knots[j+1][i+1], tx)
			top.mix(bottom, ty)
			canvas[y][x] = top
		}
	}
	for range 5 {
		x0, y0 := r.in(0, shapeSide), r.in(0, shapeSide)
		sin, cos := exact.Sincos(r.in(0, 2*math.Pi))
		length, width := r.in(4, 9), r.in(1.2, 2.2)
		if r.in(0, 1) < 0.4 {
			length = 0 // a spot
		}
		// A shift of the colour below, up or down, of about half the least contrast of an object.
		shift := r.in(-1, 1)
		shift = math.Copysign(18+float64(20*math.Abs(shift)), shift)
		delta := rgb{shift + r.in(-12, 12), shift + r.in(-12, 12), shift + r.in(-12, 12)}
		for y := range canvas {
			for x := range canvas[y] {
				dx, dy := float64(x)+0.5-x0, float64(y)+0.5-y0
				along := min(max(float64(dx*cos)+float64(dy*sin), 0), length)
				dx, dy = dx-float64(along*cos), dy-float64(along*sin)
				d2 := (float64(dx*dx) + float64(dy*dy)) / (width * width)
				if d2 > 9 { // less than 0.01 of a grey level
					continue
				}
				a := exact.Exp(-d2)
				for c := range delta {
					canvas[y][x][c] += float64(a * delta[c])
				}
			}
		}
	}
}
