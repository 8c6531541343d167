package attribution

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// spread gathers the mean of numbers and of their squared distances from it (B. P.
// Welford's way, which does not cancel).
type spread struct {
	n       float64
	mean, m []float64
}

func (s *spread) add(v []float32, squared bool) {
	if s.mean == nil {
		s.mean, s.m = make([]float64, len(v)), make([]float64, len(v))
	}
	s.n++
	for i, f := range v {
		x := float64(f)
		if squared {
			x *= x
		}
		d := x - s.mean[i]
		s.mean[i] += d / s.n
		s.m[i] += float64(d * (x - s.mean[i]))
	}
}

// noisy repeats the base method on noisy copies of the image.
func (r *run) noisy(ctx context.Context) ([]*Result, error) {
	in, n := r.e.net.Input, r.r.Samples
	lo, hi := render.Range(r.x)
	deviation := *r.r.Deviation * (hi - lo)
	all := make([]spread, len(r.r.Targets))
	var shape []int
	add := func(target int, values []float32, of []int) {
		all[target].add(values, r.r.Method == SmoothGradSquared)
		shape = of
	}
	draw := func(i int, dst []float32) {
		rng := rand.New(rand.NewPCG(r.r.Seed, uint64(i)))
		for j, x := range r.x {
			dst[j] = float32(float64(x) + float64(deviation*exact.Normal(rng)))
		}
	}
	family := r.r.Base.info().family
	passes := 1
	if family != ofInput && family != ofLayer {
		for i := range n {
			copy := tensor.New(1, in.C, in.H, in.W)
			draw(i, copy.Data)
			base := r.r
			base.Method, base.Base, base.Progress = r.r.Base, "", nil
			results, err := r.e.explain(ctx, copy, base)
			if err != nil {
				return nil, err
			}
			for k, o := range results {
				add(k, o.Values, o.Shape)
				passes += o.Passes
			}
			r.tick(i+1, n)
		}
		return r.spreads(all, shape, passes), nil
	}
	plan, err := r.plan(r.r.Base)
	if err != nil {
		return nil, err
	}
	trace := &model.Trace{}
	for first := 0; first < n; {
		count := min(r.batch(plan, true), n-first)
		xs := images(in, count)
		r.e.engine.For(count, func(i int) { draw(first+i, xs.Data[i*len(r.x):(i+1)*len(r.x)]) })
		if err := plan.RunInto(trace, xs); err != nil {
			return nil, err
		}
		maps, of, err := r.maps(ctx, trace, r.r.Base)
		if err != nil {
			return nil, err
		}
		for i, values := range maps {
			add(i%len(all), values, of)
		}
		first += count
		r.tick(first, n)
	}
	return r.spreads(all, shape, passes+n), nil
}

func (r *run) spreads(all []spread, shape []int, passes int) []*Result {
	var out []*Result
	for k, s := range all {
		values := make([]float32, len(s.mean))
		for i := range values {
			if values[i] = float32(s.mean[i]); r.r.Method == VarGrad {
				values[i] = float32(s.m[i] / s.n)
			}
		}
		o := r.result(k, shape, values)
		o.Passes = passes
		out = append(out, o)
	}
	return out
}

// rise is RISE.
func (r *run) rise(ctx context.Context) ([]*Result, error) {
	in := r.e.net.Input
	plane, n, targets := in.H*in.W, r.r.Masks, len(r.r.Targets)
	plan, err := r.e.plan(fast(r.from()))
	if err != nil {
		return nil, err
	}
	sums := make([][]float64, targets)
	for k := range sums {
		sums[k] = make([]float64, plane)
	}
	trace := &model.Trace{}
	for first := 0; first < n; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		count := min(r.batch(plan, false), n-first)
		xs, masks := images(in, count), make([][]float32, count)
		r.e.engine.For(count, func(i int) {
			masks[i] = r.mask(first + i)
			for j, x := range r.x {
				xs.Data[i*len(r.x)+j] = x * masks[i][j%plane]
			}
		})
		if err := plan.RunInto(trace, xs); err != nil {
			return nil, err
		}
		for i := range count {
			for k, worth := range r.worth(trace, i) {
				add(sums[k], masks[i], worth)
			}
		}
		first += count
		r.tick(first, n)
	}
	var out []*Result
	for k, sum := range sums {
		values := make([]float32, plane)
		for i, v := range sum {
			values[i] = float32(v / (float64(n) * r.r.Keep))
		}
		o := r.result(k, []int{in.H, in.W}, values)
		o.Passes = n + 1
		out = append(out, o)
	}
	return out, nil
}

// worth are the targets' probabilities (values, if there are none) for one image of a trace.
func (r *run) worth(t *model.Trace, image int) []float64 {
	out := r.tell(t, image)
	for i, target := range r.r.Targets {
		if target.Unit == nil {
			out[i] = r.read.Tell(r.logits(t, image), target.Target).Value
		}
	}
	return out
}

// mask is mask number i, [H, W]: a grid of open and closed cells, enlarged with a
// random shift.
func (r *run) mask(i int) []float32 {
	in, cells := r.e.net.Input, r.r.Cells
	rng := rand.New(rand.NewPCG(r.r.Seed, uint64(i)))
	grid := make([]float32, cells*cells)
	for j := range grid {
		if rng.Float64() < r.r.Keep {
			grid[j] = 1
		}
	}
	ch, cw := (in.H+cells-1)/cells, (in.W+cells-1)/cells
	dy, dx := rng.IntN(ch), rng.IntN(cw)
	large := render.Smooth(grid, cells, cells, (cells+1)*ch, (cells+1)*cw)
	out := make([]float32, 0, in.H*in.W)
	for y := range in.H {
		at := (dy+y)*(cells+1)*cw + dx
		out = append(out, large[at:at+in.W]...)
	}
	return out
}

// occlusion answers by covering the image.
func (r *run) occlusion(ctx context.Context) ([]*Result, error) {
	in := r.e.net.Input
	var out []*Result
	for k, target := range r.r.Targets {
		if target.Unit != nil {
			return nil, fmt.Errorf("covering is measured for classes, not for unit %s", *target.Unit)
		}
		o := r.r.Patches
		o.Classes, o.At, o.Cover, o.Layers = []int{target.Class}, target.At, true, []string{}
		o.Sizes = nil
		s, err := occlusion.New(r.e.engine, r.e.net, o)
		if err != nil {
			return nil, err
		}
		maps, err := s.ScanAll(ctx, tensor.From(r.x, 1, in.C, in.H, in.W), func(done, total int) { r.tick(done+k*total, total*len(r.r.Targets)) })
		if err != nil {
			return nil, err
		}
		m := maps[0]
		one := r.result(k, []int{in.H, in.W}, m.PixelDrop[0])
		one.Passes = len(m.Boxes) + 1
		out = append(out, one)
	}
	return out, nil
}
