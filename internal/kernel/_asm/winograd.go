package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// constFloat returns a constant: one float for avx512, to be broadcast, a vector of
// it for avx2.
func constFloat(name string, v float32) Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	n := 1
	if !lv.zmm {
		n = lv.lanes
	}
	for i := range n {
		DATA(4*i, U32(math.Float32bits(v)))
	}
	return m
}

// addTimes emits out += k*m for a constant k.
func addTimes(k Mem, m, out reg.VecPhysical) {
	if lv.zmm {
		VFMADD231PS_BCST(k, m, out)
	} else {
		VFMADD231PS(k, m, out)
	}
}

var two, four, five, eight, zipLow, zipHigh Mem

// Winograd's F(4x4, 3x3), F(2x2, 5x5) and F(2x2, 3x3): a lane is a tile. The first two take 6x6 inputs to 36 products, with the same points 0, 1,
// -1, 2, -2 and infinity; the last takes 4x4 inputs, with the points 0, 1, -1 and
// infinity.
//
// [lavin16] Lavin and Gray, Fast algorithms for convolutional neural networks,
// CVPR 2016, section 4.
func winograd() {
	two, four, five, eight = constFloat("two", 2), constFloat("four", 4), constFloat("five", 5), constFloat("eight", 8)
	zip := func(name string, first int) Mem { // avx512
		m := GLOBL(name, attr.RODATA|attr.NOPTR)
		for i := range 16 {
			DATA(4*i, U32(first+i/2+16*(i%2)))
		}
		return m
	}
	if lv.zmm {
		zipLow, zipHigh = zip("zipLow", 0), zip("zipHigh", 8)
	}

	winogradIn(6)
	winogradIn(4)
	winogradOut(6, 4)
	winogradOut(6, 2)
	winogradOut(4, 2)
}

// winogradIn emits the transform of tiles of alpha x alpha inputs.
func winogradIn(alpha int) {
	fn(fmt.Sprintf("winogradIn%d_%s", alpha, lv.name), "func(dst, src *float32, ldd, n int)")
	step := 2 * vbytes() // a panel
	Doc(fmt.Sprintf("winogradIn%d transforms n channels of %d tiles: dst[%di+j] = (B' d B)[i][j] for d[i][j] at src[%di+j], which is", alpha, lv.lanes, alpha, alpha),
		fmt.Sprintf("overwritten. The %d vectors of src are %d bytes apart; those of dst ldd bytes, channels of dst %d bytes.", alpha*alpha, step, step))
	dst, src, ldd, n, p := reg.RDI, reg.RSI, reg.R8, reg.RCX, reg.RDX
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("ldd"), ldd)
	Load(Param("n"), n)
	var k2, k4, k5 Op = two, four, five
	if lv.zmm && alpha == 6 {
		VBROADCASTSS(two, reg.Z31)
		VBROADCASTSS(four, reg.Z30)
		VBROADCASTSS(five, reg.Z29)
		k2, k4, k5 = reg.Z31, reg.Z30, reg.Z29
	}
	z := vec
	// in1d transforms registers b..., and returns where it leaves the results. What it copies is needed twice.
	in1d := func(b int) []reg.VecPhysical {
		d := func(i int) reg.VecPhysical { return z(b + i) }
		t := func(i int) reg.VecPhysical { return z(b + alpha + i) }
		if alpha == 4 {
			VSUBPS(d(2), d(0), t(0))
			VADDPS(d(2), d(1), t(1))
			VSUBPS(d(1), d(2), t(2))
			VSUBPS(d(3), d(1), t(3))
			return []reg.VecPhysical{t(0), t(1), t(2), t(3)}
		}
		VMOVAPS(d(4), t(0)) // 4 d0 - 5 d2 + d4
		VFNMADD231PS(k5, d(2), t(0))
		VFMADD231PS(k4, d(0), t(0))
		VFNMADD231PS(k5, d(3), d(5)) // 4 d1 - 5 d3 + d5
		VFMADD231PS(k4, d(1), d(5))
		VSUBPS(d(2), d(4), t(3)) // and 2 (d3 - d1) more and less
		VSUBPS(d(1), d(3), t(5))
		VMOVAPS(t(3), t(4))
		VFMADD231PS(k2, t(5), t(3))
		VFNMADD231PS(k2, t(5), t(4))
		VFNMADD231PS(k4, d(2), d(4)) // d4 - 4 d2
		VFNMADD231PS(k4, d(1), d(3)) // d3 - 4 d1
		VADDPS(d(3), d(4), t(1))
		VSUBPS(d(3), d(4), t(2))
		return []reg.VecPhysical{t(0), t(1), t(2), t(3), t(4), d(5)}
	}
	// avx512 has registers for two at a time.
	other := func(i int) int {
		if lv.zmm {
			return 14 * (i & 1)
		}
		return 0
	}
	Label("channel")
	for j := range alpha {
		b := other(j)
		for i := range alpha {
			VMOVUPS(Mem{Base: src, Disp: step * (alpha*i + j)}, z(b+i))
		}
		for i, t := range in1d(b) {
			VMOVUPS(t, Mem{Base: src, Disp: step * (alpha*i + j)})
		}
	}
	MOVQ(dst, p)
	for i := range alpha {
		b := other(i)
		for j := range alpha {
			VMOVUPS(Mem{Base: src, Disp: step * (alpha*i + j)}, z(b+j))
		}
		for _, t := range in1d(b) {
			VMOVUPS(t, Mem{Base: p})
			ADDQ(ldd, p)
		}
	}
	ADDQ(U32(uint32(alpha*alpha*step)), src)
	ADDQ(U32(uint32(step)), dst)
	SUBQ(U8(1), n)
	JNZ(LabelRef("channel"))
	VZEROUPPER()
	RET()
}

