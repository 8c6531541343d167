package par

import (
	"cmp"
	"slices"
)

// Loop is what a loop is made of: the time of each task, in the order in which a
// worker would have them, and whether it is one of Largest. Parts, if not nil, are those
// of each task.
type Loop struct {
	Tasks   []float64
	InOrder bool
	Parts   [][]Part
}

// Span is how long the loop would take on workers of these speeds (1 is the speed at
// which the tasks were timed), shared as For and Largest do: in order, or every worker
// begins with its own part from below and then steals from the parts of the next ones
// from above. Starting and waking workers is not counted.
func (l Loop) Span(speeds []float64) float64 {
	if l.Parts != nil {
		return l.assistedSpan(speeds)
	}
	end := 0.0
	free := make([]float64, len(speeds)) // when a worker asks for its next task
	l.share(speeds, free, func(task, worker int) { end = max(end, free[worker]) })
	return end
}

// share hands out the tasks by the rule and calls took after each.
func (l Loop) share(speeds, free []float64, took func(task, worker int)) {
	n, k := len(l.Tasks), len(speeds)
	lo, hi := make([]int, k), make([]int, k)
	for w := range k {
		lo[w], hi[w] = n*w/k, n*(w+1)/k
	}
	take := func(w, next int) int {
		if l.InOrder {
			return next
		}
		if lo[w] < hi[w] {
			lo[w]++
			return lo[w] - 1
		}
		for lo[w] == hi[w] {
			w = (w + 1) % k
		}
		hi[w]--
		return hi[w]
	}
	for next := range n {
		w := 0
		for v := range free {
			if free[v] < free[w] {
				w = v
			}
		}
		i := take(w, next)
		free[w] += l.Tasks[i] / speeds[w]
		took(i, w)
	}
}

// fall lists tasks, the largest first, equals in their order.
func fall(costs []float64) []int {
	order := make([]int, len(costs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(costs[b], costs[a]) })
	return order
}

// Aside says how many of the tasks, whose costs fall, are best run side by side, the
// others one after another with all workers on each, which then takes waste times its
// even share. None are run side by side by one worker.
func Aside(costs []float64, workers int, waste float64) int {
	if workers == 1 {
		return 0
	}
	even, free := slices.Repeat([]float64{1}, workers), make([]float64, workers)
	rest := 0.0
	for _, c := range costs {
		rest += c
	}
	best, count, end, n := rest*waste/float64(workers), 0, 0.0, 0
	Loop{Tasks: costs, InOrder: true}.share(even, free, func(task, w int) {
		rest -= costs[task]
		end = max(end, free[w])
		n++
		if t := end + max(rest, 0)*waste/float64(workers); t < best || t == best && n > 1 {
			best, count = t, n
		}
	})
	if count == 1 {
		return 0
	}
	return count
}
