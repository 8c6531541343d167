package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func constFloat(name string, v float32) Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	DATA(0, U32(math.Float32bits(v)))
	return m
}

var two, four, five, eight, zipLow, zipHigh Mem

// Winograd's F(4x4, 3x3), F(2x2, 5x5) and F(2x2, 3x3) for avx512: a lane is a
// tile. The first two take 6x6 inputs to 36 products, with the same points 0, 1,
// -1, 2, -2 and infinity; the last takes 4x4 inputs, with the points 0, 1, -1 and
// infinity.
//
// [lavin16] Lavin and Gray, Fast algorithms for convolutional neural networks,
// CVPR 2016, section 4.
func winograd() {
	two, four, five, eight = constFloat("two", 2), constFloat("four", 4), constFloat("five", 5), constFloat("eight", 8)
	zip := func(name string, first int) Mem {
		m := GLOBL(name, attr.RODATA|attr.NOPTR)
		for i := range 16 {
			DATA(4*i, U32(first+i/2+16*(i%2)))
		}
		return m
	}
	zipLow, zipHigh = zip("zipLow", 0), zip("zipHigh", 8)

	winogradIn(6)
	winogradIn(4)
	winogradOut(6, 4)
	winogradOut(6, 2)
	winogradOut(4, 2)
}

// winogradIn emits the transform of tiles of alpha x alpha inputs.
func winogradIn(alpha int) {
	fn(fmt.Sprintf("winogradIn%d_avx512", alpha), "func(dst, src *float32, ldd, n int)")
	Doc(fmt.Sprintf("winogradIn%d transforms n channels of 16 tiles: dst[%di+j] = (B' d B)[i][j] for d[i][j] at src[%di+j], which is", alpha, alpha, alpha),
		fmt.Sprintf("overwritten. The %d vectors of src are 128 bytes apart; those of dst ldd bytes, channels of dst 128 bytes.", alpha*alpha))
	dst, src, ldd, n, p := reg.RDI, reg.RSI, reg.R8, reg.RCX, reg.RDX
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("ldd"), ldd)
	Load(Param("n"), n)
	k2, k4, k5 := reg.Z31, reg.Z30, reg.Z29
	if alpha == 6 {
		VBROADCASTSS(two, k2)
		VBROADCASTSS(four, k4)
		VBROADCASTSS(five, k5)
	}
	z := vec
	// in1d leaves the transform of registers b.. in b+alpha...
	in1d := func(b int) {
		d := func(i int) reg.VecPhysical { return z(b + i) }
		t := func(i int) reg.VecPhysical { return z(b + alpha + i) }
		if alpha == 4 {
			VSUBPS(d(2), d(0), t(0))
			VADDPS(d(2), d(1), t(1))
			VSUBPS(d(1), d(2), t(2))
			VSUBPS(d(3), d(1), t(3))
			return
		}
		u, v := z(b+12), z(b+13)
		VMOVAPS(d(4), t(0)) // 4 d0 - 5 d2 + d4
		VFNMADD231PS(k5, d(2), t(0))
		VFMADD231PS(k4, d(0), t(0))
		VMOVAPS(d(5), t(5)) // 4 d1 - 5 d3 + d5
		VFNMADD231PS(k5, d(3), t(5))
		VFMADD231PS(k4, d(1), t(5))
		VMOVAPS(d(4), u) // d4 - 4 d2
		VFNMADD231PS(k4, d(2), u)
		VMOVAPS(d(3), v) // d3 - 4 d1
		VFNMADD231PS(k4, d(1), v)
		VADDPS(v, u, t(1))
		VSUBPS(v, u, t(2))
		VSUBPS(d(2), d(4), u)
		VSUBPS(d(1), d(3), v)
		VMOVAPS(u, t(3))
		VFMADD231PS(k2, v, t(3))
		VMOVAPS(u, t(4))
		VFNMADD231PS(k2, v, t(4))
	}
	Label("channel")
	for j := range alpha {
		b := 14 * (j & 1)
		for i := range alpha {
			VMOVUPS(Mem{Base: src, Disp: 128 * (alpha*i + j)}, z(b+i))
		}
		in1d(b)
		for i := range alpha {
			VMOVUPS(z(b+alpha+i), Mem{Base: src, Disp: 128 * (alpha*i + j)})
		}
	}
	MOVQ(dst, p)
	for i := range alpha {
		b := 14 * (i & 1)
		for j := range alpha {
			VMOVUPS(Mem{Base: src, Disp: 128 * (alpha*i + j)}, z(b+j))
		}
		in1d(b)
		for j := range alpha {
			VMOVUPS(z(b+alpha+j), Mem{Base: p})
			ADDQ(ldd, p)
		}
	}
	ADDQ(U32(uint32(alpha*alpha*128)), src)
	ADDQ(U32(128), dst)
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
	vectors := size // of an output row of 16 tiles
	fn(fmt.Sprintf("winogradOut%dx%d_avx512", alpha, size), "func(dst, src *float32, lds, n, plane, pitch int, segs *int64, nseg int, bias *float32, relu int)")
	Doc(fmt.Sprintf("winogradOut%dx%d transforms n channels of 16 tiles back, A' m A for m[i][j] at src[%di+j], adds bias[k] unless bias is nil,", alpha, size, alpha),
		fmt.Sprintf("and stores %d rows of %d floats at each segment (off, masks, rows): masks has a bit for each column, rows of the", size, 16*size),
		"output are pitch bytes apart, planes plane bytes. Vectors of src are lds bytes apart, channels 128.")
	segs, nseg, bias, s, c := reg.R9, reg.R10, reg.R11, reg.R12, reg.R13
	pitch, rows, lds := reg.RBX, reg.R15, reg.R8
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("lds"), lds)
	Load(Param("n"), n)
	Load(Param("pitch"), pitch)
	Load(Param("bias"), bias)
	o := func(i, j int) reg.VecPhysical { return z(6*i + j) }
	// out1d takes m(0..alpha-1), which are overwritten, to size sums in out; t and u
	// are scratch registers.
	out1d := func(m, out func(int) reg.VecPhysical, t, u reg.VecPhysical) {
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
			VFMADD231PS_BCST(two, m(2), out(1))
			return
		}
		VADDPS(u, m(5), out(3))
		VFMADD231PS_BCST(eight, m(2), out(3))
		VMOVAPS(u, out(1))
		VFMADD231PS_BCST(two, m(2), out(1))
		VMOVAPS(t, out(2))
		VFMADD231PS_BCST(four, m(1), out(2))
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
	for j := range alpha {
		MOVQ(c, p)
		for i := range alpha {
			VMOVUPS(Mem{Base: p}, z(24+i))
			if i < alpha-1 {
				ADDQ(s, p)
			}
		}
		ADDQ(lds, c)
		out1d(func(i int) reg.VecPhysical { return z(24 + i) }, func(i int) reg.VecPhysical { return o(i, j) }, z(30), z(31))
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
		out1d(m, r, z(28), z(29))
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
			VMOVUPS(o(i, j), k, Mem{Base: c, Disp: 64 * j})
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
	ADDQ(U32(128), src)
	Load(Param("plane"), s)
	ADDQ(s, dst)
	SUBQ(U8(1), n)
	JNZ(LabelRef("channel"))
	VZEROUPPER()
	RET()
}
