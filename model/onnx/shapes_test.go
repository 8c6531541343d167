package onnx_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// drawnGraph makes a graph of the choices that bytes are.
type drawnGraph struct {
	bytes    []byte
	parts    []part
	values   []string
	channels map[string]int64 // as far as they are known
	count    int
}

// next is a number in [0, n).
func (g *drawnGraph) next(n int) int64 {
	if len(g.bytes) == 0 {
		return 0
	}
	v := int(g.bytes[0])
	g.bytes = g.bytes[1:]
	return int64(v % n)
}

func (g *drawnGraph) value() string {
	return g.values[len(g.values)-1-int(g.next(min(3, len(g.values))))]
}

func (g *drawnGraph) add(kind, in string, channels int64, attributes ...[]byte) {
	out := fmt.Sprint("v", len(g.values))
	g.parts = append(g.parts, op(kind, in, out, attributes...))
	g.values, g.channels[out] = append(g.values, out), channels
}

// weights is the name of a new constant.
func (g *drawnGraph) weights(dims ...int64) string {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	g.count++
	name := fmt.Sprint("w", g.count)
	g.parts = append(g.parts, floats(name, dims, count(-2, int(n))...))
	return name
}

func (g *drawnGraph) longs(v ...int64) string {
	g.count++
	name := fmt.Sprint("n", g.count)
	g.parts = append(g.parts, longs(name, v...))
	return name
}

// window is the attributes of what goes over a picture.
func (g *drawnGraph) window(kh, kw int64) [][]byte {
	a := [][]byte{ints("kernel_shape", kh, kw), ints("strides", 1+g.next(3), 1+g.next(3)), ints("dilations", 1+g.next(2), 1+g.next(2))}
	switch g.next(5) {
	case 0:
		return append(a, str("auto_pad", []string{"SAME_UPPER", "SAME_LOWER", "VALID"}[g.next(3)]))
	case 1:
		return append(a, ints("pads", g.next(3), g.next(3), g.next(3), g.next(3)))
	}
	return a
}

// layer adds one operator.
func (g *drawnGraph) layer() {
	v := g.value()
	c, kh, kw := g.channels[v], 1+g.next(3), 1+g.next(3)
	switch g.next(18) {
	case 0:
		g.add([]string{"Relu", "Sigmoid", "Tanh", "Neg", "Abs", "HardSwish"}[g.next(6)], v, c)
	case 1, 2:
		out, group := 1+g.next(4), int64(1)
		if g.next(3) == 0 {
			group, out = c, c*(1+g.next(2))
		}
		g.add("Conv", v+" "+g.weights(out, max(c/group, 1), kh, kw), out, append(g.window(kh, kw), integer("group", group))...)
	case 3:
		out := 1 + g.next(3)
		g.add("ConvTranspose", v+" "+g.weights(c, out, kh, kw), out, append(g.window(kh, kw), ints("output_padding", g.next(2), g.next(2)))...)
	case 4:
		g.add("MaxPool", v, c, append(g.window(kh, kw), integer("ceil_mode", g.next(2)))...)
	case 5:
		g.add("AveragePool", v, c, ints("kernel_shape", kh, kw), ints("strides", 1+g.next(3), 1+g.next(3)), ints("pads", g.next(2), g.next(2), g.next(2), g.next(2)), integer("ceil_mode", g.next(2)), integer("count_include_pad", g.next(2)))
	case 6:
		g.add("Transpose", v, c, ints("perm", 0, 1, 3, 2))
	case 7:
		other, axis := g.value(), 1+g.next(3)
		if axis == 1 {
			c += g.channels[other]
		}
		g.add("Concat", v+" "+other, c, integer("axis", axis))
	case 8:
		other := g.value()
		g.add([]string{"Add", "Mul", "Max", "Sub"}[g.next(4)], v+" "+other, max(c, g.channels[other]))
	case 9:
		g.add("Pad", v+" "+g.longs(0, 0, g.next(4)-1, g.next(4)-1, 0, 0, g.next(4)-1, g.next(4)-1), c)
	case 10:
		g.add("Slice", v+" "+g.longs(g.next(9)-4)+" "+g.longs([]int64{100, -1, 2, -100}[g.next(4)])+" "+g.longs(2+g.next(2))+" "+g.longs([]int64{1, 2, -1, -2}[g.next(4)]), c)
	case 11:
		scales := []float32{1, 1, []float32{.5, 1, 1.5, 2}[g.next(4)], []float32{.5, 1, 1.5, 2}[g.next(4)]}
		g.count++
		name := fmt.Sprint("s", g.count)
		g.parts = append(g.parts, floats(name, []int64{4}, scales...))
		g.add("Resize", v+" - "+name, c, str("mode", []string{"nearest", "linear"}[g.next(2)]))
	case 12:
		g.add("ReduceMean", v, c, ints("axes", 2+g.next(2)))
	case 13:
		g.add("DepthToSpace", v, max(c/4, 1), integer("blocksize", 2))
	case 14:
		g.add("SpaceToDepth", v, 4*c, integer("blocksize", 2))
	case 15:
		g.add([]string{"GlobalAveragePool", "GlobalMaxPool"}[g.next(2)], v, c)
	case 16:
		g.add("BatchNormalization", v+" "+g.weights(c)+" "+g.weights(c)+" "+g.weights(c)+" "+g.weights(c), c, float("epsilon", 9))
	case 17:
		g.add([]string{"Softmax", "LogSoftmax"}[g.next(2)], v, c, integer("axis", 1+g.next(3)))
	}
}

