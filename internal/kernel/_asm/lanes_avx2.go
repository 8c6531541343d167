package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// laneRow is the bytes of a channel of a place for avx2: 16 lanes in two vectors.
const laneRow = 64

// laneGather8 turns 8 rows of channels into 8 columns of lanes.
func laneGather8() {
	fn("laneGather_avx2", "func(dst, base *float32, offs *int64, n, relu, op int, mask uint64)")
	Doc("laneGather sets dst[16c+l] = base[c] at byte offset offs[l], for c < n and the lanes l < 8 in mask; with relu its maximum with 0.",
		"With op 1 it is subtracted from dst instead, with op 2 added.")
	dst, base, offs, n, p := reg.RDI, reg.RSI, reg.RBX, reg.RDX, reg.R8
	relu, op, mask := reg.R9, reg.R10, reg.R11
	Load(Param("dst"), dst)
	Load(Param("base"), base)
	Load(Param("offs"), offs)
	Load(Param("n"), n)
	Load(Param("relu"), relu)
	Load(Param("op"), op)
	Load(Param("mask"), mask)
	y := vec
	Label("block")
	CMPQ(n, U8(8))
	JL(LabelRef("few"))
	for i := range 8 {
		MOVQ(Mem{Base: offs, Disp: 8 * i}, p)
		VMOVUPS(Mem{Base: base, Index: p, Scale: 1}, y(i))
	}
	JMP(LabelRef("loaded"))
	Label("few")
	MOVQ(n, reg.RCX)
	MOVL(U32(1), reg.EAX)
	SHLL(reg.CL, reg.EAX)
	DECL(reg.EAX)
	maskFrom(reg.RAX, 0, reg.K1, y(15))
	for i := range 8 {
		MOVQ(Mem{Base: offs, Disp: 8 * i}, p)
		VMASKMOVPS(Mem{Base: base, Index: p, Scale: 1}, y(15), y(i))
	}
	Label("loaded")
	transposeEight()
	TESTQ(relu, relu)
	JZ(LabelRef("raw"))
	zero(y(0))
	for i := range 8 {
		VMAXPS(y(8+i), y(0), y(8+i))
	}
	Label("raw")
	CMPQ(op, U8(1))
	JL(LabelRef("store"))
	JG(LabelRef("add"))
	combine := func(f func(i int)) {
		for i := range 8 {
			CMPQ(n, U8(i))
			JEQ(LabelRef("store"))
			VMOVUPS(Mem{Base: dst, Disp: laneRow * i}, y(i))
			f(i)
		}
		JMP(LabelRef("store"))
	}
	combine(func(i int) { VSUBPS(y(8+i), y(i), y(8+i)) })
	Label("add")
	combine(func(i int) { VADDPS(y(8+i), y(i), y(8+i)) })
	Label("store")
	CMPQ(mask, U32(0xff))
	JNE(LabelRef("some"))
	for i := range 8 {
		VMOVUPS(y(8+i), Mem{Base: dst, Disp: laneRow * i})
		if i < 7 {
			CMPQ(n, U8(i+1))
			JEQ(LabelRef("done"))
		}
	}
	JMP(LabelRef("next"))
	Label("some")
	MOVQ(mask, p)
	maskFrom(p, 0, reg.K1, y(0))
	for i := range 8 {
		m := Mem{Base: dst, Disp: laneRow * i}
		VMOVUPS(m, y(1))
		VBLENDVPS(y(0), y(8+i), y(1), y(1))
		VMOVUPS(y(1), m)
		if i < 7 {
			CMPQ(n, U8(i+1))
			JEQ(LabelRef("done"))
		}
	}
	Label("next")
	ADDQ(U32(laneRow*8), dst)
	ADDQ(U8(32), base)
	SUBQ(U8(8), n)
	JG(LabelRef("block"))
	Label("done")
	VZEROUPPER()
	RET()
}

// transposeEight transposes registers 0 to 7 into 8 to 15.
func transposeEight() {
	y := vec
	for i := 0; i < 8; i += 2 {
		VUNPCKLPS(y(i+1), y(i), y(8+i))
		VUNPCKHPS(y(i+1), y(i), y(9+i))
	}
	for i := 0; i < 8; i += 4 {
		VUNPCKLPD(y(10+i), y(8+i), y(i))
		VUNPCKHPD(y(10+i), y(8+i), y(i+1))
		VUNPCKLPD(y(11+i), y(9+i), y(i+2))
		VUNPCKHPD(y(11+i), y(9+i), y(i+3))
	}
	for i := range 4 {
		VPERM2F128(U8(0x20), y(4+i), y(i), y(8+i))
		VPERM2F128(U8(0x31), y(4+i), y(i), y(12+i))
	}
}

