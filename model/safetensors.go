package model

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/deconvnet/viz/model/tensor"
)

// The safetensors container: the length of the header (8 bytes, little-endian),
// the header (a JSON object, padded with spaces), then the data of all tensors
// without gaps.
//
//	{"__metadata__":{KEY:TEXT,...},NAME:{"dtype":"F32","shape":[...],"data_offsets":[BEGIN,END]},...}
//
// Offsets count from the end of the header. What the official loader demands is
// demanded here too: tensors in the order of their data, the first at 0, each
// where the one before ends, the last at the end of the file.

const (
	maxHeader = 16 << 20 // bytes of JSON that are read; a network of 1000 layers needs 0.3 MB
	maxDims   = 8

	metaPrefix = "viz." // of metadata keys that mean something here; others may be present
)

// entry is one tensor on its way to or from a file.
type entry struct {
	name   string
	shape  []int
	values *tensor.Tensor // in this order, whatever its own shape
}

// pieces calls do with the numbers, a few at a time.
func (e *entry) pieces(do func([]float32) error) error {
	const piece = 1 << 16
	var buf []float32
	if e.values.Packed != nil {
		buf = make([]float32, piece)
	}
	for at := 0; at < e.values.Len(); at += piece {
		if err := do(e.values.Part(at, min(at+piece, e.values.Len()), buf)); err != nil {
			return err
		}
	}
	return nil
}

// container is the header of a safetensors file.
type container struct {
	size    int64             // of the file
	data    int64             // where the data begins
	text    string            // the JSON, with padding
	meta    map[string]string // what is ours in __metadata__
	metaAt  map[string]int    // where in text the value of a metadata key begins, after the quote
	tensors []stored
}

// stored is one tensor in a file.
type stored struct {
	name       string
	dtype      string
	shape      []int
	begin, end int64 // from the beginning of the data
}

// buildHeader returns the first bytes of a file, up to the data, and where in
// them the value of the metadata key named mark begins.
func buildHeader(meta [][2]string, tensors []entry, mark string) (head []byte, markAt int) {
	b := append(make([]byte, 8, 4096), `{"__metadata__":{`...)
	for i, kv := range meta {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, kv[0]), ':')
		if kv[0] == mark {
			markAt = len(b) + 1
		}
		b = appendString(b, kv[1])
	}
	b = append(b, '}')
	var at int64
	for _, t := range tensors {
		b = appendString(append(b, ','), t.name)
		b = append(b, `:{"dtype":"F32","shape":`...)
		b = appendInts(b, t.shape)
		b = append(b, `,"data_offsets":[`...)
		b = append(strconv.AppendInt(b, at, 10), ',')
		at += 4 * int64(t.values.Len())
		b = append(strconv.AppendInt(b, at, 10), "]}"...)
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, markAt
}

func appendInts(b []byte, v []int) []byte {
	b = append(b, '[')
	for i, d := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(d), 10)
	}
	return append(b, ']')
}

// headerLength returns the length of the header that a file with these first
// bytes would have if it is a safetensors file, else 0.
func headerLength(head []byte) int64 {
	if len(head) < 9 || head[8] != '{' {
		return 0
	}
	n := binary.LittleEndian.Uint64(head)
	if n < 2 || n > math.MaxInt64-8 {
		return 0
	}
	return int64(n)
}

// readHeader reads and checks the header of a file of the given size. It does
// not look at the data.
func readHeader(r io.ReaderAt, size int64) (*container, error) {
	if size <= 0 {
		return nil, fmt.Errorf("the file is empty")
	}
	head := make([]byte, min(size, 16))
	if err := readAt(r, head, 0); err != nil {
		return nil, err
	}
	n := headerLength(head)
	switch {
	case n == 0 && size < 9:
		return nil, fmt.Errorf("not a checkpoint: the file has only %d bytes", size)
	case n == 0:
		return nil, fmt.Errorf("not a checkpoint: %s", describe(head))
	case n > maxHeader:
		return nil, fmt.Errorf("the header claims %d bytes, want at most %d: the file is damaged or no checkpoint", n, maxHeader)
	case n > size-8:
		return nil, fmt.Errorf("truncated: the header ends at byte %d, the file at %d", 8+n, size)
	}
	buf := make([]byte, n)
	if err := readAt(r, buf, 8); err != nil {
		return nil, err
	}
	c := &container{size: size, data: 8 + n, text: unsafe.String(&buf[0], len(buf)), // buf never changes
		meta: map[string]string{}, metaAt: map[string]int{}}
	if err := c.parse(); err != nil {
		return nil, fmt.Errorf("header is damaged or no safetensors: %w", err)
	}
	return c, nil
}

