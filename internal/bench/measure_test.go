package bench

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// TestMeasure: a task runs once for nothing, then until the budget is spent, by a clock that counts its readings.
func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		least  int
		budget float64
		want   int // timed runs: each reads the clock three times, the last reading is of the budget
	}{{3, 0, 3}, {1, 9, 3}, {1, 1e9, 200}, {300, 0, 300}} {
		now, runs := 0.0, 0
		task := &Task{Run: func() (float64, error) { runs++; return float64(runs), nil }}
		times, checksum, err := task.Measure(context.Background(), c.least, c.budget, func() float64 { now++; return now })
		if err != nil || len(times) != c.want || runs != c.want+1 || checksum != float64(runs) || slices.Max(times) != 1 {
			t.Errorf("least %d, budget %g: %d times, %d runs, checksum %g, %v; want %d times", c.least, c.budget, len(times), runs, checksum, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	task := &Task{Run: func() (float64, error) { cancel(); return 0, nil }}
	if _, _, err := task.Measure(ctx, 5, 0, func() float64 { return 0 }); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
