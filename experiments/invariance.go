package experiments

import (
	"context"
	"fmt"
	"math"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Transform is a family of changes to an image, by one amount.
type Transform string

// The transforms. Lengths are in pixels of the network's input; what comes in
// from outside has the mean colour of the training data.
const (
	ShiftY     Transform = "shift-y"    // down by so many pixels
	ShiftX     Transform = "shift-x"    // to the right by so many pixels
	Scale      Transform = "scale"      // enlarged by a factor about the centre
	Rotate     Transform = "rotate"     // turned by degrees, counter-clockwise, about the centre
	Brightness Transform = "brightness" // grey levels of 0..255 added
	Contrast   Transform = "contrast"   // distance to the image's mean colour times a factor
	Blur       Transform = "blur"       // Gaussian of this deviation in pixels
)

// Transforms lists all.
func Transforms() []Transform {
	return []Transform{ShiftY, Scale, Rotate, ShiftX, Brightness, Contrast, Blur}
}

// Unit is the unit of the amount, for axes.
func (t Transform) Unit() string {
	switch t {
	case ShiftY, ShiftX:
		return "pixels"
	case Scale, Contrast:
		return "factor"
	case Rotate:
		return "degrees"
	case Brightness:
		return "grey levels"
	case Blur:
		return "deviation, pixels"
	}
	return ""
}

// Identity is the amount that changes nothing.
func (t Transform) Identity() float64 {
	if t == Scale || t == Contrast {
		return 1
	}
	return 0
}

// Amounts are about n amounts over the range of [zeiler14] (arXiv Fig. 5: shifts
// of up to 60 of 224 pixels, scales of 1 to 1.8, all angles), for an input of h x
// w; the ranges of the transforms that are not in the paper are ours.
func (t Transform) Amounts(h, w, n int) []float64 {
	n = max(n, 3)
	spread := func(lo, hi float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = lo + (hi-lo)*float64(i)/float64(n-1)
		}
		return out
	}
	// Whole pixels, symmetric about 0.
	shifts := func(size int) []float64 {
		reach := max(int(math.Round(float64(size)*60/224)), 1)
		step := max(int(math.Ceil(2*float64(reach)/float64(n))), 1)
		var out []float64
		for v := -reach / step * step; v <= reach; v += step {
			out = append(out, float64(v))
		}
		return out
	}
	switch t {
	case ShiftY:
		return shifts(h)
	case ShiftX:
		return shifts(w)
	case Scale:
		return spread(1, 1.8)
	case Rotate:
		step := 360 / float64(n)
		if step > 5 {
			step = math.Ceil(step/5) * 5
		}
		var out []float64
		for i := 0; float64(i)*step < 360-1e-9; i++ {
			out = append(out, float64(i)*step)
		}
		return out
	case Brightness:
		if n%2 == 0 {
			n++
		}
		return spread(-100, 100)
	case Contrast:
		out := make([]float64, 0, n) // even in the logarithm, from 1/4 to 2, through 1
		for i := range n {
			e := -2 + 3*float64(i)/float64(n-1)
			if len(out) > 0 && e > 0 && out[len(out)-1] < 1 {
				out = append(out, 1)
			}
			out = append(out, exact.Exp2(e))
		}
		return out
	case Blur:
		return spread(0, 8*float64(min(h, w))/224)
	}
	return nil
}

// Apply writes the image src, [C][H][W] in network units, changed by an amount
// to dst.
func (t Transform) Apply(net *model.Network, dst, src []float32, amount float64) error {
	in := net.Input
	if len(dst) != in.Shape().Len() || len(src) != len(dst) {
		return fmt.Errorf("an image of %d values, want %v", len(src), in.Shape())
	}
	plane := in.H * in.W
	fill := net.Preprocess.MeanFill(in)
	cy, cx := float64(in.H-1)/2, float64(in.W-1)/2
	switch t {
	case ShiftY:
		warp(dst, src, in, fill, func(y, x float64) (float64, float64) { return y - amount, x })
	case ShiftX:
		warp(dst, src, in, fill, func(y, x float64) (float64, float64) { return y, x - amount })
	case Scale:
		if !(amount > 0) {
			return fmt.Errorf("scale %g, want more than 0", amount)
		}
		warp(dst, src, in, fill, func(y, x float64) (float64, float64) { return cy + (y-cy)/amount, cx + (x-cx)/amount })
	case Rotate:
		sin, cos := exact.Sincos(amount * math.Pi / 180)
		if amount == 0 {
			sin, cos = 0, 1
		}
		warp(dst, src, in, fill, func(y, x float64) (float64, float64) {
			dy, dx := y-cy, x-cx
			return cy + float64(cos*dy) + float64(sin*dx), cx + float64(cos*dx) - float64(sin*dy)
		})
	case Brightness, Contrast:
		for c := range in.C {
			zero, one := net.Preprocess.Units(c, 0), net.Preprocess.Units(c, 1)
			part := src[c*plane : (c+1)*plane]
			mean := 0.0
			for _, v := range part {
				mean += float64(v) / float64(plane)
			}
			for i, v := range part {
				w := v + float32(float32(amount)*(one-zero))
				if t == Contrast {
					w = float32(mean + float64(amount*(float64(v)-mean)))
				}
				if lo, hi := min(zero, net.Preprocess.Units(c, 255)), max(zero, net.Preprocess.Units(c, 255)); amount != t.Identity() {
					w = min(max(w, lo), hi) // pixels are 0..255
				}
				dst[c*plane+i] = w
			}
		}
	case Blur:
		blur(dst, src, in, amount)
	default:
		return fmt.Errorf("no transform %q", t)
	}
	return nil
}

