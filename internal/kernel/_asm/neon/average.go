package main

// means computes means of windows, summed in float64, which the translation does not know: eight numbers at a time,
// those that follow each other or each second one.
func (a *asm) means(second bool) {
	const dst, src, n, kh, kw, pitch, row, p, y, x, scale = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
	for i, s := range []string{"dst", "src", "n", "kh", "kw", "pitch"} {
		a.op("MOVD %s+%d(FP), R%d", s, 8*i, i)
	}
	a.op("MOVD scale+48(FP), R%d", scale)
	a.op("VDUP R%d, V16.D2", scale)
	a.label("loop")
	for i := range 4 {
		a.zero(vreg(4 + i))
	}
	a.op("MOVD R%d, R%d", kh, y)
	a.op("MOVD R%d, R%d", src, row)
	a.label("row")
	a.op("MOVD R%d, R%d", kw, x)
	a.op("MOVD R%d, R%d", row, p)
	a.label("tap")
	halves := []vreg{0, 1}
	if second {
		a.op("ADD $32, R%d, R11", p)
		a.op("VLD2 (R%d), [V0.S4, V1.S4]", p)
		a.op("VLD2 (R11), [V2.S4, V3.S4]")
		halves[1] = 2
	} else {
		a.op("VLD1 (R%d), [V0.S4, V1.S4]", p)
	}
	for i, v := range halves {
		a.word("fcvtl_2d", 0x0e617800, "fcvtl v%d.2d, v%d.2s", 17, v)
		a.word("fcvtl2_2d", 0x4e617800, "fcvtl2 v%d.2d, v%d.4s", 18, v)
		for k := range 2 {
			sum := vreg(4 + 2*i + k)
			a.word("fadd_2d", 0x4e60d400, "fadd v%d.2d, v%d.2d, v%d.2d", sum, sum, vreg(17+k))
		}
	}
	a.op("ADD $4, R%d, R%d", p, p)
	a.op("SUBS $1, R%d, R%d", x, x)
	a.op("BNE tap")
	a.op("ADD R%d, R%d, R%d", pitch, row, row)
	a.op("SUBS $1, R%d, R%d", y, y)
	a.op("BNE row")
	for i := range 4 {
		a.word("fmul_2d", 0x6e60dc00, "fmul v%d.2d, v%d.2d, v%d.2d", vreg(4+i), vreg(4+i), 16)
	}
	for i := range 2 {
		a.word("fcvtn_2s", 0x0e616800, "fcvtn v%d.2s, v%d.2d", vreg(i), vreg(4+2*i))
		a.word("fcvtn2_4s", 0x4e616800, "fcvtn2 v%d.4s, v%d.2d", vreg(i), vreg(5+2*i))
	}
	a.op("VST1.P [V0.S4, V1.S4], 32(R%d)", dst)
	step := 32
	if second {
		step = 64
	}
	a.op("ADD $%d, R%d, R%d", step, src, src)
	a.op("SUBS $8, R%d, R%d", n, n)
	a.op("BNE loop")
	a.op("RET")
}
