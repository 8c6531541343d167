package model

import (
	"github.com/deconvnet/viz/internal/kernel"
)

// Engine owns the workers and the scratch memory that passes run on. It is safe
// for concurrent use; results do not depend on its number of workers.
type Engine struct{ k *kernel.Engine }

// NewEngine starts an engine with the given number of workers, 0 for one per
// processor. Close it when done.
func NewEngine(workers int) *Engine { return &Engine{kernel.New(workers)} }

// Close stops the workers.
func (e *Engine) Close() { e.k.Close() }

// Workers is the number of workers.
func (e *Engine) Workers() int { return e.k.Workers() }

// For calls f for 0 to n-1 on the workers and waits for all of them.
func (e *Engine) For(n int, f func(i int)) { e.k.For(n, f) }

// Kernels is what viz's own packages compute on; it is of no use to others.
func (e *Engine) Kernels() any { return e.k }
