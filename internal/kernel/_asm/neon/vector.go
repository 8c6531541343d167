package main

import (
	"fmt"
	"slices"
	"strings"
)

// function writes one function, with as many constants in registers as there is room for.
func (a *asm) function(name string, lines []line, frame int) error {
	before, words := a.s.Len(), len(a.words)
	for reserve := 1; ; reserve++ {
		f := &function{lines: lines, frame: frame, masks: map[int]int{}, placed: map[[2]int]bool{}, clamped: none - 1, split: none - 1}
		if err := f.classify(); err != nil {
			return err
		}
		if err := f.liveness(); err != nil {
			return err
		}
		a.f, a.place_ = f, ""
		room := len(f.temps) - reserve
		err := a.body(max(room, 0))
		if err == nil || room <= 0 {
			return err
		}
		a.s.Truncate(before)
		a.words = a.words[:words]
	}
}

// body writes the instructions of a function, with constants in room registers.
func (a *asm) body(room int) error {
	f := a.f
	for i, l := range f.lines {
		if l.op != "VMASKMOVPS" {
			continue
		}
		f.at = i
		if r := l.args[1].reg; f.masks[r] == 0 {
			f.masks[r] = firstMask + len(f.masks)
			if f.masks[r] > lastMask || f.class[r] != full {
				return fmt.Errorf("%s: no place for the mask", l.text)
			}
		}
	}
	a.hold(room)
	for i, l := range f.lines {
		f.at = i
		if err := a.line(l, f.lines[i+1:]); err != nil {
			return err
		}
		if l.op != "" && l.op[0] != 'J' {
			a.changed(l)
		}
		if d, writes := l.dest(); writes && f.masks[d.reg] != 0 && f.reachesMask(i, d.reg) {
			if err := a.lacking(d.reg); err != nil {
				return err
			}
		}
	}
	for _, aside := range f.asides {
		aside(a)
	}
	return nil
}

// hold loads constants whose floats are all equal into registers: those that are only factors as elements, four to a
// register.
func (a *asm) hold(room int) {
	f := a.f
	f.held, f.parts = map[string]vreg{}, map[string]element{}
	uses, factors := map[string]int{}, map[string]bool{}
	var symbols []string
	for _, l := range f.lines {
		for i, s := range l.args {
			if s.kind != memory || !a.same(s.sym) || len(l.args) < 3 {
				continue
			}
			if uses[s.sym]++; uses[s.sym] == 1 {
				symbols = append(symbols, s.sym)
				factors[s.sym] = true
			}
			product := l.op == "VFMADD231PS" || l.op == "VFNMADD231PS" || l.op == "VMULPS"
			factors[s.sym] = factors[s.sym] && product && i < 2 && l.args[1-i].kind == ymm && f.class[l.args[1-i].reg] == full
		}
	}
	slices.SortStableFunc(symbols, func(x, y string) int { return uses[y] - uses[x] })
	take := func() vreg {
		v := f.temps[len(f.temps)-1]
		f.temps = f.temps[:len(f.temps)-1]
		room--
		return v
	}
	var part []string
	for _, s := range symbols {
		if factors[s] {
			part = append(part, s)
		}
	}
	for len(part) > 0 && room > 0 {
		v := take()
		for i, s := range part[:min(4, len(part))] {
			f.parts[s] = element{v, i}
			base, _ := a.place(arg{kind: memory, sym: s})
			a.op("MOVWU (%s), R%d", base, temp)
			a.op("VMOV R%d, %v.S[%d]", temp, v, i)
		}
		part = part[min(4, len(part)):]
	}
	for _, s := range symbols {
		if _, done := f.parts[s]; done || room <= 0 {
			continue
		}
		f.held[s] = take()
		base, _ := a.place(arg{kind: memory, sym: s})
		a.op("FMOVQ (%s), %s", base, f.held[s].f())
	}
}

