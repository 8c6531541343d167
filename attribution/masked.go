package attribution

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// masked answers by passes that each show or leave out one map of a layer.
func (r *run) masked(ctx context.Context) ([]*Result, error) {
	targets := len(r.r.Targets)
	sums := make([][][]float64, targets) // by target, by layer
	weights := make([][]float64, targets)
	passes, done, total := 1, 0, 0
	for _, p := range r.places {
		total += p.Channels
	}
	for j, p := range r.places {
		a := maps(p, r.clean.Value(r.layers[j]).Data)
		measure := r.rises
		if r.r.Method == AblationCAM {
			measure = r.losses
		}
		values, count, err := measure(ctx, j, a, func(n int) { r.tick(done+n, total) })
		if err != nil {
			return nil, err
		}
		passes += count
		done += p.Channels
		r.tick(done, total)
		plane := p.H * p.W
		for k := range targets {
			weights[k] = append(weights[k], values[k]...)
			w := values[k]
			if r.r.Method == ScoreCAM {
				w = softmax(w)
			}
			sum := make([]float64, plane)
			for c := range p.Channels {
				add(sum, a[c*plane:(c+1)*plane], w[c])
			}
			sums[k] = append(sums[k], sum)
		}
	}
	var out []*Result
	for k := range targets {
		values, shape := r.fuse(sums[k])
		o := r.result(k, shape, values)
		o.Weights, o.Passes = weights[k], passes
		out = append(out, o)
	}
	return out, nil
}

// rises are, by target and map, how the score rises from that of zeros when the image
// shows through the map.
func (r *run) rises(ctx context.Context, layer int, a []float32, tick func(int)) (out [][]float64, passes int, err error) {
	in, p := r.e.net.Input, r.places[layer]
	plane := p.H * p.W
	plan, err := r.e.plan(fast(r.from()))
	if err != nil {
		return nil, 0, err
	}
	// The last is no map: the image of zeros.
	todo := []int{p.Channels}
	for c := range p.Channels {
		if lo, hi := render.Range(a[c*plane : (c+1)*plane]); lo < hi {
			todo = append(todo, c) // else the mask is 0, and so is the rise
		}
	}
	scores, err := r.scan(ctx, plan, in, len(todo), tick, func(i int, dst []float32) {
		if i == 0 {
			return
		}
		c := todo[i]
		mask := stretched(a[c*plane:(c+1)*plane], p, in)
		for j, x := range r.x {
			dst[j] = x * mask[j%len(mask)]
		}
	})
	if err != nil {
		return nil, 0, err
	}
	out = make([][]float64, len(r.r.Targets))
	for k := range out {
		out[k] = make([]float64, p.Channels)
		for i, c := range todo[1:] {
			out[k][c] = scores[i+1][k] - scores[0][k]
		}
	}
	return out, len(todo), nil
}

// atOnce is the most images that go through a network together.
const atOnce = 16

// fast is a plan for many passes of which only scores are read: convolutions may use
// Winograd's algorithm. Scores then differ by about 1e-5 of the largest, by the same
// bits in batches of any size.
func fast(layers []string) model.Keep { return model.Keep{Layers: layers, Fast: true, Batch: atOnce} }

// stretched is a map as a mask of the image: at its size, from 0 to 1.
func stretched(a []float32, p model.Places, in model.Input) []float32 {
	mask := render.Smooth(a, p.H, p.W, in.H, in.W)
	lo, hi := render.Range(mask)
	out := make([]float32, len(mask))
	if lo < hi {
		for i, v := range mask {
			out[i] = float32((float64(v) - lo) / (hi - lo))
		}
	}
	return out
}

