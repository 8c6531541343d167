package tensor

import (
	"math"
	"slices"
)

// Packed is numbers in one byte each: Scale*(Q+Zero). Scale and Zero are those of
// the run of Inner numbers that one is in, the runs counted again from 0 after the
// last: with as many runs as a matrix has rows, each row has its own; with runs of
// one number, each column.
type Packed struct {
	Q     []int8
	Scale []float32
	Zero  []int16 // as many as Scale
	Inner int
}

// at is the number at i.
func (p *Packed) at(i int) float32 {
	s := i / p.Inner % len(p.Scale)
	return float32(int16(p.Q[i])+p.Zero[s]) * p.Scale[s]
}

// read writes the numbers from i on to dst.
func (p *Packed) read(dst []float32, i int) {
	if p.Inner == 1 {
		for j := range dst {
			dst[j] = p.at(i + j)
		}
		return
	}
	for len(dst) > 0 {
		s := i / p.Inner % len(p.Scale)
		n := min(len(dst), p.Inner-i%p.Inner)
		scale, zero := p.Scale[s], p.Zero[s]
		for j, q := range p.Q[i : i+n] {
			dst[j] = float32(int16(q)+zero) * scale
		}
		dst, i = dst[n:], i+n
	}
}

// Floats are the numbers as floats: Data, or a new array if they are packed.
func (t *Tensor) Floats() []float32 {
	if t.Packed == nil {
		return t.Data
	}
	out := make([]float32, len(t.Packed.Q))
	t.Packed.read(out, 0)
	return out
}

// Unpacked is the tensor with Data, nil if there is none.
func (t *Tensor) Unpacked() *Tensor {
	if t == nil || t.Packed == nil {
		return t
	}
	return &Tensor{Shape: t.Shape, Data: t.Floats()}
}

// Part are numbers i to j as floats, a part of Data or, if they are packed, of buf,
// which must be large enough for them.
func (t *Tensor) Part(i, j int, buf []float32) []float32 {
	if t.Packed == nil {
		return t.Data[i:j]
	}
	t.Packed.read(buf[:j-i], i)
	return buf[:j-i]
}

// Pack returns the tensor in one byte a number, or itself if its numbers are not
// whole multiples of a scale, at most 256 in a row, for each row, or column of a
// matrix: those of quantised networks are. The numbers are the same bits.
func Pack(t *Tensor) *Tensor {
	if t.Packed != nil || len(t.Shape) < 2 || len(t.Data) == 0 {
		return t
	}
	p := packRuns(t.Data, len(t.Data)/t.Shape[0], t.Shape[0])
	if columns := t.Shape[len(t.Shape)-1]; p == nil && len(t.Shape) == 2 {
		p = packColumns(t.Data, columns)
	}
	if p == nil {
		return t
	}
	return &Tensor{Shape: slices.Clone(t.Shape), Packed: p}
}

func packRuns(x []float32, inner, runs int) *Packed {
	p := &Packed{Inner: inner, Scale: make([]float32, runs), Zero: make([]int16, runs)}
	for r := range runs {
		run := x[r*inner : (r+1)*inner]
		s, ok := stepOf(run)
		if !ok {
			return nil
		}
		if p.Q == nil { // not before there is hope
			p.Q = make([]int8, len(x))
		}
		if p.Scale[r], p.Zero[r] = s, zeroOf(run, s); !fill(p.Q[r*inner:(r+1)*inner], run, s, p.Zero[r]) {
			return nil
		}
	}
	return p
}

func packColumns(x []float32, columns int) *Packed {
	p := &Packed{Inner: 1, Scale: make([]float32, columns), Zero: make([]int16, columns)}
	run, q := make([]float32, len(x)/columns), make([]int8, len(x)/columns)
	for c := range columns {
		for i := range run {
			run[i] = x[i*columns+c]
		}
		s, ok := stepOf(run)
		if !ok {
			return nil
		}
		if p.Q == nil {
			p.Q = make([]int8, len(x))
		}
		if p.Scale[c], p.Zero[c] = s, zeroOf(run, s); !fill(q, run, s, p.Zero[c]) {
			return nil
		}
		for i, v := range q {
			p.Q[i*columns+c] = v
		}
	}
	return p
}

// fill finds the bytes that stand for numbers, false if there are none.
func fill(q []int8, x []float32, scale float32, zero int16) bool {
	for i, v := range x {
		n := math.Round(float64(v)/float64(scale)) - float64(zero)
		if !(n >= -128 && n <= 127) || float32(int16(n)+zero)*scale != v || v == 0 && math.Signbit(float64(v)) {
			return false
		}
		q[i] = int8(n)
	}
	return true
}

// zeroOf moves the range of a run's multiples of a scale into that of a byte.
func zeroOf(x []float32, scale float32) int16 {
	lo, hi := math.Round(float64(slices.Min(x))/float64(scale)), math.Round(float64(slices.Max(x))/float64(scale))
	switch {
	case !(lo >= -256 && hi <= 256), lo >= -128 && hi <= 127:
		return 0
	case hi > 127:
		return int16(hi) - 127
	}
	return int16(lo) + 128
}

// stepOf is a number of which all of x are whole multiples, up to 255 times; few of
// any others have one. Of numbers that were scaled by one, rounded, it is that
// very one, or a whole part of it.
func stepOf(x []float32) (float32, bool) {
	least := float32(math.Inf(1))
	for _, v := range x {
		if v != 0 {
			least = min(least, float32(math.Abs(float64(v))))
		}
	}
	if math.IsInf(float64(least), 0) { // all are 0
		return 1, true
	}
	for k := float32(1); k < 256; k++ {
		s := least / k
		for _, try := range []float32{s, math.Nextafter32(s, 0), math.Nextafter32(s, 1e38)} {
			if multiples(x, try) {
				return try, true
			}
		}
	}
	return 0, false
}

func multiples(x []float32, step float32) bool {
	if step == 0 {
		return false
	}
	for _, v := range x {
		n := float32(math.Round(float64(v) / float64(step)))
		if !(n >= -255 && n <= 255) || n*step != v {
			return false
		}
	}
	return true
}
