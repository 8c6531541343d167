package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vectors emits the kernels over rows of any length, see vector.go of the package.
func vectors() {
	functions()
	binary()
	weaves()
	averages()
	rows()
}

// constants by their bits: a whole vector each.
var constants = map[uint32]Mem{}

func bitsOf(v uint32) Mem {
	m, ok := constants[v]
	if !ok {
		m = GLOBL(fmt.Sprintf("c%08x_%s", v, lv.name), attr.RODATA|attr.NOPTR)
		for i := range lv.lanes {
			DATA(4*i, U32(v))
		}
		constants[v] = m
	}
	return m
}

// held are constants that a function keeps in registers, where there are enough.
var held = map[uint32]reg.VecPhysical{}

// constant is a vector of v, in memory or held.
func constant(v float64) Op { return bitsHeld(math.Float32bits(float32(v))) }

func bitsHeld(v uint32) Op {
	if h, ok := held[v]; ok {
		return h
	}
	return bitsOf(v)
}

// hold keeps constants in registers below limit, and returns what is left.
func hold(limit int, list []float64) int {
	clear(held)
	if !lv.zmm {
		return limit
	}
	for _, v := range list {
		b := math.Float32bits(float32(v))
		if _, ok := held[b]; ok {
			continue
		}
		limit--
		VMOVUPS(bitsOf(b), vec(limit))
		held[b] = vec(limit)
	}
	return limit
}

// registers hands out vector registers from 0 on.
type registers struct{ next, limit int }

func (r *registers) get() reg.VecPhysical {
	if r.next >= r.limit {
		panic("out of registers")
	}
	r.next++
	return vec(r.next - 1)
}

// of returns a new register that holds m.
func (r *registers) of(m Op) reg.VecPhysical {
	v := r.get()
	VMOVUPS(m, v)
	return v
}

// in returns a register with m, which is not to be written: the one that holds it, or t.
func in(m Op, t reg.VecPhysical) reg.VecPhysical {
	if v, ok := m.(reg.VecPhysical); ok {
		return v
	}
	VMOVUPS(m, t)
	return t
}

// each emits a function over n >= 0 floats: body gets a register for each
// pointer but the first, filled, and one for each scalar, and returns the one to
// store at the first. What is behind n floats is neither read nor written. The constants
// in keep are held in registers. wide, if given, does the same for
// some vectors of the only other pointer at once.
func each(name, doc string, ptrs, scalars []string, keep []float64, body func(r *registers, in []reg.VecPhysical, arg []reg.VecPhysical) reg.VecPhysical, wide ...wideBody) {
	sig := "func(" + strings.Join(ptrs, ", ") + " *float32, n int"
	if len(scalars) > 0 {
		sig += ", " + strings.Join(scalars, ", ") + " float32"
	}
	fn(name+"_"+lv.name, sig+")")
	Doc(name + " computes " + doc + " for i < n.")
	regs := []reg.GPPhysical{reg.RDI, reg.RSI, reg.RDX, reg.R8}[:len(ptrs)]
	for i, p := range ptrs {
		Load(Param(p), regs[i])
	}
	Load(Param("n"), reg.RCX)
	var arg []reg.VecPhysical
	limit := top() + 1
	for _, s := range scalars {
		limit--
		arg = append(arg, vec(limit))
		broadcast(s, vec(limit))
	}
	limit-- // mask of the last vector
	mask := vec(limit)
	limit = hold(limit, keep)
	if len(wide) > 0 {
		widely(wide[0], limit+1, arg)
	} else {
		SUBQ(U8(lv.lanes), reg.RCX)
	}
	JLT(LabelRef("tail"))
	Label("loop")
	once := func(partial bool) {
		r := &registers{limit: limit}
		var in []reg.VecPhysical
		for _, p := range regs[1:] {
			v := r.get()
			if partial {
				maskedLoad(Mem{Base: p}, reg.K1, mask, v)
			} else {
				VMOVUPS(Mem{Base: p}, v)
			}
			in = append(in, v)
		}
		out := body(r, in, arg)
		if partial {
			maskedStore(out, reg.K1, mask, Mem{Base: regs[0]})
		} else {
			VMOVUPS(out, Mem{Base: regs[0]})
		}
	}
	once(false)
	for _, p := range regs {
		ADDQ(U8(vbytes()), p)
	}
	SUBQ(U8(lv.lanes), reg.RCX)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(U8(lv.lanes), reg.RCX)
	JZ(LabelRef("done"))
	MOVQ(U32(1), reg.RAX)
	SHLQ(reg.CL, reg.RAX)
	DECQ(reg.RAX)
	maskFrom(reg.RAX, 0, reg.K1, mask)
	once(true)
	clear(held)
	Label("done")
	VZEROUPPER()
	RET()
}

