// Package pickle reads Python's pickles as data. Nothing is executed: a call that
// a pickle asks for comes out as the name of the function and its arguments, and
// only names that the caller knows are let through at all.
//
// The format is described in Python's pickletools.py; protocols 0 to 5 are read,
// without extension codes and buffers kept elsewhere.
package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unsafe"
)

// What comes out is made of nil, bool, int64, *big.Int, float64, string and the
// types below. Values that Python shares are shared.
type (
	// Bytes are bytes, and what Python 2 called a string.
	Bytes string
	// Tuple is a tuple.
	Tuple []any
	// List is a list, or a set.
	List struct{ Items []any }
	// Dict has its pairs in their order; a key may come twice, the last one counts.
	Dict struct{ Pairs []Pair }
	Pair struct{ Key, Value any }
	// Global is the name of a function or class.
	Global struct{ Module, Name string }
	// Call is a function's result or a class's object, with what was put into it
	// afterwards.
	Call struct {
		Func  Global
		Args  Tuple
		State any // what it is to be built from; nil: nothing
		Items []any
		Pairs []Pair
	}
	// Reference is an object that is kept outside the pickle.
	Reference struct{ ID any }
)

func (g Global) String() string { return g.Module + "." + g.Name }

// Get returns the value of a text key, as string or Bytes; nil if there is none.
func (d *Dict) Get(key string) any {
	for i := len(d.Pairs) - 1; i >= 0; i-- {
		if s, ok := Text(d.Pairs[i].Key); ok && s == key {
			return d.Pairs[i].Value
		}
	}
	return nil
}

// Raw are the bytes without a copy: they must not be changed.
func (b Bytes) Raw() []byte { return unsafe.Slice(unsafe.StringData(string(b)), len(b)) }

// Text is a string or bytes as a string.
func Text(v any) (string, bool) {
	switch s := v.(type) {
	case string:
		return s, true
	case Bytes:
		return string(s), true
	}
	return "", false
}

// Unknown is the error about a pickle that names a function or class that the
// caller does not know.
type Unknown struct{ Global Global }

func (e *Unknown) Error() string {
	name := strconv.Quote(fmt.Sprintf("%.80s", e.Global)) // it may be any bytes
	return fmt.Sprintf("the pickle calls %s, which is not known to be data", name[1:len(name)-1])
}

// maxSteps bounds the operations of a pickle, each of which may make a small object, and so what is on the stack.
const maxSteps = 1 << 20

// Decode reads the first pickle in data; known says which functions and classes
// it may name. Texts and bytes that come out share data's memory, which must stay
// as it is.
func Decode(data []byte, known func(Global) bool) (any, error) {
	d := &decoder{data: data, known: known, memo: map[uint64]any{}}
	for range maxSteps {
		done, err := d.step()
		if err != nil {
			return nil, fmt.Errorf("byte %d: %w", d.at, err)
		}
		if done {
			return d.stack[len(d.stack)-1], nil
		}
	}
	return nil, fmt.Errorf("byte %d: a pickle of more than %d operations", d.at, maxSteps)
}

type decoder struct {
	data  []byte
	at    int
	known func(Global) bool
	stack []any
	marks []int
	memo  map[uint64]any

	encoded int // bytes that texts became
}

var errEnd = errors.New("the pickle ends too early")

func (d *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.data)-d.at) {
		return nil, errEnd
	}
	b := d.data[d.at : d.at+int(n)]
	d.at += int(n)
	return b, nil
}

// number reads n bytes, little-endian.
func (d *decoder) number(n int) (uint64, error) {
	b, err := d.take(uint64(n))
	if err != nil {
		return 0, err
	}
	var all [8]byte
	copy(all[:], b)
	return binary.LittleEndian.Uint64(all[:]), nil
}

// counted reads as many bytes as a number of n bytes says.
func (d *decoder) counted(n int) (string, error) {
	size, err := d.number(n)
	if err != nil {
		return "", err
	}
	b, err := d.take(size)
	return unsafe.String(unsafe.SliceData(b), len(b)), err
}

func (d *decoder) line() (string, error) {
	n := bytes.IndexByte(d.data[d.at:], '\n')
	if n < 0 {
		return "", errEnd
	}
	b, err := d.take(uint64(n + 1))
	return strings.TrimSuffix(string(b[:n]), "\r"), err
}

