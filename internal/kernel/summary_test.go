package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Summaries are those of plain loops, for every length of a plane; a NaN anywhere
// shows in the sum.
func TestSummarize(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		e := New(2)
		defer e.Close()
		for area := 1; area < 150; area++ {
			const planes = 5
			x := randSlice(r, planes*area)
			got := make([]Summary, planes)
			e.Summarize(got, x, area)
			for p, s := range got {
				best, sum, squares, mag, positive := math.Inf(-1), 0.0, 0.0, 0.0, 0
				for _, v := range x[p*area : (p+1)*area] {
					best, sum, squares, mag = max(best, float64(v)), sum+float64(v), squares+float64(v)*float64(v), mag+math.Abs(float64(v))
					if v > 0 {
						positive++
					}
				}
				if float64(s.Max) != best || s.Positive != positive || !close32(s.Sum, sum, mag) || !close32(s.Squares, squares, squares) {
					t.Fatalf("area %d: %+v, want max %g, sum %g, squares %g, %d positive", area, s, best, sum, squares, positive)
				}
			}
			x[r.IntN(area)] = float32(math.NaN())
			if e.Summarize(got, x, area); got[0].Sum == got[0].Sum {
				t.Fatalf("area %d: a NaN does not show", area)
			}
		}
	})
}
