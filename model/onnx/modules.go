package onnx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/model"
)

// scopesOf reads which module of its author's program a node is from, out of what
// PyTorch's exporters write about it:
//
//	pkg.torch.onnx.name_scopes  ['', 'layer4', 'layer4.1', 'layer4.1.conv2', 'conv2d_15']
//	namespace                   : ResNet/layer4: Sequential/layer4.1: BasicBlock/conv2d_15: aten.conv2d.default
func scopesOf(e entry) string {
	var scopes []string
	switch e.key {
	case "pkg.torch.onnx.name_scopes":
		for s := range strings.SplitSeq(strings.Trim(e.value, "[]"), ",") {
			scopes = append(scopes, strings.Trim(s, " '\""))
		}
	case "namespace":
		for s := range strings.SplitSeq(e.value, "/") {
			name, _, _ := strings.Cut(s, ":")
			scopes = append(scopes, strings.TrimSpace(name))
		}
	}
	if len(scopes) < 2 {
		return ""
	}
	return scopes[len(scopes)-2]
}

// weightNames are the last parts of the names of weights.
var weightNames = []string{"weight", "bias", "running_mean", "running_var", "weight_g", "weight_v", "gamma", "beta"}

// moduleOf is the author's module that a node is from, "" if its name says it or
// nothing does. Older exporters number the nodes, but keep the names of weights.
func (c *converter) moduleOf(n *node) string {
	if n.scopes != "" {
		return n.scopes
	}
	if strings.Contains(n.name, "/") {
		return ""
	}
	for _, in := range n.inputs[min(1, len(n.inputs)):] {
		at := strings.LastIndexByte(in, '.')
		if at > 0 && c.tensors[in] != nil && slices.Contains(weightNames, in[at+1:]) {
			return in[:at]
		}
	}
	return ""
}

// countModules gives layers without weights the numbers that are missing between
// their neighbours in a list of modules: features.1 is between features.0 and features.2.
func countModules(nodes []model.Node) {
	list := func(n model.Node) (string, int, bool) {
		at := strings.LastIndexByte(n.Module, '.')
		k, err := strconv.Atoi(n.Module[at+1:])
		return n.Module[:max(at, 0)], k, err == nil && !strings.Contains(n.Name, "/")
	}
	before := -1
	for i := range nodes {
		if nodes[i].Module == "" {
			continue
		}
		if before >= 0 {
			in, from, ok := list(nodes[before])
			also, to, too := list(nodes[i])
			if ok && too && in == also && to-from == i-before {
				for k := before + 1; k < i; k++ {
					nodes[k].Module = strings.TrimPrefix(fmt.Sprintf("%s.%d", in, from+k-before), ".")
				}
			}
		}
		before = i
	}
}
