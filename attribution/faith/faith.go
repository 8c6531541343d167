// Package faith measures how far a map of attributions can be believed: what becomes
// of the score when the pixels that it names are taken away or shown alone, how alike
// two maps are, and whether a map points at the object.
//
//	p, err := faith.NewProbe(engine, net, model.Target{Class: 3})
//	curve, err := p.Curve(ctx, x, baseline, faith.Order(plane), 50)
//	area := faith.Area(curve)
//
// The numbers are those of the papers named at each function; nothing is drawn.
package faith

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Probe asks a network for one target's score and probability, many images at a time.
type Probe struct {
	engine  *model.Engine
	net     *model.Network
	plan    *model.Plan
	reading *model.Reading
	target  model.Target
	// Memory is about how many bytes a batch may take; 0: 256 MiB.
	Memory int
}

// atOnce is the most images that go through a network together.
const atOnce = 16

// NewProbe prepares a network.
func NewProbe(engine *model.Engine, net *model.Network, target model.Target) (*Probe, error) {
	reading, err := net.Reading()
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if err := reading.Check(target); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	// Only scores are read: convolutions may use Winograd's algorithm. Scores then differ by about 1e-5 of the
	// largest, by the same bits in batches of any size.
	plan, err := engine.Compile(net, model.Keep{Layers: []string{net.Logits}, Fast: true, Batch: atOnce})
	if err != nil {
		return nil, err
	}
	return &Probe{engine: engine, net: net, plan: plan, reading: reading, target: target}, nil
}

// For is the probe for another target.
func (p *Probe) For(target model.Target) (*Probe, error) {
	if err := p.reading.Check(target); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	other := *p
	other.target = target
	return &other, nil
}

// Tell is what the target is worth for n images that draw writes, [C, H, W] each. Draw
// is called in order.
func (p *Probe) Tell(ctx context.Context, n int, draw func(i int, dst []float32)) ([]model.Told, error) {
	in := p.net.Input
	size, memory := in.Shape().Len(), p.Memory
	if memory == 0 {
		memory = 256 << 20
	}
	out, trace := make([]model.Told, 0, n), &model.Trace{}
	for first := 0; first < n; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		count := min(p.plan.Batch(memory, atOnce), n-first)
		xs := tensor.New(count, in.C, in.H, in.W)
		for i := range count {
			draw(first+i, xs.Data[i*size:(i+1)*size])
		}
		if err := p.plan.RunInto(trace, xs); err != nil {
			return nil, err
		}
		scores := trace.Value(p.net.Logits).Data
		each := len(scores) / count
		for i := range count {
			out = append(out, p.reading.Tell(scores[i*each:(i+1)*each], p.target))
		}
		first += count
	}
	return out, nil
}

// Order lists the places of a map from its largest value to its smallest, equal values
// in row-major order.
func Order(m []float32) []int {
	out := make([]int, len(m))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int {
		switch {
		case m[a] > m[b]:
			return -1
		case m[a] < m[b]:
			return 1
		}
		return 0
	})
	return out
}

// Curve is the target's probability while an image turns into another, [steps+1]: at
// step k the first k/steps of the places in order are taken from the image to, in all
// channels. From the image to a baseline it is deletion, the other way insertion
// (V. Petsiuk et al., RISE, 2018, section 4.1).
func (p *Probe) Curve(ctx context.Context, from, to []float32, order []int, steps int) ([]float64, error) {
	plane := p.net.Input.H * p.net.Input.W
	if size := p.net.Input.Shape().Len(); len(from) != size || len(to) != size || len(order) != plane || steps < 1 {
		return nil, fmt.Errorf("a curve of %d steps, %d places and images of %d and %d values: the input has %d places and %d values",
			steps, len(order), len(from), len(to), plane, size)
	}
	now, done := slices.Clone(from), 0
	told, err := p.Tell(ctx, steps+1, func(k int, dst []float32) {
		for ; done < k*plane/steps; done++ {
			for at := order[done]; at < len(now); at += plane {
				now[at] = to[at]
			}
		}
		copy(dst, now)
	})
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(told))
	for i, t := range told {
		out[i] = t.Value
	}
	return out, nil
}

