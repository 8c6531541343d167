package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// fileHeader is the dictionary at the head of a file.
type fileHeader struct {
	descr   string
	fortran bool
	shape   []int
}

// header returns magic, version 1.0, length and dictionary, padded with spaces
// so that the data begins at a multiple of 64 bytes, as NumPy does.
func header(descr string, shape []int) ([]byte, error) {
	var dims strings.Builder
	for i, s := range shape {
		if i > 0 {
			dims.WriteString(", ")
		}
		dims.WriteString(strconv.Itoa(s))
	}
	if len(shape) == 1 {
		dims.WriteByte(',')
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims.String())
	const fixed = len(magic) + 4
	pad := 63 - (fixed+len(dict))%64
	dict += strings.Repeat(" ", pad) + "\n"
	if len(dict) > math.MaxUint16 {
		return nil, fmt.Errorf("%d axes do not fit into a header of format 1.0", len(shape))
	}
	b := append([]byte(magic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
	return append(b, dict...), nil
}

func readHeader(r io.Reader) (fileHeader, error) {
	var h fileHeader
	var pre [8]byte
	if err := readFull(r, pre[:], "magic"); err != nil {
		return h, err
	}
	if string(pre[:6]) != magic {
		return h, fmt.Errorf("not a .npy file: it begins %q, want %q", pre[:6], magic)
	}
	var length uint32
	switch pre[6] {
	case 1:
		var b [2]byte
		if err := readFull(r, b[:], "header length"); err != nil {
			return h, err
		}
		length = uint32(binary.LittleEndian.Uint16(b[:]))
	case 2, 3:
		var b [4]byte
		if err := readFull(r, b[:], "header length"); err != nil {
			return h, err
		}
		length = binary.LittleEndian.Uint32(b[:])
	default:
		return h, fmt.Errorf("format version %d.%d, want 1.0, 2.0 or 3.0", pre[6], pre[7])
	}
	if length > maxHeader {
		return h, fmt.Errorf("header has %d bytes, want at most %d", length, maxHeader)
	}
	dict := make([]byte, length)
	if err := readFull(r, dict, "header"); err != nil {
		return h, err
	}
	h, err := parseDict(string(dict))
	if err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	return h, nil
}

func readFull(r io.Reader, b []byte, what string) error {
	n, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("file ends in the %s: got %d bytes, want %d", what, n, len(b))
	}
	return err
}

// parseDict reads the Python dictionary with the keys descr, fortran_order and
// shape, in any order, each exactly once and no others.
func parseDict(text string) (fileHeader, error) {
	var h fileHeader
	p := &parser{rest: text}
	seen := map[string]bool{}
	p.want("{")
	for p.err == nil && !p.accept("}") {
		key := p.str()
		p.want(":")
		if p.err == nil && seen[key] {
			p.fail("key %q twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			h.descr = p.str()
		case "fortran_order":
			h.fortran = p.boolean()
		case "shape":
			h.shape = p.tuple()
		default:
			p.fail("key %q, want descr, fortran_order and shape", key)
		}
		if !p.accept(",") {
			p.want("}")
			break
		}
	}
	if p.space(); p.err == nil && p.rest != "" {
		p.fail("text behind the dictionary: %.20q", p.rest)
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			p.fail("key %q is missing", key)
		}
	}
	return h, p.err
}

// parser consumes rest from the left and remembers the first error.
type parser struct {
	rest string
	err  error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *parser) accept(token string) bool {
	p.space()
	if p.err != nil || !strings.HasPrefix(p.rest, token) {
		return false
	}
	p.rest = p.rest[len(token):]
	return true
}

func (p *parser) want(token string) {
	if !p.accept(token) {
		p.fail("got %.20q, want %q", p.rest, token)
	}
}

// str reads a quoted string; no type name needs an escape.
func (p *parser) str() string {
	p.space()
	if p.err != nil || p.rest == "" || p.rest[0] != '\'' && p.rest[0] != '"' {
		p.fail("got %.20q, want a string", p.rest)
		return ""
	}
	end := strings.IndexByte(p.rest[1:], p.rest[0])
	if end < 0 {
		p.fail("string without end: %.20q", p.rest)
		return ""
	}
	s := p.rest[1 : 1+end]
	p.rest = p.rest[end+2:]
	return s
}

func (p *parser) boolean() bool {
	if p.accept("True") {
		return true
	}
	p.want("False")
	return false
}

// tuple reads (), (3,), (3, 4) ...; Python 2 wrote sizes as 3L.
func (p *parser) tuple() []int {
	shape := []int{}
	p.want("(")
	for p.err == nil && !p.accept(")") {
		digits := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789"))
		n, err := strconv.Atoi(p.rest[:digits])
		if errors.Is(err, strconv.ErrRange) {
			p.fail("size %.20s is too large", p.rest[:digits])
			break
		}
		if err != nil {
			p.fail("got %.20q, want a size", p.rest)
			break
		}
		p.rest = strings.TrimPrefix(p.rest[digits:], "L")
		if shape = append(shape, n); len(shape) > 64 { // NumPy's own limit
			p.fail("more than 64 axes")
		}
		if !p.accept(",") {
			p.want(")")
			break
		}
	}
	return shape
}

// numType is a plain number type: kind is 'f', 'i', 'u' or 'b', size in bytes.
type numType struct {
	kind  byte
	size  int
	order binary.ByteOrder
}

func parseType(descr string) (numType, error) {
	d := numType{order: binary.LittleEndian}
	s := descr
	if s != "" && strings.ContainsRune("<>|=", rune(s[0])) {
		if s[0] == '>' {
			d.order = binary.BigEndian
		}
		s = s[1:]
	}
	known := []string{"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
	if !slices.Contains(known, s) {
		return d, fmt.Errorf("number type %q, want one of %s", descr, strings.Join(known, ", "))
	}
	d.kind, d.size = s[0], int(s[1]-'0')
	return d, nil
}

// uint is the size bytes of b as an unsigned number.
func (d numType) uint(b []byte) uint64 {
	switch d.size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(d.order.Uint16(b))
	case 4:
		return uint64(d.order.Uint32(b))
	}
	return d.order.Uint64(b)
}

func (d numType) float32(b []byte) (float32, error) { return float32(d.float(b)), nil }

func (d numType) float(b []byte) float64 {
	u := d.uint(b)
	switch d.size {
	case 2:
		return float64(half(uint16(u)))
	case 4:
		return float64(math.Float32frombits(uint32(u)))
	}
	return math.Float64frombits(u)
}

func (d numType) int32(b []byte) (int32, error) {
	u := d.uint(b)
	if d.kind == 'i' {
		shift := 64 - 8*d.size
		v := int64(u<<shift) >> shift // sign extension
		if v < math.MinInt32 || v > math.MaxInt32 {
			return 0, fmt.Errorf("value %d does not fit into int32", v)
		}
		return int32(v), nil
	}
	if u > math.MaxInt32 {
		return 0, fmt.Errorf("value %d does not fit into int32", u)
	}
	return int32(u), nil
}

// half widens an IEEE 754 binary16 number; this is exact.
func half(u uint16) float32 {
	sign := uint32(u>>15) << 31
	exp, frac := int(u>>10&31), uint32(u&1023)
	switch exp {
	case 0: // zero and subnormal: frac * 2^-24
		v := math.Ldexp(float64(frac), -24)
		return math.Float32frombits(math.Float32bits(float32(v)) | sign)
	case 31: // infinity and NaN
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | uint32(exp+127-15)<<23 | frac<<13)
}