// warp writes at each pixel what from names in the source, interpolated
// linearly between pixels, which blurs a little wherever they are not met; outside
// is fill.
func warp(dst, src []float32, in model.Input, fill []float32, from func(y, x float64) (sy, sx float64)) {
	plane := in.H * in.W
	for y := range in.H {
		for x := range in.W {
			sy, sx := from(float64(y), float64(x))
			y0, x0 := math.Floor(sy), math.Floor(sx)
			fy, fx := float32(sy-y0), float32(sx-x0)
			for c := range in.C {
				at := func(y, x int) float32 {
					if y < 0 || x < 0 || y >= in.H || x >= in.W {
						return fill[c]
					}
					return src[c*plane+y*in.W+x]
				}
				iy, ix := int(y0), int(x0)
				// A weight of 0 must not bring in what lies outside.
				v := float32(float32((1-fy)*(1-fx)) * at(iy, ix))
				if fx > 0 {
					v += float32(float32((1-fy)*fx) * at(iy, ix+1))
				}
				if fy > 0 {
					v += float32(float32(fy*(1-fx)) * at(iy+1, ix))
				}
				if fy > 0 && fx > 0 {
					v += float32(float32(fy*fx) * at(iy+1, ix+1))
				}
				dst[c*plane+y*in.W+x] = v
			}
		}
	}
}

// blur is a Gaussian of deviation sigma, cut off at three of it; at the border
// the image is continued by its last pixels.
func blur(dst, src []float32, in model.Input, sigma float64) {
	copy(dst, src)
	if sigma <= 0 {
		return
	}
	reach := int(math.Ceil(3 * sigma))
	weights := make([]float64, 2*reach+1)
	sum := 0.0
	for i := range weights {
		d := float64(i - reach)
		weights[i] = exact.Exp(-d * d / (2 * sigma * sigma))
		sum += weights[i]
	}
	line := make([]float64, max(in.H, in.W))
	pass := func(start, step, n int) {
		for i := range n {
			v := 0.0
			for k, w := range weights {
				v += float64(w * float64(dst[start+step*min(max(i+k-reach, 0), n-1)]))
			}
			line[i] = v / sum
		}
		for i := range n {
			dst[start+step*i] = float32(line[i])
		}
	}
	for c := range in.C {
		for y := range in.H {
			pass((c*in.H+y)*in.W, 1, in.W)
		}
		for x := range in.W {
			pass(c*in.H*in.W+x, in.W, in.H)
		}
	}
}

// InvarianceOptions of Invariance.
type InvarianceOptions struct {
	Transforms []Transform // nil: all
	Layers     []string    // nil: the first convolution's features and Top
	Points     int         // amounts of each transform, about; 0: 25
	Progress   func(done, total int)
}

// InvarianceCurve is how features and the class's probability change with the
// amount of one transform.
type InvarianceCurve struct {
	Transform   Transform   `json:"transform"`
	Unit        string      `json:"unit"`
	Amounts     []float64   `json:"amounts"`
	Distance    [][]float64 `json:"distance"` // [layer][amount], Euclidean distance of the layer's values to the unchanged image's
	Norm        []float64   `json:"norm"`     // [layer], Euclidean norm of the unchanged image's values
	Probability []float64   `json:"probability"`
}

