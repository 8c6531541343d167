package onnx

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"google.golang.org/protobuf/encoding/protowire"
)

// DefaultOpset is the operator set that networks are written in.
const DefaultOpset = 13

// minWritten is the oldest operator set that can be written.
const minWritten = 13

// exporter collects a graph. Small messages are encoded at once, weights are
// kept as they are until the file is written.
type exporter struct {
	net     *model.Network
	shapes  map[string]model.Shape
	opset   int64
	nodes   []byte
	tensors []tensorOut
	taken   map[string]bool
	shared  map[string]string // constants made already, by what they hold
}

// tensorOut is an initialiser: its message up to the raw data, and the data.
type tensorOut struct {
	head []byte
	data *tensor.Tensor
	size int // bytes of data
}

// Write writes the network as an ONNX file of the given operator set, 13 or
// later; 0 means DefaultOpset. The number of images stays open. Layers keep
// their names, as nodes and as values. Preprocessing, classes, what the
// scores mean and origin are in the file's metadata (viz.preprocess, viz.classes, viz.scores, viz.origin), from where
// Import takes them. What no operator expresses is an *Unsupported error.
func Write(w io.Writer, net *model.Network, opset int) error {
	e, err := newExporter(net, opset)
	if err != nil {
		return err
	}
	if err := e.write(w); err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}

// Export is Write to a file, which appears whole or not at all.
func Export(path string, net *model.Network, opset int) error {
	e, err := newExporter(net, opset)
	if err != nil {
		return err
	}
	if err := imageio.WriteFile(path, e.write); err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}

func newExporter(net *model.Network, opset int) (*exporter, error) {
	if opset == 0 {
		opset = DefaultOpset
	}
	if opset < minWritten || opset > maxOpset {
		return nil, fmt.Errorf("operator set %d, want %d to %d", opset, minWritten, maxOpset)
	}
	if err := net.Check(); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if len(net.Nodes) == 0 {
		return nil, fmt.Errorf("network %s has no layers", net.Name)
	}
	e := &exporter{net: net, shapes: shapes, opset: int64(opset), taken: map[string]bool{net.Input.Name: true}, shared: map[string]string{}}
	for i := range net.Nodes {
		e.taken[net.Nodes[i].Name] = true
	}
	var refused []UnsupportedOp
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if err := e.layer(n); err != nil {
			refused = append(refused, UnsupportedOp{Node: n.Name, Op: n.Layer.Kind(), Opset: e.opset, Reason: err.Error()})
		}
	}
	if refused != nil {
		return nil, &Unsupported{refused}
	}
	return e, nil
}

// The encoding of messages, by field number (onnx.proto).

