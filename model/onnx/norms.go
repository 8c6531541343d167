package onnx

import (
	"fmt"
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

// normalized makes a node a normalisation over axes of its input, with scale and
// shift in inputs 1 and 2 if the node has them. Those that run along the last axes
// are part of the layer; others follow it.
func normalized(c *converter, n *node, op model.NormOp, eps float64, axes []int) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	var p [2]*constant
	for i := range p {
		if p[i], err = c.floats(n, i+1); err != nil {
			return err
		}
	}
	l := &model.Normalize{Op: op, Eps: eps, Inner: 1}
	last := in.hwc != nil && len(in.dims) == 4 && slices.Equal(axes, []int{3}) && !in.shape.Flat
	if last { // over the channels, where they lie
		s := in.shape
		l.From, l.Axes, l.Inner = []int{s.C, s.H, s.W}, []int{0}, s.H*s.W
	} else {
		if in, err = c.array(n, 0); err != nil {
			return err
		}
		own, before, err := c.own(in, !slices.Contains(axes, 0))
		if err != nil {
			return err
		}
		l.From = own
		for _, a := range axes {
			l.Axes = append(l.Axes, a-before)
		}
	}
	along := func(k *constant) bool { // the last axes
		return k != nil && len(k.dims) > 0 && len(k.dims) <= len(in.dims) && slices.Equal(int64s(k.dims), in.dims[len(in.dims)-len(k.dims):]) &&
			(!last || len(k.dims) == 1) && (len(k.dims) < len(in.dims) || len(l.From) == len(in.dims))
	}
	var after []int
	if along(p[0]) {
		l.Scale = p[0].f
	} else if p[0] != nil {
		after = append(after, 0)
	}
	if along(p[1]) && after == nil {
		l.Shift = p[1].f
	} else if p[1] != nil {
		after = append(after, 1)
	}
	name := c.name(n)
	if after != nil {
		name = c.unique(name + ".normalized")
	}
	v, err := c.add(name, l, in)
	if err != nil {
		return err
	}
	v.dims, v.hwc = in.dims, in.hwc
	for i, which := range after {
		next := c.name(n)
		if i < len(after)-1 {
			next = c.unique(next + ".scaled")
		}
		if v, err = c.pair(next, [2]model.BinaryOp{model.BinaryMul, model.BinaryAdd}[which], v, &value{k: p[which]}); err != nil {
			return err
		}
	}
	if !slices.Equal(v.dims, in.dims) {
		return malformed("its scale makes %v of %v", v.dims, in.dims)
	}
	c.values[n.output()] = v
	return nil
}

// layerNorm normalises over all axes from one on. Where the file wants mean and
// deviation, too, they are computed by layers of their own.
func layerNorm(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	first, err := axis(n.int("axis", -1), len(in.dims))
	if err != nil {
		return err
	}
	var axes []int
	for a := first; a < len(in.dims); a++ {
		axes = append(axes, a)
	}
	eps := n.float("epsilon", 1e-5)
	op := model.NormStandard
	if n.op == "RMSNormalization" {
		op = model.NormRMS
	}
	wanted := func(i int) bool { return i < len(n.outputs) && n.outputs[i] != "" && c.uses[n.outputs[i]] > 0 }
	if wanted(1) || wanted(2) {
		if err := c.moments(n, axes, eps); err != nil {
			return err
		}
	}
	if n.outputs[0] == "" {
		return nil
	}
	return normalized(c, n, op, float64(eps), axes)
}

// moments computes mean and 1/deviation of a layer normalisation.
func (c *converter) moments(n *node, axes []int, eps float32) error {
	over := c.known("axes", &constant{dims: []int{len(axes)}, i: int64s(axes)})
	name := func(what string) string { return c.fresh(n.outputs[0] + "." + what) }
	mean := name("mean")
	if len(n.outputs) > 1 && n.outputs[1] != "" {
		mean = n.outputs[1]
	}
	centred, square, variance, sum, root := name("centred"), name("square"), name("variance"), name("sum"), name("root")
	for _, step := range []struct {
		op, out string
		ins     []string
	}{
		{"ReduceMean", mean, []string{n.inputs[0], over}},
		{"Sub", centred, []string{n.inputs[0], mean}},
		{"Mul", square, []string{centred, centred}},
		{"ReduceMean", variance, []string{square, over}},
		{"Add", sum, []string{variance, c.known("epsilon", &constant{f: []float32{eps}})}},
		{"Sqrt", root, []string{sum}},
	} {
		if err := c.run(step.op, step.ins, []string{step.out}); err != nil {
			return err
		}
	}
	if len(n.outputs) > 2 && n.outputs[2] != "" {
		return c.run("Reciprocal", []string{root}, n.outputs[2:3])
	}
	return nil
}

