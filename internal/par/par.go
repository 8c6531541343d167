// Package par runs loops over an index range on a fixed set of goroutines.
//
// A Pool is owned by its caller; there is nothing global. Its helpers spin for
// a short while after each loop before they park, because waking a goroutine
// costs about 100 µs and a layer of a small network takes less than that. The
// package knows nothing about what the loops compute. Results do not depend on
// the number of workers as long as each index writes only its own output.
package par

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// spinTime is how long an idle helper watches for the next loop before it
// parks: longer than the serial parts between two layers, short enough to
// leave the core to others soon.
const spinTime = 250 * time.Microsecond

// Pool is a set of workers: the goroutine that calls For and workers-1
// helpers. It is safe for concurrent use. A nil Pool is a pool of one worker.
type Pool struct {
	s *shared
}

// shared is what the helpers hold on to; they never refer to the Pool itself,
// so that an abandoned Pool can be collected and stops its helpers.
type shared struct {
	workers int
	loop    func(n int, inOrder bool, f func(i, worker int)) // of a simulated pool
	spin    bool
	busy    atomic.Bool
	stopped atomic.Bool

	// state is epoch<<16 | open<<15 | number of helpers inside the loop.
	// A helper may touch the fields below only between raising and lowering
	// that number; For returns once the loop is closed and the number is 0.
	state atomic.Uint64
	_     [56]byte
	f     func(i, worker int)
	// inOrder: there is one share, of all indices, that all take from below.
	inOrder bool

	mu       sync.Mutex
	panicked bool
	value    any

	helpers []helper
	shares  []share // by worker

	active atomic.Int32 // workers at a task of a loop of Largest
	idle   atomic.Int32 // workers without one, who take part in loops of others
	boards []board
}

// share is what is left of a worker's part of the loop: hi<<32 | lo. Its owner
// takes indices from below, others, when they have nothing left, from above.
type share struct {
	left atomic.Uint64
	_    [56]byte
}

// takeFirst claims the lowest index.
func (r *share) takeFirst() (int, bool) {
	for {
		v := r.left.Load()
		lo, hi := uint32(v), uint32(v>>32)
		if lo >= hi {
			return 0, false
		}
		if r.left.CompareAndSwap(v, v+1) {
			return int(lo), true
		}
	}
}

// takeLast claims the highest index.
func (r *share) takeLast() (int, bool) {
	for {
		v := r.left.Load()
		lo, hi := uint32(v), uint32(v>>32)
		if lo >= hi {
			return 0, false
		}
		if r.left.CompareAndSwap(v, v-1<<32) {
			return int(hi) - 1, true
		}
	}
}

type helper struct {
	parked atomic.Bool
	wake   chan struct{}
	_      [48]byte
}

const (
	openBit    = 1 << 15
	countMask  = openBit - 1
	epochShift = 16
)

// New returns a pool of the given number of workers; 0 means GOMAXPROCS.
func New(workers int) *Pool {
	procs := runtime.GOMAXPROCS(0)
	if workers <= 0 {
		workers = procs
	}
	workers = min(workers, countMask)
	s := &shared{
		workers: workers,
		// A spinner without a core of its own would starve the others.
		spin:    workers <= procs && procs > 1,
		helpers: make([]helper, workers-1),
		shares:  make([]share, workers),
		boards:  make([]board, workers),
	}
	for i := range s.helpers {
		s.helpers[i].wake = make(chan struct{}, 1)
		go s.help(i)
	}
	p := &Pool{s}
	runtime.AddCleanup(p, (*shared).stop, s)
	return p
}

// Simulated returns a pool that says it has so many workers and leaves every loop
// of more than one index to the caller, also those within loops: loop calls f for every
// index, in the goroutine of For, or if inOrder of Largest. It is for measuring how loops are shared; see Loop.
func Simulated(workers int, loop func(n int, inOrder bool, f func(i, worker int))) *Pool {
	return &Pool{&shared{workers: workers, loop: loop}}
}

// Workers returns the number of workers, 1 for a nil pool.
func (p *Pool) Workers() int {
	if p == nil {
		return 1
	}
	return p.s.workers
}

// Close stops the helpers. Loops that run or start after it finish all the
// same, in their callers.
func (p *Pool) Close() {
	if p != nil {
		p.s.stop()
	}
}

func (s *shared) stop() {
	if s.stopped.Swap(true) {
		return
	}
	for i := range s.helpers {
		s.unpark(i)
	}
}

// For calls f(i, worker) for every i in [0, n), n < 1<<31, each once, and returns
// when all calls have returned. Worker w of k begins with the indices from n*w/k
// on, so that in loops over the same rows or images it meets what it has in its
// cache; idle workers steal. worker is in [0, Workers()); calls with the same worker
// never overlap within one For. If the pool is busy with another loop (also one
// that this call is nested in), the calls run in order in the caller with
// worker 0. A panic in f stops the loop and is raised again in the caller.
func (p *Pool) For(n int, f func(i, worker int)) { p.loop(n, false, f) }

