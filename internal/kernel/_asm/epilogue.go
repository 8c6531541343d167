package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// clipRows emits the clip of rows of floats in place.
func clipRows() {
	fn("clipRows_"+lv.name, "func(dst, src, k *float32, rows, n, ldd int)")
	Doc("clipRows computes dst[i] = min(max(src[i], k[0])+k[1], k[2]) for rows > 0 rows of n > 0 floats, ldd bytes apart; a NaN stays.")
	dst, src, k, rows, ldd := reg.RDI, reg.RSI, reg.RDX, reg.RBX, reg.R8
	n, at, rest := reg.RCX, reg.R9, reg.R10
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("k"), k)
	Load(Param("rows"), rows)
	Load(Param("ldd"), ldd)
	lo, zero, hi, mask := vec(4), vec(5), vec(6), vec(7)
	for i, v := range []reg.VecPhysical{lo, zero, hi} {
		VBROADCASTSS(Mem{Base: k, Disp: 4 * i}, v)
	}
	Load(Param("n"), rest)
	MOVQ(rest, reg.RCX)
	ANDQ(U8(lv.lanes-1), reg.RCX)
	MOVL(U32(1), reg.RAX.As32())
	SHLL(reg.CL, reg.RAX.As32())
	DECL(reg.RAX.As32())
	maskFrom(reg.RAX, 0, reg.K1, mask)
	ANDQ(U8(lv.lanes-1), rest)
	clip := func(v reg.VecPhysical) {
		VMAXPS(v, lo, v) // a NaN stays
		VADDPS(zero, v, v)
		VMINPS(v, hi, v)
	}
	const unroll = 4
	Label("row")
	Load(Param("n"), n)
	XORQ(at, at)
	SUBQ(U8(unroll*lv.lanes), n)
	JLT(LabelRef("few"))
	Label("loop")
	for u := range unroll {
		VMOVUPS(Mem{Base: src, Index: at, Scale: 1, Disp: u * vbytes()}, vec(u))
	}
	for u := range unroll {
		clip(vec(u))
	}
	for u := range unroll {
		VMOVUPS(vec(u), Mem{Base: dst, Index: at, Scale: 1, Disp: u * vbytes()})
	}
	ADDQ(U32(unroll*vbytes()), at)
	SUBQ(U8(unroll*lv.lanes), n)
	JGE(LabelRef("loop"))
	Label("few")
	ADDQ(U8((unroll-1)*lv.lanes), n)
	JLT(LabelRef("last"))
	Label("one")
	VMOVUPS(Mem{Base: src, Index: at, Scale: 1}, vec(0))
	clip(vec(0))
	VMOVUPS(vec(0), Mem{Base: dst, Index: at, Scale: 1})
	ADDQ(U8(vbytes()), at)
	SUBQ(U8(lv.lanes), n)
	JGE(LabelRef("one"))
	Label("last")
	TESTQ(rest, rest)
	JZ(LabelRef("next"))
	maskedLoad(Mem{Base: src, Index: at, Scale: 1}, reg.K1, mask, vec(0))
	clip(vec(0))
	maskedStore(vec(0), reg.K1, mask, Mem{Base: dst, Index: at, Scale: 1})
	Label("next")
	ADDQ(ldd, dst)
	ADDQ(ldd, src)
	SUBQ(U8(1), rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}
