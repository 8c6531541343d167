package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// weaves emits what interleaves two rows, eight numbers of each at a time on every level.
func weaves() {
	fn("weave_"+lv.name, "func(dst, even, odd *float32, n int)")
	Doc("weave computes dst[2i] = even[i] and dst[2i+1] = odd[i] for i < n, a multiple of 8 above 0.")
	d, n := reg.RDI, reg.RDX
	p := []reg.GPPhysical{reg.R8, reg.R9, reg.R10, reg.R11}
	Load(Param("dst"), d)
	Load(Param("n"), n)
	Load(Param("even"), p[0])
	Load(Param("odd"), p[1])
	Label("loop")
	VMOVUPS(Mem{Base: p[0]}, ymm(0))
	VMOVUPS(Mem{Base: p[1]}, ymm(1))
	storeWoven(ymm(0), ymm(1), ymm(2), ymm(3), d)
	next(d, p[:2], n)

	fn("weaveSums_"+lv.name, "func(dst, a, b, c, d *float32, n int, wa, wb, wc, wd float32)")
	Doc("weaveSums computes dst[2i] = 0 + a[i] wa + b[i] wb and dst[2i+1] = 0 + c[i] wc + d[i] wd for i < n, a multiple of 8 above 0;",
		"each product is rounded.")
	Load(Param("dst"), d)
	Load(Param("n"), n)
	for i, name := range []string{"a", "b", "c", "d"} {
		Load(Param(name), p[i])
		broadcast("w"+name, ymm(8+i))
	}
	VXORPS(ymm(12), ymm(12), ymm(12))
	Label("loop")
	for i, from := range p {
		VMOVUPS(Mem{Base: from}, ymm(i))
		VMULPS(ymm(8+i), ymm(i), ymm(i))
	}
	for i := 0; i < 4; i += 2 {
		VADDPS(ymm(12), ymm(i), ymm(i))
		VADDPS(ymm(i+1), ymm(i), ymm(i))
	}
	storeWoven(ymm(0), ymm(2), ymm(4), ymm(5), d)
	next(d, p, n)
}

// storeWoven stores the numbers of two vectors of 8 by turns; low and high are scratch.
func storeWoven(even, odd, low, high vreg, d reg.GPPhysical) {
	VUNPCKLPS(odd, even, low)
	VUNPCKHPS(odd, even, high)
	VPERM2F128(U8(0x20), high, low, even)
	VPERM2F128(U8(0x31), high, low, odd)
	VMOVUPS(even, Mem{Base: d})
	VMOVUPS(odd, Mem{Base: d, Disp: 32})
}

// next ends a loop over eight numbers of each row.
func next(d reg.GPPhysical, p []reg.GPPhysical, n reg.GPPhysical) {
	ADDQ(U8(64), d)
	for _, q := range p {
		ADDQ(U8(32), q)
	}
	SUBQ(U8(8), n)
	JG(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
