package main

import "strings"

// hand are the functions that are not translated: their AVX2 programs keep in memory what 32 registers hold, or compute in
// float64.
var hand = map[string]func(a *asm){
	"winogradOut6x4_avx2": func(a *asm) { a.winogradOut(6, 4) },
	"winogradOut6x2_avx2": func(a *asm) { a.winogradOut(6, 2) },
	"winogradOut4x2_avx2": func(a *asm) { a.winogradOut(4, 2) },
	"means_avx2":          func(a *asm) { a.means(false) },
	"meansSecond_avx2":    func(a *asm) { a.means(true) },
}

// Registers of winogradOut: its arguments, and R10 to R15, R19 to R22.
const (
	outDst, outSrc, outLds, outN, outPlane, outPitch, outSegs, outNseg, outBias, outReLU = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9

	outRow                                 = 10 // bytes between vectors of src in a column
	outSeg, outLeft, outAt, outMask, outUp = 11, 12, 13, 14, 15
	outHalf                                = 22 // bytes from a vector of src to its half
	outT                                   = 20
)

// winogradOut takes four tiles at a time: columns are transformed into V0 to V23, rows from there.
func (a *asm) winogradOut(alpha, size int) {
	for i, s := range []string{"dst", "src", "lds", "n", "plane", "pitch", "segs", "nseg", "bias", "relu"} {
		a.op("MOVD %s+%d(FP), R%d", s, 8*i, i)
	}
	a.op("MOVD $%d, R%d", alpha, outT)
	a.op("MUL R%d, R%d, R%d", outLds, outT, outRow)
	// V31 has 2, 4 and 8, V30 the bias.
	a.op("MOVD $0x4080000040000000, R%d", outT)
	a.op("VMOV R%d, V31.D[0]", outT)
	a.op("MOVD $0x0000000041000000, R%d", outT)
	a.op("VMOV R%d, V31.D[1]", outT)
	o := func(i, j int) vreg { return vreg(6*i + j) }
	m := func(i int) vreg { return vreg(24 + i) }
	pointers := []int{11, 12, 13, 14, 15, 19}[:alpha]
	a.zero(30)
	a.label("channel")
	a.op("CBZ R%d, unbiased", outBias)
	a.op("VLD1R.P 4(R%d), [V30.S4]", outBias)
	a.label("unbiased")
	a.op("MOVD ZR, R%d", outHalf)
	a.label("half")
	for i, p := range pointers {
		if i == 0 {
			a.op("ADD R%d, R%d, R%d", outHalf, outSrc, p)
		} else {
			a.op("ADD R%d, R%d, R%d", outRow, pointers[i-1], p)
		}
	}
	for j := range alpha {
		for i, p := range pointers {
			a.op("VLD1.P (R%d)(R%d), [%v.S4]", p, outLds, m(i))
		}
		a.out1d(alpha, size, m, func(i int) vreg { return o(i, j) }, 20)
	}
	for i := range size {
		r := func(j int) vreg { return vreg(24 + j) }
		a.out1d(alpha, size, func(j int) vreg { return o(i, j) }, r, 20)
		for j := range size {
			a.three("fadd", o(i, j), r(j), 30)
		}
	}
	a.op("CBZ R%d, plain", outReLU)
	a.zero(28)
	for i := range size {
		for j := range size {
			a.three("fmax", o(i, j), o(i, j), 28) // a NaN stays, -0 becomes 0
		}
	}
	a.label("plain")
	a.outStore(size, o)
	a.op("ADD $16, R%d, R%d", outHalf, outHalf)
	a.op("CMP $32, R%d", outHalf)
	a.op("BNE half")
	a.op("ADD $64, R%d, R%d", outSrc, outSrc)
	a.op("ADD R%d, R%d, R%d", outPlane, outDst, outDst)
	a.op("SUBS $1, R%d, R%d", outN, outN)
	a.op("BNE channel")
	a.op("RET")
	a.outPart(size, o)
}

