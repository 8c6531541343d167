package bench

import (
	"context"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// Occlude is an occlusion map, from the image on.
func Occlude(ctx context.Context, engine *model.Engine, net *model.Network, o occlusion.Options) (*Task, error) {
	params, err := occludeParams(net, o)
	if err != nil {
		return nil, err
	}
	s, err := occlusion.New(engine, net, o)
	if err != nil {
		return nil, err
	}
	x := Input(net, 1)
	return &Task{Name: "occlude", Params: params, Run: func() (float64, error) {
		maps, err := s.ScanAll(ctx, x, nil)
		if err != nil {
			return 0, err
		}
		return sumAbs(maps[0].Prob[0]), nil
	}}, nil
}

func occludeParams(net *model.Network, o occlusion.Options) (map[string]any, error) {
	positions, _, err := occlusion.Cost(net, o)
	return map[string]any{"patch": o.Patch[0], "stride": o.Stride[0], "positions": positions, "method": o.Method.String()}, err
}

// BruteForce is forward passes of some of the covered images of an occlusion map, evenly spread over the positions,
// so that the time can be scaled to all of them, as the peers' benchmarks do.
type BruteForce struct {
	Params    map[string]any
	Positions int // of the map
	net       *model.Network
	plan      *model.Plan
	o         occlusion.Options
	x         *tensor.Tensor
	corners   [][2]int // of the positions that are covered
	reading   *model.Reading
	target    model.Target
}

// Brute prepares n of the positions. The fill is one value in network units.
func Brute(engine *model.Engine, net *model.Network, o occlusion.Options, n int) (*BruteForce, error) {
	params, err := occludeParams(net, o)
	if err != nil {
		return nil, err
	}
	plan, err := engine.Compile(net, model.Keep{Layers: []string{net.Logits}})
	if err != nil {
		return nil, err
	}
	reading, err := net.Reading()
	if err != nil {
		return nil, err
	}
	b := &BruteForce{Params: params, net: net, plan: plan, o: o, x: Input(net, 1), reading: reading}
	var all [][2]int
	for y := 0; y+o.Patch[0] <= net.Input.H; y += o.Stride[0] {
		for x := 0; x+o.Patch[0] <= net.Input.W; x += o.Stride[0] {
			all = append(all, [2]int{y, x})
		}
	}
	b.Positions = len(all)
	for i := range n {
		b.corners = append(b.corners, all[i*len(all)/n])
	}
	clean, err := plan.Run(b.x)
	if err != nil {
		return nil, err
	}
	b.target = reading.Default(clean.Value(net.Logits).Data)
	return b, nil
}

// Run runs all positions in batches. timed is given each pass to run, and may take its time; the first pass has
// been run once before, so that memory is ready. The checksum is that of the positions covered.
func (b *BruteForce) Run(ctx context.Context, batch int, timed func(run func() error) error) (checksum float64, err error) {
	n := len(b.corners)
	batch = min(batch, n)
	images := tensor.New(batch, b.x.Shape[1], b.x.Shape[2], b.x.Shape[3])
	trace := new(model.Trace)
	for at := 0; at < n; at += batch {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		m := min(batch, n-at)
		for i := range m {
			b.cover(images.Slice(i, i+1).Data, b.corners[at+i])
		}
		pass := func() error { return b.plan.RunInto(trace, images.Slice(0, m)) }
		if at == 0 {
			if err := pass(); err != nil {
				return 0, err
			}
		}
		if err := timed(pass); err != nil {
			return 0, err
		}
		scores := trace.Value(b.net.Logits).Data
		for i := range m {
			checksum += b.reading.Tell(scores[i*len(scores)/m:(i+1)*len(scores)/m], b.target).Value
		}
	}
	return checksum, nil
}

// cover makes the image with a patch at a corner.
func (b *BruteForce) cover(dst []float32, corner [2]int) {
	copy(dst, b.x.Data)
	in, patch := b.net.Input, b.o.Patch[0]
	for c := range in.C {
		for y := range patch {
			row := dst[(c*in.H+corner[0]+y)*in.W+corner[1]:][:patch]
			for k := range row {
				row[k] = b.o.Fill.Values[0]
			}
		}
	}
}
