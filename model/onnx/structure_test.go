package onnx_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"google.golang.org/protobuf/encoding/protowire"
)

// graphAttr is an attribute that is a graph.
func graphAttr(name string, parts ...part) []byte {
	var g []byte
	for _, p := range parts {
		g = append(g, p...)
	}
	return msg(num(text(nil, 1, name), 20, 5), 6, g)
}

// given is a graph input without a type.
func given(name string) part { return msg(nil, 11, text(nil, 1, name)) }

// ref is an attribute that stands for one of the function around it.
func ref(name, of string) []byte { return text(text(nil, 1, name), 21, of) }

// in moves a node to another domain, and gives it an overload if it is not "".
func in(domain, overload string, p part) part {
	_, _, n := protowire.ConsumeTag(p)
	b, _ := protowire.ConsumeBytes(p[n:])
	b = text(slices.Clone(b), 7, domain)
	if overload != "" {
		b = text(b, 8, overload)
	}
	return msg(nil, 1, b)
}

// fn is a function of a file; attributes with values are defaults.
func fn(domain, name, ins, outs string, attrs [][]byte, nodes ...part) []byte {
	f := text(nil, 1, name)
	for _, s := range split(ins) {
		f = text(f, 4, s)
	}
	for _, s := range split(outs) {
		f = text(f, 5, s)
	}
	for _, a := range attrs {
		f = msg(f, 11, a)
	}
	for _, n := range nodes {
		_, _, k := protowire.ConsumeTag(n)
		b, _ := protowire.ConsumeBytes(n[k:])
		f = msg(f, 7, b)
	}
	f = msg(f, 9, num(nil, 2, 13))
	f = text(f, 10, domain)
	return msg(nil, 25, f)
}

func truth(name string, v ...int64) part {
	t := num(text(nil, 8, name), 2, 9)
	if len(v) > 1 {
		t = num(t, 1, int64(len(v)))
	}
	for _, x := range v {
		t = num(t, 5, x)
	}
	return msg(nil, 5, t)
}

// long is an initialiser of one integer without axes.
func long(name string, v int64) part {
	return msg(nil, 5, num(num(text(nil, 8, name), 2, 7), 7, v))
}

type structureCase struct {
	name      string
	graph     []part
	functions [][]byte
	want      []float32 // for the input 1, -2, 3, -4 of [1, 1, 2, 2]
}

