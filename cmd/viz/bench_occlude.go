package main

import (
	"slices"
	"time"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
	"github.com/urfave/cli/v2"
)

// benchOcclude times occlusion maps, each from the image on. Brute force may be
// timed on some of the positions.
func benchOcclude(c *cli.Context, b *bench) error {
	o := occlusion.Options{Patch: [2]int{c.Int("patch"), c.Int("patch")}, Stride: [2]int{c.Int("stride"), c.Int("stride")},
		Fill: occlusion.Fill{Kind: "value", Values: []float32{float32(c.Float64("fill"))}}, Layers: []string{}}
	methods := map[string][]occlusion.Method{"fast": {occlusion.Fast}, "box": {occlusion.Box}, "brute": {occlusion.Brute}, "both": {occlusion.Fast, occlusion.Brute}}
	list, ok := methods[c.String("method")]
	if !ok {
		return usage("--method "+c.String("method")+": want fast, box, brute or both", "")
	}
	positions, _, err := occlusion.Cost(b.net, o)
	if err != nil {
		return usageErr(err)
	}
	x := b.input(1)
	for _, method := range list {
		o.Method = method
		name := string(method)
		if name == "" {
			name = "fast"
		}
		params := map[string]any{"patch": c.Int("patch"), "stride": c.Int("stride"), "positions": positions, "method": name}
		if n := c.Int("positions"); method == occlusion.Brute && n > 0 && n < positions {
			if err := b.benchBrute(x, o, params, positions, n); err != nil {
				return err
			}
			continue
		}
		s, err := occlusion.New(b.engine, b.net, o)
		if err != nil {
			return err
		}
		err = b.measure("occlude", params, func() (float64, error) {
			maps, err := s.ScanAll(c.Context, x)
			if err != nil {
				return 0, err
			}
			return sumAbs(maps[0].Prob[0]), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// benchBrute times forward passes of n covered images and scales the time to all
// positions, as the peers' benchmarks do; the best of some batch sizes counts.
func (b *bench) benchBrute(x *tensor.Tensor, o occlusion.Options, params map[string]any, positions, n int) error {
	plan, err := b.engine.Compile(b.net, model.Keep{Layers: []string{b.net.Logits}})
	if err != nil {
		return err
	}
	best := 0.0
	var times []float64
	for _, batch := range []int{1, 4, 8, 16} {
		images := tensor.New(min(batch, n), x.Shape[1], x.Shape[2], x.Shape[3])
		for i := range images.Shape[0] {
			copy(images.Slice(i, i+1).Data, x.Data)
		}
		if _, err := plan.Run(images); err != nil {
			return err
		}
		start := time.Now()
		for at := 0; at < n; at += images.Shape[0] {
			if err := b.c.Context.Err(); err != nil {
				return err
			}
			if _, err := plan.Run(images); err != nil {
				return err
			}
		}
		passes := (n + images.Shape[0] - 1) / images.Shape[0] * images.Shape[0]
		t := time.Since(start).Seconds() / float64(passes) * float64(positions)
		times = append(times, t)
		if best == 0 || t < best {
			best = t
			params["batch"] = batch
		}
	}
	params["sampled"] = n
	slices.Sort(times)
	return b.print("occlude", params, times[:1], 0)
}
