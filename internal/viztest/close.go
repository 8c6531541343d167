package viztest

import (
	"fmt"
	"math"
	"testing"
)

// AllClose fails the test unless max|got-want| <= tol * max|want|, and reports
// the worst element. If want is all 0, got must be so too. NaN is never close.
func AllClose(t testing.TB, got, want []float32, tol float64) {
	t.Helper()
	if err := Close(got, want, tol); err != nil {
		t.Error(err)
	}
}

// Close is AllClose as an error.
func Close(got, want []float32, tol float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d values, want %d", len(got), len(want))
	}
	var largest, worst float64
	at := -1
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) && got[i] != want[i] {
			d = math.Inf(1)
		}
		if got[i] != want[i] && d > worst {
			worst, at = d, i
		}
	}
	if at >= 0 && !(worst <= tol*largest && !math.IsInf(worst, 1)) {
		return fmt.Errorf("element %d of %d is %g, want %g: off by %.3g of the largest, %g; tolerance %g",
			at, len(want), got[at], want[at], worst/largest, largest, tol)
	}
	return nil
}
