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
	Hit features.Hit
	// Jump says that another image has the strongest activation than at the time
	// before. A map that is 0 on every image has none to jump to or from.
	Jump       bool
	Projection *deconv.Projection
}

// EvolveOptions of Evolve.
type EvolveOptions struct {
	Rule     deconv.Rule // of projections
	Layers   []string
	Maps     [][]int  // of each layer
	Before   [][]Cell // the column of the checkpoint before, of the same layers and maps; nil: none
	Progress func(done, total int)
}

// Evolve computes a column of the evolution figure for every layer ([zeiler14]
// 4.1, Fig. 4): for each of its maps the strongest activation over all images,
// projected down. The result is [layer][map chosen].
func Evolve(ctx context.Context, engine *model.Engine, net *model.Network, images Images, o EvolveOptions) ([][]Cell, error) {
	if images.Len() == 0 {
		return nil, fmt.Errorf("no images")
	}
	if len(o.Layers) == 0 || len(o.Maps) != len(o.Layers) {
		return nil, fmt.Errorf("maps of %d layers, want of %d", len(o.Maps), len(o.Layers))
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	for l, layer := range o.Layers {
		for _, m := range o.Maps[l] {
			if s, ok := shapes[layer]; ok && (m < 0 || m >= s.C) { // Collect names layers that are not there
				return nil, fmt.Errorf("layer %s has %d maps, there is no %d", layer, s.C, m)
			}
		}
		if o.Before != nil && (len(o.Before) != len(o.Layers) || len(o.Before[l]) != len(o.Maps[l])) {
			return nil, fmt.Errorf("the column before is of other layers or maps")
		}
	}
	index, err := features.Collect(ctx, engine, net, images, features.Options{Layers: o.Layers, Top: 1, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	x := tensor.New(1, net.Input.C, net.Input.H, net.Input.W)
	projector := deconv.New(engine, net, o.Rule)
	out := make([][]Cell, len(o.Layers))
	for l, layer := range o.Layers {
		keep, err := projector.Keep(layer)
		if err != nil {
			return nil, err
		}
		plan, err := engine.Compile(net, keep)
		if err != nil {
			return nil, err
		}
		for i, m := range o.Maps[l] {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			c := Cell{Hit: index.Layers[l].Top[m][0]}
			if o.Before != nil {
				b := o.Before[l][i].Hit
				c.Jump = b.Image != c.Hit.Image && b.Value != 0 && c.Hit.Value != 0
			}
			if err := images.Input(c.Hit.Image, x.Data); err != nil {
				return nil, err
			}
			t, err := plan.Run(x)
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
