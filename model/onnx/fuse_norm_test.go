package onnx_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
)

// layerNorm writes a normalisation along the last axis as exporters do: x to y, with
// names that begin with p, times gamma plus beta.
func layerNormParts(p, x, gamma, beta, y string) []part {
	return []part{
		op("ReduceMean", x, p+"m", ints("axes", -1)), op("Sub", x+" "+p+"m", p+"d"), op("Pow", p+"d two", p+"s"),
		op("ReduceMean", p+"s", p+"v", ints("axes", -1)), op("Add", p+"v eps", p+"e"), op("Sqrt", p+"e", p+"r"),
		op("Div", p+"d "+p+"r", p+"n"), op("Mul", p+"n "+gamma, p+"g"), op("Add", p+"g "+beta, y)}
}

func kindsOf(net *model.Network) string {
	var out []string
	for _, n := range net.Nodes {
		out = append(out, n.Layer.Kind())
	}
	return strings.Join(out, " ")
}

func compare(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", name, len(got), len(want))
	}
	for i, v := range got {
		if math.Abs(float64(v-want[i])) > 2e-6*(1+math.Abs(float64(want[i]))) {
			t.Fatalf("%s: number %d is %v, want %v", name, i, v, want[i])
		}
	}
}

// pattern37 are the numbers of the recorded cases.
func pattern37() []float32 {
	x := make([]float32, 24)
	for i := range x {
		x[i] = float32(float64(i*37%23)/10 - 1)
	}
	return x
}

// sequence is ((i*step) % period)/by - 1.
func sequence(n, step, period int, by float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(float64(i*step%period)/by - 1)
	}
	return x
}

// A block on the channels of each place, between two transpositions, is layers on maps;
// the values are PyTorch's, in float64.
func TestTurnless(t *testing.T) {
	want := []float32{-0.1479625, -0.07151934, -0.1319555, 0.08038906, -0.07151934, -0.1319555, -0.842023, 0.4953974, -0.7870621, 3.308622, 0.4953974,
		-0.7870621, 0.2670842, 1.065159, -4.23629, 0.1682078, 1.065159, -4.23629}
	constants := []part{floats("two", nil, 2), floats("eps", nil, 1e-3), floats("gamma", []int64{4}, 1, .5, -1, 2), floats("beta", []int64{4}, .1, -.2, .3, 0),
		floats("w1", []int64{4, 5}, sequence(20, 29, 17, 8)...), floats("b1", []int64{5}, .5, -.5, .25, 0, 1),
		floats("w2", []int64{5, 3}, sequence(15, 31, 13, 6)...), floats("s", []int64{3}, .1, -1, 2),
		floats("half", nil, .5), floats("one", nil, 1), floats("root", nil, float32(math.Sqrt2))}
	block := slices.Concat([]part{op("Transpose", "x", "t", ints("perm", 0, 2, 3, 1))}, layerNormParts("n", "t", "gamma", "beta", "l"), []part{
		op("MatMul", "l w1", "p"), op("Add", "b1 p", "q"), op("Div", "q root", "ga"), op("Erf", "ga", "gb"), op("Add", "gb one", "gc"), op("Mul", "q gc", "gd"),
		op("Mul", "gd half", "gelu"), op("MatMul", "gelu w2", "u"), op("Mul", "u s", "v"), op("Transpose", "v", "back", ints("perm", 0, 3, 1, 2))})
	for name, c := range map[string]struct {
		more  []part
		kinds string
	}{
		"maps":    {[]part{op("Neg", "back", "y")}, "Normalize Conv Unary Conv BatchNorm Unary"},
		"shared":  {[]part{op("ReduceMax", "l", "top", ints("axes", 1, 2, 3), integer("keepdims", 1)), op("Sub", "top back", "z"), op("Sub", "z top", "y")}, ""},
		"another": {[]part{op("Neg", "t", "tt"), op("ReduceMax", "tt", "top", ints("axes", 1, 2, 3), integer("keepdims", 1)), op("Sub", "top back", "z"), op("Sub", "z top", "y")}, ""},
	} {
		net := load(t, file(13, slices.Concat(constants, block, c.more, []part{input("x", 1, 4, 2, 3), output("y")})...))
		if got := kindsOf(net); c.kinds != "" && got != c.kinds {
			t.Errorf("%s: %s, want %s", name, got, c.kinds)
		} else if c.kinds == "" && !strings.Contains(got, "MatMul") {
			t.Errorf("%s: %s: a value that is read elsewhere is gone", name, got)
		}
		got := eval(t, net, pattern37()...)
		for i := range got {
			got[i] = -got[i]
		}
		compare(t, name, got, want)
	}
}

