package kernel

// laneProduct is a tile of a panel of columns, which follow each other in c, over the
// terms of list: where the values of a, and of b, begin, in bytes.
type laneProduct func(list *int64, n int, a, b, c, bias *float32, flags int)

// SkipZeros lets a direct 1x1 convolution leave out, at each place, the channels that
// are 0 in all lanes, as many are behind a rectifier. Sums keep their order; they may
// differ in the sign of a 0, and where weights are not finite.
func (f *LaneConv) SkipZeros() {
	f.skip = f.ops.tile != nil && f.way == LaneDirect && f.plane == nil && f.g.KH*f.g.KW == 1 && f.g.Groups == 1 && f.g.Out >= 32
}

// laneTerms are the channels of some places that are not 0 in all lanes, for tiles of
// some number of rows and for those of one more.
type laneTerms struct {
	rows  int
	list  [laneChunk][2][]int64
	all   [laneChunk]bool // nearly none is 0: there is no list
	bits  []uint64
	pause int // chunks until zeros are looked for again
}

// find lists the terms of some places, whose kn channels are in src. It reports false if
// it has not looked, because where it did nearly nothing was 0.
func (t *laneTerms) find(f *LaneConv, src []float32, at []laneTile, kn int) bool {
	if t.pause > 0 {
		t.pause--
		return false
	}
	panel := f.lv.panel()
	t.rows = f.g.Out / rowBlocks(f.g.Out, f.lv.rows)
	t.bits = growBits(t.bits, kn*panel/64+1)
	dense := 0
	for i := range at {
		b := src[at[i].b:][:kn*panel]
		some := len(b) / 64 * 64
		if some > 0 {
			f.lv.nonzero(&t.bits[0], &b[0], some)
		}
		if some < len(b) {
			t.bits[some/64] = 0
			for j, v := range b[some:] {
				if v != 0 {
					t.bits[some/64] |= 1 << j
				}
			}
		}
		low, high := t.list[i][0][:0], t.list[i][1][:0]
		mask := uint64(1)<<panel - 1
		for k := range kn {
			if t.bits[k*panel/64]>>(k*panel%64)&mask != 0 {
				low = append(low, int64(4*k*t.rows), int64(4*k*panel))
				high = append(high, int64(4*k*(t.rows+1)), int64(4*k*panel))
			}
		}
		t.list[i] = [2][]int64{low, high}
		if t.all[i] = len(low)/2*8 > kn*7; t.all[i] {
			dense++
		}
	}
	if dense == len(at) {
		t.pause = 7
	}
	return true
}

// product computes a tile of place i, or reports that it has no list.
func (t *laneTerms) product(f *LaneConv, i, rows int, a, b, c, bias *float32, flags int) bool {
	if t.all[i] {
		return false
	}
	list := t.list[i][rows-t.rows]
	var first *int64
	if len(list) > 0 {
		first = &list[0]
	}
	f.ops.tile[rows](first, len(list)/2, a, b, c, bias, flags)
	return true
}

func growBits(b []uint64, n int) []uint64 {
	if cap(b) < n {
		return make([]uint64, n, 2*n)
	}
	return b[:n]
}
