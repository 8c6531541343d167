package model

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model/tensor"
)

// LoadWeights makes a network of a known architecture (see KnownArches) with the
// weights of a safetensors file or one of PyTorch's (a state_dict). Size is the input's rows and columns, 0 for
// what the architecture was published with. Names are those of PyTorch and its
// kin: LAYER.weight and LAYER.bias, of a batch normalisation also
// LAYER.running_mean and running_var. Numbers may be F32, F16, BF16 or F64;
// arrays of integers, such as num_batches_tracked, are ignored. The network
// takes pixels as they are and has no class names: the file knows neither.
func LoadWeights(path, arch string, size [2]int) (*Network, error) {
	f, length, err := imageio.OpenPlain(path)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	defer f.Close()
	fail := func(err error) (*Network, error) {
		var unknown *UnknownName
		if errors.As(err, &unknown) {
			return nil, fmt.Errorf("%w", unknown)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !slices.Contains(KnownArches(), arch) {
		return fail(&UnknownName{What: "architecture", Name: arch, Nearest: nearest(arch, KnownArches())})
	}
	arrays, err := readArrays(f, length)
	if err != nil {
		return fail(err)
	}
	var net *Network
	if slices.Contains(zooArches(), arch) {
		net, _, err = buildZoo(arch, arrays, size)
	} else if net, err = known(arch, arrays, size); err == nil {
		net, err = fitWeights(net, arrays)
	}
	if err != nil {
		return fail(err)
	}
	net.Classes, net.Preprocess = nil, Preprocess{Scale: 1}
	return net, nil
}

// array is a named tensor of a file.
type array struct {
	name string
	t    *tensor.Tensor
}

// floatTypes are the bytes of a number by dtype.
var floatTypes = map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

// readSafetensors reads all arrays of floating point, in the order of their data.
func readSafetensors(r io.ReaderAt, size int64) ([]array, error) {
	c, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.tensors, func(a, b stored) int { return cmp.Compare(a.begin, b.begin) })
	out := []array{}
	var at int64
	for _, t := range c.tensors {
		if t.end > t.begin { // else a small file could claim its data again and again
			if t.begin < at {
				return nil, fmt.Errorf("tensor %s: data is at %d to %d, in data of another tensor, which ends at %d", t.name, t.begin, t.end, at)
			}
			at = t.end
		}
		width := floatTypes[t.dtype]
		if width == 0 {
			continue
		}
		n, ok := product(t.shape, math.MaxInt64/8)
		if !ok || t.begin < 0 || t.end-t.begin != n*int64(width) || t.end > size-c.data {
			return nil, fmt.Errorf("tensor %s: shape %v of %s does not go with data from %d to %d of %d bytes", t.name, t.shape, t.dtype, t.begin, t.end, size-c.data)
		}
		x := tensor.New(t.shape...)
		if width == 4 {
			err = readFloats(r, x.Data, c.data+t.begin, func([]byte) {})
		} else {
			b := make([]byte, t.end-t.begin)
			if err = readAt(r, b, c.data+t.begin); err == nil {
				for i := range x.Data {
					x.Data[i] = number(t.dtype, b[i*width:])
				}
			}
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", t.name, err)
		}
		out = append(out, array{t.name, x})
	}
	return out, nil
}

func number(dtype string, b []byte) float32 {
	switch dtype {
	case "F64":
		return float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case "F32":
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	case "BF16":
		return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)
	}
	return HalfToFloat(binary.LittleEndian.Uint16(b))
}

// HalfToFloat converts IEEE 754 binary16: sign, 5 bits of exponent with bias
// 15, 10 bits of fraction.
func HalfToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&0x3ff
	switch exp {
	case 0: // zero and subnormals: frac * 2^-24
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// fitWeights returns a copy of net with the arrays in their places.
func fitWeights(net *Network, arrays []array) (*Network, error) {
	out := *net
	out.Nodes = slices.Clone(net.Nodes)
	left := map[string]*tensor.Tensor{}
	for _, a := range arrays {
		left[a.name] = a.t
	}
	for i := range out.Nodes {
		n := &out.Nodes[i]
		mine, err := layerSlots(n.Layer)
		if err != nil {
			return nil, err
		}
		fresh := newLayer(n.Layer.Kind())
		theirs := fresh.slots()
		for j, s := range mine {
			if s.isAttribute() {
				copySlot(theirs[j].at, s.at)
				continue
			}
			want := s.weights()
			if want == nil {
				continue
			}
			name := n.Name + "." + s.name
			t := left[name]
			if t == nil && s.torchName != "" {
				name = n.Name + "." + s.torchName
				t = left[name]
			}
			switch {
			case t == nil && s.name == "bias":
				continue
			case t == nil:
				return nil, fmt.Errorf("there is no %s", name)
			case !slices.Equal(t.Shape, want.shape):
				return nil, fmt.Errorf("%s is %v, want %v", name, t.Shape, want.shape)
			}
			theirs[j].set(t)
			delete(left, name)
		}
		n.Layer = fresh
	}
	for _, a := range arrays {
		if left[a.name] != nil {
			return nil, fmt.Errorf("%s belongs to no layer of %s", a.name, net.Name)
		}
	}
	return &out, check(&out)
}
