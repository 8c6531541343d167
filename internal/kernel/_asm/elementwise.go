package main

import (
	"fmt"
	"math"
	"slices"
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
// Solvers flush denormal numbers to 0: the memory of weights whose gradients
// have died decays into them, and each costs an Intel core 100 cycles or more.
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
	flush := slices.Contains([]string{"sgd", "momentum", "adam", "rmsprop"}, name)
	var control Mem
	if flush {
		control = AllocLocal(8)
		STMXCSR(control)
		MOVL(control, reg.EAX)
		ORL(U32(0x8040), reg.EAX) // flush to zero, denormals are zero
		MOVL(reg.EAX, control.Offset(4))
		LDMXCSR(control.Offset(4))
	}
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
	if flush {
		LDMXCSR(control)
	}
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
		VADDPS(arg("zero"), v, v) // -0 becomes 0
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
	loop("addReLU", "dst[i] = max(a[i] + b[i], 0)", []string{"dst", "a", "b"}, nil, func(u int, mem memf, arg argf) {
		v := vec(u)
		VMOVUPS(mem("a"), v)
		VADDPS(mem("b"), v, v)
		VMAXPS(v, arg("zero"), v)
		VADDPS(arg("zero"), v, v) // -0 becomes 0
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
	// exp is 2^k times the Taylor series of what is left, as exp32 in recurrent.go.
	float := func(name string, v float32) Mem {
		m := GLOBL(name+"_"+lv.name, attr.RODATA|attr.NOPTR)
		for i := range lv.lanes {
			DATA(4*i, U32(math.Float32bits(v)))
		}
		return m
	}
	low, high, log2e := float("expLow", -80), float("expHigh", 80), float("log2e", math.Log2E)
	ln2Hi, ln2Lo := float("ln2Hi", 0.693145752), float("ln2Lo", 1.42860677e-6)
	var series []Mem // 1/7!, 1/6!, ... 1
	for i := 7; i >= 0; i-- {
		series = append(series, float(fmt.Sprintf("expSeries%d", i), float32(1/math.Gamma(float64(i+1)))))
	}
	bias := lanesTable("expBias", 127, 0)
	loop("logistic", "dst[i] = scale/(1 + exp(in*src[i])) + shift, in*src[i] cut to -80 and 80", []string{"dst", "src"}, []string{"in", "scale", "shift"}, func(u int, mem memf, arg argf) {
		v, k, p := vec(0), vec(1), vec(2)
		VMULPS(mem("src"), arg("in"), v)
		VMOVUPS(high, k)
		VMINPS(v, k, v) // NaN stays
		VMOVUPS(low, k)
		VMAXPS(v, k, v)
		VMULPS(log2e, v, k)
		if lv.zmm {
			VRNDSCALEPS(U8(8), k, k)
		} else {
			VROUNDPS(U8(8), k, k)
		}
		VFNMADD231PS(ln2Hi, k, v)
		VFNMADD231PS(ln2Lo, k, v)
		VMOVUPS(series[0], p)
		for _, c := range series[1:] {
			VFMADD213PS(c, v, p)
		}
		VCVTPS2DQ(k, k)
		VPADDD(bias, k, k)
		VPSLLD(U8(23), k, k)
		VMULPS(k, p, p)
		VADDPS(series[7], p, p)
		VDIVPS(p, arg("scale"), p)
		VADDPS(arg("shift"), p, p)
		VMOVUPS(p, mem("dst"))
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
	for _, stride := range []int{1, 2, 4} {
		fillRows(stride)
	}
	lrn()
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

// lanesTable returns a constant vector of the values first, first+step, ...
func lanesTable(name string, first, step int) Mem {
	m := GLOBL(name+"_"+lv.name, attr.RODATA|attr.NOPTR)
	for i := range lv.lanes {
		DATA(4*i, U32(first+step*i))
	}
	return m
}

func broadcastInt(p string, v reg.VecPhysical) {
	Load(Param(p), reg.EAX)
	VMOVD(reg.EAX, v.AsX())
	VPBROADCASTD(v.AsX(), v)
}

func loadInts(m Op, v reg.VecPhysical) {
	if lv.zmm {
		VMOVDQU32(m, v)
	} else {
		VMOVDQU(m, v)
	}
}

// better replaces best by v and at by cand where v is greater, or NaN and best
// is a number. t1 and t2 are scratch of avx2.
func better(v, best, cand, at, t1, t2 reg.VecPhysical) {
	const ordered, notLessEqual = 7, 6
	if lv.zmm {
		VCMPPS(U8(ordered), best, best, reg.K1)
		VCMPPS(U8(notLessEqual), best, v, reg.K1, reg.K1)
		VMOVAPS(v, reg.K1, best)
		VMOVDQA32(cand, reg.K1, at)
		return
	}
	VCMPPS(U8(ordered), best, best, t1)
	VCMPPS(U8(notLessEqual), best, v, t2)
	VANDPS(t1, t2, t2)
	VBLENDVPS(t2, v, best, best)
	VBLENDVPS(t2, cand, at, at)
}

// evenOdd splits the two vectors a and b into their even and odd elements; the
// tables are only used by avx512. odd may be nil.
func evenOdd(a, b, even, odd, tEven, tOdd reg.VecPhysical) {
	if lv.zmm {
		VMOVAPS(a, even)
		VPERMT2PS(b, tEven, even)
		if odd != nil {
			VMOVAPS(a, odd)
			VPERMT2PS(b, tOdd, odd)
		}
		return
	}
	VSHUFPS(U8(0x88), b, a, even)
	VPERMPD(U8(0xd8), even, even)
	if odd != nil {
		VSHUFPS(U8(0xdd), b, a, odd)
		VPERMPD(U8(0xd8), odd, odd)
	}
}

// maskedLoad loads the lanes of m that k (avx512) or mask (avx2) has, 0 elsewhere.
func maskedLoad(m Mem, k reg.OpmaskPhysical, mask, v reg.VecPhysical) {
	if lv.zmm {
		VMOVUPS_Z(m, k, v)
	} else {
		VMASKMOVPS(m, mask, v)
	}
}

// storeCount is maskedStore of the first n lanes, where n may be more than there
// are: with avx2 a whole vector is stored as one, masked stores being slow on some
// processors.
func storeCount(v reg.VecPhysical, n reg.GPPhysical, k reg.OpmaskPhysical, mask reg.VecPhysical, m Mem) {
	if lv.zmm {
		maskedStore(v, k, mask, m)
		return
	}
	stores++
	masked, stored := fmt.Sprintf("masked%d", stores), fmt.Sprintf("storedCount%d", stores)
	CMPQ(n, U8(lv.lanes))
	JLT(LabelRef(masked))
	VMOVUPS(v, m)
	JMP(LabelRef(stored))
	Label(masked)
	maskedStore(v, k, mask, m)
	Label(stored)
}

// stores counts the calls of storeCount, for its labels.
var stores int

func maskedStore(v reg.VecPhysical, k reg.OpmaskPhysical, mask reg.VecPhysical, m Mem) {
	if lv.zmm {
		VMOVUPS(v, k, m)
	} else {
		VMASKMOVPS(v, mask, m)
	}
}

var even, odd, lanesAll, lanesStep, ones, negInf Mem

// maxPool2 emits the 2x2 pool with stride 2 over a plane.
func maxPool2() {
	even = lanesTable("even", 0, 2)
	odd = lanesTable("odd", 1, 2)
	lanesStep = lanesTable("step", 2*lv.lanes, 0)
	ones = lanesTable("ones", 1, 0)
	fn("maxPool2_"+lv.name, "func(dst *float32, switches *int32, src *float32, rows, cols, pitch int, at, w int32)")
	Doc("maxPool2 computes rows x cols outputs of a 2x2 pool with stride 2; rows of the input are pitch bytes apart.",
		"at is the switch of the first input, w the width that switches count with. switches may be nil.")
	dst, sw, src, a, b, n := reg.RDI, reg.RSI, reg.RDX, reg.R8, reg.R9, reg.R10
	rows, pitch, bits := reg.R11, reg.R12, reg.R13
	Load(Param("dst"), dst)
	Load(Param("switches"), sw)
	Load(Param("src"), src)
	Load(Param("rows"), rows)
	Load(Param("pitch"), pitch)
	idx, row, wv := vec(8), vec(9), vec(10)
	tEven, tOdd := vec(top()), vec(top()-1)
	broadcastInt("at", row)
	loadInts(even, idx)
	VPADDD(idx, row, row)
	broadcastInt("w", wv)
	if lv.zmm {
		loadInts(even, tEven)
		loadInts(odd, tOdd)
	}
	// The last, partial vector of a row: masks of its outputs and inputs.
	Load(Param("cols"), reg.RCX)
	ANDQ(U8(lv.lanes-1), reg.RCX)
	MOVQ(U32(1), reg.RAX)
	SHLQ(reg.CL, reg.RAX)
	DECQ(reg.RAX)
	maskFrom(reg.RAX, 0, reg.K5, vec(11))
	ADDQ(reg.RCX, reg.RCX)
	MOVQ(U32(1), bits)
	SHLQ(reg.CL, bits)
	DECQ(bits)
	maskFrom(bits, 0, reg.K3, vec(12))
	maskFrom(bits, lv.lanes, reg.K4, vec(13))

	outputs := func(partial bool) {
		var c [4]reg.VecPhysical // the four candidates in row-major order
		for r, p := range []reg.GPPhysical{a, b} {
			lo, hi := Mem{Base: p}, Mem{Base: p, Disp: vbytes()}
			if partial {
				maskedLoad(lo, reg.K3, vec(12), vec(14))
				maskedLoad(hi, reg.K4, vec(13), vec(15))
			} else {
				VMOVUPS(lo, vec(14))
				VMOVUPS(hi, vec(15))
			}
			c[2*r], c[2*r+1] = vec(2*r), vec(2*r+1)
			evenOdd(vec(14), vec(15), c[2*r], c[2*r+1], tEven, tOdd)
		}
		best, at, cand := c[0], vec(4), vec(5)
		VMOVAPS(idx, at)
		VPADDD(ones, idx, cand)
		better(c[1], best, cand, at, vec(6), vec(7))
		VPADDD(wv, idx, cand)
		better(c[2], best, cand, at, vec(6), vec(7))
		VPADDD(ones, cand, cand)
		better(c[3], best, cand, at, vec(6), vec(7))
		skip := "skip"
		if partial {
			skip = "skipPartial"
			maskedStore(best, reg.K5, vec(11), Mem{Base: dst})
		} else {
			VMOVUPS(best, Mem{Base: dst})
		}
		TESTQ(sw, sw)
		JZ(LabelRef(skip))
		if partial {
			maskedStore(at, reg.K5, vec(11), Mem{Base: sw})
		} else {
			VMOVUPS(at, Mem{Base: sw})
			ADDQ(U8(vbytes()), sw)
		}
		Label(skip)
	}

	Label("row")
	MOVQ(src, a)
	LEAQ(Mem{Base: src, Index: pitch, Scale: 1}, b)
	LEAQ(Mem{Base: src, Index: pitch, Scale: 2}, src)
	VMOVAPS(row, idx)
	Load(Param("cols"), n)
	SUBQ(U8(lv.lanes), n)
	JLT(LabelRef("partial"))
	Label("loop")
	outputs(false)
	VPADDD(lanesStep, idx, idx)
	ADDQ(U8(vbytes()), dst)
	ADDQ(U32(2*vbytes()), a)
	ADDQ(U32(2*vbytes()), b)
	SUBQ(U8(lv.lanes), n)
	JGE(LabelRef("loop"))
	Label("partial")
	ADDQ(U8(lv.lanes), n)
	JZ(LabelRef("next"))
	outputs(true)
	LEAQ(Mem{Base: dst, Index: n, Scale: 4}, dst)
	TESTQ(sw, sw)
	JZ(LabelRef("next"))
	LEAQ(Mem{Base: sw, Index: n, Scale: 4}, sw)
	Label("next")
	VPADDD(wv, row, row)
	VPADDD(wv, row, row)
	SUBQ(U8(1), rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()

	for stride := 1; stride <= 2; stride++ {
		maxWindow(stride)
	}
	copyRows()
}

// maxWindow emits a max pool over rows of outputs whose windows lie inside.
func maxWindow(stride int) {
	if stride == 1 {
		lanesAll = lanesTable("lanes", 0, 1)
		negInf = GLOBL("negInf_"+lv.name, attr.RODATA|attr.NOPTR)
		for i := range lv.lanes {
			DATA(4*i, U32(0xff800000))
		}
	}
	fn(fmt.Sprintf("maxWindow%d_%s", stride, lv.name), "func(dst *float32, switches *int32, src *float32, rows, n, kh, kw, rowStep, colStep, srcStep, dstStep int, at, rowAt, colAt, nextAt int32) int")
	Doc(fmt.Sprintf("maxWindow%d computes rows > 0 rows of n > 0 outputs of a pool with stride %d and kh x kw taps, rowStep and colStep bytes", stride, stride),
		"apart; rows of inputs are srcStep, of outputs dstStep bytes apart. at is the switch of the first input, rowAt, colAt and nextAt are the",
		"steps in switches, which may be nil. It returns 0 if no output is -Inf.")
	dst, sw, src, n := reg.RDI, reg.RSI, reg.RDX, reg.RBX
	kh, t, rowStep, colStep := reg.R8, reg.R9, reg.R10, reg.R11
	p, q, kx := reg.R12, reg.R13, reg.R15
	dstRow, swRow, srcRow, left := AllocLocal(8), AllocLocal(8), AllocLocal(8), AllocLocal(8)
	rowFirst, least := AllocLocal(64), AllocLocal(64)
	first, rowIdx, cand, rowV, colV, tEven := vec(8), vec(9), vec(10), vec(3), vec(4), vec(5)
	v, best, at := vec(0), vec(1), vec(2)
	Load(Param("dst"), dst)
	MOVQ(dst, dstRow)
	Load(Param("switches"), sw)
	MOVQ(sw, swRow)
	Load(Param("src"), src)
	MOVQ(src, srcRow)
	Load(Param("rows"), t)
	MOVQ(t, left)
	Load(Param("rowStep"), rowStep)
	Load(Param("colStep"), colStep)
	zero(v)
	VMOVUPS(v, least)
	broadcastInt("at", first)
	broadcastInt("rowAt", rowV)
	broadcastInt("colAt", colV)
	loadInts([]Mem{lanesAll, even}[stride-1], tEven)
	VPADDD(tEven, first, first)

	load := func(v reg.VecPhysical) {
		if stride == 1 {
			maskedLoad(Mem{Base: q}, reg.K5, vec(11), v)
			return
		}
		maskedLoad(Mem{Base: q}, reg.K3, vec(12), vec(14))
		maskedLoad(Mem{Base: q, Disp: vbytes()}, reg.K4, vec(13), vec(15))
		evenOdd(vec(14), vec(15), v, nil, tEven, nil)
	}
	Label("outputs")
	Load(Param("n"), n)
	VMOVUPS(first, rowFirst)
	Label("vector")
	// Masks of the outputs and of the inputs they read: stride*m-stride+1 of them
	// for m outputs.
	MOVQ(U32(uint32(lv.lanes)), reg.RCX)
	CMPQ(n, reg.RCX)
	CMOVQLT(n, reg.RCX)
	MOVQ(U32(1), reg.RAX)
	SHLQ(reg.CL, reg.RAX)
	DECQ(reg.RAX)
	maskFrom(reg.RAX, 0, reg.K5, vec(11))
	if stride == 2 {
		LEAQ(Mem{Base: reg.RCX, Index: reg.RCX, Scale: 1, Disp: -1}, reg.RCX)
		MOVQ(U32(1), reg.RAX)
		SHLQ(reg.CL, reg.RAX)
		DECQ(reg.RAX)
		if lv.zmm { // one input more
			LEAQ(Mem{Base: reg.RAX, Index: reg.RAX, Scale: 1, Disp: 1}, t)
			maskFrom(t, 0, reg.K6, nil)
			maskFrom(t, lv.lanes, reg.K7, nil)
		}
		maskFrom(reg.RAX, 0, reg.K3, vec(12))
		maskFrom(reg.RAX, lv.lanes, reg.K4, vec(13))
	}
	MOVQ(src, p)
	MOVQ(src, q)
	load(best)
	Load(Param("kh"), kh)
	TESTQ(sw, sw)
	JZ(LabelRef("values"))
	VMOVAPS(first, rowIdx)
	VMOVAPS(first, at)
	Label("row")
	MOVQ(p, q)
	VMOVAPS(rowIdx, cand)
	Load(Param("kw"), kx)
	Label("tap")
	load(v)
	better(v, best, cand, at, vec(6), vec(7))
	VPADDD(colV, cand, cand)
	ADDQ(colStep, q)
	SUBQ(U8(1), kx)
	JNZ(LabelRef("tap"))
	VPADDD(rowV, rowIdx, rowIdx)
	ADDQ(rowStep, p)
	SUBQ(U8(1), kh)
	JNZ(LabelRef("row"))
	storeCount(at, n, reg.K5, vec(11), Mem{Base: sw})
	ADDQ(U8(vbytes()), sw)
	JMP(LabelRef("next"))

	Label("values")
	if lv.zmm {
		max3x3(stride, q, rowStep, best, tEven)
	} else {
		max3x3Few(stride, n, q, rowStep, best)
	}
	// Without switches: the greater value, or v if that is NaN.
	Label("valueRow")
	MOVQ(p, q)
	Load(Param("kw"), kx)
	Label("valueTap")
	load(v)
	// The second source, the best so far, stays if either is NaN.
	if lv.zmm {
		VCMPPS(U8(3), v, v, reg.K1)
		VMAXPS(best, v, best)
		VMOVAPS(v, reg.K1, best)
	} else {
		VCMPPS(U8(3), v, v, vec(6))
		VMAXPS(best, v, best)
		VBLENDVPS(vec(6), v, best, best)
	}
	ADDQ(colStep, q)
	SUBQ(U8(1), kx)
	JNZ(LabelRef("valueTap"))
	ADDQ(rowStep, p)
	SUBQ(U8(1), kh)
	JNZ(LabelRef("valueRow"))

	Label("next")
	storeCount(best, n, reg.K5, vec(11), Mem{Base: dst})
	// A NaN does not count: the second source, the least so far, stays.
	VMOVUPS(least, v)
	VMINPS(v, best, best)
	VMOVUPS(best, least)
	ADDQ(U8(vbytes()), dst)
	ADDQ(U32(stride*vbytes()), src)
	loadInts(lanesStep, v) // 2*lanes
	if stride == 1 {
		VPSRLD(U8(1), v, v)
	}
	VPADDD(v, first, first)
	SUBQ(U8(lv.lanes), n)
	JG(LabelRef("vector"))

	SUBQ(U8(1), left)
	JZ(LabelRef("done"))
	Load(Param("dstStep"), t)
	MOVQ(dstRow, dst)
	ADDQ(t, dst)
	MOVQ(dst, dstRow)
	MOVQ(swRow, sw)
	TESTQ(sw, sw)
	JZ(LabelRef("inputs"))
	ADDQ(t, sw)
	MOVQ(sw, swRow)
	Label("inputs")
	MOVQ(srcRow, src)
	Load(Param("srcStep"), t)
	ADDQ(t, src)
	MOVQ(src, srcRow)
	VMOVUPS(rowFirst, first)
	broadcastInt("nextAt", v)
	VPADDD(v, first, first)
	JMP(LabelRef("outputs"))
	Label("done")
	VMOVUPS(least, v)
	if lv.zmm {
		VCMPPS(U8(0), negInf, v, reg.K1)
		KMOVW(reg.K1, reg.EAX)
	} else {
		VCMPPS(U8(0), negInf, v, v)
		VMOVMSKPS(v, reg.EAX)
	}
	Store(reg.RAX, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// max3x3 emits the maximum of 3x3 inputs from q on for maxWindow, which goes on at
// "next", or at "valueRow" if there is a NaN or the window is another.
func max3x3(stride int, q, rowStep reg.GPPhysical, best, tEven reg.VecPhysical) {
	CMPQ(reg.R8, U8(3)) // kh
	JNE(LabelRef("valueRow"))
	Load(Param("kw"), reg.RAX)
	CMPQ(reg.RAX, U8(3))
	JNE(LabelRef("valueRow"))
	CMPQ(reg.R11, U8(4)) // colStep
	JNE(LabelRef("valueRow"))
	rows := []Mem{{Base: q}, {Base: q, Index: rowStep, Scale: 1}, {Base: q, Index: rowStep, Scale: 2}}
	at := func(row, disp int) Mem { m := rows[row]; m.Disp = disp; return m }
	var in []reg.VecPhysical // three rows, then the next column of vectors
	load := func(disp int, k reg.OpmaskPhysical) {
		for r := range 3 {
			v := vec(16 + len(in))
			VMOVUPS_Z(at(r, disp), k, v)
			in = append(in, v)
		}
	}
	if stride == 1 {
		for c := range 3 {
			load(4*c, reg.K5)
		}
	} else {
		load(0, reg.K6)
		load(vbytes(), reg.K7)
		load(8, reg.K3)
		load(8+vbytes(), reg.K4)
	}
	// No NaN in any.
	for i := 0; i < len(in); i += 2 {
		k := reg.K1
		if i > 0 {
			k = reg.K2
		}
		VCMPPS(U8(3), in[i], in[min(i+1, len(in)-1)], k)
		if i > 0 {
			KORW(reg.K1, reg.K2, reg.K1)
		}
	}
	KORTESTW(reg.K1, reg.K1)
	JNE(LabelRef("valueRow"))
	for i := 0; i < len(in); i += 3 {
		VMAXPS(in[i], in[i+1], in[i])
		VMAXPS(in[i], in[i+2], in[i])
	}
	if stride == 1 {
		VMAXPS(in[0], in[3], best)
		VMAXPS(best, in[6], best)
	} else {
		loadInts(odd, vec(28))
		evenOdd(in[0], in[3], vec(29), vec(30), tEven, vec(28))
		evenOdd(in[6], in[9], vec(31), nil, tEven, nil)
		VMAXPS(vec(29), vec(30), best)
		VMAXPS(best, vec(31), best)
	}
	JMP(LabelRef("next"))
}

// max3x3Few is max3x3 for avx2 and whole vectors of outputs: the maxima of columns
// first, at each place that vectors are read from.
func max3x3Few(stride int, n, q, rowStep reg.GPPhysical, best reg.VecPhysical) {
	CMPQ(reg.R8, U8(3)) // kh
	JNE(LabelRef("valueRow"))
	Load(Param("kw"), reg.RAX)
	CMPQ(reg.RAX, U8(3))
	JNE(LabelRef("valueRow"))
	CMPQ(reg.R11, U8(4)) // colStep
	JNE(LabelRef("valueRow"))
	CMPQ(n, U8(lv.lanes))
	JLT(LabelRef("valueRow"))
	// The registers of switches are free.
	nan, t := vec(10), vec(5)
	column := func(disp int, mask, out reg.VecPhysical) {
		in := []reg.VecPhysical{vec(2), vec(3), vec(4)}
		for r, m := range []Mem{{Base: q}, {Base: q, Index: rowStep, Scale: 1}, {Base: q, Index: rowStep, Scale: 2}} {
			m.Disp = disp
			if mask == nil {
				VMOVUPS(m, in[r])
			} else {
				VMASKMOVPS(m, mask, in[r])
			}
		}
		first := t
		if disp == 0 {
			first = nan
		}
		VCMPPS(U8(3), in[0], in[1], first)
		if disp > 0 {
			VORPS(t, nan, nan)
		}
		VCMPPS(U8(3), in[2], in[2], t)
		VORPS(t, nan, nan)
		VMAXPS(in[0], in[1], out)
		VMAXPS(in[2], out, out)
	}
	a, b, c, d := vec(0), vec(6), vec(7), vec(9)
	column(0, nil, a)
	if stride == 1 {
		column(4, nil, b)
		column(8, nil, c)
	} else {
		column(vbytes(), nil, b)
		column(8, nil, c)
		column(8+vbytes(), vec(13), d) // one less: no input beyond the last window
	}
	VMOVMSKPS(nan, reg.EAX)
	TESTL(reg.EAX, reg.EAX)
	JNE(LabelRef("valueRow"))
	if stride == 1 {
		VMAXPS(a, b, best)
		VMAXPS(best, c, best)
	} else {
		evenOdd(a, b, vec(2), vec(3), nil, nil)
		evenOdd(c, d, vec(4), nil, nil, nil)
		VMAXPS(vec(2), vec(3), best)
		VMAXPS(best, vec(4), best)
	}
	JMP(LabelRef("next"))
}

// lrn emits local response normalisation for exponent 3/4.
func lrn() {
	fn("lrn_"+lv.name, "func(dst, src, first *float32, n, stride, count int, scale, bias float32)")
	Doc("lrn computes dst[i] = src[i] / t^(3/4), t = bias + scale * sum over j < count of first[j*stride+i]^2,",
		"for i < n, a multiple of the vector's lanes; stride is in bytes.")
	dst, src, first, n := reg.RDI, reg.RSI, reg.RDX, reg.RBX
	stride, count, p, i := reg.R8, reg.R9, reg.R10, reg.R11
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("first"), first)
	Load(Param("n"), n)
	Load(Param("stride"), stride)
	Load(Param("count"), count)
	for j, s := range []string{"scale", "bias"} {
		addr, err := Param(s).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(addr.Addr, vec(8+j))
	}
	Label("loop")
	zero(vec(0))
	MOVQ(first, p)
	MOVQ(count, i)
	Label("sum")
	VMOVUPS(Mem{Base: p}, vec(1))
	VMULPS(vec(1), vec(1), vec(1))
	VADDPS(vec(1), vec(0), vec(0))
	ADDQ(stride, p)
	SUBQ(U8(1), i)
	JNZ(LabelRef("sum"))
	VMULPS(vec(8), vec(0), vec(0))
	VADDPS(vec(9), vec(0), vec(0))
	VSQRTPS(vec(0), vec(1))
	VSQRTPS(vec(1), vec(0))
	VMULPS(vec(0), vec(1), vec(1))
	VMOVUPS(Mem{Base: src}, vec(0))
	VDIVPS(vec(1), vec(0), vec(0))
	VMOVUPS(vec(0), Mem{Base: dst})
	ADDQ(U8(vbytes()), first)
	ADDQ(U8(vbytes()), src)
	ADDQ(U8(vbytes()), dst)
	SUBQ(U8(lv.lanes), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// fillRows emits the copy of rows of inputs to the rows of the stride's phases.
func fillRows(stride int) {
	fn(fmt.Sprintf("fillRows%d_%s", stride, lv.name), "func(dst *float32, ldd, phases int, src *float32, off, rows, n, dstStep, srcStep int, mask uint64)")
	Doc(fmt.Sprintf("fillRows%d stores the floats at off+4*(%d*i+p) behind src at i of row p of dst, rows ldd bytes apart, for i < n and", stride, stride),
		"p < phases, n at most a vector; where the mask has no bit the float is taken to be 0. So it does for rows > 0 rows, dstStep",
		"and srcStep bytes apart.")
	dst, ldd, src, rows, dstStep, srcStep, phases, q := reg.RDI, reg.R8, reg.RSI, reg.RBX, reg.R9, reg.R10, reg.R11, reg.RDX
	Load(Param("dst"), dst)
	Load(Param("ldd"), ldd)
	Load(Param("phases"), phases)
	Load(Param("src"), src)
	Load(Param("off"), q)
	ADDQ(q, src)
	Load(Param("rows"), rows)
	Load(Param("dstStep"), dstStep)
	Load(Param("srcStep"), srcStep)
	Load(Param("n"), reg.RCX)
	MOVQ(U32(1), reg.RAX)
	SHLQ(reg.CL, reg.RAX)
	DECQ(reg.RAX)
	out, firstMask := vec(13), 11
	if stride == 4 && !lv.zmm {
		out, firstMask = vec(8), 12
	}
	maskFrom(reg.RAX, 0, reg.K5, out)
	ks := []reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3, reg.K4}
	Load(Param("mask"), reg.RAX)
	for i := range stride {
		maskFrom(reg.RAX, lv.lanes*min(i, 1), ks[i], vec(firstMask+i))
	}
	tEven, tOdd := vec(14), vec(15)
	if stride > 1 && lv.zmm {
		loadInts(even, tEven)
		loadInts(odd, tOdd)
	}
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, q)
	to := []Mem{{Base: dst}, {Base: dst, Index: ldd, Scale: 1}, {Base: dst, Index: ldd, Scale: 2}, {Base: dst, Index: q, Scale: 1}}
	Label("row")
	for i := range stride {
		maskedLoad(Mem{Base: src, Disp: vbytes() * i}, ks[i], vec(firstMask+i), vec(i))
	}
	res := []reg.VecPhysical{vec(0)}
	switch stride {
	case 2:
		res = []reg.VecPhysical{vec(2), vec(3)}
		evenOdd(vec(0), vec(1), vec(2), vec(3), tEven, tOdd)
	case 4:
		evenOdd(vec(0), vec(1), vec(4), vec(5), tEven, tOdd)
		evenOdd(vec(2), vec(3), vec(6), vec(7), tEven, tOdd)
		evenOdd(vec(4), vec(6), vec(0), vec(2), tEven, tOdd)
		evenOdd(vec(5), vec(7), vec(1), vec(3), tEven, tOdd)
		res = []reg.VecPhysical{vec(0), vec(1), vec(2), vec(3)}
	}
	for i, v := range res {
		if i > 0 {
			CMPQ(phases, U8(i))
			JEQ(LabelRef("next"))
		}
		storeCount(v, reg.RCX, reg.K5, out, to[i])
	}
	Label("next")
	ADDQ(dstStep, dst)
	ADDQ(srcStep, src)
	SUBQ(U8(1), rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// copyRows emits a copy of short rows, for which a call of memmove each takes
// longer than the copy.
func copyRows() {
	fn("copyRows_"+lv.name, "func(dst, src *float32, rows, n, dstStep, srcStep int)")
	Doc("copyRows copies rows > 0 rows of n > 0 floats, dstStep and srcStep bytes apart.")
	dst, src, rows, dstStep, srcStep := reg.RDI, reg.RSI, reg.RBX, reg.R8, reg.R9
	d, s, n := reg.R10, reg.R11, reg.R12
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("rows"), rows)
	Load(Param("dstStep"), dstStep)
	Load(Param("srcStep"), srcStep)
	Load(Param("n"), reg.RCX)
	ANDQ(U8(lv.lanes-1), reg.RCX)
	MOVQ(U32(1), reg.RAX)
	SHLQ(reg.CL, reg.RAX)
	DECQ(reg.RAX)
	mask := vec(2)
	maskFrom(reg.RAX, 0, reg.K1, mask)
	Label("row")
	MOVQ(dst, d)
	MOVQ(src, s)
	Load(Param("n"), n)
	SUBQ(U8(lv.lanes), n)
	JLT(LabelRef("tail"))
	Label("vector")
	VMOVUPS(Mem{Base: s}, vec(0))
	VMOVUPS(vec(0), Mem{Base: d})
	ADDQ(U8(vbytes()), s)
	ADDQ(U8(vbytes()), d)
	SUBQ(U8(lv.lanes), n)
	JGE(LabelRef("vector"))
	Label("tail")
	CMPQ(n, I8(-lv.lanes))
	JEQ(LabelRef("next"))
	maskedLoad(Mem{Base: s}, reg.K1, mask, vec(0))
	maskedStore(vec(0), reg.K1, mask, Mem{Base: d})
	Label("next")
	ADDQ(dstStep, dst)
	ADDQ(srcStep, src)
	SUBQ(U8(1), rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}
