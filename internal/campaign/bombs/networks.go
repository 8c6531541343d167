package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What follows writes protocol buffers: a number, and bytes, of a field.

func num(b []byte, field int, v int64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(field<<3)), uint64(v))
}

func msg(b []byte, field int, parts ...[]byte) []byte {
	all := slices.Concat(parts...)
	return append(binary.AppendUvarint(binary.AppendUvarint(b, uint64(field<<3|2)), uint64(len(all))), all...)
}

func text(b []byte, field int, s string) []byte { return msg(b, field, []byte(s)) }

// op is a node.
func op(kind, out string, ins ...string) []byte {
	var n []byte
	for _, in := range ins {
		n = text(n, 1, in)
	}
	return msg(nil, 1, text(text(text(n, 2, out), 3, "n"+out), 4, kind))
}

func value(field int, name string, dims ...int64) []byte {
	var shape []byte
	for _, d := range dims {
		shape = msg(shape, 1, num(nil, 1, d))
	}
	return msg(nil, field, text(nil, 1, name), msg(nil, 2, msg(nil, 1, num(nil, 1, 1), msg(nil, 2, shape))))
}

// tensor is a constant of floats.
func tensor(name string, dims []int64, more ...[]byte) []byte {
	var t []byte
	for _, d := range dims {
		t = num(t, 1, d)
	}
	return msg(nil, 5, text(num(t, 2, 1), 8, name), slices.Concat(more...))
}

func onnx(parts ...[]byte) []byte {
	return slices.Concat(num(nil, 1, 8), msg(nil, 7, parts...), msg(nil, 8, num(nil, 2, 13)))
}

// chain is a network of n nodes, each on the one before.
func chain(n int) []byte {
	parts := [][]byte{value(11, "v0", 1, 1, 4, 4), value(12, fmt.Sprint("v", n), 1, 1, 4, 4)}
	for i := range n {
		parts = append(parts, op("Neg", fmt.Sprint("v", i+1), fmt.Sprint("v", i)))
	}
	return onnx(parts...)
}

// wide is a network of n nodes beside each other, which are summed in groups.
func wide(n int) []byte {
	const group = 5000
	parts := [][]byte{value(11, "x", 1, 1, 4, 4)}
	var ins, sums []string
	for i := range n {
		name := fmt.Sprint("v", i)
		parts, ins = append(parts, op("Neg", name, "x")), append(ins, name)
		if len(ins) == group || i == n-1 {
			sum := fmt.Sprint("s", len(sums))
			parts, sums, ins = append(parts, op("Sum", sum, ins...)), append(sums, sum), nil
		}
	}
	return onnx(append(parts, op("Sum", "y", sums...), value(12, "y", 1, 1, 4, 4))...)
}

// nested is an If in an If in an If.
func nested(n int) []byte {
	body := op("Neg", "y", "x")
	for range n {
		graph := slices.Concat(body, value(12, "y", 1))
		attribute := msg(num(text(nil, 1, "then_branch"), 20, 5), 6, graph)
		body = msg(nil, 1, text(text(text(text(nil, 1, "x"), 2, "y"), 3, "n"), 4, "If"), msg(nil, 5, attribute))
	}
	return onnx(value(11, "x", 1, 1, 4, 4), body, value(12, "y", 1))
}

// listed is a network of one node with a field that often.
func listed(field []byte, n int) func(string) error {
	return written(func() []byte {
		node := text(text(text(text(nil, 1, "x"), 2, "y"), 3, "n"), 4, "Neg")
		return onnx(value(11, "x", 1, 1, 4, 4), msg(nil, 1, node, bytes.Repeat(field, n)), value(12, "y", 1, 1, 4, 4))
	})
}

