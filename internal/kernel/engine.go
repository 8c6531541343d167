package kernel

import (
	"sync"

	"github.com/deconvnet/viz/internal/pages"
	"github.com/deconvnet/viz/internal/par"
)

// Engine runs the kernels: it owns a pool of workers and the scratch memory,
// which is kept and used again. It is safe for concurrent use; calls that find
// the workers busy run in their caller alone.
type Engine struct {
	pool  *par.Pool
	watch *Moved // or nil

	mu   sync.Mutex
	free [][]float32

	convs     jobs[convJob]
	weights   jobs[weightJob]
	winograds jobs[winogradJob]
	sparses   jobs[sparseJob]

	sparseWeightJobs jobs[sparseWeightJob]
	loops            jobs[loopJob]
	products         jobs[productJob]
	walks            jobs[walkJob]
	pools            jobs[poolJob]
	bandJobs         jobs[bandJob]
	pairJobs         jobs[pairJob]
}

// jobs is a list of jobs to use again: a job holds what its tasks share, so that
// running one allocates nothing.
type jobs[T any] struct {
	mu   sync.Mutex
	list []*T
}

// get returns a job from the list, or nil.
func (l *jobs[T]) get() *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.list) - 1
	if last < 0 {
		return nil
	}
	j := l.list[last]
	l.list = l.list[:last]
	return j
}

func (l *jobs[T]) put(j *T) {
	l.mu.Lock()
	l.list = append(l.list, j)
	l.mu.Unlock()
}

// New returns an engine with the given number of workers; 0 means GOMAXPROCS.
func New(workers int) *Engine {
	return &Engine{pool: par.New(workers)}
}

// Close stops the workers. The engine can still be used, on one thread.
func (e *Engine) Close() { e.pool.Close() }

// Simulate makes the engine, which was not used yet, one of so many workers whose
// loops are run by loop; see par.Simulated.
func (e *Engine) Simulate(workers int, loop func(n int, inOrder bool, f func(i, worker int))) {
	e.pool.Close()
	e.pool = par.Simulated(workers, loop)
}

// Workers returns the number of workers.
func (e *Engine) Workers() int { return e.pool.Workers() }

// For calls f(i) for every i in [0, n) on the engine's workers.
func (e *Engine) For(n int, f func(i int)) {
	e.pool.For(n, func(i, worker int) { f(i) })
}

// Shares is For without a closure of its own, which would be an allocation: f is told the worker, too.
func (e *Engine) Shares(n int, f func(i, worker int)) { e.pool.For(n, f) }

// Largest is For over tasks of these costs, the largest first.
func (e *Engine) Largest(costs []float64, f func(i int)) {
	e.pool.Largest(costs, func(i, worker int) { f(i) })
}

// floats returns scratch memory with undefined contents; give it back with put.
func (e *Engine) floats(n int) []float32 {
	if n == 0 {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	best := -1
	for i, s := range e.free {
		if cap(s) >= n && (best < 0 || cap(s) < cap(e.free[best])) {
			best = i
		}
	}
	if best < 0 {
		// A slice that is too small is replaced, so that the list stays short.
		if len(e.free) > 0 {
			e.free = e.free[:len(e.free)-1]
		}
		return pages.Floats(n + n/8 + 64)[:n]
	}
	s := e.free[best][:n]
	last := len(e.free) - 1
	e.free[best] = e.free[last]
	e.free = e.free[:last]
	return s
}

func (e *Engine) put(s []float32) {
	if cap(s) == 0 {
		return
	}
	e.mu.Lock()
	e.free = append(e.free, s)
	e.mu.Unlock()
}

// loopJob is a loop cut into chunks. It exists so that a call does not allocate a
// closure: f works on what is stored in the job.
type loopJob struct {
	lv      *level
	n, size int
	f       func(j *loopJob, lo, hi int)
	run     func(i, worker int)

	// Arguments, with the meaning that f gives them.
	s       [4][]float32
	ints    []int32
	k       [7]float32
	x       [3]float64
	dim     [6]int
	flag    bool
	whole   int // the slice that all tasks read in whole, 0: none
	clip    *Clip
	taps    *Taps
	pool    Pool
	out, in Box
}

func (e *Engine) newLoop() *loopJob {
	j := e.loops.get()
	if j == nil {
		j = new(loopJob)
		j.run = func(i, worker int) { j.f(j, i*j.size, min((i+1)*j.size, j.n)) }
	}
	j.lv = current()
	return j
}

// runLoop runs f over [0, n) in parallel, in chunks of size, and takes the job
// back. Where sums depend on the size, it must not depend on the number of workers.
func (e *Engine) runLoop(j *loopJob, n, size int, f func(j *loopJob, lo, hi int)) {
	j.n, j.size, j.f = n, size, f
	if e.watch != nil {
		e.show((n+size-1)/size, j.touch)
	}
	e.pool.For((n+size-1)/size, j.run)
	j.whole = 0
	j.s, j.ints, j.clip, j.taps = [4][]float32{}, nil, nil, nil
	e.loops.put(j)
}

// loop is runLoop for slices and scalars.
func (e *Engine) loop(n, size int, f func(j *loopJob, lo, hi int), k [7]float32, s ...[]float32) {
	j := e.newLoop()
	j.k = k
	copy(j.s[:], s)
	e.runLoop(j, n, size, f)
}

// Of returns what a model.Engine computes on. The type is told to nobody outside of
// this module, so that it can change.
func Of(e interface{ Kernels() any }) *Engine { return e.Kernels().(*Engine) }
