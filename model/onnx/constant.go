package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"github.com/deconvnet/viz/model"
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

// source is where a model's data is: the file itself, and the folder beside
// whose files hold external data ("" if there is none).
type source struct {
	r    io.ReaderAt
	size int64
	dir  string
	root *os.Root
	open map[string]*os.File
}

func (s *source) close() {
	for _, f := range s.open {
		f.Close()
	}
	if s.root != nil {
		s.root.Close()
	}
}

// external opens a file beside the model. Names that lead out of its folder are
// refused, links that do so as well.
func (s *source) external(name string) (io.ReaderAt, int64, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, 0, fmt.Errorf("external data is in %.80q: want a file in the model's folder", name)
	}
	if s.dir == "" {
		return nil, 0, errors.New("values are kept in another file, but there is no folder to look for it")
	}
	f := s.open[name]
	if f == nil {
		var err error
		if s.root == nil {
			if s.root, err = os.OpenRoot(s.dir); err != nil {
				return nil, 0, err
			}
		}
		info, err := s.root.Stat(name)
		if err != nil {
			return nil, 0, fmt.Errorf("external data: %w", err)
		}
		if !info.Mode().IsRegular() {
			return nil, 0, fmt.Errorf("external data: %.80q is not a plain file", name)
		}
		if f, err = s.root.Open(name); err != nil {
			return nil, 0, fmt.Errorf("external data: %w", err)
		}
		if s.open == nil {
			s.open = map[string]*os.File{}
		}
		s.open[name] = f
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// outside says where the tensor's data is if it is not in msg.
func (t *tensorProto) outside(s *source, want int64) (io.ReaderAt, int64, error) {
	if !t.external {
		if t.stored.floats && t.typ != typeFloat {
			return nil, 0, errors.New("numbers of another type than the tensor's")
		}
		if t.stored.length != want {
			return nil, 0, fmt.Errorf("%d bytes of data, want %d for shape %v", t.stored.length, want, t.dims)
		}
		return s.r, t.stored.at, nil
	}
	var name string
	offset, length := int64(0), int64(-1)
	for _, e := range t.where {
		var err error
		switch e.key {
		case "location":
			name = e.value
		case "offset":
			offset, err = strconv.ParseInt(e.value, 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.value, 10, 64)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("external data: %s is %.40q", e.key, e.value)
		}
	}
	r, size, err := s.external(name)
	switch {
	case err != nil:
		return nil, 0, err
	case length >= 0 && length != want:
		return nil, 0, fmt.Errorf("%d bytes of external data, want %d for shape %v", length, want, t.dims)
	case offset < 0 || offset > size || want > size-offset:
		return nil, 0, fmt.Errorf("external data is at byte %d to %d of %s, which has %d", offset, offset+want, name, size)
	}
	return r, offset, nil
}

// limit is the largest number of elements that the tensor can have: every
// encoding spends at least one byte on one.
func (t *tensorProto) limit(s *source) (int64, error) {
	switch {
	case t.external:
		var name string
		for _, e := range t.where {
			if e.key == "location" {
				name = e.value
			}
		}
		_, size, err := s.external(name)
		return size, err
	case t.stored != nil:
		return t.stored.length, nil
	}
	return int64(len(t.msg)), nil
}

// decode returns the tensor's values.
func (t *tensorProto) decode(s *source) (*constant, error) {
	width := size(t.typ)
	if width == 0 {
		return nil, fmt.Errorf("element type %d is not supported", t.typ)
	}
	limit, err := t.limit(s)
	if err != nil {
		return nil, err
	}
	n, err := elements(t.dims, int(min(limit, math.MaxInt/16)))
	if err != nil {
		return nil, err
	}
	k := &constant{}
	for _, d := range t.dims {
		k.dims = append(k.dims, int(d))
	}
	floats := t.typ == typeFloat || t.typ == typeDouble || t.typ == typeFloat16 || t.typ == typeBfloat16
	var r io.ReaderAt
	var at int64
	if t.external || t.stored != nil { // all is checked before anything is allocated
		if r, at, err = t.outside(s, int64(n)*int64(width)); err != nil {
			return nil, err
		}
	}
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
		case t.external:
		case f.bytes(9) && len(f.b) > 0:
			if len(f.b) != n*width {
				return fmt.Errorf("%d bytes of raw data, want %d for shape %v", len(f.b), n*width, t.dims)
			}
			if got > 0 {
				return errors.New("values are given twice")
			}
			raw(f.b, width, add)
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
	if r != nil {
		if got > 0 {
			return nil, errors.New("values are given twice")
		}
		if err := stream(r, at, n, width, t.typ, k, add); err != nil {
			return nil, err
		}
		got = n
	}
	if got != n {
		return nil, fmt.Errorf("%d values, want %d for shape %v", got, n, t.dims)
	}
	return k, nil
}

// stream reads n little-endian elements at a place in a file.
func stream(r io.ReaderAt, at int64, n, width int, typ int64, k *constant, add func(uint64)) error {
	read := func(b []byte) error {
		got, err := r.ReadAt(b, at)
		if got == len(b) {
			at += int64(got)
			return nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if typ == typeFloat && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 { // the usual case: straight to its place
		k.f = k.f[:n]
		const piece = 1 << 20
		for i := 0; i < n; i += piece {
			part := k.f[i:min(i+piece, n)]
			if err := read(unsafe.Slice((*byte)(unsafe.Pointer(&part[0])), 4*len(part))); err != nil {
				return err
			}
		}
		return nil
	}
	buf := make([]byte, min(n*width, 1<<16))
	for left := n * width; left > 0; {
		part := buf[:min(left, len(buf))]
		if err := read(part); err != nil {
			return err
		}
		raw(part, width, add)
		left -= len(part)
	}
	return nil
}

// raw decodes little-endian elements.
func raw(b []byte, width int, add func(uint64)) {
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
		return model.HalfToFloat(uint16(bits))
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
