package model

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/deconvnet/viz/model/tensor"
)

// slot is a named place in a layer: an attribute or, if it is a *[]float32 or a
// **tensor.Tensor, an array of weights. What a checkpoint holds, the hash, copies,
// the count of weights and the names in PyTorch's files all follow from a kind's
// slots.
type slot struct {
	name      string
	at        any
	counted   bool   // an array that training may change, as opposed to statistics and constants
	optional  bool   // an array that the layer may be without
	standing  []int  // what a file holds for a list that is nil
	left      bool   // an attribute that a file leaves out, as what it is goes without saying
	torchName string // what PyTorch calls the array, if not the same
}

// attribute is a slot for a setting: a number, a list of whole numbers, a text or a switch.
func attribute(name string, at any) slot { return slot{name: name, at: at} }

// unusual is a slot for a setting that is zero in the usual case, and then left out.
func unusual(name string, at any) slot {
	return attribute(name, at).leftOut(reflect.ValueOf(at).Elem().IsZero())
}

// repeated is a slot for a list that, if it is nil, is n times v.
func repeated(name string, at *[]int, v, n int) slot {
	return slot{name: name, at: at, standing: slices.Repeat([]int{v}, n)}
}

// leftOut says whether files leave the attribute out.
func (s slot) leftOut(left bool) slot {
	s.left = left
	return s
}

// trained is a slot for an array of weights, a *[]float32 or a **tensor.Tensor.
func trained(name string, at any) slot { return slot{name: name, at: at, counted: true} }

// fixed is a slot for an array that does not count as weights: statistics, states, tables.
func fixed(name string, at any) slot { return slot{name: name, at: at} }

// optional is a slot for an array that may be nil.
func optional(s slot) slot {
	s.optional = true
	return s
}

// torch says what PyTorch calls the array.
func (s slot) torch(name string) slot {
	s.torchName = name
	return s
}

// layerSlots says all that there is to save of a layer.
func layerSlots(l Layer) ([]slot, error) {
	k, ok := l.(kind)
	if !ok {
		return nil, unknownKind(l)
	}
	return k.slots(), nil
}

// weightCount is the number of trained numbers in a layer.
func weightCount(l kind) int {
	n := 0
	for _, s := range l.slots() {
		if w := s.weights(); w != nil && s.counted {
			n += w.values.Len()
		}
	}
	return n
}

// Clone copies the network with all its arrays, so that either may be trained
// and the other stays what it is.
func (net *Network) Clone() *Network {
	out := *net
	out.Nodes = slices.Clone(net.Nodes)
	for i := range out.Nodes {
		out.Nodes[i].Layer = cloneLayer(out.Nodes[i].Layer)
	}
	return &out
}

func cloneLayer(l Layer) Layer {
	k, ok := l.(kind)
	if !ok {
		return l
	}
	out := newLayer(l.Kind())
	theirs := out.slots()
	for i, s := range k.slots() {
		if s.isAttribute() {
			copySlot(theirs[i].at, s.at)
		} else if w := s.weights(); w != nil {
			t := w.values.Clone()
			t.Shape = slices.Clone(w.shape)
			theirs[i].set(t)
		}
	}
	return out
}

// weights returns the slot's array, nil if it is an attribute or there is none.
func (s slot) weights() *entry {
	switch at := s.at.(type) {
	case **tensor.Tensor:
		if *at != nil {
			return &entry{shape: (*at).Shape, values: *at}
		}
	case *[]float32:
		if *at != nil {
			return &entry{shape: []int{len(*at)}, values: &tensor.Tensor{Shape: []int{len(*at)}, Data: *at}}
		}
	}
	return nil
}

// unset reports an attribute that is not saved: a list that is not there, which is
// not the same as an empty one, or what is left out.
func (s slot) unset() bool {
	if list, ok := s.at.(*[]int); ok {
		return *list == nil && s.standing == nil
	}
	return s.left
}

func (s slot) isAttribute() bool {
	switch s.at.(type) {
	case **tensor.Tensor, *[]float32:
		return false
	}
	return true
}

// fits says whether an array of the given shape can be set.
func (s slot) fits(shape []int) error {
	if n, ok := product(shape, maxElements); !ok || n == 0 {
		return fmt.Errorf("shape is %v, want sizes from 1 to %d values in all", shape, maxElements)
	}
	if _, ok := s.at.(*[]float32); ok && len(shape) != 1 {
		return fmt.Errorf("shape is %v, want one dimension", shape)
	}
	return nil
}

func (s slot) set(t *tensor.Tensor) {
	switch at := s.at.(type) {
	case **tensor.Tensor:
		*at = t
	case *[]float32:
		*at = t.Data
	}
}

// append appends the attribute's value as JSON.
func (s slot) append(b []byte) ([]byte, error) {
	ints := func(v []int) ([]byte, error) {
		for _, i := range v {
			if i < -maxAttribute || i > maxAttribute {
				return nil, fmt.Errorf("%s is %v, want at most %d", s.name, v, maxAttribute)
			}
		}
		return appendInts(b, v), nil
	}
	float := func(v float64, bits int) ([]byte, error) {
		if math.IsNaN(v) {
			return nil, fmt.Errorf("%s is not a number", s.name)
		}
		return appendFloat(b, v, bits), nil
	}
	switch at := s.at.(type) {
	case *int:
		if *at < -maxAttribute || *at > maxAttribute {
			return nil, fmt.Errorf("%s is %d, want at most %d", s.name, *at, maxAttribute)
		}
		return strconv.AppendInt(b, int64(*at), 10), nil
	case *[2]int:
		return ints(at[:])
	case *[4]int:
		return ints(at[:])
	case *[]int:
		if *at == nil {
			return ints(s.standing)
		}
		return ints(*at)
	case *string:
		if !utf8.ValidString(*at) {
			return nil, fmt.Errorf("%s is not UTF-8", s.name)
		}
		return appendString(b, *at), nil
	case *bool:
		return strconv.AppendBool(b, *at), nil
	case *float32:
		return float(float64(*at), 32)
	case *float64:
		return float(*at, 64)
	}
	return nil, fmt.Errorf("%s has no text form", s.name)
}

// read reads what append wrote.
func (s slot) read(p *scanner) {
	switch at := s.at.(type) {
	case *int:
		*at = int(p.int(-maxAttribute, maxAttribute))
	case *[2]int:
		p.ints(at[:], maxAttribute)
	case *[4]int:
		p.ints(at[:], maxAttribute)
	case *[]int:
		*at = []int{}
		p.array(func() { *at = append(*at, int(p.int(-maxAttribute, maxAttribute))) })
	case *string:
		*at = p.str()
	case *bool:
		*at = p.bool()
	case *float32:
		*at = float32(p.float(32))
	case *float64:
		*at = p.float(64)
	}
}

// copySlot copies an attribute.
func copySlot(dst, src any) {
	switch d := dst.(type) {
	case *int:
		*d = *src.(*int)
	case *[2]int:
		*d = *src.(*[2]int)
	case *[4]int:
		*d = *src.(*[4]int)
	case *[]int:
		*d = slices.Clone(*src.(*[]int))
	case *string:
		*d = *src.(*string)
	case *bool:
		*d = *src.(*bool)
	case *float32:
		*d = *src.(*float32)
	case *float64:
		*d = *src.(*float64)
	}
}
