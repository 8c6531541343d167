package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// averages emits means of windows, eight at a time on every level, summed in float64.
func averages() {
	dst, src, n, kh, kw, pitch, row, p, y, x := reg.RDI, reg.RSI, reg.RDX, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.RAX
	for step, name := range []string{1: "means", 2: "meansSecond"} {
		if name == "" {
			continue
		}
		fn(name+"_"+lv.name, "func(dst, src *float32, n, kh, kw, pitch int, scale float64)")
		Doc(fmt.Sprintf("%s computes dst[i] = scale times the sum, in float64, of kh rows, pitch bytes apart, of kw numbers from src[%d i] on, for i < n, a", name, step),
			"multiple of 8 above 0. A number more is read where the step is 2.")
		for _, a := range []struct {
			name string
			r    reg.GPPhysical
		}{{"dst", dst}, {"src", src}, {"n", n}, {"kh", kh}, {"kw", kw}, {"pitch", pitch}} {
			Load(Param(a.name), a.r)
		}
		s, err := Param("scale").Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSD(s.Addr, ymm(4))
		Label("loop")
		VXORPS(ymm(2), ymm(2), ymm(2))
		VXORPS(ymm(3), ymm(3), ymm(3))
		MOVQ(kh, y)
		MOVQ(src, row)
		Label("row")
		MOVQ(kw, x)
		MOVQ(row, p)
		Label("tap")
		if step == 1 {
			VCVTPS2PD(Mem{Base: p}, ymm(0))
			VCVTPS2PD(Mem{Base: p, Disp: 16}, ymm(1))
		} else {
			VMOVUPS(Mem{Base: p}, ymm(0))
			VMOVUPS(Mem{Base: p, Disp: 32}, ymm(1))
			VSHUFPS(U8(0x88), ymm(1), ymm(0), ymm(0)) // 0, 2, 8, 10 and 4, 6, 12, 14
			VPERMPD(U8(0xd8), ymm(0), ymm(0))
			VEXTRACTF128(U8(1), ymm(0), reg.X1)
			VCVTPS2PD(reg.X0, ymm(0))
			VCVTPS2PD(reg.X1, ymm(1))
		}
		VADDPD(ymm(0), ymm(2), ymm(2))
		VADDPD(ymm(1), ymm(3), ymm(3))
		ADDQ(U8(4), p)
		DECQ(x)
		JNE(LabelRef("tap"))
		ADDQ(pitch, row)
		DECQ(y)
		JNE(LabelRef("row"))
		VMULPD(ymm(4), ymm(2), ymm(2))
		VMULPD(ymm(4), ymm(3), ymm(3))
		VCVTPD2PSY(ymm(2), reg.X2)
		VCVTPD2PSY(ymm(3), reg.X3)
		VMOVUPS(reg.X2, Mem{Base: dst})
		VMOVUPS(reg.X3, Mem{Base: dst, Disp: 16})
		ADDQ(U8(32), dst)
		ADDQ(U8(32*step), src)
		SUBQ(U8(8), n)
		JG(LabelRef("loop"))
		VZEROUPPER()
		RET()
	}
}
