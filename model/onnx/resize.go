package onnx

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/model"
)

// resize makes maps larger or smaller, one axis after the other, by the weights
// that ONNX's interpolation gives each pixel.
func resize(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	q := &resizing{resampling: resampling{mode: n.text("mode", nearestMode), coordinates: "asymmetric", nearest: "floor",
		a: float64(n.float("cubic_coeff_a", -0.75)), exclude: n.int("exclude_outside", 0) != 0, outside: n.float("extrapolation_value", 0)}}
	if q.mode == "bilinear" {
		q.mode = "linear"
	}
	for i := range in.dims {
		q.axes = append(q.axes, i)
	}
	scalesAt := 1
	if c.opset >= 11 && n.op == "Resize" {
		scalesAt = 2
		if err := c.resizing11(n, q, len(in.dims)); err != nil {
			return err
		}
	}
	if q.scales, err = c.scales(n, scalesAt); err != nil {
		return err
	}
	if err := q.check(n, in.dims); err != nil {
		return err
	}
	var axes []int
	var layers []*model.AlongAxis
	for i, a := range q.axes {
		r, err := q.along(i, in.dims)
		if err != nil {
			return err
		}
		if r.idle() {
			continue
		}
		if err := c.spend(r.to * r.taps()); err != nil {
			return err
		}
		l, err := r.layer()
		if err != nil {
			return err
		}
		axes, layers = append(axes, a), append(layers, l)
	}
	if len(axes) == 0 {
		c.alias(n, 0, in, in.dims)
		return nil
	}
	v, err := c.alongAxes(n, "resize", in, axes, layers)
	if err != nil {
		return err
	}
	c.values[n.output()] = v
	return nil
}