// wideBody computes a function of some vectors.
type wideBody func(r *registers, xs, arg []vreg) []vreg

// wideVectors is how many.
const wideVectors = 2

// widely emits the loop over vectors at RSI by some at once, and leaves in RCX what is left less a vector.
func widely(body wideBody, limit int, arg []vreg) {
	SUBQ(U32(wideVectors*lv.lanes), reg.RCX)
	JLT(LabelRef("narrow"))
	Label("wide")
	r := &registers{limit: limit}
	var xs []vreg
	for i := range wideVectors {
		xs = append(xs, r.of(Mem{Base: reg.RSI, Disp: i * vbytes()}))
	}
	for i, v := range body(r, xs, arg) {
		VMOVUPS(v, Mem{Base: reg.RDI, Disp: i * vbytes()})
	}
	for _, p := range []reg.GPPhysical{reg.RDI, reg.RSI} {
		ADDQ(U32(wideVectors*vbytes()), p)
	}
	SUBQ(U32(wideVectors*lv.lanes), reg.RCX)
	JGE(LabelRef("wide"))
	Label("narrow")
	ADDQ(U32((wideVectors-1)*lv.lanes), reg.RCX)
}

func broadcast(param string, v reg.VecPhysical) {
	addr, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(addr.Addr, v)
}

// choose sets dst to yes where the predicate holds between a and b (a OP b), else
// leaves it. t is scratch.
func choose(predicate int, a reg.VecPhysical, b Op, yes, dst, t reg.VecPhysical) {
	if lv.zmm {
		VCMPPS(U8(predicate), b, a, reg.K2)
		VMOVAPS(yes, reg.K2, dst)
		return
	}
	VCMPPS(U8(predicate), b, a, t)
	VBLENDVPS(t, yes, dst, dst)
}

// Predicates of comparisons.
const (
	equal        = 0x00
	less         = 0x11
	lessEqual    = 0x12
	notEqual     = 0x04 // true of NaN
	greater      = 0x1e
	greaterEqual = 0x1d
)

// binary emits a OP b for two rows, and for a row and a number on either side.
func binary() {
	for _, op := range []struct {
		name, sign string
		emit       func(b, a, dst reg.VecPhysical)
	}{
		{"add", "+", func(b, a, dst reg.VecPhysical) { VADDPS(b, a, dst) }},
		{"sub", "-", func(b, a, dst reg.VecPhysical) { VSUBPS(b, a, dst) }},
		{"mul", "*", func(b, a, dst reg.VecPhysical) { VMULPS(b, a, dst) }},
		{"div", "/", func(b, a, dst reg.VecPhysical) { VDIVPS(b, a, dst) }},
	} {
		each(op.name+"Rows", "dst[i] = a[i] "+op.sign+" b[i]", []string{"dst", "a", "b"}, nil, nil, func(r *registers, in, arg []reg.VecPhysical) reg.VecPhysical {
			op.emit(in[1], in[0], in[0])
			return in[0]
		})
		each(op.name+"Right", "dst[i] = a[i] "+op.sign+" b", []string{"dst", "a"}, []string{"b"}, nil, func(r *registers, in, arg []reg.VecPhysical) reg.VecPhysical {
			op.emit(arg[0], in[0], in[0])
			return in[0]
		})
		if op.name == "sub" || op.name == "div" {
			each(op.name+"Left", "dst[i] = a "+op.sign+" b[i]", []string{"dst", "b"}, []string{"a"}, nil, func(r *registers, in, arg []reg.VecPhysical) reg.VecPhysical {
				op.emit(in[0], arg[0], in[0])
				return in[0]
			})
		}
	}
}

