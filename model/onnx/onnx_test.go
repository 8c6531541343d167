package onnx_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// count returns first, first+1, ... n numbers.
func count(first, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(first + i)
	}
	return v
}

// TestOperators runs graphs of one operator (and what it needs) on small inputs
// whose answers can be worked out by hand. Each reads x and makes y.
func TestOperators(t *testing.T) {
	for _, c := range operators() {
		t.Run(c.name, func(t *testing.T) {
			net := load(t, file(c.opset, append(c.graph, input("x", c.in...), output("y"))...))
			got := eval(t, net, count(1, net.Input.Shape().Len())...)
			viztest.AllClose(t, got, c.want, 1e-6)
		})
	}
}

// TestFuse: activations that exporters take apart are one layer again, with the
// last name, unless something else reads what lies between.
func TestFuse(t *testing.T) {
	k := []part{floats("half", nil, .5), floats("one", nil, 1), floats("three", nil, 3), floats("six", nil, 6), floats("zero", nil, 0), floats("root", nil, float32(math.Sqrt2))}
	for name, c := range map[string]struct {
		graph []part
		want  model.UnaryOp
		layer int
	}{
		"gelu":         {[]part{op("Div", "x root", "a"), op("Erf", "a", "b"), op("Add", "b one", "c"), op("Mul", "x c", "d"), op("Mul", "d half", "y")}, "Gelu", 1},
		"half gelu":    {[]part{op("Mul", "x half", "h"), op("Div", "x root", "a"), op("Erf", "a", "b"), op("Add", "one b", "c"), op("Mul", "h c", "y")}, "Gelu", 1},
		"hard swish":   {[]part{op("Add", "x three", "a"), op("Clip", "a zero six", "b"), op("Mul", "x b", "c"), op("Div", "c six", "y")}, "HardSwish", 1},
		"hard swish 2": {[]part{op("Add", "x three", "a"), op("Clip", "a zero six", "b"), op("Div", "b six", "c"), op("Mul", "x c", "y")}, "HardSwish", 1},
		"swish":        {[]part{op("Sigmoid", "x", "a"), op("Mul", "x a", "y")}, "Swish", 1},
		"mish":         {[]part{op("Softplus", "x", "a"), op("Tanh", "a", "b"), op("Mul", "b x", "y")}, "Mish", 1},
		"shared":       {[]part{op("Sigmoid", "x", "a"), op("Mul", "x a", "b"), op("Add", "a b", "y")}, "", 3},
		"another":      {[]part{op("Relu", "x", "r"), op("Sigmoid", "r", "a"), op("Mul", "x a", "y")}, "", 3},
	} {
		for _, dims := range [][]int64{{1, 2, 1, 2}, {1, 4}, {1, 2, 2}} {
			data := file(13, append(append(k, c.graph...), input("x", dims...), output("y"))...)
			net := load(t, data)
			last := net.Nodes[len(net.Nodes)-1]
			u, _ := last.Layer.(*model.Unary)
			if len(net.Nodes) != c.layer || c.want != "" && (u == nil || u.Op != c.want || last.Name != "n:y") {
				t.Errorf("%s of %v: %v", name, dims, net)
			}
			x := []float32{-4, -1, .5, 2}
			got := eval(t, net, x...)
			for i, v := range x {
				v := float64(v)
				var want float64
				switch c.want {
				case "Gelu":
					want = v / 2 * (1 + math.Erf(v/math.Sqrt2))
				case "HardSwish":
					want = v * min(max(v+3, 0), 6) / 6
				case "Swish":
					want = v / (1 + math.Exp(-v))
				case "Mish":
					want = v * math.Tanh(math.Log1p(math.Exp(v)))
				default:
					continue
				}
				if math.Abs(float64(got[i])-want) > 1e-6 {
					t.Errorf("%s of %g: %g, want %g", name, v, got[i], want)
				}
			}
		}
	}
}

// operatorCase is a graph from x to y.
type operatorCase struct {
	name  string
	opset int64
	in    []int64
	graph []part
	want  []float32
}

