package render

import (
	"image"
	"image/color"
	"math"

	"github.com/deconvnet/viz/internal/exact"
)

// A point is a place, in values or in pixels.
type point struct{ X, Y float64 }

// A span is the range of an axis.
type span struct{ lo, hi float64 }

// largestValue is the largest value that is told apart from others; ranges of such values can be computed with.
const largestValue = 1e300

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// noSpan is the span of no values.
func noSpan() span { return span{math.Inf(1), math.Inf(-1)} }

func (s *span) add(v float64) {
	v = min(max(v, -largestValue), largestValue)
	s.lo, s.hi = min(s.lo, v), max(s.hi, v)
}

// widened is a span with room at both ends, by a share of it. An end at zero stays.
func (s span) widened(share float64) span {
	room := float64(share * (s.hi - s.lo))
	if !finite(room) {
		return s
	}
	if s.lo != 0 {
		s.lo -= room
	}
	if s.hi != 0 {
		s.hi += room
	}
	return s
}

// drawable is a span with a width that numbers can tell: of no values 0 to 1, of one value from 0 to its double.
func (s span) drawable() span {
	if !(s.lo <= s.hi) || !finite(s.lo) || !finite(s.hi) {
		return span{0, 1}
	}
	s.lo, s.hi = max(s.lo, -largestValue), min(s.hi, largestValue)
	most := max(math.Abs(s.lo), math.Abs(s.hi))
	if s.hi-s.lo > 1e-9*most && s.hi-s.lo > 1e-300 {
		return s
	}
	if most < 1e-300 {
		return span{-1, 1}
	}
	return span{s.lo - most, s.hi + most}
}

// position is where v stands in width pixels, anywhere near if it is far outside.
func (s span) position(v, width float64) float64 {
	const far = 1e9
	v = min(max(v, -largestValue), largestValue)
	return min(max((v-s.lo)/(s.hi-s.lo)*width, -far), far)
}

func (s span) pixel(v float64, width int) int { return int(math.Round(s.position(v, float64(width)))) }

// A plot places data on the area between the axes. Nothing is drawn outside it, but for the widths of lines and dots.
type plot struct {
	c     canvas
	area  image.Rectangle
	x, y  span
	scale float64
}

// at is the place of a value on the page, to a 64th of a pixel, as gg draws: so it is the same on all processors.
func (p plot) at(v point) point {
	x := p.x.position(v.X, float64(p.area.Dx()))
	y := p.y.position(v.Y, float64(p.area.Dy()))
	return point{X: float64(p.area.Min.X) + snap(x) + 0.5, Y: float64(p.area.Max.Y) - snap(y) + 0.5}
}

func snap(v float64) float64 { return float64(math.Round(v*64) / 64) }

// row and column are the pixels of a mark, if it is inside.
func (p plot) row(v float64) (int, bool) {
	y := p.area.Max.Y - p.y.pixel(v, p.area.Dy())
	return y, y >= p.area.Min.Y && y <= p.area.Max.Y
}

func (p plot) column(v float64) (int, bool) {
	x := p.area.Min.X + p.x.pixel(v, p.area.Dx())
	return x, x >= p.area.Min.X && x <= p.area.Max.X
}

// bar fills from zero to v around x, wide in units of x. What is not zero has at least one pixel.
func (p plot) bar(x, v, wide float64, col color.Color) {
	width := max(1, int(math.Round(wide*float64(p.area.Dx())/(p.x.hi-p.x.lo))))
	left := p.area.Min.X + p.x.pixel(x, 2*p.area.Dx())/2 - width/2
	foot, top := p.area.Max.Y-p.y.pixel(0, p.area.Dy()), p.area.Max.Y-p.y.pixel(v, p.area.Dy())
	if v > 0 {
		top = min(top, foot-1)
	} else if v < 0 {
		top = max(top, foot+1)
	}
	fill(p.c.img, image.Rect(left, foot, left+width, top).Intersect(p.area), col)
}

// line joins values by a line of a width, in units of the scale.
func (p plot) line(values []point, col color.Color, width float64, dashed bool) {
	placed := make([]point, len(values))
	for i, v := range values {
		placed[i] = p.at(v)
	}
	runs := clipLine(placed, p.area)
	p.c.dc.SetLineCapRound()
	if dashed {
		var pieces [][]point
		for _, run := range runs {
			pieces = append(pieces, dashes(run, 6*p.scale, 4*p.scale)...)
		}
		runs = pieces
		p.c.dc.SetLineCapButt()
	}
	p.c.dc.SetColor(col)
	p.c.dc.SetLineWidth(width * p.scale)
	for _, run := range runs {
		p.path(run)
	}
	p.c.dc.Stroke()
}

// polygon fills what values surround.
func (p plot) polygon(values []point, col color.Color) {
	placed := make([]point, len(values))
	for i, v := range values {
		placed[i] = p.at(v)
	}
	p.path(clipPolygon(placed, p.area))
	p.c.dc.SetColor(col)
	p.c.dc.Fill()
}

// dot marks a value that is inside.
func (p plot) dot(v point, col color.Color) {
	const corners = 24
	middle := p.at(v)
	if !inside(middle, p.area) {
		return
	}
	var ring []point
	for k := range corners {
		sin, cos := exact.Sincos(2 * math.Pi * float64(k) / corners)
		ring = append(ring, point{X: middle.X + snap(2.5*p.scale*cos), Y: middle.Y + snap(2.5*p.scale*sin)})
	}
	p.path(ring)
	p.c.dc.SetColor(col)
	p.c.dc.Fill()
}

func (p plot) path(points []point) {
	p.c.dc.NewSubPath()
	for _, v := range points {
		p.c.dc.LineTo(snap(v.X), snap(v.Y))
	}
}
