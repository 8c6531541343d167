package main

import (
	"fmt"
	"slices"
)

// class says how a vector register of eight floats is kept.
type class int

const (
	unused  class = iota
	full          // in two registers
	uniform       // all floats are equal: in one
	low           // only its low half is used
)

// function is what is known of the function being written.
type function struct {
	lines   []line
	class   [16]class
	lo, hi  [16]vreg
	temps   []vreg          // that no value is ever kept in
	busy    []uint16        // registers whose values count, by line
	out     []uint16        // registers whose values are read behind a line
	placed  map[[2]int]bool // halves of the result of a line that are where they belong already
	at      int             // line being written
	labels  map[string]int
	masks   map[int]int        // the general register that says which lanes a mask lacks, by vector register
	clamped int                // the line of a maximum that needs no sum behind it
	split   int                // the line of a shuffle that did the work of the next one
	asides  []func(a *asm)     // code that is seldom run, to be written behind the function
	frame   int                // bytes of the stack that the AVX2 function uses
	held    map[string]vreg    // constants kept in registers, by symbol
	parts   map[string]element // constants of which products take an element
}

// element is a float of a register.
type element struct {
	v vreg
	i int
}

// lanewise are instructions whose result is uniform if their operands are.
var lanewise = []string{"VADDPS", "VSUBPS", "VMULPS", "VDIVPS", "VSQRTPS", "VMAXPS", "VMINPS", "VANDPS", "VORPS", "VXORPS", "VANDNPS", "VCMPPS",
	"VBLENDVPS", "VFMADD231PS", "VFMADD213PS", "VFNMADD231PS", "VPADDD", "VPSUBD", "VPSLLD", "VPSRAD", "VPSRLD", "VROUNDPS", "VCVTPS2DQ", "VMOVAPS", "VMOVUPS"}

// accumulates reports whether an instruction reads its destination.
func accumulates(op string) bool {
	return op == "VFMADD231PS" || op == "VFMADD213PS" || op == "VFNMADD231PS"
}

// clears reports whether a line sets a register to 0.
func (l line) clears() bool {
	return l.op == "VXORPS" && l.args[0].kind == ymm && l.args[1].kind == ymm && l.args[0].reg == l.args[1].reg
}

func isVector(k kind) bool { return k == ymm || k == xmm }

// dest is the vector register that a line writes, if any.
func (l line) dest() (arg, bool) {
	if len(l.args) == 0 || l.op[0] != 'V' && l.op != "MOVSS" {
		return arg{}, false
	}
	d := l.args[len(l.args)-1]
	return d, isVector(d.kind)
}

// classify finds out how each register can be kept, and gives each its place.
func (f *function) classify() error {
	for r := range f.class {
		f.class[r] = f.use(r)
	}
	for changed := true; changed; {
		changed = false
		for r, c := range f.class {
			if c == uniform && !f.isUniform(r) {
				f.class[r], changed = full, true
			}
		}
	}
	next, last := vreg(0), vreg(31)
	for r, c := range f.class {
		switch c {
		case full:
			f.lo[r], f.hi[r] = next, next+1
			next += 2
		case uniform, low:
			f.lo[r], f.hi[r] = last, last
			last--
		}
	}
	f.temps = nil
	for v := next; v <= last; v++ {
		f.temps = append(f.temps, v)
	}
	if next > last+1 {
		return fmt.Errorf("%d registers too few", next-last-1)
	}
	return nil
}

// use is the first guess at a register's class.
func (f *function) use(r int) class {
	c := unused
	for _, l := range f.lines {
		for _, a := range l.args {
			if a.kind == ymm && a.reg == r {
				return uniform
			}
			if a.kind == xmm && a.reg == r {
				c = low
			}
		}
	}
	return c
}

// isUniform reports whether all floats of a register are equal wherever it is written, as far as is known by now.
func (f *function) isUniform(r int) bool {
	for i, l := range f.lines {
		d, ok := l.dest()
		if !ok || d.reg != r {
			continue
		}
		switch {
		case l.op == "VBROADCASTSS", l.op == "VPBROADCASTD", l.clears():
		case d.kind == xmm && l.op == "VMOVD" && i+1 < len(f.lines) && f.lines[i+1].op == "VPBROADCASTD" && f.lines[i+1].args[0].reg == r && f.lines[i+1].args[1].reg == r:
		case d.kind == ymm && slices.Contains(lanewise, l.op):
			for _, a := range l.args {
				if a.kind == memory || a.kind == xmm || a.kind == ymm && f.class[a.reg] == full {
					return false
				}
			}
		default:
			return false
		}
	}
	return true
}

