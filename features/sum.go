package features

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
)

// Sum is an exact sum of float32 numbers: a whole number of 2^-149, the smallest
// float32. It does not depend on the order of the terms, nor on how they were
// divided over partial sums. The zero value is 0.
type Sum struct {
	limb  [11]int64 // limb[i] counts units of 2^(32i-149)
	terms int       // since the limbs were last brought below 2^32
}

// Add adds a finite number.
func (s *Sum) Add(v float32) {
	bits := math.Float32bits(v)
	m, e := int64(bits&(1<<23-1)), int(bits>>23&255)
	if e == 255 {
		panic("features: Sum.Add of a number that is not finite")
	}
	if e > 0 {
		m |= 1 << 23
		e--
	}
	m <<= e % 32
	lo, hi := m&(1<<32-1), m>>32
	if bits>>31 == 1 {
		lo, hi = -lo, -hi
	}
	s.limb[e/32] += lo
	s.limb[e/32+1] += hi
	if s.terms++; s.terms == 1<<29 {
		s.set(s.big())
	}
}

// AddSum adds another sum.
func (s *Sum) AddSum(o *Sum) { s.set(new(big.Int).Add(s.big(), o.big())) }

// big is the sum in units of 2^-149.
func (s *Sum) big() *big.Int {
	total, part := new(big.Int), new(big.Int)
	for i := len(s.limb) - 1; i >= 0; i-- {
		total.Lsh(total, 32)
		total.Add(total, part.SetInt64(s.limb[i]))
	}
	return total
}

func (s *Sum) set(v *big.Int) {
	rest, low, mask := new(big.Int).Abs(v), new(big.Int), big.NewInt(1<<32-1)
	for i := range s.limb {
		s.limb[i] = low.And(rest, mask).Int64()
		if v.Sign() < 0 {
			s.limb[i] = -s.limb[i]
		}
		rest.Rsh(rest, 32)
	}
	s.terms = 0
}

// Float64 is the sum rounded once.
func (s *Sum) Float64() float64 {
	f := new(big.Float).SetInt(s.big())
	v, _ := f.SetMantExp(f, -149).Float64()
	return v
}

// MarshalJSON writes the sum as hexadecimal units of 2^-149.
func (s Sum) MarshalJSON() ([]byte, error) { return json.Marshal(s.big().Text(16)) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Sum) UnmarshalJSON(text []byte) error {
	var hex string
	if err := json.Unmarshal(text, &hex); err != nil {
		return err
	}
	v, ok := new(big.Int), false
	if len(hex) <= 90 {
		v, ok = v.SetString(hex, 16)
	}
	if !ok || v.BitLen() > 32*len(s.limb) {
		return fmt.Errorf("sum %.100q: want at most %d hexadecimal digits", hex, 8*len(s.limb))
	}
	s.set(v)
	return nil
}

// Histogram counts numbers in bins of a quarter of an octave, fine enough for a
// picture and the same wherever the numbers come from. Bin b >= 0 holds the
// numbers from Bound(b) up to Bound(b+1), bin -1-b the negative ones of the same
// magnitudes.
type Histogram struct {
	Zero   int   `json:"zero"`             // exact zeros
	First  int   `json:"first,omitempty"`  // number of the first bin in Counts
	Counts []int `json:"counts,omitempty"` // neither the first nor the last is 0
}

// histogramBins is the number of bins on each side of 0.
const histogramBins = 255 << 2

// Bound is the smallest number of bin b >= 0.
func Bound(b int) float64 { return float64(math.Float32frombits(uint32(b) << 21)) }

// Add counts a finite number.
func (h *Histogram) Add(v float32) {
	if v == 0 {
		h.Zero++
		return
	}
	b := int(math.Float32bits(v) & (1<<31 - 1) >> 21)
	if v < 0 {
		b = -1 - b
	}
	h.add(b, 1)
}

func (h *Histogram) add(b, n int) {
	switch {
	case len(h.Counts) == 0:
		h.First, h.Counts = b, make([]int, 1, 8)
	case b < h.First:
		h.Counts = append(make([]int, h.First-b), h.Counts...)
		h.First = b
	case b >= h.First+len(h.Counts):
		h.Counts = append(h.Counts, make([]int, b-h.First-len(h.Counts)+1)...)
	}
	h.Counts[b-h.First] += n
}

// merge adds the counts of o.
func (h *Histogram) merge(o *Histogram) {
	h.Zero += o.Zero
	for i, n := range o.Counts {
		if n > 0 {
			h.add(o.First+i, n)
		}
	}
}