// ofNetworks are the commands that take a network.
var ofNetworks = each("inspect FILE", "classify --model FILE good.png", "filters --out OUT FILE", "import --out OUT/n.bin FILE", "export --onnx --out OUT/n.onnx FILE", "gradcam --model FILE --out OUT good.png", "occlude --model FILE --out OUT good.png",
	"attribute --model FILE --out OUT good.png", "deconv --model FILE --out OUT good.png", "activations --model FILE --out OUT good.png", "explain --out OUT FILE good.png", "sanity --model FILE --out OUT good.png",
	"features --model FILE --out OUT/x.idx good.png", "eval --model FILE --data shapes", "maximize --model FILE --out OUT 1:0", "evolve --out OUT FILE FILE", "serve --model FILE good.png")

func networks() []bomb {
	withPicture := func(make func(string) error) func(string) error {
		return func(path string) error {
			if err := goodPNG(filepath.Join(filepath.Dir(path), "good.png")); err != nil {
				return err
			}
			return make(path)
		}
	}
	of := func(group, name, says string, make func(string) error) bomb {
		return bomb{group: group, name: name, make: withPicture(make), takes: ofNetworks, says: says}
	}
	conv := func(weight []byte) func() []byte {
		return func() []byte {
			return onnx(value(11, "x", 1, 1, 4, 4), weight, op("Conv", "y", "x", "w"), value(12, "y", 1, 1, 4, 4))
		}
	}
	outside := func(location string) func() []byte {
		return conv(tensor("w", []int64{1, 1, 2, 2}, msg(nil, 13, text(text(nil, 1, "location"), 2, location)), num(nil, 14, 1)))
	}
	beside := func(name string, make func(string) error) func(string) error {
		return func(path string) error {
			if err := make(filepath.Join(filepath.Dir(path), name)); err != nil {
				return err
			}
			return os.WriteFile(path, outside(name)(), 0o666)
		}
	}
	const large, dims, away = "large and deep networks", "sizes that overflow", "external data from elsewhere"
	return []bomb{
		of(large, "wide.onnx", "nodes|at most|more than", written(func() []byte { return wide(100_000) })),
		of(large, "layers.onnx", "more layers than", written(func() []byte { return chain(40_000) })),
		of(large, "beside.onnx", "more layers than", written(func() []byte { return wide(39_900) })),
		of(large, "deep.onnx", "nodes|at most|more than|deep", written(func() []byte { return chain(50_000) })),
		of(large, "nested.onnx", "nested|deep|at most|more than|graph", written(func() []byte { return nested(3000) })),
		of(large, "attributes.onnx", "more attributes of a node than", listed(text(nil, 5, "\n\x01a"), 300_000)),
		of(large, "inputs.onnx", "more inputs of a node than", listed(text(nil, 1, "x"), 1_000_000)),
		of(large, "outputs.onnx", "more outputs of a node than", listed(text(nil, 2, "z"), 500_000)),
		of(large, "numbers.onnx", "whole numbers, want at most", listed(msg(nil, 5, text(nil, 1, "pads"), bytes.Repeat(num(nil, 8, 0), 3_000_000)), 1)),
		of(large, "results.onnx", "more outputs of a graph than", written(func() []byte {
			return onnx(value(11, "x", 1, 1, 4, 4), op("Neg", "y", "x"), bytes.Repeat(value(12, "y", 1, 1, 4, 4), 100_000))
		})),
		of(large, "places.onnx", "more places of external data than", written(conv(tensor("w", []int64{1, 1, 2, 2}, bytes.Repeat(msg(nil, 13, text(text(nil, 1, "location"), 2, "w.bin")), 500_000))))),
		of(dims, "input.onnx", "large|overflow|at most|more than|numbers|memory", written(func() []byte {
			return onnx(value(11, "x", 1, 1<<31, 1<<31, 1<<31), op("Neg", "y", "x"), value(12, "y", 1, 1<<31, 1<<31, 1<<31))
		})),
		of(dims, "weight.onnx", "want|large|overflow|at most|shape", written(conv(tensor("w", []int64{1 << 32, 1 << 32, 1, 1}, msg(nil, 9, make([]byte, 16)))))),
		of(dims, "negative.onnx", "-1|want|negative|shape", written(conv(tensor("w", []int64{-1, -1, 2, 2}, msg(nil, 9, make([]byte, 16)))))),
		of(away, "up.onnx", "want a file in the model's folder", written(outside("../../../../../../../../etc/passwd"))),
		of(away, "absolute.onnx", "want a file in the model's folder", written(outside("/etc/passwd"))),
		of(away, "link.onnx", "external data", beside("w.bin", linkTo("/etc/passwd"))),
		of(away, "folder.onnx", "external data", beside("w", func(path string) error { return os.Mkdir(path, 0o777) })),
		of(away, "pipe.onnx", "not a plain file", beside("w.bin", pipe)),
		of(away, "device.onnx", "external data", beside("w.bin", linkTo("/dev/zero"))),
		of("pipes and devices", "pipe.onnx", "plain file", pipe),
		of("pipes and devices", "zero.onnx", "plain file", linkTo("/dev/zero")),
		of("pipes and devices", "pipe.bin", "plain file", pipe),
		of("checkpoints and weights", "claim.bin", "claims|at most", written(func() []byte { return append(binary.LittleEndian.AppendUint64(nil, 1<<40), '{') })),
		of("checkpoints and weights", "deep.bin", "deep|damaged|checkpoint", written(func() []byte { return header(strings.Repeat(`{"a":`, 3<<20)) })),
		of("checkpoints and weights", "deep.onnx.viz.json.bin", "JSON|names|checkpoint", written(func() []byte {
			return header(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`)
		})),
	}
}

// header is a file of safetensors with that header.
func header(text string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
}

// weights are files for import --arch.
func weights() []bomb {
	of := func(name, says string, make func(string) error) bomb {
		return bomb{group: "checkpoints and weights", name: name, make: make, takes: each("import --arch resnet18 --out OUT/n.bin FILE", "import --arch mnist-cnn --out OUT/n.bin FILE"), says: says}
	}
	torch := func(method uint16, pickle func() []byte) func(string) error {
		return filled(func(f io.Writer) error {
			z := zip.NewWriter(f)
			for name, data := range map[string][]byte{"a/data.pkl": pickle(), "a/data/0": make([]byte, 400_000)} {
				if !strings.HasSuffix(name, "pkl") {
					method = zip.Store
				}
				w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
				if err != nil {
					return err
				}
				w.Write(data)
			}
			return z.Close()
		})
	}
	views := func() []byte {
		var b strings.Builder
		b.WriteString("\x80\x02}(")
		for i := range 20_000 {
			fmt.Fprintf(&b, "Vk%d\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI100000\ntQI0\n(I2\nt(I99999\ntI00\n(dtR", i)
		}
		b.WriteString("u.")
		return []byte(b.String())
	}
	return []bomb{
		of("overlap.safetensors", "in data of another tensor", written(func() []byte {
			var b strings.Builder
			for i := range 50_000 {
				fmt.Fprintf(&b, `,"t%d":{"dtype":"F16","shape":[500000],"data_offsets":[0,1000000]}`, i)
			}
			return append(header("{"+b.String()[1:]+"}"), make([]byte, 1_000_000)...)
		})),
		of("overflow.safetensors", "does not go with", written(func() []byte {
			return header(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`)
		})),
		of("views.pth", "again and again", torch(zip.Store, views)),
		of("packed.pth", "compressed", torch(zip.Deflate, func() []byte { return make([]byte, 30<<20) })),
		of("objects.pth", "operations", torch(zip.Store, func() []byte { return append([]byte("\x80\x04"), bytesOf("]\x940", 20<<20)...) })),
		of("marks.pth", "at a time|operations", torch(zip.Store, func() []byte { return append([]byte("\x80\x04"), bytesOf("(", 20<<20)...) })),
		of("pipe.pth", "plain file", pipe),
		of("zero.pth", "plain file", linkTo("/dev/zero")),
	}
}
