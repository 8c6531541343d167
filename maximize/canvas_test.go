package maximize

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// nets are inputs of even and odd sides, grey and colour, in both orders of channels.
func nets() []*model.Network {
	return []*model.Network{
		{Input: model.Input{Name: "x", C: 3, H: 7, W: 6}, Preprocess: model.Preprocess{Scale: 1.0 / 255, Mean: []float32{0.4, 0.5, 0.6}, Std: []float32{0.2, 0.3, 0.25}, DataMean: []float32{60, 120, 200}}},
		{Input: model.Input{Name: "x", C: 3, H: 6, W: 9}, Preprocess: model.Preprocess{Scale: 1, BGR: true, Mean: []float32{104, 117, 123}}},
		{Input: model.Input{Name: "x", C: 1, H: 5, W: 5}, Preprocess: model.Preprocess{Scale: 1.0 / 255, Invert: true, DataMean: []float32{30}}},
		{Input: model.Input{Name: "x", C: 4, H: 4, W: 8}},
	}
}

func ptr[T any](v T) *T { return &v }

// TestGradient holds the gradient over the numbers, through view, units, colours and
// waves, and the penalties, to differences.
func TestGradient(t *testing.T) {
	k := kernel.New(2)
	defer k.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, net := range nets() {
		for _, o := range []Options{{}, {Paint: Pixels}, {PlainColours: true, Jitter: ptr(0), Turn: ptr(40.0), Zoom: ptr(0.5)}} {
			o = o.For(net.Input)
			v := newCanvas(k, net, o)
			view := v.draw(net.Input, o, rng)
			weights := make([]float32, net.Input.Shape().Len()) // the goal is a sum of the view's values
			for i := range weights {
				weights[i] = float32(rng.NormFloat64())
			}
			worth := func(numbers []float32) float64 {
				picture := v.picture(numbers)
				seen := make([]float32, len(weights))
				view.see(v.units(picture), seen)
				sum := -v.penalty(picture, 0.7, 0.9, make([]float64, len(picture)))
				for i, w := range weights {
					sum += float64(w) * float64(seen[i])
				}
				return sum
			}
			numbers := make([]float32, v.size())
			for i := range numbers {
				numbers[i] = float32(rng.NormFloat64())
			}
			picture := v.picture(numbers)
			g := make([]float64, len(picture))
			view.back(weights, g)
			for i := range g {
				c := i / (v.h * v.w)
				g[i] *= v.hi[c] - v.lo[c]
			}
			v.penalty(picture, 0.7, 0.9, g)
			got := v.gradient(picture, g)
			largest := 0.0
			for _, d := range got {
				largest = max(largest, math.Abs(d))
			}
			for i := range numbers {
				const by = 1.0 / 64
				one, two := slices.Clone(numbers), slices.Clone(numbers)
				one[i] += by
				two[i] -= by
				want := (worth(one) - worth(two)) / float64(one[i]-two[i])
				if math.Abs(got[i]-want) > 2e-3*largest {
					t.Errorf("%v, %v, plain %t: gradient %d is %g, differences say %g", net.Input, o.Paint, o.PlainColours, i, got[i], want)
				}
			}
		}
	}
}

// TestWaves holds the transform to a plain sum of waves.
func TestWaves(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, size := range [][2]int{{5, 6}, {6, 7}, {4, 4}, {1, 3}} {
		h, w := size[0], size[1]
		half := w/2 + 1
		spectrum := make([]complex128, h*half)
		for i := range spectrum {
			spectrum[i] = complex(rng.NormFloat64(), rng.NormFloat64())
		}
		want := make([]float64, h*w)
		for i := range want {
			for k, s := range spectrum {
				angle := 2 * math.Pi * (float64(k/half*(i/w))/float64(h) + float64(k%half*(i%w))/float64(w))
				part := real(s)*math.Cos(angle) - imag(s)*math.Sin(angle)
				if x := k % half; x > 0 && 2*x != w {
					part *= 2
				}
				want[i] += part
			}
		}
		got := make([]float64, h*w)
		fromWaves(slices.Clone(spectrum), h, w, got)
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-12*float64(h*w) {
				t.Errorf("%v: value %d is %g, want %g", size, i, got[i], want[i])
			}
		}
	}
}

