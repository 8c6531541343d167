package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwise emits the convolutions of one plane with one kernel, for the kernels
// that networks have and those that the phases of a gradient with stride 2 leave of
// them.
func depthwise() {
	for _, k := range [][2]int{{1, 1}, {1, 2}, {2, 1}, {2, 2}, {2, 3}, {3, 2}, {3, 3}, {3, 4}, {4, 3}, {4, 4}, {5, 5}, {7, 7}} {
		planeConv(k[0], k[1], 1)
	}
	for _, k := range []int{2, 3, 4, 5, 7} {
		planeConv(k, k, 2)
	}
	for stride := 1; stride <= 2; stride++ {
		for n := 1; n <= channelPlaces; n++ {
			channels(n, stride)
		}
	}
	padRows(1)
	padRows(2)
	clipRows()
}

// padRows emits the copy of rows of inputs into whole vectors, with 0 for those that
// are not there.
func padRows(stride int) {
	fn(fmt.Sprintf("padRows%d_%s", stride, lv.name), "func(dst, src *float32, masks *uint32, rows, vecs, oddCol, dstStep, srcStep, off int)")
	Doc(fmt.Sprintf("padRows%d is padRows of level.go for this stride.", stride))
	dst, src, masks, rows, oddCol, dstStep, srcStep := reg.RDI, reg.RSI, reg.RDX, reg.RBX, reg.R8, reg.R9, reg.R10
	p, q, m, n := reg.R11, reg.R12, reg.R13, reg.RCX
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("off"), p)
	ADDQ(p, src)
	Load(Param("masks"), masks)
	Load(Param("rows"), rows)
	Load(Param("oddCol"), oddCol)
	Load(Param("dstStep"), dstStep)
	Load(Param("srcStep"), srcStep)
	tEven, tOdd := vec(14), vec(15)
	if stride > 1 && lv.zmm {
		loadInts(lanesTable("even", 0, 2), tEven)
		loadInts(lanesTable("odd", 1, 2), tOdd)
	}
	maskBytes := 4
	if !lv.zmm {
		maskBytes = vbytes()
	}
	Label("row")
	MOVQ(dst, p)
	MOVQ(src, q)
	MOVQ(masks, m)
	Load(Param("vecs"), n)
	Label("vector")
	for i := range stride {
		at := Mem{Base: m, Disp: maskBytes * i}
		if lv.zmm {
			KMOVW(at, reg.K1)
		} else {
			VMOVUPS(at, vec(4))
		}
		maskedLoad(Mem{Base: q, Disp: vbytes() * i}, reg.K1, vec(4), vec(i))
	}
	if stride == 1 {
		VMOVUPS(vec(0), Mem{Base: p})
	} else {
		evenOdd(vec(0), vec(1), vec(2), vec(3), tEven, tOdd)
		VMOVUPS(vec(2), Mem{Base: p})
		VMOVUPS(vec(3), Mem{Base: p, Index: oddCol, Scale: 1})
	}
	ADDQ(U32(stride*maskBytes), m)
	ADDQ(U32(stride*vbytes()), q)
	ADDQ(U32(vbytes()), p)
	SUBQ(U8(1), n)
	JNZ(LabelRef("vector"))
	ADDQ(dstStep, dst)
	ADDQ(srcStep, src)
	SUBQ(U8(1), rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// planeConv emits the convolution with a kh x kw kernel for one stride. A block of
// outputs is some rows of one or two vectors; each vector of inputs is loaded once
// for all rows that it takes part in. The sums run over the taps in their order.
func planeConv(kh, kw, stride int) {
	fn(fmt.Sprintf("planeConv%dx%ds%d_%s", kh, kw, stride, lv.name), "func(dst, src, w, k *float32, rows, cols, ldd, lds, step, oddRow, oddCol, clamp int)")
	Doc(fmt.Sprintf("planeConv%dx%ds%d is planeConv of level.go for this kernel and stride.", kh, kw, stride))
	c := &planeCode{kh: kh, kw: kw, stride: stride}
	Load(Param("dst"), planeDst)
	Load(Param("src"), planeSrc)
	Load(Param("w"), planeW)
	Load(Param("k"), planeK)
	Load(Param("ldd"), planeLdd)
	Load(Param("lds"), planeLds)
	Load(Param("step"), planeStep)
	LEAQ(Mem{Base: planeStep, Index: planeStep, Scale: 2}, planeStep3)
	if kw > 5 && stride == 1 {
		LEAQ(Mem{Base: planeStep, Index: planeStep, Scale: 4}, planeStep5)
	}
	Load(Param("cols"), planeCols)
	SHLQ(U8(2), planeCols)
	Load(Param("rows"), planeRows)
	if lv.zmm { // a mask costs nothing
		MOVL(I32(-1), reg.R11.As32())
		KMOVW(reg.R11.As32(), reg.K1)
	}
	CMPQ(planeCols, U32(vbytes()))
	JLT(LabelRef("narrow"))
	Label("wide")
	CMPQ(planeRows, U8(planeRowBlock))
	JLT(LabelRef("rows1"))
	CMPQ(planeCols, U32(2*vbytes()))
	JLT(LabelRef("one"))
	c.path("two", planeRowBlock, 2, storeAll)
	Label("one")
	store := storeAll
	if lv.zmm {
		store = storeMask
	}
	c.path("four", planeRowBlock, 1, store)
	Label("rows1")
	c.path("single", 1, 1, store)

	// Less than a vector of columns: stores are masked.
	Label("narrow")
	MOVQ(planeCols, reg.RCX)
	SHRQ(U8(2), reg.RCX)
	MOVL(U32(1), reg.R11.As32())
	SHLL(reg.CL, reg.R11.As32())
	DECL(reg.R11.As32())
	maskFrom(reg.R11, 0, reg.K1, vec(top()))
	Load(Param("rows"), planeRows)
	if lv.zmm {
		JMP(LabelRef("wide"))
		return
	}
	CMPQ(planeCols, U8(16))
	JLT(LabelRef("few"))
	CMPQ(planeRows, U8(planeRowBlock))
	JLT(LabelRef("few"))
	// Four columns or more are stored as two halves that overlap.
	SUBQ(U8(16), planeCols)
	MOVQ(planeCols, reg.R11)
	SHRQ(U8(2), reg.R11)
	VMOVD(reg.R11.As32(), xmm(top()))
	VPBROADCASTD(xmm(top()), vec(top()))
	VPADDD(counting(), vec(top()), vec(top()))
	c.path("half", planeRowBlock, 1, storeHalves)
	Label("few")
	c.path("fewest", 1, 1, storeMask)
}

var countTable Mem
var haveCount bool

// counting is the table 0, 1, ..., 7.
func counting() Mem {
	if !haveCount {
		haveCount = true
		countTable = GLOBL("counting_"+lv.name, attr.RODATA|attr.NOPTR)
		for i := range 8 {
			DATA(4*i, U32(i))
		}
	}
	return countTable
}

// How a block is stored.
const (
	storeAll    = 0
	storeMask   = 1 // of K1, or the signs of the last register
	storeHalves = 2 // avx2: the last register says which lanes end the row
)

// planeRowBlock is the number of rows of a block.
const planeRowBlock = 4

var (
	planeDst, planeSrc, planeW, planeK    = reg.RDI, reg.RSI, reg.RBX, reg.RDX
	planeLdd, planeLds                    = reg.R8, reg.R9
	planeStep, planeStep3, planeStep5     = reg.R10, reg.R12, reg.R13
	planeCols, planeRows, planeX, planeAt = reg.R14, reg.RCX, reg.R15, reg.RAX
	planeOdd                              = reg.R11
)

type planeCode struct{ kh, kw, stride int }

// path emits the loops over blocks of rows x vecs vectors. The last block of a row
// and the last row of blocks begin early enough to end where the plane does.
func (c *planeCode) path(name string, rows, vecs, store int) {
	label := func(s string) string { return name + s }
	width := vecs * vbytes()
	weights := c.resident(rows, vecs, store)
	Label(label("_rows"))
	XORQ(planeX, planeX)
	Label(label("_block"))
	c.block(label, rows, vecs, store, weights)
	if store == storeAll || lv.zmm {
		ADDQ(U32(width), planeX)
		MOVQ(planeCols, planeAt)
		SUBQ(planeX, planeAt) // bytes left
		JLE(LabelRef(label("_next")))
		CMPQ(planeAt, U32(width))
		JGE(LabelRef(label("_block")))
		MOVQ(planeCols, planeX)
		SUBQ(U32(width), planeX)
		JMP(LabelRef(label("_block")))
		Label(label("_next"))
	}
	// The next rows: all of a block, or as many as are left.
	SUBQ(U8(rows), planeRows)
	JLE(LabelRef(label("_done")))
	if rows == 1 {
		ADDQ(planeLds, planeSrc)
		ADDQ(planeLdd, planeDst)
		JMP(LabelRef(label("_rows")))
	} else {
		MOVQ(planeRows, planeAt)
		CMPQ(planeAt, U8(rows))
		JLE(LabelRef(label("_step")))
		MOVQ(U32(rows), planeAt)
		Label(label("_step"))
		// planeAt rows further; the block is whole again.
		MOVQ(planeAt, planeX)
		IMULQ(planeLds, planeX)
		ADDQ(planeX, planeSrc)
		MOVQ(planeAt, planeX)
		IMULQ(planeLdd, planeX)
		ADDQ(planeX, planeDst)
		CMPQ(planeRows, U8(rows))
		JGE(LabelRef(label("_rows")))
		MOVQ(U32(rows), planeRows)
		JMP(LabelRef(label("_rows")))
	}
	Label(label("_done"))
	VZEROUPPER()
	RET()
}

// resident loads as many weights as there are registers for, and returns those.
func (c *planeCode) resident(rows, vecs, store int) map[int]reg.VecPhysical {
	first := rows*vecs + 4 // sums, two vectors of inputs and two of weights
	last := top()
	if store != storeAll && !lv.zmm {
		last-- // the mask
	}
	weights := map[int]reg.VecPhysical{}
	for t := 0; t < c.kh*c.kw && first+t <= last; t++ {
		weights[t] = vec(first + t)
		VBROADCASTSS(Mem{Base: planeW, Disp: 4 * t}, weights[t])
	}
	return weights
}

// block emits the sums of one block and stores them.
func (c *planeCode) block(label func(string) string, rows, vecs, store int, weights map[int]reg.VecPhysical) {
	acc := func(i, v int) reg.VecPhysical { return vec(i*vecs + v) }
	scratch := func(i int) reg.VecPhysical { return vec(rows*vecs + i) }
	VBROADCASTSS(Mem{Base: planeK}, acc(0, 0))
	for i := range rows * vecs {
		if i > 0 {
			VMOVAPS(acc(0, 0), vec(i))
		}
	}
	LEAQ(Mem{Base: planeSrc, Index: planeX, Scale: 1}, planeAt)
	if c.stride == 2 && c.kh > 1 {
		Load(Param("oddRow"), planeOdd)
		ADDQ(planeAt, planeOdd)
	}
	temp := 0
	for r := range (rows-1)*c.stride + c.kh {
		at := planeAt
		if c.stride == 2 && r%2 == 1 {
			at = planeOdd
		}
		c.columns(at, rows, vecs, r, acc, scratch, weights, &temp)
		if c.stride == 1 || r+2 < (rows-1)*c.stride+c.kh {
			ADDQ(planeLds, at)
		}
	}
	Load(Param("clamp"), planeAt)
	TESTQ(planeAt, planeAt)
	JZ(LabelRef(label("_store")))
	for i, disp := range []int{4, 8, 12} {
		VBROADCASTSS(Mem{Base: planeK, Disp: disp}, scratch(i))
	}
	for i := range rows * vecs {
		VMAXPS(vec(i), scratch(0), vec(i)) // a NaN stays
		VADDPS(scratch(1), vec(i), vec(i))
		VMINPS(vec(i), scratch(2), vec(i))
	}
	Label(label("_store"))
	LEAQ(Mem{Base: planeDst, Index: planeX, Scale: 1}, planeAt)
	for i := range rows {
		for v := range vecs {
			m := Mem{Base: planeAt, Disp: v * vbytes()}
			switch {
			case store == storeAll:
				VMOVUPS(acc(i, v), m)
			case store == storeHalves:
				VMOVUPS(acc(i, v).AsX(), m)
				VPERMPS(acc(i, v), vec(top()), scratch(0))
				VMOVUPS(scratch(0).AsX(), Mem{Base: planeAt, Index: planeCols, Scale: 1})
			case lv.zmm:
				VMOVUPS(acc(i, v), reg.K1, m)
			default:
				VMASKMOVPS(acc(i, v), vec(top()), m)
			}
		}
		if i < rows-1 {
			ADDQ(planeLdd, planeAt)
		}
	}
}

// columns emits the products of input row r of a block.
func (c *planeCode) columns(at reg.GPPhysical, rows, vecs, r int, acc func(i, v int) reg.VecPhysical, scratch func(i int) reg.VecPhysical, weights map[int]reg.VecPhysical, temp *int) {
	oddCol := planeStep5 // free where the stride is 2
	if c.stride == 2 {
		Load(Param("oddCol"), oddCol)
		ADDQ(at, oddCol)
	}
	for kx := range c.kw {
		from, n := at, kx
		if c.stride == 2 {
			n = kx / 2
			if kx%2 == 1 {
				from = oddCol
			}
		}
		m := Mem{Base: from}
		switch n {
		case 1, 2, 4:
			m.Index, m.Scale = planeStep, uint8(n)
		case 3, 6:
			m.Index, m.Scale = planeStep3, uint8(n/3)
		case 5:
			m.Index, m.Scale = planeStep5, 1
		}
		in := func(v int) reg.VecPhysical {
			if vecs == 1 {
				return scratch(kx % 2)
			}
			return scratch(v)
		}
		for v := range vecs {
			mv := m
			mv.Disp = v * vbytes()
			VMOVUPS(mv, in(v))
		}
		for i := range rows {
			ky := r - c.stride*i
			if ky < 0 || ky >= c.kh {
				continue
			}
			t := ky*c.kw + kx
			w, ok := weights[t]
			if !ok {
				w = scratch(2 + *temp%2)
				*temp++
				VBROADCASTSS(Mem{Base: planeW, Disp: 4 * t}, w)
			}
			for v := range vecs {
				VFMADD231PS(in(v), w, acc(i, v))
			}
		}
	}
}
