package onnx

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/model"
)

func foldGather(c *converter, n *node, k *constant) (*constant, error) {
	at, err := c.need(n, 1)
	if err != nil {
		return nil, err
	}
	ax, err := axis(n.int("axis", 0), len(k.dims))
	if err != nil {
		return nil, err
	}
	if at.i == nil || len(at.dims)+len(k.dims) > maxRank {
		return nil, malformed("indices are %v", at)
	}
	index := make([]int, len(at.i))
	for j, v := range at.i {
		if v < 0 {
			v += int64(k.dims[ax])
		}
		if v < 0 || v >= int64(k.dims[ax]) {
			return nil, malformed("index %d of %d", at.i[j], k.dims[ax])
		}
		index[j] = int(v)
	}
	return c.chosen(k, k.dims, ax, index, slices.Concat(k.dims[:ax], at.dims, k.dims[ax+1:]))
}

func foldConcat(c *converter, n *node) (*constant, error) {
	first, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	ax, err := axis(n.int("axis", 1), len(first.dims))
	if err != nil {
		return nil, err
	}
	dims := slices.Clone(first.dims)
	dims[ax] = 0
	var parts []*constant
	total := 0
	for i := range n.inputs {
		k, err := c.need(n, i)
		if err != nil {
			return nil, err
		}
		if len(k.dims) != len(dims) || (k.f == nil) != (first.f == nil) ||
			!slices.Equal(k.dims[:ax], dims[:ax]) || !slices.Equal(k.dims[ax+1:], dims[ax+1:]) {
			return nil, malformed("cannot join %v to %v", k, first)
		}
		if total += k.len(); total > c.budget {
			return nil, c.spend(total)
		}
		dims[ax] += k.dims[ax]
		if k.len() > 0 {
			parts = append(parts, k)
		}
	}
	out, err := c.like(first, dims, total)
	if err != nil || total == 0 {
		return out, err
	}
	at := 0
	for o := range product(dims[:ax]) {
		for _, k := range parts {
			row := product(k.dims[ax:])
			for i := range row {
				out.set(at, k, o*row+i)
				at++
			}
		}
	}
	return out, nil
}

func foldSlice(c *converter, n *node, k *constant) (*constant, error) {
	cuts, err := c.cuts(n, k.dims)
	if err != nil {
		return nil, err
	}
	dims, strides, at := []int{}, steps(k.dims), 0
	for i, cut := range cuts {
		dims = append(dims, cut.count)
		at += cut.from * strides[i]
		strides[i] *= cut.step
	}
	return c.reread(k, dims, (&model.Rearrange{Offset: at, To: dims, Strides: strides}).Visit)
}

func foldReshape(c *converter, n *node, k *constant) (*constant, error) {
	target, err := c.integers(n, 1, "shape")
	if err != nil {
		return nil, err
	}
	dims, err := reshaped(target, k.dims, k.len(), n.int("allowzero", 0) != 0)
	if err != nil {
		return nil, err
	}
	return k.with(dims), nil
}

// reshaped resolves the target of a Reshape: 0 keeps a size, -1 is what is left.
func reshaped(target []int64, dims []int, count int, allowZero bool) ([]int, error) {
	var out []int
	open, known := -1, int64(1)
	for i, d := range target {
		if d == 0 && !allowZero && i < len(dims) {
			d = int64(dims[i])
		}
		switch {
		case d == -1 && open < 0:
			open = i
			d = 1
		case d < 0 || d > int64(max(count, 1)):
			return nil, malformed("shape %v of %d values", target, count)
		}
		if known *= d; known > int64(max(count, 1)) {
			return nil, malformed("shape %v of %d values", target, count)
		}
		out = append(out, int(d))
	}
	if open >= 0 && known > 0 {
		out[open] = count / int(known)
		known *= int64(out[open])
	}
	if known != int64(count) || len(out) > maxRank {
		return nil, malformed("shape %v of %d values", target, count)
	}
	return out, nil
}

func foldFlatten(c *converter, n *node, k *constant) (*constant, error) {
	a := n.int("axis", 1)
	if a < 0 {
		a += int64(len(k.dims))
	}
	if a < 0 || a > int64(len(k.dims)) {
		return nil, malformed("axis %d of %d", a, len(k.dims))
	}
	return k.with([]int{product(k.dims[:a]), product(k.dims[a:])}), nil
}

