package kernel

// Taps says how the numbers of a new axis are made from those of an old one: number i is
// the sum over k < Count of Weight[i*Count+k] * row[Index[i*Count+k]], from 0 on in
// that order, each product rounded; at an index of -1 Fill stands for the number. Without Weight all
// weights are 1. One tap is taken as it is.
type Taps struct {
	Count  int
	Index  []int
	Weight []float32 // or nil
	Fill   float32
}

func (t *Taps) check(size int) (to int) {
	if t.Count < 1 || len(t.Index)%t.Count != 0 || t.Weight != nil && len(t.Weight) != len(t.Index) {
		panic("kernel: TapsAxis: wrong number of taps")
	}
	for _, i := range t.Index {
		if i < -1 || i >= size {
			panic("kernel: TapsAxis: a tap outside the axis")
		}
	}
	return len(t.Index) / t.Count
}

// weight returns the weight of tap k.
func (t *Taps) weight(k int) float32 {
	if t.Weight == nil {
		return 1
	}
	return t.Weight[k]
}

// TapsAxis makes a new axis in the place of the axis x.Size of src; dst is
// [Outer][len(Index)/Count][Inner] and must not overlap src. Its bits are the same on
// every level.
func (e *Engine) TapsAxis(x Axis, t *Taps, dst, src []float32) {
	to := t.check(x.Size)
	x.check("TapsAxis", dst, src, x.Outer*to*x.Inner)
	j := e.newLoop()
	j.s[0], j.s[1], j.taps = dst, src, t
	from, pairs := t.doubles()
	j.dim = [6]int{x.Size, x.Inner, to, from, pairs}
	f := tapsRows
	switch {
	case j.lv == refLevel:
		f = refTapsAxis
	case x.Inner == 1:
		f = tapsNumbers
	}
	e.runLoop(j, x.Outer*to, max(1, axisFloats/(x.Inner*t.Count)), f)
}

// doubles finds where an axis becomes twice as long: from a number on, each of so many pairs of numbers has the taps of
// the pair before, one further. There are a multiple of 8 pairs, 0 where an axis becomes longer otherwise.
func (t *Taps) doubles() (from, pairs int) {
	if (t.Count != 1 || t.Weight != nil) && (t.Count != 2 || t.Weight == nil) {
		return 0, 0
	}
	n := len(t.Index) / t.Count
	i := 2
	for i < n && !t.further(i) {
		i++
	}
	from = i - 2
	for i < n && t.further(i) {
		i++
	}
	return from, (i - from) / 2 &^ 7
}

// further reports whether number i has the taps of the one before the last, one further.
func (t *Taps) further(i int) bool {
	for k := i * t.Count; k < (i+1)*t.Count; k++ {
		before := k - 2*t.Count
		if t.Index[before] < 0 || t.Index[k] != t.Index[before]+1 || t.Weight != nil && t.Weight[k] != t.Weight[before] {
			return false
		}
	}
	return true
}

// tapsNumbers makes numbers [lo, hi) where Inner is 1.
func tapsNumbers(j *loopJob, lo, hi int) {
	t, size, to, from, pairs := j.taps, j.dim[0], j.dim[2], j.dim[3], j.dim[4]
	for lo < hi {
		o, first := lo/to, lo%to
		n := min(hi-lo, to-first)
		dst, row := j.s[0][lo:lo+n], j.s[1][o*size:][:size]
		if pairs > 0 && first <= from && from+2*pairs <= first+n {
			t.numbers(dst[:from-first], row, first)
			t.double(j.lv.vector, dst[from-first:], row, from, pairs)
			dst, first = dst[from+2*pairs-first:], from+2*pairs
		}
		t.numbers(dst, row, first)
		lo += n
	}
}