// winogradOut emits the transform of alpha x alpha products back to tiles of
// size x size outputs.
func winogradOut(alpha, size int) {
	z := vec
	src, dst, n, p := reg.RSI, reg.RDI, reg.RCX, reg.RDX
	vectors := size // of an output row of as many tiles as lanes
	fn(fmt.Sprintf("winogradOut%dx%d_%s", alpha, size, lv.name), "func(dst, src *float32, lds, n, plane, pitch int, segs *int64, nseg int, bias *float32, relu int)")
	Doc(fmt.Sprintf("winogradOut%dx%d transforms n channels of %d tiles back, A' m A for m[i][j] at src[%di+j], adds bias[k] unless bias is nil,", alpha, size, lv.lanes, alpha),
		fmt.Sprintf("and stores %d rows of %d floats at each segment (off, masks, rows): masks has a bit for each column, rows of the", size, lv.lanes*size),
		fmt.Sprintf("output are pitch bytes apart, planes plane bytes. Vectors of src are lds bytes apart, channels %d.", 2*vbytes()))
	segs, nseg, bias, s, c := reg.R9, reg.R10, reg.R11, reg.R12, reg.R13
	pitch, rows, lds := reg.RBX, reg.R15, reg.R8
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("lds"), lds)
	Load(Param("n"), n)
	Load(Param("pitch"), pitch)
	Load(Param("bias"), bias)
	o := func(i, j int) reg.VecPhysical { return z(6*i + j) }
	// out1d takes m(0..alpha-1), which are overwritten, to size sums in out; t is a scratch register.
	out1d := func(m, out func(int) reg.VecPhysical, t reg.VecPhysical) {
		u := out(1)
		if size == 4 {
			t = out(2)
		}
		VADDPS(m(2), m(1), t)
		VSUBPS(m(2), m(1), u)
		if alpha == 4 {
			VADDPS(t, m(0), out(0))
			VSUBPS(m(3), u, out(1))
			return
		}
		VADDPS(m(4), m(3), m(1))
		VSUBPS(m(4), m(3), m(2))
		VADDPS(t, m(0), out(0))
		VADDPS(m(1), out(0), out(0))
		if size == 2 {
			VADDPS(u, m(5), out(1))
			addTimes(two, m(2), out(1))
			return
		}
		VADDPS(u, m(5), out(3))
		addTimes(eight, m(2), out(3))
		addTimes(two, m(2), u)  // out(1)
		addTimes(four, m(1), t) // out(2)
	}
	Label("channel")
	// Columns: o[i][j] for size rows i and alpha columns j. Column j of m is
	// loaded to registers 24...
	MOVQ(src, c)
	if alpha == 6 {
		LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, s)
	} else {
		LEAQ(Mem{Base: lds, Index: lds, Scale: 1}, s)
	}
	ADDQ(s, s) // alpha*lds
	if !lv.zmm {
		winogradOutMemory(alpha, size, out1d)
	} else {
		for j := range alpha {
			MOVQ(c, p)
			for i := range alpha {
				VMOVUPS(Mem{Base: p}, z(24+i))
				if i < alpha-1 {
					ADDQ(s, p)
				}
			}
			ADDQ(lds, c)
			out1d(func(i int) reg.VecPhysical { return z(24 + i) }, func(i int) reg.VecPhysical { return o(i, j) }, z(30))
		}
		zero(z(31))
		TESTQ(bias, bias)
		JZ(LabelRef("rows"))
		VBROADCASTSS(Mem{Base: bias}, z(31))
		ADDQ(U8(4), bias)
		Label("rows")
		// Rows: o[i][0..alpha-1] become size sums, and those the floats of an output row in
		// o[i][0..size-1].
		for i := range size {
			m := func(j int) reg.VecPhysical { return o(i, j) }
			r := func(j int) reg.VecPhysical { return z(24 + j) }
			out1d(m, r, z(28))
			for j := range size {
				VADDPS(z(31), r(j), r(j))
			}
			if size == 2 {
				loadInts(zipLow, m(0))
				loadInts(zipHigh, m(1))
				VPERMI2PS(r(1), r(0), m(0))
				VPERMI2PS(r(1), r(0), m(1))
				continue
			}
			VUNPCKLPS(r(1), r(0), m(0))
			VUNPCKLPS(r(3), r(2), m(1))
			VUNPCKHPS(r(1), r(0), m(2))
			VUNPCKHPS(r(3), r(2), m(3))
			VUNPCKLPD(m(1), m(0), r(0)) // tiles 0, 4, 8, 12
			VUNPCKHPD(m(1), m(0), r(1)) // tiles 1, 5, ...
			VUNPCKLPD(m(3), m(2), r(2))
			VUNPCKHPD(m(3), m(2), r(3))
			// A transpose of quarters.
			VSHUFF32X4(U8(0x44), r(1), r(0), m(0)) // 0 4 1 5
			VSHUFF32X4(U8(0x44), r(3), r(2), m(1)) // 2 6 3 7
			VSHUFF32X4(U8(0xee), r(1), r(0), m(2)) // 8 12 9 13
			VSHUFF32X4(U8(0xee), r(3), r(2), m(3)) // 10 14 11 15
			VSHUFF32X4(U8(0x88), m(1), m(0), r(0)) // 0 1 2 3
			VSHUFF32X4(U8(0xdd), m(1), m(0), r(1)) // 4 5 6 7
			VSHUFF32X4(U8(0x88), m(3), m(2), r(2))
			VSHUFF32X4(U8(0xdd), m(3), m(2), r(3))
			for j := range 4 {
				VMOVAPS(r(j), m(j))
			}
		}
		Load(Param("relu"), s)
		TESTQ(s, s)
		JZ(LabelRef("store"))
		zero(z(31))
		for i := range size {
			for j := range vectors {
				VMAXPS(o(i, j), z(31), o(i, j))
				VADDPS(z(31), o(i, j), o(i, j))
			}
		}
	}
	if lv.zmm {
		Label("store")
		Load(Param("segs"), segs)
		Load(Param("nseg"), nseg)
		Label("segment")
		MOVQ(Mem{Base: segs}, c)
		ADDQ(dst, c)
		ks := []reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3, reg.K4}[:vectors]
		for j, k := range ks {
			KMOVW(Mem{Base: segs, Disp: 8 + 2*j}, k)
		}
		MOVQ(Mem{Base: segs, Disp: 16}, rows)
		for i := range size {
			for j, k := range ks {
				VMOVUPS(o(i, j), k, Mem{Base: c, Disp: vbytes() * j})
			}
			if i < size-1 {
				SUBQ(U8(1), rows)
				JZ(LabelRef("stored"))
				ADDQ(pitch, c)
			}
		}
		Label("stored")
		ADDQ(U8(24), segs)
		SUBQ(U8(1), nseg)
		JNZ(LabelRef("segment"))
	}
	ADDQ(U32(uint32(2*vbytes())), src)
	Load(Param("plane"), s)
	ADDQ(s, dst)
	SUBQ(U8(1), n)
	JNZ(LabelRef("channel"))
	VZEROUPPER()
	RET()
}

