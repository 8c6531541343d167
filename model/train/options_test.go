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