// alongAxes runs one layer after the other, each along its axis. The last has the
// node's name, the others one with the given word.
func (c *converter) alongAxes(n *node, word string, v *value, axes []int, layers []*model.AlongAxis) (_ *value, err error) {
	for i, a := range axes {
		name := c.name(n)
		if i < len(axes)-1 {
			name = c.unique(name + "." + word)
		}
		if v, err = c.along(name, v, a, layers[i]); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// resizing is what a Resize node asks for: sizes or scales of some axes.
type resizing struct {
	resampling
	axes   []int
	sizes  []int64   // one for each axis, or none
	scales []float32 // one for each axis if they matter
	roi    []float32 // where each axis starts, then where each ends
}

// resizing11 reads what Upsample and Resize before operator set 11 do not have: they
// know nearest and linear, with coordinates that start at the corner.
func (c *converter) resizing11(n *node, q *resizing, rank int) error {
	q.coordinates = n.text("coordinate_transformation_mode", "half_pixel")
	q.nearest = n.text("nearest_mode", "round_prefer_floor")
	q.antialias = n.int("antialias", 0) != 0
	if a := n.ints("axes"); a != nil {
		q.axes = nil
		for _, v := range a {
			x, err := axis(v, rank)
			if err != nil {
				return err
			}
			if slices.Contains(q.axes, x) {
				return malformed("axes %v", a)
			}
			q.axes = append(q.axes, x)
		}
	}
	k, err := c.floats(n, 1)
	if err != nil {
		return err
	}
	if k != nil {
		q.roi = k.f
	}
	q.sizes, err = c.integers(n, 3, "")
	return err
}

// scales are in an attribute of Upsample, in two of operator set 1, or in an input.
func (c *converter) scales(n *node, input int) ([]float32, error) {
	if n.op == "Upsample" {
		if a := n.attr("scales"); a != nil {
			return a.floats, nil
		}
		if a := n.attr("height_scale"); a != nil {
			return []float32{1, 1, a.f, n.float("width_scale", 1)}, nil
		}
	}
	k, err := c.constant(n, input)
	if err != nil || k == nil || k.len() == 0 {
		return nil, err
	}
	if k.f == nil {
		return nil, malformed("scales are %v", k)
	}
	return k.f, nil
}

// check compares the numbers of sizes and scales with that of axes, and makes one
// scale for all axes of sizes that keep the aspect ratio: the smallest or largest
// that is asked for.
func (q *resizing) check(n *node, dims []int64) error {
	if len(q.sizes) > 0 && len(q.sizes) != len(q.axes) || len(q.sizes) == 0 && len(q.scales) != len(q.axes) {
		return malformed("sizes are %v, scales %v, for axes %v", q.sizes, q.scales, q.axes)
	}
	if q.coordinates == cropAndResize && len(q.roi) != 2*len(q.axes) {
		return malformed("roi is %v, for axes %v", q.roi, q.axes)
	}
	if len(q.sizes) == 0 {
		return nil
	}
	q.scales = nil
	policy := n.text("keep_aspect_ratio_policy", "stretch")
	if policy == "stretch" {
		return nil
	}
	scale := 0.0
	for i, a := range q.axes {
		s := float64(q.sizes[i]) / float64(dims[a])
		if i == 0 || policy == "not_larger" && s < scale || policy == "not_smaller" && s > scale {
			scale = s
		}
	}
	for i, a := range q.axes {
		q.sizes[i] = int64(math.Round(scale * float64(dims[a])))
		q.scales = append(q.scales, float32(scale))
	}
	return nil
}

// along is how axis number i of those to resize is resized.
func (q *resizing) along(i int, dims []int64) (resampling, error) {
	r := q.resampling
	r.from = int(dims[q.axes[i]])
	size := float64(r.from)
	switch {
	case len(q.sizes) > 0:
		if q.sizes[i] < 1 || q.sizes[i] > 1<<20 {
			return r, malformed("sizes are %v", q.sizes)
		}
		r.to = int(q.sizes[i])
		r.scale = float64(r.to) / size
		if q.scales != nil {
			r.scale = float64(q.scales[i])
		}
	default:
		if !(q.scales[i] > 0) || float64(q.scales[i])*size > 1<<20 {
			return r, malformed("scales are %v", q.scales)
		}
		r.scale = float64(q.scales[i])
		r.to = int(math.Floor(float64(size*r.scale) + float64(1e-9*size)))
	}
	if r.to < 1 {
		return r, refuse("it leaves nothing of %v", dims)
	}
	r.first, r.last = 0, 1
	if q.roi != nil && r.coordinates == cropAndResize {
		r.first, r.last = float64(q.roi[i]), float64(q.roi[i+len(q.axes)])
	}
	return r, nil
}

// idle reports whether the axis stays as it is.
func (r *resampling) idle() bool {
	return r.to == r.from && r.scale == 1 && r.first == 0 && r.last == 1
}

// resampling is how one axis is resized.
type resampling struct {
	mode, coordinates, nearest string
	a                          float64 // of the cubic
	exclude, antialias         bool
	outside                    float32
	from, to                   int
	scale                      float64
	first, last                float64 // of the region of interest, as shares of the axis
}

// coordinates says where pixel x of the result lies in the input, by name.
var coordinates = map[string]func(r *resampling, x float64) float64{
	"half_pixel": halfPixel,
	"half_pixel_symmetric": func(r *resampling, x float64) float64 {
		from := float64(r.from)
		adjust := float64(r.to) / (r.scale * from)
		return float64(from/2*(1-adjust)) + (x+0.5)/r.scale - 0.5
	},
	"pytorch_half_pixel": func(r *resampling, x float64) float64 {
		if r.to == 1 {
			return 0
		}
		return halfPixel(r, x)
	},
	"align_corners": func(r *resampling, x float64) float64 {
		if r.to == 1 {
			return 0
		}
		return x * float64(r.from-1) / float64(r.to-1)
	},
	"asymmetric":           func(r *resampling, x float64) float64 { return x / r.scale },
	"tf_half_pixel_for_nn": func(r *resampling, x float64) float64 { return (x + 0.5) / r.scale },
	cropAndResize: func(r *resampling, x float64) float64 {
		last := float64(r.from - 1)
		if r.to == 1 {
			return 0.5 * (r.first + r.last) * last
		}
		return float64(r.first*last) + x*(r.last-r.first)*last/float64(r.to-1)
	},
}

// cropAndResize are the coordinates that know a region of interest and an outside.
const cropAndResize = "tf_crop_and_resize"

func halfPixel(r *resampling, x float64) float64 { return (x+0.5)/r.scale - 0.5 }

// roundings say which pixel is the nearest, by name.
var roundings = map[string]func(x float64) float64{
	"round_prefer_floor": func(x float64) float64 { return math.Ceil(x - 0.5) },
	"round_prefer_ceil":  func(x float64) float64 { return math.Floor(x + 0.5) },
	"floor":              math.Floor,
	"ceil":               math.Ceil,
}

// interpolation is the filter of a mode: its reach in pixels of the input, and the
// weight of a pixel at distance d.
type interpolation struct {
	radius float64
	weight func(r *resampling, d float64) float64
}

// interpolations by name; the nearest pixel has no filter.
var interpolations = map[string]interpolation{
	nearestMode: {},
	"linear":    {1, func(_ *resampling, d float64) float64 { return max(1-d, 0) }},
	"cubic":     {2, (*resampling).cubic},
}

const nearestMode = "nearest"

// stretch is by how much the filter grows with the pixels of a smaller result,
// with antialiasing.
func (r *resampling) stretch() float64 {
	if r.antialias && r.scale < 1 && r.mode != nearestMode {
		return 1 / r.scale
	}
	return 1
}

// radius is that of the interpolation's kernel.
func (r *resampling) radius() float64 { return interpolations[r.mode].radius }

// taps is the largest number of pixels that make one.
func (r *resampling) taps() int {
	if r.mode == nearestMode {
		return 1
	}
	if s := r.stretch(); s != 1 {
		return int(min(2*r.radius()*s, 1<<20)) + 2
	}
	return int(2 * r.radius())
}

// layer returns the weights of every pixel of the result.
func (r *resampling) layer() (*model.AlongAxis, error) {
	l := &model.AlongAxis{What: "Resize", Fill: r.outside, Taps: r.taps(), Index: make([]int, r.to*r.taps())}
	if r.mode != nearestMode {
		l.Weight = make([]float32, len(l.Index))
	}
	kernel, known := interpolations[r.mode]
	if !known {
		return nil, refuse("mode is %q", r.mode)
	}
	position, known := coordinates[r.coordinates]
	if !known {
		return nil, refuse("coordinate_transformation_mode is %q", r.coordinates)
	}
	round, known := roundings[r.nearest]
	if !known && r.mode == nearestMode {
		return nil, refuse("nearest_mode is %q", r.nearest)
	}
	radius, stretch := r.radius(), r.stretch()
	row := make([]float64, l.Taps)
	for i := range r.to {
		x := position(r, float64(i))
		index := l.Index[i*l.Taps : (i+1)*l.Taps]
		if r.coordinates == cropAndResize && (x < 0 || x > float64(r.from-1)) {
			index[0] = -1
			if l.Weight != nil {
				l.Weight[i*l.Taps] = 1
			}
			continue
		}
		if r.mode == nearestMode {
			index[0] = min(max(int(round(x)), 0), r.from-1)
			continue
		}
		low := int(math.Floor(x-float64(radius*stretch))) + 1
		if stretch == 1 { // the pixels around x, also where x is on one
			low = int(math.Floor(x)) - int(radius) + 1
		}
		sum := 0.0
		for j := range row {
			at := low + j
			w := kernel.weight(r, math.Abs(x-float64(at))/stretch)
			if r.exclude && (at < 0 || at >= r.from) {
				w = 0
			}
			sum += w
			row[j], index[j] = w, min(max(at, 0), r.from-1)
		}
		for j, w := range row {
			if (r.exclude || stretch != 1) && sum != 0 {
				w /= sum
			}
			l.Weight[i*l.Taps+j] = float32(w)
		}
	}
	return l, nil
}

// cubic is the convolution kernel of R. Keys, Cubic convolution interpolation
// for digital image processing, 1981, with parameter a.
func (r *resampling) cubic(d float64) float64 {
	switch {
	case d <= 1:
		return float64((float64((r.a+2)*d)-(r.a+3))*d*d) + 1
	case d < 2:
		return float64((float64((float64(r.a*d)-float64(5*r.a))*d)+float64(8*r.a))*d) - float64(4*r.a)
	}
	return 0
}