// laneCopy8 copies some lanes of rows.
func laneCopy8() {
	fn("laneCopy_avx2", "func(dst, src *float32, n int, mask uint64)")
	Doc("laneCopy copies the lanes in mask of n rows of 16; the others are written as they were.")
	dst, src, n, p := reg.RDI, reg.RSI, reg.RDX, reg.R8
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("n"), n)
	Load(Param("mask"), p)
	maskFrom(p, 0, reg.K1, vec(4))
	maskFrom(p, 8, reg.K1, vec(5))
	Label("row")
	for v := range 2 {
		VMOVUPS(Mem{Base: dst, Disp: vbytes() * v}, vec(v))
		VBLENDVPS(vec(4+v), Mem{Base: src, Disp: vbytes() * v}, vec(v), vec(v))
		VMOVUPS(vec(v), Mem{Base: dst, Disp: vbytes() * v})
	}
	ADDQ(U8(laneRow), src)
	ADDQ(U8(laneRow), dst)
	SUBQ(U8(1), n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// laneWinogradOut8 is laneWinogradOut with sixteen registers: the middle rows of the
// tile together, then the first and the last.
func laneWinogradOut8() {
	fn("laneWinogradOut_avx2", "func(dst *float32, offs *int64, src *float32, lds, n int)")
	Doc("laneWinogradOut takes n vectors of the 4x4 products of a tile, lds bytes apart, to 4x4 places, B m B', and adds them to dst at",
		"byte offsets offs.")
	dst, offs, src, lds, n, p := reg.RDI, reg.RBX, reg.RSI, reg.R8, reg.RCX, reg.RDX
	rows := []reg.GPPhysical{src, reg.R9, reg.R10, reg.R11} // of src
	lds3 := reg.R12
	Load(Param("dst"), dst)
	Load(Param("offs"), offs)
	Load(Param("src"), src)
	Load(Param("lds"), lds)
	Load(Param("n"), n)
	LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	for i := 1; i < 4; i++ {
		LEAQ(Mem{Base: rows[i-1], Index: lds, Scale: 4}, rows[i])
	}
	y := vec
	m := func(i, j int) Mem {
		return []Mem{{Base: rows[i]}, {Base: rows[i], Index: lds, Scale: 1}, {Base: rows[i], Index: lds, Scale: 2}, {Base: rows[i], Index: lds3, Scale: 1}}[j]
	}
	// row takes registers r(0..3) along: m0, m1-m2-m3, m1+m2-m0, m3, and adds row i to dst.
	row := func(i int, r func(j int) reg.VecPhysical) {
		t := y(15)
		VADDPS(r(2), r(1), t)
		VSUBPS(r(2), r(1), r(1))
		VSUBPS(r(3), r(1), r(1))
		VSUBPS(r(0), t, r(2))
		for j := range 4 {
			MOVQ(Mem{Base: offs, Disp: 8 * (4*i + j)}, p)
			at := Mem{Base: dst, Index: p, Scale: 1}
			VADDPS(at, r(j), r(j))
			VMOVUPS(r(j), at)
		}
	}
	Label("vector")
	sum, diff := func(j int) reg.VecPhysical { return y(j) }, func(j int) reg.VecPhysical { return y(4 + j) }
	for j := range 4 {
		VMOVUPS(m(1, j), diff(j))
		VMOVUPS(m(2, j), y(8))
		VADDPS(y(8), diff(j), sum(j))
		VSUBPS(y(8), diff(j), diff(j))
		VMOVUPS(m(3, j), y(8+j%2))
		VSUBPS(y(8+j%2), diff(j), diff(j))
		VMOVUPS(m(0, j), y(10+j))
		VSUBPS(y(10+j), sum(j), sum(j))
	}
	row(0, func(j int) reg.VecPhysical { return y(10 + j) })
	row(1, diff)
	row(2, sum)
	for j := range 4 {
		VMOVUPS(m(3, j), y(10+j))
	}
	row(3, func(j int) reg.VecPhysical { return y(10 + j) })
	for _, r := range rows {
		ADDQ(U8(32), r)
	}
	ADDQ(U8(32), dst)
	SUBQ(U8(1), n)
	JNZ(LabelRef("vector"))
	VZEROUPPER()
	RET()
}
