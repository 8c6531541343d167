package onnx

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The parts of onnx.proto that viz reads, as plain data. Slices of bytes are
// views into the file.
type (
	file struct {
		irVersion         int64
		producer, version string
		opsets            []opset
		metadata          []entry
		graph             *graph
		functions         []function
	}
	opset struct {
		domain  string
		version int64
	}
	entry struct{ key, value string }
	graph struct {
		name            string
		nodes           []node
		tensors         []tensorProto // initialisers
		inputs, outputs []valueInfo
		sparse          []sparseProto // sparse initialisers
		free            []string      // of a graph inside a node: values of the graphs around it that it reads
	}
	node struct {
		name, op, domain, overload string
		inputs, outputs            []string
		attrs                      []attribute
		scopes                     string  // the author's module, as the exporter says
		scope                      *scope  // of what its graphs read; nil: the file's graph
		opsets                     []opset // nil: the file's
	}
	// function is a group of nodes that nodes can be called by (see inline.go).
	function struct {
		name, domain, overload string
		inputs, outputs        []string
		attrs                  []string    // names of its attributes
		defaults               []attribute // attributes with what they are where a call leaves them out
		nodes                  []node
		opsets                 []opset
	}
	attribute struct {
		name    string
		typ     int64
		f       float32
		i       int64
		s       []byte
		tensor  *tensorProto
		floats  []float32
		ints    []int64
		strings []string
		graph   *graph
		sparse  *sparseProto
		ref     string // the attribute of the function around it whose value this is
	}
	// sparseProto is a tensor of which most numbers are 0.
	sparseProto struct {
		values, indices tensorProto
		dims            []int64
	}
	// tensorProto keeps its numbers encoded until they are asked for (see decode).
	tensorProto struct {
		name     string
		typ      elemType
		dims     []int64
		external bool    // values are in another file
		where    []entry // external: location, offset, length
		stored   *extent // where the raw data is that was left out of msg
		msg      []byte
	}
	// extent is a part of the file.
	extent struct {
		at, length int64
		floats     bool // float_data instead of raw_data: the same bytes
	}
	valueInfo struct {
		name   string
		typ    elemType // 0: not a tensor
		ranked bool
		dims   []int64 // -1: not fixed
	}
)

const maxRank = 16

// elsewhere is the field by which a skeleton says where a tensor's data is. No
// file has it: skeletons leave out fields that they do not know.
const elsewhere = protowire.Number(protowire.MaxValidNumber)

// decoder reads messages and bounds the memory of what they become, so that a file
// of empty messages cannot ask for far more than it has.
type decoder struct {
	left  int // bytes
	depth int // of graphs inside nodes
}

// The most that lists hold: the largest networks have a tenth. Graphs of old files have their weights among their inputs.
const (
	maxNodes      = 40_000
	maxList       = 10_000  // inputs and outputs of a node, outputs of a graph
	maxAttributes = 1_000   // of a node
	maxTexts      = 100_000 // of an attribute
	maxNumbers    = 1 << 20 // whole ones of an attribute, each of which may be a byte of the file
	maxPlaces     = 100     // what a tensor says about where its data is
	unbounded     = math.MaxInt
)

// put appends to a list of at most so many.
func put[T any](d *decoder, list *[]T, v T, most int, what string) error {
	if len(*list) >= most {
		return fmt.Errorf("more %s than %d, want at most so many", what, most)
	}
	*list = append(*list, v)
	return d.spend(int(reflect.TypeFor[T]().Size()))
}

// field is one field of a message: a number for varints and fixed sizes, bytes else.
type field struct {
	num protowire.Number
	typ protowire.Type
	u   uint64
	b   []byte
}

func (f field) varint(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.VarintType
}
func (f field) bytes(num protowire.Number) bool { return f.num == num && f.typ == protowire.BytesType }

