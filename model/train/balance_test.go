package train

import (
	"slices"
	"testing"
)

// TestBalance has the weights that scikit-learn's compute_class_weight("balanced") gives for the labels.
func TestBalance(t *testing.T) {
	m := &Memory{Labels: []int{0, 0, 0, 0, 0, 0, 2, 2, 3}}
	if got, want := balance(m, 5), []float64{0.5, 0, 1.5, 3, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUsed(t *testing.T) {
	o, err := Options{Batch: 7, Steps: 3, Seed: 5, EvalTrain: 4}.Resolve(1000)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]bool, 1000)
	l := loader{order: order{seed: 5, n: 1000}}
	for at := 7; at < 21; at++ {
		want[l.order.image(at)] = true
	}
	for i := range 4 {
		want[choice(1000, 4)(i)] = true
	}
	if got := Used(o, 1000, 1); !slices.Equal(got, want) {
		t.Error("other images are used")
	}
	if used := Used(o, 10, 0); slices.Contains(used, false) {
		t.Error("an epoch uses all images")
	}
}
