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

// Kernel is the engine as viz's own packages use it.
func (e *Engine) Kernel() *kernel.Engine { return e.k }
