package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/deconvnet/viz/model"
)

// elemType is an element type of onnx.proto.
type elemType uint8

const (
	typeFloat          elemType = 1
	typeUint8          elemType = 2
	typeInt8           elemType = 3
	typeUint16         elemType = 4
	typeInt16          elemType = 5
	typeInt32          elemType = 6
	typeInt64          elemType = 7
	typeString         elemType = 8
	typeBool           elemType = 9
	typeFloat16        elemType = 10
	typeDouble         elemType = 11
	typeUint32         elemType = 12
	typeUint64         elemType = 13
	typeComplex64      elemType = 14
	typeComplex128     elemType = 15
	typeBfloat16       elemType = 16
	typeFloat8E4M3FN   elemType = 17
	typeFloat8E4M3FNUZ elemType = 18
	typeFloat8E5M2     elemType = 19
	typeFloat8E5M2FNUZ elemType = 20
	typeUint4          elemType = 21
	typeInt4           elemType = 22
	typeFloat4E2M1     elemType = 23
	typeFloat8E8M0     elemType = 24
	typeUint2          elemType = 25
	typeInt2           elemType = 26
)

// elemTypeOf is the type of a number in a file; 255 stands for those that no
// type has.
func elemTypeOf(u uint64) elemType { return elemType(min(u, 255)) }

var elemNames = []string{"undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "double",
	"uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
	"uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2"}

func (t elemType) String() string {
	if int(t) < len(elemNames) {
		return elemNames[t]
	}
	return fmt.Sprintf("%d (unknown)", uint8(t))
}

// bits is the size of an element in raw data; 0: it is no number that is known.
func (t elemType) bits() int {
	switch t {
	case typeUint2, typeInt2:
		return 2
	case typeUint4, typeInt4, typeFloat4E2M1:
		return 4
	case typeUint8, typeInt8, typeBool, typeFloat8E4M3FN, typeFloat8E4M3FNUZ, typeFloat8E5M2, typeFloat8E5M2FNUZ, typeFloat8E8M0:
		return 8
	case typeUint16, typeInt16, typeFloat16, typeBfloat16:
		return 16
	case typeFloat, typeInt32, typeUint32:
		return 32
	case typeDouble, typeInt64, typeUint64:
		return 64
	}
	return 0
}

// bytes is the size of n elements in raw data; what is smaller than a byte is packed.
func (t elemType) bytes(n int) int64 { return (int64(n)*int64(t.bits()) + 7) / 8 }

// floating reports whether the type is one of floating point.
func (t elemType) floating() bool {
	switch t {
	case typeFloat, typeDouble, typeFloat16, typeBfloat16, typeFloat4E2M1:
		return true
	}
	return t.float8()
}

func (t elemType) float8() bool {
	return t >= typeFloat8E4M3FN && t <= typeFloat8E5M2FNUZ || t == typeFloat8E8M0
}

// raw passes the bits of n elements to add: they are little-endian, and of
// several in a byte the first is in the lowest bits.
func (t elemType) raw(b []byte, n int, add func(uint64)) {
	switch t.bits() {
	case 2, 4:
		width := uint(t.bits())
		mask := uint64(1)<<width - 1
		for i := range min(n, len(b)*8/int(width)) {
			at := uint(i) * width
			add(uint64(b[at/8]) >> (at % 8) & mask)
		}
	case 8:
		for _, v := range b {
			add(uint64(v))
		}
	case 16:
		for ; len(b) > 1; b = b[2:] {
			add(uint64(binary.LittleEndian.Uint16(b)))
		}
	case 32:
		for ; len(b) > 3; b = b[4:] {
			add(uint64(binary.LittleEndian.Uint32(b)))
		}
	case 64:
		for ; len(b) > 7; b = b[8:] {
			add(binary.LittleEndian.Uint64(b))
		}
	}
}

// float is the number that the bits of a type of floating point are.
func (t elemType) float(bits uint64) float32 {
	switch t {
	case typeDouble:
		return float32(math.Float64frombits(bits))
	case typeFloat16:
		return model.HalfToFloat(uint16(bits))
	case typeBfloat16:
		return math.Float32frombits(uint32(bits) << 16)
	case typeFloat8E4M3FN:
		if bits&0x7f == 0x7f {
			return float32(math.NaN())
		}
		return tiny(bits, 4, 3, 7)
	case typeFloat8E5M2:
		switch bits & 0x7f {
		case 0x7c:
			return float32(math.Inf(1 - int(bits>>6&2)))
		case 0x7d, 0x7e, 0x7f:
			return float32(math.NaN())
		}
		return tiny(bits, 5, 2, 15)
	case typeFloat8E4M3FNUZ, typeFloat8E5M2FNUZ: // no infinities, no -0: its bits are the one NaN
		switch {
		case bits&0xff == 0x80:
			return float32(math.NaN())
		case t == typeFloat8E4M3FNUZ:
			return tiny(bits, 4, 3, 8)
		}
		return tiny(bits, 5, 2, 16)
	case typeFloat4E2M1:
		return tiny(bits, 2, 1, 1)
	case typeFloat8E8M0: // powers of two, for scales
		if bits&0xff == 0xff {
			return float32(math.NaN())
		}
		return float32(math.Ldexp(1, int(bits&0xff)-127))
	}
	return math.Float32frombits(uint32(bits))
}

// tiny is a sign, an exponent of exp bits with the given bias, and a fraction of
// frac bits; an exponent of 0 is that of subnormal numbers.
func tiny(bits uint64, exp, frac uint, bias int) float32 {
	m := int64(bits & (1<<frac - 1))
	e := int(bits >> frac & (1<<exp - 1))
	if e == 0 {
		e = 1
	} else {
		m |= 1 << frac
	}
	if bits>>(exp+frac)&1 != 0 {
		if m == 0 {
			return float32(math.Copysign(0, -1))
		}
		m = -m
	}
	return float32(math.Ldexp(float64(m), e-bias-int(frac)))
}

// int is the integer that the bits of a type are.
func (t elemType) int(bits uint64) int64 {
	switch t {
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
	case typeUint4:
		return int64(bits & 15)
	case typeInt4:
		return int64(bits<<60) >> 60
	case typeUint2:
		return int64(bits & 3)
	case typeInt2:
		return int64(bits<<62) >> 62
	}
	return int64(bits)
}
