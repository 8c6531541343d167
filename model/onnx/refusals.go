package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// UnsupportedOp is one node that cannot become a layer.
type UnsupportedOp struct {
	Node   string `json:"node"`            // its name, or its output's if it has none
	Op     string `json:"op"`              // operator, with its domain if that is not ONNX's own
	Opset  int64  `json:"opset,omitempty"` // operator set the file asks for; 0: not stated
	Reason string `json:"reason"`
	Help   string `json:"help,omitempty"` // what would help; "": nothing that is known
}

func (o UnsupportedOp) String() string {
	if o.Opset == 0 {
		return fmt.Sprintf("%s (%s): %s", o.Node, o.Op, o.Reason)
	}
	return fmt.Sprintf("%s (%s, opset %d): %s", o.Node, o.Op, o.Opset, o.Reason)
}

// Unsupported lists every node of a file that cannot become a layer, in the
// file's order. Nodes that depend on them are not examined further.
type Unsupported struct{ Ops []UnsupportedOp }

// Error names each operator once: its first node, and how many more there are.
func (e *Unsupported) Error() string {
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "%d of the nodes cannot be used", len(e.Ops))
	groups := e.groups()
	for i, g := range groups {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more operators", len(groups)-most)
			break
		}
		fmt.Fprintf(&b, "\n  %v", g.first)
		switch {
		case g.more == 1:
			fmt.Fprintf(&b, "; so 1 more %s", g.first.Op)
		case g.more > 1:
			fmt.Fprintf(&b, "; so %d more %s", g.more, g.first.Op)
		}
		if g.first.Help != "" && (i == 0 || groups[i-1].first.Help != g.first.Help) {
			fmt.Fprintf(&b, "\n    %s", g.first.Help)
		}
	}
	return b.String()
}

// Operators is the number of different operators.
func (e *Unsupported) Operators() int { return len(e.groups()) }

// group is the nodes of one operator.
type group struct {
	first UnsupportedOp
	more  int
}

func (e *Unsupported) groups() []*group {
	var out []*group
	at := map[string]*group{}
	for _, o := range e.Ops {
		if g := at[o.Op]; g != nil {
			g.more++
			continue
		}
		at[o.Op] = &group{first: o}
		out = append(out, at[o.Op])
	}
	return out
}

// helpFor says what would help against nodes of some operators, or of a domain
// ("domain:"). The longest key that a name begins with counts.
var helpFor = []struct {
	names []string
	help  string
}{
	{[]string{"domain:com.microsoft.nchwc", "domain:com.ms.internal.nhwc"},
		"ONNX Runtime has optimised this file for one kind of processor: save it with optimisation level \"extended\" or \"basic\", or take the file it was made from"},
	{[]string{"domain:com.microsoft"}, "ONNX Runtime has optimised this file: take the file it was made from"},
	{[]string{"domain:ai.onnx.ml.TreeEnsemble", "domain:ai.onnx.ml.SVM", "domain:ai.onnx.ml.Linear", "domain:ai.onnx.ml.Normalizer", "domain:ai.onnx.ml.Imputer",
		"domain:ai.onnx.ml.FeatureVectorizer", "domain:ai.onnx.ml.DictVectorizer", "domain:ai.onnx.ml.OneHotEncoder", "domain:ai.onnx.ml.Scaler"}, "a model of scikit-learn's kind, no neural network that reads pictures"},
	{[]string{"domain:ai.onnx.ml"}, "leave out what comes after the scores (sklearn-onnx: options={\"zipmap\": False})"},
	{[]string{"domain:ai.onnx.contrib", "domain:com.microsoft.extensions"}, "export the network without reading and writing of files in it (onnxruntime-extensions)"},
	{[]string{"domain:org.pytorch", "domain:aten", "domain:prim", "domain:caffe2", "ATen"},
		"PyTorch had no ONNX operator for this: torch.onnx.export(..., dynamo=True), or a later opset_version, may have one"},
	{[]string{"domain:org.tensorflow", "domain:ai.onnx.converters.tensorflow"}, "a TensorFlow operator was left as it is: convert with a later --opset of tf2onnx"},
	{[]string{"domain:qonnx", "domain:finn"}, "export the network before it is quantised, or with QuantizeLinear and DequantizeLinear (qonnx: QCDQ)"},
	{[]string{"domain:"}, "an operator of one program: export with operators of ONNX only, or with the operator as a function in the file"},
	{[]string{"If", "Loop", "Scan"}, "export the path that pictures take: torch.jit.trace instead of script, torch.onnx.export(dynamo=True), fixed input sizes"},
	{[]string{"BatchNormalization", "Dropout"}, "export the network for inference: model.eval()"},
	{[]string{"Random", "Bernoulli", "Multinomial"}, "it draws random numbers: export the network for inference, model.eval()"},
	{[]string{"NonMaxSuppression", "RoiAlign", "MaxRoiPool", "TopK"}, "export the network without what turns its outputs into boxes"},
	{[]string{"TensorScatter"}, "it writes into a memory of earlier tokens: export the network for a single pass"},
	{[]string{"BitShift", "Bitwise", "Det", "Unique"}, "no network that is known computes this from a picture: report the file"},
	{[]string{"StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch", "TfIdfVectorizer", "LabelEncoder"}, "export the network without text in it"},
	{[]string{"STFT", "DFT", "MelWeightMatrix", "HannWindow", "HammingWindow", "BlackmanWindow", "ImageDecoder"}, "give the network what this makes, and export what comes after it"},
	{[]string{"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}, "export the network without its loss, for inference: model.eval()"},
	{[]string{"QLinear", "QGemm", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}, "take the network before it was quantised"},
}

func help(o UnsupportedOp, domain string) string {
	name := o.Op
	if domain != "" && domain != "ai.onnx" {
		name = "domain:" + o.Op // which begins with the domain
	}
	if text := helpWith(name); text != "" {
		return text
	}
	if o.Opset > maxOpset || o.Opset >= 24 && o.Reason == unknownOp {
		return "export with an earlier operator set: opset_version=17"
	}
	return ""
}

// helpWith says what would help against nodes of an operator or a domain, "" if
// nothing is known.
func helpWith(name string) string {
	for _, h := range helpFor {
		if slices.ContainsFunc(h.names, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return h.help
		}
	}
	return ""
}

// unknownOp is a reason that help depends on.
const unknownOp = "the operator is not supported"
