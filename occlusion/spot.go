package occlusion

import (
	"context"
	"fmt"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Spotter is a network made ready to say what it makes of an image of which one thing is covered: a patch at one
// place, or the pixels of a mask. The numbers are those of Box and Brute, bit for bit. It is safe for concurrent use.
type Spotter struct {
	net     *model.Network
	plan    *model.Plan
	shapes  map[string]model.Shape
	layers  []string // what is read
	called  []string // and what it is called in net
	reading *model.Reading
}

// NewSpotter prepares a network. layers are those whose strongest map is totalled; nil: the last before the scores.
func NewSpotter(engine *model.Engine, net *model.Network, layers []string) (*Spotter, error) {
	s := &Spotter{net: net, layers: layers}
	var err error
	if s.reading, err = net.Reading(); err != nil {
		return nil, err
	}
	if s.shapes, err = net.Shapes(); err != nil {
		return nil, err
	}
	if s.layers == nil {
		if last, err := net.LastFeatures(); err == nil {
			s.layers = []string{last}
		}
	}
	s.called = s.layers
	if net, s.layers = asMaps(net, s.called); len(s.layers) > 0 {
		if s.shapes, err = net.Shapes(); err != nil {
			return nil, err
		}
	}
	s.plan, err = engine.Compile(net, model.Keep{Layers: append([]string{net.Logits}, s.layers...)})
	return s, err
}

// Layers are those whose strongest map is totalled.
func (s *Spotter) Layers() []string { return s.called }

// Spot is what the network makes of an image of which one thing is covered, or nothing.
type Spot struct {
	Scores []float32 // at the network's Logits
	Best   int       // most probable class, see model.Reading.Predict
	Totals []float32 // of the strongest map of each layer, see LayerTotal
}

// Cover says what is covered: a patch, or a mask.
type Cover struct {
	Patch model.Box // in input pixels; wholly inside the input
	Soft  int       // pixels over which the patch fades in from its edge
	Mask  []bool    // [H*W]: the pixels that are covered, instead of Patch
	Fill  Fill
}

// Still is an image made ready for single covers. It is safe for concurrent use.
type Still struct {
	s        *Spotter
	x        *tensor.Tensor
	pass     *model.Still
	names    []string // of the values that are read: the scores, and the layers
	channels []int
	Clean    Spot // nothing covered
}

// Image runs the network on an image [1, C, H, W].
func (s *Spotter) Image(x *tensor.Tensor) (*Still, error) {
	k := &Still{s: s, x: x, names: append([]string{s.net.Logits}, s.layers...)}
	var err error
	if k.pass, err = s.plan.Still(x); err != nil {
		return nil, err
	}
	var clean [][]float32
	for _, name := range k.names {
		clean = append(clean, k.pass.Value(name))
	}
	for j, name := range s.layers {
		shape := s.shapes[name]
		k.channels = append(k.channels, tensor.ArgMax(clean[j+1])/max(shape.H*shape.W, 1))
	}
	if k.Clean, err = k.read(clean); err != nil {
		return nil, fmt.Errorf("clean image: %w", err)
	}
	return k, nil
}

// Bytes is the memory that the image's values take.
func (k *Still) Bytes() int { return k.pass.Bytes() }

// Channels are the maps that are totalled, by layer: those with the largest single activation in the clean image.
func (k *Still) Channels() []int { return k.channels }

// Layers are those whose strongest map is totalled.
func (k *Still) Layers() []string { return k.s.called }

// read takes the numbers off the scores and the layers.
func (k *Still) read(values [][]float32) (Spot, error) {
	scores := values[0]
	if err := finite(scores); err != nil {
		return Spot{}, err
	}
	out := Spot{Scores: scores, Best: k.s.reading.Predict(scores)}
	for j, name := range k.s.layers {
		shape := k.s.shapes[name]
		plane := shape.H * shape.W
		out.Totals = append(out.Totals, sum(values[j+1][k.channels[j]*plane:][:plane]))
	}
	return out, nil
}

// At covers the image and runs the network: of each layer what the cover can change.
func (k *Still) At(ctx context.Context, c Cover) (Spot, error) {
	if err := ctx.Err(); err != nil {
		return Spot{}, err
	}
	x, box, err := k.covered(c)
	if err != nil {
		return Spot{}, err
	}
	values, err := k.pass.Change(x, box, k.names...)
	if err != nil {
		return Spot{}, err
	}
	return k.read(values)
}

// Covered is the image with the cover on it, as the network sees it.
func (k *Still) Covered(c Cover) (*tensor.Tensor, error) {
	x, _, err := k.covered(c)
	return x, err
}

// covered is the image with the cover on it, and the box that it lies in.
func (k *Still) covered(c Cover) (*tensor.Tensor, model.Box, error) {
	in := k.s.net.Input
	p := &patches{soft: c.Soft, width: in.W}
	switch {
	case c.Mask != nil:
		if len(c.Mask) != in.H*in.W {
			return nil, model.Box{}, wrong("Segments", "the mask has %d pixels, the input %d x %d", len(c.Mask), in.H, in.W)
		}
		p.maskOne(c.Mask)
	case c.Patch.Empty() || c.Patch.Intersect(in.Shape().Box()) != c.Patch:
		return nil, model.Box{}, wrong("Patch", "a patch at rows %d to %d, columns %d to %d is not inside an input of %d x %d",
			c.Patch.Y0, c.Patch.Y1-1, c.Patch.X0, c.Patch.X1-1, in.H, in.W)
	case c.Soft < 0:
		return nil, model.Box{}, wrong("Soft", "an edge of %d pixels: want 0 or more", c.Soft)
	default:
		p.patch, p.boxes = [2]int{c.Patch.H(), c.Patch.W()}, []model.Box{c.Patch}
	}
	x := tensor.New(1, in.C, in.H, in.W)
	copy(x.Data, k.x.Data)
	if p.boxes[0].Empty() {
		return x, model.Box{}, nil // an empty mask
	}
	filler, err := c.Fill.Pixels(k.x, k.s.net, p.patch)
	if err != nil {
		return nil, model.Box{}, err
	}
	p.cover(0, x.Data, k.x.Data, filler, in)
	return x, p.boxes[0], nil
}

// maskOne makes one position of the pixels of a mask.
func (g *patches) maskOne(mask []bool) {
	g.segments, g.boxes = make([]int32, len(mask)), make([]model.Box, 1)
	for p, covered := range mask {
		g.segments[p] = -1
		if covered {
			g.segments[p] = 0
			y, x := p/g.width, p%g.width
			g.boxes[0] = g.boxes[0].Union(model.Box{Y0: y, X0: x, Y1: y + 1, X1: x + 1})
		}
	}
	g.patch = [2]int{g.boxes[0].H(), g.boxes[0].W()}
}
