// Package npy reads and writes NumPy .npy files, the format in which viz hands
// maps and projections to Python and takes fixtures from it.
//
// The main calls are ReadFile and WriteFile. Format versions 1.0, 2.0 and 3.0
// are read, 1.0 is written; arrays in memory are always in C order (the last
// axis varies fastest). Only plain number types are known: no structured
// types, strings, objects or complex numbers, and no .npz archives.
//
// The format is described in NumPy's "numpy.lib.format" documentation (NEP 1).
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/deconvnet/viz/internal/imageio"
)

const magic = "\x93NUMPY"

// maxHeader bounds the dictionary's length; NumPy itself refuses more than
// 10,000 bytes from files that it does not trust.
const maxHeader = 1 << 16

// An Array is an n-dimensional array in C order. Exactly one of Float32 and
// Int32 is set (it may be empty, but is not nil), and its length is the product
// of Shape; an empty Shape means a single number.
type Array struct {
	Shape   []int
	Float32 []float32
	Int32   []int32
}

// Len is the number of elements.
func (a *Array) Len() int { return max(len(a.Float32), len(a.Int32)) }

// Read reads one array from r and leaves r just behind it. limit bounds the
// bytes of element data that the file may hold; memory grows with what is
// really there, never with what the header claims.
//
// Floating point types (f2, f4, f8) become float32, rounding to nearest; f8
// values beyond the float32 range become infinities. Booleans and integers
// (b1, i1..i8, u1..u8) become int32; a value that does not fit is an error.
// Either byte order is read. Fortran order is transposed to C order.
func Read(r io.Reader, limit int64) (*Array, error) {
	a, err := read(r, limit)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return a, nil
}

// ReadFile reads the array in the file at path, which must end where the array
// ends. See Read for the conversions.
func ReadFile(path string) (*Array, error) {
	f, size, err := imageio.OpenPlain(path)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	defer f.Close()
	a, err := read(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// A file that goes on behind its array is not what its header says.
	if pos, err := f.Seek(0, io.SeekCurrent); err == nil && pos != size {
		return nil, fmt.Errorf("%s: file has %d bytes, want %d", path, size, pos)
	}
	return a, nil
}

func read(r io.Reader, limit int64) (*Array, error) {
	h, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	n, err := elements(h.shape)
	if err != nil {
		return nil, err
	}
	d, err := parseType(h.descr)
	if err != nil {
		return nil, err
	}
	if int64(n) > limit/int64(d.size) {
		return nil, fmt.Errorf("shape %v of %s needs %d x %d bytes, only %d allowed or present",
			h.shape, h.descr, n, d.size, limit)
	}
	a := &Array{Shape: h.shape}
	if d.kind == 'f' {
		a.Float32, err = readAll(r, n, d.size, d.float32)
	} else {
		a.Int32, err = readAll(r, n, d.size, d.int32)
	}
	if err != nil {
		return nil, err
	}
	if h.fortran && len(h.shape) > 1 {
		a.Float32 = transpose(a.Float32, h.shape)
		a.Int32 = transpose(a.Int32, h.shape)
	}
	return a, nil
}

// readAll reads n elements of size bytes through decode, a chunk at a time.
func readAll[T any](r io.Reader, n, size int, decode func([]byte) (T, error)) ([]T, error) {
	const chunk = 1 << 16 // elements
	buf := make([]byte, min(n, chunk)*size)
	out := make([]T, 0, min(n, chunk))
	for len(out) < n {
		b := buf[:min(n-len(out), chunk)*size]
		if got, err := io.ReadFull(r, b); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("data ends after %d bytes, want %d", len(out)*size+got, n*size)
			}
			return nil, err
		}
		for i := 0; i < len(b); i += size {
			v, err := decode(b[i : i+size])
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", len(out), err)
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// transpose turns src, in Fortran order of the given shape (first axis
// fastest), into C order. A nil src stays nil.
func transpose[T any](src []T, shape []int) []T {
	if src == nil {
		return nil
	}
	dst := make([]T, len(src))
	index := make([]int, len(shape))
	stride := make([]int, len(shape))
	s := 1
	for i, n := range shape {
		stride[i] = s
		s *= n
	}
	at := 0
	for i := range dst {
		dst[i] = src[at]
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis]++
			at += stride[axis]
			if index[axis] < shape[axis] {
				break
			}
			at -= index[axis] * stride[axis]
			index[axis] = 0
		}
	}
	return dst
}

// elements is the product of shape, refusing negative sizes and overflow.
func elements(shape []int) (int, error) {
	n := 1
	for _, s := range shape {
		if s < 0 {
			return 0, fmt.Errorf("shape %v has a negative size", shape)
		}
		if s > 0 && n > math.MaxInt/8/s { // 8 is the largest element size
			return 0, fmt.Errorf("shape %v is too large", shape)
		}
		n *= s
	}
	return n, nil
}

// Write writes data in C order as format 1.0, '<f4' or '<i4'. The product of
// shape must be len(data); an empty shape stands for a single number.
func Write[T float32 | int32](w io.Writer, shape []int, data []T) error {
	n, err := elements(shape)
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	if n != len(data) {
		return fmt.Errorf("shape %v holds %d values, got %d", shape, n, len(data))
	}
	descr := "<f4"
	if _, ok := any(data).([]int32); ok {
		descr = "<i4"
	}
	head, err := header(descr, shape)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	const chunk = 1 << 14
	buf := make([]byte, 0, 4*min(len(data), chunk))
	for len(data) > 0 {
		k := min(len(data), chunk)
		buf = buf[:0]
		for _, v := range data[:k] {
			switch v := any(v).(type) {
			case float32:
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			case int32:
				buf = binary.LittleEndian.AppendUint32(buf, uint32(v))
			}
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		data = data[k:]
	}
	return nil
}

// WriteFile writes data to path as Write does, under a temporary name that is
// renamed at the end; after an error path is as it was.
func WriteFile[T float32 | int32](path string, shape []int, data []T) error {
	return imageio.WriteFile(path, func(w io.Writer) error { return Write(w, shape, data) })
}
