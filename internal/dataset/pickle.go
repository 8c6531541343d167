package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/deconvnet/viz/internal/npy"
)

// A pickle is a program for a machine with a stack. This machine knows the instructions that data sets use, makes only
// numbers, texts, lists, dicts and NumPy arrays, and calls nothing: a name of a function is a name, and of those only the
// ones that build arrays mean something. Texts and arrays stay where they are in the file.

// maxPickled is the most values that one pickle may make.
const maxPickled = 1 << 20

type (
	pyList   struct{ items []any }
	pyDict   struct{ keys, values []any }
	pyTuple  []any
	pyName   string // module and name of a class or function
	pyMark   struct{}
	pyType   struct{ descr string } // numpy.dtype
	pyArray  struct{ array *npy.Raw }
	pyObject struct{} // what is not known, and not needed
)

// get returns the value of a key, which Python 2 wrote as bytes.
func (d *pyDict) get(key string) any {
	for i, k := range d.keys {
		if b, ok := k.([]byte); ok && string(b) == key {
			return d.values[i]
		}
	}
	return nil
}

type unpickler struct {
	in    []byte
	at    int
	stack []any
	memo  map[int]any
	made  int
	bytes int // of texts that were turned into bytes
}

// unpickle returns the value of a pickle of protocol 0 to 5.
func unpickle(in []byte) (v any, err error) {
	u := &unpickler{in: in, memo: map[int]any{}}
	for {
		at := u.at
		op, err := u.byte()
		if err == nil {
			if op == '.' {
				return u.pop()
			}
			err = u.step(op)
		}
		if err == nil && (u.made > maxPickled || len(u.stack) > maxPickled || len(u.memo) > maxPickled) {
			err = fmt.Errorf("more than %d values", maxPickled)
		}
		if err != nil {
			return nil, fmt.Errorf("pickle: offset %d: %w", at, err)
		}
	}
}

var errPickleEnd = errors.New("the file ends early")

func (u *unpickler) byte() (byte, error) {
	if u.at >= len(u.in) {
		return 0, errPickleEnd
	}
	u.at++
	return u.in[u.at-1], nil
}

// take returns the next n bytes.
func (u *unpickler) take(n uint64) ([]byte, error) {
	if n > uint64(len(u.in)-u.at) {
		return nil, errPickleEnd
	}
	b := u.in[u.at : u.at+int(n) : u.at+int(n)]
	u.at += int(n)
	return b, nil
}

// sized returns bytes whose number stands before them in size bytes.
func (u *unpickler) sized(size uint64) ([]byte, error) {
	n, err := u.uint(size)
	if err != nil {
		return nil, err
	}
	return u.take(n)
}

func (u *unpickler) uint(size uint64) (uint64, error) {
	b, err := u.take(size)
	if err != nil {
		return 0, err
	}
	var w [8]byte
	copy(w[:], b)
	return binary.LittleEndian.Uint64(w[:]), nil
}

// line returns what stands before the next newline.
func (u *unpickler) line() ([]byte, error) {
	i := bytes.IndexByte(u.in[u.at:], '\n')
	if i < 0 {
		return nil, errPickleEnd
	}
	b := u.in[u.at : u.at+i]
	u.at += i + 1
	return bytes.TrimSuffix(b, []byte("\r")), nil
}

func (u *unpickler) push(v any) {
	u.made++
	u.stack = append(u.stack, v)
}