// double makes what doubles found, with the bits of numbers.
func (t *Taps) double(v *vectorOps, dst, row []float32, from, pairs int) {
	at, w := t.Index[from*t.Count:], t.Weight
	if t.Count == 1 {
		v.weave(&dst[0], &row[at[0]], &row[at[1]], pairs)
		return
	}
	w = w[from*t.Count:]
	v.weaveSums(&dst[0], &row[at[0]], &row[at[1]], &row[at[2]], &row[at[3]], pairs, w[0], w[1], w[2], w[3])
}

// numbers makes those from first on, of one row.
func (t *Taps) numbers(dst, row []float32, first int) {
	n := len(dst)
	index := t.Index[first*t.Count:][:n*t.Count]
	var weight []float32
	if t.Weight != nil {
		weight = t.Weight[first*t.Count:][:n*t.Count]
	}
	switch {
	case t.Count == 1 && weight == nil:
		for i, at := range index {
			v := t.Fill
			if at >= 0 {
				v = row[at]
			}
			dst[i] = v
		}
	case t.Count == 1:
		for i, at := range index {
			v := t.Fill
			if at >= 0 {
				v = row[at]
			}
			dst[i] = v * weight[i]
		}
	case t.Count == 2 && weight != nil:
		sumPairs(dst, row, index, weight, t.Fill)
	default:
		sumTaps(dst, row, t.Count, index, weight, t.Fill)
	}
}

// sumPairs makes numbers of two weighted taps each.
func sumPairs(dst, row []float32, index []int, weight []float32, fill float32) {
	index, weight = index[:2*len(dst)], weight[:2*len(dst)]
	for i := range dst {
		a, b := fill, fill
		at := index[2*i : 2*i+2 : 2*i+2]
		if k := at[0]; uint(k) < uint(len(row)) {
			a = row[k]
		}
		if k := at[1]; uint(k) < uint(len(row)) {
			b = row[k]
		}
		w := weight[2*i : 2*i+2 : 2*i+2]
		dst[i] = 0 + float32(a*w[0]) + float32(b*w[1])
	}
}

// sumTaps makes numbers of count taps each.
func sumTaps(dst, row []float32, count int, index []int, weight []float32, fill float32) {
	for i := range dst {
		sum := float32(0)
		for k := i * count; k < (i+1)*count; k++ {
			v := fill
			if at := index[k]; at >= 0 {
				v = row[at]
			}
			if weight != nil {
				v = float32(v * weight[k])
			}
			sum += v
		}
		dst[i] = sum
	}
}

// tapsRows makes rows [lo, hi) of Inner numbers.
func tapsRows(j *loopJob, lo, hi int) {
	t, size, inner, to := j.taps, j.dim[0], j.dim[1], j.dim[2]
	for i := lo; i < hi; i++ {
		dst, src := j.s[0][i*inner:][:inner], j.s[1][i/to*size*inner:][:size*inner]
		first := i % to * t.Count
		if t.Count == 2 && t.Index[first] >= 0 && t.Index[first+1] >= 0 {
			a, b := src[t.Index[first]*inner:][:len(dst)], src[t.Index[first+1]*inner:][:len(dst)]
			j.lv.vector.sumTwo(&dst[0], &a[0], &b[0], inner, 0, t.weight(first), t.weight(first+1))
			continue
		}
		if t.Count > 1 {
			clear(dst)
		}
		for k := first; k < first+t.Count; k++ {
			w := t.weight(k)
			switch at := t.Index[k]; {
			case t.Count > 1 && at < 0:
				for c := range dst {
					dst[c] += float32(t.Fill * w)
				}
			case t.Count > 1:
				row := src[at*inner:][:len(dst)]
				for c := range dst {
					dst[c] += float32(row[c] * w)
				}
			case at < 0:
				for c := range dst {
					dst[c] = t.Fill * w
				}
			case t.Weight == nil:
				copy(dst, src[at*inner:])
			default:
				for c, v := range src[at*inner:][:len(dst)] {
					dst[c] = v * w
				}
			}
		}
	}
}
