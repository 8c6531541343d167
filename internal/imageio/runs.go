package imageio

import (
	"math/bits"
	"slices"
)

// runs compresses bytes in the format deflate (RFC 1951) with repeats of the byte before only, in blocks with Huffman codes of their own.
type runs struct {
	b      []byte
	held   uint64 // bits that are no whole byte yet, the first lowest
	count  uint
	tokens []uint16 // of the block: a byte, or 256 and the length of a repeat less 3
}

// blockTokens is how many tokens have one code.
const blockTokens = 1 << 15

// add compresses a row.
func (r *runs) add(row []byte) {
	for i := 0; i < len(row); {
		v, end := row[i], i+1
		for end < len(row) && row[end] == v {
			end++
		}
		r.tokens = append(r.tokens, uint16(v))
		for n := end - i - 1; n > 0; {
			if n < 3 {
				r.tokens = append(r.tokens, uint16(v))
				n--
				continue
			}
			length := min(n, 258)
			r.tokens = append(r.tokens, uint16(256+length-3))
			n -= length
		}
		i = end
	}
	if len(r.tokens) >= blockTokens {
		r.block(0)
	}
}

// end writes what is left.
func (r *runs) end() {
	r.block(1)
	if r.count > 0 {
		r.b = append(r.b, byte(r.held))
	}
}

// put appends n bits, at most 32.
func (r *runs) put(v uint32, n uint) {
	r.held |= uint64(v) << r.count
	for r.count += n; r.count >= 8; r.count -= 8 {
		r.b = append(r.b, byte(r.held))
		r.held >>= 8
	}
}

// block writes the tokens as a block with codes of its own (3.2.7).
func (r *runs) block(last uint32) {
	var often [286]int
	often[256] = 1 // the end
	for _, t := range r.tokens {
		if t < 256 {
			often[t]++
		} else {
			symbol, _, _ := lengthCode(int(t) - 256 + 3)
			often[symbol]++
		}
	}
	lengths := codeLengths(often[:], 15)
	n := len(lengths)
	for n > 257 && lengths[n-1] == 0 {
		n--
	}
	r.put(last|2<<1, 3)
	r.put(uint32(n-257), 5)
	r.put(0, 5)                                        // one distance, that of the byte before
	r.putLengths(append(slices.Clone(lengths[:n]), 1)) // whose code has one bit
	codes := codesOf(lengths)
	var all [512]code // of each token
	copy(all[:256], codes)
	for length := 3; length <= 258; length++ {
		symbol, extra, n := lengthCode(length)
		c := codes[symbol]
		all[256+length-3] = code{c.bits | uint32(extra)<<c.n, c.n + n + 1}
	}
	for _, t := range r.tokens {
		c := all[t&511]
		r.held |= uint64(c.bits) << r.count
		if r.count += c.n; r.count >= 32 {
			r.b = append(r.b, byte(r.held), byte(r.held>>8), byte(r.held>>16), byte(r.held>>24))
			r.held, r.count = r.held>>32, r.count-32
		}
	}
	r.put(codes[256].bits, codes[256].n)
	r.tokens = r.tokens[:0]
}

// putLengths writes the lengths of codes as codes (3.2.7).
func (r *runs) putLengths(lengths []uint) {
	type item struct {
		symbol   int
		extra, n uint
	}
	var items []item
	var often [19]int
	for i := 0; i < len(lengths); {
		it := item{symbol: int(lengths[i])}
		end := i
		for end < len(lengths) && lengths[end] == 0 && end-i < 138 {
			end++
		}
		switch zeros := uint(end - i); {
		case zeros >= 11:
			it = item{18, zeros - 11, 7}
		case zeros >= 3:
			it = item{17, zeros - 3, 3}
		default:
			end = i + 1
		}
		items = append(items, it)
		often[it.symbol]++
		i = end
	}
	order := [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	own := codeLengths(often[:], 7)
	n := len(order)
	for n > 4 && own[order[n-1]] == 0 {
		n--
	}
	r.put(uint32(n-4), 4)
	for _, s := range order[:n] {
		r.put(uint32(own[s]), 3)
	}
	codes := codesOf(own)
	for _, it := range items {
		r.put(codes[it.symbol].bits, codes[it.symbol].n)
		r.put(uint32(it.extra), it.n)
	}
}

// lengthCode is the symbol of a repeat of 3 to 258 bytes, and the bits that follow it (3.2.5).
func lengthCode(length int) (symbol int, extra, n uint) {
	v := length - 3
	switch {
	case length == 258:
		return 285, 0, 0
	case v < 8:
		return 257 + v, 0, 0
	}
	k := bits.Len(uint(v)) - 3 // bits that follow: the two below the highest choose among four symbols
	return 257 + 4*k + v>>k, uint(v) & (1<<k - 1), uint(k)
}

// A code is some bits, the first lowest.
type code struct {
	bits uint32
	n    uint
}

// codesOf are the codes that follow from their lengths (3.2.2).
func codesOf(lengths []uint) []code {
	var first, of [17]uint32
	for _, n := range lengths {
		if n > 0 {
			of[n]++
		}
	}
	for n := 1; n < 16; n++ {
		first[n+1] = (first[n] + of[n]) << 1
	}
	codes := make([]code, len(lengths))
	for s, n := range lengths {
		if n > 0 {
			codes[s] = code{bits.Reverse32(first[n]) >> (32 - n), n}
			first[n]++
		}
	}
	return codes
}

// codeLengths are the lengths of Huffman's code for symbols that occur so often, at most limit bits. At least two symbols get one.
func codeLengths(often []int, limit uint) []uint {
	often = slices.Clone(often)
	for s := 0; used(often) < 2; s++ {
		often[s] = max(often[s], 1)
	}
	for {
		lengths := huffman(often)
		if slices.Max(lengths) <= limit {
			return lengths
		}
		for s, n := range often { // nearer to each other, and none to zero
			often[s] = (n + 1) / 2
		}
	}
}

func used(often []int) (n int) {
	for _, v := range often {
		if v > 0 {
			n++
		}
	}
	return n
}

// huffman are the lengths without a limit: the two rarest of all trees become one until there is one.
func huffman(often []int) []uint {
	type tree struct{ often, parent int }
	var leaves []int
	for s, n := range often {
		if n > 0 {
			leaves = append(leaves, s)
		}
	}
	slices.SortStableFunc(leaves, func(a, b int) int { return often[a] - often[b] })
	var trees []tree // the leaves, then those made of two, both with the rarest first
	for _, s := range leaves {
		trees = append(trees, tree{often: often[s]})
	}
	leaf, made := 0, len(leaves)
	rarest := func() int {
		if leaf < len(leaves) && (made >= len(trees) || trees[leaf].often <= trees[made].often) {
			leaf++
			return leaf - 1
		}
		made++
		return made - 1
	}
	for range len(leaves) - 1 {
		a, b := rarest(), rarest()
		trees[a].parent, trees[b].parent = len(trees), len(trees)
		trees = append(trees, tree{often: trees[a].often + trees[b].often})
	}
	depth := make([]uint, len(trees))
	lengths := make([]uint, len(often))
	for i := len(trees) - 2; i >= 0; i-- {
		depth[i] = depth[trees[i].parent] + 1
		if i < len(leaves) {
			lengths[leaves[i]] = depth[i]
		}
	}
	return lengths
}
