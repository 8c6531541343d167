package onnx

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/model"
)

// resize makes maps larger or smaller, one axis after the other, by the weights
// that ONNX's interpolation gives each pixel. Upsample and Resize before operator
// set 11 know nearest and linear, with coordinates that start at the corner.
func resize(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	r := resampling{mode: n.text("mode", "nearest"), coordinates: "asymmetric", nearest: "floor", a: float64(n.float("cubic_coeff_a", -0.75)),
		exclude: n.int("exclude_outside", 0) != 0, outside: n.float("extrapolation_value", 0)}
	if r.mode == "bilinear" {
		r.mode = "linear"
	}
	scalesAt := 1
	rank := len(in.dims)
	var axes []int
	for i := range rank {
		axes = append(axes, i)
	}
	var roi []float32
	var sizes []int64
	if c.opset >= 11 && n.op == "Resize" {
		scalesAt = 2
		r.coordinates = n.text("coordinate_transformation_mode", "half_pixel")
		r.nearest = n.text("nearest_mode", "round_prefer_floor")
		r.antialias = n.int("antialias", 0) != 0
		if a := n.ints("axes"); a != nil {
			axes = nil
			for _, v := range a {
				x, err := axis(v, rank)
				if err != nil {
					return err
				}
				if slices.Contains(axes, x) {
					return malformed("axes %v", a)
				}
				axes = append(axes, x)
			}
		}
		if k, err := c.floats(n, 1); err != nil {
			return err
		} else if k != nil {
			roi = k.f
		}
		if sizes, err = c.integers(n, 3, ""); err != nil {
			return err
		}
	}
	var scales []float32
	if a := n.attr("scales"); a != nil && n.op == "Upsample" {
		scales = a.floats
	} else if a := n.attr("height_scale"); a != nil && n.op == "Upsample" { // operator set 1
		scales = []float32{1, 1, a.f, n.float("width_scale", 1)}
	} else {
		k, err := c.constant(n, scalesAt)
		if err != nil {
			return err
		}
		if k != nil && k.len() > 0 {
			if k.f == nil {
				return malformed("scales are %v", k)
			}
			scales = k.f
		}
	}
	if len(sizes) > 0 && len(sizes) != len(axes) || len(sizes) == 0 && len(scales) != len(axes) {
		return malformed("sizes are %v, scales %v, for axes %v", sizes, scales, axes)
	}
	if r.coordinates == "tf_crop_and_resize" && len(roi) != 2*len(axes) {
		return malformed("roi is %v, for axes %v", roi, axes)
	}
	if policy := n.text("keep_aspect_ratio_policy", "stretch"); policy != "stretch" && len(sizes) > 0 {
		// One scale for all axes: the smallest or largest that is asked for.
		scale := 0.0
		for i, a := range axes {
			s := float64(sizes[i]) / float64(in.dims[a])
			if i == 0 || policy == "not_larger" && s < scale || policy == "not_smaller" && s > scale {
				scale = s
			}
		}
		scales = nil
		for i, a := range axes {
			sizes[i] = int64(math.Round(scale * float64(in.dims[a])))
			scales = append(scales, float32(scale))
		}
	} else if len(sizes) > 0 {
		scales = nil
	}
	type step struct {
		axis int
		l    *model.AlongAxis
	}
	var todo []step
	for i, a := range axes {
		size := int(in.dims[a])
		r.from, r.to = size, 0
		switch {
		case len(sizes) > 0:
			if sizes[i] < 1 || sizes[i] > 1<<20 {
				return malformed("sizes are %v", sizes)
			}
			r.to = int(sizes[i])
			r.scale = float64(r.to) / float64(size)
			if scales != nil {
				r.scale = float64(scales[i])
			}
		default:
			if !(scales[i] > 0) || float64(scales[i])*float64(size) > 1<<20 {
				return malformed("scales are %v", scales)
			}
			r.scale = float64(scales[i])
			r.to = int(math.Floor(float64(float64(size)*r.scale) + float64(1e-9*float64(size))))
		}
		if r.to < 1 {
			return refuse("it leaves nothing of %v", in.dims)
		}
		r.first, r.last = 0, 1
		if roi != nil && r.coordinates == "tf_crop_and_resize" {
			r.first, r.last = float64(roi[i]), float64(roi[i+len(axes)])
		}
		if r.to == size && r.scale == 1 && r.first == 0 && r.last == 1 {
			continue
		}
		if err := c.spend(r.to * r.taps()); err != nil {
			return err
		}
		l, err := r.layer()
		if err != nil {
			return err
		}
		todo = append(todo, step{a, l})
	}
	if len(todo) == 0 {
		c.alias(n, 0, in, in.dims)
		return nil
	}
	v := in
	for i, s := range todo {
		name := c.name(n)
		if i < len(todo)-1 {
			name = c.unique(name + ".resize")
		}
		if v, err = c.along(name, v, s.axis, s.l); err != nil {
			return err
		}
	}
	c.values[n.output()] = v
	return nil
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

// position is where pixel i of the result lies in the input.
func (r *resampling) position(i int) (float64, error) {
	x, from, to := float64(i), float64(r.from), float64(r.to)
	switch r.coordinates {
	case "half_pixel":
		return (x+0.5)/r.scale - 0.5, nil
	case "half_pixel_symmetric":
		adjust := to / (r.scale * from)
		return float64(from/2*(1-adjust)) + (x+0.5)/r.scale - 0.5, nil
	case "pytorch_half_pixel":
		if r.to == 1 {
			return 0, nil
		}
		return (x+0.5)/r.scale - 0.5, nil
	case "align_corners":
		if r.to == 1 {
			return 0, nil
		}
		return x * (from - 1) / (to - 1), nil
	case "asymmetric":
		return x / r.scale, nil
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / r.scale, nil
	case "tf_crop_and_resize":
		if r.to == 1 {
			return 0.5 * (r.first + r.last) * (from - 1), nil
		}
		return float64(r.first*(from-1)) + x*(r.last-r.first)*(from-1)/(to-1), nil
	}
	return 0, refuse("coordinate_transformation_mode is %q", r.coordinates)
}

// stretch is by how much the filter grows with the pixels of a smaller result,
// with antialiasing.
func (r *resampling) stretch() float64 {
	if r.antialias && r.scale < 1 && r.mode != "nearest" {
		return 1 / r.scale
	}
	return 1
}

// radius is that of the interpolation's kernel.
func (r *resampling) radius() float64 { return map[string]float64{"linear": 1, "cubic": 2}[r.mode] }

// taps is the largest number of pixels that make one.
func (r *resampling) taps() int {
	if r.mode == "nearest" {
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
	if r.mode != "nearest" {
		l.Weight = make([]float32, len(l.Index))
	}
	var kernel func(d float64) float64
	switch r.mode {
	case "nearest":
	case "linear":
		kernel = func(d float64) float64 { return max(1-d, 0) }
	case "cubic":
		kernel = r.cubic
	default:
		return nil, refuse("mode is %q", r.mode)
	}
	radius, stretch := r.radius(), r.stretch()
	row := make([]float64, l.Taps)
	for i := range r.to {
		x, err := r.position(i)
		if err != nil {
			return nil, err
		}
		index := l.Index[i*l.Taps : (i+1)*l.Taps]
		if r.coordinates == "tf_crop_and_resize" && (x < 0 || x > float64(r.from-1)) {
			index[0] = -1
			if l.Weight != nil {
				l.Weight[i*l.Taps] = 1
			}
			continue
		}
		if r.mode == "nearest" {
			at, err := r.round(x)
			if err != nil {
				return nil, err
			}
			index[0] = min(max(at, 0), r.from-1)
			continue
		}
		low := int(math.Floor(x-float64(radius*stretch))) + 1
		if stretch == 1 { // the pixels around x, also where x is on one
			low = int(math.Floor(x)) - int(radius) + 1
		}
		sum := 0.0
		for j := range row {
			at := low + j
			w := kernel(math.Abs(x-float64(at)) / stretch)
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

func (r *resampling) round(x float64) (int, error) {
	switch r.nearest {
	case "round_prefer_floor":
		return int(math.Ceil(x - 0.5)), nil
	case "round_prefer_ceil":
		return int(math.Floor(x + 0.5)), nil
	case "floor":
		return int(math.Floor(x)), nil
	case "ceil":
		return int(math.Ceil(x)), nil
	}
	return 0, refuse("nearest_mode is %q", r.nearest)
}