// Relative is the distance of a layer as a share of its norm: 0 if nothing
// changed, NaN if the unchanged image's values are all 0.
func (c *InvarianceCurve) Relative(layer int) []float64 {
	out := make([]float64, len(c.Distance[layer]))
	for i, d := range c.Distance[layer] {
		switch {
		case d == 0:
		case c.Norm[layer] == 0:
			out[i] = math.NaN()
		default:
			out[i] = d / c.Norm[layer]
		}
	}
	return out
}

// Top is the node whose values the class scores are made of: the "layer 7" of
// [zeiler14].
func Top(net *model.Network) (string, error) {
	n := net.Node(net.Logits)
	if n == nil || len(n.Inputs) == 0 {
		return "", noClassifier(net)
	}
	return net.Unshaped(n.Inputs[0]), nil
}

func noClassifier(net *model.Network) error {
	return fmt.Errorf("network %s is no classifier: it has no node with class scores", net.Name)
}

// Invariance changes the image x, [1, C, H, W], step by step and measures what
// becomes of its features and of the probability of class ([zeiler14] 4.1, arXiv
// Fig. 5).
func Invariance(ctx context.Context, engine *model.Engine, net *model.Network, x *tensor.Tensor, class int, o InvarianceOptions) ([]InvarianceCurve, error) {
	if o.Transforms == nil {
		o.Transforms = Transforms()
	}
	if o.Points <= 0 {
		o.Points = 25
	}
	if o.Layers == nil {
		top, err := Top(net)
		if err != nil {
			return nil, err
		}
		convs := net.ConvLayers()
		if len(convs) == 0 {
			return nil, fmt.Errorf("the network has no convolution layers: name some")
		}
		o.Layers = []string{convs[0], top}
	}
	reading, err := net.Reading()
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	target := model.Target{Class: class}
	if err := reading.Check(target); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if len(x.Shape) != 4 || x.Shape[0] != 1 {
		return nil, fmt.Errorf("the input is %v, want one image [1, %d, %d, %d]", x.Shape, net.Input.C, net.Input.H, net.Input.W)
	}
	plan, err := engine.Compile(net, model.Keep{Layers: append([]string{net.Logits}, o.Layers...)})
	if err != nil {
		return nil, err
	}
	clean, err := plan.Run(x)
	if err != nil {
		return nil, err
	}
	var out []InvarianceCurve
	done, total := 0, 0
	for _, t := range o.Transforms {
		c := InvarianceCurve{Transform: t, Unit: t.Unit(), Amounts: t.Amounts(net.Input.H, net.Input.W, o.Points)}
		for _, l := range o.Layers {
			c.Distance = append(c.Distance, make([]float64, len(c.Amounts)))
			c.Norm = append(c.Norm, distance(clean.Value(l).Data, nil))
		}
		total += len(c.Amounts)
		out = append(out, c)
	}
	batch := plan.Batch(128<<20, 16)
	inputs := tensor.New(batch, net.Input.C, net.Input.H, net.Input.W)
	for i := range out {
		c := &out[i]
		for from := 0; from < len(c.Amounts); from += batch {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			n := min(batch, len(c.Amounts)-from)
			t, err := c.run(plan, net, inputs.Slice(0, n), x, from)
			if err != nil {
				return nil, err
			}
			c.measure(o.Layers, from, n, t, clean)
			scores := t.Value(net.Logits).Data
			for j := range n {
				size := reading.Shape.Len()
				c.Probability = append(c.Probability, reading.Tell(scores[j*size:(j+1)*size], target).Value)
			}
			if done += n; o.Progress != nil {
				o.Progress(done, total)
			}
		}
	}
	return out, nil
}

// run gives the network the image changed by the amounts from one on, in inputs.
func (c *InvarianceCurve) run(plan *model.Plan, net *model.Network, inputs, x *tensor.Tensor, from int) (*model.Trace, error) {
	size := net.Input.Shape().Len()
	for j := range inputs.Shape[0] {
		if err := c.Transform.Apply(net, inputs.Data[j*size:(j+1)*size], x.Data, c.Amounts[from+j]); err != nil {
			return nil, err
		}
	}
	return plan.Run(inputs)
}

// measure notes how far the layers' values for n amounts from one on are from those
// of the image as it is.
func (c *InvarianceCurve) measure(layers []string, from, n int, t, clean *model.Trace) {
	for l, name := range layers {
		own := clean.Value(name).Data
		values := t.Value(name).Data
		for j := range n {
			c.Distance[l][from+j] = distance(values[j*len(own):(j+1)*len(own)], own)
		}
	}
}

// distance is the Euclidean distance of a and b; b may be nil for 0.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v)
		if b != nil {
			d -= float64(b[i])
		}
		sum += float64(d * d)
	}
	return math.Sqrt(sum)
}