func operators() []operatorCase {
	one := floats("w", []int64{1, 1, 2, 2}, 1, 1, 1, 1) // sums windows of 2 x 2
	twoMaps := []int64{1, 2, 1, 2}                      // x = 1 2 | 3 4
	square := []int64{1, 1, 3, 3}                       // x = 1..9
	return []operatorCase{
		{"conv", 13, square, []part{one, op("Conv", "x w", "y")}, []float32{12, 16, 24, 28}},
		{"conv bias", 13, square, []part{one, floats("b", []int64{1}, 100), op("Conv", "x w b", "y")}, []float32{112, 116, 124, 128}},
		{"conv same upper", 13, square, []part{one, op("Conv", "x w", "y", str("auto_pad", "SAME_UPPER"))},
			[]float32{12, 16, 9, 24, 28, 15, 15, 17, 9}},
		{"conv same lower", 13, square, []part{one, op("Conv", "x w", "y", str("auto_pad", "SAME_LOWER"))},
			[]float32{1, 3, 5, 5, 12, 16, 11, 24, 28}},
		{"conv same upper, stride 2", 13, square, []part{one, op("Conv", "x w", "y", str("auto_pad", "SAME_UPPER"), ints("strides", 2, 2))},
			[]float32{12, 9, 15, 9}},
		{"conv valid", 13, square, []part{one, op("Conv", "x w", "y", str("auto_pad", "VALID"))}, []float32{12, 16, 24, 28}},
		{"conv dilated", 13, square, []part{one, op("Conv", "x w", "y", ints("dilations", 2, 2))}, []float32{1 + 3 + 7 + 9}},
		{"conv depthwise", 13, twoMaps, []part{floats("w", []int64{2, 1, 1, 1}, 10, 100), op("Conv", "x w", "y", integer("group", 2))},
			[]float32{10, 20, 300, 400}},
		{"conv then bias", 13, twoMaps, []part{floats("w", []int64{1, 2, 1, 1}, 1, 1), floats("b", []int64{1, 1, 1}, 5),
			op("Conv", "x w", "c"), op("Add", "c b", "y")}, []float32{9, 11}},
		{"max pool ceil", 13, square, []part{op("MaxPool", "x", "y", ints("kernel_shape", 2, 2), ints("strides", 2, 2), integer("ceil_mode", 1))},
			[]float32{5, 6, 8, 9}},
		{"max pool dilated", 13, square, []part{op("MaxPool", "x", "y", ints("kernel_shape", 2, 2), ints("dilations", 2, 2))}, []float32{9}},
		{"average pool padded", 13, square, []part{op("AveragePool", "x", "y", ints("kernel_shape", 2, 2), ints("strides", 2, 2), ints("pads", 1, 1, 0, 0))},
			[]float32{1, 2.5, 5.5, 7}},
		{"average pool counting pads", 13, square, []part{op("AveragePool", "x", "y", ints("kernel_shape", 2, 2), ints("strides", 2, 2), ints("pads", 1, 1, 0, 0), integer("count_include_pad", 1))},
			[]float32{.25, 1.25, 2.75, 7}},
		{"average pool ceil", 13, square, []part{op("AveragePool", "x", "y", ints("kernel_shape", 2, 2), ints("strides", 2, 2), integer("ceil_mode", 1))},
			[]float32{3, 4.5, 7.5, 9}},
		{"global average", 13, twoMaps, []part{op("GlobalAveragePool", "x", "y")}, []float32{1.5, 3.5}},
		{"global max", 13, twoMaps, []part{op("GlobalMaxPool", "x", "y")}, []float32{2, 4}},
		{"mean over space", 13, twoMaps, []part{op("ReduceMean", "x", "y", ints("axes", -1, -2))}, []float32{1.5, 3.5}},
		{"mean over space, axes as input", 18, twoMaps, []part{longs("a", 2, 3), op("ReduceMean", "x a", "y", integer("keepdims", 0))}, []float32{1.5, 3.5}},
		{"leaky", 13, twoMaps, []part{floats("s", nil, -1), op("Mul", "x s", "m"), op("LeakyRelu", "m", "y", float("alpha", .5))}, []float32{-.5, -1, -1.5, -2}},
		{"clip 6", 6, twoMaps, []part{op("Clip", "x", "y", float("min", 2), float("max", 3))}, []float32{2, 2, 3, 3}},
		{"clip 11", 11, twoMaps, []part{floats("hi", nil, 3), op("Clip", "x - hi", "y")}, []float32{1, 2, 3, 3}},
		{"batch norm", 9, twoMaps, []part{floats("s", []int64{2}, 1, 2), floats("b", []int64{2}, 0, 1), floats("m", []int64{2}, 1, 3), floats("v", []int64{2}, 4, 1),
			op("BatchNormalization", "x s b m v", "y", float("epsilon", 0))}, []float32{0, .5, 1, 3}},
		{"sub, div per channel", 13, twoMaps, []part{floats("m", []int64{1, 2, 1, 1}, 1, 3), floats("d", []int64{2, 1, 1}, 1, 2),
			op("Sub", "x m", "s"), op("Div", "s d", "y")}, []float32{0, 1, 0, .5}},
		{"constant minus x", 13, twoMaps, []part{floats("k", nil, 10), op("Sub", "k x", "y")}, []float32{9, 8, 7, 6}},
		{"add 6 with axis", 6, twoMaps, []part{floats("k", []int64{2}, 10, 20), op("Add", "x k", "y", integer("broadcast", 1), integer("axis", 1))}, []float32{11, 12, 23, 24}},
		{"lrn of even size", 13, []int64{1, 3, 1, 1}, []part{op("LRN", "x", "y", integer("size", 2), float("alpha", 2), float("beta", 1), float("bias", 1))},
			[]float32{1. / (1 + 1 + 4), 2. / (1 + 4 + 9), 3. / (1 + 9)}},
		{"add", 13, twoMaps, []part{op("Relu", "x", "r"), op("Add", "x r", "y")}, []float32{2, 4, 6, 8}},
		{"sum of three", 13, twoMaps, []part{op("Relu", "x", "r"), op("Sum", "x r x", "y")}, []float32{3, 6, 9, 12}},
		{"concat", 13, twoMaps, []part{op("Relu", "x", "r"), op("Concat", "r x", "y", integer("axis", -3))}, []float32{1, 2, 3, 4, 1, 2, 3, 4}},
		{"pad 2", 2, []int64{1, 1, 1, 2}, []part{op("Pad", "x", "y", ints("pads", 0, 0, 0, 1, 0, 0, 1, 0), float("value", 9))}, []float32{9, 1, 2, 9, 9, 9}},
		{"pad 13", 13, []int64{1, 1, 1, 2}, []part{longs("p", 0, 0, 1, 0, 0, 0, 0, 1), op("Pad", "x p", "y")}, []float32{0, 0, 0, 1, 2, 0}},
		{"pad 18 with axes", 18, []int64{1, 1, 1, 2}, []part{longs("p", 1, 0), longs("a", -1), floats("k", nil, 7), op("Pad", "x p k a", "y")}, []float32{7, 1, 2}},
		// x = 1 2 | 3 4 below.
		{"sum of values and a constant", 13, twoMaps, []part{floats("k", []int64{1, 1, 1, 2}, 10, 20), op("Sum", "k x x", "y")}, []float32{12, 24, 16, 28}},
		{"constant over value", 13, twoMaps, []part{floats("s", nil, 12), op("Div", "s x", "y")}, []float32{12, 6, 4, 3}},
		{"values of two shapes", 13, twoMaps, []part{op("GlobalMaxPool", "x", "p"), op("Sub", "x p", "y")}, []float32{-1, 0, -1, 0}},
		{"matrix of constants", 13, twoMaps, []part{floats("k", []int64{1, 2, 1, 2}, 1, 2, 3, 4), op("Pow", "x k", "y")}, []float32{1, 4, 27, 256}},
		{"mean of three", 13, twoMaps, []part{floats("k", nil, 1), op("Mean", "x k x", "y")}, []float32{1, 5. / 3, 7. / 3, 3}},
		{"max with 0 is a rectifier", 13, twoMaps, []part{op("Neg", "x", "m"), floats("k", nil, 0), op("Max", "m k", "y")}, []float32{0, 0, 0, 0}},
		{"prelu", 13, twoMaps, []part{op("Neg", "x", "m"), floats("k", []int64{2, 1, 1}, .5, .25), op("PRelu", "m k", "y")}, []float32{-.5, -1, -.75, -1}},
		{"softmax along columns", 13, twoMaps, []part{op("LogSoftmax", "x", "y")}, []float32{-1.3132617, -0.3132617, -1.3132617, -0.3132617}},
		{"all axes turned", 13, twoMaps, []part{op("Transpose", "x", "y")}, []float32{1, 3, 2, 4}},
		{"flipped", 13, twoMaps, []part{longs("b", -1), longs("e", -1000), longs("a", 3), longs("st", -1), op("Slice", "x b e a st", "y")}, []float32{2, 1, 4, 3}},
		{"split", 13, twoMaps, []part{op("Split", "x", "p q", integer("axis", 1)), op("Sub", "q p", "y")}, []float32{2, 2}},
		{"gather channels", 13, twoMaps, []part{longs("i", -1, 0, 1), op("Gather", "x i", "y", integer("axis", 1))}, []float32{3, 4, 1, 2, 3, 4}},
		{"expand", 13, twoMaps, []part{longs("s", 2, 1), op("Expand", "x s", "y")}, []float32{1, 2, 1, 2, 3, 4, 3, 4}},
		{"pad reflected", 13, square, []part{longs("p", 0, 0, 0, 2, 0, 0, 0, 0), op("Pad", "x p", "y", str("mode", "reflect"))}, []float32{3, 2, 1, 2, 3, 6, 5, 4, 5, 6, 9, 8, 7, 8, 9}},
		{"pad edges, cut rows", 13, square, []part{longs("p", 0, 0, -1, 0, 0, 0, -1, 1), op("Pad", "x p", "y", str("mode", "edge"))}, []float32{4, 5, 6, 6}},
		{"resize 10", 10, twoMaps, []part{floats("s", []int64{4}, 1, 1, 2, 1), op("Resize", "x s", "y")}, []float32{1, 2, 1, 2, 3, 4, 3, 4}},
		{"resize linear", 11, twoMaps, []part{floats("s", []int64{4}, 1, 1, 1, 2), op("Resize", "x - s", "y", str("mode", "linear"))}, []float32{1, 1.25, 1.75, 2, 3, 3.25, 3.75, 4}},
		{"upsample 9", 9, twoMaps, []part{floats("s", []int64{4}, 1, 1, 1, 2), op("Upsample", "x s", "y", str("mode", "linear"))}, []float32{1, 1.5, 2, 2, 3, 3.5, 4, 4}},
		{"transposed convolution", 13, []int64{1, 1, 1, 2}, []part{floats("w", []int64{1, 1, 1, 3}, 1, 10, 100), op("ConvTranspose", "x w", "y", ints("strides", 1, 2))}, []float32{1, 10, 102, 20, 200}},
		{"1-D convolution", 13, []int64{1, 1, 4}, []part{floats("w", []int64{1, 1, 2}, 1, 10), op("Conv", "x w", "y", ints("pads", 1, 0))}, []float32{10, 21, 32, 43}},
		{"sum over channels", 13, twoMaps, []part{longs("a", 1), op("ReduceSum", "x a", "y", integer("keepdims", 0))}, []float32{4, 6}},
		{"largest channel", 13, twoMaps, []part{op("ArgMax", "x", "y", integer("axis", 1))}, []float32{1, 1}},
		{"pixels into depth and back", 13, []int64{1, 1, 2, 4}, []part{op("SpaceToDepth", "x", "d", integer("blocksize", 2)), longs("i", 0, 2, 1, 3), op("Gather", "d i", "g", integer("axis", 1)),
			op("DepthToSpace", "g", "y", integer("blocksize", 2), str("mode", "CRD"))}, []float32{1, 5, 3, 7, 2, 6, 4, 8}},
		{"matrix product of two values", 13, []int64{1, 2, 2}, []part{op("Transpose", "x", "t", ints("perm", 0, 2, 1)), op("MatMul", "x t", "y")}, []float32{5, 11, 11, 25}},
		{"maps again after a vector", 13, twoMaps, []part{op("Flatten", "x", "f"), longs("s", 1, 1, 2, 2), op("Reshape", "f s", "r"), one, op("Conv", "r w", "y")}, []float32{10}},
		{"range, where, mod", 13, []int64{1, 1, 1, 4}, []part{longs("a", 0), longs("b", 4), longs("d", 1), longs("two", 2), longs("ax", 0), op("Squeeze", "a ax", "a0"), op("Squeeze", "b ax", "b0"), op("Squeeze", "d ax", "d0"),
			op("Range", "a0 b0 d0", "r"), op("Mod", "r two", "m"), longs("z", 0), op("Equal", "m z", "even"), longs("n3", 3), op("Where", "even r n3", "i"), op("Gather", "x i", "y", integer("axis", 3))}, []float32{1, 4, 3, 4}},
		{"remainders with the sign of each side", 13, twoMaps, []part{longs("a", -7, 7), longs("b", 4, -4), op("Mod", "a b", "f", integer("fmod", 1)), op("Mod", "a b", "m"),
			longs("s", 1, 2, 1, 1), op("Cast", "f", "ff", integer("to", 1)), op("Cast", "m", "mm", integer("to", 1)), op("Reshape", "ff s", "fs"), op("Reshape", "mm s", "ms"),
			op("Mul", "x fs", "xf"), op("Add", "xf ms", "y")}, []float32{-2, -5, 8, 11}},
		{"sizes beyond float32", 13, square, []part{longs("one", 1), longs("a", 16777217), longs("b", 16777226), op("Sub", "b a", "n"), op("Concat", "one n", "t", integer("axis", 0)), op("Reshape", "x t", "y")}, count(1, 9)},
		{"sizes worked out", 13, square, []part{op("Shape", "x", "s"), op("ReduceProd", "s", "p", integer("keepdims", 1)), longs("one", 1), op("Concat", "one p", "t", integer("axis", 0)), op("Reshape", "x t", "y")}, count(1, 9)},
		{"constants spread and cast", 13, twoMaps, []part{longs("k", 3), longs("s", 1, 2, 1, 2), op("Expand", "k s", "e"), op("Cast", "e", "f", integer("to", 1)), op("Mul", "x f", "y")}, []float32{3, 6, 9, 12}},
		{"rnn over columns", 13, []int64{1, 1, 1, 3}, []part{longs("a", 2), op("Squeeze", "x a", "q"), op("Transpose", "q", "t", ints("perm", 2, 0, 1)), floats("W", []int64{1, 1, 1}, 1), floats("R", []int64{1, 1, 1}, .5),
			op("RNN", "t W R", "- y", integer("hidden_size", 1), strs("activations", "Relu"))}, []float32{(1*.5+2)*.5 + 3}},
		{"gemm", 13, twoMaps, []part{op("Flatten", "x", "f"), floats("w", []int64{4, 2}, 1, 0, 1, 0, 0, 1, 0, 1), floats("b", []int64{1, 2}, 1, 2),
			op("Gemm", "f w b", "y", float("alpha", 2), float("beta", 10))}, []float32{2*3 + 10, 2*7 + 20}},
		{"gemm transposed", 13, twoMaps, []part{op("Flatten", "x", "f"), floats("w", []int64{2, 4}, 1, 1, 0, 0, 0, 0, 1, 1), op("Gemm", "f w", "y", integer("transB", 1))}, []float32{3, 7}},
		{"matmul with bias", 13, twoMaps, []part{longs("s", -1, 4), op("Reshape", "x s", "f"), floats("w", []int64{4, 2}, 1, 0, 1, 0, 0, 1, 0, 1), floats("b", []int64{2}, 1, 2),
			op("MatMul", "f w", "m"), op("Add", "b m", "y")}, []float32{4, 9}},
		{"weights turned in the graph", 13, twoMaps, []part{op("Flatten", "x", "f"), floats("w", []int64{2, 4}, 1, 1, 0, 0, 0, 0, 1, 1),
			op("Transpose", "w", "wt", ints("perm", 1, 0)), op("MatMul", "f wt", "y")}, []float32{3, 7}},
		{"weights computed in the graph", 13, twoMaps, []part{floats("w", []int64{2, 1}, 4, 9), op("Sqrt", "w", "r"), longs("i", 1, 0), op("Gather", "r i", "g"),
			floats("d", nil, 2), op("Div", "g d", "h"), op("Neg", "h", "n"), longs("s", 2, 1, 1, 1), op("Reshape", "n s", "k"),
			op("Conv", "x k", "y", integer("group", 2))}, []float32{-1.5, -3, -3, -4}},
		{"weights joined and cut in the graph", 13, twoMaps, []part{floats("w", []int64{1, 2, 1, 1}, 1, 10), op("Concat", "w w", "ww", integer("axis", 0)),
			floats("m", []int64{2, 1, 1, 1}, 1, 2), op("Mul", "ww m", "v"), longs("b", 1), longs("e", 2), longs("a", 0), op("Slice", "v b e a", "k"), op("Conv", "x k", "y")}, []float32{62, 84}},
		{"bias filled and cast in the graph", 13, []int64{1, 1, 1, 2}, []part{floats("w", []int64{1, 1, 1, 1}, 1), longs("n", 1), op("ConstantOfShape", "n", "z"),
			longs("t", 3), op("Cast", "t", "f", integer("to", 1)), op("Add", "z f", "b"), op("Conv", "x w b", "y")}, []float32{4, 5}},
		{"softmax 13", 13, []int64{1, 2, 1, 1}, []part{op("Softmax", "x", "y", integer("axis", 1))}, []float32{1 / (1 + math.E), math.E / (1 + math.E)}},
		{"softmax 9", 9, []int64{1, 2, 1, 1}, []part{op("Softmax", "x", "y")}, []float32{1 / (1 + math.E), math.E / (1 + math.E)}},
		{"channels last and back", 13, twoMaps, []part{op("Transpose", "x", "t", ints("perm", 0, 2, 3, 1)), op("Relu", "t", "r"),
			floats("k", []int64{2}, 10, 20), op("Add", "r k", "a"), op("Transpose", "a", "y", ints("perm", 0, 3, 1, 2))}, []float32{11, 12, 23, 24}},
		// The graph flattens 1 3 2 4; the weights pick the second of those.
		{"flattened with channels last", 13, twoMaps, []part{op("Transpose", "x", "t", ints("perm", 0, 2, 3, 1)), longs("s", 1, -1), op("Reshape", "t s", "f"),
			floats("w", []int64{4, 1}, 0, 1, 0, 0), op("MatMul", "f w", "y")}, []float32{3}},
	}
}

