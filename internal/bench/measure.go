package bench

import (
	"context"

	"github.com/deconvnet/viz/model"
)

// Measure times a task until the budget in seconds is spent, at least so many times and at most 200, after one run
// that does not count. clock is the time in seconds.
func (t *Task) Measure(ctx context.Context, least int, budget float64, clock func() float64) (times []float64, checksum float64, err error) {
	if _, err := t.Run(); err != nil {
		return nil, 0, err
	}
	end := clock() + budget
	for len(times) < least || clock() < end && len(times) < 200 {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		start := clock()
		if checksum, err = t.Run(); err != nil {
			return nil, 0, err
		}
		times = append(times, clock()-start)
	}
	return times, checksum, nil
}

// MeasureTrain times training steps, in stretches of so many. The clock, in seconds, is read between reports; the
// first two stretches warm up.
func MeasureTrain(ctx context.Context, engine *model.Engine, least, steps int, clock func() float64) (times []float64, loss float64, err error) {
	last := clock()
	err = Train(ctx, engine, max(least, 10)+2, steps, func(l float64) {
		now := clock()
		times = append(times, (now-last)/float64(steps))
		last, loss = now, l
	})
	if err != nil {
		return nil, 0, err
	}
	return times[2:], loss, nil
}

// Measure times the positions and scales the time to all; the best of some batch sizes counts, and is added to Params.
// clock is the time in seconds.
func (b *BruteForce) Measure(ctx context.Context, clock func() float64) (best, checksum float64, err error) {
	n := len(b.corners)
	for _, batch := range []int{1, 4, 8, 16} {
		spent := 0.0
		checksum, err = b.Run(ctx, batch, func(run func() error) error {
			start := clock()
			err := run()
			spent += clock() - start
			return err
		})
		if err != nil {
			return 0, 0, err
		}
		if s := spent / float64(n) * float64(b.Positions); best == 0 || s < best {
			best = s
			b.Params["batch"] = min(batch, n)
		}
	}
	b.Params["measured"] = n
	return best, checksum, nil
}
