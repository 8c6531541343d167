package model

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

// windowLayer is a convolution, or one's transpose, with one map.
func windowLayer(up bool, kh, kw, sh, sw, dil int, pads ...int) Layer {
	w := &tensor.Tensor{Shape: []int{1, 1, kh, kw}, Data: make([]float32, kh*kw)}
	if up {
		return &ConvTranspose{Weight: w, Stride: []int{sh, sw}, Dilation: []int{dil, dil}, Pads: pads, Groups: 1}
	}
	return &Conv{Weight: w, Stride: []int{sh, sw}, Dilation: []int{dil, dil}, Pads: pads, Groups: 1}
}

// byTaps is the smallest box with all that a unit depends on, one tap of a kernel after the other.
func (f *Fields) byTaps(at int, unit Box) Box {
	bounds := [2][2]int{}
	for axis, u := range [2]int{unit.Y0, unit.X0} {
		sets := make([]map[int]bool, at+1)
		sets[at] = map[int]bool{u: true}
		for i := at - 1; i >= 0; i-- {
			for k, from := range f.from[i] {
				if sets[from] == nil {
					sets[from] = map[int]bool{}
				}
				for u := range sets[i+1] {
					for _, v := range taps(f.reach[i][k], axis, u) {
						sets[from][v] = true
					}
				}
			}
		}
		if len(sets[0]) == 0 {
			return Box{}
		}
		all := slices.Collect(maps.Keys(sets[0]))
		bounds[axis] = [2]int{slices.Min(all), slices.Max(all) + 1}
	}
	return Box{Y0: bounds[0][0], X0: bounds[1][0], Y1: bounds[0][1], X1: bounds[1][1]}
}

// taps are the inputs of unit u along an axis.
func taps(r reach, axis, u int) (out []int) {
	w := r.window
	k, stride, dil, pad := w.KH, w.StrideY, w.DilY, w.PadTop
	if axis == 1 {
		k, stride, dil, pad = w.KW, w.StrideX, w.DilX, w.PadLeft
	}
	switch r.way {
	case windowed:
		for t := range k {
			out = append(out, u*stride-pad+t*dil)
		}
	case scattered:
		for t := range k {
			if at := u + pad - t*dil; at%stride == 0 {
				out = append(out, at/stride)
			}
		}
	default:
		out = []int{u}
	}
	return out
}

// TestFieldsOfDrawnNetworks: what is known by rows and columns lies between what the taps of kernels reach, and the boxes
// that go through all nodes.
func TestFieldsOfDrawnNetworks(t *testing.T) {
	known, holes, same := 0, 0, 0
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		net := &Network{Name: "drawn", Input: Input{Name: "x", C: 1, H: 40, W: 40}}
		shapes := map[string]Shape{"x": {C: 1, H: 40, W: 40}}
		add := func(l Layer, inputs ...string) string {
			name := fmt.Sprint("n", len(net.Nodes))
			net.Nodes = append(net.Nodes, Node{Name: name, Inputs: inputs, Layer: l})
			shapes[name] = Shape{C: 1, H: 40, W: 40} // what windows see does not depend on it
			return name
		}
		at := "x"
		for range 1 + rng.IntN(6) {
			k, s, p := 1+rng.IntN(4), 1+rng.IntN(3), rng.IntN(2)
			before := at
			at = add(windowLayer(rng.IntN(2) == 0, k, 1+rng.IntN(4), s, 1+rng.IntN(2), 1, p, p, p, p), at)
			if rng.IntN(3) == 0 {
				other := add(windowLayer(false, 3, 3, 1, 1, 1+rng.IntN(2), p, 1, 1, 1), at)
				at = add(&Add{}, at, other)
			}
			if rng.IntN(8) == 0 {
				at = add(&Add{}, at, before)
			}
		}
		f, err := net.Fields(shapes)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range net.Nodes {
			l := f.lines[i+1]
			if !l.known {
				continue
			}
			known++
			var size [2]int
			for range 20 {
				y, x := rng.IntN(200)-100, rng.IntN(200)-100
				got, want := l.box(y, x), f.boxByNodes(i+1, y, x)
				if !got.Empty() && !want.Contains(got) {
					t.Fatalf("seed %d: unit %d,%d of %s sees %v, through the nodes %v", seed, y, x, n.Name, got, want)
				}
				if taps := (Box{Y0: y, X0: x, Y1: y + 1, X1: x + 1}); !got.Contains(f.byTaps(i+1, taps)) {
					t.Fatalf("seed %d: unit %d,%d of %s sees %v, by the taps of kernels %v", seed, y, x, n.Name, got, f.byTaps(i+1, taps))
				}
				if got == want {
					same++
				}
				if got.Empty() {
					holes++
				}
				size = [2]int{max(size[0], got.H()), max(size[1], got.W())}
			}
			if s, _ := f.Size(n.Name); s[0] < size[0] || s[1] < size[1] {
				t.Fatalf("seed %d: the size of %s is %v, a unit sees %v", seed, n.Name, s, size)
			}
		}
	}
	t.Logf("%d nodes known, %d units that see nothing, %d boxes the same through the nodes", known, holes, same)
	if known < 300 || holes < 100 || same < 15*known {
		t.Error("the networks drawn do not try the code")
	}
}

// TestFieldsOfLongNetworks: in networks of ten thousand layers no question goes through all nodes.
func TestFieldsOfLongNetworks(t *testing.T) {
	up, down, same := windowLayer(true, 3, 3, 2, 2, 1, 1, 1, 0, 0), windowLayer(false, 3, 3, 2, 2, 1, 1, 1, 1, 1), windowLayer(true, 3, 3, 1, 1, 1, 1, 1, 1, 1)
	for _, c := range []struct {
		name   string
		layers []Layer
		known  bool
	}{
		{"transposed convolutions", []Layer{same}, true},
		{"up and down", []Layer{up, down}, true},
		{"up", []Layer{up}, false},
	} {
		net := &Network{Name: c.name, Input: Input{Name: "x", C: 1, H: 8, W: 8}}
		shapes := map[string]Shape{"x": {C: 1, H: 8, W: 8}}
		at := "x"
		for i := range 10_000 {
			name := fmt.Sprint("n", i)
			net.Nodes = append(net.Nodes, Node{Name: name, Inputs: []string{at}, Layer: c.layers[i%len(c.layers)]})
			shapes[name], at = Shape{C: 1, H: 8, W: 8}, name
		}
		f, err := net.Fields(shapes)
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		for i := range net.Nodes {
			if !f.lines[i+1].known && !f.whole[i+1] {
				steps += (i + 1) * (f.period[i+1] + 2)
			}
		}
		if c.known && (steps > 0 || f.whole[10_000]) || steps > maxFieldWork {
			t.Errorf("%s: the sizes of all fields take %d steps through nodes, the last sees everything: %v", c.name, steps, f.whole[10_000])
		}
		if size, _ := f.Size(at); c.known && size[0] < 10_000 {
			t.Errorf("%s: the last unit sees %v", c.name, size)
		}
	}
}