// Largest is For over tasks of known costs that differ: the largest come first, and
// workers take them one by one from one list, so that what they wait for in the end is
// small. It is for tasks of a millisecond and more.
func (p *Pool) Largest(costs []float64, f func(i, worker int)) {
	order := fall(costs)
	p.loop(len(order), true, func(i, worker int) { f(order[i], worker) })
}

func (p *Pool) loop(n int, inOrder bool, f func(i, worker int)) {
	if n <= 0 {
		return
	}
	if p != nil && p.s.loop != nil && n > 1 {
		p.s.loop(n, inOrder, f)
		return
	}
	switch {
	case p == nil || n == 1 || len(p.s.helpers) == 0 || p.s.stopped.Load():
		for i := range n {
			f(i, 0)
		}
	case p.s.busy.CompareAndSwap(false, true):
		p.s.run(n, inOrder, f)
	default:
		p.s.inner(n, inOrder, f)
	}
	runtime.KeepAlive(p)
}

func (s *shared) run(n int, inOrder bool, f func(i, worker int)) {
	s.f, s.inOrder = f, inOrder
	for i := range s.shares {
		lo, hi := n*i/s.workers, n*(i+1)/s.workers
		if inOrder {
			lo, hi = 0, 0
			if i == 0 {
				hi = n
			}
		}
		s.shares[i].left.Store(uint64(hi)<<32 | uint64(lo))
	}
	epoch := s.state.Load()>>epochShift + 1
	s.active.Store(1)
	s.state.Store(epoch<<epochShift | openBit)
	for i := range min(len(s.helpers), n-1) {
		s.unpark(i)
	}
	s.work(0)
	s.finish()
	// Close the loop, then wait for the helpers that entered it.
	for {
		v := s.state.Load()
		if s.state.CompareAndSwap(v, v&^openBit) {
			break
		}
	}
	for spins := 0; s.state.Load()&countMask != 0; spins++ {
		if spins > 1000 {
			runtime.Gosched()
		}
	}
	s.f = nil
	panicked, value := s.panicked, s.value
	s.panicked, s.value = false, nil
	s.busy.Store(false)
	if panicked {
		panic(value)
	}
}

// work claims indices until none is left.
func (s *shared) work(worker int) {
	done := false
	defer func() {
		if done {
			return
		}
		v := recover()
		for i := range s.shares {
			s.shares[i].left.Store(0)
		}
		s.mu.Lock()
		if !s.panicked {
			s.panicked, s.value = true, v
		}
		s.mu.Unlock()
	}()
	own := &s.shares[worker]
	if s.inOrder {
		own = &s.shares[0]
	}
	for i, ok := own.takeFirst(); ok; i, ok = own.takeFirst() {
		s.f(i, worker)
	}
	for k := 1; k < s.workers; k++ {
		r := &s.shares[(worker+k)%s.workers]
		for i, ok := r.takeLast(); ok; i, ok = r.takeLast() {
			s.f(i, worker)
		}
	}
	done = true
}

// finish is what a worker without tasks does until the loop ends. Tasks of loops that are not of Largest are short.
func (s *shared) finish() {
	if s.active.Add(-1); s.inOrder {
		s.assist()
	}
}

func (s *shared) unpark(i int) {
	h := &s.helpers[i]
	if h.parked.Load() && h.parked.CompareAndSwap(true, false) {
		h.wake <- struct{}{}
	}
}

// help is the life of helper i, which is worker i+1.
func (s *shared) help(i int) {
	last := uint64(0)
	for s.wait(i, last) {
		v := s.state.Load()
		last = v >> epochShift
		for v&openBit != 0 && v>>epochShift == last {
			if s.state.CompareAndSwap(v, v+1) {
				s.active.Add(1)
				s.work(i + 1)
				s.finish()
				s.state.Add(^uint64(0))
				break
			}
			v = s.state.Load()
		}
	}
}

// wait returns true when a loop newer than last may be open, false when the
// pool is stopped.
func (s *shared) wait(i int, last uint64) bool {
	ready := func() bool {
		v := s.state.Load()
		return v&openBit != 0 && v>>epochShift != last
	}
	if s.spin {
		start := time.Now()
		for spins := 1; ; spins++ {
			if s.stopped.Load() {
				return false
			}
			if ready() {
				return true
			}
			if spins&255 == 0 {
				if time.Since(start) > spinTime {
					break
				}
			}
		}
	}
	h := &s.helpers[i]
	h.parked.Store(true)
	if (s.stopped.Load() || ready()) && h.parked.CompareAndSwap(true, false) {
		return !s.stopped.Load()
	}
	<-h.wake
	return !s.stopped.Load()
}
