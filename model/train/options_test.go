package train

import "testing"

// Every optimizer and schedule is read by its name, and nothing else is.
func TestParseOptions(t *testing.T) {
	for _, o := range Optimizers() {
		if got, err := ParseOptimizer(string(o)); got != o || err != nil {
			t.Errorf("%s: %v, %v", o, got, err)
		}
	}
	for _, s := range Schedules() {
		if got, err := ParseSchedule(string(s)); got != s || err != nil {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	_, a := ParseOptimizer("Adam")
	_, b := ParseSchedule("")
	if a == nil || b == nil || a.Error() != `optimizer "Adam", want one of sgd, momentum, adam, rmsprop, rmsprop_zero` {
		t.Errorf("%v, %v", a, b)
	}
}

// Memory grows with the batch: it is bounded by the images, and small sets may be seen several times in one.
func TestBatchIsBounded(t *testing.T) {
	for _, tt := range []struct {
		batch, n int
		ok       bool
	}{{100, 3, true}, {1024, 3, true}, {1025, 3, false}, {1025, 1025, true}, {1_000_000, 50_000, false}, {60_000, 60_000, true}} {
		if _, err := (Options{Batch: tt.batch}).Resolve(tt.n); (err == nil) != tt.ok {
			t.Errorf("batches of %d of %d images: %v", tt.batch, tt.n, err)
		}
	}
}
