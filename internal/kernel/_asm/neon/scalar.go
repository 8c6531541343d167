package main

import (
	"fmt"
	"strings"
)

// jumps are the conditions after a comparison of numbers with signs.
var jumps = map[string]string{"JMP": "B", "JZ": "BEQ", "JEQ": "BEQ", "JE": "BEQ", "JNZ": "BNE", "JNE": "BNE", "JLT": "BLT", "JL": "BLT", "JGE": "BGE", "JLE": "BLE",
	"JG": "BGT", "JGT": "BGT"}

// place brings the address of a memory operand into the form displacement(register). It changes no flags.
func (a *asm) place(m arg) (base string, disp int64) {
	switch {
	case strings.HasSuffix(m.sym, "(SB)"):
		if a.place_ != m.sym {
			a.op("MOVD $%s, R%d", rename(m.sym), tempAddr)
			a.place_ = m.sym
		}
		return fmt.Sprintf("R%d", tempAddr), 0
	case m.base == sp:
		return "RSP", m.imm + 8 // the link register lies below what a function keeps
	}
	base = fmt.Sprintf("R%d", m.base)
	if m.index != none {
		shift := map[int]int{1: 0, 2: 1, 4: 2, 8: 3}[m.scale]
		sum := fmt.Sprintf("ADD R%d<<%d, %s, R%d", m.index, shift, base, tempAddr)
		if shift == 0 {
			sum = fmt.Sprintf("ADD R%d, %s, R%d", m.index, base, tempAddr)
		}
		if a.place_ != sum {
			a.op("%s", sum)
			a.place_ = sum
		}
		base = fmt.Sprintf("R%d", tempAddr)
	}
	return base, m.imm
}

// at is a memory operand for a scalar.
func (a *asm) at(m arg) string {
	if strings.HasSuffix(m.sym, "(FP)") {
		return m.sym
	}
	base, disp := a.place(m)
	if disp == 0 {
		return "(" + base + ")"
	}
	return fmt.Sprintf("%d(%s)", disp, base)
}

// changed forgets an address that a line may change.
func (a *asm) changed(l line) {
	for _, s := range l.args {
		if s.kind == gpr && strings.Contains(a.place_+",", fmt.Sprintf("R%d,", s.reg)) || s.kind == gpr && strings.Contains(a.place_, fmt.Sprintf("R%d<", s.reg)) {
			a.place_ = ""
		}
	}
}

// general translates an instruction on general registers. next are the lines behind it.
func (a *asm) general(l line, next []line) error {
	name := l.op
	switch {
	case name == "CMOVQLT":
		a.op("CSEL LT, R%d, R%d, R%d", l.args[0].reg, l.args[1].reg, l.args[1].reg)
		return nil
	case name == "LEAQ":
		base, disp := a.place(l.args[0])
		a.op("ADD $%d, %s, R%d", disp, base, l.args[1].reg)
		return nil
	case name == "POPCNTL":
		v, err := a.f.temp(0)
		if err != nil {
			return err
		}
		a.op("MOVWU R%d, R%d", l.args[0].reg, temp)
		a.op("VMOV R%d, %v.D[0]", temp, v)
		a.op("VCNT %v.B8, %v.B8", v, v)
		a.op("VUADDLV %v.B8, %v", v, v)
		a.op("VMOV %v.D[0], R%d", v, l.args[1].reg)
		return nil
	case name == "STMXCSR":
		a.op("MRS FPCR, R%d", temp)
		a.op("MOVW R%d, %s", temp, a.at(l.args[0]))
		return nil
	case name == "LDMXCSR":
		a.op("MOVWU %s, R%d", a.at(l.args[0]), temp)
		a.op("MSR R%d, FPCR", temp)
		return nil
	case strings.HasPrefix(name, "PREFETCHT"):
		a.op("PRFM %s, PLDL2KEEP", a.at(l.args[0]))
		return nil
	case name == "MOVB":
		a.op("MOVB R%d, %s", l.args[0].reg, a.at(l.args[1]))
		return nil
	}
	wide, w := strings.HasSuffix(name, "Q"), "W"
	if wide {
		w = ""
	}
	name = name[:len(name)-1]
	if name == "MOV" {
		return a.moves(l, wide)
	}
	return a.arithmetic(l, name, w, wide, next)
}

// moves translates MOVQ and MOVL; the latter clears the high half.
func (a *asm) moves(l line, wide bool) error {
	from, to := l.args[0], l.args[1]
	load, store := "MOVWU", "MOVW"
	if wide {
		load, store = "MOVD", "MOVD"
	}
	switch {
	case to.kind == gpr && from.kind == number:
		n := from.imm
		if !wide {
			n = int64(uint32(n))
		}
		a.op("MOVD $%d, R%d", n, to.reg)
	case to.kind == gpr && from.kind == gpr:
		a.op("%s R%d, R%d", load, from.reg, to.reg)
	case to.kind == gpr && from.kind == memory:
		a.op("%s %s, R%d", load, a.at(from), to.reg)
	case to.kind == memory && from.kind == gpr:
		a.op("%s R%d, %s", store, from.reg, a.at(to))
	default:
		return fmt.Errorf("%s: unknown form", l.text)
	}
	return nil
}

