package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes emits the kernels of lane buffers, see lanes.go of the package: rows of
// 32 floats (16 with avx2), one for each window.
func lanes() {
	laneTiles()
	laneWinogradIn()
	if lv.zmm {
		laneGather()
		laneCopy()
		laneWinogradOut()
	} else {
		laneGather8()
		laneCopy8()
		laneWinogradOut8()
	}
	loop("laneMax3", "dst[i] = max(a[i], b[i], c[i])", []string{"dst", "a", "b", "c"}, nil, func(u int, mem memf, arg argf) {
		v := vec(u)
		VMOVUPS(mem("a"), v)
		VMAXPS(mem("b"), v, v)
		VMAXPS(mem("c"), v, v)
		VMOVUPS(v, mem("dst"))
	})
}

// laneGather turns 16 rows of channels into 16 columns of lanes.
func laneGather() {
	fn("laneGather_avx512", "func(dst, base *float32, offs *int64, n, relu, op int, mask uint64)")
	Doc("laneGather sets dst[32c+l] = base[c] at byte offset offs[l], for c < n and the lanes l < 16 in mask; with relu its maximum with 0.",
		"With op 1 it is subtracted from dst instead, with op 2 added.")
	dst, base, offs, n, p := reg.RDI, reg.RSI, reg.RBX, reg.RDX, reg.R8
	relu, op := reg.R9, reg.R10
	Load(Param("dst"), dst)
	Load(Param("base"), base)
	Load(Param("offs"), offs)
	Load(Param("n"), n)
	Load(Param("relu"), relu)
	Load(Param("op"), op)
	Load(Param("mask"), p)
	KMOVW(p.As32(), reg.K2)
	MOVL(I32(-1), reg.EAX)
	KMOVW(reg.EAX, reg.K1)
	z := vec
	Label("block")
	CMPQ(n, U8(16))
	JGE(LabelRef("load"))
	MOVQ(n, reg.RCX)
	MOVL(U32(1), reg.EAX)
	SHLL(reg.CL, reg.EAX)
	DECL(reg.EAX)
	KMOVW(reg.EAX, reg.K1)
	Label("load")
	for i := range 16 {
		MOVQ(Mem{Base: offs, Disp: 8 * i}, p)
		VMOVUPS_Z(Mem{Base: base, Index: p, Scale: 1}, reg.K1, z(i))
	}
	transposeRegisters()
	TESTQ(relu, relu)
	JZ(LabelRef("raw"))
	zero(z(16))
	for i := range 16 {
		VMAXPS(z(i), z(16), z(i))
	}
	Label("raw")
	CMPQ(op, U8(1))
	JL(LabelRef("store"))
	JG(LabelRef("add"))
	combine := func(f func(i int)) {
		for i := range 16 {
			CMPQ(n, U8(i))
			JEQ(LabelRef("store"))
			VMOVUPS(Mem{Base: dst, Disp: 128 * i}, z(16+i))
			f(i)
		}
		JMP(LabelRef("store"))
	}
	combine(func(i int) { VSUBPS(z(i), z(16+i), z(i)) })
	Label("add")
	combine(func(i int) { VADDPS(z(i), z(16+i), z(i)) })
	Label("store")
	for i := range 16 {
		VMOVUPS(z(i), reg.K2, Mem{Base: dst, Disp: 128 * i})
		if i < 15 {
			CMPQ(n, U8(i+1))
			JEQ(LabelRef("done"))
		}
	}
	ADDQ(U32(128*16), dst)
	ADDQ(U8(64), base)
	SUBQ(U8(16), n)
	JG(LabelRef("block"))
	Label("done")
	VZEROUPPER()
	RET()
}