// same reports whether all floats of a constant are equal.
func (a *asm) same(sym string) bool {
	name, ok := strings.CutSuffix(sym, "+0(SB)")
	words := a.data[name]
	return ok && len(words) == 8 && len(slices.Compact(slices.Clone(words))) == 1
}

func (a *asm) line(l line, next []line) error {
	switch {
	case l.op == "" && l.label != "":
		a.label(l.label)
	case l.op[0] == 'J':
		to, known := jumps[l.op]
		if !known {
			return fmt.Errorf("%s: unknown jump", l.text)
		}
		a.op("%s %s", to, l.label)
	case l.op == "RET":
		a.op("RET")
	case l.op == "VZEROUPPER":
	case l.op[0] == 'V' || l.op == "MOVSS":
		if err := a.vector(l); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(l.text), err)
		}
		return a.lowWritten(l, next)
	default:
		return a.general(l, next)
	}
	return nil
}

// lowWritten refuses what the translation does not do: AVX clears the high half of a register whose low half it
// writes, and a function may count on that.
func (a *asm) lowWritten(l line, next []line) error {
	d, ok := l.dest()
	if !ok || d.kind != xmm || a.f.class[d.reg] != full {
		return nil
	}
	for _, n := range next {
		w, writes := n.dest()
		for i, s := range n.args {
			if !isVector(s.kind) || s.reg != d.reg {
				continue
			}
			if writes && i == len(n.args)-1 && w.reg == d.reg && !accumulates(n.op) {
				continue
			}
			if s.kind == ymm {
				return fmt.Errorf("%s: its high half is read by %s", l.text, n.text)
			}
		}
		if writes && w.reg == d.reg || n.op == "RET" {
			return nil
		}
	}
	return nil
}

// halves are what has to be computed of a result.
func (a *asm) halves(d arg) int {
	if d.kind == xmm || a.f.class[d.reg] != full {
		return 1
	}
	return 2
}

// operand is half h of a source; one in memory is loaded into t.
type operand func(h int, t vreg) vreg

func (a *asm) operand(s arg) operand {
	if s.kind != memory {
		return func(h int, _ vreg) vreg { return a.f.half(s.reg, h) }
	}
	if v, ok := a.f.held[s.sym]; ok {
		return func(int, vreg) vreg { return v }
	}
	same, loaded := a.same(s.sym), none
	base, disp := a.place(s)
	return func(h int, t vreg) vreg {
		if same && loaded == int(t) {
			return t
		}
		loaded = int(t)
		if same {
			h = 0
		}
		a.op("FMOVQ %d(%s), %s", disp+16*int64(h), base, t.f())
		return t
	}
}

var lanewiseNames = map[string]string{"VADDPS": "fadd", "VSUBPS": "fsub", "VMULPS": "fmul", "VDIVPS": "fdiv", "VANDPS": "and", "VORPS": "orr", "VXORPS": "eor",
	"VPADDD": "add", "VPSUBD": "sub", "VPSLLVD": "ushl", "VUNPCKLPS": "zip1", "VUNPCKHPS": "zip2"}

var shiftNames = map[string]string{"VPSLLD": "shl", "VPSRAD": "sshr", "VPSRLD": "ushr"}

// vector translates an instruction on vectors.
func (a *asm) vector(l line) error {
	op, args := l.op, l.args
	switch op {
	case "VMOVUPS", "VMOVAPS", "VMOVDQU":
		return a.copies(args[0], args[1])
	case "VMOVSS", "MOVSS", "VMOVD":
		return a.singles(args)
	case "VBROADCASTSS", "VPBROADCASTD":
		return a.broadcast(args[0], args[1])
	case "VMASKMOVPS":
		return a.masked(args)
	case "VFMADD231PS", "VFNMADD231PS", "VFMADD213PS":
		return a.fused(op, args)
	case "VMAXPS", "VMINPS":
		return a.extreme(op, args)
	case "VCMPPS":
		return a.compare(args)
	case "VBLENDVPS":
		return a.blend(args)
	case "VPERMPS", "VPERM2F128", "VPERMPD", "VEXTRACTF128", "VSHUFPS", "VUNPCKLPD", "VUNPCKHPD", "VMOVMSKPS":
		return a.permute(op, args)
	case "VADDPS":
		if a.f.clamped == a.f.at-1 {
			return nil
		}
	case "VADDSS":
		t, err := a.f.temp(0)
		if err != nil {
			return err
		}
		x := t
		if args[0].kind == memory {
			a.op("FMOVS %s, %s", a.at(args[0]), t.f())
		} else {
			x = a.f.lo[args[0].reg]
		}
		a.op("FADDS %s, %s, %s", x.f(), a.f.lo[args[1].reg].f(), a.f.lo[args[2].reg].f())
		return nil
	}
	d := args[len(args)-1]
	if l.clears() {
		for h := range a.halves(d) {
			a.zero(a.f.half(d.reg, h))
		}
		return nil
	}
	return a.lanewise(op, args, d)
}

