// Command _asm writes the assembly of package kernel. Run it through
// internal/kernel/generate.sh.
//
// Every kernel is written once and emitted for two levels: avx512 with vectors
// of 16 floats and mask registers, avx2 (with FMA) with vectors of 8 floats and
// masks in vectors.
package main

import (
	"flag"
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var (
	levelName = flag.String("level", "avx512", "avx512 or avx2")
	part      = flag.String("part", "", "empty, lanes, depthwise or vector")
)

// lv is the level being written.
var lv struct {
	name  string
	zmm   bool
	lanes int // floats in a vector
	rows  int // most rows of a GEMM tile, whose columns are two vectors
	wrows int // most rows of a weight gradient tile
}

func main() {
	flag.Parse()
	lv.name = *levelName
	switch lv.name {
	case "avx512":
		lv.zmm, lv.lanes, lv.rows, lv.wrows = true, 16, 14, 12
	case "avx2":
		lv.lanes, lv.rows, lv.wrows = 8, 6, 6
	default:
		panic("unknown level")
	}
	ConstraintExpr("amd64,!purego")
	switch *part {
	case "lanes":
		lanes()
		Generate()
		return
	case "depthwise":
		depthwise()
		Generate()
		return
	case "vector":
		vectors()
		Generate()
		return
	}
	for nv := 1; nv <= 2; nv++ {
		for mr := 1; mr <= lv.rows; mr++ {
			tile(mr, nv)
		}
	}
	for nv := 1; nv <= 2; nv++ {
		for mr := 1; mr <= columnsRows(); mr++ {
			columns(mr, nv)
		}
	}
	for mr := 1; mr <= lv.rows; mr++ {
		for _, nv := range []int{1, 2, 4} {
			if nv < 4 || lv.zmm && mr <= 3 {
				direct(mr, nv)
			}
		}
	}
	pack()
	packRun()
	for nv := 1; nv <= 2; nv++ {
		for mr := 1; mr <= lv.wrows; mr++ {
			wtile(mr, nv)
		}
	}
	if lv.zmm {
		transpose16()
		for _, mi := range []int{1, 2, 4} {
			dot(mi, 1)
			dot(mi, 6)
		}
	} else {
		transpose8()
		for _, mi := range []int{1, 2} {
			dot(mi, 1)
			dot(mi, 4)
		}
	}
	elementwise()
	scatter()
	for _, rows := range []int{1, 2, 3, 5} {
		for vecs := 1; vecs <= 15 && rows*vecs < top(); vecs++ {
			gather(rows, vecs)
		}
	}
	nonzero()
	summary()
	winograd()
	Generate()
}

// fn starts a function. Its arguments do not escape, and it needs no stack.
func fn(name, signature string) {
	TEXT(name, attr.NOSPLIT, signature)
	Pragma("noescape")
}

// vec returns vector register i of the level's width.
func vec(i int) reg.VecPhysical {
	if lv.zmm {
		return []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
			reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
			reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
			reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}[i]
	}
	return []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}[i]
}

func ymm(i int) reg.VecPhysical {
	return []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}[i]
}

func xmm(i int) reg.VecPhysical {
	return []reg.VecPhysical{reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
		reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15}[i]
}

// top is the number of the last vector register.
func top() int {
	if lv.zmm {
		return 31
	}
	return 15
}

func vbytes() int { return 4 * lv.lanes }

