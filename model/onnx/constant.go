package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"unsafe"

	"github.com/deconvnet/viz/internal/pages"
	"github.com/deconvnet/viz/model/tensor"
)

// constant is an array known at import: floats of any width as float32, or
// integers and booleans as int64, in C order. No dims: a single number.
// Constants are never written to once made; weights share their memory.
type constant struct {
	dims []int
	f    []float32 // nil if integers
	i    []int64
	typ  elemType // what it was in the file; 0: not known

	packed *tensor.Packed // floats of quantised weights; f is nil until arg unpacks them
}

func (k *constant) len() int {
	if k.packed != nil {
		return len(k.packed.Q)
	}
	return max(len(k.f), len(k.i))
}

// tensor is the array with the given dims, packed if it is.
func (k *constant) tensor(dims ...int) *tensor.Tensor {
	if k.packed != nil {
		return &tensor.Tensor{Shape: slices.Clone(dims), Packed: k.packed}
	}
	return tensor.From(k.f, dims...)
}

// unpacked is the constant with floats.
func (k *constant) unpacked() *constant {
	if k.packed == nil {
		return k
	}
	return &constant{dims: k.dims, typ: k.typ, f: k.tensor(k.dims...).Floats()}
}

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
			return nil, 0, fmt.Errorf("external data: %.80q: %w", name, cause(err))
		}
		if !info.Mode().IsRegular() {
			return nil, 0, fmt.Errorf("external data: %.80q is not a plain file", name)
		}
		if f, err = s.root.Open(name); err != nil {
			return nil, 0, fmt.Errorf("external data: %.80q: %w", name, cause(err))
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

// cause is an error about a file without its name, which may be any bytes.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// plainName is a name as Go writes it, without quotes.
func plainName(name string) string {
	q := strconv.Quote(name)
	return q[1 : len(q)-1]
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
		return nil, 0, fmt.Errorf("external data is at byte %d to %d of %.80s, which has %d", offset, offset+want, plainName(name), size)
	}
	return r, offset, nil
}

// limit is the largest number of elements that the tensor can have: every
// encoding spends at least the bits of one on it.
func (t *tensorProto) limit(s *source) (int64, error) {
	n := int64(len(t.msg))
	switch {
	case t.external:
		var name string
		for _, e := range t.where {
			if e.key == "location" {
				name = e.value
			}
		}
		var err error
		if _, n, err = s.external(name); err != nil {
			return 0, err
		}
	case t.stored != nil:
		n = t.stored.length
	}
	return n * int64(max(8/t.typ.bits(), 1)), nil
}

// decode returns the tensor's values.
func (t *tensorProto) decode(s *source) (*constant, error) {
	k := &constant{typ: t.typ}
	err := t.numbers(s, func(dims []int, n int) []float32 {
		k.dims = dims
		if !t.typ.floating() {
			k.i = make([]int64, 0, n)
			return nil
		}
		k.f = pages.Floats(n)
		return k.f
	}, func(i int, bits uint64) {
		if k.f != nil {
			k.f[i] = t.typ.float(bits)
		} else {
			k.i = append(k.i, t.typ.int(bits))
		}
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// numbers reads the tensor's elements. First start is told the dims and how many
// elements there are; all is checked before that. It may return memory for them,
// which is filled straight from the file if they are float32 there; else put is
// given each one's bits.
func (t *tensorProto) numbers(s *source, start func(dims []int, n int) []float32, put func(i int, bits uint64)) error {
	if t.typ.bits() == 0 {
		return refuse("it has element type %v, which is not supported", t.typ)
	}
	limit, err := t.limit(s)
	if err != nil {
		return err
	}
	n, err := elements(t.dims, int(min(limit, math.MaxInt/16)))
	if err != nil {
		return err
	}
	size := t.typ.bytes(n)
	var r io.ReaderAt
	var at int64
	if t.external || t.stored != nil {
		if r, at, err = t.outside(s, size); err != nil {
			return err
		}
	}
	direct := start(ints(t.dims), n)
	got := 0
	add := func(bits uint64) {
		if got < n {
			put(got, bits)
		}
		got++
	}
	err = fields(t.msg, func(f field) error {
		switch {
		case t.external:
		case f.bytes(9) && len(f.b) > 0:
			if int64(len(f.b)) != size {
				return fmt.Errorf("%d bytes of raw data, want %d for shape %v", len(f.b), size, t.dims)
			}
			if got > 0 {
				return errors.New("values are given twice")
			}
			t.typ.raw(f.b, n, add)
		case f.num == 4 && t.typ == typeFloat:
			return each32(f, func(v uint32) { add(uint64(v)) })
		case f.num == 10 && t.typ == typeDouble:
			return each64(f, add)
		case f.num == 7 && t.typ == typeInt64, f.num == 11 && (t.typ == typeUint64 || t.typ == typeUint32):
			return eachVarint(f, add)
		case f.num == 5 && t.typ.bits() < 8: // each holds a byte of several elements
			return eachVarint(f, func(v uint64) { t.typ.raw([]byte{byte(v)}, n-got, add) })
		case f.num == 5 && t.typ != typeFloat && t.typ != typeDouble && t.typ != typeInt64 && t.typ != typeUint32 && t.typ != typeUint64:
			return eachVarint(f, add)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r != nil {
		if got > 0 {
			return errors.New("values are given twice")
		}
		return t.stream(r, at, n, direct, add)
	}
	if got != n {
		return fmt.Errorf("%d values, want %d for shape %v", got, n, t.dims)
	}
	return nil
}

// stream reads n elements at a place in a file.
func (t *tensorProto) stream(r io.ReaderAt, at int64, n int, direct []float32, add func(uint64)) error {
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
	if t.typ == typeFloat && direct != nil && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 { // the usual case: straight to its place
		const piece = 1 << 20
		for i := 0; i < n; i += piece {
			part := direct[i:min(i+piece, n)]
			if err := read(unsafe.Slice((*byte)(unsafe.Pointer(&part[0])), 4*len(part))); err != nil {
				return err
			}
		}
		return nil
	}
	buf := make([]byte, min(t.typ.bytes(n), 1<<16))
	for left := n; left > 0; {
		piece := int(min(int64(len(buf))*8/int64(t.typ.bits()), int64(left)))
		part := buf[:t.typ.bytes(piece)]
		if err := read(part); err != nil {
			return err
		}
		t.typ.raw(part, piece, add)
		left -= piece
	}
	return nil
}
