// Package bench holds what viz bench measures: tasks on inputs that are the same in every language, as functions.
// The clock is the caller's.
//
//	task, err := bench.Forward(engine, net, 8, false)
//	checksum, err := task.Run()
package bench

import (
	"context"
	"math"
	"strings"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/model/train"
)

// Task is work that can be done again and again.
type Task struct {
	Name   string
	Params map[string]any // what it was asked for
	Run    func() (checksum float64, err error)
	// Bound, if not nil, is how much scratch memory it keeps at most, layer by layer: each worker, and all together.
	Bound func() (worker, shared int)
}

// LeNet is the network that is trained.
func LeNet() (*model.Network, error) {
	return model.Build("lenet5", model.ArchOptions{Input: model.Input{C: 1, H: 28, W: 28}, Classes: strings.Split("0123456789", ""), Keep: 0.5, Seed: 1})
}

// Noise is noise of unit variance, the same in every language: a 32-bit hash of the index, mapped to
// [-sqrt 3, sqrt 3).
func Noise(shape ...int) *tensor.Tensor {
	x := tensor.New(shape...)
	for i := range x.Data {
		h := uint32(i+1) * 2654435761
		h ^= h >> 16
		h *= 0x85ebca6b
		h ^= h >> 13
		x.Data[i] = float32((float64(float64(h)/(1<<32)*2) - 1) * math.Sqrt(3))
	}
	return x
}

// Input is noise for n images of a network.
func Input(net *model.Network, n int) *tensor.Tensor {
	return Noise(n, net.Input.C, net.Input.H, net.Input.W)
}

func sumAbs(v []float32) (s float64) {
	for _, x := range v {
		s += math.Abs(float64(x))
	}
	return s
}

// Forward is the class scores of a batch, or the network's output if it has none. before, if not nil, is called before
// each layer.
func Forward(engine *model.Engine, net *model.Network, batch int, exact bool, before func(layer string)) (*Task, error) {
	out := net.Logits
	if out == "" {
		out = net.Output()
	}
	plan, err := engine.Compile(net, model.Keep{Layers: []string{out}, Fast: !exact, Before: before})
	if err != nil {
		return nil, err
	}
	x, t := Input(net, batch), new(model.Trace)
	return &Task{Name: "forward", Params: map[string]any{"batch": batch, "exact": exact}, Bound: func() (int, int) { return plan.Scratch(batch) }, Run: func() (float64, error) {
		if err := plan.RunInto(t, x); err != nil {
			return 0, err
		}
		return sumAbs(t.Value(out).Data), nil
	}}, nil
}

// Deconv is a forward pass and the projection of the strongest unit of each of the first maps of a layer.
func Deconv(ctx context.Context, engine *model.Engine, net *model.Network, layer string, units int, rule deconv.Rule) (*Task, error) {
	p := deconv.New(engine, net, rule)
	keep, err := p.Keep(layer)
	if err != nil {
		return nil, err
	}
	plan, err := engine.Compile(net, keep)
	if err != nil {
		return nil, err
	}
	x := Input(net, 1)
	return &Task{Name: "deconv", Params: map[string]any{"layer": layer, "units": units, "rule": rule}, Run: func() (float64, error) {
		t, err := plan.Run(x)
		if err != nil {
			return 0, err
		}
		s, v := t.Shapes[layer], t.Value(layer).Data
		targets := make([]deconv.Target, min(units, s.C))
		engine.For(len(targets), func(k int) {
			at := tensor.ArgMax(v[k*s.H*s.W : (k+1)*s.H*s.W])
			targets[k] = deconv.Target{Unit: model.Unit{Layer: layer, Channel: k, Y: at / s.W, X: at % s.W}}
		})
		projections, err := p.ProjectAll(ctx, t, targets)
		if err != nil {
			return 0, err
		}
		sums, sum := make([]float64, len(projections)), 0.0
		engine.For(len(sums), func(i int) { sums[i] = sumAbs(projections[i].Pixels) })
		for _, s := range sums {
			sum += s
		}
		return sum, nil
	}}, nil
}

// noiseImages serves a few images of noise over and over.
type noiseImages struct {
	pool *tensor.Tensor
	n    int
}

func (s noiseImages) Len() int { return s.n }

func (s noiseImages) Input(i int, dst []float32) error {
	i %= s.pool.Shape[0]
	copy(dst, s.pool.Slice(i, i+1).Data)
	return nil
}

// Scan is the search for the nine strongest activations of every map of a layer.
func Scan(ctx context.Context, engine *model.Engine, net *model.Network, layer string, images, batch int, exact bool) (*Task, error) {
	src := noiseImages{Input(net, min(images, 32)), images}
	o := features.Options{Layers: []string{layer}, Batch: batch, Exact: exact, Hash: net.Hash()}
	var err error
	if o.Plan, err = features.Compile(engine, net, o); err != nil {
		return nil, err
	}
	return &Task{Name: "topk", Params: map[string]any{"layer": layer, "images": images, "batch": batch, "exact": exact}, Run: func() (float64, error) {
		index, err := features.Collect(ctx, engine, net, src, o)
		if err != nil {
			return 0, err
		}
		var sum float64
		for _, top := range index.Layers[0].Top {
			for _, h := range top {
				sum += float64(h.Value)
			}
		}
		return sum, nil
	}}, nil
}

// Train runs stretches of training steps of LeNet: batch 100, Adam 1e-4, dropout 0.5. each is told the loss at the
// end of each stretch.
func Train(ctx context.Context, engine *model.Engine, stretches, steps int, each func(loss float64)) error {
	net, err := LeNet()
	if err != nil {
		return err
	}
	// The noise as bytes, and a preprocessing that takes them back to it.
	root3 := float32(math.Sqrt(3))
	net.Preprocess = model.Preprocess{Scale: root3 / 127.5, Mean: []float32{root3}}
	in := net.Input
	images := &train.Memory{Size: in.C * in.H * in.W, Bytes: make([]uint8, 100*in.C*in.H*in.W), Labels: make([]int, 100)}
	for i, v := range Input(net, 100).Data {
		images.Bytes[i] = uint8((float64(v)/math.Sqrt(3) + 1) * 127.5)
	}
	for i := range images.Labels {
		images.Labels[i] = i % 10
	}
	_, _, err = train.Run(ctx, engine, net, images, nil, nil,
		train.Options{Rate: 1e-4, Batch: 100, Steps: stretches * steps, LogEvery: steps, EvalEvery: -1, EvalTrain: -1},
		train.Hooks{Progress: func(r train.Report) { each(r.Loss) }})
	return err
}