// lanewise translates instructions on each float for itself.
func (a *asm) lanewise(op string, args []arg, d arg) error {
	if name, ok := shiftNames[op]; ok {
		for h := range a.halves(d) {
			a.shift(name, a.f.half(d.reg, h), a.f.half(args[1].reg, h), int(args[0].imm))
		}
		return nil
	}
	if two := map[string]string{"VROUNDPS": "frintn", "VCVTPS2DQ": "fcvtns", "VSQRTPS": "fsqrt"}[op]; two != "" {
		if op == "VROUNDPS" && args[0].imm != 8 {
			return fmt.Errorf("rounds another way than to the nearest")
		}
		t, err := a.f.temp(0)
		if err != nil {
			return err
		}
		x := a.operand(args[len(args)-2])
		for h := range a.halves(d) {
			a.two(two, a.f.half(d.reg, h), x(h, t))
		}
		return nil
	}
	name, ok := lanewiseNames[op]
	if !ok {
		return fmt.Errorf("unknown instruction")
	}
	if op == "VMULPS" {
		for i := range 2 {
			if e, ok := a.f.scales(args[i], args[1-i]); ok {
				return a.scaled("fmul", args[1-i], e, d)
			}
		}
	}
	t := vreg(0)
	if args[0].kind == memory {
		var err error
		if t, err = a.f.temp(0); err != nil {
			return err
		}
	}
	x, y := a.operand(args[0]), a.operand(args[1])
	for h := range a.halves(d) {
		a.three(name, a.f.half(d.reg, h), y(h, 0), x(h, t))
	}
	return nil
}

// scaled is a product of x and the float e.
func (a *asm) scaled(name string, x arg, e element, d arg) error {
	t := vreg(0)
	if x.kind == memory {
		var err error
		if t, err = a.f.temp(0); err != nil {
			return err
		}
	}
	from := a.operand(x)
	for h := range a.halves(d) {
		a.byElem(name, a.f.half(d.reg, h), from(h, t), e)
	}
	return nil
}

// fused translates d += x*y, d -= x*y and d = y*d + x.
func (a *asm) fused(op string, args []arg) error {
	d := args[2]
	name := "fmla"
	if op == "VFNMADD231PS" {
		name = "fmls"
	}
	if op != "VFMADD213PS" {
		for i := range 2 {
			if e, ok := a.f.scales(args[i], args[1-i]); ok {
				return a.scaled(name, args[1-i], e, d)
			}
		}
		t := vreg(0)
		if args[0].kind == memory {
			var err error
			if t, err = a.f.temp(0); err != nil {
				return err
			}
		}
		x, y := a.operand(args[0]), a.operand(args[1])
		for h := range a.halves(d) {
			a.three(name, a.f.half(d.reg, h), y(h, 0), x(h, t))
		}
		return nil
	}
	t, err := a.f.temp(0)
	if err != nil {
		return err
	}
	y := a.operand(args[1])
	for h := range a.halves(d) {
		r := a.f.half(d.reg, h)
		x := a.operand(args[0]) // t changes: load it again
		a.move(t, x(h, t))
		a.three(name, t, y(h, 0), r)
		a.move(r, t)
	}
	return nil
}

