package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// pad makes the picture's own layer where it pads maps with one value, and moves
// along the axes otherwise.
func pad(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	p, err := c.padding(n, len(in.dims))
	if err != nil {
		return err
	}
	dims := slices.Clone(in.dims)
	for i := range dims {
		if dims[i] += int64(p.before[i] + p.behind[i]); dims[i] < 1 {
			return refuse("pads %v leave nothing of %v", p.asked, in.dims)
		}
	}
	axes := p.axes()
	if len(axes) == 0 {
		c.alias(n, 0, in, in.dims)
		return nil
	}
	var v *value
	if c.isMaps(in) && p.mode == constantPad && p.ofMaps(in, axes) {
		v, err = c.padMaps(n, in, p)
	} else {
		v, err = c.padAxes(n, p, axes)
	}
	if err != nil {
		return err
	}
	v.dims = dims
	c.values[n.output()] = v
	return nil
}

// padding is what a Pad node asks for: places before and behind each axis, and
// what is in them.
type padding struct {
	asked          []int64 // as in the file
	before, behind []int
	mode           string
	fill           float32
}

// padding reads sizes and value from attributes before operator set 11, then from
// inputs.
func (c *converter) padding(n *node, rank int) (*padding, error) {
	p := &padding{before: make([]int, rank), behind: make([]int, rank), mode: n.text("mode", constantPad), fill: n.float("value", 0)}
	if c.opset < 11 {
		if p.asked = n.ints("pads"); p.asked == nil {
			p.asked = n.ints("paddings")
		}
	} else if err := c.paddingInputs(n, p); err != nil {
		return nil, err
	}
	axes, err := c.integers(n, 3, "")
	if err != nil {
		return nil, err
	}
	if axes == nil {
		for i := range rank {
			axes = append(axes, int64(i))
		}
	}
	if len(axes) > rank || len(p.asked) != 2*len(axes) {
		return nil, malformed("pads are %v for axes %v", p.asked, axes)
	}
	for i, v := range axes {
		a, err := axis(v, rank)
		if err != nil {
			return nil, err
		}
		before, behind := p.asked[i], p.asked[i+len(axes)]
		if min(before, behind) < -maxSize || max(before, behind) > maxSize {
			return nil, refuse("pads are %v, want at most %d", p.asked, maxSize)
		}
		p.before[a], p.behind[a] = int(before), int(behind)
	}
	return p, nil
}

func (c *converter) paddingInputs(n *node, p *padding) (err error) {
	if p.asked, err = c.integers(n, 1, ""); err != nil {
		return err
	}
	k, err := c.constant(n, 2)
	if err != nil || k == nil {
		return err
	}
	if k.len() != 1 {
		return malformed("input %s is %v, want one number", n.inputs[2], k)
	}
	p.fill = float32(k.at(0))
	return nil
}

// axes are those whose size changes or whose values move.
func (p *padding) axes() []int {
	var axes []int
	for a := range p.before {
		if p.before[a] != 0 || p.behind[a] != 0 {
			axes = append(axes, a)
		}
	}
	return axes
}

// isMaps reports whether a value is maps of images, in either order.
func (c *converter) isMaps(v *value) bool {
	return len(v.dims) == 4 && v.dims[0] == c.images && !v.shape.Flat && (v.hwc != nil || v.shape == model.ArrayShape(ints(v.dims[1:])))
}

// rows is the axis of a value of maps that its rows are on; columns come behind it.
func rows(v *value) int {
	if v.hwc != nil {
		return 1
	}
	return 2
}

// ofMaps reports whether only height and width of maps grow.
func (p *padding) ofMaps(in *value, axes []int) bool {
	y := rows(in)
	return slices.Min(axes) >= y && slices.Max(axes) <= y+1 && min(slices.Min(p.before), slices.Min(p.behind)) >= 0
}

func (c *converter) padMaps(n *node, in *value, p *padding) (*value, error) {
	y := rows(in)
	v, err := c.add(c.name(n), &model.Pad{Pads: [4]int{p.before[y], p.before[y+1], p.behind[y], p.behind[y+1]}, Value: p.fill}, in)
	if err == nil && in.hwc != nil {
		v.hwc = &v.shape
	}
	return v, err
}

// padAxes pads one axis after the other.
func (c *converter) padAxes(n *node, p *padding, axes []int) (*value, error) {
	v, err := c.array(n, 0)
	if err != nil {
		return nil, err
	}
	outside := sources[p.mode]
	layers := make([]*model.AlongAxis, len(axes))
	for i, a := range axes {
		size := int(v.dims[a])
		if err := c.spend(p.before[a] + size + p.behind[a]); err != nil {
			return nil, err
		}
		l := &model.AlongAxis{What: "Pad", Taps: 1, Fill: p.fill}
		for j := -p.before[a]; j < size+p.behind[a]; j++ {
			at := j
			if j < 0 || j >= size {
				if outside == nil {
					return nil, refuse("mode is %q", p.mode)
				}
				at = outside(j, size)
			}
			l.Index = append(l.Index, at)
		}
		layers[i] = l
	}
	return c.alongAxes(n, "pad", v, axes, layers)
}

// sources say which place of an axis of the given size place j of the padded one
// shows, where it is not inside, by mode; -1: the fill.
var sources = map[string]func(j, size int) int{
	constantPad: func(_, _ int) int { return -1 },
	"edge":      func(j, size int) int { return min(max(j, 0), size-1) },
	"wrap":      modulo,
	"reflect": func(j, size int) int {
		period := 2 * (size - 1)
		if period == 0 {
			return 0
		}
		at := modulo(j, period)
		return min(at, period-at)
	},
}

const constantPad = "constant"

// modulo is the remainder of j by n that is not negative.
func modulo(j, n int) int { return ((j % n) + n) % n }
