package main

import (
	"fmt"
	"strings"
)

// The pools of this file are not translated. A float that is neither negative nor NaN is in the order of its bits as a
// whole number: UMAX finds the maximum that AVX2's comparisons find, in one instruction instead of two or three. What it
// finds of other floats is larger than +Inf as a whole number: the greatest of all outputs of a row says at its end
// whether the row counts. Pools stand behind rectifiers nearly everywhere; where they don't, the first row shows it, and the
// translated function computes the plane from there on. A last block of less than eight outputs begins farther left.
//
// Registers: R0 to R15 as named below.

// poolRegs are the general registers of a pool.
const (
	poolDst, poolSw, poolSrc, poolRows, poolN = 0, 1, 2, 3, 4
	poolStep                                  = 5 // bytes from one row of a window to the next
	poolIn                                    = 6 // three rows of inputs
	poolOut, poolOutSw                        = 9, 10
	poolLeft                                  = 11 // outputs of the row, less eight
	poolDone                                  = 12
	poolT                                     = 13
)

// pool is one being written: rows of its window, inputs between outputs, floats before those that a block reads.
type pool struct {
	name     string
	rows     int
	stride   int
	before   int
	switches bool
}

var pools = []pool{
	{"maxPool2Values", 2, 2, 0, false},
	{"maxPool2Switches", 2, 2, 0, true},
	{"maxPool3Values1", 3, 1, 2, false},
	{"maxPool3Values2", 3, 2, 1, false},
	{"maxPool3Switches2", 3, 2, 1, true},
}

const poolArgs = "dst *float32, switches *int32, src *float32, rows, n, rowStep, srcStep, dstStep int, at, rowAt, nextAt int32"

// pools writes all and returns their declarations.
func (a *asm) pools() string {
	var decl strings.Builder
	for _, p := range pools {
		fmt.Fprintf(&decl, "\n// %s_neon computes rows of n >= 8 outputs of a %dx%d pool with stride %d, and returns how many of them hold: those before the\n", p.name, p.rows, p.rows, p.stride)
		fmt.Fprintf(&decl, "// first with an input that is negative or no number. Rows of a window are rowStep, of inputs srcStep, of outputs dstStep\n")
		fmt.Fprintf(&decl, "// bytes apart. at, rowAt and nextAt are the switches of the first input and their steps.\n//\n//go:noescape\nfunc %s_neon(%s) (done int)\n", p.name, poolArgs)
		a.pool(p)
	}
	return decl.String()
}

