package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// channelPlaces is the most outputs of a row that channels computes at a time.
const channelPlaces = 7

// channels computes n outputs of each of some rows of planes whose channels are side by
// side, a vector of them.
func channels(n, stride int) {
	fn(fmt.Sprintf("channels%ds%d_%s", n, stride, lv.name), "func(dst, src, w, bias, k *float32, koff *int64, taps, rows, ldd, lds, clamp int)")
	Doc(fmt.Sprintf("channels%ds%d is channels of level.go for %d outputs and this stride.", n, stride, n))
	dst, src, w, koff := reg.RDI, reg.RSI, reg.RBX, reg.R8
	taps, rows, ldd, lds := reg.R9, reg.RCX, reg.R10, reg.R11
	at, p, q, left := reg.RAX, reg.R12, reg.R13, reg.R14
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("w"), w)
	Load(Param("koff"), koff)
	Load(Param("taps"), taps)
	Load(Param("rows"), rows)
	Load(Param("ldd"), ldd)
	Load(Param("lds"), lds)
	weight, start := vec(top()), vec(top()-1)
	in := func(i int) reg.VecPhysical { return vec(n + i%3) }
	Load(Param("bias"), p)
	VMOVUPS(Mem{Base: p}, start)
	Label("row")
	for i := range n {
		VMOVAPS(start, vec(i))
	}
	MOVQ(w, p)
	MOVQ(koff, q)
	MOVQ(taps, left)
	Label("tap")
	MOVQ(Mem{Base: q}, at)
	ADDQ(src, at)
	VMOVUPS(Mem{Base: p}, weight)
	for i := range n {
		VMOVUPS(Mem{Base: at, Disp: i * stride * vbytes()}, in(i))
		VFMADD231PS(in(i), weight, vec(i))
	}
	ADDQ(U32(vbytes()), p)
	ADDQ(U32(8), q)
	SUBQ(U8(1), left)
	JNZ(LabelRef("tap"))
	Load(Param("clamp"), at)
	TESTQ(at, at)
	JZ(LabelRef("store"))
	Load(Param("k"), at)
	for i, disp := range []int{4, 8, 12} {
		VBROADCASTSS(Mem{Base: at, Disp: disp}, in(i))
	}
	for i := range n {
		VMAXPS(vec(i), in(0), vec(i)) // a NaN stays
		VADDPS(in(1), vec(i), vec(i))
		VMINPS(vec(i), in(2), vec(i))
	}
	Label("store")
	for i := range n {
		VMOVUPS(vec(i), Mem{Base: dst, Disp: i * vbytes()})
	}
	ADDQ(ldd, dst)
	ADDQ(lds, src)
	SUBQ(U8(1), rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}