// extreme translates maxima and minima as AVX defines them: the second operand (first in Go's order) if the first is not
// larger (smaller), so also if one of them is not a number or both are zeros. FMAX gives the same but for the sign of a
// zero, and a quiet NaN: where 0 is added behind it, that makes no difference, and the sum is not needed.
func (a *asm) extreme(op string, args []arg) error {
	d := args[2]
	if done := a.clamp(op, args); done {
		return nil
	}
	t, err := a.f.temp(0)
	if err != nil {
		return err
	}
	u := vreg(0)
	if args[0].kind == memory {
		if u, err = a.f.temp(1); err != nil {
			return err
		}
	}
	x, y := a.operand(args[0]), a.operand(args[1])
	for h := range a.halves(d) {
		r, s, first := a.f.half(d.reg, h), x(h, u), y(h, 0)
		if op == "VMAXPS" {
			a.three("fcmgt", t, first, s)
		} else {
			a.three("fcmgt", t, s, first)
		}
		a.chosen(r, t, first, s)
	}
	return nil
}

// clamp writes max(x, 0) + 0 and min(max(x, low) + zero, high) as FMAX and FMIN.
func (a *asm) clamp(op string, args []arg) bool {
	f := a.f
	x, y, d := args[0], args[1], args[2]
	follows := func(k int, op string) bool {
		if f.at+k >= len(f.lines) || f.lines[f.at+k].op != op {
			return false
		}
		l := f.lines[f.at+k].args
		in := l[0]
		if op == "VADDPS" {
			in = l[1]
		}
		return in.kind == d.kind && in.reg == d.reg && l[2].kind == d.kind && l[2].reg == d.reg && l[0].kind != memory && l[1].kind != memory
	}
	if x.kind == memory || y.kind == memory || x.reg != d.reg {
		return false
	}
	write := func(name string, y int) {
		for h := range a.halves(d) {
			a.three(name, f.half(d.reg, h), f.half(d.reg, h), f.half(y, h))
		}
	}
	switch {
	case op == "VMINPS" && f.clamped == f.at-2:
		write("fmin", y.reg)
	case op == "VMAXPS" && follows(1, "VADDPS") && (follows(2, "VMINPS") || f.lines[f.at+1].args[0].reg == y.reg && f.zeros(y.reg)):
		f.clamped = f.at
		write("fmax", y.reg)
	default:
		return false
	}
	return true
}

// chosen sets r to yes where t has ones, else to no; t may change.
func (a *asm) chosen(r, t, yes, no vreg) {
	switch r {
	case no:
		a.three("bit", r, yes, t)
	case yes:
		a.three("bif", r, no, t)
	default:
		a.three("bsl", t, yes, no)
		a.move(r, t)
	}
}

// compare translates y OP x.
func (a *asm) compare(args []arg) error {
	d := args[3]
	t, err := a.f.temp(0)
	if err != nil {
		return err
	}
	u, err := a.f.temp(1)
	if err != nil {
		return err
	}
	x, y := a.operand(args[1]), a.operand(args[2])
	for h := range a.halves(d) {
		r, p, q := a.f.half(d.reg, h), x(h, u), y(h, 0)
		switch args[0].imm {
		case 0x00: // equal
			a.three("fcmeq", r, q, p)
		case 0x04: // not equal, or not numbers
			a.three("fcmeq", r, q, p)
			a.not(r, r)
		case 0x11, 0x01: // less
			a.three("fcmgt", r, p, q)
		case 0x12, 0x02: // less or equal
			a.three("fcmge", r, p, q)
		case 0x06, 0x16: // not (less or equal)
			a.three("fcmge", r, p, q)
			a.not(r, r)
		case 0x1d, 0x0d: // greater or equal
			a.three("fcmge", r, q, p)
		case 0x1e, 0x0e: // greater
			a.three("fcmgt", r, q, p)
		case 0x03, 0x07: // one is not a number, none is
			if p == q {
				a.three("fcmeq", r, p, p)
			} else {
				a.three("fcmeq", t, q, q)
				a.three("fcmeq", r, p, p)
				a.three("and", r, r, t)
			}
			if args[0].imm == 0x03 {
				a.not(r, r)
			}
		default:
			return fmt.Errorf("unknown comparison")
		}
	}
	return nil
}