// meanVariance normalises over any axes; the images of a batch are one image here.
func meanVariance(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	given := n.ints("axes")
	if given == nil {
		given = []int64{0, 2, 3}
	}
	axes, err := axesOf(given, len(in.dims))
	if err != nil {
		return err
	}
	if len(axes) > 0 && axes[0] == 0 && in.dims[0] == 1 && c.images == 1 { // one image: nothing to average over
		axes = axes[1:]
	}
	return normalized(c, n, model.NormSpread, 1e-9, axes)
}

// lpNorm divides by the norm along an axis.
func lpNorm(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	a, err := axis(n.int("axis", -1), len(in.dims))
	if err != nil {
		return err
	}
	switch p := n.int("p", 2); p {
	case 1:
		return normalized(c, n, model.NormL1, 0, []int{a})
	case 2:
		return normalized(c, n, model.NormL2, 0, []int{a})
	default:
		return refuse("p is %d, want 1 or 2", p)
	}
}

// batchNormTraining normalises by the statistics of the image itself, as a
// network does that is left in training mode and sees one image.
func batchNormTraining(c *converter, n *node, in *value, p [4][]float32) error {
	for _, out := range n.outputs[1:] {
		if out != "" && c.uses[out] > 0 {
			return refuse("its running statistics %s are used: export the network for inference (model.eval() in PyTorch)", out)
		}
	}
	c.notes = append(c.notes, fmt.Sprintf("layer %s normalises in training mode: by the statistics of the image itself (model.eval() before the export uses those of training)", c.title(n)))
	return c.put(n, in.dims, &model.GroupNorm{Groups: in.shape.C, Scale: p[0], Shift: p[1], Eps: float64(n.float("epsilon", 1e-5))}, in)
}

func lrn(c *converter, n *node) error {
	in, _, err := c.maps(n, 0, 0, maxRank)
	if err != nil {
		return err
	}
	size := n.int("size", 0)
	if size < 1 || size > maxSize {
		return malformed("size is %d", size)
	}
	return c.put(n, in.dims, &model.LRN{Size: int(size), Alpha: float64(n.float("alpha", 1e-4)), Beta: float64(n.float("beta", 0.75)),
		Bias: float64(n.float("bias", 1))}, in)
}

func batchNorm(c *converter, n *node) error {
	switch {
	case n.int("spatial", 1) == 0:
		return refuse("it normalises every place by itself")
	}
	in, _, err := c.maps(n, 0, 0, maxRank)
	if err != nil {
		return err
	}
	var p [4][]float32
	for i := range p {
		if p[i], err = c.vector(n, i+1, in.shape.C); err != nil {
			return err
		}
		if p[i] == nil {
			return malformed("input %d is missing", i+1)
		}
	}
	if n.int("training_mode", 0) != 0 || c.opset < 7 && n.int("is_test", 0) == 0 {
		return batchNormTraining(c, n, in, p)
	}
	return c.put(n, in.dims, &model.BatchNorm{Scale: p[0], Shift: p[1], Mean: p[2], Var: p[3], Eps: float64(n.float("epsilon", 1e-5))}, in)
}

func instanceNorm(c *converter, n *node) error {
	in, _, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	var p [2][]float32
	for i := range p {
		if p[i], err = c.vector(n, i+1, in.shape.C); err != nil {
			return err
		}
		if p[i] == nil {
			return malformed("input %d is missing", i+1)
		}
	}
	return c.put(n, in.dims, &model.GroupNorm{Scale: p[0], Shift: p[1], Eps: float64(n.float("epsilon", 1e-5))}, in)
}