// winogradOutMemory emits the middle of winogradOut for avx2, which has not the
// registers for all values: those of src are overwritten with columns transformed,
// and each row of outputs is stored when it is ready.
func winogradOutMemory(alpha, size int, out1d func(m, out func(int) reg.VecPhysical, t reg.VecPhysical)) {
	src, p, bias, s, c, lds, relu := reg.RSI, reg.RDX, reg.R11, reg.R12, reg.R13, reg.R8, reg.RAX
	line := reg.R14
	z := vec
	m := func(i int) reg.VecPhysical { return z(i) }
	r := func(i int) reg.VecPhysical { return z(8 + i) }
	// walk calls f for n vectors from first on, step bytes apart.
	walk := func(first, step reg.GPPhysical, n int, f func(i int, at Mem)) {
		MOVQ(first, p)
		for i := range n {
			f(i, Mem{Base: p})
			if i < n-1 {
				ADDQ(step, p)
			}
		}
	}
	for j := range alpha {
		walk(c, s, alpha, func(i int, at Mem) { VMOVUPS(at, m(i)) })
		out1d(m, r, z(6))
		walk(c, s, size, func(i int, at Mem) { VMOVUPS(r(i), at) })
		if j < alpha-1 {
			ADDQ(lds, c)
		}
	}
	add, none := z(15), z(14)
	zero(add)
	TESTQ(bias, bias)
	JZ(LabelRef("rows"))
	VBROADCASTSS(Mem{Base: bias}, add)
	ADDQ(U8(4), bias)
	Label("rows")
	zero(none)
	MOVQ(src, c)
	MOVQ(reg.RDI, line)
	for i := range size {
		walk(c, lds, alpha, func(j int, at Mem) { VMOVUPS(at, m(j)) })
		out1d(m, r, z(6))
		for j := range size {
			VADDPS(add, r(j), r(j))
		}
		plain := fmt.Sprintf("plain%d", i)
		Load(Param("relu"), relu)
		TESTQ(relu, relu)
		JZ(LabelRef(plain))
		for j := range size {
			VMAXPS(r(j), none, r(j)) // a NaN stays
			VADDPS(none, r(j), r(j)) // -0 becomes 0
		}
		Label(plain)
		if size == 2 {
			VUNPCKLPS(r(1), r(0), m(0))
			VUNPCKHPS(r(1), r(0), m(1))
			VPERM2F128(U8(0x20), m(1), m(0), r(0))
			VPERM2F128(U8(0x31), m(1), m(0), r(1))
		} else {
			VUNPCKLPS(r(1), r(0), m(0))
			VUNPCKLPS(r(3), r(2), m(1))
			VUNPCKHPS(r(1), r(0), m(2))
			VUNPCKHPS(r(3), r(2), m(3))
			VUNPCKLPD(m(1), m(0), m(4)) // tiles 0, 4
			VUNPCKHPD(m(1), m(0), m(5)) // tiles 1, 5
			VUNPCKLPD(m(3), m(2), m(6)) // tiles 2, 6
			VUNPCKHPD(m(3), m(2), m(7)) // tiles 3, 7
			VPERM2F128(U8(0x20), m(5), m(4), r(0))
			VPERM2F128(U8(0x20), m(7), m(6), r(1))
			VPERM2F128(U8(0x31), m(5), m(4), r(2))
			VPERM2F128(U8(0x31), m(7), m(6), r(3))
		}
		winogradStore(i, size, r, line)
		if i < size-1 {
			ADDQ(s, c)
			ADDQ(reg.RBX, line) // pitch
		}
	}
}

