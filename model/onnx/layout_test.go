package onnx_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// typed is a graph input of another element type.
func typed(name string, typ int64, dims ...int64) part {
	var shape []byte
	for _, d := range dims {
		shape = msg(shape, 1, num(nil, 1, d))
	}
	return msg(nil, 11, msg(text(nil, 1, name), 2, msg(nil, 1, msg(num(nil, 1, typ), 2, shape))))
}

// TestLayouts: where the channels of an input are follows from what reads it,
// whatever its sizes look like.
func TestLayouts(t *testing.T) {
	w := func(c int64) part { return floats("w", []int64{1, c, 1, 1}, make([]float32, c)...) }
	toFirst, toLast := ints("perm", 0, 3, 1, 2), ints("perm", 0, 2, 3, 1)
	conv := func(x string) part { return op("Conv", x+" w", "y") }
	for _, c := range []struct {
		name    string
		in      part
		parts   []part
		c, h, w int
		guessed bool
	}{
		{"signals", input("x", 1, 11, 60, 1), []part{w(11), conv("x")}, 11, 60, 1, false},
		{"narrow maps", input("x", 1, 8, 20, 3), []part{w(8), conv("x")}, 8, 20, 3, false},
		{"after a scale", input("x", 1, 8, 20, 3), []part{w(8), floats("k", []int64{1}, 2), op("Mul", "x k", "a"), op("Sub", "a k", "b"), conv("b")}, 8, 20, 3, false},
		{"scale first", input("x", 1, 8, 20, 3), []part{w(8), floats("k", []int64{1}, 2), op("Mul", "k x", "a"), conv("a")}, 8, 20, 3, false},
		{"after a batch norm", input("x", 1, 8, 20, 3), []part{floats("s", []int64{8}, make([]float32, 8)...), op("BatchNormalization", "x s s s s", "b"), w(8), conv("b")}, 8, 20, 3, false},
		{"after a pad", input("x", 1, 8, 20, 3), []part{w(8), longs("p", 0, 0, 1, 1, 0, 0, 1, 1), op("Pad", "x p", "b"), conv("b")}, 8, 20, 3, false},
		{"pooled first", input("x", 1, 8, 20, 3), []part{w(8), op("MaxPool", "x", "b", ints("kernel_shape", 1, 1)), conv("b")}, 8, 20, 3, false},
		{"turned", input("x", 1, 8, 20, 3), []part{w(3), op("Transpose", "x", "t", toFirst), conv("t")}, 3, 8, 20, false},
		{"many channels turned", input("x", 1, 8, 20, 16), []part{w(16), op("Transpose", "x", "t", toFirst), conv("t")}, 16, 8, 20, false},
		{"scaled, then turned", input("x", 1, 8, 20, 3), []part{w(3), floats("k", []int64{1, 1, 1, 3}, 1, 2, 3), op("Mul", "x k", "a"), op("Transpose", "a", "t", toFirst), conv("t")}, 3, 8, 20, false},
		{"small pictures turned", input("x", 1, 4, 4, 3), []part{w(3), op("Transpose", "x", "t", toFirst), conv("t")}, 3, 4, 4, false},
		{"there and back", input("x", 1, 3, 8, 20), []part{w(3), op("Transpose", "x", "l", toLast), op("Relu", "l", "r"), op("Transpose", "r", "t", toFirst), conv("t")}, 3, 8, 20, false},
		{"grey, turned by a reshape", input("x", 1, 28, 30, 1), []part{w(1), longs("to", -1, 1, 28, 30), op("Reshape", "x to", "t"), conv("t")}, 1, 28, 30, false},
		{"grey, first", input("x", 1, 1, 28, 3), []part{w(1), conv("x")}, 1, 28, 3, false},
		{"no convolution, pictures", input("x", 1, 8, 20, 3), []part{op("Relu", "x", "y")}, 3, 8, 20, true},
		{"no convolution, maps", input("x", 1, 3, 8, 20), []part{op("Relu", "x", "y")}, 3, 8, 20, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := file(13, append(c.parts, c.in, output("y"))...)
			g, err := onnx.ReadGraph(data, onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if want := (model.Input{Name: "x", C: c.c, H: c.h, W: c.w}); g.Net.Input != want || g.LayoutGuessed != c.guessed {
				t.Errorf("input %+v, guessed %v, want %+v, %v", g.Net.Input, g.LayoutGuessed, want, c.guessed)
			}
		})
	}
}