func foldSqueeze(c *converter, n *node, k *constant) (*constant, error) {
	axes, err := c.integers(n, 1, "axes")
	if err != nil {
		return nil, err
	}
	var dims []int64
	for _, d := range k.dims {
		dims = append(dims, int64(d))
	}
	if dims, err = squeezed(n.op, dims, axes); err != nil {
		return nil, err
	}
	out := make([]int, len(dims))
	for i, d := range dims {
		out[i] = int(d)
	}
	return k.with(out), nil
}

// squeezed is what Squeeze and Unsqueeze make of dims. Axes left out: all of size 1.
func squeezed(op string, dims, axes []int64) ([]int64, error) {
	rank := len(dims)
	if op == "Unsqueeze" {
		rank += len(axes)
	}
	if rank > maxRank {
		return nil, malformed("more than %d axes", maxRank)
	}
	chosen := make([]bool, rank)
	for _, v := range axes {
		a, err := axis(v, rank)
		if err != nil {
			return nil, err
		}
		if chosen[a] || op == "Squeeze" && dims[a] != 1 {
			return nil, malformed("axes %v of %v", axes, dims)
		}
		chosen[a] = true
	}
	out := []int64{}
	if op == "Unsqueeze" {
		for _, one := range chosen {
			if one {
				out = append(out, 1)
			} else {
				out, dims = append(out, dims[0]), dims[1:]
			}
		}
		return out, nil
	}
	for i, d := range dims {
		if !chosen[i] && (axes != nil || d != 1) {
			out = append(out, d)
		}
	}
	return out, nil
}

// permutation reads Transpose's perm; left out, it reverses.
func permutation(n *node, rank int) ([]int, error) {
	p := n.ints("perm")
	var out []int
	for i := range rank {
		out = append(out, rank-1-i)
	}
	if p == nil {
		return out, nil
	}
	seen := make([]bool, rank)
	if len(p) != rank {
		return nil, malformed("perm %v of %d axes", p, rank)
	}
	for i, v := range p {
		if v < 0 || v >= int64(rank) || seen[v] {
			return nil, malformed("perm %v of %d axes", p, rank)
		}
		seen[v] = true
		out[i] = int(v)
	}
	return out, nil
}

func foldTranspose(c *converter, n *node, k *constant) (*constant, error) {
	perm, err := permutation(n, len(k.dims))
	if err != nil {
		return nil, err
	}
	dims, strides := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		dims[i], strides[i] = k.dims[p], product(k.dims[p+1:])
	}
	return c.reread(k, dims, (&model.Rearrange{To: dims, Strides: strides}).Visit)
}

func foldRange(c *converter, n *node) (*constant, error) {
	k, err := c.needs(n, 3)
	if err != nil {
		return nil, err
	}
	for i := range k {
		if k[i].len() != 1 || (k[i].f == nil) != (k[0].f == nil) {
			return nil, malformed("input %d is %v, want one number", i, k[i])
		}
	}
	start, limit, delta := k[0].at(0), k[1].at(0), k[2].at(0)
	steps := math.Ceil((limit - start) / delta)
	if delta == 0 || math.IsNaN(steps) || steps > float64(c.budget) {
		return nil, malformed("from %g to %g in steps of %g", start, limit, delta)
	}
	count := int(max(steps, 0))
	out, err := c.like(k[0], []int{count}, count)
	if err != nil {
		return nil, err
	}
	for i := range count {
		if out.f != nil {
			out.f[i] = float32(start + float64(float64(i)*delta))
		} else {
			out.i[i] = k[0].i[0] + int64(i)*k[2].i[0]
		}
	}
	return out, nil
}

func foldExpand(c *converter, n *node, k *constant) (*constant, error) {
	shape, err := c.integers(n, 1, "shape")
	if err != nil {
		return nil, err
	}
	if _, err := elements(shape, c.budget); err != nil {
		return nil, err
	}
	dims, _, err := c.together(k, &constant{dims: ints(shape)})
	if err != nil {
		return nil, err
	}
	return c.repeated(k, dims)
}

