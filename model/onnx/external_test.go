package onnx_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// external is a Conv whose weight [1, 1, 2, 2] lies in another file.
func external(entries ...string) []byte {
	w := text(num(nil, 2, 1), 8, "w")
	for _, d := range []int64{1, 1, 2, 2} {
		w = num(w, 1, d)
	}
	for i := 0; i < len(entries); i += 2 {
		w = msg(w, 13, text(text(nil, 1, entries[i]), 2, entries[i+1]))
	}
	return file(13, input("x", 1, 1, 2, 2), msg(nil, 5, num(w, 14, 1)), op("Conv", "x w", "y"), output("y"))
}

// TestExternalData: weights come from a file in the model's folder, and from
// nowhere else.
func TestExternalData(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	if err := os.MkdirAll(filepath.Join(in, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	raw := []byte{9, 9, 9, 9}
	for _, v := range []float32{1, 10, 100, 1000} {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	for _, name := range []string{"in/w.bin", "in/sub/w.bin", "out.bin"} {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "out.bin"), filepath.Join(in, "link.bin")); err != nil {
		t.Log(err)
	}
	path := filepath.Join(in, "net.onnx")
	load := func(entries ...string) (*model.Network, error) {
		if err := os.WriteFile(path, external(entries...), 0o666); err != nil {
			t.Fatal(err)
		}
		return onnx.Import(path)
	}
	for _, name := range []string{"w.bin", "sub/w.bin"} {
		net, err := load("location", name, "offset", "4", "length", "16")
		if err != nil {
			t.Fatal(err)
		}
		if got := eval(t, net, 1, 2, 3, 4); !slices.Equal(got, []float32{4321}) {
			t.Errorf("%s: %v, want 4321", name, got)
		}
	}
	for _, c := range []struct {
		want    string
		entries []string
	}{
		{"want a file in the model's folder", []string{"location", "../out.bin"}},
		{"want a file in the model's folder", []string{"location", filepath.Join(dir, "out.bin")}},
		{"want a file in the model's folder", []string{"offset", "4"}},
		{"external data", []string{"location", "link.bin", "offset", "4"}},
		{"external data", []string{"location", "none.bin"}},
		{"not a plain file", []string{"location", "sub"}},
		{"is at byte 8 to 24 of w.bin, which has 20", []string{"location", "w.bin", "offset", "8"}},
		{"is at byte -4", []string{"location", "w.bin", "offset", "-4"}},
		{"20 bytes of external data, want 16", []string{"location", "w.bin", "length", "20"}},
		{`offset is "x"`, []string{"location", "w.bin", "offset", "x"}},
	} {
		if _, err := load(c.entries...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q in it", c.entries, err, c.want)
		}
	}
}

// TestLargeTensors: weights that the skeleton leaves out arrive as they are, in
// every encoding, and a file cut short anywhere is an error.
func TestLargeTensors(t *testing.T) {
	const n = 200
	var packed, half []byte
	for i := range n {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(float32(i)))
		half = binary.LittleEndian.AppendUint16(half, 0x3c00) // 1
	}
	weight := func(typ int64) []byte {
		return num(num(text(num(nil, 2, typ), 8, "w"), 1, n), 1, 1)
	}
	for name, c := range map[string]struct {
		w    []byte
		want float32
	}{
		"raw":    {msg(weight(1), 9, packed), n - 1},
		"typed":  {msg(weight(1), 4, packed), n - 1},
		"halves": {msg(weight(10), 9, half), 1},
	} {
		data := file(13, input("x", 1, n), msg(nil, 5, c.w), op("MatMul", "x w", "y"), output("y"))
		x := make([]float32, n)
		x[n-1] = 1
		if got := eval(t, load(t, data), x...); got[0] != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		for cut := range len(data) {
			if net, err := onnx.Read(data[:cut], ""); err == nil && len(net.Nodes) > 0 && cut < len(data)-20 {
				t.Fatalf("%s: a network comes from %d of %d bytes", name, cut, len(data))
			}
		}
		twice := file(13, input("x", 1, n), msg(nil, 5, msg(c.w, 9, packed)), op("MatMul", "x w", "y"), output("y"))
		if _, err := onnx.Read(twice, ""); err == nil && name == "halves" {
			t.Errorf("%s: data of another size is taken", name)
		}
	}
	if _, err := onnx.ReadGraph(file(13, input("x", 0, 3, 0, 0), op("Relu", "x", "y"), output("y")), onnx.Options{Height: 8, Width: 9}); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	net := load(t, file(13, input("x", 0, 8, 9, 3), op("Relu", "x", "y"), output("y")))
	if err := onnx.Write(&out, net, 0); err != nil {
		t.Error(err)
	}
}

// TestExternalComputed: weights in another file may be as large as that one is
// when something is computed of them, and no larger.
func TestExternalComputed(t *testing.T) {
	dir := t.TempDir()
	const side = 300
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), make([]byte, 4*side*side), 0o666); err != nil {
		t.Fatal(err)
	}
	for times, ok := range map[int]bool{1: true, 3: true, 6: false} {
		w := text(num(nil, 2, 1), 8, "w0")
		for _, d := range []int64{1, 1, side, side} {
			w = num(w, 1, d)
		}
		w = num(msg(w, 13, text(text(nil, 1, "location"), 2, "w.bin")), 14, 1)
		parts := []part{input("x", 1, 1, side, side), msg(nil, 5, w), floats("k", nil, 2), output("y")}
		name := "w0"
		for i := range times {
			next := fmt.Sprint("w", i+1)
			parts = append(parts, op("Add", name+" k", next))
			name = next
		}
		path := filepath.Join(dir, "net.onnx")
		if err := os.WriteFile(path, file(13, append(parts, op("Conv", "x "+name, "y"))...), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := onnx.Import(path); (err == nil) != ok {
			t.Errorf("computed %d times: error %v", times, err)
		}
	}
}

