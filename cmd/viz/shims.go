package main

import (
	"math"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

// trainSets returns training and test set; the latter may be empty.
func trainSets(c *cli.Context, data *images.Data) (sweep.Sets, error) {
	sets, text, err := sweep.Split{HoldOut: c.Float64("hold-out"), Limit: c.Int("limit")}.Of(data)
	if text != "" {
		note(c, "%s", text)
	}
	return sets, requestErr(err)
}

// decodeSets decodes all images once, to bytes in the network's input size.
func decodeSets(c *cli.Context, engine *model.Engine, net *model.Network, sets sweep.Sets) ([2]*train.Memory, error) {
	out, err := sets.Decode(c.Context, engine, net, nil, sweepOptions(c))
	return out, requestErr(err)
}

// measure records mean and, to divide by, deviation of the training pixels.
func measure(net *model.Network, m *train.Memory, standardize bool) {
	sweep.MeasurePixels(m, net.Input, m.Len()).Put(net, standardize)
}

// finite is v as JSON has it: without infinities and NaN.
func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}
