package experiments

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/model"
)

// plain are images in memory.
type plain [][]float32

func (p plain) Len() int { return len(p) }
func (p plain) Input(i int, dst []float32) error {
	if p[i] == nil {
		return errors.New("unreadable")
	}
	copy(dst, p[i])
	return nil
}

// Copies are found however bright they are, and nothing else is: as by the
// correlation of all pairs at full size.
func TestCopies(t *testing.T) {
	e := model.NewEngine(2)
	defer e.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		h, w  int
		noise float64 // share of what thumbnails do not show
	}{{28, 28, 0.2}, {33, 21, 0.95}, {12, 12, 0.5}, {1, 40, 0.5}} {
		picture := func() []float32 {
			x := make([]float32, c.h*c.w)
			fy, fx, phase := rng.Float64(), rng.Float64(), 6*rng.Float64()
			for i := range x {
				x[i] = float32(100 + 50*(1-c.noise)*math.Sin(fy*float64(i/c.w)+fx*float64(i%c.w)+phase) + 50*c.noise*rng.NormFloat64())
			}
			return x
		}
		var seen, images plain
		for range 300 { // more than a chunk
			seen = append(seen, picture())
		}
		for range 260 {
			images = append(images, picture())
		}
		flat := make([]float32, c.h*c.w)
		seen[7], images[11] = flat, flat
		change := func(of int, f func(v float32) float32) []float32 {
			x := make([]float32, c.h*c.w)
			for i, v := range seen[of] {
				x[i] = f(v)
			}
			return x
		}
		images[3] = seen[290]
		images[259] = change(5, func(v float32) float32 { return 1.2*v + 30 })
		images[100] = change(6, func(v float32) float32 { return v + 3*float32(rng.NormFloat64()) })
		images[101] = change(8, func(v float32) float32 { return 200 - v }) // the negative is none
		got, err := Copies(context.Background(), e, c.h, c.w, images, seen, 0.95, nil)
		if err != nil {
			t.Fatal(err)
		}
		correlation := func(a, b []float32) float64 {
			var ma, mb, ab, aa, bb float64
			n := float64(len(a))
			for i := range a {
				ma, mb = ma+float64(a[i])/n, mb+float64(b[i])/n
			}
			for i := range a {
				x, y := float64(a[i])-ma, float64(b[i])-mb
				ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
			}
			return ab / math.Sqrt(aa*bb)
		}
		var want []Copy
		for i := range images {
			for j := range seen {
				if r := correlation(images[i], seen[j]); r >= 0.95 {
					want = append(want, Copy{i, j, r})
					break
				}
			}
		}
		if len(want) < 3 {
			t.Fatalf("%+v: only %d copies were made", c, len(want))
		}
		if len(got) != len(want) {
			t.Fatalf("%+v: %d copies, want %d: %v", c, len(got), len(want), got)
		}
		for i, g := range got {
			if g.Image != want[i].Image || g.Of != want[i].Of || math.Abs(g.Correlation-want[i].Correlation) > 1e-5 {
				t.Errorf("%+v: %+v, want %+v", c, g, want[i])
			}
		}
	}
	if _, err := Copies(context.Background(), e, 2, 2, plain{{1, 2, 3, 4}}, plain{nil}, 0.9, nil); err == nil {
		t.Error("no error for an image that cannot be read")
	}
	if _, err := Copies(context.Background(), e, 2, 2, nil, nil, 1.5, nil); err == nil {
		t.Error("no error for a correlation of 1.5")
	}
}

func BenchmarkCopies(b *testing.B) {
	e := model.NewEngine(0)
	defer e.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	var seen, images plain
	for i := range 12000 {
		x := make([]float32, 32*32)
		for p := range x {
			x[p] = float32(rng.Float64()) + float32(p*i%7)
		}
		if i < 2000 {
			images = append(images, x)
		} else {
			seen = append(seen, x)
		}
	}
	for b.Loop() {
		if _, err := Copies(context.Background(), e, 32, 32, images, seen, 0.95, nil); err != nil {
			b.Fatal(err)
		}
	}
}
