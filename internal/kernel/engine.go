package kernel

import "github.com/deconvnet/viz/internal/par"

// Engine runs the kernels: it owns a pool of workers and the scratch memory,
// which is kept and used again. It is safe for concurrent use; calls that find
// the workers busy run in their caller alone.
type Engine struct {
	pool *par.Pool
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

// chunks calls f for consecutive ranges that cover [0, n), in parallel. The cut
// does not depend on the number of workers.
func (e *Engine) chunks(n, size int, f func(lo, hi int)) {
	e.pool.For((n+size-1)/size, func(i, worker int) { f(i*size, min((i+1)*size, n)) })
}