// walk emits a loop over n > 0 floats at pointers p, which it moves: body loads by
// load, whole vectors and then, with masks, the rest. k and mask are used for it.
func walk(tag string, n reg.GPPhysical, p []reg.GPPhysical, mask vreg, body func(load func(m Mem, v vreg), store func(v vreg, m Mem))) {
	SUBQ(U8(lv.lanes), n)
	JLT(LabelRef("tail" + tag))
	Label("loop" + tag)
	body(func(m Mem, v vreg) { VMOVUPS(m, v) }, func(v vreg, m Mem) { VMOVUPS(v, m) })
	for _, q := range p {
		ADDQ(U8(vbytes()), q)
	}
	SUBQ(U8(lv.lanes), n)
	JGE(LabelRef("loop" + tag))
	Label("tail" + tag)
	ADDQ(U8(lv.lanes), n)
	JZ(LabelRef("done" + tag))
	MOVQ(n, reg.RCX)
	MOVQ(U32(1), reg.RAX)
	SHLQ(reg.CL, reg.RAX)
	DECQ(reg.RAX)
	maskFrom(reg.RAX, 0, reg.K1, mask)
	if !lv.zmm {
		VPSRAD(U8(31), mask, mask) // all bits of a lane, see keep
	}
	body(func(m Mem, v vreg) { maskedLoad(m, reg.K1, mask, v) }, func(v vreg, m Mem) { maskedStore(v, reg.K1, mask, m) })
	Label("done" + tag)
}

// keep zeroes the lanes of v beyond the end, in the last vector.
func keep(v, mask vreg) {
	if lv.zmm {
		VMOVAPS_Z(v, reg.K1, v)
	} else {
		VANDPS(mask, v, v)
	}
}

// rows emits sums, maxima and normalisations of rows and of columns.
func rows() {
	rowSum("rowSum", "the sum of x[i]", nil, func(r *registers, x vreg, arg []vreg, acc vreg) { VADDPS(x, acc, acc) })
	rowSum("rowSquares", "the sum of (x[i]-mean)^2", []string{"mean"}, func(r *registers, x vreg, arg []vreg, acc vreg) {
		VSUBPS(arg[0], x, x)
		VFMADD231PS(x, x, acc)
	})
	rowMax()
	expSum()
	each("normRow", "dst[i] = (src[i]-mean)*scale*gamma[i] + beta[i]", []string{"dst", "src", "gamma", "beta"}, []string{"mean", "scale"}, nil, func(r *registers, in, arg []vreg) vreg {
		VSUBPS(arg[0], in[0], in[0])
		VMULPS(arg[1], in[0], in[0])
		VFMADD213PS(in[2], in[1], in[0])
		return in[0]
	})
	each("maxRows", "dst[i] = max(a[i], b[i]), a NaN of b", []string{"dst", "a", "b"}, nil, nil, func(r *registers, in, arg []vreg) vreg {
		VMAXPS(in[1], in[0], in[0])
		return in[0]
	})
	each("sumTwo", "dst[i] = from + a[i] wa + b[i] wb, each product rounded,", []string{"dst", "a", "b"}, []string{"from", "wa", "wb"}, nil, func(r *registers, in, arg []vreg) vreg {
		VMULPS(arg[1], in[0], in[0])
		VMULPS(arg[2], in[1], in[1])
		VADDPS(arg[0], in[0], in[0])
		VADDPS(in[1], in[0], in[0])
		return in[0]
	})
	each("fmaRows", "dst[i] = dst[i] + a[i] b[i]", []string{"dst", "acc", "a", "b"}, nil, nil, func(r *registers, in, arg []vreg) vreg {
		VFMADD231PS(in[1], in[2], in[0])
		return in[0]
	})
	each("fmaRow", "dst[i] = dst[i] + a[i] b", []string{"dst", "acc", "a"}, []string{"b"}, nil, func(r *registers, in, arg []vreg) vreg {
		VFMADD231PS(in[1], arg[0], in[0])
		return in[0]
	})
	columnSum("columnSum", "the sum of src[r][i]", false)
	columnSum("columnSquares", "the sum of (src[r][i]-mean[i])^2", true)
	columnNorm()
}