func structureCases() []structureCase {
	half := floats("half", nil, 0.5)
	one := floats("one", nil, 1)
	double := fn("pkg", "Double", "a", "b", nil, op("Add", "a a", "b"))
	leaky := fn("pkg", "Leaky", "a", "b", [][]byte{float("slope", 0.5)}, op("LeakyRelu", "a", "t", ref("alpha", "slope")), op("Identity", "t", "b"))
	return []structureCase{
		{"function", []part{in("pkg", "", op("Double", "x", "y"))}, [][]byte{double}, []float32{2, -4, 6, -8}},
		{"function called twice, nested", []part{in("pkg", "", op("Quad", "x", "a")), in("pkg", "", op("Quad", "a", "y"))},
			[][]byte{fn("pkg", "Quad", "a", "b", nil, in("pkg", "", op("Double", "a", "t")), in("pkg", "", op("Double", "t", "b"))), double}, []float32{16, -32, 48, -64}},
		{"attribute given and default", []part{in("pkg", "", op("Leaky", "x", "a", float("slope", 0.25))), in("pkg", "", op("Leaky", "a", "y"))}, [][]byte{leaky}, []float32{1, -0.25, 3, -0.5}},
		{"attribute through two functions", []part{in("pkg", "", op("Outer", "x", "y", float("s", 0.25)))},
			[][]byte{leaky, fn("pkg", "Outer", "a", "b", nil, in("pkg", "", op("Leaky", "a", "b", ref("slope", "s"))))}, []float32{1, -0.5, 3, -1}},
		{"overloads", []part{in("pkg", "two", op("F", "x", "a")), in("pkg", "", op("F", "a", "y"))},
			[][]byte{text0(fn("pkg", "F", "a", "b", nil, op("Neg", "a", "b")), "two"), fn("pkg", "F", "a", "b", nil, op("Relu", "a", "b"))}, []float32{0, 2, 0, 4}},
		{"function of an older operator set", []part{in("pkg", "", op("F", "x", "y"))}, // then an axis and all behind it were one
			[][]byte{ofSet(fn("pkg", "F", "a", "b", nil, op("Hardmax", "a", "b", integer("axis", 1))), 11)}, []float32{0, 0, 1, 0}},
		{"Loop that reads the same sum in each turn", []part{floats("w", []int64{1, 1, 1, 1}, 1), op("Conv", "x w", "c"), floats("k", []int64{1, 1, 1, 1}, 0.5), long("n", 2), op("Loop", "n - x", "y",
			graphAttr("body", given("i"), given("go"), given("s"), op("Add", "c k", "b"), op("Add", "s b", "t"), output("go"), output("t")))}, nil, []float32{4, -5, 10, -11}},
		{"same name in two domains", []part{in("p", "", op("F", "x", "a")), in("q", "", op("F", "a", "y"))},
			[][]byte{fn("p", "F", "a", "b", nil, op("Neg", "a", "b")), fn("q", "F", "a", "b", nil, op("Relu", "a", "b"))}, []float32{0, 2, 0, 4}},
		{"input passed through, input left out, output unused", []part{in("pkg", "", op("F", "x -", "u y"))},
			[][]byte{fn("pkg", "F", "a c", "b a", nil, op("Clip", "a c", "b"))}, []float32{1, -2, 3, -4}},
		{"value of the function named like one outside", []part{op("Neg", "x", "t"), in("pkg", "", op("F", "x", "b")), op("Add", "b t", "y")},
			[][]byte{fn("pkg", "F", "a", "b", nil, op("Relu", "a", "t"), op("Identity", "t", "b"))}, []float32{0, 2, 0, 4}},
		{"If in a function, with its attribute", []part{truth("c", 1), in("pkg", "", op("F", "x c", "y", float("s", 0.5)))},
			[][]byte{fn("pkg", "F", "a c", "b", nil, op("If", "c", "b",
				graphAttr("then_branch", op("LeakyRelu", "a", "t", ref("alpha", "s")), output("t")), graphAttr("else_branch", op("Neg", "a", "t"), output("t"))))}, []float32{1, -1, 3, -2}},
		{"If, else", []part{truth("c", 0), op("If", "c", "y", graphAttr("then_branch", op("Fancy", "x", "t"), output("t")), graphAttr("else_branch", op("Neg", "x", "t"), output("t")))},
			nil, []float32{-1, 2, -3, 4}},
		{"If on a shape; what only the other branch reads is not needed", []part{op("Shape", "x", "s"), long("i", 2), op("Gather", "s i", "h"), long("two", 2), op("Equal", "h two", "c"), op("Fancy", "x", "f"),
			op("If", "c", "y", graphAttr("then_branch", half, op("Mul", "x half", "t"), output("t")), graphAttr("else_branch", op("Neg", "f", "t"), output("t")))},
			nil, []float32{0.5, -1, 1.5, -2}},
		{"If in an If, an output of the outer graph, constants of one name", []part{truth("c", 1), one, op("If", "c", "y",
			graphAttr("then_branch", floats("one", nil, 2), op("If", "c", "u",
				graphAttr("then_branch", op("Mul", "x one", "v"), output("v")), graphAttr("else_branch", output("x"))), op("Add", "u one", "w"), output("w")),
			graphAttr("else_branch", output("x")))}, nil, []float32{4, -2, 8, -6}},
		{"branch that is a value from outside", []part{truth("c", 0), op("If", "c", "y", graphAttr("then_branch", op("Neg", "x", "t"), output("t")), graphAttr("else_branch", output("x")))},
			nil, []float32{1, -2, 3, -4}},
		{"Loop: states, rows, captures", []part{long("n", 3), truth("c", 1), one, op("Loop", "n c x", "last rows",
			graphAttr("body", given("i"), given("go"), given("s"), op("Identity", "go", "goes"), op("Add", "s one", "t"), op("Mul", "x s", "r"), output("goes"), output("t"), output("r"))),
			op("ReduceSum", "rows", "sum", ints("axes", 0), integer("keepdims", 0)), op("Add", "last sum", "y")},
			// last = x+3; rows x*x, x*(x+1), x*(x+2): 3x²+3x
			nil, []float32{10, 7, 42, 35}},
		{"Loop that ends by its condition, and counts", []part{long("n", 100), truth("c", 1), long("three", 3), op("Loop", "n c x", "y",
			graphAttr("body", given("i"), given("go"), given("s"), op("Less", "i three", "goes"), op("Add", "s s", "t"), output("goes"), output("t")))},
			nil, []float32{16, -32, 48, -64}},
		{"If on what layers compute from constants", []part{floats("k", []int64{1, 3}, 1, 2, 3), op("Softmax", "k", "p"), op("ReduceMax", "p", "m", integer("keepdims", 0)), floats("h", nil, 0.5), op("Greater", "m h", "c"),
			op("If", "c", "y", graphAttr("then_branch", op("Neg", "x", "t"), output("t")), graphAttr("else_branch", output("x")))}, nil, []float32{-1, 2, -3, 4}},
		{"Loop without a turn", []part{long("n", 0), truth("c", 1), op("Loop", "n c x", "y",
			graphAttr("body", given("i"), given("go"), given("s"), op("Add", "s s", "t"), output("go"), output("t")))},
			nil, []float32{1, -2, 3, -4}},
		{"Scan over rows, backwards", []part{longs("s", 2, 2), op("Reshape", "x s", "m"), floats("z", []int64{2}, 0, 0), op("Scan", "z m", "last sums", integer("num_scan_inputs", 1),
			ints("scan_input_directions", 1), ints("scan_output_directions", 1),
			graphAttr("body", given("sum"), given("row"), op("Add", "sum row", "t"), op("Identity", "t", "r"), output("t"), output("r"))), longs("q", 1, 1, 2, 2), op("Reshape", "sums q", "y")},
			nil, []float32{4, -6, 3, -4}},
		{"Scan over columns", []part{longs("s", 2, 2), op("Reshape", "x s", "m"), floats("z", []int64{2}, 0, 0), op("Scan", "z m", "last sums", integer("num_scan_inputs", 1),
			ints("scan_input_axes", 1), ints("scan_output_axes", -1),
			graphAttr("body", given("sum"), given("row"), op("Add", "sum row", "t"), op("Identity", "t", "r"), output("t"), output("r"))), longs("q", 1, 1, 2, 2), op("Reshape", "sums q", "y")},
			nil, []float32{1, -1, 3, -1}},
		{"names that are no UTF-8", []part{op("Relu", "x", "a\xe9"), op("Neg", "x", "a\xe8"), op("Add", "a\xe9 a\xe8", "y")}, nil, []float32{0, 2, 0, 4}},
		{"sequence split, changed, joined", []part{op("SplitToSequence", "x", "s", integer("axis", 2)), long("z", 0), op("SequenceAt", "s z", "a"), op("Neg", "a", "na"),
			op("SequenceErase", "s z", "s2"), op("SequenceInsert", "s2 na", "s3"), op("ConcatFromSequence", "s3", "y", integer("axis", 2))},
			nil, []float32{3, -4, -1, 2}},
		{"sequence of rows, stacked", []part{op("SplitToSequence", "x", "s", integer("axis", 3), integer("keepdims", 0)), op("ConcatFromSequence", "s", "t", integer("axis", 2), integer("new_axis", 1)), op("Identity", "t", "y")},
			nil, []float32{1, 3, -2, -4}},
		{"sequence grown in a Loop", []part{op("SequenceEmpty", "", "e"), long("n", 2), truth("c", 1), op("Loop", "n c e", "s",
			graphAttr("body", given("i"), given("go"), given("q"), op("Cast", "i", "f", integer("to", 1)), op("Add", "x f", "r"), op("SequenceInsert", "q r", "q2"), output("go"), output("q2"))),
			op("SequenceLength", "s", "len"), op("Cast", "len", "l", integer("to", 1)), long("m", -1), op("SequenceAt", "s m", "last"), op("Mul", "last l", "y")},
			nil, []float32{4, -2, 8, -6}},
		{"SequenceMap", []part{op("SequenceConstruct", "x x", "s"), op("SequenceMap", "s x", "u", graphAttr("body", given("a"), given("b"), op("Add", "a b", "t"), output("t"))), op("ConcatFromSequence", "u", "v", integer("axis", 1)),
			op("ReduceSum", "v", "y", ints("axes", 1))}, nil, []float32{4, -8, 12, -16}},
		{"type of another", []part{long("k", 1), op("CastLike", "x k", "i"), op("CastLike", "i x", "f"), op("Div", "f x", "q"), op("Mul", "q x", "y")}, nil, []float32{1, -2, 3, -4}},
		{"diagonal", []part{longs("s", 2, 2), op("Reshape", "x s", "m"), op("EyeLike", "m", "e", integer("k", 1)), op("Add", "x e", "y")}, nil, []float32{1, -1, 3, -4}},
		{"optional", []part{op("Optional", "x", "o"), op("OptionalHasElement", "o", "c"), op("If", "c", "y",
			graphAttr("then_branch", op("OptionalGetElement", "o", "t"), output("t")), graphAttr("else_branch", op("Neg", "x", "t"), output("t")))}, nil, []float32{1, -2, 3, -4}},
		{"initialiser given twice", []part{half, half, op("Mul", "x half", "y")}, nil, []float32{0.5, -1, 1.5, -2}},
		{"sparse, places counted through", []part{sparse("k", []int64{2, 2}, []float32{5, 7}, []int64{2}, 1, 2), op("Add", "x k", "y")}, nil, []float32{1, 3, 10, -4}},
		{"sparse, places by axis", []part{sparse("k", []int64{2, 2}, []float32{5, 7}, []int64{2, 2}, 0, 1, 1, 0), op("Add", "x k", "y")}, nil, []float32{1, 3, 10, -4}},
		{"sparse value of a Constant", []part{op("Constant", "", "k", msg(text(nil, 1, "sparse_value"), 22, sparseMsg("", []int64{2, 2}, []float32{5}, []int64{1}, 3))), op("Add", "x k", "y")}, nil, []float32{1, -2, 3, 1}},
		{"names and notes on nodes", []part{op("Relu", "x", "a/b:c\td\"<é>"), msg(nil, 1, msg(text(text(text(nil, 1, "a/b:c\td\"<é>"), 2, "y"), 4, "Neg"), 9, text(text(nil, 1, "key"), 2, "value")))}, nil, []float32{-1, 0, -3, 0}},
	}
}

