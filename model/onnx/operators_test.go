package onnx_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
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
		var v []float32
		for _, x := range a.Data {
			v = append(v, float32(x))
		}
		return floats(name, a.Dims, v...)
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

func (c *otherCase) file() []byte {
	var parts []part
	var attrs [][]byte
	for name, v := range c.Attrs {
		attrs = append(attrs, attributeOf(name, v))
	}
	ins := "x"
	for i, in := range c.Inputs[1:] {
		if in == nil {
			ins += " -"
			continue
		}
		name := fmt.Sprint("c", i)
		ins += " " + name
		parts = append(parts, in.constant(name))
	}
	outs := ""
	for range c.Out {
		outs += "- "
	}
	parts = append(parts, op(c.Op, ins, outs+"y", attrs...), input("x", c.Inputs[0].Dims...), output("y"))
	return file(c.Opset, parts...)
}

// Every case of operators.json gives what PyTorch or NumPy gave (see
// make_operators.py), also with all floats computed from the picture.
func TestOperatorsOfOthers(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	for _, c := range operatorCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			g, err := onnx.ReadGraph(c.file(), onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var x, want []float32
			for _, v := range c.Inputs[0].Data {
				x = append(x, float32(v))
			}
			for _, v := range c.Want.Data {
				want = append(want, float32(v))
			}
			trace, err := engine.Forward(g.Net, tensor.From(x, 1, g.Net.Input.C, g.Net.Input.H, g.Net.Input.W))
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(g.Outputs[0].Dims) != fmt.Sprint(c.Want.Dims) {
				t.Errorf("shape %v, want %v", g.Outputs[0].Dims, c.Want.Dims)
			}
			got := trace.Value(g.Outputs[0].Layer).Data
			for i := range min(len(got), len(want)) {
				if math.IsNaN(float64(got[i])) && math.IsNaN(float64(want[i])) {
					got[i], want[i] = 0, 0
				}
			}
			if err := viztest.Close(got, want, 1e-5); err != nil {
				t.Errorf("%v\ngot  %v\nwant %v", err, got, want)
			}
		})
	}
}