// FuzzShapes: networks of a few layers that bytes choose. Values have the shapes that the plan says, and what is written
// and read again gives the same numbers.
func FuzzShapes(f *testing.F) {
	f.Add([]byte{2, 8, 8, 0, 2, 2, 1, 3, 1, 0, 0, 0, 0, 4, 0, 0, 0})
	f.Add([]byte{3, 5, 7, 0, 2, 2, 4, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 2, 8, 1, 7})
	f.Add([]byte{0, 6, 4, 0, 1, 1, 9, 1, 2, 3, 0, 0, 0, 0, 11, 2, 3, 1, 0, 0, 10, 1, 2, 1, 3})
	f.Add([]byte{3, 3, 3, 0, 2, 2, 3, 2, 1, 1, 0, 0, 3, 1, 1, 0, 0, 0, 13, 0, 0, 0, 15, 0, 1, 0, 0, 8})
	f.Add([]byte{1, 9, 9, 0, 0, 0, 16, 0, 1, 1, 5, 1, 1, 1, 0, 1, 1, 0, 0, 0, 17, 0, 2})
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		g := &drawnGraph{bytes: b, values: []string{"x"}}
		c, h, w := 1+g.next(4), 1+g.next(9), 1+g.next(9)
		g.channels = map[string]int64{"x": c}
		for len(g.bytes) > 0 && len(g.values) < 12 {
			g.layer()
		}
		last := g.values[len(g.values)-1]
		data := file(13, append(g.parts, input("x", 1, c, h, w), output(last))...)
		read := func(data []byte) (net *model.Network, err error) {
			err = hostile.Read(t, len(data), func() (err error) {
				if net, err = onnx.Read(data, "fuzz"); err != nil {
					err = errors.New(strings.ReplaceAll(imageio.OneLine(err).Error(), "\n", " "))
				}
				return err
			})
			return net, err
		}
		net, err := read(data)
		if err != nil || !asPlanned(t, net) {
			return
		}
		var again bytes.Buffer
		if onnx.Write(&again, net, 0) != nil {
			return
		}
		net2, err := read(again.Bytes())
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		want, got := outputOf(t, net), outputOf(t, net2)
		if len(got) != len(want) {
			t.Fatalf("gives %d numbers, and written and read again, %d", len(want), len(got))
		}
		for i, v := range want {
			if d := math.Abs(float64(got[i] - v)); d > 1e-3*(1+math.Abs(float64(v))) || (v != v) != (got[i] != got[i]) {
				t.Fatalf("number %d is %g, and written and read again, %g", i, v, got[i])
			}
		}
		asPlanned(t, net2)
	})
}

func outputOf(t testing.TB, net *model.Network) []float32 {
	t.Helper()
	engine := model.NewEngine(1)
	defer engine.Close()
	trace, err := engine.Forward(net, ramp(net, 1))
	if err != nil {
		t.Fatal(err)
	}
	return trace.Value(net.Output()).Data
}
