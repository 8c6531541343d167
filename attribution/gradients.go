package attribution

import (
	"context"

	"github.com/deconvnet/viz/model"
	"gonum.org/v1/gonum/integrate/quad"
)

// once answers by one way down.
func (r *run) once(ctx context.Context) ([]*Result, error) {
	maps, shape, err := r.maps(ctx, r.clean, r.r.Method)
	if err != nil {
		return nil, err
	}
	var out []*Result
	for i, values := range maps {
		out = append(out, r.result(i, shape, values))
	}
	return out, nil
}

// maps are those of a method of one way down for every image of a trace:
// [image*len(targets) + target].
func (r *run) maps(ctx context.Context, t *model.Trace, m Method) (maps [][]float32, shape []int, err error) {
	down, err := r.down(ctx, t, m)
	if err != nil {
		return nil, nil, err
	}
	in, targets := r.e.net.Input, len(r.r.Targets)
	for i, stops := range down {
		image := i / targets
		if m.AtLayer() {
			var values []float32
			values, shape = r.cam(t, image, m, stops)
			maps = append(maps, values)
			continue
		}
		g := stops[0]
		if m == InputXGradient {
			for j, x := range t.Input.Data[image*len(g) : (image+1)*len(g)] {
				g[j] *= x
			}
		}
		maps = append(maps, g)
		shape = []int{in.C, in.H, in.W}
	}
	return maps, shape, nil
}

// integrated are integrated gradients.
func (r *run) integrated(ctx context.Context) ([]*Result, error) {
	net, n := r.e.net, r.r.Nodes
	in := net.Input
	base, err := r.r.Baseline.Pixels(r.x, net)
	if err != nil {
		return nil, err
	}
	at, weights := make([]float64, n), make([]float64, n)
	quad.Legendre{}.FixedLocations(at, weights, 0, 1)
	plan, err := r.plan(Saliency)
	if err != nil {
		return nil, err
	}
	targets := len(r.r.Targets)
	sums := make([][]float64, targets)
	for k := range sums {
		sums[k] = make([]float64, len(r.x))
	}
	trace := &model.Trace{}
	for first := 0; first < n; {
		count := min(r.batch(plan, true), n-first)
		xs := images(in, count)
		for i := range count {
			point := xs.Data[i*len(r.x) : (i+1)*len(r.x)]
			for j, b := range base {
				point[j] = float32(float64(b) + float64(at[first+i]*(float64(r.x[j])-float64(b))))
			}
		}
		if err := plan.RunInto(trace, xs); err != nil {
			return nil, err
		}
		down, err := r.down(ctx, trace, IntegratedGradients)
		if err != nil {
			return nil, err
		}
		for i, stops := range down {
			sum, w := sums[i%targets], weights[first+i/targets]
			for j, g := range stops[0] {
				sum[j] += float64(w * float64(g))
			}
		}
		first += count
		r.tick(first, n)
	}
	scores, err := r.plan(IntegratedGradients)
	if err != nil {
		return nil, err
	}
	xs := images(in, 1)
	copy(xs.Data, base)
	start, err := scores.Run(xs)
	if err != nil {
		return nil, err
	}
	from := r.tell(start, 0)
	var out []*Result
	for k, sum := range sums {
		values, total := make([]float32, len(sum)), 0.0
		for j, v := range sum {
			v = float64(v * (float64(r.x[j]) - float64(base[j])))
			values[j] = float32(v)
			total += v
		}
		o := r.result(k, []int{in.C, in.H, in.W}, values)
		difference := r.scores[k] - from[k]
		o.Completeness = &Completeness{r.r.Baseline.String(), n, difference, total - difference}
		o.Passes = n + 2
		out = append(out, o)
	}
	return out, nil
}
