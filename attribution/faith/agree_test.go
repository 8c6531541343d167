package faith

import (
	"math"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

func TestCells(t *testing.T) {
	m := []float32{ // 3x5
		1, 2, 3, 4, 5,
		6, 7, 8, 9, 10,
		11, 12, 13, 14, 15}
	// Rows 0 and 1-2; columns 0-1 and 2-4.
	if got, want := Cells(m, 3, 5, 2, 2), []float32{1.5, 4, 9, 11.5}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Cells(m, 3, 5, 3, 5); !slices.Equal(got, m) {
		t.Errorf("one cell a pixel: %v", got)
	}
}

func TestOverlap(t *testing.T) {
	a := Top([]float32{5, 1, 5, 2, 5, 9}, 0.5)
	if want := []bool{true, false, true, false, false, true}; !slices.Equal(a, want) {
		t.Errorf("%v, want %v: of equal values the first", a, want)
	}
	b := Top([]float32{0, 0, 7, 0, 8, 9}, 0.5)
	if got := Overlap(a, b); got != 0.5 { // 2 of 4
		t.Errorf("overlap %v, want 0.5", got)
	}
	if Overlap(a, a) != 1 || Overlap(a, []bool{false, true, false, true, true, false}) != 0 {
		t.Error("overlap with itself and with the rest: want 1 and 0")
	}
	if one := Top(make([]float32, 4), 0.01); !slices.Equal(one, []bool{true, false, false, false}) {
		t.Errorf("at least one place: %v", one)
	}
	// By chance: what the comment says.
	var sum float64
	const n, share, draws = 400, 0.2, 200
	for i := range draws {
		mark := func(seed uint64) []bool {
			out := make([]bool, n)
			for _, at := range Subsets(seed, n, n*share, 1)[0] {
				out[at] = true
			}
			return out
		}
		sum += Overlap(mark(uint64(2*i)), mark(uint64(2*i+1)))
	}
	if got, want := sum/draws, share/(2-share); math.Abs(got-want) > 0.01 {
		t.Errorf("by chance %.3f, want %.3f", got, want)
	}
}

func TestMoved(t *testing.T) {
	m := []float32{1, 2, 3, 4, 5, 6} // 2x3
	if got, want := Moved(m, 2, 3, 1, 1), []float32{6, 4, 5, 3, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestCurves: several at once are those of each alone.
func TestCurves(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	probe, err := NewProbe(engine, net, model.Target{Class: 2})
	if err != nil {
		t.Fatal(err)
	}
	from, to := make([]float32, 3*32*32), make([]float32, 3*32*32)
	for i := range from {
		from[i] = float32(i%23) / 23
	}
	orders := [][]int{Subsets(1, 1024, 1024, 1)[0], Subsets(2, 1024, 1024, 1)[0]}
	for _, steps := range []int{1, 5} {
		got, err := probe.Curves(t.Context(), from, to, orders, steps)
		if err != nil {
			t.Fatal(err)
		}
		for i, order := range orders {
			want, err := probe.Curve(t.Context(), from, to, order, steps)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got[i], want) {
				t.Errorf("%d steps, order %d: %v, alone %v", steps, i, got[i], want)
			}
		}
	}
	if _, err := probe.Curves(t.Context(), from, to, [][]int{{1}}, 3); err == nil {
		t.Error("no error for an order of one place")
	}
}
