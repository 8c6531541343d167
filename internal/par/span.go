package par

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
