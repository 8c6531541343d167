package cmdline

import "testing"

func TestRate(t *testing.T) {
	for x, want := range map[float64]string{15816.4: "15816", 999.6: "1000", 99.96: "100", 12.345: "12.3", 0.04567: "0.0457"} {
		if got := rate(x); got != want {
			t.Errorf("%v: got %s, want %s", x, got, want)
		}
	}
}