// TestReshapeChains: however an exporter computes the target of a Reshape, it is a Flatten.
func TestReshapeChains(t *testing.T) {
	for name, graph := range map[string][]part{
		"constant":    {longs("s", -1, 6), op("Reshape", "r s", "f")},
		"zero":        {longs("s", 0, -1), op("Reshape", "r s", "f")},
		"attribute":   {op("Reshape", "r", "f", ints("shape", 0, 6))},
		"batch of 1":  {longs("s", 1, 6), op("Reshape", "r s", "f")},
		"squeeze":     {op("GlobalMaxPool", "r", "p"), longs("a", 2, 3), op("Squeeze", "p a", "f")},
		"two squeeze": {op("GlobalMaxPool", "r", "p"), longs("a", 3), op("Squeeze", "p a", "q"), longs("b", 2), op("Squeeze", "q b", "f")},
		"shape": {op("Shape", "r", "s"), op("Constant", "-", "i", integer("value_int", 0)), op("Gather", "s i", "n", integer("axis", 0)),
			longs("a", 0), op("Unsqueeze", "n a", "u"), longs("m", -1), op("Concat", "u m", "t", integer("axis", 0)), op("Reshape", "r t", "f")},
		"sliced shape, product": {op("Shape", "r", "s"), longs("b", 0), longs("e", 1), op("Slice", "s b e", "n"),
			longs("e9", 9), op("Slice", "s e e9", "chw"), op("ReduceProd", "chw", "p"), op("Concat", "n p", "t", integer("axis", 0)), op("Reshape", "r t", "f")},
	} {
		for _, n := range []int64{0, 1, 5} {
			if n == 5 && name == "batch of 1" {
				continue
			}
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				net := load(t, file(13, append(graph, input("x", n, 2, 1, 3), op("Relu", "x", "r"), op("Softmax", "f", "y"), output("y"))...))
				f := net.Node("n:f")
				if f == nil || f.Layer.Kind() != "Flatten" || net.Logits != "n:f" {
					t.Errorf("%v, logits %q: want a Flatten n:f before the softmax", net, net.Logits)
				}
			})
		}
	}
}