// ofSet gives a function another operator set, which goes before the one it has.
func ofSet(f []byte, opset int64) []byte {
	_, _, n := protowire.ConsumeTag(f)
	b, _ := protowire.ConsumeBytes(f[n:])
	return msg(nil, 25, msg(nil, 9, num(nil, 2, opset)), b)
}

// text0 gives a function an overload.
func text0(f []byte, overload string) []byte {
	_, _, n := protowire.ConsumeTag(f)
	b, _ := protowire.ConsumeBytes(f[n:])
	return msg(nil, 25, text(slices.Clone(b), 13, overload))
}

func sparseMsg(name string, dims []int64, values []float32, shape []int64, at ...int64) []byte {
	strip := func(p part) []byte {
		_, _, n := protowire.ConsumeTag(p)
		b, _ := protowire.ConsumeBytes(p[n:])
		return b
	}
	i := num(nil, 2, 7)
	for _, d := range shape {
		i = num(i, 1, d)
	}
	for _, v := range at {
		i = num(i, 7, v)
	}
	t := msg(msg(nil, 1, strip(floats(name, []int64{int64(len(values))}, values...))), 2, i)
	for _, d := range dims {
		t = num(t, 3, d)
	}
	return t
}

func sparse(name string, dims []int64, values []float32, shape []int64, at ...int64) part {
	return msg(nil, 15, sparseMsg(name, dims, values, shape, at...))
}