// TestStill shows the middle of the canvas as it is, and jitter moves it.
func TestStill(t *testing.T) {
	k := kernel.New(1)
	defer k.Close()
	net := nets()[0]
	v := newCanvas(k, net, Options{Jitter: ptr(2)}.For(net.Input))
	planes := make([]float64, v.c*v.h*v.w)
	for i := range planes {
		planes[i] = float64(i)
	}
	still := glimpse{v: v, h: 7, w: 6, cos: 1}
	seen, moved := make([]float32, 3*7*6), make([]float32, 3*7*6)
	still.see(planes, seen)
	if middle := v.middle(planes, net.Input); !slices.Equal(seen, middle) {
		t.Errorf("the view that is not moved is\n%v, the middle\n%v", seen, middle)
	}
	still.dy, still.dx = 1, -2
	still.see(planes, moved)
	if want := seen[2*6+3]; moved[1*6+5] != want {
		t.Errorf("one row up and two columns left is %g, want %g", moved[1*6+5], want)
	}
}

// TestColours knows the order of channels: brightness is in all, and blue's axis is
// strongest in blue.
func TestColours(t *testing.T) {
	k := kernel.New(1)
	defer k.Close()
	for i, blue := range []int{2, 0} {
		v := newCanvas(k, nets()[i], Options{}.For(nets()[i].Input))
		for c := range 3 {
			if v.colours[c][0] <= 0 || (v.colours[c][1] < 0) != (c == blue) {
				t.Errorf("network %d: channel %d is made of %v; blue is channel %d", i, c, v.colours[c], blue)
			}
		}
	}
}

// TestBlur takes away what is fine and keeps the mean, whatever is painted with.
func TestBlur(t *testing.T) {
	k := kernel.New(1)
	defer k.Close()
	net := nets()[1]
	rng := rand.New(rand.NewPCG(5, 6))
	for _, paint := range []Paint{Fourier, Pixels} {
		v := newCanvas(k, net, Options{Paint: paint}.For(net.Input))
		numbers := make([]float32, v.size())
		for i := range numbers {
			numbers[i] = float32(rng.NormFloat64())
		}
		before := v.planes(numbers)
		v.blur(numbers, 1)
		after := v.planes(numbers)
		var one, two, rough, smooth float64
		for i, b := range before {
			one += b
			two += after[i]
			if i%v.w > 0 {
				rough += math.Abs(b - before[i-1])
				smooth += math.Abs(after[i] - after[i-1])
			}
		}
		if math.Abs(one-two) > 1e-4*float64(len(before)) || smooth > rough/2 {
			t.Errorf("%v: the sum goes from %g to %g, differences from %g to %g", paint, one, two, rough, smooth)
		}
	}
}

// TestLikeness holds the gradient of diversity to differences.
func TestLikeness(t *testing.T) {
	k := kernel.New(2)
	defer k.Close()
	rng := rand.New(rand.NewPCG(7, 8))
	const c, plane = 4, 6
	weights := []float64{1, 0.5, 2}
	maps := make([][]float32, 3)
	for i := range maps {
		for range c * plane {
			maps[i] = append(maps[i], float32(rng.NormFloat64()))
		}
	}
	sum := func() float64 {
		mean, _ := likeness(k, maps, c, weights)
		s := 0.0
		for i, m := range mean {
			s += weights[i] * m
		}
		return s
	}
	_, gradient := likeness(k, maps, c, weights)
	for i := range maps {
		for j := range maps[i] {
			const by = 1.0 / 256
			v := maps[i][j]
			maps[i][j] = v + by
			up := sum()
			maps[i][j] = v - by
			want := (up - sum()) / (2 * by)
			maps[i][j] = v
			if math.Abs(float64(gradient[i][j])-want) > 1e-4 {
				t.Errorf("start %d, value %d: %g, differences say %g", i, j, gradient[i][j], want)
			}
		}
	}
	same, _ := likeness(k, [][]float32{maps[0], maps[0]}, c, weights[:2])
	if math.Abs(same[0]-1) > 1e-12 {
		t.Errorf("a picture is like itself by %g, want 1", same[0])
	}
}
