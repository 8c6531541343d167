package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// Operators that normalise by statistics of the image itself.

// groupNorm has scales and shifts per channel, before operator set 21 per group.
func groupNorm(c *converter, n *node) error {
	in, _, err := c.maps(n, 0, 0, maxRank)
	if err != nil {
		return err
	}
	groups := n.int("num_groups", 0)
	if groups < 1 || groups > int64(in.shape.C) || int64(in.shape.C)%groups != 0 {
		return malformed("num_groups is %d of %d channels", groups, in.shape.C)
	}
	each := in.shape.C
	if c.opset < 21 {
		each = int(groups)
	}
	var p [2][]float32
	for i := range p {
		v, err := c.vector(n, i+1, each)
		if err != nil {
			return err
		}
		if v == nil {
			return malformed("input %d is missing", i+1)
		}
		if err := c.spend(in.shape.C); err != nil {
			return err
		}
		for _, x := range v {
			p[i] = append(p[i], slices.Repeat([]float32{x}, in.shape.C/each)...)
		}
	}
	return c.put(n, in.dims, &model.GroupNorm{Groups: int(groups), Scale: p[0], Shift: p[1], Eps: float64(n.float("epsilon", 1e-5))}, in)
}
