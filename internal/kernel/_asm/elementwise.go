package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// block is the number of floats that the elementwise kernels handle at a time;
// their callers do the rest. Products and sums are rounded one by one, so that
// the rest comes out with the same bits.
const block = 32

// loop emits a function over n floats, n a multiple of block: body(u, mem) is
// called for each vector u of a block; mem(p) is its place behind pointer p.
func loop(name, doc string, ptrs []string, scalars []string, body func(u int, mem func(p string) Mem, arg func(s string) reg.VecPhysical)) {
	sig := "func("
	for _, p := range ptrs {
		sig += p + ", "
	}
	sig = sig[:len(sig)-2] + " *float32, n int"
	for i, s := range scalars {
		sig += ", " + s
		if i == len(scalars)-1 {
			sig += " float32"
		}
	}
	fn(name+"_"+lv.name, sig+")")
	Doc(append(strings.Split(name+" computes "+doc, "\n"), fmt.Sprintf("for i < n, a multiple of %d.", block))...)
	regs := map[string]reg.GPPhysical{}
	for i, p := range ptrs {
		regs[p] = []reg.GPPhysical{reg.RDI, reg.RSI, reg.RDX, reg.R8}[i]
		Load(Param(p), regs[p])
	}
	Load(Param("n"), reg.RCX)
	args := map[string]reg.VecPhysical{}
	for i, s := range scalars {
		args[s] = vec(top() - i)
		addr, err := Param(s).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(addr.Addr, args[s])
	}
	zero(vec(top() - len(scalars)))
	args["zero"] = vec(top() - len(scalars))
	TESTQ(reg.RCX, reg.RCX)
	JZ(LabelRef("done"))
	Label("loop")
	for u := range block / lv.lanes {
		body(u, func(p string) Mem { return Mem{Base: regs[p], Disp: u * vbytes()} },
			func(s string) reg.VecPhysical { return args[s] })
	}
	for _, p := range ptrs {
		ADDQ(U32(4*block), regs[p])
	}
	SUBQ(U8(block), reg.RCX)
	JNZ(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

type (
	memf = func(p string) Mem
	argf = func(s string) reg.VecPhysical
)

func elementwise() {
	loop("relu", "dst[i] = max(src[i], 0)", []string{"dst", "src"}, nil, func(u int, mem memf, arg argf) {
		v := vec(u)
		VMOVUPS(mem("src"), v)
		VMAXPS(v, arg("zero"), v)
		VMOVUPS(v, mem("dst"))
	})
	loop("reluGrad", "dx[i] = dy[i] where y[i] > 0, else 0", []string{"dx", "dy", "y"}, nil, func(u int, mem memf, arg argf) {
		v := vec(u)
		if lv.zmm {
			VCMPPS(U8(0x11), mem("y"), arg("zero"), reg.K1) // 0 < y
			VMOVUPS_Z(mem("dy"), reg.K1, v)
		} else {
			VCMPPS(U8(0x11), mem("y"), arg("zero"), v)
			VANDPS(mem("dy"), v, v)
		}
		VMOVUPS(v, mem("dx"))
	})
	loop("add", "dst[i] = a[i] + b[i]", []string{"dst", "a", "b"}, nil, func(u int, mem memf, arg argf) {
		v := vec(u)
		VMOVUPS(mem("a"), v)
		VADDPS(mem("b"), v, v)
		VMOVUPS(v, mem("dst"))
	})
	loop("scaleShift", "dst[i] = src[i]*scale + shift", []string{"dst", "src"}, []string{"scale", "shift"}, func(u int, mem memf, arg argf) {
		v := vec(u)
		VMULPS(mem("src"), arg("scale"), v)
		VADDPS(arg("shift"), v, v)
		VMOVUPS(v, mem("dst"))
	})
	loop("blend", "dst[i] = (a[i]*ka + b[i]*kb) + shift", []string{"dst", "a", "b"}, []string{"ka", "kb", "shift"}, func(u int, mem memf, arg argf) {
		v, w := vec(2*u), vec(2*u+1)
		VMULPS(mem("a"), arg("ka"), v)
		VMULPS(mem("b"), arg("kb"), w)
		VADDPS(w, v, v)
		VADDPS(arg("shift"), v, v)
		VMOVUPS(v, mem("dst"))
	})
	loop("sgd", "w[i] -= lr*grad[i]", []string{"w", "grad"}, []string{"lr"}, func(u int, mem memf, arg argf) {
		v, w := vec(2*u), vec(2*u+1)
		VMULPS(mem("grad"), arg("lr"), v)
		VMOVUPS(mem("w"), w)
		VSUBPS(v, w, w)
		VMOVUPS(w, mem("w"))
	})
	loop("momentum", "v[i] = mu*v[i] + grad[i]; w[i] -= lr*v[i]", []string{"w", "v", "grad"}, []string{"lr", "mu"}, func(u int, mem memf, arg argf) {
		v, w := vec(2*u), vec(2*u+1)
		VMULPS(mem("v"), arg("mu"), v)
		VADDPS(mem("grad"), v, v)
		VMOVUPS(v, mem("v"))
		VMULPS(arg("lr"), v, v)
		VMOVUPS(mem("w"), w)
		VSUBPS(v, w, w)
		VMOVUPS(w, mem("w"))
	})
	loop("adam", "m[i] = b1*m[i] + c1*grad[i]; v[i] = b2*v[i] + (c2*grad[i])*grad[i];\nw[i] -= (step*m[i]) / (sqrt(v[i])*root + eps)",
		[]string{"w", "m", "v", "grad"}, []string{"b1", "c1", "b2", "c2", "step", "root", "eps"}, func(u int, mem memf, arg argf) {
			a, b, c := vec(0), vec(1), vec(2)
			if lv.zmm {
				a, b, c = vec(3*u), vec(3*u+1), vec(3*u+2)
			}
			VMOVUPS(mem("grad"), c)
			VMULPS(mem("m"), arg("b1"), a)
			VMULPS(c, arg("c1"), b)
			VADDPS(b, a, a)
			VMOVUPS(a, mem("m"))
			VMULPS(c, arg("c2"), b)
			VMULPS(c, b, b)
			VMULPS(mem("v"), arg("b2"), c)
			VADDPS(b, c, c)
			VMOVUPS(c, mem("v"))
			VSQRTPS(c, c)
			VMULPS(arg("root"), c, c)
			VADDPS(arg("eps"), c, c)
			VMULPS(arg("step"), a, a)
			VDIVPS(c, a, a)
			VMOVUPS(mem("w"), b)
			VSUBPS(a, b, b)
			VMOVUPS(b, mem("w"))
		})
	loop("rmsprop", "s[i] = decay*s[i] + (c*grad[i])*grad[i]; w[i] -= (lr*grad[i]) / sqrt(s[i] + eps)",
		[]string{"w", "s", "grad"}, []string{"lr", "decay", "c", "eps"}, func(u int, mem memf, arg argf) {
			a, b, c := vec(0), vec(1), vec(2)
			VMOVUPS(mem("grad"), c)
			VMULPS(c, arg("c"), b)
			VMULPS(c, b, b)
			VMULPS(mem("s"), arg("decay"), a)
			VADDPS(b, a, a)
			VMOVUPS(a, mem("s"))
			VADDPS(arg("eps"), a, a)
			VSQRTPS(a, a)
			VMULPS(arg("lr"), c, c)
			VDIVPS(a, c, c)
			VMOVUPS(mem("w"), b)
			VSUBPS(c, b, b)
			VMOVUPS(b, mem("w"))
		})
	reduce("sum", "the sum of x[i]", []string{"x"}, nil, 1, func(mem memf, arg argf, acc func(int) reg.VecPhysical, t func(int) reg.VecPhysical) {
		VADDPS(mem("x"), acc(0), acc(0))
	})
	reduce("sumSquares", "the sum of (x[i]-mean)^2", []string{"x"}, []string{"mean"}, 1, func(mem memf, arg argf, acc func(int) reg.VecPhysical, t func(int) reg.VecPhysical) {
		VMOVUPS(mem("x"), t(0))
		VSUBPS(arg("mean"), t(0), t(0))
		VFMADD231PS(t(0), t(0), acc(0))
	})
	reduce("sumProducts", "the sums of dy[i] and of dy[i]*(x[i]-mean)", []string{"dy", "x"}, []string{"mean"}, 2, func(mem memf, arg argf, acc func(int) reg.VecPhysical, t func(int) reg.VecPhysical) {
		VMOVUPS(mem("x"), t(0))
		VSUBPS(arg("mean"), t(0), t(0))
		VMOVUPS(mem("dy"), t(1))
		VADDPS(t(1), acc(0), acc(0))
		VFMADD231PS(t(1), t(0), acc(1))
	})
	maxPool2()
	split2()
}

// reduce emits a sum over n floats in two vectors of partial sums each.
func reduce(name, doc string, ptrs, scalars []string, outs int, body func(mem memf, arg argf, acc, t func(int) reg.VecPhysical)) {
	sig := "func("
	for _, p := range ptrs {
		sig += p + ", "
	}
	sig = sig[:len(sig)-2] + " *float32, n int"
	for _, s := range scalars {
		sig += ", " + s + " float32"
	}
	sig += ") ("
	for o := range outs {
		if o > 0 {
			sig += ", "
		}
		sig += fmt.Sprintf("s%d", o)
	}
	fn(name+"_"+lv.name, sig+" float32)")
	Doc(name+" returns "+doc, fmt.Sprintf("for i < n, a multiple of %d.", block))
	regs := map[string]reg.GPPhysical{}
	for i, p := range ptrs {
		regs[p] = []reg.GPPhysical{reg.RDI, reg.RSI}[i]
		Load(Param(p), regs[p])
	}
	Load(Param("n"), reg.RCX)
	args := map[string]reg.VecPhysical{}
	for i, s := range scalars {
		args[s] = vec(top() - i)
		addr, err := Param(s).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(addr.Addr, args[s])
	}
	const parts = 4
	for i := range parts * outs {
		zero(vec(i))
	}
	TESTQ(reg.RCX, reg.RCX)
	JZ(LabelRef("done"))
	Label("loop")
	vecs := block / lv.lanes
	for u := range vecs {
		body(func(p string) Mem { return Mem{Base: regs[p], Disp: u * vbytes()} },
			func(s string) reg.VecPhysical { return args[s] },
			func(o int) reg.VecPhysical { return vec(parts*o + u%parts) },
			func(i int) reg.VecPhysical { return vec(8 + i + 2*(u&1)) })
	}
	for _, p := range ptrs {
		ADDQ(U32(4*block), regs[p])
	}
	SUBQ(U8(block), reg.RCX)
	JNZ(LabelRef("loop"))
	Label("done")
	for o := range outs {
		b := parts * o
		if vecs > 2 {
			VADDPS(vec(b+2), vec(b), vec(b))
			VADDPS(vec(b+3), vec(b+1), vec(b+1))
		}
		VADDPS(vec(b+1), vec(b), vec(b))
		hsum(b, 15)
		Store(xmm(b), Return(fmt.Sprintf("s%d", o)))
	}
	VZEROUPPER()
	RET()
}

// maxPool2 emits the 2x2 pool with stride 2 over one row of outputs.
func maxPool2() {
	fn("maxPool2_"+lv.name, "func(dst *float32, switches *int32, top, bottom *float32, n int, at, w int32)")
	Doc("maxPool2 computes n outputs (a multiple of the vector's lanes) of a 2x2 pool with stride 2 from two rows of 2n inputs;",
		"at is the switch of the first input, w the distance of the rows. switches may be nil.")
	dst, sw, a, b, n := reg.RDI, reg.RSI, reg.RDX, reg.R8, reg.RCX
	Load(Param("dst"), dst)
	Load(Param("switches"), sw)
	Load(Param("top"), a)
	Load(Param("bottom"), b)
	Load(Param("n"), n)
	table := GLOBL("lanes2_"+lv.name, attr.RODATA|attr.NOPTR)
	for i := range lv.lanes {
		DATA(4*i, U32(2*i))
	}
	odd := GLOBL("lanes2odd_"+lv.name, attr.RODATA|attr.NOPTR)
	for i := range lv.lanes {
		DATA(4*i, U32(2*i+1))
	}
	idx, one, wv, step := vec(8), vec(9), vec(10), vec(11)
	broadcast := func(p string, v reg.VecPhysical) {
		Load(Param(p), reg.EAX)
		VMOVD(reg.EAX, v.AsX())
		VPBROADCASTD(v.AsX(), v)
	}
	broadcast("at", idx)
	if lv.zmm {
		VPADDD(table, idx, idx)
		VMOVDQU32(table, vec(12))
		VMOVDQU32(odd, vec(13))
		VPSUBD(vec(12), vec(13), one)
	} else {
		VPADDD(table, idx, idx)
		VMOVDQU(table, vec(12))
		VMOVDQU(odd, vec(13))
		VPSUBD(vec(12), vec(13), one)
	}
	broadcast("w", wv)
	// step = 2*lanes
	if lv.zmm {
		VPSLLD(U8(5), one, step)
	} else {
		VPSLLD(U8(4), one, step)
	}
	Label("loop")
	var c [4]reg.VecPhysical // the four candidates in row-major order
	for r, p := range []reg.GPPhysical{a, b} {
		lo, hi := Mem{Base: p}, Mem{Base: p, Disp: vbytes()}
		e, o := vec(2*r), vec(2*r+1)
		if lv.zmm {
			VMOVUPS(lo, vec(14))
			VMOVUPS(hi, vec(15))
			VMOVAPS(vec(14), e)
			VPERMT2PS(vec(15), vec(12), e)
			VMOVAPS(vec(14), o)
			VPERMT2PS(vec(15), vec(13), o)
		} else {
			VMOVUPS(lo, vec(14))
			VMOVUPS(hi, vec(15))
			VSHUFPS(U8(0x88), vec(15), vec(14), e)
			VPERMPD(U8(0xd8), e, e)
			VSHUFPS(U8(0xdd), vec(15), vec(14), o)
			VPERMPD(U8(0xd8), o, o)
		}
		c[2*r], c[2*r+1] = e, o
	}
	best, at, cand := c[0], vec(4), vec(5)
	if lv.zmm {
		VMOVDQA32(idx, at)
	} else {
		VMOVDQA(idx, at)
	}
	for i := 1; i < 4; i++ {
		switch i {
		case 1:
			VPADDD(one, idx, cand)
		case 2:
			VPADDD(wv, idx, cand)
		case 3:
			VPADDD(one, cand, cand)
		}
		// Taken if not (c <= best), and best is a number.
		if lv.zmm {
			VCMPPS(U8(7), best, best, reg.K1)
			VCMPPS(U8(6), best, c[i], reg.K1, reg.K2)
			VMOVAPS(c[i], reg.K2, best)
			VMOVDQA32(cand, reg.K2, at)
		} else {
			VCMPPS(U8(7), best, best, vec(6))
			VCMPPS(U8(6), best, c[i], vec(7))
			VANDPS(vec(6), vec(7), vec(7))
			VBLENDVPS(vec(7), c[i], best, best)
			VBLENDVPS(vec(7), cand, at, at)
		}
	}
	VMOVUPS(best, Mem{Base: dst})
	TESTQ(sw, sw)
	JZ(LabelRef("next"))
	VMOVUPS(at, Mem{Base: sw})
	ADDQ(U8(vbytes()), sw)
	Label("next")
	VPADDD(step, idx, idx)
	ADDQ(U8(vbytes()), dst)
	ADDQ(U32(2*vbytes()), a)
	ADDQ(U32(2*vbytes()), b)
	SUBQ(U8(lv.lanes), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// split2 emits the split of a row into its even and odd elements.
func split2() {
	fn("split2_"+lv.name, "func(even, odd, src *float32, n int)")
	Doc("split2 stores src[2i] at even[i] and src[2i+1] at odd[i] for i < n, a positive multiple of the vector's lanes.")
	e, o, s, n := reg.RDI, reg.RSI, reg.RDX, reg.RCX
	Load(Param("even"), e)
	Load(Param("odd"), o)
	Load(Param("src"), s)
	Load(Param("n"), n)
	if lv.zmm {
		VMOVDQU32(NewDataAddr(Symbol{Name: "lanes2_" + lv.name, Static: true}, 0), vec(12))
		VMOVDQU32(NewDataAddr(Symbol{Name: "lanes2odd_" + lv.name, Static: true}, 0), vec(13))
	}
	Label("loop")
	VMOVUPS(Mem{Base: s}, vec(0))
	VMOVUPS(Mem{Base: s, Disp: vbytes()}, vec(1))
	if lv.zmm {
		VMOVAPS(vec(0), vec(2))
		VPERMT2PS(vec(1), vec(12), vec(2))
		VPERMT2PS(vec(1), vec(13), vec(0))
	} else {
		VSHUFPS(U8(0x88), vec(1), vec(0), vec(2))
		VPERMPD(U8(0xd8), vec(2), vec(2))
		VSHUFPS(U8(0xdd), vec(1), vec(0), vec(0))
		VPERMPD(U8(0xd8), vec(0), vec(0))
	}
	VMOVUPS(vec(2), Mem{Base: e})
	VMOVUPS(vec(0), Mem{Base: o})
	ADDQ(U8(vbytes()), e)
	ADDQ(U8(vbytes()), o)
	ADDQ(U32(2*vbytes()), s)
	SUBQ(U8(lv.lanes), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
