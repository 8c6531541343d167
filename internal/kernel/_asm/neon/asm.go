package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/arch/arm64/arm64asm"
)

// asm collects a file of arm64 assembly in Go's syntax. Go's assembler knows few vector instructions: the others are
// macros that make a WORD of the numbers of registers. check compares what they make with a disassembler.
type asm struct {
	s      bytes.Buffer
	words  []word
	macros map[string]string   // definitions, by name
	f      *function           // the one being written
	masks  bool                // loads or stores of some lanes occur
	place_ string              // what the address register holds, if that is known
	data   map[string][]uint32 // constants, by symbol
}

func newAsm() *asm { return &asm{macros: map[string]string{}, data: map[string][]uint32{}} }

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

// A byte of a mask register is 0 for a lane that is there, else 255; laneBits passes one to the functions that load and
// store lanes.
const (
	firstMask = 22
	lastMask  = 26
	laneBits  = 15
)

// op writes a line in Go's syntax.
func (a *asm) op(format string, args ...any) { fmt.Fprintf(&a.s, "\t"+format+"\n", args...) }

func (a *asm) label(l string) {
	a.place_ = ""
	fmt.Fprintf(&a.s, "\n%s:\n", l)
}

// word writes an instruction on vectors, the destination first: a call of a macro. text is what a disassembler says of
// it, with %d for each register.
func (a *asm) word(macro string, code uint32, text string, regs ...vreg) {
	w := word{code: code}
	var args []any
	var call []string
	for i, r := range regs {
		w.code |= uint32(r) << []int{0, 5, 16}[i]
		args, call = append(args, int(r)), append(call, fmt.Sprint(int(r)))
	}
	w.text = fmt.Sprintf(text, args...)
	a.words = append(a.words, w)
	names := []string{"d", "n", "m"}[:len(regs)]
	sum := []string{"d", "n<<5", "m<<16"}[:len(regs)]
	a.macros[macro] = fmt.Sprintf("// %s\n#define %s(%s) WORD $(%#08x|%s)\n", strings.NewReplacer("%d", "#").Replace(text), macro, strings.Join(names, ", "), code, strings.Join(sum, "|"))
	a.op("%s(%s)", macro, strings.Join(call, ", "))
}

// definitions are the macros that the file uses.
func (a *asm) definitions() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.macros)) {
		b.WriteString(a.macros[name])
	}
	return b.String()
}

// three are instructions d = n op m on four floats, whole numbers, or all bits.
var three = map[string]uint32{
	"fadd": 0x4e20d400, "fsub": 0x4ea0d400, "fmul": 0x6e20dc00, "fdiv": 0x6e20fc00, "fmla": 0x4e20cc00, "fmls": 0x4ea0cc00,
	"fmax": 0x4e20f400, "fmin": 0x4ea0f400, "fcmeq": 0x4e20e400, "fcmge": 0x6e20e400, "fcmgt": 0x6ea0e400,
	"add": 0x4ea08400, "sub": 0x6ea08400, "ushl": 0x6ea04400, "smax": 0x4ea06400, "umax": 0x6ea06400, "umaxp": 0x6ea0a400,
	"cmhi": 0x6ea03400, "cmeq": 0x6ea08c00,
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
		a.word(name+"_16b", code, name+" v%d.16b, v%d.16b, v%d.16b", d, n, m)
		return
	}
	a.word(name+"_4s", three[name], name+" v%d.4s, v%d.4s, v%d.4s", d, n, m)
}

func (a *asm) pairs(name string, d, n, m vreg) {
	a.word(name+"_2d", pairs[name], name+" v%d.2d, v%d.2d, v%d.2d", d, n, m)
}

func (a *asm) two(name string, d, n vreg) {
	a.word(name+"_4s", two[name], name+" v%d.4s, v%d.4s", d, n)
}

func (a *asm) not(d, n vreg) { a.word("mvn_16b", 0x6e205800, "mvn v%d.16b, v%d.16b", d, n) }

// byElem are products with a float of m.
var byElem = map[string]uint32{"fmla": 0x4f801000, "fmls": 0x4f805000, "fmul": 0x4f809000}

func (a *asm) byElem(name string, d, n vreg, m element) {
	code := byElem[name] | uint32(m.i&1)<<21 | uint32(m.i>>1)<<11
	a.word(fmt.Sprintf("%s_4s%d", name, m.i), code, fmt.Sprintf("%s v%%d.4s, v%%d.4s, v%%d.s[%d]", name, m.i), d, n, m.v)
}

// shift moves the bits of each float by k places: shl, sshr or ushr.
func (a *asm) shift(name string, d, n vreg, k int) {
	code := map[string]uint32{"shl": 0x4f005400 | uint32(32+k)<<16, "sshr": 0x4f000400 | uint32(64-k)<<16, "ushr": 0x6f000400 | uint32(64-k)<<16}[name]
	a.word(fmt.Sprintf("%s_4s%d", name, k), code, fmt.Sprintf("%s v%%d.4s, v%%d.4s, #%d", name, k), d, n)
}

// ext takes the high half of n and the low half of m.
func (a *asm) ext(d, n, m vreg) { a.extBytes(d, n, m, 8) }

// extBytes takes the bytes of n from k on, and the first k of m.
func (a *asm) extBytes(d, n, m vreg, k int) {
	a.word(fmt.Sprintf("ext_16b%d", k), 0x6e000000|uint32(k)<<11, fmt.Sprintf("ext v%%d.16b, v%%d.16b, v%%d.16b, #%d", k), d, n, m)
}

// dup copies the first float of n.
func (a *asm) dup(d, n vreg) { a.word("dup_4s0", 0x4e040400, "dup v%d.4s, v%d.s[0]", d, n) }

func (a *asm) zero(d vreg) { a.three("eor", d, d, d) }

func (a *asm) move(d, n vreg) {
	if d != n {
		a.op("VMOV %v.B16, %v.B16", n, d)
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