// Curves are those of several orders, which share their ends.
func (p *Probe) Curves(ctx context.Context, from, to []float32, orders [][]int, steps int) ([][]float64, error) {
	plane := p.net.Input.H * p.net.Input.W
	if size := p.net.Input.Shape().Len(); len(from) != size || len(to) != size || steps < 1 {
		return nil, fmt.Errorf("curves of %d steps between images of %d and %d values: the input has %d", steps, len(from), len(to), size)
	}
	for _, order := range orders {
		if len(order) != plane {
			return nil, fmt.Errorf("an order of %d places: the input has %d", len(order), plane)
		}
	}
	between := steps - 1
	now, done := slices.Clone(from), 0
	told, err := p.Tell(ctx, 2+len(orders)*between, func(i int, dst []float32) {
		switch {
		case i == 0:
			copy(dst, from)
			return
		case i == 1:
			copy(dst, to)
			return
		}
		curve, k := (i-2)/between, (i-2)%between+1
		if k == 1 {
			copy(now, from)
			done = 0
		}
		for ; done < k*plane/steps; done++ {
			for at := orders[curve][done]; at < len(now); at += plane {
				now[at] = to[at]
			}
		}
		copy(dst, now)
	})
	if err != nil {
		return nil, err
	}
	var out [][]float64
	for i := range orders {
		curve := []float64{told[0].Value}
		for _, t := range told[2+i*between : 2+(i+1)*between] {
			curve = append(curve, t.Value)
		}
		out = append(out, append(curve, told[1].Value))
	}
	return out, nil
}

// Area is that under a curve on 0..1, by the trapezoid rule.
func Area(curve []float64) float64 {
	sum := 0.0
	for i := 1; i < len(curve); i++ {
		sum += float64((curve[i-1] + curve[i]) / 2)
	}
	return sum / float64(len(curve)-1)
}

// Subsets draws count sets of n of the plane's places.
func Subsets(seed uint64, plane, n, count int) [][]int {
	rng := rand.New(rand.NewPCG(seed, 0x7375627365747321))
	out := make([][]int, count)
	for i := range out {
		out[i] = rng.Perm(plane)[:min(n, plane)]
	}
	return out
}

// Drops are, by subset, how far the score falls when its places are 0 in all channels.
func (p *Probe) Drops(ctx context.Context, x []float32, subsets [][]int) ([]float64, error) {
	plane := p.net.Input.H * p.net.Input.W
	told, err := p.Tell(ctx, len(subsets)+1, func(i int, dst []float32) {
		copy(dst, x)
		if i == 0 {
			return
		}
		for _, at := range subsets[i-1] {
			for ; at < len(dst); at += plane {
				dst[at] = 0
			}
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(subsets))
	for i := range out {
		out[i] = told[0].Score - told[i+1].Score
	}
	return out, nil
}

// Shares are, by subset, the sums of an attribution over its places: values is
// [C, H, W] or [H, W].
func Shares(values []float32, plane int, subsets [][]int) []float64 {
	out := make([]float64, len(subsets))
	for i, set := range subsets {
		for _, at := range set {
			for ; at < len(values); at += plane {
				out[i] += float64(values[at])
			}
		}
	}
	return out
}

// SensitivityN is the correlation of Shares and Drops (M. Ancona et al., Towards
// Better Understanding of Gradient-based Attribution Methods, 2018, section 4). It is
// not known (NaN) if either is constant.
func SensitivityN(shares, drops []float64) float64 { return exact.Correlation(shares, drops) }

// Infidelity is the mean square of Shares - Drops (C.-K. Yeh et al., On the
// (In)fidelity and Sensitivity of Explanations, 2019, definition 2.1), for attributions
// whose unit is the score's.
func Infidelity(shares, drops []float64) float64 {
	sum := 0.0
	for i, s := range shares {
		sum += float64((s - drops[i]) * (s - drops[i]))
	}
	return sum / float64(len(shares))
}

// ScaledInfidelity is the infidelity of the best multiple of the attributions, as a share of the mean square of drops:
// 0 if they foretell drops but for a factor, 1 if they say nothing (the same, section 5.1). It is not known (NaN) if
// nothing drops.
func ScaledInfidelity(shares, drops []float64) float64 {
	var both, own, all float64
	for i, s := range shares {
		both += float64(s * drops[i])
		own += float64(s * s)
		all += float64(drops[i] * drops[i])
	}
	if own == 0 {
		own = 1 // a map of zeros says nothing
	}
	return 1 - both*both/own/all
}

// Shown is what the target's probability becomes when the image shows through a map,
// which is brought to 0..1: the share that is lost, 0 if it rises, and whether it rises
// (A. Chattopadhay et al., Grad-CAM++, 2018, section 4.1).
func (p *Probe) Shown(ctx context.Context, x, plane []float32) (drop float64, rises bool, err error) {
	lo, hi := slices.Min(plane), slices.Max(plane)
	told, err := p.Tell(ctx, 2, func(i int, dst []float32) {
		copy(dst, x)
		if i == 0 {
			return
		}
		for j := range dst {
			if lo < hi {
				dst[j] *= (plane[j%len(plane)] - lo) / (hi - lo)
			} else {
				dst[j] = 0
			}
		}
	})
	if err != nil {
		return 0, false, err
	}
	before, after := told[0].Value, told[1].Value
	if before != 0 {
		drop = max(before-after, 0) / before
	}
	return drop, after > before, nil
}
