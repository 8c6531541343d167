package render

import "testing"

// 6*0.1 is more than 0.6; a mark there would have its label cut off.
func TestNiceTicksInside(t *testing.T) {
	for _, hi := range []float64{0.3, 0.6, 0.7, 1, 3} {
		ticks := niceTicks(0, hi, 8)
		if last := ticks[len(ticks)-1].Value; last != hi {
			t.Errorf("0 to %v: the last mark is at %v", hi, last)
		}
	}
}