// source is an operand as a number or register, loaded if it is in memory.
func (a *asm) source(s arg, wide bool) string {
	switch s.kind {
	case number:
		return fmt.Sprintf("$%d", s.imm)
	case gpr:
		return fmt.Sprintf("R%d", s.reg)
	}
	load := "MOVWU"
	if wide {
		load = "MOVD"
	}
	a.op("%s %s, R%d", load, a.at(s), temp)
	return fmt.Sprintf("R%d", temp)
}

var arithmetics = map[string]string{"ADD": "ADDS", "SUB": "SUBS", "AND": "ANDS", "OR": "ORR", "XOR": "EOR", "SHL": "LSL", "SHR": "LSR", "SAR": "ASR", "IMUL": "MUL", "INC": "ADDS", "DEC": "SUBS"}

func (a *asm) arithmetic(l line, name, w string, wide bool, next []line) error {
	switch name {
	case "CMP":
		x := a.source(l.args[0], wide)
		y := l.args[1]
		if y.kind == memory {
			return fmt.Errorf("%s: unknown form", l.text)
		}
		a.op("CMP%s %s, %s", w, a.source(y, wide), x)
		return nil
	case "TEST":
		a.op("TST%s %s, %s", w, a.source(l.args[0], wide), a.source(l.args[1], wide))
		return nil
	case "NEG":
		a.op("NEGS%s R%d, R%d", w, l.args[0].reg, l.args[0].reg)
		return nil
	}
	op, known := arithmetics[name]
	if !known {
		return fmt.Errorf("%s: unknown instruction", l.text)
	}
	one := arg{kind: number, imm: 1}
	args := l.args
	if name == "INC" || name == "DEC" {
		args = []arg{one, args[0]}
	}
	from, to := args[0], args[len(args)-1]
	if name == "OR" && from.kind == number && from.imm == 0x8040 {
		from.imm = 1 << 24 // MXCSR's bits that flush denormals are one in FPCR
	}
	s := a.source(from, wide)
	switch {
	case to.kind == memory:
		if from.kind == memory {
			return fmt.Errorf("%s: unknown form", l.text)
		}
		load, store := "MOVWU", "MOVW"
		if wide {
			load, store = "MOVD", "MOVD"
		}
		at := a.at(to)
		a.op("%s %s, R%d", load, at, temp2)
		a.op("%s%s %s, R%d, R%d", op, w, s, temp2, temp2)
		a.op("%s R%d, %s", store, temp2, at)
		return nil
	case name == "IMUL" && from.kind == number:
		a.op("MOVD %s, R%d", s, temp)
		s = fmt.Sprintf("R%d", temp)
	case name == "XOR" && from.kind == gpr && from.reg == to.reg:
		a.op("MOVD ZR, R%d", to.reg)
		return nil
	}
	second := to.reg
	if len(args) == 3 {
		second = args[1].reg
	}
	if plain, ok := strings.CutSuffix(op, "S"); ok && a.f.flagsDead(a.f.at+1) {
		op = plain // on more pipes of some cores
	}
	a.op("%s%s %s, R%d, R%d", op, w, s, second, to.reg)
	if !strings.HasSuffix(op, "S") && flagsRead(next) {
		a.op("TST%s R%d, R%d", w, to.reg, to.reg)
	}
	return nil
}

// flagsRead reports whether the flags that an instruction sets are read behind it.
func flagsRead(next []line) bool {
	for _, l := range next {
		switch {
		case l.op == "" || l.op == "JMP" || l.op == "RET":
			return false
		case strings.HasPrefix(l.op, "J") || strings.HasPrefix(l.op, "CMOV"):
			return true
		case l.op[0] == 'V' || strings.HasPrefix(l.op, "MOV") || l.op == "LEAQ" || strings.HasPrefix(l.op, "PREFETCH"):
		default:
			return false
		}
	}
	return false
}

// flagsDead reports whether the flags are not read from line i on until they are set again.
func (f *function) flagsDead(i int) bool {
	for ; i < len(f.lines); i++ {
		switch op := f.lines[i].op; {
		case op == "" || op[0] == 'V' || strings.HasPrefix(op, "MOV") || op == "LEAQ" || strings.HasPrefix(op, "PREFETCH"):
		case op == "RET":
			return true
		default:
			name := op[:len(op)-1]
			_, sets := arithmetics[name]
			return sets && name != "IMUL" || name == "CMP" || name == "TEST" || name == "NEG"
		}
	}
	return false
}
