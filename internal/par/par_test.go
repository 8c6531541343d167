package par

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestForCallsEachIndexOnce(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 3, 8} {
		p := New(workers)
		for n := range 70 {
			count := make([]atomic.Int32, n)
			busy := make([]atomic.Bool, p.Workers())
			p.For(n, func(i, w int) {
				if busy[w].Swap(true) {
					t.Errorf("worker %d overlaps itself", w)
				}
				count[i].Add(1)
				busy[w].Store(false)
			})
			for i := range count {
				if c := count[i].Load(); c != 1 {
					t.Fatalf("workers=%d n=%d: index %d ran %d times", workers, n, i, c)
				}
			}
		}
		p.Close()
		p.Close()
		ran := 0
		p.For(3, func(i, w int) { ran++ })
		if ran != 3 {
			t.Errorf("closed pool ran %d of 3", ran)
		}
	}
}

func TestNilPool(t *testing.T) {
	var p *Pool
	sum := 0
	p.For(5, func(i, w int) { sum += i + w })
	if sum != 10 || p.Workers() != 1 {
		t.Errorf("sum %d, workers %d", sum, p.Workers())
	}
	p.Close()
}

func TestHelpersWakeAfterParking(t *testing.T) {
	p := New(2)
	defer p.Close()
	for range 20 {
		time.Sleep(3 * spinTime)
		// Both indices must be in flight at once, so the helper must come.
		var both sync.WaitGroup
		both.Add(2)
		p.For(2, func(i, w int) { both.Done(); both.Wait() })
	}
}

func TestConcurrentAndNested(t *testing.T) {
	p := New(4)
	defer p.Close()
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 100 {
				p.For(7, func(i, w int) {
					p.For(5, func(j, w int) { total.Add(1) })
				})
			}
		})
	}
	wg.Wait()
	if got := total.Load(); got != 6*100*7*5 {
		t.Errorf("ran %d, want %d", got, 6*100*7*5)
	}
}

func TestPanicReachesCaller(t *testing.T) {
	p := New(3)
	defer p.Close()
	for bad := range 20 {
		func() {
			defer func() {
				if v := recover(); v != bad {
					t.Errorf("recovered %v, want %d", v, bad)
				}
			}()
			p.For(20, func(i, w int) {
				if i == bad {
					panic(i)
				}
			})
		}()
		n := atomic.Int32{}
		p.For(20, func(i, w int) { n.Add(1) })
		if n.Load() != 20 {
			t.Fatalf("pool broken after a panic: %d of 20", n.Load())
		}
	}
}

func TestAbandonedPoolStops(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		New(4).For(8, func(i, w int) {})
	}
	for range 2000 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
		if runtime.NumGoroutine() <= before {
			return
		}
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func BenchmarkFor(b *testing.B) {
	p := New(0)
	defer p.Close()
	f := func(i, w int) {}
	b.ReportAllocs()
	for b.Loop() {
		p.For(p.Workers(), f)
	}
}
