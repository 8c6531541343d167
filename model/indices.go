package model

import (
	"fmt"
	"slices"
)

// IndexOp says how an array of indices names places of an array of data.
type IndexOp string

const (
	// IndexAxis: each index takes a whole slice along an axis, as ONNX's Gather does.
	IndexAxis IndexOp = "axis"
	// IndexElements: each index takes the place of the coordinate along an axis of
	// its own place, as in GatherElements.
	IndexElements IndexOp = "elements"
	// IndexND: the last axis of the indices holds coordinates, as in GatherND; the
	// axis is the number of leading axes that are common to both arrays.
	IndexND IndexOp = "nd"
)

// ParseIndexOp reads the name of an IndexOp.
func ParseIndexOp(s string) (IndexOp, error) {
	all := []IndexOp{IndexAxis, IndexElements, IndexND}
	if !slices.Contains(all, IndexOp(s)) {
		return "", fmt.Errorf("unknown way to look up %q, want one of %v", s, all)
	}
	return IndexOp(s), nil
}

// Indexed returns the dims of what indices of dims index name in data of dims data.
func Indexed(op IndexOp, data, index []int, axis int) ([]int, error) {
	bad := fmt.Errorf("indices %v along axis %d of %v", index, axis, data)
	switch op {
	case IndexAxis:
		if axis < 0 || axis >= len(data) {
			return nil, bad
		}
		return slices.Concat(data[:axis], index, data[axis+1:]), nil
	case IndexElements:
		if axis < 0 || axis >= len(data) || len(index) != len(data) {
			return nil, bad
		}
		for i := range data {
			if i != axis && index[i] > data[i] {
				return nil, bad
			}
		}
		return index, nil
	case IndexND:
		if len(index) == 0 || axis < 0 || axis >= len(index) || axis >= len(data) || !slices.Equal(data[:axis], index[:axis]) {
			return nil, bad
		}
		k := index[len(index)-1]
		if k < 1 || axis+k > len(data) {
			return nil, bad
		}
		return slices.Concat(index[:len(index)-1], data[axis+k:]), nil
	}
	_, err := ParseIndexOp(string(op))
	return nil, err
}

// VisitIndexed calls do for every number i that the indices name, with its place
// j in the data. An index may count from the end; one that is outside is an error.
func VisitIndexed(op IndexOp, data, index []int, axis int, places []float32, do func(i, j int)) error {
	within := func(v float32, size int) (int, error) {
		k := int(v)
		if k < 0 {
			k += size
		}
		if !(float32(int(v)) == v) || k < 0 || k >= size {
			return 0, fmt.Errorf("index %g along an axis of %d", v, size)
		}
		return k, nil
	}
	steps := make([]int, len(data))
	step := 1
	for i := len(data) - 1; i >= 0; i-- {
		steps[i] = step
		step *= data[i]
	}
	switch op {
	case IndexAxis:
		outer, size, inner := split(data, axis)
		for o := range outer {
			for p, v := range places {
				k, err := within(v, size)
				if err != nil {
					return err
				}
				for x := range inner {
					do((o*len(places)+p)*inner+x, (o*size+k)*inner+x)
				}
			}
		}
	case IndexElements:
		at := make([]int, len(index))
		for i, v := range places {
			k, err := within(v, data[axis])
			if err != nil {
				return err
			}
			j := k * steps[axis]
			for a, x := range at {
				if a != axis {
					j += x * steps[a]
				}
			}
			do(i, j)
			for a := len(at) - 1; a >= 0; a-- {
				if at[a]++; at[a] < index[a] {
					break
				}
				at[a] = 0
			}
		}
	case IndexND:
		n := index[len(index)-1]
		size, batches := 1, 1 // of what one tuple names, and of what is common to both
		for _, d := range data[axis+n:] {
			size *= d
		}
		for _, d := range data[:axis] {
			batches *= d
		}
		tuples := len(places) / n
		for t := range tuples {
			j := t / (tuples / batches) * (step / batches)
			for c := range n {
				k, err := within(places[t*n+c], data[axis+c])
				if err != nil {
					return err
				}
				j += k * steps[axis+c]
			}
			for x := range size {
				do(t*size+x, j+x)
			}
		}
	}
	return nil
}
