package onnx_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
	"google.golang.org/protobuf/encoding/protowire"
)

// numbers is an array in operators.json; kind is f, i or b: floats, integers, truth values.
type numbers struct {
	Dims []int64
	Kind string
	Data []float64
}

// constant is an initialiser called name.
func (a *numbers) constant(name string) part {
	typ := map[string]int64{"f": 1, "i": 7, "b": 9}[a.Kind]
	t := num(text(nil, 8, name), 2, typ)
	for _, d := range a.Dims {
		t = num(t, 1, d)
	}
	if a.Kind == "f" {
		return floats(name, a.Dims, a.floats()...)
	}
	for _, v := range a.Data {
		t = num(t, map[string]protowire.Number{"i": 7, "b": 5}[a.Kind], int64(v))
	}
	return msg(nil, 5, t)
}

// attribute writes an attribute of JSON.
func attributeOf(name string, v any) []byte {
	switch v := v.(type) {
	case string:
		return str(name, v)
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return integer(name, i)
		}
		f, _ := v.Float64()
		return float(name, float32(f))
	case []any:
		var list []int64
		for _, x := range v {
			i, _ := x.(json.Number).Int64()
			list = append(list, i)
		}
		return ints(name, list...)
	}
	panic(fmt.Sprint(v))
}

// otherCase is a case of operators.json: one operator on the first input, the
// others constant, and its output number Out.
type otherCase struct {
	Name, Op string
	Opset    int64
	Attrs    map[string]any
	Inputs   []*numbers
	Out      int
	Want     numbers
}