// An array that is seen as maps of another height and width only by the transposition
// stays an array.
func TestTurnlessShape(t *testing.T) {
	parts := []part{floats("w", []int64{4, 4}, sequence(16, 29, 17, 8)...), longs("flat", 1, 4, 6), longs("maps", 1, 4, 2, 3),
		op("Reshape", "x flat", "a"), op("Relu", "a", "b"), op("Reshape", "b maps", "c"), op("Transpose", "c", "t", ints("perm", 0, 2, 3, 1)),
		op("MatMul", "t w", "m"), op("Transpose", "m", "back", ints("perm", 0, 3, 1, 2)), op("Neg", "back", "y"), input("x", 1, 4, 2, 3), output("y")}
	net := load(t, file(13, parts...))
	got := eval(t, net, pattern37()...)
	x, w := pattern37(), sequence(16, 29, 17, 8)
	for j := range 4 {
		for p := range 6 {
			var want float64
			for c := range 4 {
				want -= max(float64(x[c*6+p]), 0) * float64(w[c*4+j])
			}
			if math.Abs(float64(got[j*6+p])-want) > 1e-5 {
				t.Fatalf("%s: channel %d at %d is %v, want %v", kindsOf(net), j, p, got[j*6+p], want)
			}
		}
	}
}

// Normalisations that exporters take apart are one layer again, unless something else
// reads what lies between.
func TestFuseNorms(t *testing.T) {
	// PyTorch's, in float64.
	rms := []float32{-1.482227, 0.5928909, -0.7411136, 1.334004, 0, -1.334004, 0.7411136, -0.5928909, 1.482227, 0.1482227, -1.185782, 0.8893363,
		-0.42741, 1.56717, 0.28494, -0.99729, 0.99729, -0.28494, 1.70964, 0.42741, -0.85482, 1.13976, -0.14247, -1.4247}
	constants := []part{floats("two", nil, 2), floats("eps", nil, 1e-3), floats("g", []int64{12}, slices.Repeat([]float32{1}, 12)...), floats("b", []int64{12}, make([]float32, 12)...)}
	squares := []part{op("Pow", "x two", "s"), op("ReduceMean", "s", "v", ints("axes", -1)), op("Add", "v eps", "e"), op("Sqrt", "e", "r"), op("Div", "x r", "n")}
	double := []part{op("ReduceMean", "x", "m", ints("axes", -1)), op("Sub", "x m", "d"), op("Sub", "x m", "c"), op("Mul", "c c", "s"),
		op("ReduceMean", "s", "v", ints("axes", -1)), op("Add", "v eps", "e"), op("Sqrt", "e", "r"), op("Div", "d r", "n")}
	for name, c := range map[string]struct {
		graph []part
		kinds string
		want  []float32
	}{
		"layer norm":       {layerNormParts("n", "x", "g", "b", "y"), "Normalize", nil},
		"two differences":  {join(double, op("Mul", "n g", "y")), "Normalize", nil},
		"root mean square": {join(squares, op("Mul", "n g", "y")), "Normalize", rms},
		"shared":           {join(double, op("Mul", "n g", "z"), op("Add", "z d", "w"), op("Sub", "w d", "y")), "", nil},
	} {
		net := load(t, file(13, slices.Concat(constants, c.graph, []part{input("x", 1, 2, 12), output("y")})...))
		if got := kindsOf(net); c.kinds != "" && got != c.kinds || c.kinds == "" && strings.Contains(got, "Normalize") {
			t.Errorf("%s: %s, want %s", name, got, c.kinds)
		}
		got := eval(t, net, pattern37()...)
		if c.want != nil {
			compare(t, name, got, c.want)
			continue
		}
		x := pattern37()
		for row := range 2 {
			var mean, square float64
			for _, v := range x[row*12 : row*12+12] {
				mean += float64(v) / 12
			}
			for _, v := range x[row*12 : row*12+12] {
				square += (float64(v) - mean) * (float64(v) - mean) / 12
			}
			for i := row * 12; i < row*12+12; i++ {
				want := (float64(x[i]) - mean) / math.Sqrt(square+1e-3)
				if math.Abs(float64(got[i])-want) > 3e-6 {
					t.Errorf("%s: number %d is %v, want %v", name, i, got[i], want)
				}
			}
		}
	}
}