func (c *container) parse() error {
	p := &scanner{s: c.text}
	p.object(func(name string) {
		if name == "__metadata__" {
			p.object(func(key string) {
				p.peek()
				at := p.pos + 1
				text := p.str()
				if strings.HasPrefix(key, metaPrefix) {
					c.meta[key], c.metaAt[key] = text, at
				}
			})
			return
		}
		t := stored{name: name, begin: -1}
		p.object(func(key string) {
			switch key {
			case "dtype":
				t.dtype = p.str()
			case "shape":
				t.shape = []int{}
				p.array(func() {
					if len(t.shape) == maxDims {
						p.fail("tensor %s: more than %d dimensions", name, maxDims)
					}
					t.shape = append(t.shape, int(p.int(0, math.MaxInt)))
				})
			case "data_offsets":
				p.expect('[')
				t.begin = p.int(0, math.MaxInt64)
				p.expect(',')
				t.end = p.int(0, math.MaxInt64)
				p.expect(']')
			default:
				p.fail("tensor %s: unknown key %.40q", name, key)
			}
		})
		if p.err == nil && (t.dtype == "" || t.shape == nil || t.begin < 0) {
			p.fail("tensor %s: no dtype, shape or data_offsets", name)
		}
		if len(t.shape) == 0 {
			t.shape = nil // one number, as tensor.New() has it
		}
		c.tensors = append(c.tensors, t)
	})
	return p.end()
}

// layout puts the tensors in the order of their data and checks that they are
// float32, fill the file without gaps, and have the sizes their shapes say.
func (c *container) layout() error {
	slices.SortStableFunc(c.tensors, func(a, b stored) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	var at int64
	for _, t := range c.tensors {
		if t.dtype != "F32" {
			return fmt.Errorf("tensor %s: dtype is %.20s, want F32: checkpoints hold nothing else", t.name, t.dtype)
		}
		if t.begin != at || t.end < t.begin {
			return fmt.Errorf("tensor %s: data is at %d to %d, want it to begin at %d, where the data before it ends", t.name, t.begin, t.end, at)
		}
		if n, ok := product(t.shape, math.MaxInt64/4); !ok || 4*n != t.end-t.begin {
			return fmt.Errorf("tensor %s: shape %v does not go with %d bytes of data", t.name, t.shape, t.end-t.begin)
		}
		if t.end > c.size-c.data {
			return fmt.Errorf("truncated: tensor %s is at byte %d to %d, the file ends at %d", t.name, c.data+t.begin, c.data+t.end, c.size)
		}
		at = t.end
	}
	if at < c.size-c.data {
		return fmt.Errorf("%d bytes after the last tensor, which ends at byte %d", c.size-c.data-at, c.data+at)
	}
	return nil
}

// product multiplies sizes; ok is false if one is negative or
// the result would be above limit.
func product(dims []int, limit int64) (n int64, ok bool) {
	if slices.Contains(dims, 0) {
		return 0, true // whatever the others are, there is nothing
	}
	n = 1
	for _, d := range dims {
		if d < 0 || int64(d) > limit/n {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}

// readFloats reads numbers from byte at on in pieces and passes each to see,
// as bytes in the order of the file, while it is still in the cache.
func readFloats(r io.ReaderAt, dst []float32, at int64, see func([]byte)) error {
	const piece = 1 << 17
	for len(dst) > 0 {
		part := dst[:min(piece, len(dst))]
		b := asBytes(part)
		if err := readAt(r, b, at); err != nil {
			return err
		}
		see(b)
		if !littleEndian {
			for i := range part {
				part[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			}
		}
		dst, at = dst[len(part):], at+int64(len(b))
	}
	return nil
}

// writeFloats writes numbers as the format has them: little-endian.
func writeFloats(w io.Writer, src []float32) error {
	if littleEndian {
		_, err := w.Write(asBytes(src))
		return err
	}
	var b [1 << 12]byte
	for len(src) > 0 {
		n := min(len(src), len(b)/4)
		for i, v := range src[:n] {
			binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(b[:4*n]); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

// littleEndian says whether numbers in memory are as in the file. A variable
// so that a test can take the other path.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// asBytes is the memory of x.
func asBytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// readAt fills b. An end of the file inside b is an error that says where.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return fmt.Errorf("truncated: byte %d is missing", at+int64(n))
	}
	return err
}

// describe says what a file that is no safetensors seems to be.
func describe(head []byte) string {
	s := string(head)
	for _, m := range []struct{ magic, what string }{
		{"\x89PNG", "a PNG picture"},
		{"\xff\xd8\xff", "a JPEG picture"},
		{"GIF8", "a GIF picture"},
		{"\x93NUMPY", "a NumPy array"},
		{"PK\x03\x04", "a zip archive (PyTorch's .pt?): viz import --arch takes it, or export the network to ONNX"},
		{"\x89HDF", "an HDF5 file (Keras?): export the network to ONNX"},
		{"\x1f\x8b", "a gzip archive"},
		{"version https://", "a pointer of Git LFS: get the file itself by git lfs pull"},
	} {
		if strings.HasPrefix(s, m.magic) {
			return "it looks like " + m.what
		}
	}
	// ONNX begins with field 1, the version of its format, as a small number,
	// then the name of the program that wrote it or the graph.
	if len(s) > 2 && s[0] == 0x08 && s[1] < 32 && strings.IndexByte("\x12\x1a\x22\x3a\x42", s[2]) >= 0 {
		return "it looks like an ONNX model"
	}
	return fmt.Sprintf("it begins with %q", s[:min(8, len(s))])
}
