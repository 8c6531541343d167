package cmdline

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// worked plays work on images of some seconds, whose parts take unequal times and are
// reported by their predicted share, on two workers; slow is how much longer parts take
// from half of the work on. It returns what was said, and how long all took.
func worked(images, parts int, image, start, write, slow float64, r *rand.Rand) (said []string, took float64) {
	e := Estimate{Images: images}
	clock := start
	for i := range images {
		e.Begin(images-i, clock)
		sizes, all := make([]float64, parts), 0.0
		for k := range sizes {
			sizes[k] = 0.5 + r.Float64() // windows at borders are smaller
			all += sizes[k]
		}
		free, done := [2]float64{clock, clock}, 0.0
		for k, size := range sizes {
			w := 0
			if free[1] < free[0] {
				w = 1
			}
			seconds := size / all * 2 * image * (0.9 + 0.2*r.Float64())
			if i*parts+k >= images*parts/2 {
				seconds *= slow
			}
			free[w] += seconds
			done += size / all * 1000
			if text := e.Report(min(int(done), 1000), 1000, free[w]); text != "" {
				said = append(said, text)
			}
		}
		clock = max(free[0], free[1]) + write
	}
	return said, clock
}

// inAll is the time that a text says for all.
func inAll(t *testing.T, text string) float64 {
	t.Helper()
	_, text, _ = strings.Cut(text, ": ")
	if _, after, ok := strings.Cut(text, " an image, "); ok {
		text = strings.TrimSuffix(after, " in all")
	}
	d, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return d.Seconds()
}

// TestEstimate: what is said first is within a quarter of what is taken, start and
// writing included.
func TestEstimate(t *testing.T) {
	for seed := range 60 {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		images, parts := 1+r.IntN(4), 30+r.IntN(90)
		image := 3 * float64(1+r.IntN(20))
		start, write := 3*r.Float64(), 0.1*image*r.Float64()
		said, took := worked(images, parts, image, start, write, 1, r)
		name := fmt.Sprintf("%d images of %g s in %d parts, start %g, writing %g: took %g", images, image, parts, start, write, took)
		if len(said) == 0 {
			t.Fatalf("%s: nothing was said", name)
		}
		if s := inAll(t, said[0]); s < 0.75*took || s > 1.25*took {
			t.Errorf("%s, said %q", name, said[0])
		}
	}
}

// TestEstimateAgain: if the machine slows down, another time is said, which is right.
func TestEstimateAgain(t *testing.T) {
	for _, images := range []int{1, 5} {
		r := rand.New(rand.NewPCG(7, uint64(images)))
		said, took := worked(images, 80, 60, 1, 1, 4, r)
		if len(said) < 2 || !strings.HasPrefix(said[len(said)-1], "estimated time now: ") {
			t.Fatalf("%d images: said %q, took %g", images, said, took)
		}
		if s := inAll(t, said[len(said)-1]); s < 0.7*took || s > 1.3*took {
			t.Errorf("%d images: said %q, took %g", images, said, took)
		}
	}
}

// TestEstimateText: the words, and that what comes before the first report is no part of
// the pace.
func TestEstimateText(t *testing.T) {
	for want, e := range map[string]Estimate{"estimated time: 12s": {Images: 1}, "estimated time: 10s an image, 32s in all": {Images: 3}} {
		e.Begin(e.Images, 2)
		said := ""
		for done := 1; done < 10; done++ {
			said += e.Report(10*done, 100, 4-0.9+0.9*float64(done))
		}
		if said != want {
			t.Errorf("%q, want %q", said, want)
		}
	}
	if s := secondsText(1.52); s != "1.5 s" {
		t.Error(s)
	}
	if s := secondsText(163.8); s != "2m44s" {
		t.Error(s)
	}
}
