package kernel

// Scratch is the memory in bytes that the engine, which must not be running, has taken for its calls and keeps: what
// each worker works in alone, and what they share.
func (e *Engine) Scratch() (workers []int, shared int) {
	workers = make([]int, e.Workers())
	conv := func(list []convWorker) {
		for i := range list {
			w := &list[i]
			workers[i] += 4*(cap(w.b)+cap(w.c)) + 8*(cap(w.segs)+cap(w.index))
		}
	}
	for _, j := range e.convs.list {
		conv(j.workers)
	}
	for _, j := range e.winograds.list {
		conv(j.read.workers)
		for i, l := range j.locals {
			workers[i] += 4 * (cap(l.base) + cap(l.v) + cap(l.c))
		}
	}
	for _, j := range e.pools.list {
		for i, f := range j.frames {
			workers[i] += 4 * cap(f)
		}
	}
	serial := func(list []*Engine) {
		for i, one := range list {
			own, more := one.Scratch()
			for _, n := range own {
				more += n
			}
			workers[i] += more
		}
	}
	for _, j := range e.bandJobs.list {
		serial(j.serial)
	}
	for _, j := range e.pairJobs.list {
		serial(j.serial)
	}
	for _, f := range e.free {
		shared += 4 * cap(f)
	}
	return workers, shared
}
