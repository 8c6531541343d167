package maximize

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
)

// Goal is what is made as large as can be: the mean of a layer's map, one unit, or the
// score of a class before softmax or sigmoid.
type Goal struct {
	Layer   string
	Channel int
	At      *[2]int       // row and column of one unit; nil: the mean of the map
	Class   *model.Target // instead of a layer's channel
}

// Name is the goal in words.
func (g Goal) Name(net *model.Network) string {
	switch {
	case g.Class != nil:
		return net.Class(g.Class.Class)
	case g.At != nil:
		return fmt.Sprintf("%s:%d:%d:%d", g.Layer, g.Channel, g.At[0], g.At[1])
	}
	return fmt.Sprintf("%s:%d", g.Layer, g.Channel)
}

// aim is a goal in a network.
type aim struct {
	net    *model.Network
	shapes map[string]model.Shape
	read   *model.Reading // of a class
	at     point
	// While nothing of the goal is above 0 its rectifier lets no gradient through. Then
	// what the rectifier reads is made larger.
	under *point
	where []int // places of at that are averaged; of under it is all
}

// point is a channel of a layer, or the scores.
type point struct {
	layer   string
	channel int
	places  model.Places
	values  []float32 // of a class: how its score is made of the node's values
}

func newAim(net *model.Network, shapes map[string]model.Shape, g Goal) (*aim, error) {
	a := &aim{net: net, shapes: shapes}
	if g.Class != nil {
		var err error
		if a.read, err = net.Reading(); err != nil {
			return nil, err
		}
		if err := a.read.Check(*g.Class); err != nil {
			return nil, err
		}
		a.at = point{layer: net.Logits, channel: g.Class.Class, values: a.read.Start(*g.Class)}
		if a.read.Binary() {
			return a, nil // the score may be the negative of the only output
		}
		a.under, _ = a.below(a.at.layer, a.at.channel)
		return a, nil
	}
	s, ok := shapes[g.Layer]
	if !ok {
		return nil, &FieldError{"layer", fmt.Sprintf("%s: the network has no such layer", g.Layer)}
	}
	p, err := net.Places(g.Layer, [2]int{})
	if err != nil { // numbers without places
		p = model.Places{H: s.H, W: s.W, Channels: s.C}
	}
	if g.Channel < 0 || g.Channel >= p.Channels {
		return nil, &FieldError{"channel", fmt.Sprintf("%d: layer %s has %d, 0 to %d", g.Channel, g.Layer, p.Channels, p.Channels-1)}
	}
	a.at = point{layer: g.Layer, channel: g.Channel, places: p}
	for i := range p.H * p.W {
		a.where = append(a.where, i)
	}
	if g.At != nil {
		y, x := g.At[0], g.At[1]
		if y < 0 || y >= p.H || x < 0 || x >= p.W {
			return nil, &FieldError{"unit", fmt.Sprintf("%s: the maps have %d rows and %d columns", g.Name(net), p.H, p.W)}
		}
		a.where = []int{y*p.W + x}
	}
	a.under, _ = a.below(g.Layer, g.Channel)
	return a, nil
}

// below is what the rectifier that a channel comes from reads.
func (a *aim) below(layer string, channel int) (*point, bool) {
	n := a.net.Node(layer)
	if n == nil {
		return nil, false
	}
	in := n.Inputs
	s := a.shapes[layer]
	switch l := n.Layer.(type) {
	case *model.ReLU, *model.Clip:
		below := a.shapes[in[0]]
		return &point{layer: in[0], channel: channel, places: model.Places{H: below.H, W: below.W, Channels: below.C}}, true
	case *model.Concat:
		if !l.Maps() {
			break
		}
		for _, name := range in {
			if c := a.shapes[name].C; channel >= c {
				channel -= c
				continue
			}
			return a.below(name, channel)
		}
	case *model.Dropout, *model.GlobalAvgPool:
		return a.below(in[0], channel)
	case *model.Pool:
		if l.MaxOfMaps() || l.MeanOfMaps() {
			return a.below(in[0], channel)
		}
	case *model.Reshape:
		if a.shapes[in[0]].C == s.C {
			return a.below(in[0], channel)
		}
	}
	return nil, false
}

// layers are those that a trace must hold.
func (a *aim) layers() []string {
	out := []string{a.at.layer}
	if a.under != nil {
		out = append(out, a.under.layer)
	}
	return out
}

// value is the goal for one image of a trace, and fires says whether anything of it is
// above 0.
func (a *aim) value(t *model.Trace, image int) (v float64, fires bool) {
	n := a.shapes[a.at.layer].Len()
	data := t.Value(a.at.layer).Data[image*n : (image+1)*n]
	if a.at.values != nil {
		for i, w := range a.at.values {
			v += float64(float64(w) * float64(data[i]))
		}
		return v, v != 0
	}
	for _, i := range a.where {
		x := float64(data[a.at.places.Index(a.at.channel, i)])
		v += x / float64(len(a.where))
		fires = fires || x != 0
	}
	return v, fires
}

// start is the signal whose gradient is followed.
func (a *aim) start(t *model.Trace, image int) backward.Start {
	_, fires := a.value(t, image)
	p, where := a.at, a.where
	if !fires && a.under != nil {
		p, where = *a.under, nil
	}
	if p.values != nil {
		return backward.Start{Image: image, Layer: p.layer, Values: slices.Clone(p.values)}
	}
	values := make([]float32, a.shapes[p.layer].Len())
	if where == nil {
		for i := range p.places.H * p.places.W {
			values[p.places.Index(p.channel, i)] = 1 / float32(p.places.H*p.places.W)
		}
	}
	for _, i := range where {
		values[p.places.Index(p.channel, i)] = 1 / float32(len(where))
	}
	return backward.Start{Image: image, Layer: p.layer, Values: values}
}
