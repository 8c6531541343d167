package par

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSpan: small cases by hand, then bounds that every way of sharing without needless waiting keeps.
func TestSpan(t *testing.T) {
	for _, c := range []struct {
		tasks, speeds []float64
		want          float64
	}{
		{nil, []float64{1, 1}, 0},
		{[]float64{1, 2, 3}, []float64{1}, 6},
		{[]float64{1, 2, 3}, []float64{2}, 3},
		{[]float64{1, 1, 1, 1}, []float64{1, 1}, 2},
		{[]float64{5, 1, 1, 1}, []float64{1, 1}, 5}, // the second steals the first's other task
		{[]float64{1, 1, 1, 5}, []float64{1, 1}, 6}, // its long task comes last
		{[]float64{4, 4, 4}, []float64{1, 0.5}, 8},
		{[]float64{7}, []float64{1, 1, 1}, 7},
	} {
		if got := Span(c.tasks, c.speeds); got != c.want {
			t.Errorf("tasks %v on %v: %g, want %g", c.tasks, c.speeds, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		tasks := make([]float64, 1+r.IntN(40))
		sum := 0.0
		for i := range tasks {
			tasks[i] = r.Float64()
			sum += tasks[i]
		}
		k := float64(1 + r.IntN(9))
		got := Span(tasks, slices.Repeat([]float64{1}, int(k)))
		longest := slices.Max(tasks)
		if low, high := max(longest, sum/k), (sum-longest)/k+longest; got < low-1e-9 || got > high+1e-9 {
			t.Fatalf("%d tasks on %g workers: %g, want between %g and %g", len(tasks), k, got, low, high)
		}
	}
}

// TestSimulated: the caller runs every loop but those within loops.
func TestSimulated(t *testing.T) {
	var loops []int
	p := Simulated(5, func(n int, f func(i, worker int)) {
		loops = append(loops, n)
		for i := range n {
			f(i, i%5)
		}
	})
	sum := 0
	p.For(3, func(i, worker int) {
		p.For(2, func(j, worker int) { sum += 10*i + j })
	})
	p.For(1, func(i, worker int) { sum += 100 })
	p.Close()
	if p.Workers() != 5 || sum != 3+60+100 || !slices.Equal(loops, []int{3, 1}) {
		t.Errorf("%d workers, sum %d, loops %v", p.Workers(), sum, loops)
	}
}

// TestOrder: every task once; the largest first make the end even.
func TestOrder(t *testing.T) {
	if got := Order([]float64{1, 5, 2, 4, 3}, 2); !slices.Equal(got, []int{1, 4, 3, 2, 0}) {
		t.Errorf("%v", got)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		costs := make([]float64, r.IntN(60))
		for i := range costs {
			costs[i] = 1 + 2*r.Float64()
		}
		k := 1 + r.IntN(9)
		order := Order(costs, k)
		if sorted := slices.Sorted(slices.Values(order)); len(sorted) != len(costs) || len(sorted) > 0 && (sorted[0] != 0 || sorted[len(sorted)-1] != len(costs)-1 || len(slices.Compact(sorted)) != len(costs)) {
			t.Fatalf("%v is not an order of %d", order, len(costs))
		}
		tasks := make([]float64, len(costs))
		sum := 0.0
		for i, at := range order {
			tasks[i] = costs[at]
			sum += costs[at]
		}
		// No worker ends more than about a small task after the mean.
		if got := Span(tasks, slices.Repeat([]float64{1}, k)); len(costs) >= 4*k && got > 1.12*sum/float64(k) {
			t.Fatalf("%d tasks on %d: %g, mean %g", len(costs), k, got, sum/float64(k))
		}
	}
}