// rowSum emits a sum over n > 0 floats, in four vectors of partial sums.
func rowSum(name, doc string, scalars []string, body func(r *registers, x vreg, arg []vreg, acc vreg)) {
	sig := "func(x *float32, n int"
	for _, s := range scalars {
		sig += ", " + s + " float32"
	}
	fn(name+"_"+lv.name, sig+") (s float32)")
	Doc(name+" returns "+doc, "for i < n.")
	p, n := reg.RSI, reg.RDX
	Load(Param("x"), p)
	Load(Param("n"), n)
	var arg []vreg
	for i, s := range scalars {
		arg = append(arg, vec(10+i))
		broadcast(s, vec(10+i))
	}
	for i := range 4 {
		zero(vec(i))
	}
	SUBQ(U8(4*lv.lanes), n)
	JLT(LabelRef("few"))
	Label("four")
	for i := range 4 {
		VMOVUPS(Mem{Base: p, Disp: i * vbytes()}, vec(4+i))
		body(nil, vec(4+i), arg, vec(i))
	}
	ADDQ(U32(4*vbytes()), p)
	SUBQ(U8(4*lv.lanes), n)
	JGE(LabelRef("four"))
	Label("few")
	ADDQ(U8(4*lv.lanes), n)
	JZ(LabelRef("end"))
	partial := false
	walk("", n, []reg.GPPhysical{p}, vec(9), func(load func(m Mem, v vreg), _ func(v vreg, m Mem)) {
		load(Mem{Base: p}, vec(4))
		if partial && len(scalars) > 0 { // beyond the end x - mean must be 0
			VMOVAPS(arg[0], vec(5))
			keep(vec(5), vec(9))
			VSUBPS(vec(5), vec(4), vec(4))
			VFMADD231PS(vec(4), vec(4), vec(0))
		} else {
			body(nil, vec(4), arg, vec(0))
		}
		partial = true
	})
	Label("end")
	VADDPS(vec(2), vec(0), vec(0))
	VADDPS(vec(3), vec(1), vec(1))
	VADDPS(vec(1), vec(0), vec(0))
	hsum(0, 8)
	Store(xmm(0), Return("s"))
	VZEROUPPER()
	RET()
}

// rowMax emits the maximum of n > 0 floats; what it is beside a NaN is not specified.
func rowMax() {
	fn("rowMax_"+lv.name, "func(x *float32, n int) (m float32)")
	Doc("rowMax returns the largest of n > 0 floats, if none is NaN.")
	p, n := reg.RSI, reg.RDX
	Load(Param("x"), p)
	Load(Param("n"), n)
	VBROADCASTSS(Mem{Base: p}, vec(0))
	VMOVAPS(vec(0), vec(1))
	partial := false
	walk("", n, []reg.GPPhysical{p}, vec(9), func(load func(m Mem, v vreg), _ func(v vreg, m Mem)) {
		load(Mem{Base: p}, vec(4))
		if partial { // the first value beyond the end
			if lv.zmm {
				VMAXPS(vec(4), vec(0), reg.K1, vec(0))
			} else {
				VBLENDVPS(vec(9), vec(4), vec(1), vec(4))
				VMAXPS(vec(4), vec(0), vec(0))
			}
		} else {
			VMAXPS(vec(4), vec(0), vec(0))
		}
		partial = true
	})
	if lv.zmm {
		VEXTRACTF64X4(U8(1), vec(0), ymm(8))
		VMAXPS(ymm(8), ymm(0), ymm(0))
	}
	VEXTRACTF128(U8(1), ymm(0), xmm(8))
	VMAXPS(xmm(8), xmm(0), xmm(0))
	VSHUFPS(U8(0x4e), xmm(0), xmm(0), xmm(8))
	VMAXPS(xmm(8), xmm(0), xmm(0))
	VSHUFPS(U8(0xb1), xmm(0), xmm(0), xmm(8))
	VMAXPS(xmm(8), xmm(0), xmm(0))
	Store(xmm(0), Return("m"))
	VZEROUPPER()
	RET()
}

// expSum emits dst = exp(src - shift) and its sum.
func expSum() {
	fn("expSum_"+lv.name, "func(dst, src *float32, n int, shift float32) (s float32)")
	Doc("expSum computes dst[i] = exp(src[i] - shift) for i < n, n > 0, and returns the sum.")
	d, p, n := reg.RDI, reg.RSI, reg.RDX
	Load(Param("dst"), d)
	Load(Param("src"), p)
	Load(Param("n"), n)
	shift, mask, acc := vec(top()), vec(top()-1), vec(top()-2)
	broadcast("shift", shift)
	zero(acc)
	limit := hold(top()-2, expConstants)
	partial := false
	walk("", n, []reg.GPPhysical{d, p}, mask, func(load func(m Mem, v vreg), store func(v vreg, m Mem)) {
		r := &registers{limit: limit}
		x := r.get()
		load(Mem{Base: p}, x)
		VSUBPS(shift, x, x)
		r.exp(x)
		store(x, Mem{Base: d})
		if partial {
			keep(x, mask)
		}
		VADDPS(x, acc, acc)
		partial = true
	})
	clear(held)
	VMOVAPS(acc, vec(0))
	hsum(0, 8)
	Store(xmm(0), Return("s"))
	VZEROUPPER()
	RET()
}

