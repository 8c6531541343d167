package onnx_test

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/occlusion"
)

var updateDocs = flag.Bool("update", false, "rewrite docs/onnx.md")

const docs = "../../docs/onnx.md"

// since is the operator set in which each operator of ONNX came up.
const since = `
Abs:1 Acos:7 Acosh:9 Add:1 AffineGrid:20 And:1 ArgMax:1 ArgMin:1 Asin:7 Asinh:9 Atan:7 Atanh:9 Attention:23 AveragePool:1 BatchNormalization:1
Bernoulli:15 BitShift:11 BitwiseAnd:18 BitwiseNot:18 BitwiseOr:18 BitwiseXor:18 BlackmanWindow:17 Cast:1 CastLike:15 Ceil:1 Celu:12 CenterCropPad:18
Clip:1 Col2Im:18 Compress:9 Concat:1 ConcatFromSequence:11 Constant:1 ConstantOfShape:9 Conv:1 ConvInteger:10 ConvTranspose:1 Cos:7 Cosh:9 CumSum:11
DFT:17 DeformConv:19 DepthToSpace:1 DequantizeLinear:10 Det:11 Div:1 Dropout:1 DynamicQuantizeLinear:11 Einsum:12 Elu:1 Equal:1 Erf:9 Exp:1 Expand:8
EyeLike:9 Flatten:1 Floor:1 GRU:1 Gather:1 GatherElements:11 GatherND:11 Gelu:20 Gemm:1 GlobalAveragePool:1 GlobalLpPool:1 GlobalMaxPool:1 Greater:1
GreaterOrEqual:12 GridSample:16 GroupNormalization:18 HammingWindow:17 HannWindow:17 HardSigmoid:1 HardSwish:14 Hardmax:1 Identity:1 If:1
ImageDecoder:20 InstanceNormalization:1 IsInf:10 IsNaN:9 LRN:1 LSTM:1 LayerNormalization:17 LeakyRelu:1 Less:1 LessOrEqual:12 Log:1 LogSoftmax:1
Loop:1 LpNormalization:1 LpPool:1 MatMul:1 MatMulInteger:10 Max:1 MaxPool:1 MaxRoiPool:1 MaxUnpool:9 Mean:1 MeanVarianceNormalization:9
MelWeightMatrix:17 Min:1 Mish:18 Mod:10 Mul:1 Multinomial:7 Neg:1 NegativeLogLikelihoodLoss:12 NonMaxSuppression:10 NonZero:9 Not:1 OneHot:9
Optional:15 OptionalGetElement:15 OptionalHasElement:15 Or:1 PRelu:1 Pad:1 Pow:1 QLinearConv:10 QLinearMatMul:10 QuantizeLinear:10 RMSNormalization:23
RNN:1 RandomNormal:1 RandomNormalLike:1 RandomUniform:1 RandomUniformLike:1 Range:11 Reciprocal:1 ReduceL1:1 ReduceL2:1 ReduceLogSum:1
ReduceLogSumExp:1 ReduceMax:1 ReduceMean:1 ReduceMin:1 ReduceProd:1 ReduceSum:1 ReduceSumSquare:1 RegexFullMatch:20 Relu:1 Reshape:1 Resize:10
ReverseSequence:10 RoiAlign:10 RotaryEmbedding:23 Round:11 STFT:17 Scan:8 Scatter:9 ScatterElements:11 ScatterND:11 Selu:1 SequenceAt:11
SequenceConstruct:11 SequenceEmpty:11 SequenceErase:11 SequenceInsert:11 SequenceLength:11 SequenceMap:17 Shape:1 Shrink:9 Sigmoid:1 Sign:9 Sin:7
Sinh:9 Size:1 Slice:1 Softmax:1 SoftmaxCrossEntropyLoss:12 Softplus:1 Softsign:1 SpaceToDepth:1 Split:1 SplitToSequence:11 Sqrt:1 Squeeze:1
StringConcat:20 StringNormalizer:10 StringSplit:20 Sub:1 Sum:1 Swish:24 Tan:7 Tanh:1 TensorScatter:24 TfIdfVectorizer:9 ThresholdedRelu:10 Tile:1
TopK:1 Transpose:1 Trilu:14 Unique:11 Unsqueeze:1 Upsample:1 Where:9 Xor:1`

