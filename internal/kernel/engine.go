package kernel

import (
	"sync"

	"github.com/deconvnet/viz/internal/par"
)

// Engine runs the kernels: it owns a pool of workers and the scratch memory,
// which is kept and used again. It is safe for concurrent use; calls that find
// the workers busy run in their caller alone.
type Engine struct {
	pool *par.Pool

	mu    sync.Mutex
	free  [][]float32
	convs []*convJob
	wjobs []*weightJob
	winos []*winogradJob
	loops []*loopJob
}

// New returns an engine with the given number of workers; 0 means GOMAXPROCS.
func New(workers int) *Engine {
	return &Engine{pool: par.New(workers)}
}

// Close stops the workers. The engine can still be used, on one thread.
func (e *Engine) Close() { e.pool.Close() }

// Workers returns the number of workers.
func (e *Engine) Workers() int { return e.pool.Workers() }

// For calls f(i) for every i in [0, n) on the engine's workers.
func (e *Engine) For(n int, f func(i int)) {
	e.pool.For(n, func(i, worker int) { f(i) })
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
		return make([]float32, n+n/8+64)[:n]
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

// loopJob is an elementwise loop cut into chunks. It exists so that a call does
// not allocate a closure: f works on what is stored in the job.
type loopJob struct {
	lv      *level
	n, size int
	f       func(j *loopJob, lo, hi int)
	s       [4][]float32
	k       [7]float32
	run     func(i, worker int)
}

// loop runs f over [0, n) in parallel, in chunks of size. The cut does not
// depend on the number of workers.
func (e *Engine) loop(n, size int, f func(j *loopJob, lo, hi int), k [7]float32, s ...[]float32) {
	e.mu.Lock()
	var j *loopJob
	if last := len(e.loops) - 1; last >= 0 {
		j = e.loops[last]
		e.loops = e.loops[:last]
	}
	e.mu.Unlock()
	if j == nil {
		j = new(loopJob)
		j.run = func(i, worker int) { j.f(j, i*j.size, min((i+1)*j.size, j.n)) }
	}
	j.lv, j.n, j.size, j.f, j.k = current(), n, size, f, k
	copy(j.s[:], s)
	e.pool.For((n+size-1)/size, j.run)
	j.s = [4][]float32{}
	e.mu.Lock()
	e.loops = append(e.loops, j)
	e.mu.Unlock()
}
