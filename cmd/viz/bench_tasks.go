package main

import (
	"github.com/deconvnet/viz/internal/bench"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/occlusion"
)

func (b *benchmark) layer() (string, error) {
	if b.layerName == "" {
		return b.net.LastFeatures()
	}
	name, err := b.net.Resolve(b.layerName)
	return name, cmdline.UsageErr(err)
}

func (b *benchmark) forward() error {
	return b.measure(bench.Forward(b.engine, b.net, b.batch, b.exact, b.schedule.Before()))
}

func (b *benchmark) deconv() error {
	layer, err := b.layer()
	if err != nil {
		return err
	}
	return b.measure(bench.Deconv(b.Context, b.engine, b.net, layer, b.units, b.rule))
}

func (b *benchmark) train() error {
	if b.name != "lenet" {
		return cmdline.Usage("viz bench train trains lenet only", "")
	}
	if b.schedule != nil {
		return cmdline.Usage("viz bench train cannot be simulated", "")
	}
	times, loss, err := bench.MeasureTrain(b.Context, b.engine, b.least, b.steps, clock())
	if err != nil {
		return err
	}
	return b.print("train", map[string]any{"batch": 100, "steps": b.steps}, times, loss)
}

func (b *benchmark) scan() error {
	layer, err := b.layer()
	if err != nil {
		return err
	}
	return b.measure(bench.Scan(b.Context, b.engine, b.net, layer, b.images, b.batch, b.exact))
}

// occlude times occlusion maps, each from the image on. Brute force may be
// timed on some of the positions.
func (b *benchmark) occlude() error {
	o := occlusion.Options{Patch: [2]int{b.patch, b.patch}, Stride: [2]int{b.stride, b.stride},
		Fill: occlusion.Fill{Kind: occlusion.ValueFill, Values: []float32{float32(b.fill)}}, Layers: []string{}}
	methods := []occlusion.Method{occlusion.Fast, occlusion.Brute}
	if b.method != "both" {
		method, err := occlusion.ParseMethod(b.method)
		if err != nil {
			return cmdline.Usage("--method "+b.method+": want fast, box, brute or both", "")
		}
		methods = []occlusion.Method{method}
	}
	positions, _, err := occlusion.Cost(b.net, o)
	if err != nil {
		return cmdline.UsageErr(err)
	}
	for _, o.Method = range methods {
		if n := b.positions; o.Method == occlusion.Brute && n > 0 && n < positions {
			err = b.brute(o, n)
		} else {
			err = b.measure(bench.Occlude(b.Context, b.engine, b.net, o))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// brute times n of the positions and scales the time to all.
func (b *benchmark) brute(o occlusion.Options, n int) error {
	t, err := bench.Brute(b.engine, b.net, o, n)
	if err != nil {
		return err
	}
	best, sum, err := t.Measure(b.Context, clock())
	if err != nil {
		return err
	}
	return b.print("occlude", t.Params, []float64{best}, sum)
}