// TestLayoutOption: what the caller says goes before what the sizes look like.
func TestLayoutOption(t *testing.T) {
	data := file(13, input("x", 1, 8, 20, 3), op("Relu", "x", "y"), output("y"))
	for layout, want := range map[onnx.Layout][3]int{onnx.AutoLayout: {3, 8, 20}, onnx.ChannelsLast: {3, 8, 20}, onnx.ChannelsFirst: {8, 20, 3}} {
		g, err := onnx.ReadGraph(data, onnx.Options{Layout: layout})
		if err != nil {
			t.Fatal(err)
		}
		if in := g.Net.Input; [3]int{in.C, in.H, in.W} != want {
			t.Errorf("layout %q: input %+v, want %v", layout, in, want)
		}
		if layout != onnx.AutoLayout && (g.LayoutGuessed || g.Layout != layout) {
			t.Errorf("layout %q: the graph says %q, guessed %v", layout, g.Layout, g.LayoutGuessed)
		}
	}
	open := file(13, input("x", 1, 0, 0, 3), floats("w", []int64{1, 3, 1, 1}, 1, 1, 1), op("Transpose", "x", "t", ints("perm", 0, 3, 1, 2)), op("Conv", "t w", "y"), output("y"))
	if _, err := onnx.ReadGraph(open, onnx.Options{}); err == nil {
		t.Error("an open size was taken for something")
	} else if _, ok := errors.AsType[*onnx.OpenSize](err); !ok {
		t.Errorf("error %v, want that the size is open", err)
	}
	if g, err := onnx.ReadGraph(open, onnx.Options{Height: 6, Width: 7}); err != nil || g.Net.Input != (model.Input{Name: "x", C: 3, H: 6, W: 7}) {
		t.Errorf("input %+v, error %v", g, err)
	}
	volume := func(dims ...int64) []byte {
		return file(13, input("x", dims...), floats("w", []int64{1, 3, 1, 1, 1}, 1, 1, 1), op("Conv", "x w", "y"), output("y"))
	}
	if _, err := onnx.ReadGraph(volume(0, 3, 0, 0, 0), onnx.Options{Height: 6, Width: 7}); err == nil || !strings.Contains(err.Error(), "say which depth, height and width") {
		t.Errorf("a volume of open depth: %v", err)
	} else if _, ok := errors.AsType[*onnx.OpenSize](err); !ok {
		t.Errorf("error %v, want that the size is open", err)
	}
	for _, dims := range [][]int64{{0, 3, 0, 0, 0}, {1, 3, 5, 0, 0}, {1, 3, 5, 6, 7}} {
		if g, err := onnx.ReadGraph(volume(dims...), onnx.Options{Depth: 5, Height: 6, Width: 7}); err != nil || g.Net.Input != (model.Input{Name: "x", C: 15, H: 6, W: 7}) {
			t.Errorf("input %+v, error %v", g, err)
		}
	}
	if _, err := onnx.ReadGraph(volume(1, 3, 5, 6, 8), onnx.Options{Height: 6, Width: 7}); err == nil || !strings.Contains(err.Error(), "its width cannot become 7") {
		t.Errorf("a volume of another width: %v", err)
	}
	if _, err := onnx.ReadGraph(volume(1, 0, 5, 6, 8), onnx.Options{}); err == nil || !strings.Contains(err.Error(), "want the channels fixed") {
		t.Errorf("a volume of open channels: %v", err)
	}
	if _, err := onnx.ReadGraph(file(13, input("x", 1, 8), op("Relu", "x", "y"), output("y")), onnx.Options{Layout: onnx.ChannelsLast}); err == nil {
		t.Error("two axes have their channels last")
	}
	for text, want := range map[string]onnx.Layout{"": onnx.AutoLayout, "auto": onnx.AutoLayout, "NHWC": onnx.ChannelsLast, "channels-first": onnx.ChannelsFirst} {
		if got, err := onnx.ParseLayout(text); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := onnx.ParseLayout("hwcn"); err == nil {
		t.Error("hwcn is no layout")
	}
}

// TestBytes: pictures of bytes, channels first and last, become numbers 0 to 255.
func TestBytes(t *testing.T) {
	w := floats("w", []int64{1, 3, 1, 1}, 1, 10, 100)
	k := floats("k", []int64{1}, 255)
	to := integer("to", 1)
	for name, data := range map[string][]byte{
		"first": file(13, typed("x", 2, 1, 3, 1, 2), w, k, op("Cast", "x", "f", to), op("Div", "f k", "d"), op("Conv", "d w", "y"), output("y")),
		"last":  file(13, typed("x", 2, 1, 1, 2, 3), w, k, op("Cast", "x", "f", to), op("Div", "f k", "d"), op("Transpose", "d", "t", ints("perm", 0, 3, 1, 2)), op("Conv", "t w", "y"), output("y")),
		"turned before the cast": file(13, typed("x", 2, 1, 1, 2, 3), w, k, op("Transpose", "x", "t", ints("perm", 0, 3, 1, 2)), op("Cast", "t", "f", to), op("Div", "f k", "d"),
			op("Conv", "d w", "y"), output("y")),
	} {
		net := load(t, data)
		if net.Input.C != 3 || net.Input.H != 1 || net.Input.W != 2 || net.Preprocess.Scale != 1 {
			t.Errorf("%s: input %+v, scale %g", name, net.Input, net.Preprocess.Scale)
			continue
		}
		got := eval(t, net, 255, 0, 51, 255, 0, 102) // red, green and blue of two pixels
		if want := []float32{1 + 2, 10 + 40}; len(got) != 2 || abs(got[0]-want[0]) > 1e-5 || abs(got[1]-want[1]) > 1e-5 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func abs(x float32) float32 { return max(x, -x) }
