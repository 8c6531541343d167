package attribution

import (
	"context"

	"github.com/deconvnet/viz/model/tensor"
)

// Contributions are, by map of a layer, the sum of gradient times activation over its
// places: what the map adds to the target's score. If the layers above are linear
// in this layer they add up to the score but for biases; else they are a first-order
// estimate. HiResCAM sums the same products over the maps instead.
func (e *Explainer) Contributions(ctx context.Context, x *tensor.Tensor, target Target, layer string, tokens [2]int) ([]float64, error) {
	r := &run{e: e, r: Request{Method: HiResCAM, Targets: []Target{target}, Layers: []string{layer}, Tokens: tokens}.with(), x: x.Data}
	var err error
	if r.shapes, err = e.net.Shapes(); err != nil {
		return nil, err
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	down, err := r.down(ctx, r.clean, HiResCAM)
	if err != nil {
		return nil, err
	}
	p := r.places[0]
	a, g := maps(p, r.clean.Value(layer).Data), maps(p, down[0][0])
	out, plane := make([]float64, p.Channels), p.H*p.W
	for i, v := range a {
		out[i/plane] += float64(float64(v) * float64(g[i]))
	}
	return out, nil
}