// winogradStore emits the stores of row i of the outputs of 8 tiles, for avx2: whole
// vectors and halves where all of them exists, masked stores being slow on some
// processors.
func winogradStore(i, vectors int, r func(int) reg.VecPhysical, line reg.GPPhysical) {
	segs, nseg, at, bits := reg.R9, reg.R10, reg.RDX, reg.RAX
	label := func(format string, args ...any) string { return fmt.Sprintf("row%d", i) + fmt.Sprintf(format, args...) }
	Load(Param("segs"), segs)
	Load(Param("nseg"), nseg)
	Label(label("segment"))
	if i > 0 {
		CMPQ(Mem{Base: segs, Disp: 16}, U8(i))
		JLE(LabelRef(label("next")))
	}
	MOVQ(Mem{Base: segs}, at)
	ADDQ(line, at)
	MOVL(Mem{Base: segs, Disp: 8}, bits.As32())
	if vectors == 2 {
		ANDL(U32(0xffff), bits.As32())
	}
	if vectors == 2 {
		CMPL(bits.As32(), U32(0xffff))
	} else {
		CMPL(bits.As32(), I8(-1))
	}
	JNE(LabelRef(label("some")))
	for j := range vectors {
		VMOVUPS(r(j), Mem{Base: at, Disp: vbytes() * j})
	}
	Label(label("next"))
	ADDQ(U8(24), segs)
	SUBQ(U8(1), nseg)
	JNZ(LabelRef(label("segment")))
	JMP(LabelRef(label("done")))
	Label(label("some"))
	for j := range vectors {
		byteOf(segs, j, bits)
		CMPL(bits.As32(), U32(0xff))
		JNE(LabelRef(label("part%d", j)))
		VMOVUPS(r(j), Mem{Base: at, Disp: vbytes() * j})
		Label(label("after%d", j))
	}
	JMP(LabelRef(label("next")))
	for j := range vectors {
		Label(label("part%d", j))
		m := Mem{Base: at, Disp: vbytes() * j}
		halfStore(xmm(8+j), bits, m, label("low%d", j)) // r(j)
		VEXTRACTF128(U8(1), r(j), xmm(13))
		byteOf(segs, j, bits)
		SHRL(U8(4), bits.As32())
		m.Disp += 16
		halfStore(xmm(13), bits, m, label("high%d", j))
		JMP(LabelRef(label("after%d", j)))
	}
	Label(label("done"))
}