// factor reports whether a line uses a register only as a factor, of which a product can take the first float.
func (f *function) factor(l line, r int) bool {
	if l.op != "VFMADD231PS" && l.op != "VFNMADD231PS" && l.op != "VMULPS" || l.args[2].reg == r && accumulates(l.op) {
		return false
	}
	for i := range 2 {
		if l.args[i].kind == ymm && l.args[i].reg == r {
			other := l.args[1-i]
			return other.kind == memory || other.kind == ymm && f.class[other.reg] == full
		}
	}
	return false
}

// element reports whether the float that line i broadcasts is only used as a factor, so that the other lanes do not
// matter.
func (f *function) element(i int) bool {
	r := f.lines[i].args[1].reg
	seen := make([]bool, len(f.lines))
	next := []int{i + 1}
	for len(next) > 0 {
		k := next[len(next)-1]
		next = next[:len(next)-1]
		if k >= len(f.lines) || seen[k] {
			continue
		}
		seen[k] = true
		l := f.lines[k]
		d, writes := l.dest()
		again := writes && d.reg == r && !accumulates(l.op)
		for n, a := range l.args {
			if isVector(a.kind) && a.reg == r && !(again && n == len(l.args)-1) && !l.clears() && !f.factor(l, r) {
				return false
			}
		}
		if again || l.op == "RET" {
			continue
		}
		if l.op != "" && l.op[0] == 'J' {
			next = append(next, f.labels[l.label])
		}
		if l.op != "JMP" {
			next = append(next, k+1)
		}
	}
	return true
}

// temp is register i of those that keep no value at the line being written.
func (f *function) temp(i int) (vreg, error) {
	free := f.temps
	for r := range f.class {
		if f.class[r] != unused && f.busy[f.at]>>r&1 == 0 {
			free = append(free, f.lo[r])
			if f.hi[r] != f.lo[r] {
				free = append(free, f.hi[r])
			}
		}
	}
	if i >= len(free) {
		return 0, fmt.Errorf("%d more registers are needed", i+1-len(free))
	}
	return free[i], nil
}

// liveness finds the registers that hold a value which is read later, or that a line mentions, for every line.
func (f *function) liveness() error {
	f.labels = map[string]int{}
	for i, l := range f.lines {
		if l.op == "" {
			f.labels[l.label] = i
		}
	}
	n := len(f.lines)
	in, out := make([]uint16, n+1), make([]uint16, n)
	mentions := make([]uint16, n)
	for changed := true; changed; {
		changed = false
		for i := n - 1; i >= 0; i-- {
			l := f.lines[i]
			var after uint16
			if l.op != "RET" && l.op != "JMP" {
				after = in[i+1]
			}
			if l.op != "" && l.op[0] == 'J' {
				to, known := f.labels[l.label]
				if !known {
					return fmt.Errorf("no label %s", l.label)
				}
				after |= in[to]
			}
			var reads, writes uint16
			d, isWritten := l.dest()
			for k, a := range l.args {
				if !isVector(a.kind) {
					continue
				}
				mentions[i] |= 1 << a.reg
				if !isWritten || k < len(l.args)-1 || accumulates(l.op) {
					reads |= 1 << a.reg
				}
			}
			if l.clears() {
				reads = 0
			}
			if isWritten {
				writes = 1 << d.reg
			}
			before := reads | after&^writes
			if before != in[i] || after != out[i] {
				in[i], out[i], changed = before, after, true
			}
		}
	}
	f.out, f.busy = out, make([]uint16, n)
	for i := range n {
		f.busy[i] = in[i] | out[i] | mentions[i]
	}
	return nil
}

// half is a half of a register.
func (f *function) half(r, h int) vreg {
	if h == 0 {
		return f.lo[r]
	}
	return f.hi[r]
}

// scales reports whether a product of e and x is one of x and a float of a register, and which.
func (f *function) scales(e, x arg) (element, bool) {
	if x.kind != memory && (x.kind != ymm || f.class[x.reg] != full) {
		return element{}, false
	}
	if e.kind == memory {
		part, ok := f.parts[e.sym]
		return part, ok && x.kind == ymm
	}
	return element{f.lo[e.reg], 0}, e.kind == ymm && f.class[e.reg] == uniform
}