func (f field) string() (string, error) {
	if utf8.Valid(f.b) {
		return string(f.b), nil
	}
	var b strings.Builder // bytes that are no UTF-8 as \xNN: names stay different
	for text := string(f.b); text != ""; {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, "\\x%02x", text[0])
		} else {
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String(), nil
}

// fields calls do for every field of message b. Fields of an unexpected wire
// type are the caller's to ignore, as protobuf has it.
func fields(b []byte, do func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := field{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			f.u, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.u = uint64(v)
		case protowire.Fixed64Type:
			f.u, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.b, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}

// name appends a text to a list.
func (d *decoder) name(f field, list *[]string, most int, what string) error {
	s, err := f.string()
	if err != nil {
		return err
	}
	if err := put(d, list, s, most, what); err != nil {
		return err
	}
	return d.spend(len(s))
}

// spend counts bytes of what is kept.
func (d *decoder) spend(bytes int) error {
	if d.left -= bytes; d.left < 0 {
		return errors.New("too many small messages for the file's size")
	}
	return nil
}

// decodeFile decodes a skeleton.
func decodeFile(data []byte) (*file, error) {
	d := &decoder{left: 3*len(data) + 24<<20}
	m := &file{}
	err := fields(data, func(f field) (err error) {
		switch {
		case f.varint(1):
			m.irVersion = int64(f.u)
		case f.bytes(2):
			m.producer, err = f.string()
		case f.bytes(3):
			m.version, err = f.string()
		case f.bytes(7):
			if m.graph != nil {
				return errors.New("two graphs")
			}
			m.graph, err = d.graph(f.b)
		case f.bytes(8):
			var o opset
			if o, err = d.opset(f.b); err == nil {
				err = put(d, &m.opsets, o, maxList, "operator sets")
			}
		case f.bytes(14):
			var e entry
			if e, err = d.entry(f.b); err == nil {
				err = put(d, &m.metadata, e, unbounded, "notes")
			}
		case f.bytes(25):
			var fn function
			if fn, err = d.function(f.b); err == nil {
				err = put(d, &m.functions, fn, maxNodes, "functions")
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("not a readable ONNX file: %w", err)
	}
	if m.graph == nil {
		return nil, errors.New("not an ONNX file: it holds no graph")
	}
	return m, nil
}

func (d *decoder) opset(b []byte) (o opset, err error) {
	err = fields(b, func(f field) (err error) {
		switch {
		case f.bytes(1):
			o.domain, err = f.string()
		case f.varint(2):
			o.version = int64(f.u)
		}
		return err
	})
	return o, err
}

func (d *decoder) entry(b []byte) (e entry, err error) {
	err = fields(b, func(f field) (err error) {
		switch {
		case f.bytes(1):
			e.key, err = f.string()
		case f.bytes(2):
			e.value, err = f.string()
		}
		return err
	})
	return e, err
}

func (d *decoder) graph(b []byte) (*graph, error) {
	g := &graph{}
	err := fields(b, func(f field) (err error) {
		switch {
		case f.bytes(1):
			var n node
			if n, err = d.node(f.b); err != nil {
				return fmt.Errorf("node %d (%s): %w", len(g.nodes), n.name, err)
			}
			err = put(d, &g.nodes, n, maxNodes, "nodes in a graph")
		case f.bytes(2):
			g.name, err = f.string()
		case f.bytes(5):
			var t tensorProto
			if t, err = d.tensor(f.b); err != nil {
				return fmt.Errorf("initialiser %d (%s): %w", len(g.tensors), t.name, err)
			}
			err = put(d, &g.tensors, t, unbounded, "initialisers")
		case f.bytes(11):
			var v valueInfo
			if v, err = d.valueInfo(f.b); err == nil {
				err = put(d, &g.inputs, v, unbounded, "inputs of a graph")
			}
		case f.bytes(12):
			var v valueInfo
			if v, err = d.valueInfo(f.b); err == nil {
				err = put(d, &g.outputs, v, maxList, "outputs of a graph")
			}
		case f.bytes(15):
			var t sparseProto
			if t, err = d.sparse(f.b); err != nil {
				return fmt.Errorf("sparse initialiser %d (%s): %w", len(g.sparse), t.values.name, err)
			}
			err = put(d, &g.sparse, t, unbounded, "sparse initialisers")
		}
		return err
	})
	return g, err
}

func (d *decoder) node(b []byte) (n node, err error) {
	err = fields(b, func(f field) (err error) {
		switch {
		case f.bytes(1):
			err = d.name(f, &n.inputs, maxList, "inputs of a node")
		case f.bytes(2):
			err = d.name(f, &n.outputs, maxList, "outputs of a node")
		case f.bytes(3):
			n.name, err = f.string()
		case f.bytes(4):
			n.op, err = f.string()
		case f.bytes(5):
			var a attribute
			if a, err = d.attribute(f.b); err != nil {
				return fmt.Errorf("attribute %s: %w", a.name, err)
			}
			err = put(d, &n.attrs, a, maxAttributes, "attributes of a node")
		case f.bytes(7):
			n.domain, err = f.string()
		case f.bytes(8):
			n.overload, err = f.string()
		case f.bytes(9):
			var e entry
			e, err = d.entry(f.b)
			n.scopes = cmp.Or(scopesOf(e), n.scopes)
		}
		return err
	})
	return n, err
}

func (d *decoder) attribute(b []byte) (a attribute, err error) {
	err = fields(b, func(f field) (err error) {
		switch {
		case f.bytes(1):
			a.name, err = f.string()
		case f.num == 2 && f.typ == protowire.Fixed32Type:
			a.f = math.Float32frombits(uint32(f.u))
		case f.varint(3):
			a.i = int64(f.u)
		case f.bytes(4):
			a.s = f.b
		case f.bytes(5):
			a.tensor = &tensorProto{}
			*a.tensor, err = d.tensor(f.b)
		case f.bytes(6):
			a.graph, err = d.subgraph(f.b)
		case f.bytes(21):
			a.ref, err = f.string()
		case f.bytes(22):
			a.sparse = &sparseProto{}
			*a.sparse, err = d.sparse(f.b)
		case f.num == 7:
			err = each32(f, func(v uint32) { a.floats = append(a.floats, math.Float32frombits(v)) })
		case f.bytes(9):
			err = d.name(f, &a.strings, maxTexts, "texts of an attribute")
		case f.num == 8:
			if n := len(a.ints) + varints(f); n > maxNumbers {
				return fmt.Errorf("%d whole numbers, want at most %d", n, maxNumbers)
			}
			err = eachVarint(f, func(v uint64) { a.ints = append(a.ints, int64(v)) })
		case f.varint(20):
			a.typ = int64(f.u)
		}
		return err
	})
	return a, err
}

func (d *decoder) tensor(b []byte) (t tensorProto, err error) {
	t.msg = b
	err = fields(b, func(f field) (err error) {
		switch {
		case f.num == 1:
			err = eachVarint(f, func(v uint64) {
				if len(t.dims) <= maxRank {
					t.dims = append(t.dims, int64(v))
				}
			})
		case f.varint(2):
			t.typ = elemTypeOf(f.u)
		case f.bytes(8):
			t.name, err = f.string()
		case f.bytes(13):
			var e entry
			if e, err = d.entry(f.b); err == nil {
				t.external = true
				err = put(d, &t.where, e, maxPlaces, "places of external data")
			}
		case f.varint(14):
			t.external = t.external || f.u == 1
		case f.bytes(elsewhere) && len(f.b) == 17:
			t.stored = &extent{at: int64(binary.LittleEndian.Uint64(f.b)), length: int64(binary.LittleEndian.Uint64(f.b[8:])), floats: f.b[16] != 0}
		}
		return err
	})
	if err == nil && len(t.dims) > maxRank {
		err = fmt.Errorf("more than %d axes", maxRank)
	}
	return t, err
}

func (d *decoder) valueInfo(b []byte) (v valueInfo, err error) {
	dim := func(f field) error {
		if !f.bytes(1) {
			return nil
		}
		if len(v.dims) == maxRank {
			return fmt.Errorf("value %s: more than %d axes", v.name, maxRank)
		}
		size := int64(-1)
		err := fields(f.b, func(f field) error {
			if f.varint(1) && int64(f.u) > 0 {
				size = int64(f.u)
			}
			return nil
		})
		v.dims = append(v.dims, size)
		return err
	}
	tensorType := func(f field) error {
		switch {
		case f.varint(1):
			v.typ = elemTypeOf(f.u)
		case f.bytes(2):
			v.ranked, v.dims = true, nil
			return fields(f.b, dim)
		}
		return nil
	}
	err = fields(b, func(f field) (err error) {
		switch {
		case f.bytes(1):
			v.name, err = f.string()
		case f.bytes(2):
			err = fields(f.b, func(f field) error {
				if f.bytes(1) {
					return fields(f.b, tensorType)
				}
				return nil
			})
		}
		return err
	})
	return v, err
}

// each32, each64 and eachVarint visit the elements of a repeated field, packed
// or not; a field of another wire type has none.
func each32(f field, do func(uint32)) error {
	if f.typ == protowire.Fixed32Type {
		do(uint32(f.u))
	}
	if f.typ != protowire.BytesType {
		return nil
	}
	for b := f.b; len(b) > 0; {
		v, n := protowire.ConsumeFixed32(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		do(v)
		b = b[n:]
	}
	return nil
}

func each64(f field, do func(uint64)) error {
	if f.typ == protowire.Fixed64Type {
		do(f.u)
	}
	if f.typ != protowire.BytesType {
		return nil
	}
	for b := f.b; len(b) > 0; {
		v, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		do(v)
		b = b[n:]
	}
	return nil
}

// varints is how many numbers eachVarint visits.
func varints(f field) (n int) {
	if f.typ == protowire.VarintType {
		n++
	}
	for _, b := range f.b {
		n += int(^b >> 7) // the last byte of a number
	}
	return n
}

func eachVarint(f field, do func(uint64)) error {
	if f.typ == protowire.VarintType {
		do(f.u)
	}
	if f.typ != protowire.BytesType {
		return nil
	}
	for b := f.b; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		do(v)
		b = b[n:]
	}
	return nil
}

// IsONNX reports whether a file that begins with head (a few hundred bytes are
// enough) looks like an ONNX model. The format has no magic number; this
// checks that the bytes are the fields of a model in their types, beginning
// with a plausible format version.
func IsONNX(head []byte) bool {
	want := map[protowire.Number]protowire.Type{1: protowire.VarintType, 2: protowire.BytesType, 3: protowire.BytesType,
		4: protowire.BytesType, 5: protowire.VarintType, 6: protowire.BytesType, 7: protowire.BytesType,
		8: protowire.BytesType, 14: protowire.BytesType, 20: protowire.BytesType, 25: protowire.BytesType, 26: protowire.BytesType}
	version, sure := false, false
	for b := head; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		if t, ok := want[num]; !ok || t != typ {
			return false
		}
		b = b[n:]
		if typ == protowire.BytesType {
			size, n := protowire.ConsumeVarint(b)
			if n < 0 {
				break
			}
			b = b[n:]
			text := b[:min(uint64(len(b)), size)]
			if num == 2 && strings.ContainsFunc(string(text), func(r rune) bool { return r < ' ' }) {
				return false
			}
			sure = sure || num == 7 || num == 8 || num == 2
			if size > uint64(len(b)) {
				break
			}
			b = b[size:]
			continue
		}
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			break
		}
		b = b[n:]
		if num == 1 {
			if v < 1 || v > 100 {
				return false
			}
			version = true
		}
	}
	return version && sure
}
