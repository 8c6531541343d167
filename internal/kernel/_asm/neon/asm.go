package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/arch/arm64/arm64asm"
)

// asm collects a file of arm64 assembly in Go's syntax. Vector instructions are written as WORD with the usual
// mnemonic behind, for Go's assembler knows few of them; check compares that with a disassembler.
type asm struct {
	s     bytes.Buffer
	words []word
	f     *function // the one being written
	masks bool      // loads or stores of some lanes occur
}

type word struct {
	code uint32
	text string
}

// vreg is V0 to V31.
type vreg int

func (v vreg) String() string { return fmt.Sprintf("V%d", int(v)) }

// f is its lowest float.
func (v vreg) f() string { return fmt.Sprintf("F%d", int(v)) }

// Registers for the translation itself. R16 to R18 and R27 to R30 have other uses.
const (
	tempAddr = 19 // an address
	temp     = 20
	temp2    = 21
)

// maskRegs hold the masks of eight lanes, two in each, and what is loaded; laneRegs what is stored.
var (
	maskRegs = [4]int{15, 20, 22, 23}
	laneRegs = [4]int{24, 25, 26, 21}
)

// op writes a line in Go's syntax.
func (a *asm) op(format string, args ...any) { fmt.Fprintf(&a.s, "\t"+format+"\n", args...) }

func (a *asm) label(l string) { fmt.Fprintf(&a.s, "\n%s:\n", l) }

func (a *asm) word(code uint32, format string, args ...any) {
	w := word{code, fmt.Sprintf(format, args...)}
	a.words = append(a.words, w)
	fmt.Fprintf(&a.s, "\tWORD $0x%08x // %s\n", w.code, w.text)
}

// three are instructions d = n op m on four floats, whole numbers, or all bits.
var three = map[string]uint32{
	"fadd": 0x4e20d400, "fsub": 0x4ea0d400, "fmul": 0x6e20dc00, "fdiv": 0x6e20fc00, "fmla": 0x4e20cc00, "fmls": 0x4ea0cc00,
	"fcmeq": 0x4e20e400, "fcmge": 0x6e20e400, "fcmgt": 0x6ea0e400,
	"add": 0x4ea08400, "sub": 0x6ea08400, "ushl": 0x6ea04400, "smax": 0x4ea06400,
	"zip1": 0x4e803800, "zip2": 0x4e807800, "uzp1": 0x4e801800, "uzp2": 0x4e805800,
}

// bits are instructions on all bits of a vector.
var bits = map[string]uint32{
	"and": 0x4e201c00, "orr": 0x4ea01c00, "eor": 0x6e201c00, "bic": 0x4e601c00, "bsl": 0x6e601c00, "bit": 0x6ea01c00, "bif": 0x6ee01c00,
}

// pairs are instructions on two halves of a vector.
var pairs = map[string]uint32{"zip1": 0x4ec03800, "zip2": 0x4ec07800}

// two are instructions d = op n.
var two = map[string]uint32{"frintn": 0x4e218800, "fcvtns": 0x4e21a800, "fsqrt": 0x6ea1f800, "rev64": 0x4ea00800}

func (a *asm) three(name string, d, n, m vreg) {
	if code, ok := bits[name]; ok {
		a.word(code|uint32(m)<<16|uint32(n)<<5|uint32(d), "%s v%d.16b, v%d.16b, v%d.16b", name, d, n, m)
		return
	}
	a.word(three[name]|uint32(m)<<16|uint32(n)<<5|uint32(d), "%s v%d.4s, v%d.4s, v%d.4s", name, d, n, m)
}

func (a *asm) pairs(name string, d, n, m vreg) {
	a.word(pairs[name]|uint32(m)<<16|uint32(n)<<5|uint32(d), "%s v%d.2d, v%d.2d, v%d.2d", name, d, n, m)
}

func (a *asm) two(name string, d, n vreg) {
	a.word(two[name]|uint32(n)<<5|uint32(d), "%s v%d.4s, v%d.4s", name, d, n)
}

func (a *asm) not(d, n vreg) {
	a.word(0x6e205800|uint32(n)<<5|uint32(d), "mvn v%d.16b, v%d.16b", d, n)
}

// byElem are products with one float of m.
var byElem = map[string]uint32{"fmla": 0x4f801000, "fmls": 0x4f805000, "fmul": 0x4f809000}

func (a *asm) byElem(name string, d, n, m vreg) {
	a.word(byElem[name]|uint32(m)<<16|uint32(n)<<5|uint32(d), "%s v%d.4s, v%d.4s, v%d.s[0]", name, d, n, m)
}

// shift moves the bits of each float by n places: shl, sshr or ushr.
func (a *asm) shift(name string, d, s vreg, n int) {
	code := map[string]uint32{"shl": 0x4f005400 | uint32(32+n)<<16, "sshr": 0x4f000400 | uint32(64-n)<<16, "ushr": 0x6f000400 | uint32(64-n)<<16}[name]
	a.word(code|uint32(s)<<5|uint32(d), "%s v%d.4s, v%d.4s, #%d", name, d, s, n)
}

// ext takes the high half of n and the low half of m.
func (a *asm) ext(d, n, m vreg) {
	a.word(0x6e004000|uint32(m)<<16|uint32(n)<<5|uint32(d), "ext v%d.16b, v%d.16b, v%d.16b, #8", d, n, m)
}

// dup copies the first float of n.
func (a *asm) dup(d, n vreg) {
	a.word(0x4e040400|uint32(n)<<5|uint32(d), "dup v%d.4s, v%d.s[0]", d, n)
}

func (a *asm) zero(d vreg) { a.three("eor", d, d, d) }

func (a *asm) move(d, n vreg) {
	if d != n {
		a.word(0x4ea01c00|uint32(n)<<16|uint32(n)<<5|uint32(d), "mov v%d.16b, v%d.16b", d, n)
	}
}

// check disassembles all words and compares with what is written behind them.
func (a *asm) check() error {
	for _, w := range a.words {
		i, err := arm64asm.Decode(binary.LittleEndian.AppendUint32(nil, w.code))
		if err != nil {
			return fmt.Errorf("%08x, %s: %v", w.code, w.text, err)
		}
		if got := arm64asm.GNUSyntax(i); got != w.text {
			return fmt.Errorf("%08x is %s, not %s", w.code, got, w.text)
		}
	}
	return nil
}
