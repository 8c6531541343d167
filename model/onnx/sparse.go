package onnx

import "fmt"

// dense returns a sparse tensor with its zeros. Each number that is written down
// pays for denseness others.
func (t *sparseProto) dense(c *converter) (*constant, error) {
	const denseness = 32
	values, err := t.values.decode(c.src)
	if err != nil {
		return nil, err
	}
	at, err := t.indices.decode(c.src)
	if err != nil {
		return nil, fmt.Errorf("indices: %w", err)
	}
	n, rank := values.len(), len(t.dims)
	count, err := elements(t.dims, max(denseness*n, c.budget))
	if err != nil {
		return nil, err
	}
	pairs := len(at.dims) == 2 && at.dims[0] == n && at.dims[1] == rank
	if len(values.dims) != 1 || at.i == nil || !pairs && !(len(at.dims) == 1 && at.dims[0] == n) {
		return nil, malformed("%d values with indices of %v for shape %v", n, at.dims, t.dims)
	}
	if err := c.spend(max(count-denseness*n, 0)); err != nil {
		return nil, err
	}
	out := &constant{dims: ints(t.dims)}
	if values.f != nil {
		out.f = make([]float32, count)
	} else {
		out.i = make([]int64, count)
	}
	strides := steps(out.dims)
	for i := range n {
		place := 0
		if pairs {
			for a, v := range at.i[i*rank : (i+1)*rank] {
				if v < 0 || v >= t.dims[a] {
					return nil, malformed("index %v of shape %v", at.i[i*rank:(i+1)*rank], t.dims)
				}
				place += int(v) * strides[a]
			}
		} else {
			if at.i[i] < 0 || at.i[i] >= int64(count) {
				return nil, malformed("index %d of %d", at.i[i], count)
			}
			place = int(at.i[i])
		}
		out.set(place, values, i)
	}
	return out, nil
}