func (c structureCase) file() []byte {
	b := file(13, append(slices.Clone(c.graph), input("x", 1, 1, 2, 2), output("y"))...)
	for _, f := range c.functions {
		b = append(b, f...)
	}
	return b
}

// TestStructure: functions, graphs inside nodes, sequences and sparse tensors
// become what they compute. The numbers are worked out by hand.
func TestStructure(t *testing.T) {
	for _, c := range structureCases() {
		t.Run(c.name, func(t *testing.T) {
			net := load(t, c.file())
			if got := eval(t, net, 1, -2, 3, -4); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			for i, n := range net.Nodes { // nothing is left that the output does not need
				read := i == len(net.Nodes)-1
				for _, m := range net.Nodes[i+1:] {
					read = read || slices.Contains(m.Inputs, n.Name)
				}
				if !read {
					t.Errorf("layer %s is read by none", n.Name)
				}
			}
		})
	}
}

// TestSequenceOutput: the values of a sequence are outputs of their own.
func TestSequenceOutput(t *testing.T) {
	g, err := onnx.ReadGraph(file(13, input("x", 1, 1, 2, 2), op("Relu", "x", "a"), op("Neg", "x", "b"), op("SequenceConstruct", "a b", "s"), output("s")), onnx.Options{})
	if err != nil || len(g.Outputs) != 2 || g.Outputs[1].Name != "s[1]" || g.Outputs[1].Layer != "n:b" {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestStructureRefusals are structures whose course only the picture decides,
// or that are too long or wrong.
func TestStructureRefusals(t *testing.T) {
	sum := []part{op("ReduceSum", "x", "q"), op("Cast", "q", "b", integer("to", 9))}
	keep := graphAttr("then_branch", output("x"))
	other := graphAttr("else_branch", output("x"))
	body := graphAttr("body", given("i"), given("go"), given("s"), op("Add", "s s", "t"), output("go"), output("t"))
	for _, c := range []struct {
		want string
		c    structureCase
	}{
		{"n:y (If, opset 13): its condition q is computed from the picture", structureCase{graph: append(slices.Clone(sum[:1]), op("If", "q", "y", keep, other))}},
		{"it has no graph else_branch", structureCase{graph: []part{truth("c", 0), op("If", "c", "y", keep)}}},
		{"its condition is constant integers [2]", structureCase{graph: []part{truth("c", 0, 1), op("If", "c", "y", keep, other)}}},
		{"has 1 outputs, want 2", structureCase{graph: []part{truth("c", 0), op("If", "c", "a b", keep, other), op("Add", "a b", "y")}}},
		{"n:y/n:f (Fancy, opset 13): the operator is not supported", structureCase{graph: []part{truth("c", 0), op("If", "c", "y", keep, graphAttr("else_branch", op("Fancy", "x", "f"), output("f")))}}},
		{"n:y/n:t (Fancy, opset 13)", structureCase{graph: []part{in("pkg", "", op("F", "x", "y"))}, functions: [][]byte{fn("pkg", "F", "a", "b", nil, op("Fancy", "a", "t"), op("Neg", "t", "b"))}}},
		{"the number of its turns, q, is computed from the picture", structureCase{graph: append(slices.Clone(sum[:1]), op("Loop", "q - x", "y", body))}},
		{"written out are more than 10000 nodes", structureCase{graph: []part{long("n", 1<<40), truth("c", 1), op("Loop", "n c x", "y", body)}}},
		{"written out are more than 10000 nodes", structureCase{graph: []part{op("Loop", "- - x", "y", body)}}},
		{"its body has 3 inputs and 2 outputs, want 4 and 3", structureCase{graph: []part{long("n", 2), op("Loop", "n - x x", "y", body)}}},
		{"its output y is empty", structureCase{graph: []part{long("n", 0), op("Loop", "n - x", "u y", graphAttr("body", given("i"), given("go"), given("s"), op("Add", "s s", "t"), output("go"), output("t"), output("t")))}}},
		{"num_scan_inputs is 3 of 1 inputs", structureCase{graph: []part{op("Scan", "x", "y", integer("num_scan_inputs", 3), body)}}},
		{"an input is a sequence", structureCase{graph: []part{op("SequenceConstruct", "x", "s"), op("Relu", "s", "y")}}},
		{"axis 4 of 1", structureCase{graph: []part{op("SequenceConstruct", "x", "s"), long("p", 4), op("SequenceAt", "s p", "y")}}},
		{"input 0 is no sequence", structureCase{graph: []part{op("ConcatFromSequence", "x", "y", integer("axis", 0))}}},
		{"the function has 1 inputs and 1 outputs, the node 2 and 1", structureCase{graph: []part{in("pkg", "", op("F", "x x", "y"))}, functions: [][]byte{fn("pkg", "F", "a", "b", nil, op("Neg", "a", "b"))}}},
		{"lie inside each other more than 64 deep", structureCase{graph: []part{in("pkg", "", op("F", "x", "y"))}, functions: [][]byte{fn("pkg", "F", "a", "b", nil, in("pkg", "", op("F", "a", "b")))}}},
		{"function pkg.F is there twice", structureCase{graph: []part{op("Relu", "x", "y")}, functions: [][]byte{fn("pkg", "F", "a", "b", nil), fn("pkg", "F", "a", "b", nil)}}},
		{`the name "k" is taken`, structureCase{graph: []part{floats("k", nil, 1), floats("k", nil, 2), op("Mul", "x k", "y")}}},
		{"index 4 of 4", structureCase{graph: []part{sparse("k", []int64{2, 2}, []float32{5}, []int64{1}, 4), op("Add", "x k", "y")}}},
		{"asks for more than the file can hold", structureCase{graph: []part{sparse("k", []int64{1 << 20, 1 << 20}, []float32{5}, []int64{1}, 4), op("Add", "x k", "y")}}},
	} {
		_, err := onnx.Read(c.c.file(), "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v\nwant %q in it", err, c.want)
		}
	}
}

// TestErrorText: each operator is named once, with its first node, how many more
// there are, and what would help.
func TestErrorText(t *testing.T) {
	graph := []part{input("x", 1, 1, 2, 2), output("y")}
	last := "x"
	for i := range 3 {
		out := fmt.Sprintf("a%d", i)
		graph = append(graph, in("com.microsoft.nchwc", "", op("Conv", last, out)), op("Fancy", out, out+"f"), in("my.domain", "", op("Thing", out+"f", out+"t")))
		last = out + "t"
	}
	graph = append(graph, op("RandomNormalLike", last, "y"))
	_, err := onnx.Read(file(13, graph...), "")
	want := `10 of the nodes cannot be used
  n:a0 (com.microsoft.nchwc.Conv): operators of this domain are not supported; so 2 more com.microsoft.nchwc.Conv
    ONNX Runtime has optimised this file for one kind of processor: save it with optimisation level "extended" or "basic", or take the file it was made from
  n:a0f (Fancy, opset 13): the operator is not supported; so 2 more Fancy
  n:a0t (my.domain.Thing): operators of this domain are not supported; so 2 more my.domain.Thing
    an operator of one program: export with operators of ONNX only, or with the operator as a function in the file
  n:y (RandomNormalLike, opset 13): the operator is not supported
    it draws random numbers: export the network for inference, model.eval()`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// TestOldScan: Scan of operator set 8 has an axis of images.
func TestOldScan(t *testing.T) {
	f := file(8, input("x", 1, 3, 2), output("y"), floats("z", []int64{1, 2}, 1, 1), op("Scan", "- z x", "last y", integer("num_scan_inputs", 1), ints("directions", 1),
		graphAttr("body", given("sum"), given("row"), op("Add", "sum row", "t"), op("Identity", "t", "r"), output("t"), output("r"))))
	if got, want := eval(t, load(t, f), 1, 2, 3, 4, 5, 6), []float32{6, 7, 9, 11, 10, 13}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestBombs: small files that ask for much are refused at once, in little memory.
func TestBombs(t *testing.T) {
	var doubling [][]byte
	doubling = append(doubling, fn("p", "F0", "a", "b", nil, op("Neg", "a", "b")))
	for i := 1; i < 40; i++ {
		f := fmt.Sprintf("F%d", i-1)
		doubling = append(doubling, fn("p", fmt.Sprintf("F%d", i), "a", "b", nil, in("p", "", op(f, "a", "t")), in("p", "", op(f, "t", "b"))))
	}
	deep := part(op("Neg", "x", "y"))
	for range 100 {
		deep = op("If", "x", "y", graphAttr("then_branch", deep, output("y")))
	}
	add := op("Add", "s s", "t")
	loop := func(inside part) part {
		return op("Loop", "n - s", "t", graphAttr("body", given("i"), given("go"), given("s"), inside, output("go"), output("t")))
	}
	for name, c := range map[string]structureCase{
		"functions that double": {graph: []part{in("p", "", op("F39", "x", "y"))}, functions: doubling},
		"graphs 100 deep":       {graph: []part{deep}},
		"loops of loops": {graph: []part{long("n", 1000), op("Identity", "x", "s"), op("Loop", "n - s", "y",
			graphAttr("body", given("i"), given("go"), given("s"), loop(loop(add)), output("go"), output("t")))}},
		"sequence that doubles": {graph: []part{op("SplitToSequence", "x", "s", integer("axis", 2)), long("n", 1000), op("Loop", "n - s", "u",
			graphAttr("body", given("i"), given("go"), given("s"), op("SequenceInsert", "s x", "t"), output("go"), output("t"))), op("ConcatFromSequence", "u", "y", integer("axis", 0))}},
	} {
		data := c.file()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := onnx.Read(data, "")
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		size := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes, %v, %d bytes of memory", name, len(data), took, size)
		if err == nil || took > tooLong || size > uint64(16<<20+200*len(data)) {
			t.Errorf("%s: %.100v after %v and %d bytes of memory", name, err, took, size)
		}
	}
}

// TestNewerOpsets are read with a note.
func TestNewerOpsets(t *testing.T) {
	for _, c := range []struct {
		opset int64
		notes int
	}{{22, 0}, {25, 0}, {99, 1}} {
		g, err := onnx.ReadGraph(file(c.opset, input("x", 1, 1, 1, 1), op("Relu", "x", "y"), output("y")), onnx.Options{})
		if err != nil || len(g.Notes) != c.notes {
			t.Errorf("operator set %d: %v, %+v", c.opset, err, g)
		}
	}
	_, err := onnx.Read(file(0, input("x", 1, 1, 1, 1), op("Relu", "x", "y"), output("y")), "")
	if u, ok := errors.AsType[*onnx.Unsupported](err); err == nil || ok {
		t.Errorf("no operator set: %v %v", err, u)
	}
}

// TestManyNodes: a graph of very many nodes is refused with the limit.
func TestManyNodes(t *testing.T) {
	parts := []part{input("x", 1, 1, 1, 1), output("y")}
	for range 40_001 {
		parts = append(parts, op("Neg", "x", "y"))
	}
	if _, err := onnx.Read(file(13, parts...), ""); err == nil || !strings.Contains(err.Error(), "more nodes in a graph than 40000") {
		t.Errorf("got %v", err)
	}
}

// TestManyLayers: a chain of very many layers is refused with the limit, one of many is not, and its fields need no way
// through all layers before each.
func TestManyLayers(t *testing.T) {
	chain := func(n int) (*model.Network, error) {
		parts := []part{input("v0", 1, 1, 4, 4), output(fmt.Sprint("v", n))}
		for i := range n {
			parts = append(parts, op("Neg", fmt.Sprint("v", i), fmt.Sprint("v", i+1)))
		}
		return onnx.Read(file(13, parts...), "")
	}
	if _, err := chain(10_001); err == nil || !strings.Contains(err.Error(), "more layers than 10000") {
		t.Errorf("got %v", err)
	}
	net, err := chain(3000)
	if err != nil {
		t.Fatal(err)
	}
	shapes, err := net.Shapes()
	if err != nil {
		t.Fatal(err)
	}
	fields, err := net.Fields(shapes)
	if err != nil {
		t.Fatal(err)
	}
	last := net.Nodes[len(net.Nodes)-1].Name
	if n := testing.AllocsPerRun(1, func() { fields.Size(last) }); n > 0 {
		t.Errorf("%v allocations for a field, want none: no boxes of all layers", n)
	}
}

// TestLongLists: lists that are much longer than any network's are refused with the limit, and so are many of them that
// together take much more memory than the file.
func TestLongLists(t *testing.T) {
	small := func(n int) (attrs [][]byte) {
		for range n {
			attrs = append(attrs, text(nil, 1, "a"))
		}
		return attrs
	}
	weights := func(places int) part {
		tensor := text(num(nil, 2, 1), 8, "w")
		for range places {
			tensor = msg(tensor, 13, text(text(nil, 1, "location"), 2, "w.data"))
		}
		return msg(nil, 5, tensor)
	}
	var outputs, nodes []part
	for range 10_001 {
		outputs = append(outputs, output("y"))
	}
	for i := range 200 {
		nodes = append(nodes, op("Neg", "x", fmt.Sprint("y", i), small(900)...))
	}
	names := strings.TrimSpace(strings.Repeat("x ", 10_001))
	for want, parts := range map[string][]part{
		"more inputs of a node than 10000":                  {op("Concat", names, "y")},
		"more outputs of a node than 10000":                 {op("Split", "x", names)},
		"more outputs of a graph than 10000":                outputs,
		"more attributes of a node than 1000":               {op("Neg", "x", "y", small(1001)...)},
		"more texts of an attribute than 100000":            {op("Neg", "x", "y", strs("a", make([]string, 100_001)...))},
		"1048577 whole numbers, want at most 1048576":       {op("Neg", "x", "y", ints("a", make([]int64, 1<<20+1)...))},
		"more places of external data than 100":             {weights(101)},
		"too many small messages for the file's size":       nodes,
		"pads are [0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0": {input("x", 1, 1, 4, 4), output("y"), op("MaxPool", "x", "y", ints("kernel_shape", 1, 1), ints("pads", make([]int64, 100_000)...))},
	} {
		_, err := onnx.Read(file(13, parts...), "")
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("%s: got %.300v", want, err)
		}
	}
}
