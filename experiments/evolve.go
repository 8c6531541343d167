package experiments

import (
	"context"
	"fmt"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Cell is the strongest activation of one map at one time, projected.
type Cell struct {
	Hit        features.Hit
	Jump       bool // another image than at the time before
	Projection *deconv.Projection
	Patch      *tensor.Tensor // the image, [1, C, H, W]
}

// Evolve computes a column of the evolution figure for every layer ([zeiler14]
// 4.1, Fig. 4): for each of its maps the strongest activation over all images,
// projected down. before is the column of the checkpoint before, or nil. The
// result is [layer][map chosen].
func Evolve(ctx context.Context, engine *model.Engine, net *model.Network, images features.Images, rule deconv.Rule, layers []string, maps [][]int,
	before [][]Cell, progress func(done, total int)) ([][]Cell, error) {
	index, err := features.Collect(ctx, engine, net, images, features.Options{Layers: layers, Top: 1, Progress: progress})
	if err != nil {
		return nil, err
	}
	in := net.Input
	projector := deconv.New(engine, net, rule)
	out := make([][]Cell, len(layers))
	for l, layer := range layers {
		keep, err := projector.Keep(layer)
		if err != nil {
			return nil, err
		}
		plan, err := engine.Compile(net, keep)
		if err != nil {
			return nil, err
		}
		for i, m := range maps[l] {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if m < 0 || m >= len(index.Layers[l].Top) {
				return nil, fmt.Errorf("experiments: layer %s has %d maps, there is no %d", layer, len(index.Layers[l].Top), m)
			}
			if len(index.Layers[l].Top[m]) == 0 {
				return nil, fmt.Errorf("experiments: no images")
			}
			c := Cell{Hit: index.Layers[l].Top[m][0], Patch: tensor.New(1, in.C, in.H, in.W)}
			c.Jump = before != nil && before[l][i].Hit.Image != c.Hit.Image
			if err := images.Input(c.Hit.Image, c.Patch.Data); err != nil {
				return nil, err
			}
			t, err := plan.Run(c.Patch)
			if err != nil {
				return nil, err
			}
			unit := model.Unit{Layer: layer, Channel: m, Y: c.Hit.Y, X: c.Hit.X}
			if c.Projection, err = projector.Project(t, 0, unit); err != nil {
				return nil, err
			}
			out[l] = append(out[l], c)
		}
	}
	return out, nil
}