// byteOf loads byte j of a segment's mask.
func byteOf(segs reg.GPPhysical, j int, bits reg.GPPhysical) {
	MOVL(Mem{Base: segs, Disp: 8}, bits.As32())
	if j > 0 {
		SHRL(U8(8*j), bits.As32())
	}
	ANDL(U32(0xff), bits.As32())
}

// halfStore stores the floats of x that the low four bits say, which are changed;
// register 12 is scratch.
func halfStore(x reg.VecPhysical, bits reg.GPPhysical, m Mem, label string) {
	b, t := bits.As32(), xmm(12)
	ANDL(U8(15), b)
	JZ(LabelRef(label + "end"))
	single := func(v reg.VecPhysical, lane int) {
		at := m
		at.Disp += 4 * lane
		VMOVSS(v, at)
	}
	for _, c := range []struct {
		bits  int
		store func()
	}{
		{15, func() { VMOVUPS(x, m) }},
		{3, func() {
			single(x, 0)
			VSHUFPS(U8(0xb1), x, x, t)
			single(t, 1)
		}},
		{12, func() {
			VSHUFPS(U8(0x4e), x, x, t)
			single(t, 2)
			VSHUFPS(U8(0xb1), t, t, t)
			single(t, 3)
		}},
		{7, func() {
			single(x, 0)
			VSHUFPS(U8(0xb1), x, x, t)
			single(t, 1)
			VSHUFPS(U8(0x4e), x, x, t)
			single(t, 2)
		}},
		{1, func() { single(x, 0) }},
	} {
		CMPL(b, U8(c.bits))
		JNE(LabelRef(fmt.Sprint(label, "not", c.bits)))
		c.store()
		JMP(LabelRef(label + "end"))
		Label(fmt.Sprint(label, "not", c.bits))
	}
	maskFrom(bits, 0, reg.K1, vec(12))
	VMASKMOVPS(x, xmm(12), m)
	Label(label + "end")
}