// blend takes x where the mask has a sign, else y.
func (a *asm) blend(args []arg) error {
	mask, d := args[0], args[3]
	t, err := a.f.temp(0)
	if err != nil {
		return err
	}
	u := vreg(0)
	if args[1].kind == memory {
		if u, err = a.f.temp(1); err != nil {
			return err
		}
	}
	x, y := a.operand(args[1]), a.operand(args[2])
	whole := a.f.wholeMask(mask.reg)
	for h := range a.halves(d) {
		m, r, yes, no := a.f.half(mask.reg, h), a.f.half(d.reg, h), x(h, u), y(h, 0)
		if whole && (r == yes || r == no) {
			a.chosen(r, m, yes, no)
			continue
		}
		a.shift("sshr", t, m, 31)
		a.chosen(r, t, yes, no)
	}
	return nil
}

// copies translates loads, stores and moves of whole vectors.
func (a *asm) copies(from, to arg) error {
	switch {
	case from.kind == memory && to.kind == xmm:
		base, disp := a.place(from)
		a.op("FMOVQ %d(%s), %s", disp, base, a.f.lo[to.reg].f())
	case from.kind == xmm && to.kind == memory:
		base, disp := a.place(to)
		a.op("FMOVQ %s, %d(%s)", a.f.lo[from.reg].f(), disp, base)
	case from.kind == memory:
		at := a.pairAt(from)
		a.op("FLDPQ %s, (%s, %s)", at, a.f.lo[to.reg].f(), a.f.hi[to.reg].f())
	case to.kind == memory:
		at := a.pairAt(to)
		a.op("FSTPQ (%s, %s), %s", a.f.lo[from.reg].f(), a.f.hi[from.reg].f(), at)
	default:
		for h := range a.halves(to) {
			a.move(a.f.half(to.reg, h), a.f.half(from.reg, h))
		}
	}
	return nil
}

// pairAt is a memory operand for two vectors at once.
func (a *asm) pairAt(m arg) string {
	base, disp := a.place(m)
	if disp%16 != 0 || disp < -1024 || disp > 1008 {
		a.op("ADD $%d, %s, R%d", disp, base, temp2)
		base, disp = fmt.Sprintf("R%d", temp2), 0
	}
	return fmt.Sprintf("%d(%s)", disp, base)
}

// singles translates moves of one float.
func (a *asm) singles(args []arg) error {
	from, to := args[0], args[1]
	switch {
	case from.kind == gpr && to.kind == xmm:
		a.op("FMOVS R%d, %s", from.reg, a.f.lo[to.reg].f())
	case from.kind == xmm && to.kind == gpr:
		a.op("FMOVS %s, R%d", a.f.lo[from.reg].f(), to.reg)
	case from.kind == memory && to.kind == xmm:
		a.op("FMOVS %s, %s", a.at(from), a.f.lo[to.reg].f())
	case from.kind == xmm && to.kind == memory:
		a.op("FMOVS %s, %s", a.f.lo[from.reg].f(), a.at(to))
	default:
		return fmt.Errorf("unknown form")
	}
	return nil
}

func (a *asm) broadcast(from, to arg) error {
	lo := a.f.lo[to.reg]
	s := lo
	switch from.kind {
	case memory:
		a.op("FMOVS %s, %s", a.at(from), lo.f())
	case xmm:
		s = a.f.lo[from.reg]
	default:
		return fmt.Errorf("unknown form")
	}
	if a.f.class[to.reg] == uniform && from.kind == memory && a.f.element(a.f.at) {
		return nil
	}
	if a.halves(to) == 2 {
		a.dup(a.f.hi[to.reg], s)
	}
	a.dup(lo, s)
	return nil
}

