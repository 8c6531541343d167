package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// InputInfo is an input of a graph as the file declares it.
type InputInfo struct {
	Name  string
	Type  string
	Shape []int64 // -1: open
}

func (i InputInfo) String() string { return fmt.Sprintf("%s (%s %v)", i.Name, i.Type, i.Shape) }

// OpenInputs is the error about a graph with more inputs than the picture, to which
// Options.Bind gives no values.
type OpenInputs struct {
	Picture string // the one that looks like a picture; "": none does, or several do
	Others  []InputInfo
}

func (e *OpenInputs) Error() string {
	var names []string
	for _, i := range e.Others {
		names = append(names, i.String())
	}
	if e.Picture == "" {
		return fmt.Sprintf("the graph has inputs %s: give all but the picture a value", strings.Join(some(names), ", "))
	}
	return fmt.Sprintf("besides the picture %s, the graph has inputs without a value: %s", e.Picture, strings.Join(some(names), ", "))
}

// openInputs is the error about several inputs.
func openInputs(found []valueInfo) error {
	e := &OpenInputs{}
	for _, fits := range []func(valueInfo) bool{isPicture, func(v valueInfo) bool { return v.ranked && len(v.dims) == 4 }} {
		if n := count(found, fits); n == 1 {
			e.Picture = found[slices.IndexFunc(found, fits)].name
			break
		}
	}
	for _, v := range found {
		if v.name != e.Picture {
			e.Others = append(e.Others, InputInfo{v.name, v.typ.String(), v.dims})
		}
	}
	return e
}

func count(found []valueInfo, fits func(valueInfo) bool) int {
	n := 0
	for _, v := range found {
		if fits(v) {
			n++
		}
	}
	return n
}

// isPicture reports whether an input has four axes and 1, 3 or 4 channels.
func isPicture(v valueInfo) bool {
	channels := []int64{-1, 1, 3, 4}
	return v.ranked && len(v.dims) == 4 && (slices.Contains(channels, v.dims[1]) || slices.Contains(channels, v.dims[3]))
}

// bind gives inputs the values of Options.Bind, in the type and shape that the file
// declares: one number fills all, numbers without a shape take the file's.
func (c *converter) bind() error {
	declared := map[string]valueInfo{}
	var names []string
	for _, v := range c.graph.inputs {
		declared[v.name] = v
		names = append(names, v.name)
	}
	for name, v := range c.opt.Bind {
		d, ok := declared[name]
		if !ok && !c.stored(name) {
			return fmt.Errorf("a value is given for input %s, but the inputs are %s", name, strings.Join(some(names), ", "))
		}
		k := &constant{dims: v.Dims, f: v.F, i: v.I}
		if ok && d.typ != 0 && v.AsDeclared {
			var err error
			if k, err = declare(k, d); err != nil {
				return fmt.Errorf("input %s: %w", name, err)
			}
		}
		delete(c.tensors, name)
		delete(c.sparse, name)
		c.values[name] = &value{k: k}
		c.budget += k.len()
	}
	return nil
}

// maxBound is the most numbers that one number fills.
const maxBound = 1 << 24

// declare gives k type and shape of an input.
func declare(k *constant, d valueInfo) (*constant, error) {
	dims := k.dims
	if d.ranked && (k.dims == nil || len(k.dims) != len(d.dims)) {
		dims = nil
		open, n := -1, 1
		for i, s := range d.dims {
			if s == -1 && (i == 0 || open >= 0) {
				s = 1
			} else if s == -1 {
				open, s = i, 1
			}
			if s < 0 || s > maxBound || n > maxBound/max(int(s), 1) {
				return nil, fmt.Errorf("its shape is %v, which is too large to be given", d.dims)
			}
			dims, n = append(dims, int(s)), n*int(s)
		}
		if open >= 0 && k.len()%n == 0 && k.len() > 1 {
			dims[open], n = k.len()/n, k.len()
		}
		switch {
		case k.len() == n:
		case k.len() == 1:
			k = &constant{f: slices.Repeat(k.f, n), i: slices.Repeat(k.i, n)}
		default:
			return nil, fmt.Errorf("%d numbers, want %d for shape %v", k.len(), n, d.dims)
		}
	}
	if d.ranked {
		for i, s := range d.dims {
			if s != -1 && int(s) != dims[i] {
				return nil, fmt.Errorf("an array of %v, want %v", dims, d.dims)
			}
		}
	}
	out := &constant{dims: dims, f: k.f, i: k.i}
	switch d.typ {
	case typeFloat, typeDouble, typeFloat16, typeBfloat16:
		if out.f == nil {
			for _, v := range out.i {
				out.f = append(out.f, float32(v))
			}
			out.i = nil
		}
	default:
		if out.i == nil {
			for _, v := range out.f {
				if float32(int64(v)) != v {
					return nil, fmt.Errorf("%g is no whole number, which type %v wants", v, d.typ)
				}
				out.i = append(out.i, int64(v))
			}
			out.f = nil
		}
	}
	return out, nil
}
