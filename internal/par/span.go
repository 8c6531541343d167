package par

import (
	"cmp"
	"slices"
)

// Span is how long a loop would take whose tasks take so long each, on workers of
// these speeds (1 is the speed at which the tasks were timed), shared as For does:
// every worker begins with its own part from below and then steals from the parts
// of the next ones from above. Starting and waking workers is not counted.
func Span(tasks []float64, speeds []float64) float64 {
	n, k := len(tasks), len(speeds)
	lo, hi := make([]int, k), make([]int, k)
	for w := range k {
		lo[w], hi[w] = n*w/k, n*(w+1)/k
	}
	take := func(w int) (int, bool) {
		if lo[w] < hi[w] {
			lo[w]++
			return lo[w] - 1, true
		}
		for i := 1; i < k; i++ {
			if v := (w + i) % k; lo[v] < hi[v] {
				hi[v]--
				return hi[v], true
			}
		}
		return 0, false
	}
	free := make([]float64, k) // when a worker asks for its next task
	end := 0.0
	for range n {
		w := 0
		for v := range free {
			if free[v] < free[w] {
				w = v
			}
		}
		i, ok := take(w)
		if !ok {
			break
		}
		free[w] += tasks[i] / speeds[w]
		end = max(end, free[w])
	}
	return end
}

// Order lists tasks in the order in which For should have them where their costs
// are known and differ: each of so many workers begins with the largest of its
// part, and what is stolen in the end is small.
func Order(costs []float64, workers int) []int {
	n := len(costs)
	largest := make([]int, n)
	for i := range largest {
		largest[i] = i
	}
	slices.SortStableFunc(largest, func(a, b int) int { return cmp.Compare(costs[b], costs[a]) })
	order, filled := make([]int, n), make([]int, workers)
	w := 0
	for _, task := range largest {
		for n*w/workers+filled[w] == n*(w+1)/workers {
			w = (w + 1) % workers
		}
		order[n*w/workers+filled[w]] = task
		filled[w]++
		w = (w + 1) % workers
	}
	return order
}
