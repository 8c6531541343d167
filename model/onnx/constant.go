package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Element types of onnx.proto.
const (
	typeFloat    = 1
	typeUint8    = 2
	typeInt8     = 3
	typeUint16   = 4
	typeInt16    = 5
	typeInt32    = 6
	typeInt64    = 7
	typeBool     = 9
	typeFloat16  = 10
	typeDouble   = 11
	typeUint32   = 12
	typeUint64   = 13
	typeBfloat16 = 16
)

// batch stands for the number of images wherever a shape is computed inside the
// graph and the file leaves that number open. It is no size that occurs.
const batch = math.MinInt64 + 1

// constant is an array known at import: floats of any width as float32, or
// integers and booleans as int64, in C order. No dims: a single number.
// Constants are never written to once made; weights share their memory.
type constant struct {
	dims []int
	f    []float32 // nil if integers
	i    []int64
}

func (k *constant) len() int { return max(len(k.f), len(k.i)) }

func (k *constant) String() string {
	if k.f != nil {
		return fmt.Sprintf("constant floats %v", k.dims)
	}
	return fmt.Sprintf("constant integers %v", k.dims)
}

// elements is the product of dims, refused beyond limit. Sizes beside a 0 are
// bounded as if it were a 1, so that loops over some of the axes end.
func elements(dims []int64, limit int) (int, error) {
	n, empty := 1, false
	for _, d := range dims {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v has a negative size", dims)
		case d == 0:
			empty = true
		case d > int64(limit/n):
			return 0, fmt.Errorf("shape %v asks for more than the file can hold", dims)
		default:
			n *= int(d)
		}
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// size is the number of bytes of an element in raw data; 0: not known.
func size(typ int64) int {
	switch typ {
	case typeUint8, typeInt8, typeBool:
		return 1
	case typeUint16, typeInt16, typeFloat16, typeBfloat16:
		return 2
	case typeFloat, typeInt32, typeUint32:
		return 4
	case typeDouble, typeInt64, typeUint64:
		return 8
	}
	return 0
}

// decode returns the tensor's values.
func (t *tensorProto) decode() (*constant, error) {
	if t.external {
		return nil, errors.New("values are kept in another file, which is not supported")
	}
	width := size(t.typ)
	if width == 0 {
		return nil, fmt.Errorf("element type %d is not supported", t.typ)
	}
	// Every encoding spends at least one byte on an element.
	n, err := elements(t.dims, len(t.msg))
	if err != nil {
		return nil, err
	}
	k := &constant{}
	for _, d := range t.dims {
		k.dims = append(k.dims, int(d))
	}
	floats := t.typ == typeFloat || t.typ == typeDouble || t.typ == typeFloat16 || t.typ == typeBfloat16
	if floats {
		k.f = make([]float32, 0, n)
	} else {
		k.i = make([]int64, 0, n)
	}
	got := 0
	add := func(bits uint64) {
		got++
		switch {
		case got > n:
		case floats:
			k.f = append(k.f, float32Of(t.typ, bits))
		default:
			k.i = append(k.i, intOf(t.typ, bits))
		}
	}
	err = fields(t.msg, func(f field) error {
		switch {
		case f.bytes(9) && len(f.b) > 0:
			if len(f.b) != n*width {
				return fmt.Errorf("%d bytes of raw data, want %d for shape %v", len(f.b), n*width, t.dims)
			}
			if got > 0 {
				return errors.New("values are given twice")
			}
			raw(f.b, width, t.typ, k, add)
			got = n
		case f.num == 4 && t.typ == typeFloat:
			return each32(f, func(v uint32) { add(uint64(v)) })
		case f.num == 10 && t.typ == typeDouble:
			return each64(f, add)
		case f.num == 7 && t.typ == typeInt64, f.num == 11 && (t.typ == typeUint64 || t.typ == typeUint32):
			return eachVarint(f, add)
		case f.num == 5 && t.typ != typeFloat && t.typ != typeDouble && t.typ != typeInt64 && t.typ != typeUint32 && t.typ != typeUint64:
			return eachVarint(f, add)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if got != n {
		return nil, fmt.Errorf("%d values, want %d for shape %v", got, n, t.dims)
	}
	return k, nil
}

// raw decodes little-endian elements.
func raw(b []byte, width int, typ int64, k *constant, add func(uint64)) {
	if typ == typeFloat { // the usual case, and the one that has to be fast
		k.f = k.f[:len(b)/4]
		for i := range k.f {
			k.f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		return
	}
	for ; len(b) > 0; b = b[width:] {
		switch width {
		case 1:
			add(uint64(b[0]))
		case 2:
			add(uint64(binary.LittleEndian.Uint16(b)))
		case 4:
			add(uint64(binary.LittleEndian.Uint32(b)))
		default:
			add(binary.LittleEndian.Uint64(b))
		}
	}
}

func float32Of(typ int64, bits uint64) float32 {
	switch typ {
	case typeDouble:
		return float32(math.Float64frombits(bits))
	case typeFloat16:
		return halfToFloat(uint16(bits))
	case typeBfloat16:
		return math.Float32frombits(uint32(bits) << 16)
	}
	return math.Float32frombits(uint32(bits))
}

func intOf(typ int64, bits uint64) int64 {
	switch typ {
	case typeUint8, typeBool:
		return int64(uint8(bits))
	case typeInt8:
		return int64(int8(bits))
	case typeUint16:
		return int64(uint16(bits))
	case typeInt16:
		return int64(int16(bits))
	case typeInt32:
		return int64(int32(bits))
	case typeUint32:
		return int64(uint32(bits))
	}
	return int64(bits)
}

// halfToFloat converts IEEE 754 binary16: sign, 5 bits of exponent with bias
// 15, 10 bits of fraction.
func halfToFloat(h uint16) float32 {
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