func (u *unpickler) pop() (any, error) {
	if len(u.stack) == 0 {
		return nil, fmt.Errorf("the stack is empty")
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v, nil
}

func (u *unpickler) top() (any, error) {
	if len(u.stack) == 0 {
		return nil, fmt.Errorf("the stack is empty")
	}
	return u.stack[len(u.stack)-1], nil
}

// popN takes n values, in their order.
func (u *unpickler) popN(n int) ([]any, error) {
	if n > len(u.stack) {
		return nil, fmt.Errorf("the stack has %d values, want %d", len(u.stack), n)
	}
	v := append([]any{}, u.stack[len(u.stack)-n:]...)
	u.stack = u.stack[:len(u.stack)-n]
	u.made += n
	return v, nil
}

// popMark takes what is above the last mark, and the mark.
func (u *unpickler) popMark() ([]any, error) {
	for i := len(u.stack) - 1; i >= 0; i-- {
		if _, ok := u.stack[i].(pyMark); ok {
			v, err := u.popN(len(u.stack) - 1 - i)
			u.stack = u.stack[:i]
			return v, err
		}
	}
	return nil, fmt.Errorf("there is no mark")
}

// step does one instruction.
func (u *unpickler) step(op byte) error {
	switch op {
	case '(':
		u.push(pyMark{})
	case 'N':
		u.push(nil)
	case '\x88', '\x89':
		u.push(int64('\x89' - op))
	case ']':
		u.push(&pyList{})
	case '}':
		u.push(&pyDict{})
	case ')':
		u.push(pyTuple{})
	case '0':
		_, err := u.pop()
		return err
	case '1':
		_, err := u.popMark()
		return err
	case '\x80': // the protocol
		v, err := u.byte()
		if err == nil && v > 5 {
			err = fmt.Errorf("protocol %d, want at most 5", v)
		}
		return err
	case '\x95': // a frame: only its length, which we do not need
		_, err := u.take(8)
		return err
	case 'q', 'r', 'p', '\x94', 'h', 'j', 'g':
		return u.remember(op)
	case 't', 'l', 'd', '\x85', '\x86', '\x87', 'a', 'e', 's', 'u':
		return u.collect(op)
	case 'c', '\x93', 'R', 'b', '\x81':
		return u.object(op)
	default:
		v, err := u.literal(op)
		if err != nil {
			return err
		}
		u.push(v)
	}
	return nil
}

// literal reads a number or a text.
func (u *unpickler) literal(op byte) (any, error) {
	number := func(size uint64) (any, error) {
		v, err := u.uint(size)
		return int64(v), err
	}
	switch op {
	case 'K':
		return number(1)
	case 'M':
		return number(2)
	case 'J':
		v, err := u.uint(4)
		return int64(int32(v)), err
	case 'G':
		b, err := u.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case '\x8a':
		b, err := u.sized(1)
		if err != nil || len(b) > 8 {
			return nil, errors.Join(err, fmt.Errorf("an integer of %d bytes", len(b)))
		}
		var v uint64
		for i, x := range b {
			v |= uint64(x) << (8 * i)
		}
		if n := len(b); n > 0 && n < 8 && b[n-1] > 127 {
			v |= math.MaxUint64 << (8 * n)
		}
		return int64(v), nil
	case 'I', 'L', 'F', 'S', 'V':
		b, err := u.line()
		if err != nil {
			return nil, err
		}
		return textLiteral(op, b)
	case 'U', 'C', '\x8c':
		return anyBytes(u.sized(1))
	case 'T', 'X', 'B':
		return anyBytes(u.sized(4))
	case '\x8d', '\x8e', '\x96':
		return anyBytes(u.sized(8))
	}
	return nil, fmt.Errorf("instruction %q is not read: files of CIFAR do not need it", op)
}

func anyBytes(b []byte, err error) (any, error) { return b, err }

// textLiteral reads what protocol 0 writes as a line.
func textLiteral(op byte, b []byte) (any, error) {
	s := string(b)
	switch op {
	case 'I', 'L':
		if op == 'L' && len(s) > 0 && s[len(s)-1] == 'L' {
			s = s[:len(s)-1]
		}
		v, err := strconv.ParseInt(s, 10, 64)
		return v, err
	case 'F':
		v, err := strconv.ParseFloat(s, 64)
		return v, err
	case 'V': // raw-unicode-escape: only \uXXXX means something
		var out []byte
		for i := 0; i < len(s); i++ {
			if s[i] == '\\' && i+6 <= len(s) && s[i+1] == 'u' {
				if v, err := strconv.ParseUint(s[i+2:i+6], 16, 32); err == nil {
					out = utf8.AppendRune(out, rune(v))
					i += 5
					continue
				}
			}
			out = utf8.AppendRune(out, rune(s[i]))
		}
		return out, nil
	}
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' {
		return nil, fmt.Errorf("%.20q is no text in quotes", s)
	}
	var out []byte
	for rest := s[1 : len(s)-1]; rest != ""; {
		if len(rest) > 1 && rest[0] == '\\' && (rest[1] == '\'' || rest[1] == '"') {
			out, rest = append(out, rest[1]), rest[2:]
			continue
		}
		v, multi, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			return nil, fmt.Errorf("%.20q is no text", s)
		}
		if multi {
			out = utf8.AppendRune(out, v)
		} else {
			out = append(out, byte(v))
		}
		rest = tail
	}
	return out, nil
}

// remember stores the top of the stack, or pushes what was stored.
func (u *unpickler) remember(op byte) error {
	var n uint64
	var err error
	switch op {
	case 'q', 'h':
		n, err = u.uint(1)
	case 'r', 'j':
		n, err = u.uint(4)
	case 'p', 'g':
		var b []byte
		if b, err = u.line(); err == nil {
			n, err = strconv.ParseUint(string(b), 10, 31)
		}
	case '\x94':
		n = uint64(len(u.memo))
	}
	if err != nil {
		return err
	}
	if op == 'h' || op == 'j' || op == 'g' {
		v, ok := u.memo[int(n)]
		if !ok {
			return fmt.Errorf("nothing is stored as %d", n)
		}
		u.push(v)
		return nil
	}
	v, err := u.top()
	if err == nil {
		u.memo[int(n)] = v
	}
	return err
}

// collect makes tuples, lists and dicts, or adds to them.
func (u *unpickler) collect(op byte) error {
	var v []any
	var err error
	switch op {
	case '\x85', '\x86', '\x87':
		v, err = u.popN(int(op-'\x85') + 1)
	case 'a':
		v, err = u.popN(1)
	case 's':
		v, err = u.popN(2)
	default:
		v, err = u.popMark()
	}
	if err != nil {
		return err
	}
	switch op {
	case 't', '\x85', '\x86', '\x87':
		u.push(pyTuple(v))
		return nil
	case 'l':
		u.push(&pyList{v})
		return nil
	case 'd':
		u.push(&pyDict{})
	}
	to, err := u.top()
	if err != nil {
		return err
	}
	switch to := to.(type) {
	case *pyList:
		if op == 'a' || op == 'e' {
			to.items = append(to.items, v...)
			return nil
		}
	case *pyDict:
		if op != 'a' && op != 'e' && len(v)%2 == 0 {
			for i := 0; i < len(v); i += 2 {
				to.keys, to.values = append(to.keys, v[i]), append(to.values, v[i+1])
			}
			return nil
		}
	}
	return fmt.Errorf("instruction %q has nothing to add to", op)
}
