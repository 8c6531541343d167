package kernel

import (
	"math/rand/v2"
	"testing"
)

// TestCutProduct: cuts by hand, then that no other cut ends sooner by the same costs.
func TestCutProduct(t *testing.T) {
	for _, c := range []struct {
		s              productShape
		workers        int
		chunks, splits int
	}{
		{productShape{count: 1, panels: 24, most: 8, blocks: 9, rows: 14, read: 16, weights: 1}, 1, 3, 1}, // as coarse as can be
		{productShape{count: 1, panels: 16, most: 8, blocks: 9, rows: 14, read: 16, weights: 1}, 2, 4, 1}, // even, and something to steal
		{productShape{count: 1, panels: 1, most: 8, blocks: 16, rows: 14, read: 16, weights: 1}, 4, 1, 4}, // only rows
		{productShape{count: 4, panels: 2, most: 8, blocks: 4, rows: 14, read: 16, weights: 1}, 4, 1, 1},  // groups are enough
	} {
		if chunks, splits := cutProduct(c.s, c.workers); chunks != c.chunks || splits != c.splits {
			t.Errorf("%+v on %d: %d chunks, %d splits; want %d, %d", c.s, c.workers, chunks, splits, c.chunks, c.splits)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		s := productShape{count: 1 + r.IntN(3), panels: 1 + r.IntN(20), most: 1 + r.IntN(8), blocks: 1 + r.IntN(20), rows: 1 + r.IntN(14), read: r.IntN(20), weights: r.IntN(2)}
		workers := 1 + r.IntN(33)
		cost := func(chunks, splits int) int {
			p, b := (s.panels+chunks-1)/chunks, (s.blocks+splits-1)/splits
			rounds := (s.count*chunks*splits + workers - 1) / workers
			return (2*p*(b*s.rows+s.read) + b*s.rows*s.weights) * (8*rounds + min(workers-1, 1))
		}
		chunks, splits := cutProduct(s, workers)
		if chunks < 1 || chunks > s.panels || splits < 1 || splits > s.blocks || (s.panels+chunks-1)/chunks > s.most {
			t.Fatalf("%+v on %d: %d chunks, %d splits", s, workers, chunks, splits)
		}
		for c := (s.panels + s.most - 1) / s.most; c <= s.panels; c++ {
			for n := 1; n <= s.blocks; n++ {
				if cost(c, n) < cost(chunks, splits) {
					t.Fatalf("%+v on %d: %d chunks, %d splits cost %d; %d, %d cost %d", s, workers, chunks, splits, cost(chunks, splits), c, n, cost(c, n))
				}
			}
		}
	}
}