func (a *asm) pool(p pool) {
	fmt.Fprintf(&a.s, "\nTEXT ·%s_neon(SB), NOSPLIT, $0-88\n", p.name)
	for i, s := range []string{"dst", "switches", "src", "rows", "n", "rowStep"} {
		a.op("MOVD %s+%d(FP), R%d", s, 8*i, i)
	}
	a.op("MOVD ZR, R%d", poolDone)
	if p.switches {
		// V28 the switch of each fourth output's last input, V29 the step of eight columns, V30 and V27 those of rows.
		a.op("MOVWU at+64(FP), R%d", poolT)
		if p.before > 0 {
			a.op("ADD $2, R%d, R%d", poolT, poolT)
		} else {
			a.op("ADD $1, R%d, R%d", poolT, poolT)
		}
		a.op("VDUP R%d, V28.S4", poolT)
		a.op("MOVD $0x0000000200000000, R%d", poolT)
		a.op("VMOV R%d, V29.D[0]", poolT)
		a.op("MOVD $0x0000000600000004, R%d", poolT)
		a.op("VMOV R%d, V29.D[1]", poolT)
		a.three("add", 28, 28, 29)
		a.op("MOVD $8, R%d", poolT)
		a.op("VDUP R%d, V29.S4", poolT)
		a.op("MOVWU rowAt+68(FP), R%d", poolT)
		a.op("VDUP R%d, V30.S4", poolT)
		a.three("add", 27, 30, 30)
	}
	a.label("row")
	for r := range p.rows {
		if r == 0 {
			a.op("MOVD R%d, R%d", poolSrc, poolIn)
		} else {
			a.op("ADD R%d, R%d, R%d", poolStep, poolIn+r-1, poolIn+r)
		}
	}
	a.op("MOVD R%d, R%d", poolDst, poolOut)
	a.zero(31) // the greatest of all
	if p.switches {
		a.op("MOVD R%d, R%d", poolSw, poolOutSw)
		a.move(26, 28)
	}
	a.op("SUB $8, R%d, R%d", poolN, poolLeft)
	a.label("start")
	a.poolStart(p)
	a.label("loop")
	switch {
	case p.rows == 2 && p.switches:
		a.switches2()
	case p.rows == 2:
		a.values2()
	case p.switches:
		a.switches3()
	default:
		a.values3(p.stride)
	}
	a.op("SUBS $8, R%d, R%d", poolLeft, poolLeft)
	a.op("BGE loop")
	// A part is left: go back.
	a.op("ADDS $8, R%d, R%d", poolLeft, poolT)
	a.op("BEQ done")
	a.op("ADD R%d<<2, R%d, R%d", poolLeft, poolOut, poolOut)
	if p.switches {
		a.op("ADD R%d<<2, R%d, R%d", poolLeft, poolOutSw, poolOutSw)
		a.op("ADD R%d, R%d, R%d", poolLeft, poolLeft, poolT)
		a.op("VDUP R%d, V25.S4", poolT)
		a.three("add", 26, 26, 25)
	}
	for r := range p.rows {
		a.op("ADD R%d<<%d, R%d, R%d", poolLeft, 1+p.stride, poolIn+r, poolIn+r)
	}
	if p.before > 0 {
		for r := range p.rows {
			a.op("SUB $%d, R%d, R%d", 4*p.before, poolIn+r, poolIn+r)
		}
	}
	a.op("MOVD ZR, R%d", poolLeft)
	a.op("B start")
	a.label("done")
	a.word("umaxv_4s", 0x6eb0a800, "umaxv s%d, v%d.4s", 31, 31)
	a.op("FMOVS F31, R%d", poolT)
	a.op("MOVD $0x7f800000, R%d", poolLeft)
	a.op("CMPW R%d, R%d", poolLeft, poolT)
	a.op("BHI end")
	a.op("ADD $1, R%d, R%d", poolDone, poolDone)
	a.op("MOVD dstStep+56(FP), R%d", poolT)
	a.op("ADD R%d, R%d, R%d", poolT, poolDst, poolDst)
	if p.switches {
		a.op("ADD R%d, R%d, R%d", poolT, poolSw, poolSw)
	}
	a.op("MOVD srcStep+48(FP), R%d", poolT)
	a.op("ADD R%d, R%d, R%d", poolT, poolSrc, poolSrc)
	if p.switches {
		a.op("MOVWU nextAt+72(FP), R%d", poolT)
		a.op("VDUP R%d, V25.S4", poolT)
		a.three("add", 28, 28, 25)
	}
	a.op("SUBS $1, R%d, R%d", poolRows, poolRows)
	a.op("BNE row")
	a.label("end")
	a.op("MOVD R%d, done+80(FP)", poolDone)
	a.op("RET")
}

// poolStart loads what a block needs of the floats before those it reads, into the last lanes of V20 (with switches a row into
// each of V21, V23 and V25), and goes on behind them.
func (a *asm) poolStart(p pool) {
	if p.before == 0 {
		return
	}
	for r := range p.rows {
		v := 20 + r
		if p.switches {
			v = 21 + 2*r
		}
		if p.before == 1 {
			a.op("VLD1R.P 4(R%d), [V%d.S4]", poolIn+r, v)
		} else {
			a.op("VLD1R.P 8(R%d), [V%d.D2]", poolIn+r, v)
		}
	}
	if !p.switches {
		a.three("umax", 20, 20, 21)
		a.three("umax", 20, 20, 22)
	}
}

// columnMaxima loads 4*vectors floats of each row and takes the maximum of the columns into V0...
func (a *asm) columnMaxima(rows, vectors int) {
	for r := range rows {
		for v := vectors - 2; v >= 0; v -= 2 {
			if v > 0 {
				a.op("FLDPQ %d(R%d), (F%d, F%d)", 16*v, poolIn+r, 4*r+v, 4*r+v+1)
			} else {
				a.op("FLDPQ.P %d(R%d), (F%d, F%d)", 16*vectors, poolIn+r, 4*r, 4*r+1)
			}
		}
	}
	for r := 1; r < rows; r++ {
		for v := range vreg(vectors) {
			a.three("umax", v, v, vreg(4*r)+v)
		}
	}
}

// poolStore stores V0 and V1.
func (a *asm) poolStore() {
	a.three("umax", 31, 31, 0)
	a.three("umax", 31, 31, 1)
	a.op("FSTPQ.P (F0, F1), 32(R%d)", poolOut)
}

