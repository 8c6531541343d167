package kernel

import "unsafe"

// cacheLine is the number of bytes that go from one worker to another at least.
const cacheLine = 64

// Moved counts the bytes that workers read of what others wrote: lines of a cache, each once for a reader until it is
// written again.
type Moved struct {
	Bytes int
	Loops int // that were counted
	pages map[uintptr]*linePage
}

// linePage is the lines of some memory.
type linePage [64]struct {
	writer int // +1, 0: none
	// readers are those that have read it, a bit each. With more than 64 workers some share a bit, and less is counted.
	readers uint64
}

func (m *Moved) see(worker int, write bool, s []float32) {
	if m.pages == nil {
		m.pages = map[uintptr]*linePage{}
	}
	first := uintptr(unsafe.Pointer(&s[0])) / cacheLine
	last := uintptr(unsafe.Pointer(&s[len(s)-1])) / cacheLine
	var page *linePage
	for at := first; at <= last; at++ {
		if page == nil || at%uintptr(len(page)) == 0 {
			key := at / uintptr(len(page))
			if page = m.pages[key]; page == nil {
				page = new(linePage)
				m.pages[key] = page
			}
		}
		line, bit := &page[at%uintptr(len(page))], uint64(1)<<(worker%64)
		switch {
		case write:
			line.writer, line.readers = worker+1, bit
		case line.writer > 0 && line.writer != worker+1 && line.readers&bit == 0:
			line.readers |= bit
			m.Bytes += cacheLine
		}
	}
}
