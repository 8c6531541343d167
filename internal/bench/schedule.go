package bench

import (
	"context"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/internal/par"
	"github.com/deconvnet/viz/model"
)

// Schedule times every task of every parallel loop, all on one worker, to tell how many workers would share the
// work. Its engine cuts the work as for Workers workers.
type Schedule struct {
	Workers int
	clock   func() float64
	kernels *kernel.Engine
	layers  []*LayerWork
	at      *LayerWork // the current one, nil before the first
	start   float64    // of what the current layer does outside of loops, since its last loop
	serial  float64    // outside of loops, in this run
	loop    int        // of the layer, in this run
	busy    bool       // in a loop
	task    *taskParts // the current one of a loop of Largest, or nil
	layered bool       // layers are told
	moved   *kernel.Moved
	before  kernel.Moved // of the layers before
}

// taskParts are the parts of a task so far.
type taskParts struct {
	list []par.Part
	last float64 // when the last one ended
}

// LayerWork is what a layer, or a whole task, is made of; times in seconds are the least of all runs.
type LayerWork struct {
	Layer  string
	Serial float64 // outside of loops
	Loops  []par.Loop
	Moved  int // bytes that workers read of what others wrote
	Other  int // loops of which that is not known
}

// NewSchedule makes the engine, which was not used yet, one of so many simulated workers. clock is the time in seconds.
func NewSchedule(engine *model.Engine, workers int, clock func() float64) *Schedule {
	s := &Schedule{Workers: workers, clock: clock, kernels: kernel.Of(engine)}
	s.kernels.Simulate(workers, s.run)
	return s
}

// Before is Layer, or nil if nothing is simulated: what model.Keep takes.
func (s *Schedule) Before() func(layer string) {
	if s == nil {
		return nil
	}
	s.layered = true
	return s.Layer
}

// Layer ends the layer before and begins the next.
func (s *Schedule) Layer(name string) {
	s.stop()
	if i := slices.IndexFunc(s.layers, func(l *LayerWork) bool { return l.Layer == name }); i >= 0 {
		s.at = s.layers[i]
	} else {
		s.at = &LayerWork{Layer: name, Serial: math.Inf(1)}
		s.layers = append(s.layers, s.at)
	}
	s.loop, s.serial, s.start = 0, 0, s.clock()
}

// stop ends the current layer.
func (s *Schedule) stop() {
	if s.at != nil {
		if m := s.moved; m != nil {
			s.at.Moved, s.at.Other = m.Bytes-s.before.Bytes, s.loop-m.Loops+s.before.Loops
			s.before = *m
		}
		s.at.Serial = min(s.at.Serial, s.serial+s.clock()-s.start)
		s.at = nil
	}
}

// run runs a loop and keeps the least time of each of its tasks, with their parts.
func (s *Schedule) run(n int, inOrder bool, f func(i, worker int)) {
	l := s.at
	switch {
	case l == nil:
		for i := range n {
			f(i, i*s.Workers/n)
		}
		return
	case s.busy:
		s.inner(n, inOrder, f)
		return
	}
	s.busy = true
	defer func() { s.busy, s.task = false, nil }()
	s.serial += s.clock() - s.start
	if s.loop == len(l.Loops) {
		l.Loops = append(l.Loops, par.Loop{})
	}
	loop := &l.Loops[s.loop]
	if len(loop.Tasks) != n { // the first run, or a part of the batch of another size
		*loop = par.Loop{Tasks: slices.Repeat([]float64{math.Inf(1)}, n), InOrder: inOrder}
		if inOrder {
			loop.Parts = make([][]par.Part, n)
		}
	}
	for i := range n {
		start := s.clock()
		if inOrder {
			s.task = &taskParts{last: start}
		}
		f(i, i*s.Workers/n)
		if time := s.clock() - start; time < loop.Tasks[i] {
			if loop.Tasks[i] = time; inOrder {
				loop.Parts[i] = s.task.list
			}
		}
	}
	s.loop++
	s.start = s.clock()
}

// inner runs a loop within a task, of which it is a part if workers without tasks would share it.
func (s *Schedule) inner(n int, large bool, f func(i, worker int)) {
	t := s.task
	if t == nil || large {
		for i := range n {
			f(i, 0)
		}
		return
	}
	s.task = nil // what is inside of it is not shared
	p := par.Part{Tasks: make([]float64, n)}
	start := s.clock()
	p.Before = start - t.last
	for i := range n {
		f(i, 0)
		now := s.clock()
		p.Tasks[i], start = now-start, now
	}
	t.list, t.last, s.task = append(t.list, p), start, t
}

