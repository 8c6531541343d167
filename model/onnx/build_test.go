package onnx_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
	"google.golang.org/protobuf/encoding/protowire"
)

// The functions below write ONNX messages, field by field as in onnx.proto.

func num(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func msg(b []byte, field protowire.Number, parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), all)
}

func text(b []byte, field protowire.Number, s string) []byte { return msg(b, field, []byte(s)) }

// A part is a piece of a graph message.
type part []byte

// file is a model of operator set opset with one graph.
func file(opset int64, parts ...part) []byte {
	var g []byte
	for _, p := range parts {
		g = append(g, p...)
	}
	b := num(nil, 1, 8)
	b = text(b, 2, "test")
	b = msg(b, 7, g)
	return msg(b, 8, num(nil, 2, opset))
}

// meta is a metadata entry, to be appended to a file.
func meta(key, value string) []byte {
	return msg(nil, 14, text(nil, 1, key), text(nil, 2, value))
}

// input is a graph input of floats; a size of 0 is left open.
func input(name string, dims ...int64) part { return msg(nil, 11, info(name, dims)) }

// output is a graph output.
func output(name string) part { return msg(nil, 12, text(nil, 1, name)) }

func info(name string, dims []int64) []byte {
	var shape []byte
	for _, d := range dims {
		if d == 0 {
			shape = msg(shape, 1, text(nil, 2, "open"))
		} else {
			shape = msg(shape, 1, num(nil, 1, d))
		}
	}
	typ := msg(nil, 1, msg(num(nil, 1, 1), 2, shape))
	return msg(text(nil, 1, name), 2, typ)
}

// op is a node; its name is the first output's, with "n:" before it.
func op(kind, in, out string, attrs ...[]byte) part {
	var n []byte
	for _, s := range split(in) {
		n = text(n, 1, s)
	}
	for _, s := range split(out) {
		n = text(n, 2, s)
	}
	n = text(n, 3, "n:"+split(out)[0])
	n = text(n, 4, kind)
	for _, a := range attrs {
		n = msg(n, 5, a)
	}
	return msg(nil, 1, n)
}

func split(s string) []string {
	var out []string
	for at := 0; at <= len(s); at++ {
		end := at
		for end < len(s) && s[end] != ' ' {
			end++
		}
		if s[at:end] == "-" { // an input left out
			out = append(out, "")
		} else {
			out = append(out, s[at:end])
		}
		at = end
	}
	return out
}

func ints(name string, v ...int64) []byte {
	b := num(text(nil, 1, name), 20, 7)
	for _, x := range v {
		b = num(b, 8, x)
	}
	return b
}

func integer(name string, v int64) []byte { return num(num(text(nil, 1, name), 3, v), 20, 2) }

func float(name string, v float32) []byte {
	b := num(text(nil, 1, name), 20, 1)
	return protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), math.Float32bits(v))
}

func str(name, v string) []byte { return num(text(text(nil, 1, name), 4, v), 20, 3) }

func strs(name string, v ...string) []byte {
	b := num(text(nil, 1, name), 20, 8)
	for _, s := range v {
		b = text(b, 9, s)
	}
	return b
}

// floats is an initialiser, as raw data.
func floats(name string, dims []int64, v ...float32) part {
	t := text(num(nil, 2, 1), 8, name)
	for _, d := range dims {
		t = num(t, 1, d)
	}
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return msg(nil, 5, msg(t, 9, raw))
}

// raw is an initialiser of an element type, by the bytes of its numbers.
func raw(name string, typ int64, data []byte, dims ...int64) part {
	t := text(num(nil, 2, typ), 8, name)
	for _, d := range dims {
		t = num(t, 1, d)
	}
	return msg(nil, 5, msg(t, 9, data))
}

// longs is an initialiser of integers with one axis, as a typed array.
func longs(name string, v ...int64) part {
	t := num(num(text(nil, 8, name), 2, 7), 1, int64(len(v)))
	for _, x := range v {
		t = num(t, 7, x)
	}
	return msg(nil, 5, t)
}

// load reads a model that must be good.
func load(t *testing.T, data []byte) *model.Network {
	t.Helper()
	net, err := onnx.Read(data, "test.onnx")
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// eval returns the network's output for the inputs of one image.
func eval(t *testing.T, net *model.Network, x ...float32) []float32 {
	t.Helper()
	e := model.NewEngine(1)
	defer e.Close()
	trace, err := e.Forward(net, tensor.From(x, 1, net.Input.C, net.Input.H, net.Input.W))
	if err != nil {
		t.Fatal(err)
	}
	return trace.Value(net.Output()).Data
}
