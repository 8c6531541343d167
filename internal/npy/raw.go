package npy

import (
	"fmt"
	"io"
)

// Raw is an array whose elements stay the bytes they were stored as.
type Raw struct {
	Shape   []int
	Fortran bool // the first index changes fastest
	Data    []byte
	kind    numType
}

// NewRaw makes an array of NumPy's number type descr ("|u1", "<f4") from its bytes, whose number must fit.
func NewRaw(descr string, shape []int, fortran bool, data []byte) (*Raw, error) {
	n, err := elements(shape)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	kind, err := parseType(descr)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if int64(n)*int64(kind.size) != int64(len(data)) {
		return nil, fmt.Errorf("shape %v of %s needs %d x %d bytes, got %d", shape, descr, n, kind.size, len(data))
	}
	return &Raw{shape, fortran, data, kind}, nil
}

// ReadRaw is Read without a conversion: limit bounds the bytes of the elements, and memory grows with what is there.
func ReadRaw(r io.Reader, limit int64) (*Raw, error) {
	h, err := readHeader(r)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	n, err := elements(h.shape)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	kind, err := parseType(h.descr)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if int64(n) > limit/int64(kind.size) {
		return nil, fmt.Errorf("shape %v of %s needs %d x %d bytes, only %d allowed or present", h.shape, h.descr, n, kind.size, limit)
	}
	want := int64(n) * int64(kind.size)
	data, err := io.ReadAll(io.LimitReader(r, want))
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if int64(len(data)) < want {
		return nil, fmt.Errorf("file ends in the data: got %d bytes, want %d", len(data), want)
	}
	return &Raw{h.shape, h.fortran, data, kind}, nil
}

// Len is the number of elements.
func (a *Raw) Len() int { return len(a.Data) / a.kind.size }

// Bytes reports whether elements are unsigned bytes: Data holds their values.
func (a *Raw) Bytes() bool { return a.kind.kind == 'u' && a.kind.size == 1 }

// Float reports whether elements are floating point numbers.
func (a *Raw) Float() bool { return a.kind.kind == 'f' }

// At is the element at place i as stored.
func (a *Raw) At(i int) float64 {
	b := a.Data[i*a.kind.size : (i+1)*a.kind.size]
	switch a.kind.kind {
	case 'f':
		return a.kind.float(b)
	case 'i':
		shift := 64 - 8*a.kind.size
		return float64(int64(a.kind.uint(b)<<shift) >> shift)
	}
	return float64(a.kind.uint(b))
}
