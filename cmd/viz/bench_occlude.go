package main

import (
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
			if err := b.benchBrute(x, o, params, n); err != nil {
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

// benchBrute times forward passes of n covered images, evenly spread over the
// positions, and scales the time to all of them, as the peers' benchmarks do; the
// best of some batch sizes counts. The checksum is that of the n positions.
func (b *bench) benchBrute(x *tensor.Tensor, o occlusion.Options, params map[string]any, n int) error {
	plan, err := b.engine.Compile(b.net, model.Keep{Layers: []string{b.net.Logits}})
	if err != nil {
		return err
	}
	h, w, patch, stride := x.Shape[2], x.Shape[3], o.Patch[0], o.Stride[0]
	var corners [][2]int
	for y := 0; y+patch <= h; y += stride {
		for x := 0; x+patch <= w; x += stride {
			corners = append(corners, [2]int{y, x})
		}
	}
	clean, err := plan.Run(x)
	if err != nil {
		return err
	}
	reading, err := b.net.Reading()
	if err != nil {
		return err
	}
	target := reading.Default(clean.Value(b.net.Logits).Data)
	best, sum := 0.0, 0.0
	for _, batch := range []int{1, 4, 8, 16} {
		batch = min(batch, n)
		images := tensor.New(batch, x.Shape[1], h, w)
		trace := new(model.Trace)
		sum = 0
		var spent time.Duration
		for at := 0; at < n; at += batch {
			if err := b.c.Context.Err(); err != nil {
				return err
			}
			m := min(batch, n-at)
			for i := range m {
				one := images.Slice(i, i+1).Data
				copy(one, x.Data)
				corner := corners[(at+i)*len(corners)/n]
				for c := range x.Shape[1] {
					for y := range patch {
						row := one[(c*h+corner[0]+y)*w+corner[1]:][:patch]
						for k := range row {
							row[k] = o.Fill.Values[0]
						}
					}
				}
			}
			part := images.Slice(0, m)
			if at == 0 { // memory is made ready
				if err := plan.RunInto(trace, part); err != nil {
					return err
				}
			}
			start := time.Now()
			if err := plan.RunInto(trace, part); err != nil {
				return err
			}
			spent += time.Since(start)
			scores := trace.Value(b.net.Logits).Data
			for i := range m {
				sum += reading.Tell(scores[i*len(scores)/m:(i+1)*len(scores)/m], target).Value
			}
		}
		if t := spent.Seconds() / float64(n) * float64(len(corners)); best == 0 || t < best {
			best = t
			params["batch"] = batch
		}
	}
	params["measured"] = n
	return b.print("occlude", params, []float64{best}, sum)
}
