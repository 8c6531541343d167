package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// scatter adds a few values times the weights of their channel.
func scatter() {
	fn("scatter_"+lv.name, "func(dst, w *float32, list *uint64, n, rows, vecs, pitch int)")
	Doc("scatter adds, for each of the n entries of list, value*w to dst: rows of vecs vectors, which follow each other in w",
		"and are pitch bytes apart in dst, from the byte in the low half of the entry on; its high half is the value.")
	dst, w, list, n := reg.RDI, reg.RSI, reg.RDX, reg.RCX
	rows, vecs, pitch := reg.R8, reg.R9, reg.R10
	d, p, row, v, q := reg.RAX, reg.RBX, reg.R11, reg.R12, reg.R13
	Load(Param("dst"), dst)
	Load(Param("w"), w)
	Load(Param("list"), list)
	Load(Param("n"), n)
	Load(Param("rows"), rows)
	Load(Param("vecs"), vecs)
	Load(Param("pitch"), pitch)
	value := vec(top())
	Label("entry")
	MOVL(Mem{Base: list}, d.As32())
	VBROADCASTSS(Mem{Base: list, Disp: 4}, value)
	ADDQ(dst, d)
	MOVQ(w, p)
	MOVQ(rows, row)
	step := func(k int) {
		for i := range k {
			VMOVUPS(Mem{Base: q, Disp: i * vbytes()}, vec(i))
		}
		for i := range k {
			VFMADD231PS(Mem{Base: p, Disp: i * vbytes()}, value, vec(i))
		}
		for i := range k {
			VMOVUPS(vec(i), Mem{Base: q, Disp: i * vbytes()})
		}
		ADDQ(U32(k*vbytes()), q)
		ADDQ(U32(k*vbytes()), p)
	}
	Label("row")
	MOVQ(d, q)
	MOVQ(vecs, v)
	SUBQ(U8(4), v)
	JLT(LabelRef("rest"))
	Label("four")
	step(4)
	SUBQ(U8(4), v)
	JGE(LabelRef("four"))
	Label("rest")
	ADDQ(U8(4), v)
	JZ(LabelRef("next"))
	Label("one")
	step(1)
	SUBQ(U8(1), v)
	JNZ(LabelRef("one"))
	Label("next")
	ADDQ(pitch, d)
	SUBQ(U8(1), row)
	JNZ(LabelRef("row"))
	ADDQ(U8(8), list)
	SUBQ(U8(1), n)
	JNZ(LabelRef("entry"))
	VZEROUPPER()
	RET()
}

// nonzero finds the values that are not 0.
func nonzero() {
	fn("nonzero_"+lv.name, "func(dst *uint64, src *float32, n int)")
	Doc("nonzero sets bit i of dst if src[i] is not 0, for i < n, a multiple of 64.")
	dst, src, n := reg.RDI, reg.RSI, reg.RCX
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("n"), n)
	z := vec(top())
	zero(z)
	Label("loop")
	for i := range 64 / lv.lanes {
		if lv.zmm {
			VCMPPS(U8(4), Mem{Base: src, Disp: i * vbytes()}, z, reg.K1)
			KMOVW(reg.K1, reg.EAX)
			MOVW(reg.AX, Mem{Base: dst, Disp: 2 * i})
		} else {
			VCMPPS(U8(4), Mem{Base: src, Disp: i * vbytes()}, z, vec(0))
			VMOVMSKPS(vec(0), reg.EAX)
			MOVB(reg.AL, Mem{Base: dst, Disp: i})
		}
	}
	ADDQ(U32(256), src)
	ADDQ(U8(8), dst)
	SUBQ(U8(64), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// summary makes the partial results of a plane's summary.
func summary() {
	fn("summary_"+lv.name, "func(out, src *float32, n int) (positive int)")
	Doc("summary stores vectors of the maxima, the sums and the sums of squares of src[i] at out, and returns how many are above 0,",
		"for i < n, a multiple of the vector's length above 0.")
	out, src, n, count := reg.RDI, reg.RSI, reg.RCX, reg.RAX
	Load(Param("out"), out)
	Load(Param("src"), src)
	Load(Param("n"), n)
	best, sum, squares, x, z := vec(0), vec(1), vec(2), vec(3), vec(4)
	VMOVUPS(Mem{Base: src}, best)
	zero(sum)
	zero(squares)
	zero(z)
	XORQ(count, count)
	Label("loop")
	VMOVUPS(Mem{Base: src}, x)
	VMAXPS(x, best, best)
	VADDPS(x, sum, sum)
	VFMADD231PS(x, x, squares)
	if lv.zmm {
		VCMPPS(U8(0x11), x, z, reg.K1) // 0 < x
		KMOVW(reg.K1, reg.EDX)
	} else {
		VCMPPS(U8(0x11), x, z, vec(5))
		VMOVMSKPS(vec(5), reg.EDX)
	}
	POPCNTL(reg.EDX, reg.EDX)
	ADDQ(reg.RDX, count)
	ADDQ(U8(vbytes()), src)
	SUBQ(U8(lv.lanes), n)
	JNZ(LabelRef("loop"))
	VMOVUPS(best, Mem{Base: out})
	VMOVUPS(sum, Mem{Base: out, Disp: vbytes()})
	VMOVUPS(squares, Mem{Base: out, Disp: 2 * vbytes()})
	Store(count, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// gather adds a few values times the inputs they meet to one channel's weights.
func gather(rows, vecs int) {
	fn(fmt.Sprintf("gather_%s_%dx%d", lv.name, rows, vecs), "func(dst, x *float32, list *uint64, n, pitch, ldd int)")
	Doc(fmt.Sprintf("gather adds to dst, for each of the n entries of list, value*x: %d rows of %d vectors, ldd bytes apart in dst and", rows, vecs),
		"pitch bytes apart in x, from the byte in the low half of the entry on; its high half is the value.")
	dst, x, list, n, pitch, ldd := reg.RDI, reg.RSI, reg.RDX, reg.RCX, reg.R8, reg.R9
	p, q := reg.RAX, reg.RBX
	Load(Param("dst"), dst)
	Load(Param("x"), x)
	Load(Param("list"), list)
	Load(Param("n"), n)
	Load(Param("pitch"), pitch)
	Load(Param("ldd"), ldd)
	value := vec(top())
	each := func(f func(m Mem, acc reg.VecPhysical)) {
		MOVQ(dst, q)
		for r := range rows {
			for v := range vecs {
				f(Mem{Base: q, Disp: v * vbytes()}, vec(r*vecs+v))
			}
			if r < rows-1 {
				ADDQ(ldd, q)
			}
		}
	}
	each(func(m Mem, acc reg.VecPhysical) { VMOVUPS(m, acc) })
	Label("entry")
	MOVL(Mem{Base: list}, p.As32())
	VBROADCASTSS(Mem{Base: list, Disp: 4}, value)
	ADDQ(x, p)
	for r := range rows {
		for v := range vecs {
			VFMADD231PS(Mem{Base: p, Disp: v * vbytes()}, value, vec(r*vecs+v))
		}
		if r < rows-1 {
			ADDQ(pitch, p)
		}
	}
	ADDQ(U8(8), list)
	SUBQ(U8(1), n)
	JNZ(LabelRef("entry"))
	each(func(m Mem, acc reg.VecPhysical) { VMOVUPS(acc, m) })
	VZEROUPPER()
	RET()
}