// FuzzExternal: whatever a file says of where its weights are, they are those of a file in its folder, or none.
func FuzzExternal(f *testing.F) {
	dir := f.TempDir()
	in := filepath.Join(dir, "in")
	if err := os.MkdirAll(filepath.Join(in, "sub"), 0o777); err != nil {
		f.Fatal(err)
	}
	raw := make([]byte, 40)
	for i := range raw {
		raw[i] = byte(i + 1)
	}
	for name, data := range map[string][]byte{"in/w.bin": raw, "in/sub/w.bin": raw, "out.bin": make([]byte, 100)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			f.Fatal(err)
		}
	}
	for from, to := range map[string]string{"link.bin": "../out.bin", "up": "..", "abs.bin": filepath.Join(dir, "out.bin"), "inside.bin": "w.bin"} {
		if err := os.Symlink(to, filepath.Join(in, from)); err != nil {
			f.Log(err)
		}
	}
	path := filepath.Join(in, "net.onnx")
	for _, where := range [][3]string{{"w.bin", "4", "16"}, {"sub/../w.bin", "0", ""}, {"../out.bin", "0", "16"}, {"link.bin", "", ""}, {"up/out.bin", "", ""}, {"abs.bin", "", ""}, {"inside.bin", "24", "16"},
		{filepath.Join(dir, "out.bin"), "", ""}, {"sub", "", ""}, {"w.bin", "-4", "16"}, {"w.bin", "9223372036854775807", "16"}, {"C:\\w.bin", "", ""}, {"w.bin\x00", "", ""}, {"", "", ""}, {"/dev/zero", "", ""}} {
		f.Add(where[0], where[1], where[2])
	}
	hostile.Fuzz(f, func(t testing.TB, location, offset, length string) {
		entries := []string{"location", location}
		for key, value := range map[string]string{"offset": offset, "length": length} {
			if value != "" {
				entries = append(entries, key, value)
			}
		}
		data := external(entries...)
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		var net *model.Network
		if hostile.Read(t, len(data), func() (err error) {
			net, err = onnx.Import(path)
			return err
		}) != nil {
			return
		}
		var got []byte
		for _, v := range net.Nodes[0].Layer.(*model.Conv).Weight.Data {
			got = binary.LittleEndian.AppendUint32(got, math.Float32bits(v))
		}
		if at := bytes.Index(raw, got); at < 0 || offset != "" && fmt.Sprint(at) != strings.TrimLeft(strings.TrimPrefix(offset, "+"), "0") && at != 0 {
			t.Fatalf("%q from %q on gives % x", location, offset, got)
		}
	})
}