func putVarint(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func putBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func putText(b []byte, field protowire.Number, s string) []byte { return putBytes(b, field, []byte(s)) }

// Attributes; their types are FLOAT 1, INT 2, STRING 3, INTS 7, STRINGS 8.

func attrInt(name string, v int64) []byte {
	return putVarint(putVarint(putText(nil, 1, name), 3, v), 20, 2)
}

func attrFloat(name string, v float64) []byte {
	b := protowire.AppendTag(putText(nil, 1, name), 2, protowire.Fixed32Type)
	return putVarint(protowire.AppendFixed32(b, math.Float32bits(float32(v))), 20, 1)
}

func attrText(name, v string) []byte {
	return putVarint(putText(putText(nil, 1, name), 4, v), 20, 3)
}

func attrInts(name string, v ...int) []byte {
	b := putText(nil, 1, name)
	for _, x := range v {
		b = putVarint(b, 8, int64(x))
	}
	return putVarint(b, 20, 7)
}

func attrTexts(name string, v ...string) []byte {
	b := putText(nil, 1, name)
	for _, x := range v {
		b = putText(b, 9, x)
	}
	return putVarint(b, 20, 8)
}

func attrFloats(name string, v []float32) []byte {
	b := putText(nil, 1, name)
	for _, x := range v {
		b = protowire.AppendFixed32(protowire.AppendTag(b, 7, protowire.Fixed32Type), math.Float32bits(x))
	}
	return putVarint(b, 20, 6)
}

// node appends a node called after its first output.
func (e *exporter) node(op string, ins, outs []string, attrs ...[]byte) {
	var b []byte
	for _, s := range ins {
		b = putText(b, 1, s)
	}
	name := ""
	for _, s := range outs {
		b = putText(b, 2, s)
		if name == "" {
			name = s
		}
	}
	b = putText(putText(b, 3, name), 4, op)
	for _, a := range attrs {
		b = putBytes(b, 5, a)
	}
	e.nodes = putBytes(e.nodes, 1, b)
}

// fresh is a name that nothing has yet.
func (e *exporter) fresh(name string) string {
	try := name
	for k := 2; e.taken[try]; k++ {
		try = fmt.Sprintf("%s_%d", name, k)
	}
	e.taken[try] = true
	return try
}

// floats adds an initialiser and returns its name.
func (e *exporter) floats(name string, dims []int, data []float32) string {
	return e.weights(name, dims, &tensor.Tensor{Data: data})
}

// weights is floats for numbers that may be packed.
func (e *exporter) weights(name string, dims []int, data *tensor.Tensor) string {
	name = e.fresh(name)
	var b []byte
	for _, d := range dims {
		b = putVarint(b, 1, int64(d))
	}
	b = putText(putVarint(b, 2, int64(typeFloat)), 8, name)
	b = protowire.AppendVarint(protowire.AppendTag(b, 9, protowire.BytesType), uint64(4*data.Len()))
	e.tensors = append(e.tensors, tensorOut{head: b, data: data, size: 4 * data.Len()})
	return name
}

// ints adds an initialiser of integers, once for all who want the same.
func (e *exporter) ints(name string, v ...int) string {
	key := fmt.Sprint(v)
	if have := e.shared[key]; have != "" {
		return have
	}
	name = e.fresh(name)
	b := putText(putVarint(putVarint(nil, 1, int64(len(v))), 2, int64(typeInt64)), 8, name)
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	e.tensors = append(e.tensors, tensorOut{head: putBytes(b, 9, raw)})
	e.shared[key] = name
	return name
}

// number adds an initialiser of one number.
func (e *exporter) number(name string, v float64) string {
	return e.floats(name, nil, []float32{float32(v)})
}

// value is a ValueInfoProto for a value of the network.
func valueOut(name string, s model.Shape) []byte {
	shape := putBytes(nil, 1, putText(nil, 2, "N"))
	for _, d := range perImage(s) {
		shape = putBytes(shape, 1, putVarint(nil, 1, d))
	}
	return putBytes(putText(nil, 1, name), 2, putBytes(nil, 1, putBytes(putVarint(nil, 1, int64(typeFloat)), 2, shape)))
}

// irVersion is the version of the format that an operator set came with.
func irVersion(opset int64) int64 {
	switch {
	case opset < 15:
		return 7
	case opset < 19:
		return 8
	case opset < 21:
		return 9
	}
	return 10
}

// writtenScores says where a network's scores are, and what they mean.
type writtenScores struct {
	Node string `json:"node"`
	Kind string `json:"kind"`
}

// outputs makes the network's outputs those of the graph, under their authors'
// names; the last layer if it names none.
func (e *exporter) outputs() []byte {
	var graph []byte
	written := map[string]bool{}
	for _, o := range e.net.Outputs {
		name := o.Node
		if !e.taken[o.Name] {
			name = e.fresh(o.Name)
			e.node("Identity", []string{o.Node}, []string{name})
		}
		if !written[name] {
			graph = putBytes(graph, 12, valueOut(name, e.shapes[o.Node]))
		}
		written[name] = true
	}
	if graph == nil {
		graph = putBytes(graph, 12, valueOut(e.net.Output(), e.shapes[e.net.Output()]))
	}
	return graph
}

func (e *exporter) write(w io.Writer) error {
	net := e.net
	outputs := e.outputs()
	graph := putText(e.nodes, 2, net.Name)
	if net.Name == "" {
		graph = putText(e.nodes, 2, "network")
	}
	graph = putBytes(graph, 11, valueOut(net.Input.Name, net.Input.Shape()))
	graph = append(graph, outputs...)
	length := len(graph)
	for _, t := range e.tensors {
		length += protowire.SizeTag(5) + protowire.SizeBytes(len(t.head)+t.size)
	}
	if length >= 1<<31-1<<20 {
		return fmt.Errorf("the network takes %d bytes; protobuf files end at 2 GB", length)
	}
	head := putText(putText(putVarint(nil, 1, irVersion(e.opset)), 2, "viz"), 3, net.Origin.Tool)
	tail := putBytes(nil, 8, putVarint(putText(nil, 1, ""), 2, e.opset))
	for _, m := range []struct {
		key   string
		value any
	}{{"viz.preprocess", net.Preprocess}, {"viz.classes", net.Classes}, {"viz.origin", net.Origin}, {"viz.scores", writtenScores{net.Logits, net.Scores.String()}}} {
		if m.key == "viz.classes" && len(net.Classes) == 0 || m.key == "viz.scores" && net.Logits == "" {
			continue
		}
		text, err := json.Marshal(m.value)
		if err != nil {
			return err
		}
		tail = putBytes(tail, 14, putText(putText(nil, 1, m.key), 2, string(text)))
	}
	b := bufio.NewWriterSize(w, 1<<16)
	b.Write(head) // errors stay until Flush
	b.Write(protowire.AppendVarint(protowire.AppendTag(nil, 7, protowire.BytesType), uint64(length)))
	b.Write(graph)
	var piece [1 << 10]float32
	var chunk [4 * len(piece)]byte
	for _, t := range e.tensors {
		b.Write(protowire.AppendVarint(protowire.AppendTag(nil, 5, protowire.BytesType), uint64(len(t.head)+t.size)))
		b.Write(t.head)
		for at := 0; at < t.size/4; at += len(piece) {
			part := t.data.Part(at, min(at+len(piece), t.size/4), piece[:])
			for i, v := range part {
				binary.LittleEndian.PutUint32(chunk[4*i:], math.Float32bits(v))
			}
			if _, err := b.Write(chunk[:4*len(part)]); err != nil {
				return err
			}
		}
	}
	b.Write(tail)
	return b.Flush()
}