// lacking sets the general register of a mask: the bytes of lanes without a sign are 255, the others 0.
func (a *asm) lacking(r int) error {
	t, err := a.f.temp(0)
	if err != nil {
		return err
	}
	a.word("uzp2_8h", 0x4e405800, "uzp2 v%d.8h, v%d.8h, v%d.8h", t, a.f.lo[r], a.f.hi[r])
	a.word("shrn_8b8", 0x0f088400, "shrn v%d.8b, v%d.8h, #8", t, t)
	a.word("cmge_8b0", 0x2e208800, "cmge v%d.8b, v%d.8b, #0", t, t)
	a.op("FMOVD %s, R%d", t.f(), a.f.masks[r])
	return nil
}

// masked translates loads and stores of the lanes whose mask has a sign; no other memory is written, none on another page
// is read, and lanes that are not loaded become 0. All lanes at once is the usual case: what else there is to do is
// written behind the function.
func (a *asm) masked(args []arg) error {
	load := args[0].kind == memory
	m, mask, v := args[0], args[1], args[2]
	if !load {
		v, m = args[0], args[2]
	}
	if load && v.reg == mask.reg {
		return fmt.Errorf("a mask is loaded over")
	}
	t, err := a.f.temp(0)
	if err != nil {
		return err
	}
	a.masks = true
	f := a.f
	base, disp := a.place(m)
	at := a.pairAt(m)
	lanes := f.masks[mask.reg]
	n := len(f.asides) + 1
	part, done := fmt.Sprintf("mask%dpart", n), fmt.Sprintf("mask%ddone", n)
	lo, hi, mlo, mhi := f.lo[v.reg], f.hi[v.reg], f.lo[mask.reg], f.hi[mask.reg]
	a.op("CBNZ R%d, %s", lanes, part)
	if load {
		a.op("FLDPQ %s, (%s, %s)", at, lo.f(), hi.f())
	} else {
		a.op("FSTPQ (%s, %s), %s", lo.f(), hi.f(), at)
	}
	address := a.place_
	a.label(done)
	a.place_ = address
	f.asides = append(f.asides, func(a *asm) {
		a.label(part)
		a.op("ADD $%d, %s, R%d", disp, base, temp2)
		if !load {
			a.op("ADD $%d, RSP, R%d", 8+f.frame, temp)
			a.op("FSTPQ (%s, %s), (R%d)", lo.f(), hi.f(), temp)
			a.op("MOVD R%d, R%d", lanes, laneBits)
			a.op("CALL storeLanes<>(SB)")
			a.op("B %s", done)
			return
		}
		nothing, slow := fmt.Sprintf("mask%dnone", n), fmt.Sprintf("mask%dslow", n)
		a.op("ADD $1, R%d, R%d", lanes, temp)
		a.op("CBZ R%d, %s", temp, nothing)
		// All eight, if they lie on one page with one that may be read.
		a.op("AND $4095, R%d, R%d", temp2, temp)
		a.op("SUB $4065, R%d, R%d", temp, temp)
		a.op("TBZ $63, R%d, %s", temp, slow)
		a.op("FLDPQ (R%d), (%s, %s)", temp2, lo.f(), hi.f())
		a.shift("sshr", t, mlo, 31)
		a.three("and", lo, lo, t)
		a.shift("sshr", t, mhi, 31)
		a.three("and", hi, hi, t)
		a.op("B %s", done)
		a.label(slow)
		a.op("ADD $%d, RSP, R%d", 8+f.frame, temp)
		a.op("MOVD R%d, R%d", lanes, laneBits)
		a.op("CALL loadLanes<>(SB)")
		a.op("FLDPQ (R%d), (%s, %s)", temp, lo.f(), hi.f())
		a.op("B %s", done)
		a.label(nothing)
		a.zero(lo)
		a.zero(hi)
		a.op("B %s", done)
	})
	return nil
}