// columnSum emits the sums of columns, over rows in steps of four.
func columnSum(name, doc string, squares bool) {
	ptrs := "dst, src"
	if squares {
		ptrs += ", mean"
	}
	fn(name+"_"+lv.name, "func("+ptrs+" *float32, n, rows, stride int)")
	Doc(name+" computes dst[i] = "+doc+" over r < rows for i < n,", "n > 0, where rows are stride bytes apart.")
	d, src, mean, n, rows, stride, p, left := reg.RDI, reg.RSI, reg.R8, reg.RDX, reg.R9, reg.R10, reg.R11, reg.R12
	Load(Param("dst"), d)
	Load(Param("src"), src)
	if squares {
		Load(Param("mean"), mean)
	}
	Load(Param("n"), n)
	Load(Param("rows"), rows)
	Load(Param("stride"), stride)
	tag := 0
	ps := []reg.GPPhysical{d, src}
	if squares {
		ps = append(ps, mean)
	}
	walk("", n, ps, vec(15), func(load func(m Mem, v vreg), store func(v vreg, m Mem)) {
		tag++
		for i := range 4 {
			zero(vec(i))
		}
		if squares {
			load(Mem{Base: mean}, vec(14))
		}
		row := func(i int) {
			load(Mem{Base: p}, vec(4+i))
			if squares {
				VSUBPS(vec(14), vec(4+i), vec(4+i))
				VFMADD231PS(vec(4+i), vec(4+i), vec(i))
			} else {
				VADDPS(vec(4+i), vec(i), vec(i))
			}
			ADDQ(stride, p)
		}
		four, few, one, end := fmt.Sprint("four", tag), fmt.Sprint("few", tag), fmt.Sprint("one", tag), fmt.Sprint("end", tag)
		MOVQ(src, p)
		MOVQ(rows, left)
		SUBQ(U8(4), left)
		JLT(LabelRef(few))
		Label(four)
		for i := range 4 {
			row(i)
		}
		SUBQ(U8(4), left)
		JGE(LabelRef(four))
		Label(few)
		ADDQ(U8(4), left)
		JZ(LabelRef(end))
		Label(one)
		row(0)
		SUBQ(U8(1), left)
		JNZ(LabelRef(one))
		Label(end)
		VADDPS(vec(2), vec(0), vec(0))
		VADDPS(vec(3), vec(1), vec(1))
		VADDPS(vec(1), vec(0), vec(0))
		store(vec(0), Mem{Base: d})
	})
	VZEROUPPER()
	RET()
}

// columnNorm emits the normalisation of columns.
func columnNorm() {
	fn("columnNorm_"+lv.name, "func(dst, src, mean, scale, gamma, beta *float32, n, rows, stride int)")
	Doc("columnNorm computes dst[r][i] = (src[r][i]-mean[i])*scale[i]*gamma[r] + beta[r] for r < rows and i < n,", "n > 0, where rows are stride bytes apart.")
	d, src, mean, scale, n := reg.RDI, reg.RSI, reg.R8, reg.R9, reg.RDX
	p, q, left, stride, gamma, beta := reg.R10, reg.R11, reg.R12, reg.R13, reg.RBX, reg.R15
	Load(Param("dst"), d)
	Load(Param("src"), src)
	Load(Param("mean"), mean)
	Load(Param("scale"), scale)
	Load(Param("n"), n)
	Load(Param("stride"), stride)
	tag := 0
	walk("", n, []reg.GPPhysical{d, src, mean, scale}, vec(15), func(load func(m Mem, v vreg), store func(v vreg, m Mem)) {
		tag++
		load(Mem{Base: mean}, vec(14))
		load(Mem{Base: scale}, vec(13))
		MOVQ(src, p)
		MOVQ(d, q)
		Load(Param("gamma"), gamma)
		Load(Param("beta"), beta)
		Load(Param("rows"), left)
		row := fmt.Sprint("row", tag)
		Label(row)
		load(Mem{Base: p}, vec(0))
		VSUBPS(vec(14), vec(0), vec(0))
		VMULPS(vec(13), vec(0), vec(0))
		VBROADCASTSS(Mem{Base: gamma}, vec(1))
		VBROADCASTSS(Mem{Base: beta}, vec(2))
		VFMADD213PS(vec(2), vec(1), vec(0))
		store(vec(0), Mem{Base: q})
		ADDQ(U8(4), gamma)
		ADDQ(U8(4), beta)
		ADDQ(stride, p)
		ADDQ(stride, q)
		SUBQ(U8(1), left)
		JNZ(LabelRef(row))
	})
	VZEROUPPER()
	RET()
}
