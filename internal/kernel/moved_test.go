package kernel

import (
	"testing"
	"unsafe"
)

// TestMoved: lines are counted once for each worker that reads what another wrote last.
func TestMoved(t *testing.T) {
	s := make([]float32, 200)
	for uintptr(unsafe.Pointer(&s[0]))%cacheLine != 0 {
		s = s[1:]
	}
	m := new(Moved)
	for i, c := range []struct {
		worker int
		write  bool
		s      []float32
		want   int // lines so far
	}{
		{0, false, s[:64], 0}, // nobody wrote them
		{0, true, s[:64], 0},
		{0, false, s[:64], 0},
		{1, false, s[:32], 2},
		{1, false, s[:33], 3}, // a float of the next line
		{2, false, s[63:100], 4},
		{1, true, s[:16], 4},
		{1, false, s[:64], 5},
		{0, false, s[:64], 6},
	} {
		if m.see(c.worker, c.write, c.s); m.Bytes != c.want*cacheLine {
			t.Errorf("%d: %d bytes, want %d lines", i, m.Bytes, c.want)
		}
	}
}

// TestWatch: of convolutions however cut, all of the input is told to be read by eight workers, and all of the output to
// be written; between them, and only then, something goes from one to another. A pool and a sum behind are counted, too.
func TestWatch(t *testing.T) {
	lines := func(m *Moved, s []float32, worker int) (all, by int) {
		for at := uintptr(unsafe.Pointer(&s[0])) / cacheLine; at <= uintptr(unsafe.Pointer(&s[len(s)-1]))/cacheLine; at++ {
			all++
			if page := m.pages[at/64]; page != nil && (worker < 0 && page[at%64].writer > 0 || worker >= 0 && page[at%64].readers&^(1<<worker) != 0) {
				by++
			}
		}
		return all, by
	}
	cases := append(manyCases[:len(manyCases):len(manyCases)], []struct {
		g    Conv
		n, h int
	}{
		{Conv{In: 64, Out: 64, KH: 3, KW: 3, Groups: 64, PadTop: 1, PadLeft: 1}, 1, 40},
		{Conv{In: 256, Out: 256, KH: 3, KW: 3, Groups: 256, PadTop: 1, PadLeft: 1}, 1, 7},
		{Conv{In: 100, Out: 200, KH: 1, KW: 1, Places: 49}, 2, 7},
		{Conv{In: 64, Out: 24, KH: 1, KW: 1}, 1, 40},
		{Conv{In: 32, Out: 32, KH: 3, KW: 3, PadTop: 1, PadLeft: 1}, 8, 56},
	}...)
	forLevels(t, func(t *testing.T) {
		if current() == refLevel {
			t.Skip("the reference tells nothing")
		}
		for _, c := range cases {
			in, out := Full(c.h, c.h), outputs(c.g, c.h)
			f := PackForwardFast(c.g, make([]float32, c.g.norm().weights()))
			src, dst, sum := make([]float32, c.n*c.g.In*in.Area()), make([]float32, c.n*c.g.Out*out.Area()), make([]float32, c.n*c.g.Out*out.Area())
			for _, workers := range []int{1, 8} {
				e, m, loops := New(1), new(Moved), 0
				e.Simulate(workers, func(n int, inOrder bool, f func(i, worker int)) {
					loops++
					for i := range n {
						f(i, i*workers/n)
					}
				})
				e.Watch(m)
				m.see(50, true, src)
				e.ConvForward(f, c.n, dst, out, src, in, Epilogue{})
				before := m.Bytes
				if workers == 1 {
					if all, by := lines(m, src, 50); before > all*cacheLine || by > all {
						t.Errorf("%v: one worker moves %d bytes of %d", c.g, before, all*cacheLine)
					}
					continue
				}
				if all, by := lines(m, src, 50); by != all {
					t.Errorf("%v: %d lines of %d are read", c.g, by, all)
				}
				if all, by := lines(m, dst, -1); by != all {
					t.Errorf("%v: %d lines of %d are written", c.g, by, all)
				}
				e.Add(sum, dst, dst)
				e.ReLU(sum, sum)
				if m.Loops != loops {
					t.Errorf("%v: %d loops of %d are told", c.g, m.Loops, loops)
				}
			}
		}
	})
}