// lanes writes the functions that copy some lanes of eight between the address in R21 and 32 bytes at the address in R20.
func (a *asm) lanes() {
	fmt.Fprint(&a.s, "\nTEXT loadLanes<>(SB), NOSPLIT|NOFRAME, $0-0\n")
	for i := range 8 {
		a.op("MOVD ZR, R16")
		a.op("TBNZ $%d, R%d, lane%d", 8*i, laneBits, i)
		a.op("MOVWU %d(R%d), R16", 4*i, temp2)
		a.label(fmt.Sprint("lane", i))
		a.op("MOVW R16, %d(R%d)", 4*i, temp)
	}
	a.op("RET")
	fmt.Fprint(&a.s, "\nTEXT storeLanes<>(SB), NOSPLIT|NOFRAME, $0-0\n")
	a.op("CBNZW R%d, single", laneBits)
	a.op("LDP (R%d), (R16, R17)", temp)
	a.op("STP (R16, R17), (R%d)", temp2)
	a.op("B lane4")
	a.label("single")
	for i := range 8 {
		if i > 0 {
			a.label(fmt.Sprint("lane", i))
		}
		a.op("TBNZ $%d, R%d, lane%d", 8*i, laneBits, i+1)
		a.op("MOVWU %d(R%d), R16", 4*i, temp)
		a.op("MOVW R16, %d(R%d)", 4*i, temp2)
	}
	a.label("lane8")
	a.op("RET")
}

// permute translates what moves floats between lanes.
func (a *asm) permute(op string, args []arg) error {
	f := a.f
	switch op {
	case "VEXTRACTF128":
		a.move(f.lo[args[2].reg], f.half(args[1].reg, int(args[0].imm)))
	case "VSHUFPS":
		return a.shuffle(args)
	case "VUNPCKLPD", "VUNPCKHPD":
		name := map[string]string{"VUNPCKLPD": "zip1", "VUNPCKHPD": "zip2"}[op]
		x, y := a.operand(args[0]), a.operand(args[1])
		for h := range a.halves(args[2]) {
			a.pairs(name, f.target(args[2].reg, h), y(h, 0), x(h, 0))
		}
	case "VPERM2F128":
		x, y, d := args[1], args[2], args[3]
		from := []vreg{f.lo[y.reg], f.hi[y.reg], f.lo[x.reg], f.hi[x.reg]}
		first, second := from[args[0].imm&3], from[args[0].imm>>4&3]
		if f.placed[[2]int{f.at, 0}] {
			first = f.lo[d.reg]
		}
		if f.placed[[2]int{f.at, 1}] {
			second = f.hi[d.reg]
		}
		return a.moveBoth(d, first, second)
	case "VPERMPD":
		if args[0].imm != 0xd8 {
			return fmt.Errorf("unknown order")
		}
		if f.split == f.at-1 {
			return nil
		}
		t, err := f.temp(0)
		if err != nil {
			return err
		}
		lo, hi := f.lo[args[1].reg], f.hi[args[1].reg]
		a.pairs("zip1", t, lo, hi)
		a.pairs("zip2", f.hi[args[2].reg], lo, hi)
		a.move(f.lo[args[2].reg], t)
	case "VPERMPS":
		return a.lookup(args[0], args[1], args[2])
	case "VMOVMSKPS":
		return a.signs(args[0], args[1])
	}
	return nil
}

// moveBoth sets both halves of a register, which may be among their sources.
func (a *asm) moveBoth(d arg, lo, hi vreg) error {
	if hi == a.f.lo[d.reg] { // would be lost
		if lo == a.f.hi[d.reg] {
			t, err := a.f.temp(0)
			if err != nil {
				return err
			}
			a.move(t, hi)
			hi = t
		} else {
			a.move(a.f.hi[d.reg], hi)
			a.move(a.f.lo[d.reg], lo)
			return nil
		}
	}
	a.move(a.f.lo[d.reg], lo)
	a.move(a.f.hi[d.reg], hi)
	return nil
}

