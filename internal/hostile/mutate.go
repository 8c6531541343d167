package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
)

// mutator makes inputs from a corpus. Which one has which number depends on nothing else but the seed.
type mutator struct {
	seed    uint64
	corpus  [][]any
	words   [][]byte // that stand in the corpus
	most    int      // bytes of an input
	source  *rand.PCG
	rng     *rand.Rand
	scratch []byte
}

func newMutator(seed uint64, corpus [][]any) *mutator {
	m := &mutator{seed: seed, corpus: corpus, most: 4096, source: rand.NewPCG(0, 0)}
	m.rng = rand.New(m.source)
	known := map[string]bool{}
	for _, input := range corpus {
		for _, v := range input {
			b := text(v)
			m.most = max(m.most, min(2*len(b), largest))
			for _, word := range bytes.FieldsFunc(b, func(c rune) bool {
				return c > '~' || c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' && c != '_' || c > 'z'
			}) {
				if n := len(word); n > 1 && n < 30 && len(m.words) < 2000 && !known[string(word)] {
					known[string(word)] = true
					m.words = append(m.words, word)
				}
			}
		}
	}
	if len(m.words) == 0 {
		m.words = [][]byte{{0, 0}, {255, 255}}
	}
	return m
}

// text is the bytes of a value, if it has some.
func text(v any) []byte {
	switch v := v.(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return nil
}

// input makes input number n.
func (m *mutator) input(n uint64) []any {
	m.source.Seed(m.seed, n)
	base := m.pick()
	input := slices.Clone(base)
	must := m.rng.IntN(len(input)) // the others stay more often than not
	for i, v := range input {
		if i != must && m.rng.IntN(3) > 0 {
			if b, ok := v.([]byte); ok {
				input[i] = bytes.Clone(b)
			}
			continue
		}
		switch v := v.(type) {
		case []byte:
			input[i] = bytes.Clone(m.mutated(i, v))
		case string:
			input[i] = string(m.mutated(i, []byte(v)))
		case uint8:
			input[i] = uint8(m.rng.Uint32())
		case int:
			input[i] = m.number(v)
		default:
			panic(fmt.Sprintf("inputs of type %T are not drawn", v))
		}
	}
	return input
}

// pick is an input of the corpus, more often a short one.
func (m *mutator) pick() []any {
	a, b := m.corpus[m.rng.IntN(len(m.corpus))], m.corpus[m.rng.IntN(len(m.corpus))]
	size := func(input []any) (n int) {
		for _, v := range input {
			n += len(text(v))
		}
		return n
	}
	if m.rng.IntN(2) > 0 && size(b) < size(a) {
		return b
	}
	return a
}

// number is one at the edge of something, near v, or any.
func (m *mutator) number(v int) int {
	switch m.rng.IntN(4) {
	case 0:
		return v + m.rng.IntN(65) - 32
	case 1:
		return int(m.rng.Uint64())
	case 2:
		return m.rng.IntN(300) - 20
	}
	return 1<<m.rng.IntN(64) - m.rng.IntN(3)
}

// mutated changes bytes in one to eight ways. at is the place of the value in an input.
func (m *mutator) mutated(at int, v []byte) []byte {
	m.scratch = append(m.scratch[:0], v...)
	for range 1 + bits.TrailingZeros8(uint8(m.rng.Uint32())|0x80) {
		m.scratch = m.change(at, m.scratch)
		m.scratch = m.scratch[:min(len(m.scratch), m.most)]
	}
	return m.scratch
}

func (m *mutator) change(at int, b []byte) []byte {
	if len(b) == 0 {
		return append(b, m.piece(at)...)
	}
	i := m.rng.IntN(len(b))
	n := m.stretch(len(b) - i)
	switch m.rng.IntN(13) {
	case 0:
		b[i] ^= 1 << m.rng.IntN(8)
	case 1:
		b[i] = byte(m.rng.Uint32())
	case 2:
		b[i] += byte(m.rng.IntN(71) - 35)
	case 3, 4:
		m.overwrite(b[i:], len(b))
	case 5:
		b = slices.Delete(b, i, i+n)
	case 6: // a stretch once more, or many times
		again := bytes.Repeat(b[i:i+n], 1+m.rng.IntN(1<<m.rng.IntN(6)))
		b = slices.Insert(b, m.rng.IntN(len(b)+1), again...)
	case 7:
		copy(b[m.rng.IntN(len(b)):], b[i:i+n])
	case 8:
		b = slices.Insert(b, i, m.piece(at)...)
	case 9:
		copy(b[i:], m.piece(at))
	case 10: // the end of another
		other := text(m.corpus[m.rng.IntN(len(m.corpus))][at])
		b = append(b[:i], other[min(i, m.rng.IntN(len(other)+1)):]...)
	case 11:
		b = m.digits(b, i)
	case 12:
		if m.rng.IntN(4) > 0 {
			b = slices.Insert(b, i, bytes.Repeat([]byte{byte(m.rng.Uint32())}, m.stretch(300))...)
		} else {
			b = b[:i]
		}
	}
	return b
}

// stretch is a length from 1 to most, more often a short one.
func (m *mutator) stretch(most int) int {
	return min(most, 1+m.rng.IntN(1<<m.rng.IntN(bits.Len(uint(most))+1)))
}

// piece is a word of the corpus, or a stretch of an input.
func (m *mutator) piece(at int) []byte {
	other := text(m.corpus[m.rng.IntN(len(m.corpus))][at])
	if m.rng.IntN(2) > 0 || len(other) == 0 {
		return m.words[m.rng.IntN(len(m.words))]
	}
	i := m.rng.IntN(len(other))
	return bytes.Clone(other[i:][:m.stretch(len(other)-i)])
}

// overwrite writes a number at the edge of something, in one of the ways that files write numbers.
func (m *mutator) overwrite(b []byte, length int) {
	v := uint64(m.number(length))
	var text [8]byte
	binary.LittleEndian.PutUint64(text[:], v)
	width := 1 << m.rng.IntN(4)
	if m.rng.IntN(2) > 0 {
		slices.Reverse(text[:width])
	}
	copy(b, text[:width])
}

// digits puts another number in the place of the first digits behind i.
func (m *mutator) digits(b []byte, i int) []byte {
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	for i < len(b) && !digit(b[i]) {
		i++
	}
	end := i
	for end < len(b) && digit(b[end]) {
		end++
	}
	number := strconv.Itoa(m.number(len(b)))
	switch m.rng.IntN(8) {
	case 0:
		number += "e" + strconv.Itoa(m.rng.IntN(700)-350)
	case 1:
		number += "." + number
	}
	return slices.Replace(b, i, end, []byte(number)...)
}