// losses are, by target and map, the share of the score that is lost when the map is
// 0. Only what is above the layer is computed.
func (r *run) losses(ctx context.Context, layer int, a []float32, tick func(int)) (out [][]float64, passes int, err error) {
	p, name := r.places[layer], r.layers[layer]
	plane, value := p.H*p.W, r.clean.Value(r.layers[layer]).Data
	above, err := r.above(name)
	if err != nil {
		return nil, 0, err
	}
	plan, err := r.e.engine.Compile(above, fast(slices.DeleteFunc(r.from(), func(n string) bool { return n == name })))
	if err != nil {
		return nil, 0, err
	}
	todo := []int{-1} // the maps as they are, by the same sums
	for c := range p.Channels {
		if slices.ContainsFunc(a[c*plane:(c+1)*plane], func(v float32) bool { return v != 0 }) {
			todo = append(todo, c)
		}
	}
	scores, err := r.scan(ctx, plan, above.Input, len(todo), tick, func(i int, dst []float32) {
		copy(dst, value)
		if c := todo[i]; c >= 0 {
			for j := range plane {
				dst[p.Index(c, j)] = 0
			}
		}
	})
	if err != nil {
		return nil, 0, err
	}
	out = make([][]float64, len(r.r.Targets))
	for k := range out {
		out[k] = make([]float64, p.Channels)
		for i, c := range todo[1:] {
			out[k][c] = ratio(scores[0][k]-scores[i+1][k], scores[0][k])
		}
	}
	return out, len(todo), nil
}

// above is the part of the network that reads a layer, as a network whose input is
// the layer. What comes from beside it is as for the image.
func (r *run) above(layer string) (*model.Network, error) {
	net, s := r.e.net, r.shapes[layer]
	depends := map[string]bool{layer: true}
	var nodes []*model.Node
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if n.Name != layer && slices.ContainsFunc(n.Inputs, func(in string) bool { return depends[in] }) {
			depends[n.Name] = true
			nodes = append(nodes, n)
		}
	}
	for _, t := range r.r.Targets {
		if !depends[r.at(t)] {
			return nil, fmt.Errorf("%s does not depend on layer %s", t.Name(net), layer)
		}
	}
	var beside []string
	for _, n := range nodes {
		for _, in := range n.Inputs {
			if !depends[in] && !slices.Contains(beside, in) {
				beside = append(beside, in)
			}
		}
	}
	out := &model.Network{Name: net.Name, Input: model.Input{Name: layer, C: s.C, H: s.H, W: s.W}, Logits: net.Logits, Scores: net.Scores, Classes: net.Classes}
	if !depends[net.Logits] {
		out.Logits = ""
	}
	if len(beside) > 0 {
		plan, err := r.e.plan(model.Keep{Layers: slices.Clone(beside)})
		if err != nil {
			return nil, err
		}
		t, err := plan.Run(r.clean.Input)
		if err != nil {
			return nil, err
		}
		for _, name := range beside {
			dims := r.shapes[name].Batch(1)[1:]
			value := &model.Constant{Value: tensor.From(t.Value(name).Data, dims...)}
			out.Nodes = append(out.Nodes, model.Node{Name: name, Inputs: []string{layer}, Layer: value})
		}
	}
	for _, n := range nodes {
		out.Nodes = append(out.Nodes, *n)
	}
	return out, nil
}

// scan computes the targets' scores for n inputs that draw makes (of zeros), in batches.
func (r *run) scan(ctx context.Context, plan *model.Plan, in model.Input, n int, tick func(int), draw func(i int, dst []float32)) ([][]float64, error) {
	out := make([][]float64, n)
	trace, size := &model.Trace{}, in.Shape().Len()
	for first := 0; first < n; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		count := min(r.batch(plan, false), n-first)
		xs := images(in, count)
		r.e.engine.For(count, func(i int) { draw(first+i, xs.Data[i*size:(i+1)*size]) })
		if err := plan.RunInto(trace, xs); err != nil {
			return nil, err
		}
		for i := range count {
			out[first+i] = r.tell(trace, i)
		}
		first += count
		tick(min(first, n-1))
	}
	return out, nil
}

// softmax of scores.
func softmax(v []float64) []float64 {
	top, sum := math.Inf(-1), 0.0
	for _, x := range v {
		top = max(top, x)
	}
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = exact.Exp(x - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}
