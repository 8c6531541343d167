package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// columnsRows is the most rows of a tile along the outputs: a panel of two vectors of
// positions is cut into three.
func columnsRows() int { return (2*lv.lanes + 2) / 3 }

// columns computes mr rows and nv vectors of the product whose columns are outputs and
// whose rows are positions: both operands come in panels.
func columns(mr, nv int) {
	fn(fmt.Sprintf("columns_%s_%dx%d", lv.name, mr, nv*lv.lanes), "func(kn int, a, b, c, bias *float32, flags, ahead int, mask uint64)")
	Doc(fmt.Sprintf("c[i][j] = start + sum over k < kn of a[k][i]*b[k][j] for %d rows and %d columns; see columns in level.go.", mr, nv*lv.lanes))
	kn, a, b, c := reg.RCX, reg.RSI, reg.RDI, reg.RDX
	flags, p, next := reg.R9, reg.R10, reg.R12
	row := 2 * vbytes()
	Load(Param("kn"), kn)
	Load(Param("a"), a)
	Load(Param("b"), b)
	Load(Param("c"), c)
	Load(Param("flags"), flags)
	acc := func(i, v int) reg.VecPhysical { return vec(i*nv + v) }
	bv := func(v int) reg.VecPhysical { return vec(top() - 2 - v) }
	bc := func(i int) reg.VecPhysical { return vec(top() - i&1) }

	// Start: c or the bias.
	TESTQ(U32(flagLoad), flags)
	JZ(LabelRef("bias"))
	for i := range mr {
		for v := range nv {
			VMOVUPS(Mem{Base: c, Disp: i*row + v*vbytes()}, acc(i, v))
		}
	}
	JMP(LabelRef("start"))
	Label("bias")
	Load(Param("bias"), p)
	TESTQ(p, p)
	JZ(LabelRef("zero"))
	Load(Param("mask"), next)
	for v := range nv {
		k := []reg.OpmaskPhysical{reg.K1, reg.K2}[v]
		shift := 0
		if v > 0 {
			shift = lv.lanes
		}
		maskFrom(next, shift, k, bv(v))
		maskedLoad(Mem{Base: p, Disp: v * vbytes()}, k, bv(v), acc(0, v))
	}
	for i := 1; i < mr; i++ {
		for v := range nv {
			VMOVAPS(acc(0, v), acc(i, v))
		}
	}
	JMP(LabelRef("start"))
	Label("zero")
	for i := range mr {
		for v := range nv {
			zero(acc(i, v))
		}
	}

	Label("start")
	Load(Param("ahead"), next)
	ADDQ(b, next)
	const unroll = 4
	step := func(u int) {
		for v := range nv {
			VMOVUPS(Mem{Base: b, Disp: u*row + v*vbytes()}, bv(v))
		}
		for i := range mr {
			VBROADCASTSS(Mem{Base: a, Disp: u*row + 4*i}, bc(i))
			for v := range nv {
				VFMADD231PS(bv(v), bc(i), acc(i, v))
			}
		}
	}
	SUBQ(U8(unroll), kn)
	JLT(LabelRef("tail"))
	Label("loop")
	for u := range unroll {
		step(u)
		if 64*u < unroll*row/4 {
			PREFETCHT1(Mem{Base: next, Disp: 64 * u})
		}
	}
	ADDQ(U32(unroll*row/4), next)
	ADDQ(U32(unroll*row), b)
	ADDQ(U32(unroll*row), a)
	SUBQ(U8(unroll), kn)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(U8(unroll), kn)
	JZ(LabelRef("end"))
	Label("one")
	step(0)
	ADDQ(U32(row), b)
	ADDQ(U32(row), a)
	SUBQ(U8(1), kn)
	JNZ(LabelRef("one"))

	Label("end")
	TESTQ(U32(flagReLU), flags)
	JZ(LabelRef("store"))
	z := bc(0)
	zero(z)
	for i := range mr {
		for v := range nv {
			VMAXPS(acc(i, v), z, acc(i, v)) // a NaN in the accumulator stays
			VADDPS(z, acc(i, v), acc(i, v)) // -0 becomes 0
		}
	}
	Label("store")
	for i := range mr {
		for v := range nv {
			VMOVUPS(acc(i, v), Mem{Base: c, Disp: i*row + v*vbytes()})
		}
	}
	VZEROUPPER()
	RET()
}