func TestNames(t *testing.T) {
	// Two nodes share a name, one has none, one's name is another's output.
	unnamed := msg(nil, 1, text(nil, 1, "b"), text(nil, 2, "c"), text(nil, 4, "Relu"))
	named := func(name, in, out string) part {
		return msg(nil, 1, text(nil, 1, in), text(nil, 2, out), text(nil, 3, name), text(nil, 4, "Relu"))
	}
	net := load(t, file(13, input("x", 0, 1, 1, 1), named("same", "x", "a"), named("same", "a", "b"), unnamed, named("d", "c", "y0"),
		named("x", "y0", "d"), op("Relu", "d", "y"), output("y")))
	if got, want := net.String(), "test: x 1x1x1 -> a -> b -> c -> d -> d.2 -> n:y"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestOrder: nodes need not be sorted, and what no output needs is left out,
// even if it could not be used.
func TestOrder(t *testing.T) {
	net := load(t, file(13, op("Relu", "b", "y"), op("Relu", "a", "b"), op("Quux", "x", "z"), op("Relu", "x", "a"), input("x", 0, 1, 1, 1), output("y")))
	if got, want := net.String(), "test: x 1x1x1 -> n:a -> n:b -> n:y"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestSharedBias: a bias goes into the weights' layer only if nobody else reads it.
func TestSharedBias(t *testing.T) {
	w, b := floats("w", []int64{1, 1, 1, 1}, 2), floats("b", []int64{1}, 5)
	for _, by := range []string{"c", "i"} { // read once more directly, or under another name
		net := load(t, file(13, input("x", 1, 1, 1, 1), w, b, op("Conv", "x w", "c"), op("Identity", "c", "i"), op("Add", "i b", "a"), op("Sum", "a "+by, "y"), output("y")))
		if got := eval(t, net, 10); got[0] != 45 {
			t.Errorf("read as %s: %v, want 20+5 + 20", by, got)
		}
	}
	net := load(t, file(13, input("x", 1, 1, 1, 1), w, b, op("Conv", "x w", "c"), op("Identity", "c", "i"), op("Add", "i b", "y"), output("y")))
	if len(net.Nodes) != 1 || eval(t, net, 10)[0] != 25 {
		t.Errorf("%v, want the convolution alone", net)
	}
}

func TestLogits(t *testing.T) {
	w := floats("w", []int64{1, 1}, 1)
	for _, c := range []struct {
		want  string
		graph []part
	}{
		{"n:g", []part{op("Flatten", "x", "f"), w, op("Gemm", "f w", "g"), op("Softmax", "g", "y")}},
		{"n:g", []part{op("Flatten", "x", "f"), w, op("Gemm", "f w", "g"), op("Softmax", "g", "s"), op("Identity", "s", "i"), op("Dropout", "i", "y")}},
		{"n:y", []part{op("GlobalAveragePool", "x", "p"), op("Flatten", "p", "y")}},
		{"n:p", []part{op("GlobalAveragePool", "x", "p"), op("Softmax", "p", "s", integer("axis", 1)), op("Flatten", "s", "y")}},
		{"n:y", []part{op("Relu", "x", "y")}},
	} {
		h := int64(1)
		if len(c.graph) == 1 { // maps of values
			h = 2
		}
		net := load(t, file(13, append(c.graph, input("x", 1, 1, h, h), output("y"))...))
		if net.Logits != c.want {
			t.Errorf("%v: logits %q, want %q", net, net.Logits, c.want)
		}
	}
}

// TestInputs: initialisers listed as inputs are none; pictures with their
// channels last are turned; what cannot be bound is said.
func TestInputs(t *testing.T) {
	w := floats("w", []int64{1, 1, 1, 1}, 2)
	net := load(t, file(7, input("w", 1, 1, 1, 1), input("x", 1, 1, 2, 2), w, op("Conv", "x w", "y"), output("y")))
	if want := (model.Input{Name: "x", C: 1, H: 2, W: 2}); net.Input != want {
		t.Errorf("input %+v, want %+v", net.Input, want)
	}
	net = load(t, file(13, input("x", 0, 8, 9, 3), op("Transpose", "x", "t", ints("perm", 0, 3, 1, 2)), op("Relu", "t", "y"), output("y")))
	if want := (model.Input{Name: "x", C: 3, H: 8, W: 9}); net.Input != want {
		t.Errorf("input %+v, want %+v", net.Input, want)
	}
	for want, in := range map[string]part{
		"say which height and width":                                    input("x", 0, 3, 0, 0),
		"want the channels fixed":                                       input("x", 0, 0, 4, 4),
		"want [N, channels, height, width]":                             input("x", 0, 3, 0),
		`has no inputs, want one, a picture`:                            nil,
		`inputs x (float [1 1 1 1]), z (float [1 1 1 1]): give all but`: append(input("x", 1, 1, 1, 1), input("z", 1, 1, 1, 1)...),
		"which is too large":                                            input("x", 1, 1, 1<<40, 1),
		"is too large":                                                  input("x", 1, 1<<12, 1<<12, 1<<12),
	} {
		use := op("Relu", "x", "y")
		if strings.Contains(want, "give all but") {
			use = op("Add", "x z", "y")
		}
		_, err := onnx.Read(file(13, in, use, output("y")), "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	data := file(13, input("x", 1, 1, 1, 1), op("Relu", "x", "y"), output("y"))
	net := load(t, data)
	if want := (model.Preprocess{Scale: 1}); !reflect.DeepEqual(net.Preprocess, want) {
		t.Errorf("preprocessing %+v, want %+v", net.Preprocess, want)
	}
	if net.Origin.Source != "test.onnx (test)" || net.Name != "test" {
		t.Errorf("source %q, name %q", net.Origin.Source, net.Name)
	}
	data = append(data, meta("viz.preprocess", `{"scale":0.5,"mean":[3]}`)...)
	data = append(data, meta("viz.classes", `["cat","dog"]`)...)
	net = load(t, data)
	if want := (model.Preprocess{Scale: .5, Mean: []float32{3}}); !reflect.DeepEqual(net.Preprocess, want) || !slices.Equal(net.Classes, []string{"cat", "dog"}) {
		t.Errorf("preprocessing %+v, classes %v", net.Preprocess, net.Classes)
	}
	for _, bad := range []string{`{`, `{"mean":[1,2,3]}`, `{"no":1}`} {
		if _, err := onnx.Read(append(file(13, input("x", 1, 1, 1, 1), op("Relu", "x", "y"), output("y")), meta("viz.preprocess", bad)...), ""); err == nil {
			t.Errorf("preprocessing %s: no error", bad)
		}
	}
}

// TestUnsupported: all nodes that are in the way are in one error, those that
// depend on them only if their own operator is unknown.
func TestUnsupported(t *testing.T) {
	_, err := onnx.Read(file(13, input("x", 1, 2, 3, 3), op("ConvTranspose", "x x", "a"), op("Relu", "a", "b"), op("Mul", "b x", "c"),
		op("SpaceToBatch", "c", "d"), op("Flatten", "x", "e"), op("GridSample", "x x", "f"), op("If", "f", "g"), op("Fancy", "f", "h"), output("d"), output("e"), output("g"), output("h")), "")
	u, ok := errors.AsType[*onnx.Unsupported](err)
	if !ok {
		t.Fatalf("error %v, want *Unsupported", err)
	}
	var got []string
	for _, o := range u.Ops {
		got = append(got, o.Node+" "+o.Op)
		if o.Opset != 13 || o.Reason == "" {
			t.Errorf("%+v: want opset 13 and a reason", o)
		}
	}
	slices.Sort(got)
	if want := []string{"n:a ConvTranspose", "n:d SpaceToBatch", "n:f GridSample", "n:h Fancy"}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}

// TestRefusals are single nodes that a layer cannot express, or that are wrong.
func TestRefusals(t *testing.T) {
	w := floats("w", []int64{1, 2, 2, 2}, count(0, 8)...)
	for _, c := range []struct {
		want  string
		graph []part
	}{
		{"n:y (Conv): 2 groups of 1 outputs", []part{w, op("Conv", "x w", "y", integer("group", 2))}},
		{"pads are [0 0 -1 0]", []part{w, op("Conv", "x w", "y", ints("pads", 0, 0, -1, 0))}},
		{"strides is [1], want 2 sizes", []part{w, op("Conv", "x w", "y", ints("strides", 1))}},
		{"strides is [0 1]", []part{w, op("Conv", "x w", "y", ints("strides", 0, 1))}},
		{"does not fit in 3", []part{w, op("Conv", "x w", "y", ints("dilations", 3, 3))}},
		{"input z is computed from the picture", []part{op("Relu", "x", "z"), op("ConvTranspose", "x z", "y")}},
		{"some windows would see nothing but padding", []part{op("MaxPool", "x", "y", ints("kernel_shape", 2, 2), ints("pads", 2, 2, 2, 2))}},
		{"its output i is used", []part{op("Relu", "x", "z i"), op("Sum", "z i", "y")}},
		{"arrays of [1 2 3 3] and [3 2 3 4] do not combine", []part{floats("k", []int64{3, 2, 3, 4}, count(0, 72)...), op("Add", "x k", "y")}},
		{"mode is \"mirror\"", []part{longs("p", 0, 0, 1, 1, 0, 0, 1, 1), op("Pad", "x p", "y", str("mode", "mirror"))}},
		{"leave nothing of", []part{longs("p", 0, 0, -2, 0, 0, 0, -2, 0), op("Pad", "x p", "y")}},
		{"axis 4 of 4", []part{op("Softmax", "x", "y", integer("axis", 4))}},
		{"shape [2 8] of 18 values", []part{longs("s", 2, 8), op("Reshape", "x s", "y")}},
		{"perm [0 0 1 2] of 4 axes", []part{op("Transpose", "x", "y", ints("perm", 0, 0, 1, 2))}},
		{"index 2 of 2", []part{longs("i", 2), op("Gather", "x i", "y", integer("axis", 1))}},
		{"it leaves nothing of", []part{longs("b", 2), longs("e", 1), op("Slice", "x b e", "y")}},
		{"parts of [1 2] of 2", []part{longs("s", 1, 2), op("Split", "x s", "y z", integer("axis", 1))}},
		{"coordinate_transformation_mode is \"odd\"", []part{floats("s", []int64{4}, 1, 1, 2, 2), op("Resize", "x - s", "y", str("coordinate_transformation_mode", "odd"))}},
		{"2 channels in blocks of 2", []part{op("DepthToSpace", "x", "y", integer("blocksize", 2))}},
		{"want [steps, 1, values]", []part{floats("W", []int64{1, 1, 1}, 1), op("RNN", "x W W", "y")}},
		{"weights are [4 5], the input has 18 values", []part{op("Flatten", "x", "f"), floats("v", []int64{4, 5}, count(0, 20)...), op("MatMul", "f v", "y")}},
		{`input "q" is not computed`, []part{op("Add", "x q", "y")}},
		{"depends on itself", []part{op("Add", "x b", "a"), op("Relu", "a", "b"), op("Relu", "b", "y")}},
		{`value "y" is made twice`, []part{op("Relu", "x", "y"), op("Relu", "x", "y")}},
		{"initialiser v: 3 bytes", nil},
		{"initialiser v: shape [1073741824 1073741824]", nil},
		{"initialiser v: external data is in \"../../secret\"", nil},
	} {
		graph := c.graph
		if graph == nil {
			v := num(text(nil, 8, "v"), 2, 1)
			switch {
			case strings.Contains(c.want, "3 bytes"):
				v = msg(num(v, 1, 1), 9, []byte{1, 2, 3})
			case strings.Contains(c.want, "shape"):
				v = num(num(v, 1, 1<<30), 1, 1<<30)
			default:
				v = msg(num(v, 1, 1), 13, text(text(nil, 1, "location"), 2, "../../secret"))
			}
			graph = []part{msg(nil, 5, v), op("Conv", "x v", "y")}
		}
		_, err := onnx.Read(file(13, append(graph, input("x", 1, 2, 3, 3), output("y"))...), "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v\nwant %q in it", err, c.want)
		}
	}
}

// TestElementTypes reads the same numbers in every encoding of a tensor.
func TestElementTypes(t *testing.T) {
	want := []float32{1, -2, 0.5, 65504}
	half := []uint16{0x3c00, 0xc000, 0x3800, 0x7bff}
	tensorOf := func(typ int64) []byte { return num(num(nil, 2, typ), 1, 4) }
	var rawHalf, rawDouble, rawBrain, packed []byte
	var typedHalf, typedDouble = tensorOf(10), tensorOf(11)
	for i, v := range want {
		rawHalf = binary.LittleEndian.AppendUint16(rawHalf, half[i])
		rawDouble = binary.LittleEndian.AppendUint64(rawDouble, math.Float64bits(float64(v)))
		rawBrain = binary.LittleEndian.AppendUint16(rawBrain, uint16(math.Float32bits(v)>>16))
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(v))
		typedHalf = num(typedHalf, 5, int64(half[i]))
	}
	typedDouble = msg(typedDouble, 10, rawDouble)
	for name, b := range map[string][]byte{
		"raw half": msg(tensorOf(10), 9, rawHalf), "typed half": typedHalf, "raw double": msg(tensorOf(11), 9, rawDouble),
		"typed double": typedDouble, "packed floats": msg(tensorOf(1), 4, packed), "raw floats": msg(tensorOf(1), 9, packed),
	} {
		if got, err := onnx.Tensor(b); err != nil || !slices.Equal(got.F, want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	got, err := onnx.Tensor(msg(tensorOf(16), 9, rawBrain))
	if err != nil || !slices.Equal(got.F[:3], want[:3]) {
		t.Errorf("bfloat16: %v, %v, want %v", got, err, want)
	}
	got, err = onnx.Tensor(num(num(num(nil, 2, 10), 1, 1), 5, 0x0001)) // smallest subnormal
	if err != nil || got.F[0] != 1./(1<<24) {
		t.Errorf("half 0x0001: %v, %v, want 2^-24", got, err)
	}
}

func TestIsONNX(t *testing.T) {
	data := file(13, input("x", 1, 1, 1, 1), op("Relu", "x", "y"), output("y"))
	for n := range data {
		_ = onnx.IsONNX(data[:n]) // must not panic
	}
	if !onnx.IsONNX(data) || !onnx.IsONNX(data[:20]) {
		t.Error("a model is not recognised")
	}
	for _, other := range []string{"", "\x89PNG\r\n\x1a\n\x00\x00", "PK\x03\x04", "{\"a\":1}", "\x08\x00\x00\x00\x00\x00\x00\x00{}", strings.Repeat("\x00", 100)} {
		if onnx.IsONNX([]byte(other)) {
			t.Errorf("%q is taken for a model", other)
		}
	}
}

// outside is the one error that a network may give which is right by itself: an
// index that it computes from the picture does not exist.
var outside = regexp.MustCompile(`(?s)^layer .*: index \S+ along an axis of \d+$`)

// FuzzRead: whatever the bytes, an error or a network that passes its own check
// within a second, and memory within a small multiple of the file's size. A small
// network also runs, which must not panic, and is written again.
func FuzzRead(f *testing.F) {
	w := floats("w", []int64{1, 1, 2, 2}, 1, 1, 1, 1)
	in, out := input("x", 0, 1, 3, 3), output("y")
	for _, g := range [][]part{
		{in, out, w, op("Conv", "x w", "c", str("auto_pad", "SAME_UPPER")), op("Relu", "c", "r"), op("MaxPool", "r", "y", ints("kernel_shape", 2, 2))},
		{in, out, op("Shape", "x", "s"), longs("b", 0), longs("e", 1), op("Slice", "s b e", "n"), longs("m", -1),
			op("Concat", "n m", "t", integer("axis", 0)), op("Reshape", "x t", "f"), op("Softmax", "f", "y")},
		{in, out, op("Transpose", "x", "t", ints("perm", 0, 2, 3, 1)), longs("s", 1, -1), op("Reshape", "t s", "f"),
			floats("v", []int64{9, 1}, count(0, 9)...), op("MatMul", "f v", "m"), floats("k", []int64{1}, 1), op("Add", "m k", "y")},
		{in, out, longs("s", 2, 3), op("ConstantOfShape", "s", "z"), op("Transpose", "z", "zt"), op("Add", "zt zt", "q"), op("Gather", "q e", "g"), longs("e", 0), op("Mul", "x g", "y")},
		{in, out, longs("p", 0, 0, 1, 1, 0, 0, 1, 1), op("Pad", "x p", "a"), floats("hi", nil, 6), op("Clip", "a - hi", "b"), op("LRN", "b", "c", integer("size", 3)),
			op("Concat", "c b", "d", integer("axis", 1)), longs("ax", 2, 3), op("ReduceMean", "d ax", "y", integer("keepdims", 0))},
	} {
		f.Add(file(13, g...))
	}
	for _, c := range operators() {
		f.Add(file(c.opset, append(c.graph, input("x", c.in...), output("y"))...))
	}
	for _, c := range structureCases() {
		f.Add(c.file())
	}
	for _, c := range quantised(f) {
		data, err := base64.StdEncoding.DecodeString(c.Model)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, data := range readNets(f) {
		if len(data) < 10_000 {
			f.Add(data)
		}
	}
	hostile.Fuzz(f, func(t testing.TB, data []byte) {
		var net *model.Network
		if hostile.ReadWithin(t, len(data), 16<<20+200*len(data), func() (err error) {
			net, err = onnx.Read(data, "fuzz")
			if err != nil {
				err = errors.New(strings.ReplaceAll(imageio.OneLine(err).Error(), "\n", " "))
			}
			return err
		}) != nil {
			return
		}
		asPlanned(t, net)
	})
}

// asPlanned runs a small network, whose values have the shapes that were inferred, and writes it.
func asPlanned(t testing.TB, net *model.Network) (ran bool) {
	t.Helper()
	if net.Check() != nil {
		t.Fatal(net.Check())
	}
	layers, err := net.Summary()
	if err != nil {
		t.Fatal(err)
	}
	work := int64(net.Input.Shape().Len())
	for _, l := range layers {
		work += l.MACs + int64(l.Shape.Len())
	}
	if work > 1<<16 {
		return false
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	trace, err := engine.Forward(net, ramp(net, 1))
	if err != nil && !outside.MatchString(err.Error()) {
		t.Fatal(err)
	}
	if err == nil { // every value has the shape that was inferred
		shapes, err := net.Shapes()
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range shapes {
			if v := trace.Value(name); v != nil && (len(v.Data) != s.Len() || trace.Shapes[name] != s) {
				t.Fatalf("value %s of shape %v has %d numbers, the plan says %v", name, s, len(v.Data), trace.Shapes[name])
			}
		}
	}
	if err := onnx.Write(io.Discard, net, 0); err != nil {
		if _, ok := errors.AsType[*onnx.Unsupported](err); !ok {
			t.Fatal(err)
		}
	}
	return err == nil
}

// tooLong is far more than any small file takes, on a busy machine and with the race detector too.
const tooLong = 30 * time.Second

// TestHostileSize: constants with an empty axis cost nothing, however long
// their other axes are and however often they are used.
func TestHostileSize(t *testing.T) {
	const n = 200_000
	// dims [n, 0], with n bytes of another field to make room for the claim.
	empty := msg(text(num(num(num(nil, 2, 7), 1, n), 1, 0), 8, "e"), 12, make([]byte, n))
	concat := text(text(nil, 4, "Concat"), 2, "c")
	for range n {
		concat = text(concat, 1, "e")
	}
	concat = msg(concat, 5, integer("axis", 1))
	start := time.Now()
	_, err := onnx.Read(file(13, input("x", 1, 1, 1, 1), msg(nil, 5, empty), msg(nil, 1, concat), op("Reshape", "x c", "y"), output("y")), "")
	if took := time.Since(start); err == nil || took > tooLong {
		t.Errorf("%v after %v, want an error at once", err, took)
	}
}