// samples are files that hold every operator.
func samples(t *testing.T) [][]byte {
	var out [][]byte
	for _, c := range operators() {
		out = append(out, file(c.opset, append(c.graph, input("x", c.in...), output("y"))...))
	}
	for _, c := range structureCases() {
		out = append(out, c.file())
	}
	for _, c := range operatorCases(t) {
		out = append(out, c.file())
	}
	all := quantised(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		data, err := base64.StdEncoding.DecodeString(all[name].Model)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	nets := readNets(t)
	for _, name := range slices.Sorted(maps.Keys(nets)) {
		out = append(out, nets[name])
	}
	return append(out, extra()...)
}

// extra are files with operators that no other test has.
func extra() [][]byte {
	x := input("x", 1, 4, 4, 4)
	one := func(op part, more ...part) []byte { return file(25, append(append(more, x, output("y")), op)...) }
	var out [][]byte
	for _, name := range strings.Fields("Abs ArgMin Ceil Celu Cos Dropout Elu Erf Exp Floor Gelu GlobalLpPool HardSigmoid HardSwish Log Mish Optional OptionalGetElement " +
		"Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMin ReduceProd ReduceSumSquare Round Scale Selu Sigmoid Sign Sin Softplus Softsign Sqrt Swish " +
		"Tanh ThresholdedRelu Not IsInf") {
		out = append(out, one(op(name, "x", "y")))
	}
	for _, name := range []string{"And", "Or", "Xor"} {
		out = append(out, one(op(name, "x other", "y"), op("Neg", "x", "other")))
	}
	out = append(out, one(op("ReverseSequence", "x lengths", "y", integer("batch_axis", 1), integer("time_axis", 2)), longs("lengths", 4, 2, 3, 1)))
	out = append(out, one(op("Scatter", "x places x", "y"), op("Floor", "x", "places")))
	s, w := floats("s", []int64{4}, count(1, 4)...), floats("w", []int64{4, 4}, count(0, 16)...)
	k := floats("k", []int64{1, 4, 1, 1}, count(0, 4)...)
	ms := func(p part) part { return in("com.microsoft", "", p) }
	out = append(out, one(op("LpPool", "x", "y", ints("kernel_shape", 2, 2))), one(op("Tile", "x r", "y"), longs("r", 1, 1, 2, 1)), one(op("Unsqueeze", "x r", "y"), longs("r", 1)),
		one(op("Min", "x x", "y")), one(op("Max", "x x", "y")), one(op("SimplifiedLayerNormalization", "x s", "y"), s),
		one(ms(op("BiasDropout", "x s x", "y")), s), one(ms(op("BitmaskDropout", "x", "y")), s), one(ms(op("FusedMatMulActivation", "x w", "y", str("activation", "Relu"))), w),
		one(ms(op("GemmFastGelu", "x w s", "y")), w, s), one(ms(op("LayerNormalization", "x s s", "y")), s), one(ms(op("SimplifiedLayerNormalization", "x s", "y")), s),
		one(ms(op("TransposeMatMul", "x w", "y")), w),
		one(ms(op("QLinearReduceMean", "q c z c z", "r", ints("axes", 2, 3))), floats("c", nil, 0.1), long8("z"), op("QuantizeLinear", "x c z", "q"), op("DequantizeLinear", "r c z", "y")),
		one(ms(op("Range", "a b c", "r")), long("a", 0), long("b", 4), long("c", 1), op("Cast", "r", "f", integer("to", 1)), op("Add", "x f", "y")))
	for _, name := range strings.Fields("AveragePool GlobalAveragePool GlobalMaxPool LRN MaxPool SpaceToDepth DepthToSpace") {
		out = append(out, one(in("com.ms.internal.nhwc", "", op(name, "x", "y", ints("kernel_shape", 2, 2), integer("blocksize", 2), integer("size", 3)))))
	}
	out = append(out, one(in("com.ms.internal.nhwc", "", op("Conv", "x k", "y")), k), one(in("com.ms.internal.nhwc", "", op("ConvTranspose", "x k", "y")), floats("k", []int64{4, 1, 1, 1}, count(0, 4)...)),
		one(in("com.ms.internal.nhwc", "", op("BatchNormalization", "x s s s s", "y")), s), one(in("com.ms.internal.nhwc", "", op("InstanceNormalization", "x s s", "y")), s))
	cell := func(name string, gates int64) []byte {
		return file(14, input("x", 1, 1, 4), output("y"), floats("w", []int64{1, gates, 4}, count(0, int(4*gates))...), floats("r", []int64{1, gates, 1}, count(0, int(gates))...),
			op(name, "x w r", "- y", integer("hidden_size", 1)))
	}
	return append(out, cell("LSTM", 4), cell("GRU", 3))
}

// long8 is a zero point of 0, of 8 bits.
func long8(name string) part { return msg(nil, 5, num(num(text(nil, 8, name), 2, 2), 5, 0)) }

// row is what the table says about an operator, or a kind.
type row struct{ layers, how, gradient, deconvnet, occlusion []string }

func (r *row) add(list *[]string, text string) {
	if text != "" && !slices.Contains(*list, text) {
		*list = append(*list, text)
	}
}

// describe adds a layer that an operator becomes.
func (r *row) describe(t *testing.T, n model.Node, shapes map[string]model.Shape) {
	kind := n.Layer.Kind()
	r.add(&r.layers, kind)
	r.add(&r.how, computedBy(t, n.Layer))
	for rule, list := range map[deconv.Rule]*[]string{deconv.Gradient: &r.gradient, deconv.Paper: &r.deconvnet} {
		text, err := rule.Describe(n.Layer)
		if err != nil {
			text = "refused"
		}
		r.add(list, text)
	}
	r.add(&r.occlusion, onLanes(t, n, shapes))
}

var kernelCall = regexp.MustCompile(`\.k\.([A-Z]\w*)`)

// computedBy says whether a kind's pass is a kernel or a plain loop, by its source.
func computedBy(t *testing.T, l model.Layer) string {
	src, err := os.ReadFile(filepath.Join("..", "kind_"+strings.ToLower(reflect.TypeOf(l).Elem().Name())+".go"))
	if err != nil {
		t.Fatal(err)
	}
	pool, ok := l.(*model.Pool)
	cells, recurrent := l.(*model.Recurrent)
	switch {
	case recurrent && !cells.Rows(), ok && !pool.MaxOfMaps() && !pool.MeanOfMaps():
		return "plain loop"
	case bytes.Contains(src, []byte(") view()")):
		return "nothing"
	case bytes.Contains(src, []byte("c.step.filters")), slices.ContainsFunc(kernelCall.FindAllSubmatch(src, -1), func(m [][]byte) bool { return string(m[1]) != "For" }):
		return "kernel"
	}
	return "plain loop"
}

// onLanes says how occlusion computes a layer.
func onLanes(t *testing.T, n model.Node, shapes map[string]model.Shape) string {
	in, ok := shapes[n.Inputs[0]]
	if !ok || in.Flat {
		return ""
	}
	net := &model.Network{Input: model.Input{Name: "x", C: in.C, H: in.H, W: in.W}, Nodes: []model.Node{{Name: "y", Layer: n.Layer}}}
	for _, name := range n.Inputs {
		if shapes[name] != in {
			return "whole maps"
		}
		net.Nodes[0].Inputs = append(net.Nodes[0].Inputs, "x")
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	switch lanes, late := occlusion.Lanes(engine, net, "y"); {
	case late:
		return "lanes, in groups"
	case lanes:
		return "lanes"
	}
	return "whole maps"
}

// TestDocs holds docs/onnx.md to the code: go test ./model/onnx -run Docs -update
// writes its tables anew.
func TestDocs(t *testing.T) {
	rows, kinds := map[string]*row{}, map[string]*row{}
	of := func(in map[string]*row, name string) *row {
		if in[name] == nil {
			in[name] = &row{}
		}
		return in[name]
	}
	for _, data := range samples(t) {
		made, shapes, err := onnx.Made(data)
		if err != nil {
			continue // cases that are read in more than one way
		}
		for op, nodes := range made {
			of(rows, op)
			for _, n := range nodes {
				rows[op].describe(t, n, shapes)
				of(kinds, n.Layer.Kind()).describe(t, n, shapes)
			}
		}
	}
	var table strings.Builder
	operatorTable(t, &table, rows)
	kindTable(&table, kinds)
	refusedTable(t, &table)
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- table -->\n", "<!-- end of table -->\n"
	i, j := bytes.Index(text, []byte(begin)), bytes.Index(text, []byte(end))
	if i < 0 || j < i {
		t.Fatalf("%s has no place for the table", docs)
	}
	want := string(text[:i]) + begin + table.String() + string(text[j:])
	if *updateDocs {
		if err := os.WriteFile(docs, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s is not what the code says: go test ./model/onnx -run Docs -update", docs)
	}
}

func operatorTable(t *testing.T, table *strings.Builder, rows map[string]*row) {
	from := map[string]string{}
	for _, f := range strings.Fields(since) {
		op, v, _ := strings.Cut(f, ":")
		from[op] = v
	}
	table.WriteString("| operator | opset | becomes | computed by | gradient | deconvnet | lanes |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	supported := onnx.Supported()
	for _, op := range slices.SortedFunc(maps.Keys(supported), func(a, b string) int { return strings.Compare(sortKey(a), sortKey(b)) }) {
		opset := from[op] + "-25"
		if from[op] == "" {
			opset = ""
		}
		r := rows[op]
		if own := op[strings.LastIndex(op, ".")+1:]; r == nil && rows[own] != nil { // the same in another domain
			r = rows[own]
		}
		switch {
		case !supported[op]:
			fmt.Fprintf(table, "| %s | %s | constants only | import | | | |\n", op, opset)
		case r == nil:
			t.Errorf("%s: no test has it: add a case to extra (docs_test.go)", op)
		case len(r.layers) == 0:
			fmt.Fprintf(table, "| %s | %s | no layer | import | | | |\n", op, opset)
		default:
			slices.Sort(r.how)
			slices.Sort(r.layers)
			fmt.Fprintf(table, "| %s | %s | %s | %s | %s | %s | %s |\n", op, opset, strings.Join(r.layers, ", "), strings.Join(r.how, ", "),
				passes(r.gradient), passes(r.deconvnet), some(r.occlusion, func(s string) bool { return strings.HasPrefix(s, "lanes") }))
		}
	}
}

// passes says whether a rule leads through all of the layers it has these texts for.
func passes(texts []string) string { return some(texts, func(s string) bool { return s != "refused" }) }

func some(texts []string, ok func(string) bool) string {
	n := 0
	for _, s := range texts {
		if ok(s) {
			n++
		}
	}
	switch {
	case len(texts) == 0:
		return ""
	case n == len(texts):
		return "yes"
	case n == 0:
		return "no"
	}
	return "in part"
}

func kindTable(table *strings.Builder, kinds map[string]*row) {
	table.WriteString("\n| layer | computed by | gradient | deconvnet | occlusion |\n| --- | --- | --- | --- | --- |\n")
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		r := kinds[kind]
		join := func(list []string) string { slices.Sort(list); return strings.Join(list, "; ") }
		fmt.Fprintf(table, "| %s | %s | %s | %s | %s |\n", kind, join(r.how), join(r.gradient), join(r.deconvnet), join(r.occlusion))
	}
}

// refusedTable lists the operators of ONNX that are not read, with what is said of them.
func refusedTable(t *testing.T, table *strings.Builder) {
	table.WriteString("\n| not read | opset | instead |\n| --- | --- | --- |\n")
	supported := onnx.Supported()
	for _, f := range strings.Fields(since) {
		op, v, _ := strings.Cut(f, ":")
		if _, ok := supported[op]; ok {
			continue
		}
		text := onnx.HelpWith(op)
		if text == "" {
			t.Errorf("%s is not read, and nothing says what would help (helpFor in refusals.go)", op)
		}
		fmt.Fprintf(table, "| %s | %s-25 | %s |\n", op, v, text)
	}
}

// sortKey puts operators of other domains behind ONNX's own.
func sortKey(op string) string {
	if i := strings.LastIndex(op, "."); i >= 0 {
		return "~" + op
	}
	return op
}
