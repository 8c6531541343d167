package model

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting is how deep JSON in a checkpoint may nest.
const maxNesting = 64

// scanner reads JSON from files that nobody vouches for: in one pass, strictly
// (a key given twice is an error, names are case-sensitive, strings are valid
// UTF-8), and without a tree, so that what it allocates stays in proportion to
// the text. The caller asks for what it expects; the first mismatch stays in
// err with its byte offset and everything after it does nothing.
type scanner struct {
	s   string
	pos int
	err error
}

func (p *scanner) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("byte %d: %s", p.pos, fmt.Sprintf(format, args...))
	}
}

// peek skips white space and returns the next byte, 0 at the end or after an error.
func (p *scanner) peek() byte {
	for p.err == nil && p.pos < len(p.s) {
		switch c := p.s[p.pos]; c {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return c
		}
	}
	return 0
}

func (p *scanner) accept(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *scanner) expect(c byte) {
	if !p.accept(c) {
		p.unexpected(strconv.QuoteRune(rune(c)))
	}
}

func (p *scanner) unexpected(want string) {
	p.peek()
	if p.pos >= len(p.s) {
		p.fail("the text ends, want %s", want)
		return
	}
	p.fail("got %q, want %s", p.s[p.pos], want)
}

// end demands that nothing follows and returns the first error.
func (p *scanner) end() error {
	if p.peek(); p.err == nil && p.pos < len(p.s) {
		p.unexpected("the end")
	}
	return p.err
}

// object calls field for each key, to read the value.
func (p *scanner) object(field func(key string)) {
	p.expect('{')
	if p.accept('}') {
		return
	}
	seen := map[string]bool{}
	for p.err == nil {
		key := p.str()
		if seen[key] {
			p.fail("key %q is given twice", key)
		}
		seen[key] = true
		p.expect(':')
		if p.err == nil {
			field(key)
		}
		if p.accept('}') {
			return
		}
		p.expect(',')
	}
}

// array calls item for each element, to read it.
func (p *scanner) array(item func()) {
	p.expect('[')
	if p.accept(']') {
		return
	}
	for p.err == nil {
		item()
		if p.accept(']') {
			return
		}
		p.expect(',')
	}
}

// str reads a string. One without escapes shares memory with the text.
func (p *scanner) str() string {
	p.expect('"')
	if p.err != nil {
		return ""
	}
	start := p.pos
	var b []byte // the text so far, once an escape was met
	from := start
	for p.pos < len(p.s) {
		switch c := p.s[p.pos]; {
		case c == '"':
			out := p.s[from:p.pos]
			p.pos++
			if b != nil {
				out = string(append(b, out...))
			}
			if !utf8.ValidString(out) {
				p.fail("the string before is not UTF-8")
			}
			return out
		case c < 0x20:
			p.fail("control character %#x in a string", c)
			return ""
		case c == '\\':
			if b == nil {
				b = make([]byte, 0, 64)
			}
			b = append(b, p.s[from:p.pos]...)
			b = p.escape(b)
			if p.err != nil {
				return ""
			}
			from = p.pos
		default:
			p.pos++
		}
	}
	p.fail("a string does not end")
	return ""
}

// escape reads what begins with a backslash and appends what it stands for.
func (p *scanner) escape(b []byte) []byte {
	if p.pos+1 >= len(p.s) {
		p.fail("a string does not end")
		return b
	}
	c := p.s[p.pos+1]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		p.pos += 2
		return append(b, "\"\\/\b\f\n\r\t"[i])
	}
	r := p.hex4()
	if utf16.IsSurrogate(r) {
		r = utf16.DecodeRune(r, p.hex4())
		if r == utf8.RuneError {
			p.fail("half a surrogate pair in a string")
		}
	}
	return utf8.AppendRune(b, r)
}

func (p *scanner) hex4() rune {
	s := p.s[p.pos:]
	if len(s) < 6 || s[:2] != `\u` {
		p.fail("a broken escape in a string")
		return 0
	}
	v, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		p.fail("a broken escape in a string")
	}
	p.pos += 6
	return rune(v)
}

// number reads a number and returns its text.
func (p *scanner) number() string {
	p.peek()
	start := p.pos
	at := func(set string) bool { return p.pos < len(p.s) && strings.IndexByte(set, p.s[p.pos]) >= 0 }
	digits := func() {
		if !at("0123456789") {
			p.unexpected("a digit")
		}
		for at("0123456789") {
			p.pos++
		}
	}
	if at("-") {
		p.pos++
	}
	if at("0") {
		p.pos++ // nothing but a fraction or an exponent may follow a leading 0
	} else {
		digits()
	}
	if at(".") {
		p.pos++
		digits()
	}
	if at("eE") {
		p.pos++
		if at("+-") {
			p.pos++
		}
		digits()
	}
	return p.s[start:p.pos]
}

// int reads a whole number between lo and hi.
func (p *scanner) int(lo, hi int64) int64 {
	text := p.number()
	if p.err != nil {
		return 0
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < lo || v > hi {
		p.fail("got %.40s, want a whole number from %d to %d", text, lo, hi)
		return 0
	}
	return v
}

// ints reads an array of just as many whole numbers from -limit to limit.
func (p *scanner) ints(v []int, limit int64) {
	n := 0
	p.array(func() {
		if n == len(v) {
			p.fail("more than %d numbers", n)
			return
		}
		v[n] = int(p.int(-limit, limit))
		n++
	})
	if n < len(v) {
		p.fail("%d numbers, want %d", n, len(v))
	}
}

// float reads a number of 32 or 64 bits. JSON has no infinities: they are
// strings.
func (p *scanner) float(bits int) float64 {
	if p.peek() == '"' {
		switch s := p.str(); s {
		case "inf":
			return math.Inf(1)
		case "-inf":
			return math.Inf(-1)
		default:
			p.fail("got %.40q, want a number", s)
			return 0
		}
	}
	text := p.number()
	if p.err != nil {
		return 0
	}
	v, err := strconv.ParseFloat(text, bits)
	if err != nil {
		p.fail("%.40s does not fit in %d bits", text, bits)
	}
	return v
}

func (p *scanner) bool() bool {
	switch p.peek() {
	case 't':
		p.literal("true")
		return true
	case 'f':
		p.literal("false")
		return false
	}
	p.unexpected("true or false")
	return false
}

func (p *scanner) literal(word string) {
	if !strings.HasPrefix(p.s[p.pos:], word) {
		p.unexpected(word)
		return
	}
	p.pos += len(word)
}

// raw reads a value of any kind and returns its text.
func (p *scanner) raw() string {
	p.peek()
	start := p.pos
	p.skip(0)
	if p.err != nil {
		return ""
	}
	return p.s[start:p.pos]
}

func (p *scanner) skip(depth int) {
	if depth > maxNesting {
		p.fail("nested more than %d deep", maxNesting)
		return
	}
	switch p.peek() {
	case '{':
		p.object(func(string) { p.skip(depth + 1) })
	case '[':
		p.array(func() { p.skip(depth + 1) })
	case '"':
		p.str()
	case 't', 'f':
		p.bool()
	case 'n':
		p.literal("null")
	default:
		p.number()
	}
}

// appendString appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// appendFloat appends v in the shortest form that reads back as the same number
// of 32 or 64 bits.
func appendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, `"inf"`...)
	case math.IsInf(v, -1):
		return append(b, `"-inf"`...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits)
}