// laneCopy copies some lanes of rows.
func laneCopy() {
	fn("laneCopy_avx512", "func(dst, src *float32, n int, mask uint64)")
	Doc("laneCopy copies the lanes in mask of n rows of 32.")
	dst, src, n, p := reg.RDI, reg.RSI, reg.RDX, reg.R8
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("n"), n)
	Load(Param("mask"), p)
	KMOVW(p.As32(), reg.K1)
	SHRQ(U8(16), p)
	KMOVW(p.As32(), reg.K2)
	Label("row")
	VMOVUPS_Z(Mem{Base: src}, reg.K1, vec(0))
	VMOVUPS_Z(Mem{Base: src, Disp: 64}, reg.K2, vec(1))
	VMOVUPS(vec(0), reg.K1, Mem{Base: dst})
	VMOVUPS(vec(1), reg.K2, Mem{Base: dst, Disp: 64})
	ADDQ(U32(128), src)
	ADDQ(U32(128), dst)
	SUBQ(U8(1), n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// laneWinogradIn is the transpose of the output transform of F(2x2, 3x3).
func laneWinogradIn() {
	fn("laneWinogradIn_"+lv.name, "func(dst, s0, s1, s2, s3 *float32, ldd, n int)")
	Doc("laneWinogradIn takes n vectors of 2x2 places s to the 4x4 products of a tile, A s A', ldd bytes apart.")
	dst, ldd, n, p, at := reg.RDI, reg.R8, reg.RCX, reg.RDX, reg.RAX
	s := []reg.GPPhysical{reg.R9, reg.R10, reg.R11, reg.R12}
	Load(Param("dst"), dst)
	for i, name := range []string{"s0", "s1", "s2", "s3"} {
		Load(Param(name), s[i])
	}
	Load(Param("ldd"), ldd)
	Load(Param("n"), n)
	XORQ(at, at)
	z := vec
	Label("vector")
	for i := range 4 {
		VMOVUPS(Mem{Base: s[i], Index: at, Scale: 1}, z(i))
	}
	// Rows d0, d0+d1, d0-d1, d1 of both columns.
	a := [4][2]reg.VecPhysical{{z(0), z(1)}, {z(4), z(5)}, {z(6), z(7)}, {z(2), z(3)}}
	for j := range 2 {
		VADDPS(a[3][j], a[0][j], a[1][j])
		VSUBPS(a[3][j], a[0][j], a[2][j])
	}
	LEAQ(Mem{Base: dst, Index: at, Scale: 1}, p)
	for i := range 4 {
		x, y := a[i][0], a[i][1]
		sum, diff := z(8+2*(i&1)), z(9+2*(i&1))
		VADDPS(y, x, sum)
		VSUBPS(y, x, diff)
		for _, v := range []reg.VecPhysical{x, sum, diff, y} {
			VMOVUPS(v, Mem{Base: p})
			ADDQ(ldd, p)
		}
	}
	ADDQ(U8(vbytes()), at)
	SUBQ(U8(1), n)
	JNZ(LabelRef("vector"))
	VZEROUPPER()
	RET()
}

// laneWinogradOut is the transpose of the input transform of F(2x2, 3x3).
func laneWinogradOut() {
	fn("laneWinogradOut_avx512", "func(dst *float32, offs *int64, src *float32, lds, n int)")
	Doc("laneWinogradOut takes n vectors of the 4x4 products of a tile, lds bytes apart, to 4x4 places, B m B', and adds them to dst at",
		"byte offsets offs.")
	dst, offs, src, lds, n, p := reg.RDI, reg.RBX, reg.RSI, reg.R8, reg.RCX, reg.RDX
	Load(Param("dst"), dst)
	Load(Param("offs"), offs)
	Load(Param("src"), src)
	Load(Param("lds"), lds)
	Load(Param("n"), n)
	z := vec
	// out1d: m0, m1-m2-m3, m1+m2-m0, m3, in place.
	out1d := func(m func(int) reg.VecPhysical, t reg.VecPhysical) {
		VADDPS(m(2), m(1), t)
		VSUBPS(m(2), m(1), m(1))
		VSUBPS(m(3), m(1), m(1))
		VSUBPS(m(0), t, m(2))
	}
	Label("vector")
	MOVQ(src, p)
	for i := range 16 {
		VMOVUPS(Mem{Base: p}, z(i))
		if i < 15 {
			ADDQ(lds, p)
		}
	}
	for j := range 4 {
		out1d(func(i int) reg.VecPhysical { return z(4*i + j) }, z(16+j))
	}
	for i := range 4 {
		out1d(func(j int) reg.VecPhysical { return z(4*i + j) }, z(20+i))
	}
	for i := range 16 {
		MOVQ(Mem{Base: offs, Disp: 8 * i}, p)
		VADDPS(Mem{Base: dst, Index: p, Scale: 1}, z(i), z(i))
		VMOVUPS(z(i), Mem{Base: dst, Index: p, Scale: 1})
	}
	ADDQ(U8(64), src)
	ADDQ(U8(64), dst)
	SUBQ(U8(1), n)
	JNZ(LabelRef("vector"))
	VZEROUPPER()
	RET()
}

// laneTiles emits products that leave out what is 0.
func laneTiles() {
	for mr := 1; mr <= lv.rows; mr++ {
		laneTile(mr)
	}
}

// laneTile is tile for some of the sum's terms.
func laneTile(mr int) {
	fn(fmt.Sprintf("laneTile%d_%s", mr, lv.name), "func(list *int64, n int, a, b, c, bias *float32, flags int)")
	Doc(fmt.Sprintf("laneTile%d is tile for %d rows and a panel of columns, which follow each other in c, over the terms of list:", mr, mr),
		"where the values of a, and of b, begin, in bytes.")
	list, n, a, b, c, flags := reg.RDI, reg.RCX, reg.RSI, reg.RDX, reg.RBX, reg.R8
	p, pa, pb := reg.R9, reg.R10, reg.R11
	Load(Param("list"), list)
	Load(Param("n"), n)
	Load(Param("a"), a)
	Load(Param("b"), b)
	Load(Param("c"), c)
	Load(Param("flags"), flags)
	acc := func(i, v int) reg.VecPhysical { return vec(2*i + v) }
	bv := func(v int) reg.VecPhysical { return vec(top() - 2 - v) }
	bc := func(i int) reg.VecPhysical { return vec(top() - i&1) }
	at := func(i, v int) Mem { return Mem{Base: c, Disp: (2*i + v) * vbytes()} }
	each := func(f func(i, v int)) {
		for i := range mr {
			f(i, 0)
			f(i, 1)
		}
	}
	TESTQ(U32(flagLoad), flags)
	JZ(LabelRef("bias"))
	each(func(i, v int) { VMOVUPS(at(i, v), acc(i, v)) })
	JMP(LabelRef("start"))
	Label("bias")
	Load(Param("bias"), p)
	TESTQ(p, p)
	JZ(LabelRef("zero"))
	each(func(i, v int) { VBROADCASTSS(Mem{Base: p, Disp: 4 * i}, acc(i, v)) })
	JMP(LabelRef("start"))
	Label("zero")
	each(func(i, v int) { zero(acc(i, v)) })
	Label("start")
	TESTQ(n, n)
	JZ(LabelRef("end"))
	Label("loop")
	MOVQ(Mem{Base: list}, pa)
	MOVQ(Mem{Base: list, Disp: 8}, pb)
	for v := range 2 {
		VMOVUPS(Mem{Base: b, Index: pb, Scale: 1, Disp: v * vbytes()}, bv(v))
	}
	for i := range mr {
		VBROADCASTSS(Mem{Base: a, Index: pa, Scale: 1, Disp: 4 * i}, bc(i))
		for v := range 2 {
			VFMADD231PS(bv(v), bc(i), acc(i, v))
		}
	}
	ADDQ(U8(16), list)
	SUBQ(U8(1), n)
	JNZ(LabelRef("loop"))
	Label("end")
	TESTQ(U32(flagReLU), flags)
	JZ(LabelRef("store"))
	zero(bc(0))
	each(func(i, v int) {
		VMAXPS(acc(i, v), bc(0), acc(i, v)) // a NaN in the accumulator stays
		VADDPS(bc(0), acc(i, v), acc(i, v)) // -0 becomes 0
	})
	Label("store")
	each(func(i, v int) { VMOVUPS(acc(i, v), at(i, v)) })
	VZEROUPPER()
	RET()
}