// out1d takes alpha products m, which are overwritten, to size sums; t is free. It is out1d of the AVX2 program.
func (a *asm) out1d(alpha, size int, m, out func(int) vreg, t vreg) {
	two, four, eight := element{31, 0}, element{31, 1}, element{31, 2}
	u := out(1)
	if size == 4 {
		t = out(2)
	}
	a.three("fadd", t, m(1), m(2))
	a.three("fsub", u, m(1), m(2))
	if alpha == 4 {
		a.three("fadd", out(0), m(0), t)
		a.three("fsub", out(1), u, m(3))
		return
	}
	a.three("fadd", m(1), m(3), m(4))
	a.three("fsub", m(2), m(3), m(4))
	a.three("fadd", out(0), m(0), t)
	a.three("fadd", out(0), out(0), m(1))
	if size == 2 {
		a.three("fadd", out(1), m(5), u)
		a.byElem("fmla", out(1), m(2), two)
		return
	}
	a.three("fadd", out(3), m(5), u)
	a.byElem("fmla", out(3), m(2), eight)
	a.byElem("fmla", u, m(2), two)
	a.byElem("fmla", t, m(1), four)
}

// outStore stores rows of the outputs of four tiles at each segment: whole ones at once.
func (a *asm) outStore(size int, o func(i, j int) vreg) {
	a.op("MOVD R%d, R%d", outSegs, outSeg)
	a.op("MOVD R%d, R%d", outNseg, outLeft)
	a.label("segment")
	a.op("MOVD (R%d), R%d", outSeg, outAt)
	a.op("ADD R%d, R%d, R%d", outDst, outAt, outAt)
	if size == 4 {
		a.op("ADD R%d<<2, R%d, R%d", outHalf, outAt, outAt)
		a.op("ADD R%d>>3, R%d, R%d", outHalf, outSeg, outT)
		a.op("MOVHU 8(R%d), R%d", outT, outMask)
	} else {
		a.op("ADD R%d<<1, R%d, R%d", outHalf, outAt, outAt)
		a.op("ADD R%d>>4, R%d, R%d", outHalf, outSeg, outT)
		a.op("MOVBU 8(R%d), R%d", outT, outMask)
	}
	a.op("MOVD 16(R%d), R%d", outSeg, outUp)
	a.op("MOVD $%d, R%d", 1<<(4*size)-1, outT)
	a.op("CMP R%d, R%d", outT, outMask)
	a.op("BNE part")
	for i := range size {
		list := []string{o(i, 0).String() + ".S4", o(i, 1).String() + ".S4", o(i, 2).String() + ".S4", o(i, 3).String() + ".S4"}[:size]
		a.op("VST%d [%s], (R%d)", size, strings.Join(list, ", "), outAt)
		if i < size-1 {
			a.op("SUBS $1, R%d, R%d", outUp, outUp)
			a.op("BEQ stored")
			a.op("ADD R%d, R%d, R%d", outPitch, outAt, outAt)
		}
	}
	a.label("stored")
	a.op("ADD $24, R%d, R%d", outSeg, outSeg)
	a.op("SUBS $1, R%d, R%d", outLeft, outLeft)
	a.op("BNE segment")
}

// outPart stores the floats that the mask says.
func (a *asm) outPart(size int, o func(i, j int) vreg) {
	a.label("part")
	a.op("CBZ R%d, stored", outMask)
	for i := range size {
		a.op("MOVD R%d, R%d", outAt, outT)
		for lane := range 4 {
			for j := range size {
				skip := "skip" + string(rune('0'+i)) + string(rune('0'+lane)) + string(rune('0'+j))
				a.op("TBZ $%d, R%d, %s", size*lane+j, outMask, skip)
				a.op("VST1 %v.S[%d], (R%d)", o(i, j), lane, outT)
				a.label(skip)
				a.op("ADD $4, R%d, R%d", outT, outT)
			}
		}
		if i < size-1 {
			a.op("SUBS $1, R%d, R%d", outUp, outUp)
			a.op("BEQ stored")
			a.op("ADD R%d, R%d, R%d", outPitch, outAt, outAt)
		}
	}
	a.op("B stored")
}