func zero(v reg.VecPhysical) {
	if lv.zmm {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// maskFrom shifts r right and puts its low bits into register k (avx512) or as
// signs into vector v (avx2).
func maskFrom(r reg.GPPhysical, shift int, k reg.OpmaskPhysical, v reg.VecPhysical) {
	if shift > 0 {
		SHRQ(U8(shift), r)
	}
	if lv.zmm {
		KMOVW(r.As32(), k)
		return
	}
	x := v.AsX()
	VMOVD(r.As32(), x)
	VPBROADCASTD(x, v)
	VPSLLVD(shifts(), v, v)
}

var shiftTable Mem
var haveShifts bool

// shifts is the table 31, 30, ...: bit i moved to the sign of lane i.
func shifts() Mem {
	if !haveShifts {
		haveShifts = true
		shiftTable = GLOBL("shifts_"+lv.name, attr.RODATA|attr.NOPTR)
		for i := range 8 {
			DATA(4*i, U32(31-i))
		}
	}
	return shiftTable
}

// gp returns general registers in a fixed order, without SP and BP.
func gp(i int) reg.GPPhysical {
	return []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.RDI,
		reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14, reg.R15}[i]
}

const (
	flagLoad = 1 // start from what c holds, not from the bias
	flagReLU = 2 // store max(., 0)
	flagBits = 8 // above them: how many bytes ahead of a to fetch into the cache
)

// tile computes mr rows and nv vectors of columns of
//
//	c[i][j] (+)= sum over k of a[k][i] * b[k][j].
func tile(mr, nv int) {
	fn(fmt.Sprintf("tile_%s_%dx%d", lv.name, mr, nv*lv.lanes), "func(kn int, a, b, c, bias *float32, ldc, flags int, mask uint64)")
	Doc(fmt.Sprintf("c[i][j] = start + sum over k < kn of a[k][i]*b[k][j] for %d rows and %d columns; see tiles in level.go.", mr, nv*lv.lanes))
	kn, a, b, c := reg.RCX, reg.RSI, reg.RDI, reg.RDX
	ldc, flags, p, t, next := reg.R8, reg.R9, reg.R10, reg.R11, reg.R12
	Load(Param("kn"), kn)
	Load(Param("a"), a)
	Load(Param("b"), b)
	Load(Param("c"), c)
	Load(Param("ldc"), ldc)
	Load(Param("flags"), flags)
	acc := func(i, v int) reg.VecPhysical { return vec(i*nv + v) }
	bv := func(v int) reg.VecPhysical { return vec(top() - 2 - v) }
	bc := func(i int) reg.VecPhysical { return vec(top() - i&1) }
	masks := func() {
		Load(Param("mask"), t)
		for v := range nv {
			maskFrom(t, v*lv.lanes, []reg.OpmaskPhysical{reg.K1, reg.K2}[min(v, 1)], bv(v))
		}
	}
	km := func(v int) reg.OpmaskPhysical { return []reg.OpmaskPhysical{reg.K1, reg.K2}[v] }

	// Start: c or the bias.
	masks()
	TESTQ(U32(flagLoad), flags)
	JZ(LabelRef("bias"))
	MOVQ(c, p)
	for i := range mr {
		for v := range nv {
			m := Mem{Base: p, Disp: v * vbytes()}
			if lv.zmm {
				VMOVUPS_Z(m, km(v), acc(i, v))
			} else {
				VMASKMOVPS(m, bv(v), acc(i, v))
			}
		}
		if i < mr-1 {
			ADDQ(ldc, p)
		}
	}
	JMP(LabelRef("start"))
	Label("bias")
	Load(Param("bias"), p)
	TESTQ(p, p)
	JZ(LabelRef("zero"))
	for i := range mr {
		for v := range nv {
			VBROADCASTSS(Mem{Base: p, Disp: 4 * i}, acc(i, v))
		}
	}
	JMP(LabelRef("start"))
	Label("zero")
	for i := range mr {
		for v := range nv {
			zero(acc(i, v))
		}
	}

	Label("start")
	MOVQ(flags, next)
	SARQ(U8(flagBits), next)
	ADDQ(a, next)
	const unroll = 4
	step := func(u int) {
		for v := range nv {
			VMOVUPS(Mem{Base: b, Disp: (2*u*lv.lanes + v*lv.lanes) * 4}, bv(v))
		}
		for i := range mr {
			VBROADCASTSS(Mem{Base: a, Disp: 4 * (u*mr + i)}, bc(i))
			for v := range nv {
				VFMADD231PS(bv(v), bc(i), acc(i, v))
			}
		}
	}
	SUBQ(U8(unroll), kn)
	JLT(LabelRef("tail"))
	Label("loop")
	for u := range unroll {
		step(u)
		if 64*u < 4*unroll*mr {
			PREFETCHT1(Mem{Base: next, Disp: 64 * u})
		}
	}
	ADDQ(U32(unroll*mr*4), next)
	ADDQ(U32(unroll*2*vbytes()), b)
	ADDQ(U32(unroll*mr*4), a)
	SUBQ(U8(unroll), kn)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(U8(unroll), kn)
	JZ(LabelRef("end"))
	Label("one")
	step(0)
	ADDQ(U32(2*vbytes()), b)
	ADDQ(U8(mr*4), a)
	SUBQ(U8(1), kn)
	JNZ(LabelRef("one"))

	Label("end")
	TESTQ(U32(flagReLU), flags)
	JZ(LabelRef("store"))
	z := bc(0)
	zero(z)
	for i := range mr {
		for v := range nv {
			VMAXPS(acc(i, v), z, acc(i, v)) // a NaN in the accumulator stays
			VADDPS(z, acc(i, v), acc(i, v)) // -0 becomes 0
		}
	}
	Label("store")
	if !lv.zmm {
		// Masked stores are slow on some processors.
		Load(Param("mask"), t)
		CMPQ(t, U32(1<<(nv*lv.lanes)-1))
		JNE(LabelRef("masked"))
		for i := range mr {
			for v := range nv {
				VMOVUPS(acc(i, v), Mem{Base: c, Disp: v * vbytes()})
			}
			if i < mr-1 {
				ADDQ(ldc, c)
			}
		}
		VZEROUPPER()
		RET()
		Label("masked")
		masks()
	}
	for i := range mr {
		for v := range nv {
			m := Mem{Base: c, Disp: v * vbytes()}
			if lv.zmm {
				VMOVUPS(acc(i, v), km(v), m)
			} else {
				VMASKMOVPS(acc(i, v), bv(v), m)
			}
		}
		if i < mr-1 {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

// direct is a tile that reads b in place, where packing does not pay.
func direct(mr, nv int) {
	fn(fmt.Sprintf("direct_%s_%dx%d", lv.name, mr, nv*lv.lanes), "func(kn int, a, base *float32, koff *int64, c, bias *float32, ldc, flags, n int)")
	Doc(fmt.Sprintf("c[i][j] = start + sum over k of a[k][i]*base[koff[k]+j] for %d rows and j < n, n at most %d; see direct in level.go.", mr, nv*lv.lanes))
	kn, a, base, koff, c := reg.RBX, reg.RSI, reg.RDI, reg.R8, reg.RDX
	p, q, next := reg.R9, reg.R10, reg.R11
	Load(Param("kn"), kn)
	Load(Param("a"), a)
	Load(Param("flags"), next)
	SARQ(U8(flagBits), next)
	ADDQ(a, next)
	Load(Param("base"), base)
	Load(Param("koff"), koff)
	acc := func(i, v int) reg.VecPhysical { return vec(i*nv + v) }
	bv := func(v int) reg.VecPhysical { return vec(mr*nv + v) }
	mask := vec(top() - 1) // avx2: of the last vector, those before it are whole
	km := func(v int) reg.OpmaskPhysical {
		return []reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3, reg.K4}[v]
	}
	bc := vec(top())
	load := func(m Mem, v int, r reg.VecPhysical) {
		switch {
		case lv.zmm:
			VMOVUPS_Z(m, km(v), r)
		case v == nv-1:
			VMASKMOVPS(m, mask, r)
		default:
			VMOVUPS(m, r)
		}
	}
	Load(Param("n"), reg.RCX)
	MOVQ(I32(-1), reg.RAX)
	NEGQ(reg.RCX)
	SHRQ(reg.CL, reg.RAX) // 64-n modulo 64: the low n bits
	if lv.zmm {
		for v := range nv {
			shift := lv.lanes
			if v == 0 {
				shift = 0
			}
			maskFrom(reg.RAX, shift, km(v), nil)
		}
	} else {
		maskFrom(reg.RAX, (nv-1)*lv.lanes, nil, mask)
	}
	Load(Param("bias"), p)
	TESTQ(p, p)
	JZ(LabelRef("zero"))
	for i := range mr {
		for v := range nv {
			VBROADCASTSS(Mem{Base: p, Disp: 4 * i}, acc(i, v))
		}
	}
	JMP(LabelRef("start"))
	Label("zero")
	for i := range mr {
		for v := range nv {
			zero(acc(i, v))
		}
	}
	Label("start")
	step := func(u int) {
		p := []reg.GPPhysical{p, q}[u]
		MOVQ(Mem{Base: koff, Disp: 8 * u}, p)
		for v := range nv {
			load(Mem{Base: base, Index: p, Scale: 1, Disp: v * vbytes()}, v, bv(v))
		}
		for i := range mr {
			VBROADCASTSS(Mem{Base: a, Disp: 4 * (u*mr + i)}, bc)
			for v := range nv {
				VFMADD231PS(bv(v), bc, acc(i, v))
			}
		}
	}
	SUBQ(U8(2), kn)
	JLT(LabelRef("last"))
	Label("pair")
	step(0)
	PREFETCHT1(Mem{Base: next})
	step(1)
	if 8*mr > 64 {
		PREFETCHT1(Mem{Base: next, Disp: 64})
	}
	ADDQ(U8(8*mr), next)
	ADDQ(U8(16), koff)
	ADDQ(U8(8*mr), a)
	SUBQ(U8(2), kn)
	JGE(LabelRef("pair"))
	Label("last")
	CMPQ(kn, I8(-1))
	JNE(LabelRef("end"))
	step(0)
	Label("end")
	Load(Param("flags"), p)
	TESTQ(U32(flagReLU), p)
	JZ(LabelRef("store"))
	zero(bc)
	for i := range mr {
		for v := range nv {
			VMAXPS(acc(i, v), bc, acc(i, v))
			VADDPS(bc, acc(i, v), acc(i, v))
		}
	}
	Label("store")
	Load(Param("c"), c)
	Load(Param("ldc"), p)
	store := func(whole bool) {
		for i := range mr {
			for v := range nv {
				m := Mem{Base: c, Disp: v * vbytes()}
				switch {
				case lv.zmm:
					VMOVUPS(acc(i, v), km(v), m)
				case v == nv-1 && !whole:
					VMASKMOVPS(acc(i, v), mask, m)
				default:
					VMOVUPS(acc(i, v), m)
				}
			}
			ADDQ(p, c)
		}
		VZEROUPPER()
		RET()
	}
	if !lv.zmm { // masked stores are slow on some processors
		Load(Param("n"), q)
		CMPQ(q, U8(nv*lv.lanes))
		JNE(LabelRef("masked"))
		store(true)
		Label("masked")
	}
	store(false)
}

// pack gathers one vector of columns for kn rows of a GEMM panel.
func pack() {
	fn("pack_"+lv.name, "func(dst, base *float32, koff *int64, kn int, segs *int64, nseg int)")
	Doc("pack stores kn rows of one vector at dst, two vectors apart; row k, lane l is the float at base+koff[k]+off",
		"for the segment (off, mask) whose mask has bit l, 0 if there is none. Offsets are in bytes.")
	dst, base, koff, kn, segs, nseg := reg.RDI, reg.RSI, reg.RDX, reg.RCX, reg.R8, reg.R9
	Load(Param("dst"), dst)
	Load(Param("base"), base)
	Load(Param("koff"), koff)
	Load(Param("kn"), kn)
	Load(Param("segs"), segs)
	Load(Param("nseg"), nseg)
	offs := []reg.GPPhysical{reg.R10, reg.R11, reg.R12, reg.R13}
	ks := []reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3, reg.K4}
	t := reg.RAX
	masks := []reg.VecPhysical{vec(4), vec(5), vec(6), vec(7)}
	for s := 1; s <= 4; s++ {
		CMPQ(nseg, U8(s))
		JEQ(LabelRef(fmt.Sprintf("segs%d", s)))
	}
	// Any number of segments: one pass of row k per segment.
	Label("many")
	{
		p, q, i := reg.RBX, reg.R10, reg.R11
		MOVQ(Mem{Base: koff}, p)
		ADDQ(base, p)
		MOVQ(segs, q)
		MOVQ(nseg, i)
		zero(vec(0))
		Label("seg")
		MOVQ(Mem{Base: q}, reg.R12)
		MOVQ(Mem{Base: q, Disp: 8}, t)
		maskFrom(t, 0, reg.K1, vec(4))
		m := Mem{Base: p, Index: reg.R12, Scale: 1}
		if lv.zmm {
			VMOVUPS(m, reg.K1, vec(0))
		} else {
			VMASKMOVPS(m, vec(4), vec(1))
			VORPS(vec(1), vec(0), vec(0))
		}
		ADDQ(U8(16), q)
		SUBQ(U8(1), i)
		JNZ(LabelRef("seg"))
		VMOVUPS(vec(0), Mem{Base: dst})
		ADDQ(U8(8), koff)
		ADDQ(U32(2*vbytes()), dst)
		SUBQ(U8(1), kn)
		JNZ(LabelRef("many"))
		VZEROUPPER()
		RET()
	}
	for s := 1; s <= 4; s++ {
		Label(fmt.Sprintf("segs%d", s))
		for j := range s {
			MOVQ(Mem{Base: segs, Disp: 16 * j}, offs[j])
			ADDQ(base, offs[j])
			MOVQ(Mem{Base: segs, Disp: 16*j + 8}, t)
			maskFrom(t, 0, ks[j], masks[j])
		}
		row := func(v reg.VecPhysical, u int) {
			p := []reg.GPPhysical{reg.RAX, reg.RBX}[u&1]
			MOVQ(Mem{Base: koff, Disp: 8 * u}, p)
			for j := range s {
				m := Mem{Base: offs[j], Index: p, Scale: 1}
				switch {
				case lv.zmm && j == 0:
					VMOVUPS_Z(m, ks[j], v)
				case lv.zmm:
					VMOVUPS(m, ks[j], v)
				case j == 0:
					VMASKMOVPS(m, masks[j], v)
				default:
					VMASKMOVPS(m, masks[j], vec(2+u&1))
					VORPS(vec(2+u&1), v, v)
				}
			}
			VMOVUPS(v, Mem{Base: dst, Disp: 2 * vbytes() * u})
		}
		pair, last, done := fmt.Sprintf("pair%d", s), fmt.Sprintf("last%d", s), fmt.Sprintf("done%d", s)
		SUBQ(U8(2), kn)
		JLT(LabelRef(last))
		Label(pair)
		row(vec(0), 0)
		row(vec(1), 1)
		ADDQ(U8(16), koff)
		ADDQ(U32(4*vbytes()), dst)
		SUBQ(U8(2), kn)
		JGE(LabelRef(pair))
		Label(last)
		CMPQ(kn, I8(-1))
		JNE(LabelRef(done))
		row(vec(0), 0)
		Label(done)
		VZEROUPPER()
		RET()
	}
}

// packRun packs columns that are one run in memory, a row at a time.
func packRun() {
	fn("packRun_"+lv.name, "func(dst, base *float32, koff *int64, kn, n, ldp int)")
	Doc("packRun stores kn rows of n > 0 columns, base[koff[k]+j] with koff in bytes, in panels ldp bytes apart.",
		"The last panel is filled up with 0.")
	dst, base, koff, kn, ldp := reg.RDI, reg.RSI, reg.RDX, reg.R8, reg.R9
	n, p, q := reg.R10, reg.R11, reg.R12
	Load(Param("dst"), dst)
	Load(Param("base"), base)
	Load(Param("koff"), koff)
	Load(Param("kn"), kn)
	Load(Param("ldp"), ldp)
	Load(Param("n"), reg.RCX)
	ANDQ(U8(2*lv.lanes-1), reg.RCX)
	MOVQ(U32(1), reg.RAX)
	SHLQ(reg.CL, reg.RAX)
	DECQ(reg.RAX)
	m0, m1 := vec(4), vec(5)
	maskFrom(reg.RAX, 0, reg.K1, m0)
	maskFrom(reg.RAX, lv.lanes, reg.K2, m1)
	Label("row")
	MOVQ(Mem{Base: koff}, p)
	ADDQ(base, p)
	MOVQ(dst, q)
	Load(Param("n"), n)
	SUBQ(U8(2*lv.lanes), n)
	JLT(LabelRef("tail"))
	Label("panel")
	VMOVUPS(Mem{Base: p}, vec(0))
	VMOVUPS(Mem{Base: p, Disp: vbytes()}, vec(1))
	VMOVUPS(vec(0), Mem{Base: q})
	VMOVUPS(vec(1), Mem{Base: q, Disp: vbytes()})
	ADDQ(U32(2*vbytes()), p)
	ADDQ(ldp, q)
	SUBQ(U8(2*lv.lanes), n)
	JGE(LabelRef("panel"))
	Label("tail")
	ADDQ(U8(2*lv.lanes), n)
	JZ(LabelRef("next"))
	maskedLoad(Mem{Base: p}, reg.K1, m0, vec(0))
	maskedLoad(Mem{Base: p, Disp: vbytes()}, reg.K2, m1, vec(1))
	VMOVUPS(vec(0), Mem{Base: q})
	VMOVUPS(vec(1), Mem{Base: q, Disp: vbytes()})
	Label("next")
	ADDQ(U8(8), koff)
	ADDQ(U32(2*vbytes()), dst)
	SUBQ(U8(1), kn)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// wtile is the tile of the weight gradient: its rows are read through offsets.
func wtile(mr, nv int) {
	fn(fmt.Sprintf("wtile_%s_%dx%d", lv.name, mr, nv*lv.lanes), "func(x *float32, koff, segs *int64, nseg int, b, c *float32, ldc, load int)")
	Doc(fmt.Sprintf("c[i][j] (+)= sum over p of x[koff[i]+p]*b[p][j] for %d rows and %d columns; see tiles in level.go.", mr, nv*lv.lanes))
	acc := func(i, v int) reg.VecPhysical { return vec(i*nv + v) }
	bv := func(v int) reg.VecPhysical { return vec(top() - 2 - v) }
	bc := func(i int) reg.VecPhysical { return vec(top() - i&1) }
	// Registers 0..mr-1 are the row pointers; the pointer to the segments and
	// the number of segments left live on the stack.
	row := gp
	b, pos, end := gp(12), gp(13), reg.RBP
	seg, left := AllocLocal(8), AllocLocal(8)
	c, ldc, t := gp(0), gp(1), gp(2)

	Load(Param("c"), c)
	Load(Param("ldc"), ldc)
	Load(Param("load"), t)
	TESTQ(t, t)
	JZ(LabelRef("zero"))
	for i := range mr {
		for v := range nv {
			VMOVUPS(Mem{Base: c, Disp: v * vbytes()}, acc(i, v))
		}
		ADDQ(ldc, c)
	}
	JMP(LabelRef("start"))
	Label("zero")
	for i := range mr {
		for v := range nv {
			zero(acc(i, v))
		}
	}
	Label("start")
	Load(Param("b"), b)
	Load(Param("segs"), pos)
	MOVQ(pos, seg)
	Load(Param("nseg"), pos)
	MOVQ(pos, left)
	Load(Param("koff"), pos)
	for i := range mr {
		Load(Param("x"), row(i))
		ADDQ(Mem{Base: pos, Disp: 8 * i}, row(i))
	}
	step := func(u int) {
		for v := range nv {
			VMOVUPS(Mem{Base: b, Disp: (2*u*lv.lanes + v*lv.lanes) * 4}, bv(v))
		}
		for i := range mr {
			VBROADCASTSS(Mem{Base: row(i), Index: pos, Scale: 1, Disp: 4 * u}, bc(i))
			for v := range nv {
				VFMADD231PS(bv(v), bc(i), acc(i, v))
			}
		}
	}
	Label("segment")
	MOVQ(seg, end)
	MOVQ(Mem{Base: end}, pos)
	MOVQ(Mem{Base: end, Disp: 8}, end)
	ADDQ(U8(16), seg)
	SUBQ(U8(4), end)
	CMPQ(pos, end)
	JGE(LabelRef("last"))
	Label("pair")
	step(0)
	step(1)
	ADDQ(U8(8), pos)
	ADDQ(U32(4*vbytes()), b)
	CMPQ(pos, end)
	JLT(LabelRef("pair"))
	Label("last")
	JNE(LabelRef("next"))
	step(0)
	ADDQ(U32(2*vbytes()), b)
	Label("next")
	SUBQ(U8(1), left)
	JNZ(LabelRef("segment"))

	Load(Param("c"), c)
	Load(Param("ldc"), ldc)
	for i := range mr {
		for v := range nv {
			VMOVUPS(acc(i, v), Mem{Base: c, Disp: v * vbytes()})
		}
		ADDQ(ldc, c)
	}
	VZEROUPPER()
	RET()
}

var transposeDoc = []string{"dst[j][i] = src[i][j] for i < rows, j < cols; the rest of each row of dst", "becomes 0. Rows are ldd and lds bytes apart."}

// transpose16 transposes up to 16x16 floats.
func transpose16() {
	fn("transpose_avx512", "func(dst, src *float32, ldd, lds, rows, cols int)")
	Doc(append([]string{"transpose transposes up to 16x16 floats:"}, transposeDoc...)...)
	dst, src, ldd, lds, rows, cols := reg.RDI, reg.RSI, reg.R8, reg.R9, reg.RDX, reg.RCX
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("ldd"), ldd)
	Load(Param("lds"), lds)
	Load(Param("rows"), rows)
	Load(Param("cols"), cols)
	MOVL(U32(1), reg.EAX)
	SHLL(reg.CL, reg.EAX)
	DECL(reg.EAX)
	KMOVW(reg.EAX, reg.K1)
	z := vec
	CMPQ(rows, U8(16))
	JEQ(LabelRef("full"))
	for i := range 15 {
		zero(z(i + 1))
	}
	Label("full")
	for i := range 16 {
		VMOVUPS_Z(Mem{Base: src}, reg.K1, z(i))
		if i < 15 {
			CMPQ(rows, U8(i+1))
			JEQ(LabelRef("loaded"))
			ADDQ(lds, src)
		}
	}
	Label("loaded")
	transposeRegisters()
	for i := range 16 {
		VMOVUPS(z(i), Mem{Base: dst})
		if i < 15 {
			CMPQ(cols, U8(i+1))
			JEQ(LabelRef("done"))
			ADDQ(ldd, dst)
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// transposeRegisters transposes the 16 floats of registers 0 to 15, using all others.
func transposeRegisters() {
	z := vec
	// Pairs of floats, then fours, then quarters of the vectors.
	for i := 0; i < 16; i += 2 {
		VUNPCKLPS(z(i+1), z(i), z(16+i))
		VUNPCKHPS(z(i+1), z(i), z(17+i))
	}
	for i := 0; i < 16; i += 4 {
		VUNPCKLPD(z(18+i), z(16+i), z(i))
		VUNPCKHPD(z(18+i), z(16+i), z(i+1))
		VUNPCKLPD(z(19+i), z(17+i), z(i+2))
		VUNPCKHPD(z(19+i), z(17+i), z(i+3))
	}
	for i := range 4 {
		VSHUFF32X4(U8(0x88), z(4+i), z(i), z(16+i))
		VSHUFF32X4(U8(0xdd), z(4+i), z(i), z(20+i))
		VSHUFF32X4(U8(0x88), z(12+i), z(8+i), z(24+i))
		VSHUFF32X4(U8(0xdd), z(12+i), z(8+i), z(28+i))
	}
	for i := range 4 {
		VSHUFF32X4(U8(0x88), z(24+i), z(16+i), z(i))
		VSHUFF32X4(U8(0x88), z(28+i), z(20+i), z(4+i))
		VSHUFF32X4(U8(0xdd), z(24+i), z(16+i), z(8+i))
		VSHUFF32X4(U8(0xdd), z(28+i), z(20+i), z(12+i))
	}
}

// transpose8 transposes up to 8x8 floats.
func transpose8() {
	fn("transpose_avx2", "func(dst, src *float32, ldd, lds, rows, cols int)")
	Doc(append([]string{"transpose transposes up to 8x8 floats:"}, transposeDoc...)...)
	dst, src, ldd, lds, rows, cols := reg.RDI, reg.RSI, reg.R8, reg.R9, reg.RDX, reg.RCX
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("ldd"), ldd)
	Load(Param("lds"), lds)
	Load(Param("rows"), rows)
	Load(Param("cols"), cols)
	MOVL(U32(1), reg.EAX)
	SHLL(reg.CL, reg.EAX)
	DECL(reg.EAX)
	y := vec
	maskFrom(reg.RAX, 0, reg.K1, y(15))
	for i := range 7 {
		zero(y(i + 1))
	}
	for i := range 8 {
		VMASKMOVPS(Mem{Base: src}, y(15), y(i))
		if i < 7 {
			CMPQ(rows, U8(i+1))
			JEQ(LabelRef("loaded"))
			ADDQ(lds, src)
		}
	}
	Label("loaded")
	transposeEight()
	for i := range 8 {
		VMOVUPS(y(8+i), Mem{Base: dst})
		if i < 7 {
			CMPQ(cols, U8(i+1))
			JEQ(LabelRef("done"))
			ADDQ(ldd, dst)
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// hsum adds up the lanes of vector i into lane 0 of x(i); vector j is scratch.
func hsum(i, j int) {
	if lv.zmm {
		VEXTRACTF64X4(U8(1), vec(i), ymm(j))
		VADDPS(ymm(j), ymm(i), ymm(i))
	}
	VEXTRACTF128(U8(1), ymm(i), xmm(j))
	VADDPS(xmm(j), xmm(i), xmm(i))
	VSHUFPS(U8(0x4e), xmm(i), xmm(i), xmm(j))
	VADDPS(xmm(j), xmm(i), xmm(i))
	VSHUFPS(U8(0xb1), xmm(i), xmm(i), xmm(j))
	VADDPS(xmm(j), xmm(i), xmm(i))
}

// dot computes mi x mo dot products.
func dot(mi, mo int) {
	fn(fmt.Sprintf("dot_%s_%dx%d", lv.name, mi, mo), "func(kn int, x *float32, ldx int, w *float32, ldw int, y *float32, ldy int)")
	Doc(fmt.Sprintf("y[i][j] += sum over k < kn of x[i][k]*w[j][k] for %d rows i and %d columns j; kn > 0.", mi, mo),
		"Rows are ldx, ldw and ldy bytes apart.")
	kn := reg.RCX
	xs := []reg.GPPhysical{reg.RSI, reg.R8, reg.R9, reg.R10}
	ws := []reg.GPPhysical{reg.RDI, reg.R11, reg.R12, reg.R13, reg.RAX, reg.RBX}
	y, t := reg.R14, reg.R15
	Load(Param("kn"), kn)
	Load(Param("x"), xs[0])
	Load(Param("ldx"), t)
	for i := 1; i < mi; i++ {
		MOVQ(xs[i-1], xs[i])
		ADDQ(t, xs[i])
	}
	Load(Param("w"), ws[0])
	Load(Param("ldw"), t)
	for j := 1; j < mo; j++ {
		MOVQ(ws[j-1], ws[j])
		ADDQ(t, ws[j])
	}
	acc := func(i, j int) int { return i*mo + j }
	wv := func(i int) reg.VecPhysical { return vec(top() - 4 - i&1) } // AVX2: 2x4 accumulators
	xv := func(i int) reg.VecPhysical { return vec(top() - i) }
	for i := range mi * mo {
		zero(vec(i))
	}
	pos := reg.RDX
	XORQ(pos, pos)
	step := func(load func(m Mem, v reg.VecPhysical)) {
		for i := range mi {
			load(Mem{Base: xs[i], Index: pos, Scale: 1}, xv(i))
		}
		for j := range mo {
			load(Mem{Base: ws[j], Index: pos, Scale: 1}, wv(j))
			for i := range mi {
				VFMADD231PS(wv(j), xv(i), vec(acc(i, j)))
			}
		}
	}
	SUBQ(U8(lv.lanes), kn)
	JLT(LabelRef("tail"))
	Label("loop")
	step(func(m Mem, v reg.VecPhysical) { VMOVUPS(m, v) })
	ADDQ(U8(vbytes()), pos)
	SUBQ(U8(lv.lanes), kn)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(U8(lv.lanes), kn)
	JZ(LabelRef("sum"))
	MOVL(U32(1), t.As32())
	SHLL(reg.CL, t.As32())
	DECL(t.As32())
	maskv := vec(top() - 3)
	maskFrom(t, 0, reg.K1, maskv)
	step(func(m Mem, v reg.VecPhysical) {
		if lv.zmm {
			VMOVUPS_Z(m, reg.K1, v)
		} else {
			VMASKMOVPS(m, maskv, v)
		}
	})
	Label("sum")
	Load(Param("y"), y)
	Load(Param("ldy"), t)
	// The sums take place in registers below 16: where there are more
	// accumulators than that, in 0 and 1, which are moved out of the way.
	far := mi*mo > 15
	if far {
		VMOVAPS(vec(0), vec(30))
		VMOVAPS(vec(1), vec(31))
	}
	for a := range mi * mo {
		i, j := a/mo, a%mo
		r, scratch := a, 15
		if far {
			r, scratch = 0, 1
			from := a
			if a < 2 {
				from = 30 + a
			}
			VMOVAPS(vec(from), vec(0))
		}
		hsum(r, scratch)
		VADDSS(Mem{Base: y, Disp: 4 * j}, xmm(r), xmm(r))
		VMOVSS(xmm(r), Mem{Base: y, Disp: 4 * j})
		if j == mo-1 && i < mi-1 {
			ADDQ(t, y)
		}
	}
	VZEROUPPER()
	RET()
}