// reachesMask reports whether a load or store of some lanes may use what line i writes to register r.
func (f *function) reachesMask(i, r int) bool {
	seen := make([]bool, len(f.lines))
	next := []int{i + 1}
	for len(next) > 0 {
		k := next[len(next)-1]
		next = next[:len(next)-1]
		if k >= len(f.lines) || seen[k] {
			continue
		}
		seen[k] = true
		l := f.lines[k]
		if l.op == "VMASKMOVPS" && l.args[1].reg == r {
			return true
		}
		if d, writes := l.dest(); l.op == "RET" || writes && d.reg == r {
			continue
		}
		if l.op != "" && l.op[0] == 'J' {
			next = append(next, f.labels[l.label])
		}
		if l.op != "JMP" {
			next = append(next, k+1)
		}
	}
	return false
}

// zeros reports whether a register is 0 at the line being written.
func (f *function) zeros(r int) bool {
	for i := f.at - 1; i >= 0 && f.lines[i].op != ""; i-- {
		if d, writes := f.lines[i].dest(); writes && d.reg == r {
			return f.lines[i].clears()
		}
	}
	any := false
	for _, l := range f.lines {
		if d, writes := l.dest(); writes && d.reg == r {
			if !l.clears() {
				return false
			}
			any = true
		}
	}
	return any
}

// target is where half h of register r, which is being written, should go: to the half of another register, if all that
// is done with it is to be moved there in this block.
func (f *function) target(r, h int) vreg {
	at, to, half := none, 0, 0
	for k := f.at + 1; ; k++ {
		if k == len(f.lines) || f.lines[k].op == "" || f.lines[k].op[0] == 'J' {
			if f.out[k-1]>>r&1 != 0 {
				return f.half(r, h)
			}
			break
		}
		l := f.lines[k]
		d, writes := l.dest()
		for i, s := range l.args {
			if !isVector(s.kind) || s.reg != r || writes && i == len(l.args)-1 && !accumulates(l.op) {
				continue
			}
			if l.op != "VPERM2F128" || l.args[1].reg == l.args[2].reg || d.reg == l.args[1].reg || d.reg == l.args[2].reg {
				return f.half(r, h)
			}
			mine := 2*(2-i) + h // the sources are args 2 and 1
			for hh := range 2 {
				if int(l.args[0].imm>>(4*hh)&3) != mine {
					continue
				}
				if at != none {
					return f.half(r, h)
				}
				at, to, half = k, d.reg, hh
			}
		}
		if writes && d.reg == r {
			break
		}
	}
	if at == none {
		return f.half(r, h)
	}
	for k := f.at; k < at; k++ {
		for _, s := range f.lines[k].args {
			if isVector(s.kind) && s.reg == to {
				return f.half(r, h)
			}
		}
		if f.out[k]>>to&1 != 0 {
			return f.half(r, h)
		}
	}
	for k := f.at; k < at; k++ {
		f.busy[k] |= 1 << to
	}
	f.placed[[2]int{at, half}] = true
	return f.half(to, half)
}

// wholeMask reports whether all bits of each float of a register are equal at the line being written.
func (f *function) wholeMask(r int) bool {
	for i := f.at - 1; i >= 0 && f.lines[i].op != ""; i-- {
		l := f.lines[i]
		if d, writes := l.dest(); !writes || d.reg != r {
			continue
		}
		at := f.at
		defer func() { f.at = at }()
		f.at = i
		switch l.op {
		case "VCMPPS":
			return true
		case "VPSRAD":
			return l.args[0].imm == 31
		case "VANDPS", "VORPS":
			return isVector(l.args[0].kind) && isVector(l.args[1].kind) && f.wholeMask(l.args[0].reg) && f.wholeMask(l.args[1].reg)
		}
		return false
	}
	return false
}

// splits reports whether a shuffle and the line behind it take every second float of two registers in order.
func (f *function) splits(args []arg) bool {
	d := args[3]
	if f.at+1 >= len(f.lines) || args[0].imm != 0x88 && args[0].imm != 0xdd || d.kind != ymm || args[1].reg == args[2].reg && args[1].reg == d.reg {
		return false
	}
	for _, s := range args[1:] {
		if s.kind != ymm || f.class[s.reg] != full {
			return false
		}
	}
	n := f.lines[f.at+1]
	if n.op != "VPERMPD" || n.args[0].imm != 0xd8 || n.args[1].reg != d.reg || n.args[2].reg != d.reg {
		return false
	}
	f.split = f.at
	return true
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