func (a *asm) values2() {
	a.columnMaxima(2, 4)
	a.three("umaxp", 0, 0, 1)
	a.three("umaxp", 1, 2, 3)
	a.poolStore()
}

// values3 takes the maximum of three columns. V20 has the columns before those of V0...
func (a *asm) values3(stride int) {
	if stride == 1 {
		for r := range 3 {
			a.op("FLDPQ.P 32(R%d), (F%d, F%d)", poolIn+r, 4*r, 4*r+1)
		}
		a.three("umax", 0, 0, 4)
		a.three("umax", 1, 1, 5)
		a.three("umax", 0, 0, 8)
		a.extBytes(4, 20, 0, 8)
		a.extBytes(5, 20, 0, 12)
		a.three("umax", 20, 1, 9)
		a.extBytes(6, 0, 20, 8)
		a.extBytes(7, 0, 20, 12)
		a.three("umax", 4, 4, 5)
		a.three("umax", 6, 6, 7)
		a.three("umax", 0, 0, 4)
		a.three("umax", 1, 20, 6)
		a.poolStore()
		return
	}
	a.columnMaxima(3, 4)
	a.three("uzp2", 4, 0, 1) // each second column, which begins the next window
	a.three("umaxp", 0, 0, 1)
	a.extBytes(6, 20, 4, 12)
	a.three("uzp2", 20, 2, 3)
	a.three("umaxp", 1, 2, 3)
	a.extBytes(7, 4, 20, 12)
	a.three("umax", 0, 0, 6)
	a.three("umax", 1, 1, 7)
	a.poolStore()
}

// switches2 takes the first maximum of four: of the row that has it, and in that.
func (a *asm) switches2() {
	for g := range vreg(2) {
		e, f, m, row := 2*g, 4+2*g, 16+g, 18+g // e and e+1 are the even and odd columns of the first row, f of the second
		a.op("VLD2.P 32(R%d), [V%d.S4, V%d.S4]", poolIn, e, e+1)
		a.op("VLD2.P 32(R%d), [V%d.S4, V%d.S4]", poolIn+1, f, f+1)
		a.three("umax", m, e, e+1)
		a.three("umax", f+1, f, f+1)
		a.three("cmhi", row, f+1, m)
		a.three("umax", m, m, f+1)
		a.three("bit", e, f, row)
		a.three("umax", 31, 31, m)
		a.three("cmeq", e, e, m) // -1 where the even column has it
		a.three("and", row, row, 30)
		a.three("add", e, e, 26)
		a.three("add", 26, 26, 29)
		a.three("add", row, row, e)
	}
	a.op("FSTPQ.P (F16, F17), 32(R%d)", poolOut)
	a.op("FSTPQ.P (F18, F19), 32(R%d)", poolOutSw)
}

// switches3 does the same for three rows and columns; the last column of a block is the first of the next window.
func (a *asm) switches3() {
	for g := range vreg(2) {
		// The second columns are in second, second+2 and second+4, the third ones behind them, the first in V6 to V8.
		second, before := 20*g, 20-20*g
		for r := range vreg(3) {
			at := second + 2*r
			a.op("VLD2.P 32(R%d), [V%d.S4, V%d.S4]", poolIn+int(r), at, at+1)
			a.extBytes(6+r, before+2*r+1, at+1, 12)
			a.three("umax", 9+r, 6+r, at)
			a.three("umax", 9+r, 9+r, at+1)
		}
		row1, row2, m, at := vreg(12), vreg(13), 16+g, 18+g
		a.three("cmhi", row1, 10, 9)
		a.three("umax", 9, 9, 10)
		a.three("cmhi", row2, 11, 9)
		a.three("umax", m, 9, 11)
		a.three("bit", 6, 7, row1)
		a.three("bit", 6, 8, row2)
		a.three("bit", second, second+2, row1)
		a.three("bit", second, second+4, row2)
		a.three("and", at, row1, 30)
		a.three("bit", at, 27, row2)
		a.three("umax", 31, 31, m)
		a.three("cmeq", 6, 6, m)
		a.three("cmeq", second, second, m)
		a.three("orr", second, second, 6)
		a.three("add", 6, 6, second) // -2 in the first column, -1 in the second
		a.three("add", at, at, 26)
		a.three("add", 26, 26, 29)
		a.three("add", at, at, 6)
	}
	a.op("FSTPQ.P (F16, F17), 32(R%d)", poolOut)
	a.op("FSTPQ.P (F18, F19), 32(R%d)", poolOutSw)
}