// maxDigits bounds a number that is written out.
const maxDigits = 1000

// digits reads a line that is a number.
func (d *decoder) digits() (string, error) {
	s, err := d.line()
	if len(s) > maxDigits {
		return "", fmt.Errorf("a number of %d digits, want at most %d", len(s), maxDigits)
	}
	return s, err
}

func (d *decoder) push(v any) error {
	d.stack = append(d.stack, v)
	return nil
}

func (d *decoder) pop() (any, error) {
	floor := 0
	if len(d.marks) > 0 {
		floor = d.marks[len(d.marks)-1]
	}
	if len(d.stack) <= floor {
		return nil, errors.New("a value is missing")
	}
	v := d.stack[len(d.stack)-1]
	d.stack = d.stack[:len(d.stack)-1]
	return v, nil
}

// popMark takes everything above the last mark.
func (d *decoder) popMark() ([]any, error) {
	if len(d.marks) == 0 {
		return nil, errors.New("a mark is missing")
	}
	at := d.marks[len(d.marks)-1]
	d.marks = d.marks[:len(d.marks)-1]
	items := append([]any{}, d.stack[at:]...)
	d.stack = d.stack[:at]
	return items, nil
}

// popN takes the last n values.
func (d *decoder) popN(n int) ([]any, error) {
	items := make([]any, n)
	for i := n - 1; i >= 0; i-- {
		v, err := d.pop()
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return items, nil
}

func (d *decoder) top() (any, error) {
	v, err := d.pop()
	if err == nil {
		err = d.push(v)
	}
	return v, err
}

// step does one instruction; done is true at the end.
func (d *decoder) step() (done bool, err error) {
	b, err := d.take(1)
	if err != nil {
		return false, err
	}
	switch op := b[0]; op {
	case '.':
		_, err := d.top()
		return true, err
	case 0x80: // PROTO
		_, err := d.number(1)
		return false, err
	case 0x95: // FRAME
		_, err := d.number(8)
		return false, err
	case '(':
		d.marks = append(d.marks, len(d.stack))
		return false, nil
	case '0':
		_, err := d.pop()
		if err != nil && len(d.marks) > 0 {
			_, err = d.popMark()
		}
		return false, err
	case '1':
		_, err := d.popMark()
		return false, err
	case 'p', 'q', 'r', 0x94:
		return false, d.put(op)
	case 'a', 'e', 0x90, 's', 'u', 'b':
		return false, d.fill(op)
	default:
		v, err := d.value(op)
		if err == nil {
			err = d.push(v)
		}
		return false, err
	}
}

// index reads the number of a remembered value: of one byte, four, or a line.
func (d *decoder) index(line, short bool) (uint64, error) {
	switch {
	case line:
		s, err := d.digits()
		if err != nil {
			return 0, err
		}
		return strconv.ParseUint(s, 10, 64)
	case short:
		return d.number(1)
	}
	return d.number(4)
}

func (d *decoder) put(op byte) error {
	at := uint64(len(d.memo))
	if op != 0x94 {
		var err error
		if at, err = d.index(op == 'p', op == 'q'); err != nil {
			return err
		}
	}
	v, err := d.top()
	if err == nil {
		d.memo[at] = v
	}
	return err
}

// value is what an instruction pushes.
func (d *decoder) value(op byte) (any, error) {
	switch op {
	case 'N':
		return nil, nil
	case 0x88, 0x89:
		return op == 0x88, nil
	case '}':
		return &Dict{}, nil
	case ']', 0x8f:
		return &List{}, nil
	case ')':
		return Tuple{}, nil
	case '2':
		return d.top()
	case 'g', 'h', 'j':
		at, err := d.index(op == 'g', op == 'h')
		if err != nil {
			return nil, err
		}
		v, ok := d.memo[at]
		if !ok {
			return nil, fmt.Errorf("nothing is remembered as %d", at)
		}
		return v, nil
	case 't', 'l', 'd', 0x91:
		items, err := d.popMark()
		if err != nil {
			return nil, err
		}
		switch op {
		case 't':
			return Tuple(items), nil
		case 'd':
			p, err := pairs(items)
			return &Dict{p}, err
		}
		return &List{items}, nil
	case 0x85, 0x86, 0x87:
		items, err := d.popN(int(op) - 0x84)
		return Tuple(items), err
	case 'J', 'K', 'M', 'I', 'L', 0x8a, 0x8b, 'F', 'G':
		return d.numeral(op)
	case 'S', 'T', 'U', 'V', 'X', 0x8c, 0x8d, 'B', 'C', 0x8e, 0x96:
		return d.text(op)
	}
	return d.object(op)
}

func (d *decoder) numeral(op byte) (any, error) {
	switch op {
	case 'J':
		v, err := d.number(4)
		return int64(int32(v)), err
	case 'K':
		v, err := d.number(1)
		return int64(v), err
	case 'M':
		v, err := d.number(2)
		return int64(v), err
	case 'G':
		b, err := d.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case 0x8a, 0x8b:
		width := 1
		if op == 0x8b {
			width = 4
		}
		s, err := d.counted(width)
		if err != nil {
			return nil, err
		}
		return long([]byte(s))
	}
	s, err := d.digits()
	switch {
	case err != nil:
		return nil, err
	case op == 'F':
		return strconv.ParseFloat(s, 64)
	case op == 'I' && (s == "00" || s == "01"):
		return s == "01", nil
	}
	v, ok := new(big.Int).SetString(strings.TrimSuffix(s, "L"), 10)
	if !ok {
		return nil, fmt.Errorf("%q is no number", s)
	}
	return small(v), nil
}

// long is a number in two's complement, little-endian.
func long(b []byte) (any, error) {
	if len(b) > 1000 {
		return nil, errors.New("a number is too long")
	}
	negative := len(b) > 0 && b[len(b)-1]&0x80 != 0
	big1 := make([]byte, len(b))
	for i, v := range b {
		big1[len(b)-1-i] = v
	}
	v := new(big.Int).SetBytes(big1)
	if negative {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return small(v), nil
}

func small(v *big.Int) any {
	if v.IsInt64() {
		return v.Int64()
	}
	return v
}

func (d *decoder) text(op byte) (any, error) {
	width := map[byte]int{'T': 4, 'U': 1, 'X': 4, 0x8c: 1, 0x8d: 8, 'B': 4, 'C': 1, 0x8e: 8, 0x96: 8}[op]
	if width > 0 {
		s, err := d.counted(width)
		if op == 'X' || op == 0x8c || op == 0x8d {
			return s, err
		}
		return Bytes(s), err
	}
	s, err := d.line()
	if err != nil {
		return nil, err
	}
	if op == 'V' {
		return rawUnicode(s)
	}
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' {
		return nil, errors.New("a string has no quotes")
	}
	return unquote(s[1 : len(s)-1])
}

// rawUnicode reads a text of protocol 0: Latin-1, other characters as \uXXXX or
// \UXXXXXXXX.
func rawUnicode(s string) (string, error) {
	var out strings.Builder
	for len(s) > 0 {
		n := 0
		switch {
		case strings.HasPrefix(s, `\u`):
			n = 4
		case strings.HasPrefix(s, `\U`):
			n = 8
		}
		if n > 0 {
			if len(s) < 2+n {
				return "", errEnd
			}
			v, err := strconv.ParseUint(s[2:2+n], 16, 32)
			if err != nil || v > 0x10ffff {
				return "", errors.New("a text has an escape that is not known")
			}
			out.WriteRune(rune(v))
			s = s[2+n:]
			continue
		}
		out.WriteRune(rune(s[0]))
		s = s[1:]
	}
	return out.String(), nil
}

// unquote reads the escapes of Python 2's repr.
func unquote(s string) (Bytes, error) {
	var out []byte
	for len(s) > 0 {
		if s[0] != '\\' {
			out, s = append(out, s[0]), s[1:]
			continue
		}
		if len(s) >= 4 && s[1] == 'x' {
			v, err := strconv.ParseUint(s[2:4], 16, 8)
			if err != nil {
				return "", errors.New("a string has an escape that is not known")
			}
			out, s = append(out, byte(v)), s[4:]
			continue
		}
		at := -1
		if len(s) > 1 {
			at = strings.IndexByte(`\'"nrt`, s[1])
		}
		if at < 0 {
			return "", errors.New("a string has an escape that is not known")
		}
		out, s = append(out, "\\'\"\n\r\t"[at]), s[2:]
	}
	return Bytes(out), nil
}

// object is an instruction about names, calls and references.
func (d *decoder) object(op byte) (any, error) {
	switch op {
	case 'c', 'i':
		module, err := d.line()
		if err != nil {
			return nil, err
		}
		name, err := d.line()
		if err != nil {
			return nil, err
		}
		g, err := d.global(module, name)
		if err != nil || op == 'c' {
			return g, err
		}
		args, err := d.popMark()
		return &Call{Func: g, Args: args}, err
	case 0x93:
		v, err := d.popN(2)
		if err != nil {
			return nil, err
		}
		module, ok := v[0].(string)
		name, ok2 := v[1].(string)
		if !ok || !ok2 {
			return nil, errors.New("a name is no text")
		}
		return d.global(module, name)
	case 'R', 0x81, 0x92, 'o':
		return d.call(op)
	case 'P':
		s, err := d.line()
		return &Reference{s}, err
	case 'Q':
		v, err := d.pop()
		return &Reference{v}, err
	}
	return nil, fmt.Errorf("instruction %#x is not known", op)
}

// encode is how bytes are written by protocols that have none.
var encode = Global{"_codecs", "encode"}

// latin1 is a call of encode as the bytes it makes; ok is false if it is another call.
func latin1(f Global, args Tuple) (b Bytes, ok bool) {
	if f != encode || len(args) != 2 {
		return "", false
	}
	text, ok := args[0].(string)
	if code, _ := Text(args[1]); code != "latin1" {
		return "", false
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 255 {
			return "", false
		}
		out = append(out, byte(r))
	}
	return Bytes(out), ok
}

func (d *decoder) global(module, name string) (Global, error) {
	g := Global{module, name}
	if g != encode && !d.known(g) {
		return g, &Unknown{g}
	}
	return g, nil
}

func (d *decoder) call(op byte) (any, error) {
	var v []any
	var err error
	switch op {
	case 'o':
		if v, err = d.popMark(); err == nil && len(v) == 0 {
			err = errors.New("a value is missing")
		}
		if err == nil {
			v = []any{v[0], Tuple(v[1:])}
		}
	case 0x92:
		v, err = d.popN(3)
	default:
		v, err = d.popN(2)
	}
	if err != nil {
		return nil, err
	}
	f, ok := v[0].(Global)
	args, ok2 := v[1].(Tuple)
	if !ok || !ok2 {
		return nil, errors.New("it calls what is no function's name")
	}
	if len(v) == 3 {
		if named, ok := v[2].(*Dict); !ok || len(named.Pairs) > 0 {
			return nil, fmt.Errorf("it calls %v with named arguments", f)
		}
	}
	if b, ok := latin1(f, args); ok {
		if d.encoded += len(b); d.encoded > len(d.data) { // the same text again and again
			return nil, fmt.Errorf("more than %d bytes of text are turned into bytes", len(d.data))
		}
		return b, nil
	}
	if f == encode {
		return nil, errors.New("it encodes text as what is not latin1")
	}
	return &Call{Func: f, Args: args}, nil
}

// fill puts values into the one below them.
func (d *decoder) fill(op byte) error {
	var items []any
	var err error
	switch op {
	case 'e', 0x90, 'u':
		items, err = d.popMark()
	case 's':
		items, err = d.popN(2)
	default:
		items, err = d.popN(1)
	}
	if err != nil {
		return err
	}
	into, err := d.top()
	if err != nil {
		return err
	}
	if op == 's' || op == 'u' {
		p, err := pairs(items)
		if err != nil {
			return err
		}
		switch to := into.(type) {
		case *Dict:
			to.Pairs = append(to.Pairs, p...)
			return nil
		case *Call:
			to.Pairs = append(to.Pairs, p...)
			return nil
		}
		return errors.New("pairs go into what is no dictionary")
	}
	switch to := into.(type) {
	case *List:
		if op != 'b' {
			to.Items = append(to.Items, items...)
			return nil
		}
	case *Call:
		if op == 'b' {
			to.State = items[0]
		} else {
			to.Items = append(to.Items, items...)
		}
		return nil
	}
	return errors.New("values go into what does not hold any")
}

func pairs(items []any) ([]Pair, error) {
	if len(items)%2 != 0 {
		return nil, errors.New("a key has no value")
	}
	var p []Pair
	for i := 0; i < len(items); i += 2 {
		p = append(p, Pair{items[i], items[i+1]})
	}
	return p, nil
}