// repeated repeats k along the axes that dims have beside its own.
func (c *converter) repeated(k *constant, dims []int) (*constant, error) {
	strides, step := make([]int, len(dims)), 1
	for i := len(k.dims) - 1; i >= 0; i-- {
		if k.dims[i] > 1 {
			strides[i+len(dims)-len(k.dims)] = step
		}
		step *= k.dims[i]
	}
	return c.reread(k, dims, (&model.Rearrange{To: dims, Strides: strides}).Visit)
}

func foldTile(c *converter, n *node, k *constant) (*constant, error) {
	repeats, err := c.integers(n, 1, "repeats")
	if err != nil {
		return nil, err
	}
	if len(repeats) != len(k.dims) {
		return nil, refuse("repeats are %v for %v", repeats, k)
	}
	var dims, to, strides []int // each axis as repetitions and what is repeated
	for i, step := range steps(k.dims) {
		r := repeats[i]
		if r < 0 || r > maxSize {
			return nil, malformed("repeats are %v", repeats)
		}
		dims, to, strides = append(dims, int(r)*k.dims[i]), append(to, int(r), k.dims[i]), append(strides, 0, step)
	}
	return c.reread(k, dims, (&model.Rearrange{To: to, Strides: strides}).Visit)
}

func foldWhere(c *converter, n *node) (*constant, error) {
	k, err := c.needs(n, 3)
	if err != nil {
		return nil, err
	}
	if k[0].i == nil || (k[1].f == nil) != (k[2].f == nil) {
		return nil, malformed("it takes %v, %v and %v", k[0], k[1], k[2])
	}
	dims, count, err := c.together(k...)
	if err != nil {
		return nil, err
	}
	for i := range k {
		if k[i], err = c.repeated(k[i], dims); err != nil {
			return nil, err
		}
	}
	out, err := c.like(k[1], dims, count)
	if err != nil {
		return nil, err
	}
	for i := range count {
		from := k[2]
		if k[0].i[i] != 0 {
			from = k[1]
		}
		out.set(i, from, i)
	}
	return out, nil
}

func foldSize(c *converter, n *node) (*constant, error) {
	k, err := foldShape(c, &node{inputs: n.inputs, outputs: n.outputs})
	if err != nil {
		return nil, err
	}
	size := int64(1)
	for _, d := range k.i {
		size *= d
	}
	return &constant{i: []int64{size}}, nil
}

// foldNonZero lists the places of what is not 0, an axis a row.
func foldNonZero(c *converter, n *node, k *constant) (*constant, error) {
	var at []int
	for i := range k.len() {
		if k.at(i) != 0 {
			at = append(at, i)
		}
	}
	rank := max(len(k.dims), 1)
	if err := c.spend(rank * len(at)); err != nil {
		return nil, err
	}
	out := &constant{dims: []int{rank, len(at)}, i: make([]int64, 0, rank*len(at))}
	for _, step := range steps(k.dims) {
		for _, i := range at {
			out.i = append(out.i, int64(i/step))
		}
	}
	// Each row counts from 0 again along its axis.
	for a, size := range k.dims {
		for i := range at {
			out.i[a*len(at)+i] %= int64(size)
		}
	}
	if len(k.dims) == 0 {
		out.i = make([]int64, len(at))
	}
	return out, nil
}

// foldCompress keeps what a list of truth values says.
func foldCompress(c *converter, n *node, k *constant) (*constant, error) {
	keep, err := c.need(n, 1)
	if err != nil {
		return nil, err
	}
	dims, a := []int{k.len()}, 0
	if n.has("axis") {
		if a, err = axis(n.int("axis", 0), len(k.dims)); err != nil {
			return nil, err
		}
		dims = slices.Clone(k.dims)
	}
	if len(keep.dims) != 1 || keep.len() > dims[a] {
		return nil, malformed("%v chooses from %d", keep, dims[a])
	}
	var at []int
	for i := range keep.len() {
		if keep.at(i) != 0 {
			at = append(at, i)
		}
	}
	from := slices.Clone(dims)
	dims[a] = len(at)
	return c.chosen(k, from, a, at, dims)
}
