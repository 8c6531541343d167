package par

import (
	"math/rand/v2"
	"slices"
	"sync"
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
		if got := (Loop{Tasks: c.tasks}).Span(c.speeds); got != c.want {
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
		longest := slices.Max(tasks)
		inOrder := r.IntN(2) == 0
		got := Loop{Tasks: tasks, InOrder: inOrder}.Span(slices.Repeat([]float64{1}, int(k)))
		if low, high := max(longest, sum/k), (sum-longest)/k+longest; got < low-1e-9 || got > high+1e-9 {
			t.Fatalf("%d tasks on %g workers: %g, want between %g and %g", len(tasks), k, got, low, high)
		}
	}
}

// TestSpanOfParts: idle workers take part in the loops of the last tasks, by hand; then bounds, and without loops the
// span of plain tasks.
func TestSpanOfParts(t *testing.T) {
	part := func(before float64, tasks ...float64) Part { return Part{before, tasks} }
	for _, c := range []struct {
		tasks  []float64
		parts  [][]Part
		speeds []float64
		want   float64
	}{
		{[]float64{4}, [][]Part{{part(0, 1, 1, 1, 1)}}, []float64{1, 1}, 2},
		{[]float64{6}, [][]Part{{part(1, 2, 2)}}, []float64{1, 1}, 4}, // 1 alone, 2 together, 1 alone
		{[]float64{4, 2}, [][]Part{{part(0, 1, 1, 1, 1)}, {part(2)}}, []float64{1, 1}, 3},
		{[]float64{4}, [][]Part{{part(0, 1, 1, 1, 1)}}, []float64{1, 0.5}, 3},
		{[]float64{8}, [][]Part{{part(0, 1, 1, 1, 1, 1, 1, 1, 1)}}, slices.Repeat([]float64{1}, 8), 2}, // three beside the caller
	} {
		if got := (Loop{c.tasks, true, c.parts}).Span(c.speeds); got != c.want {
			t.Errorf("tasks %v of %v on %v: %g, want %g", c.tasks, c.parts, c.speeds, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(9, 10))
	for range 100 {
		l := Loop{InOrder: true}
		sum := 0.0
		for range 1 + r.IntN(20) {
			var parts []Part
			all := 0.0
			for range r.IntN(6) {
				p := part(r.Float64() / 10)
				all += p.Before
				for range r.IntN(5) {
					p.Tasks = append(p.Tasks, r.Float64())
					all += p.Tasks[len(p.Tasks)-1]
				}
				parts = append(parts, p)
			}
			sum, l.Tasks, l.Parts = sum+all, append(l.Tasks, all), append(l.Parts, parts)
		}
		speeds := slices.Repeat([]float64{1}, 1+r.IntN(9))
		alone := Loop{Tasks: l.Tasks, InOrder: true}.Span(speeds)
		if got := l.Span(speeds); got < sum/float64(len(speeds))-1e-9 || got > alone+1e-9 {
			t.Fatalf("%v on %d workers: %g, at least %g, %g alone", l, len(speeds), got, sum/float64(len(speeds)), alone)
		}
		l.Parts = make([][]Part, len(l.Tasks))
		if got := l.Span(speeds); got < alone-1e-9 || got > alone+1e-9 {
			t.Fatalf("%v on %d workers: %g, want %g", l, len(speeds), got, alone)
		}
	}
}

// TestSimulated: the caller runs every loop, also those within loops; a loop of one index is none.
func TestSimulated(t *testing.T) {
	var loops []int
	p := Simulated(5, func(n int, inOrder bool, f func(i, worker int)) {
		if inOrder {
			n = -n
		}
		loops = append(loops, n)
		for i := range max(n, -n) {
			f(i, i%5)
		}
	})
	sum := 0
	p.For(3, func(i, worker int) {
		p.For(2, func(j, worker int) { sum += 10*i + j })
	})
	p.For(1, func(i, worker int) {
		p.Largest([]float64{1, 3, 2}, func(j, worker int) { sum = 10*sum + j })
	})
	p.Close()
	if p.Workers() != 5 || sum != 63_120 || !slices.Equal(loops, []int{3, 2, 2, 2, -3}) {
		t.Errorf("%d workers, sum %d, loops %v", p.Workers(), sum, loops)
	}
}

// TestLargest: every task once, the largest first, those of one cost in their order; nobody waits long at the end.
func TestLargest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		costs := make([]float64, r.IntN(60))
		sum := 0.0
		for i := range costs {
			costs[i] = float64(4 + r.IntN(8))
			sum += costs[i]
		}
		k := 1 + r.IntN(9)
		var mu sync.Mutex
		var order []int
		p := New(1)
		p.Largest(costs, func(i, worker int) { order = append(order, i) })
		p.Close()
		tasks := make([]float64, len(costs))
		for i, at := range order {
			tasks[i] = costs[at]
			if i > 0 && (costs[order[i-1]] < costs[at] || costs[order[i-1]] == costs[at] && order[i-1] > at) {
				t.Fatalf("costs %v in order %v", costs, order)
			}
		}
		if got := (Loop{Tasks: tasks, InOrder: true}).Span(slices.Repeat([]float64{1}, k)); len(costs) >= 4*k && got > 1.12*sum/float64(k) {
			t.Fatalf("%d tasks on %d: %g, mean %g", len(costs), k, got, sum/float64(k))
		}
		p = New(k)
		var all []int
		p.Largest(costs, func(i, worker int) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, i)
		})
		p.Close()
		slices.Sort(order)
		slices.Sort(all)
		if !slices.Equal(all, order) || len(slices.Compact(all)) != len(costs) {
			t.Fatalf("%d workers ran %v of %d", k, all, len(costs))
		}
	}
}

// TestAside: as many side by side as fill the workers evenly, by hand.
func TestAside(t *testing.T) {
	for _, c := range []struct {
		costs   []float64
		workers int
		waste   float64
		want    int
	}{
		{[]float64{1, 1, 1, 1}, 1, 1, 0},
		{[]float64{1, 1, 1, 1}, 2, 1.5, 4},
		{[]float64{1, 1, 1, 1, 1}, 4, 1.5, 4}, // the last one shared: 1 + 1.5/4 is less than 2
		{[]float64{1, 1, 1, 1, 1}, 4, 5, 5},   // not if that is slow
		{[]float64{3, 1}, 4, 1.5, 0},          // 4*1.5/4 is less than 3
		{[]float64{5}, 8, 1.5, 0},
		{nil, 3, 1.5, 0},
	} {
		if got := Aside(c.costs, c.workers, c.waste); got != c.want {
			t.Errorf("%v on %d, waste %g: %d, want %d", c.costs, c.workers, c.waste, got, c.want)
		}
	}
}
