package onnx_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// TestModulePaths: the names of PyTorch's modules find the nodes that exporters
// made of them, in the network and in a checkpoint of it.
func TestModulePaths(t *testing.T) {
	for _, c := range []struct{ file, spec, want string }{
		{"torch113-resnet", "layer2", "/layer2/layer2.1/relu_1/Relu"},
		{"torch113-resnet", "layer1", "/layer1/layer1.0/relu_1/Relu"},
		{"torch113-resnet", "layer2.0", "/layer2/layer2.0/relu_1/Relu"},
		{"torch113-resnet", "layer2.1.conv2", "/layer2/layer2.1/conv2/Conv"},
		{"torch113-resnet", "layer2.0.downsample", "/layer2/layer2.0/downsample/downsample.0/Conv"},
		{"torch113-resnet", "layer2/layer2.0/downsample", "/layer2/layer2.0/downsample/downsample.0/Conv"},
		{"torch113-resnet", "conv1", "/conv1/Conv"},
		{"torch113-resnet", "fc", "/fc/Gemm"},
		{"torch113-resnet", "block3", "/layer2/layer2.1/relu_1/Relu"},
		{"torch113-resnet", "layer2.0.relu", "/layer2/layer2.0/relu_1/Relu"}, // called twice: what a hook sees last
		{"torch113-resnet", "layer2.0.relu_1", "/layer2/layer2.0/relu_1/Relu"},
		{"torch113-resnet", "/layer2/layer2.0/relu/Relu", "/layer2/layer2.0/relu/Relu"},
		{"torch113-resnet", "layer2.0.relu.Relu", "/layer2/layer2.0/relu/Relu"},
		{"torch113-vgg", "features.4", "/features/features.4/Relu"},
		{"torch113-vgg", "features.5", "/features/features.5/Conv"},
		{"torch113-vgg", "features", "/features/features.7/MaxPool"},
		{"torch113-vgg", "classifier", "/classifier/classifier.3/Gemm"},
		{"torch-numbered-resnet", "layer2", "Relu_53"},
		{"torch-numbered-resnet", "layer2.0", "Relu_46"},
		{"torch-numbered-resnet", "layer2.1.conv2", "Conv_50"},
		{"torch-numbered-resnet", "layer2.0.downsample.0", "Conv_43"},
		{"torch-numbered-resnet", "conv1", "Conv_28"},
		{"torch-numbered-resnet", "bn1", "BatchNormalization_29"},
		{"torch-numbered-resnet", "Add_45", "Add_45"},
		{"torch-numbered-vgg", "features.5", "Conv_5"},
		{"torch-numbered-vgg", "features.4", "Relu_4"}, // has no weights that say so
		{"torch-numbered-vgg", "features.2", "MaxPool_2"},
		{"torch-numbered-vgg", "features", "Relu_6"},
		{"torch-numbered-vgg", "classifier.3", "Gemm_12"},
	} {
		net, err := onnx.Import(filepath.Join("testdata", "names", c.file+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "net.bin")
		if err := model.Save(path, net, nil); err != nil {
			t.Fatal(err)
		}
		again, err := model.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, net := range []*model.Network{net, again} {
			if got, err := net.Resolve(c.spec); err != nil || got != c.want {
				t.Errorf("%s of %s is %q (%v), want %q", c.spec, c.file, got, err, c.want)
			}
		}
	}
}

// TestLastMapsOfFiles: the maps that a decision is made from, in real files.
func TestLastMapsOfFiles(t *testing.T) {
	for file, want := range map[string]string{"torch113-resnet": "/layer2/layer2.1/relu_1/Relu", "torch-numbered-resnet": "Relu_53", "torch113-vgg": "/features/features.6/Relu"} {
		net, err := onnx.Import(filepath.Join("testdata", "names", file+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		if got := net.LastSpatial(); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

// TestMissingNames: what comes near is said.
func TestMissingNames(t *testing.T) {
	net, err := onnx.Import(filepath.Join("testdata", "names", "torch113-resnet.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]string{"layer3": "layer2", "layer2.1.conv3": "layer2.1.conv", "backbone.layer2": "layer2", "downsample.1": "downsample", "Layer2": "layer2", "layer1.": "layer1"} {
		_, err := net.Resolve(spec)
		e, ok := errors.AsType[*model.UnknownName](err)
		if ok && len(e.Nearest) != 1 && strings.EqualFold(strings.Trim(spec, "."), want) {
			t.Errorf("%s: %v, want %s alone", spec, err, want)
		}
		if !ok || !slices.ContainsFunc(e.Nearest, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("%s: %v, want it to offer %s", spec, err, want)
		}
	}
	_, err = net.Resolve("conv2")
	if e, ok := errors.AsType[*model.Ambiguous](err); !ok || len(e.Hits) != 3 {
		t.Errorf("conv2: %v, want three candidates", err)
	}
}

// named is a node with a name of its own and metadata, key and value in turn.
func named(name, kind, in, out string, metadata ...string) part {
	var n []byte
	for _, s := range split(in) {
		n = text(n, 1, s)
	}
	n = text(text(text(n, 2, out), 3, name), 4, kind)
	for i := 0; i+1 < len(metadata); i += 2 {
		n = msg(n, 9, text(text(nil, 1, metadata[i]), 2, metadata[i+1]))
	}
	return msg(nil, 1, n)
}

// TestOtherExporters: names of PyTorch's newer exporter, which writes modules into
// the metadata, and of Keras.
func TestOtherExporters(t *testing.T) {
	w := floats("w", []int64{1, 1, 1, 1}, 1)
	in, out := input("x", 1, 1, 4, 4), output("y")
	scopes := func(last string, path ...string) string {
		s := "['"
		for _, p := range path {
			s += "', '" + p
		}
		return s + "', '" + last + "']"
	}
	const key = "pkg.torch.onnx.name_scopes"
	dynamo := load(t, file(18, in, w,
		named("node_conv2d", "Conv", "x w", "a", key, scopes("conv2d", "features", "features.0")),
		named("node_relu", "Relu", "a", "b", key, scopes("relu", "features", "features.1")),
		named("node_conv2d_15", "Conv", "b w", "c", "namespace", ": Net/layer4: torch.nn.Sequential/layer4.1: Block/layer4.1.conv2: torch.nn.Conv2d/conv2d_15: aten.conv2d.default"),
		named("node_add", "Add", "c b", "d", key, scopes("add", "layer4", "layer4.1")),
		named("node_relu_9", "Relu", "d", "y", key, scopes("relu_9", "layer4", "layer4.1", "layer4.1.relu")), out))
	keras := load(t, file(13, in, w,
		named("StatefulPartitionedCall/model/block5_conv2/Conv2D", "Conv", "x w", "a"),
		named("StatefulPartitionedCall/model/block5_conv2/Relu", "Relu", "a", "b"),
		named("model/block5_conv3/Conv2D:0", "Conv", "b w", "c"),
		named("model/block5_conv3/Relu:0", "Relu", "c", "d"),
		named("model/block5_conv30/Relu", "Relu", "d", "y"), out))
	for _, c := range []struct {
		net        *model.Network
		spec, want string
	}{
		{dynamo, "layer4", "node_relu_9"}, {dynamo, "layer4.1", "node_relu_9"}, {dynamo, "layer4.1.conv2", "node_conv2d_15"},
		{dynamo, "features.0", "node_conv2d"}, {dynamo, "features.1", "node_relu"}, {dynamo, "features", "node_relu"},
		{dynamo, "node_conv2d_15", "node_conv2d_15"},
		{keras, "block5_conv3", "model/block5_conv3/Relu:0"}, {keras, "model/block5_conv3", "model/block5_conv3/Relu:0"},
		{keras, "block5_conv2", "StatefulPartitionedCall/model/block5_conv2/Relu"}, {keras, "block5_conv3/Conv2D", "model/block5_conv3/Conv2D:0"},
	} {
		if got, err := c.net.Resolve(c.spec); err != nil || got != c.want {
			t.Errorf("%s is %q (%v), want %q", c.spec, got, err, c.want)
		}
	}
}
