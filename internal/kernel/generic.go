package kernel

import (
	"math"
	"unsafe"
)

// genericLevel is the plain Go implementation of the tiles, for processors
// without assembly. The products are rounded before they are added, so that it
// computes the same bits everywhere.
var genericLevel = &level{
	name: "generic", lanes: 2, rows: 4, wrows: 4, block: 1, vector: genericVector,
	pack:      packGeneric,
	transpose: transposeGeneric,
	scatter:   scatterGeneric,
	nonzero:   nonzeroGeneric,
	tile: [3][]func(int, *float32, *float32, *float32, *float32, int, int, uint64){
		1: {nil, tileGeneric(1, 2), tileGeneric(2, 2), tileGeneric(3, 2), tileGeneric(4, 2)},
		2: {nil, tileGeneric(1, 4), tileGeneric(2, 4), tileGeneric(3, 4), tile4x4Generic},
	},
	wtile: [3][]func(*float32, *int64, *int64, int, *float32, *float32, int, int){
		1: {nil, wtileGeneric(1), wtileGeneric(2), wtileGeneric(3), wtileGeneric(4)},
		2: {nil, wtileGeneric(1), wtileGeneric(2), wtileGeneric(3), wtileGeneric(4)},
	},
	dots: []dotKernel{{1, 1, dotGeneric}},
}

// at returns the float off bytes behind p.
func at(p *float32, off int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), off)) }

func offsets(p *int64, n int) []int64 { return unsafe.Slice(p, n) }

// startGeneric sets the sums to what a tile starts from.
func startGeneric(acc *[4][4]float32, mr int, c, bias *float32, ldc, flags int, mask uint64) {
	for i := range mr {
		for j := range 4 {
			switch {
			case flags&tileLoad != 0:
				if mask>>j&1 != 0 {
					acc[i][j] = *at(c, i*ldc+4*j)
				}
			case bias != nil:
				acc[i][j] = *at(bias, 4*i)
			}
		}
	}
}

func storeGeneric(acc *[4][4]float32, mr int, c *float32, ldc, flags int, mask uint64) {
	for i := range mr {
		for j := range 4 {
			if mask>>j&1 == 0 {
				continue
			}
			v := acc[i][j]
			if flags&tileReLU != 0 {
				v = max(v, 0)
			}
			*at(c, i*ldc+4*j) = v
		}
	}
}

func tileGeneric(mr, cols int) func(kn int, a, b, c, bias *float32, ldc, flags int, mask uint64) {
	return func(kn int, a, b, c, bias *float32, ldc, flags int, mask uint64) {
		var acc [4][4]float32
		startGeneric(&acc, mr, c, bias, ldc, flags, mask)
		as, bs := unsafe.Slice(a, kn*mr), unsafe.Slice(b, kn*4)
		for k := range kn {
			for i, v := range as[k*mr:][:mr] {
				for j, w := range bs[k*4:][:cols] {
					acc[i][j&3] += float32(v * w)
				}
			}
		}
		storeGeneric(&acc, mr, c, ldc, flags, mask)
	}
}

func tile4x4Generic(kn int, a, b, c, bias *float32, ldc, flags int, mask uint64) {
	var acc [4][4]float32
	startGeneric(&acc, 4, c, bias, ldc, flags, mask)
	// Two rows at a time: eight sums and six operands fit the 16 registers of
	// amd64.
	for i := 0; i < 4; i += 2 {
		r, s := &acc[i], &acc[i+1]
		c00, c01, c02, c03 := r[0], r[1], r[2], r[3]
		c10, c11, c12, c13 := s[0], s[1], s[2], s[3]
		as, bs := unsafe.Slice(a, kn*4), unsafe.Slice(b, kn*4)
		for len(as) >= 4 && len(bs) >= 4 {
			a0, a1 := as[i&3], as[(i+1)&3]
			b0, b1, b2, b3 := bs[0], bs[1], bs[2], bs[3]
			c00 += float32(a0 * b0)
			c01 += float32(a0 * b1)
			c02 += float32(a0 * b2)
			c03 += float32(a0 * b3)
			c10 += float32(a1 * b0)
			c11 += float32(a1 * b1)
			c12 += float32(a1 * b2)
			c13 += float32(a1 * b3)
			as, bs = as[4:], bs[4:]
		}
		*r = [4]float32{c00, c01, c02, c03}
		*s = [4]float32{c10, c11, c12, c13}
	}
	storeGeneric(&acc, 4, c, ldc, flags, mask)
}