func (a *asm) shuffle(args []arg) error {
	x, y, d := args[1], args[2], args[3]
	same := x.kind == y.kind && x.reg == y.reg
	if x.kind == memory {
		return fmt.Errorf("unknown form")
	}
	if a.f.splits(args) {
		name := map[int64]string{0x88: "uzp1", 0xdd: "uzp2"}[args[0].imm]
		for _, h := range [][]int{{0, 1}, {1, 0}}[bit(d.reg == x.reg)] {
			from := []int{y.reg, x.reg}[h]
			a.three(name, a.f.half(d.reg, h), a.f.lo[from], a.f.hi[from])
		}
		return nil
	}
	for h := range a.halves(d) {
		r, p, q := a.f.half(d.reg, h), a.f.half(x.reg, h), a.f.half(y.reg, h)
		switch {
		case args[0].imm == 0x4e:
			a.ext(r, q, p)
		case args[0].imm == 0xb1 && same:
			a.two("rev64", r, q)
		case args[0].imm == 0x88:
			a.three("uzp1", r, q, p)
		case args[0].imm == 0xdd:
			a.three("uzp2", r, q, p)
		default:
			return fmt.Errorf("unknown order")
		}
	}
	return nil
}

// lookup takes the floats of x that index names.
func (a *asm) lookup(x, index, d arg) error {
	f := a.f
	if x.kind == memory || f.class[x.reg] != full {
		return fmt.Errorf("unknown form")
	}
	t, err := f.temp(0)
	if err != nil {
		return err
	}
	u, err := f.temp(1)
	if err != nil {
		return err
	}
	// The first half of the result must not write over what the second needs.
	results := []vreg{t, t}
	if a.halves(d) == 2 {
		if results[0], err = f.temp(2); err != nil {
			return err
		}
	}
	for h := range a.halves(d) {
		// Four bytes for each index i: 4i to 4i+3.
		a.op("MOVD $0x04040404, R%d", temp)
		a.op("VDUP R%d, %v.S4", temp, u)
		i := f.half(index.reg, h)
		a.word("mul_4s", 0x4ea09c00, "mul v%d.4s, v%d.4s, v%d.4s", t, i, u)
		a.op("MOVD $0x03020100, R%d", temp)
		a.op("VDUP R%d, %v.S4", temp, u)
		a.three("orr", t, t, u)
		a.op("VTBL %v.B16, [%v.B16, %v.B16], %v.B16", t, f.lo[x.reg], f.hi[x.reg], results[h])
	}
	for h := range a.halves(d) {
		a.move(f.half(d.reg, h), results[h])
	}
	return nil
}

// signs collects the signs of eight floats as bits.
func (a *asm) signs(x, to arg) error {
	f := a.f
	t, err := f.temp(0)
	if err != nil {
		return err
	}
	u, err := f.temp(1)
	if err != nil {
		return err
	}
	halves := []vreg{f.lo[x.reg], f.hi[x.reg]}
	if x.kind == xmm {
		halves = halves[:1]
	}
	for h, v := range slices.Backward(halves) {
		// Lane i keeps bit 31, moved to bit i: the shifts 0, 1, 2, 3 in bytes.
		a.op("MOVD $0x%x, R%d", uint64(0x0000000100000000), temp)
		a.op("VMOV R%d, %v.D[0]", temp, u)
		a.op("MOVD $0x%x, R%d", uint64(0x0000000300000002), temp)
		a.op("VMOV R%d, %v.D[1]", temp, u)
		a.shift("ushr", t, v, 31)
		a.three("ushl", t, t, u)
		a.word("addv_4s", 0x4eb1b800, "addv s%d, v%d.4s", t, t)
		if h == 1 {
			a.op("FMOVS %s, R%d", t.f(), temp2)
			continue
		}
		a.op("FMOVS %s, R%d", t.f(), temp)
		if len(halves) == 2 {
			a.op("ORR R%d<<4, R%d, R%d", temp2, temp, to.reg)
		} else {
			a.op("MOVWU R%d, R%d", temp, to.reg)
		}
	}
	return nil
}
