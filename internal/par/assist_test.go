package par

import (
	"sync/atomic"
	"testing"
	"time"
)

const insideN = 30_000

// inside runs a loop within a task of Largest, which is slow until another worker takes part; f is told whether one did.
func inside(p *Pool, f func(i, worker int, joined bool)) {
	p.Largest([]float64{2, 1}, func(task, _ int) {
		if task > 0 {
			return
		}
		var joined atomic.Bool
		p.For(insideN, func(i, worker int) {
			if worker > 0 {
				joined.Store(true)
			} else if !joined.Load() {
				time.Sleep(time.Millisecond)
			}
			f(i, worker, joined.Load())
		})
		if !joined.Load() {
			panic("nobody took part")
		}
	})
}

// TestAssist: workers without tasks take part in the loops of a task that others are at; each index is run once, and
// calls of one worker do not overlap.
func TestAssist(t *testing.T) {
	for _, workers := range []int{2, 3, 8} {
		p := New(workers)
		for range 4 {
			count, busy := make([]atomic.Int32, insideN), make([]atomic.Bool, workers)
			inside(p, func(i, w int, _ bool) {
				if w > assistants || busy[w].Swap(true) {
					t.Errorf("worker %d overlaps itself", w)
				}
				count[i].Add(1)
				busy[w].Store(false)
			})
			for i := range count {
				if c := count[i].Load(); c != 1 {
					t.Fatalf("%d workers: index %d ran %d times", workers, i, c)
				}
			}
		}
		p.Close()
	}
}

// TestAssistPanics: a panic of one who takes part, or of the task itself, reaches the caller, and the pool works on.
func TestAssistPanics(t *testing.T) {
	p := New(3)
	defer p.Close()
	for _, where := range []string{"assistant", "task"} {
		for range 10 {
			func() {
				defer func() {
					if v := recover(); v != where {
						t.Errorf("recovered %v, want %s", v, where)
					}
				}()
				inside(p, func(i, w int, joined bool) {
					if joined && (w > 0) == (where == "assistant") {
						panic(where)
					}
				})
			}()
		}
	}
	inside(p, func(int, int, bool) {})
}

// TestAssistMany: many loops within many tasks, and from other goroutines.
func TestAssistMany(t *testing.T) {
	p := New(5)
	defer p.Close()
	var total atomic.Int64
	ended := make(chan bool)
	for range 3 {
		go func() {
			for range 40 {
				p.Largest(make([]float64, 7), func(i, w int) {
					for range 5 {
						p.For(9, func(j, w int) {
							p.For(2, func(k, w int) { total.Add(1) })
						})
					}
				})
			}
			ended <- true
		}()
	}
	for range 3 {
		<-ended
	}
	if got := total.Load(); got != 3*40*7*5*9*2 {
		t.Errorf("ran %d, want %d", got, 3*40*7*5*9*2)
	}
}