func operatorCases(t testing.TB) []otherCase {
	f, err := os.Open("testdata/operators.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []otherCase
	d := json.NewDecoder(f)
	d.UseNumber()
	if err := d.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// file has the first input as the picture, the others as constants.
func (c *otherCase) file() []byte {
	var parts []part
	names := []string{"x"}
	for i, in := range c.Inputs[1:] {
		if in == nil {
			names = append(names, "-")
			continue
		}
		name := fmt.Sprint("c", i)
		names = append(names, name)
		parts = append(parts, in.constant(name))
	}
	return file(c.Opset, append(parts, c.node(names), input("x", c.Inputs[0].Dims...), output("y"))...)
}

func (c *otherCase) node(inputs []string) part {
	var attrs [][]byte
	for name, v := range c.Attrs {
		attrs = append(attrs, attributeOf(name, v))
	}
	return op(c.Op, strings.Join(inputs, " "), strings.Repeat("- ", c.Out)+"y", attrs...)
}

// computed has all inputs that are not empty as pieces of the picture x.
func (c *otherCase) computed() (data []byte, x []float32) {
	parts := []part{longs("one", 1)}
	var names []string
	for i, in := range c.Inputs {
		if in == nil {
			names = append(names, "-")
			continue
		}
		name := fmt.Sprint("c", i)
		names = append(names, name)
		v := in.floats()
		if len(v) == 0 || c.Op == "Attention" && in.Kind == "b" { // numbers are no mask of truth values
			parts = append(parts, in.constant(name))
			continue
		}
		parts = append(parts, longs(name+"from", int64(len(x))), longs(name+"to", int64(len(x)+len(v))), longs(name+"dims", in.Dims...),
			op("Slice", "x "+name+"from "+name+"to one", name+"part"), op("Reshape", name+"part "+name+"dims", name))
		x = append(x, v...)
	}
	return file(c.Opset, append(parts, c.node(names), input("x", 1, int64(len(x))), output("y"))...), x
}

// constantOnly are operators some input of which must be known at import: sizes,
// axes, and statistics of layers.
var constantOnly = map[string]bool{"CumSum": true, "TopK": true, "Compress": true, "ReverseSequence": true, "AffineGrid": true, "Col2Im": true, "CenterCropPad": true, "Trilu": true, "OneHot": true, "MaxUnpool": true, "GroupNormalization": true,
	"ConvTranspose": true, "Resize": true, "Pad": true, "LayerNormalization": true, "RMSNormalization": true, "InstanceNormalization": true, "BatchNormalization": true}

func (a *numbers) floats() []float32 {
	var v []float32
	for _, x := range a.Data {
		v = append(v, float32(x))
	}
	return v
}

// Every case of operators.json gives what PyTorch or NumPy gave (see
// make_operators.py), with the other inputs constant and with all computed.
func TestOperatorsOfOthers(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	for _, c := range operatorCases(t) {
		check := func(t *testing.T, data []byte, x []float32) error {
			g, err := onnx.ReadGraph(data, onnx.Options{})
			if err != nil {
				return err
			}
			if constantOnly[c.Op] && len(g.Notes) > 0 {
				t.Skip("the operator is left out behind the scores")
			}
			in := g.Net.Input
			trace, err := engine.Forward(g.Net, tensor.From(x, len(x)/in.Shape().Len(), in.C, in.H, in.W))
			if err != nil {
				return err
			}
			if fmt.Sprint(g.Outputs[0].Dims) != fmt.Sprint(c.Want.Dims) {
				t.Errorf("shape %v, want %v", g.Outputs[0].Dims, c.Want.Dims)
			}
			got, want := trace.Value(g.Outputs[0].Layer).Data, c.Want.floats()
			if err := viztest.Close(got, want, 1e-5); err != nil {
				t.Errorf("%v\ngot  %v\nwant %v", err, got, want)
			}
			return nil
		}
		t.Run(c.Name, func(t *testing.T) {
			if err := check(t, c.file(), c.Inputs[0].floats()); err != nil {
				t.Error(err)
			}
		})
		t.Run(c.Name+", computed", func(t *testing.T) {
			if len(c.Inputs) == 1 {
				t.Skip("it has one input")
			}
			data, x := c.computed()
			err := check(t, data, x)
			if _, refused := errors.AsType[*onnx.Unsupported](err); refused && constantOnly[c.Op] {
				t.Skip(err)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestComputedWeights: weights that constants are computed to, as by a network whose
// weights are standardised, are weights; those computed from the picture multiply
// what each window sees.
func TestComputedWeights(t *testing.T) {
	k := []float32{1, 2, 4, -1, 0, 3, 2, 2}
	w := floats("w", []int64{2, 2, 1, 2}, k...)
	x := []float32{1, 2, 3, -1, 0, 5, 2, 2, 1, 4, -2, 3}
	graph := func(more ...part) []byte {
		return file(18, append(more, w, input("x", 1, 2, 2, 3), output("y"))...)
	}
	steps := []part{longs("rows", 1, 2, 4), longs("kernel", 2, 2, 1, 2), floats("one", []int64{2}, 1, 1), floats("zero", []int64{2}, 0, 0),
		op("Reshape", "w rows", "flat"), op("InstanceNormalization", "flat one zero", "even"), op("Reshape", "even kernel", "v"),
		op("Conv", "x v", "y", ints("pads", 1, 0, 0, 1), ints("strides", 1, 2))}
	net := load(t, graph(steps...))
	conv, ok := net.Nodes[0].Layer.(*model.Conv)
	if len(net.Nodes) != 1 || !ok {
		t.Fatalf("%v, want one convolution", net)
	}
	for row := range 2 {
		mean, square := 0.0, 0.0
		for _, v := range k[row*4:][:4] {
			mean += float64(v) / 4
		}
		for _, v := range k[row*4:][:4] {
			square += (float64(v) - mean) * (float64(v) - mean) / 4
		}
		for i, v := range k[row*4:][:4] {
			if want := (float64(v) - mean) / math.Sqrt(square+1e-5); math.Abs(float64(conv.Weight.Data[row*4+i])-want) > 1e-6 {
				t.Errorf("weight %d of row %d is %g, want %g", i, row, conv.Weight.Data[row*4+i], want)
			}
		}
	}
	// x decides, but only formally, so that the weights are w.
	same := []part{floats("b", []int64{2}, 1, 2), op("Mul", "x nothing", "zeros"), op("ReduceSum", "zeros", "none"), op("Add", "none w", "v"), floats("nothing", nil, 0)}
	for _, attrs := range [][][]byte{{ints("pads", 1, 0, 0, 1), ints("strides", 1, 2)}, {}, {ints("dilations", 1, 2)}} {
		want := eval(t, load(t, graph(floats("b", []int64{2}, 1, 2), op("Conv", "x w b", "y", attrs...))), x...)
		got := eval(t, load(t, graph(append(same, op("Conv", "x v b", "y", attrs...))...)), x...)
		if err := viztest.Close(got, want, 1e-5); err != nil {
			t.Error(err)
		}
	}
}

// TestConstantsByLayers: what operators make of constants is constant, whatever
// they are, and may serve as sizes and indices.
func TestConstantsByLayers(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6}
	for name, c := range map[string]struct {
		graph []part
		want  []float32
	}{
		"sums as indices": {[]part{longs("a", 1, 0, 1), longs("zero", 0), op("CumSum", "a zero", "i"), op("Gather", "x i", "y", integer("axis", 2))}, []float32{2, 2, 3, 5, 5, 6}},
		"non-zero":        {[]part{truth("m", 0, 1, 1), op("NonZero", "m", "n"), longs("zero", 0), op("Squeeze", "n zero", "i"), op("Gather", "x i", "y", integer("axis", 2))}, []float32{2, 3, 5, 6}},
		"scattered sizes": {[]part{longs("s", 1, 1, 1), longs("at", 1), longs("u", 6), op("ScatterElements", "s at u", "t"), op("Reshape", "x t", "r"), op("Neg", "r", "n"), op("Neg", "n", "y")}, x},
		"a mask":          {[]part{floats("k", []int64{2, 3}, 1, 1, 1, 1, 1, 1), op("Trilu", "k", "m"), op("Mul", "x m", "y")}, []float32{1, 2, 3, 0, 5, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			net := load(t, file(18, append(c.graph, input("x", 1, 2, 3), output("y"))...))
			if got := eval(t, net, x...); viztest.Close(got, c.want, 1e-6) != nil {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for _, n := range net.Nodes {
				if _, ok := n.Layer.(*model.Constant); ok {
					t.Errorf("layer %s is computed anew for every picture", n.Name)
				}
			}
		})
	}
}

// TestNormsOfChannelsLast: what normalises the last axis of maps that are seen with
// the channels last works on the channels where they lie, with nothing moved.
func TestNormsOfChannelsLast(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 7, -1, 0, 2, 2, 8, 1}
	scale, shift := []float32{2, -1, .5}, []float32{.1, .2, .3}
	net := load(t, file(17, floats("s", []int64{3}, scale...), floats("b", []int64{3}, shift...), op("Transpose", "x", "h", ints("perm", 0, 2, 3, 1)),
		op("LayerNormalization", "h s b", "n"), op("Transpose", "n", "y", ints("perm", 0, 3, 1, 2)), input("x", 1, 3, 2, 2), output("y")))
	if len(net.Nodes) != 1 || net.Nodes[0].Layer.Kind() != "Normalize" {
		t.Fatalf("%v, want one layer", net)
	}
	got := eval(t, net, x...)
	for p := range 4 {
		mean, square := 0.0, 0.0
		for c := range 3 {
			mean += float64(x[c*4+p]) / 3
		}
		for c := range 3 {
			square += (float64(x[c*4+p]) - mean) * (float64(x[c*4+p]) - mean) / 3
		}
		for c := range 3 {
			want := (float64(x[c*4+p])-mean)/math.Sqrt(square+1e-5)*float64(scale[c]) + float64(shift[c])
			if math.Abs(float64(got[c*4+p])-want) > 1e-5 {
				t.Errorf("channel %d, place %d: %g, want %g", c, p, got[c*4+p], want)
			}
		}
	}
}