func packGeneric(dst, base *float32, koff *int64, kn int, segs *int64, nseg int) {
	s := offsets(segs, 2*nseg)
	for k, off := range offsets(koff, kn) {
		row := unsafe.Slice(at(dst, 16*k), 2)
		row[0], row[1] = 0, 0
		for j := 0; j < len(s); j += 2 {
			for l := range row {
				if s[j+1]>>l&1 != 0 {
					row[l] = *at(base, int(off+s[j])+4*l)
				}
			}
		}
	}
}

func wtileGeneric(mr int) func(x *float32, koff, segs *int64, nseg int, b, c *float32, ldc, load int) {
	return func(x *float32, koff, segs *int64, nseg int, b, c *float32, ldc, load int) {
		for i, off := range offsets(koff, mr) {
			row := unsafe.Slice(at(c, i*ldc), 4)
			if load == 0 {
				clear(row)
			}
			c0, c1, c2, c3 := row[0], row[1], row[2], row[3]
			s := offsets(segs, 2*nseg)
			q := b
			for j := 0; j < len(s); j += 2 {
				n := int(s[j+1]-s[j]) / 4
				bs := unsafe.Slice(q, 4*n)
				for _, v := range unsafe.Slice(at(x, int(off+s[j])), n) {
					c0 += float32(v * bs[0])
					c1 += float32(v * bs[1])
					c2 += float32(v * bs[2])
					c3 += float32(v * bs[3])
					bs = bs[4:]
				}
				q = at(q, 16*n)
			}
			row[0], row[1], row[2], row[3] = c0, c1, c2, c3
		}
	}
}

func transposeGeneric(dst, src *float32, ldd, lds, rows, cols int) {
	for j := range cols {
		for i := range rows {
			*at(dst, j*ldd+4*i) = *at(src, i*lds+4*j)
		}
	}
}

func dotGeneric(kn int, x *float32, ldx int, w *float32, ldw int, y *float32, ldy int) {
	xs, ws := unsafe.Slice(x, kn), unsafe.Slice(w, kn)
	var s0, s1, s2, s3 float32
	for len(xs) >= 4 && len(ws) >= 4 {
		s0 += float32(xs[0] * ws[0])
		s1 += float32(xs[1] * ws[1])
		s2 += float32(xs[2] * ws[2])
		s3 += float32(xs[3] * ws[3])
		xs, ws = xs[4:], ws[4:]
	}
	for i, v := range xs {
		s0 += float32(v * ws[i])
	}
	s0 = (s0 + s2) + (s1 + s3)
	*y += s0
}

func scatterGeneric(dst, w *float32, list *uint64, n, rows, vecs, pitch int) {
	for _, e := range unsafe.Slice(list, n) {
		v := math.Float32frombits(uint32(e >> 32))
		for r := range rows {
			d := unsafe.Slice(at(dst, int(uint32(e))+r*pitch), 2*vecs)
			for i, x := range unsafe.Slice(at(w, 8*r*vecs), 2*vecs) {
				d[i] += float32(v * x)
			}
		}
	}
}

func nonzeroGeneric(dst *uint64, src *float32, n int) {
	for i, d := range unsafe.Slice(dst, n/64) {
		d = 0
		for j, v := range unsafe.Slice(at(src, 256*i), 64) {
			if v != 0 {
				d |= 1 << j
			}
		}
		unsafe.Slice(dst, n/64)[i] = d
	}
}
