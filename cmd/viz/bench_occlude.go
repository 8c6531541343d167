package main

import (
	"time"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/internal/bench"
	"github.com/deconvnet/viz/occlusion"
)

// benchOcclude times occlusion maps, each from the image on. Brute force may be
// timed on some of the positions.
func benchOcclude(c *cmdline.Run, b *benchmark) error {
	o := occlusion.Options{Patch: [2]int{c.Int("patch"), c.Int("patch")}, Stride: [2]int{c.Int("stride"), c.Int("stride")},
		Fill: occlusion.Fill{Kind: occlusion.ValueFill, Values: []float32{float32(c.Float64("fill"))}}, Layers: []string{}}
	methods := []occlusion.Method{occlusion.Fast, occlusion.Brute}
	if m := c.String("method"); m != "both" {
		method, err := occlusion.ParseMethod(m)
		if err != nil {
			return cmdline.Usage("--method "+m+": want fast, box, brute or both", "")
		}
		methods = []occlusion.Method{method}
	}
	positions, _, err := occlusion.Cost(b.net, o)
	if err != nil {
		return cmdline.UsageErr(err)
	}
	for _, o.Method = range methods {
		if n := c.Int("positions"); o.Method == occlusion.Brute && n > 0 && n < positions {
			err = b.brute(o, n)
		} else {
			err = b.measure(bench.Occlude(c.Context, b.engine, b.net, o))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// brute times n of the positions and scales the time to all; the best of some batch sizes counts.
func (b *benchmark) brute(o occlusion.Options, n int) error {
	t, err := bench.Brute(b.engine, b.net, o, n)
	if err != nil {
		return err
	}
	best, sum := 0.0, 0.0
	for _, batch := range []int{1, 4, 8, 16} {
		var spent time.Duration
		sum, err = t.Run(b.c.Context, batch, func(run func() error) error {
			start := time.Now()
			err := run()
			spent += time.Since(start)
			return err
		})
		if err != nil {
			return err
		}
		if s := spent.Seconds() / float64(n) * float64(t.Positions); best == 0 || s < best {
			best = s
			t.Params["batch"] = min(batch, n)
		}
	}
	t.Params["measured"] = n
	return b.print("occlude", t.Params, []float64{best}, sum)
}
