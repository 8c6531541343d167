package par

import (
	"runtime"
	"sync"
	"time"
)

// assistants is how many workers at most take part in a loop beside its caller, as each needs memory of its own there.
const assistants = 3

// assistPause is how long a worker that found nothing to take part in sleeps before it looks again.
const assistPause = 100 * time.Microsecond

// board is a loop that is run by a caller who found the workers busy, because it is a task of theirs. Workers that have
// no task left take part in it, so that nobody waits long for the last tasks.
type board struct {
	left share

	mu       sync.Mutex
	taken    bool // by a caller
	open     bool
	f        func(i, worker int)
	joined   int // workers that ever came
	inside   int
	panicked bool
	value    any
}

// inner calls f in order, until there is somebody to take part. Nobody does in large tasks of other loops.
func (s *shared) inner(n int, large bool, f func(i, worker int)) {
	for i := range n {
		if n-i > 1 && !large && s.idle.Load() > 0 {
			if b := s.freeBoard(); b != nil {
				b.run(i, n, f)
				return
			}
		}
		f(i, 0)
	}
}

// freeBoard takes a board, or returns nil.
func (s *shared) freeBoard() *board {
	for i := range s.boards {
		b := &s.boards[i]
		b.mu.Lock()
		free := !b.taken
		b.taken = true
		b.mu.Unlock()
		if free {
			return b
		}
	}
	return nil
}

// run calls f for [lo, hi) as worker 0, together with those who join, and gives the board back.
func (b *board) run(lo, hi int, f func(i, worker int)) {
	b.mu.Lock()
	b.f, b.open, b.joined = f, true, 0
	b.left.left.Store(uint64(hi)<<32 | uint64(lo))
	b.mu.Unlock()
	done := false
	defer func() {
		b.left.left.Store(0)
		b.mu.Lock()
		for b.open = false; b.inside > 0; {
			b.mu.Unlock()
			runtime.Gosched()
			b.mu.Lock()
		}
		panicked, value := b.panicked, b.value
		b.f, b.panicked, b.value, b.taken = nil, false, nil, false
		b.mu.Unlock()
		if done && panicked {
			panic(value)
		}
	}()
	for i, ok := b.left.takeFirst(); ok; i, ok = b.left.takeFirst() {
		f(i, 0)
	}
	done = true
}

// join takes part in the loop until no index is left. It reports whether it did.
func (b *board) join(most int) bool {
	if v := b.left.left.Load(); uint32(v) >= uint32(v>>32) {
		return false
	}
	b.mu.Lock()
	if !b.open || b.joined == most {
		b.mu.Unlock()
		return false
	}
	b.joined++
	b.inside++
	f, id, done := b.f, b.joined, false
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.inside--
		if !done {
			b.left.left.Store(0)
			b.panicked, b.value = true, recover()
		}
	}()
	for i, ok := b.left.takeLast(); ok; i, ok = b.left.takeLast() {
		f(i, id)
	}
	done = true
	return true
}

// assist takes part in the loops of those who are still at a task of the workers' loop, until nobody is.
func (s *shared) assist() {
	s.idle.Add(1)
	defer s.idle.Add(-1)
	most := min(s.workers-1, assistants)
	start := time.Now()
	for spins := 1; s.active.Load() > 0; spins++ {
		for i := range s.boards {
			if s.boards[i].join(most) {
				spins = 0
			}
		}
		switch {
		case spins == 0:
			start = time.Now()
		case !s.spin || spins&255 == 0 && time.Since(start) > spinTime:
			time.Sleep(assistPause)
			spins = 255
		}
	}
}
