package train

import "math/bits"

// Streams of random numbers, so that no two uses share any.
const (
	streamOrder   = uint64(0x6f72646572)
	streamAugment = uint64(0x6175676d)
	streamDropout = uint64(0x64726f70) // plus the layer's index
)

// mix is the finaliser of SplitMix64: a bijection whose output bits all depend
// on all input bits.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// key names a stream at one step; at(i) numbers within it.
func key(seed, stream uint64, step int) uint64 {
	return mix(mix(mix(seed)+stream) + uint64(step))
}

// at returns the i-th random number of the stream.
func at(key uint64, i int) uint64 { return mix(key + uint64(i)*0xd1342543de82ef95) }

// dropout writes the factors of dropout: 0 with probability rate, else
// 1/(1-rate), so that the expected value stays the same [srivastava14].
func dropout(mask []float32, key uint64, rate float64) {
	keep := float32(1 / (1 - rate))
	limit := uint32(rate * (1 << 32))
	if rate <= 0 {
		limit = 0
	}
	// Two factors from each number, without a branch that would be mispredicted.
	factor := [2]float32{0, keep}
	for i := 0; i < len(mask); i += 2 {
		r := at(key, i)
		mask[i] = factor[b2i(uint32(r) >= limit)]
		if i+1 < len(mask) {
			mask[i+1] = factor[b2i(uint32(r>>32) >= limit)]
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// order gives the training images in their order: each epoch a fresh
// permutation, in which every image comes once.
type order struct {
	seed  uint64
	n     int
	epoch int
	perm  []int
}

// image returns the index of the image at a position counted from the start of
// training.
func (o *order) image(position int) int {
	epoch := position / o.n
	if o.perm == nil || epoch != o.epoch {
		o.epoch = epoch
		if len(o.perm) != o.n {
			o.perm = make([]int, o.n)
		}
		for i := range o.perm {
			o.perm[i] = i
		}
		k := key(o.seed, streamOrder, epoch)
		for i := o.n - 1; i > 0; i-- { // Fisher and Yates
			j, _ := bits.Mul64(at(k, i), uint64(i)+1)
			o.perm[i], o.perm[j] = o.perm[j], o.perm[i]
		}
	}
	return o.perm[position%o.n]
}