// Measure runs the task so often and returns its layers in order, or the task as one layer where it does not tell
// them. Before, it runs once more to count what goes from worker to worker in layers.
func (s *Schedule) Measure(ctx context.Context, t *Task, runs int) ([]*LayerWork, error) {
	for run := range runs + 1 {
		if s.moved = nil; run == 0 && s.layered {
			s.moved, s.before = new(kernel.Moved), kernel.Moved{}
		}
		s.kernels.Watch(s.moved)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.Layer(t.Name)
		if _, err := t.Run(); err != nil {
			return nil, err
		}
		s.stop()
	}
	out := s.layers
	s.layers = nil
	return out, nil
}

// Share is how workers would share a layer, or all of a task. Times are in seconds.
type Share struct {
	Task    string  `json:"task"`
	Model   string  `json:"model"`
	Layer   string  `json:"layer"`
	Workers int     `json:"workers"`
	Loops   int     `json:"loops"`
	Tasks   int     `json:"tasks"`
	Work    float64 `json:"work_s"`         // on one worker
	Serial  float64 `json:"serial_s"`       // of it, outside of loops
	Longest float64 `json:"longest_task_s"` // in a loop
	Span    float64 `json:"span_s"`         // on the workers; waking them is not counted
	Mixed   float64 `json:"mixed_s"`        // if half of the workers have half the speed
	// Ratio and MixedRatio are these times to what they were if nobody ever waited.
	Ratio      float64 `json:"ratio"`
	MixedRatio float64 `json:"mixed_ratio"`
	// Moved is the bytes that workers read of what others wrote, if each does the tasks that it begins with, and Other
	// the loops of which that is not known. For layers only.
	Moved int `json:"moved_bytes"`
	Other int `json:"uncounted_loops"`
	// Of all: the scratch memory of the kernels in bytes, of the worker that has most and of all together.
	WorkerBytes int `json:"worker_bytes,omitempty"`
	SharedBytes int `json:"shared_bytes,omitempty"`
	// Of a forward pass: what these are at most, whoever does which task.
	WorkerBound int `json:"worker_bound,omitempty"`
	SharedBound int `json:"shared_bound,omitempty"`
}

// Shares says how the workers would share each layer, and last all of them.
func (s *Schedule) Shares(t *Task, net string, layers []*LayerWork) []Share {
	out := shares(t.Name, net, layers, s.Workers)
	all := &out[len(out)-1]
	each, shared := s.kernels.Scratch()
	all.WorkerBytes, all.SharedBytes = slices.Max(each), shared
	if t.Bound != nil {
		all.WorkerBound, all.SharedBound = t.Bound()
	}
	return out
}

func shares(task, net string, layers []*LayerWork, workers int) []Share {
	equal, mixed := slices.Repeat([]float64{1}, workers), slices.Repeat([]float64{1}, workers)
	fast := float64(workers)
	for i := (workers + 1) / 2; i < workers; i++ {
		mixed[i] = 0.5
		fast -= 0.5
	}
	all := Share{Task: task, Model: net, Layer: "all", Workers: workers}
	var out []Share
	for _, l := range layers {
		s := Share{Task: task, Model: net, Layer: l.Layer, Workers: workers, Loops: len(l.Loops), Work: l.Serial, Serial: l.Serial, Span: l.Serial, Mixed: l.Serial,
			Moved: l.Moved, Other: l.Other}
		for _, loop := range l.Loops {
			s.Tasks += len(loop.Tasks)
			for _, t := range loop.Tasks {
				s.Work += t
			}
			s.Longest = max(s.Longest, slices.Max(loop.Tasks))
			s.Span += loop.Span(equal)
			s.Mixed += loop.Span(mixed)
		}
		out = append(out, s)
		all.Moved, all.Other = all.Moved+s.Moved, all.Other+s.Other
		all.Loops, all.Tasks, all.Longest = all.Loops+s.Loops, all.Tasks+s.Tasks, max(all.Longest, s.Longest)
		all.Work, all.Serial, all.Span, all.Mixed = all.Work+s.Work, all.Serial+s.Serial, all.Span+s.Span, all.Mixed+s.Mixed
	}
	out = append(out, all)
	for i := range out {
		s := &out[i]
		s.Ratio, s.MixedRatio = s.Span*float64(workers)/s.Work, s.Mixed*fast/s.Work
	}
	return out
}
