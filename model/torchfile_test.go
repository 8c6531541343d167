package model

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"

	"github.com/deconvnet/viz/model/tensor"
)

// testdata/plain.pth is the state_dict of a small mnist-cnn as torch.save of
// PyTorch 1.13 writes it; odd.pth holds the same in a dictionary with more, with
// "module." before every name, with halves, bfloat16 and doubles, a transposed
// array, a Parameter, and arrays that are parts of one storage.
func TestLoadTorch(t *testing.T) {
	x := tensor.New(1, 1, 10, 10)
	for i := range x.Data {
		x.Data[i] = float32(float64(37*i%101)/50 - 1)
	}
	want := []float64{0.07293953001499176, 0.01293038111180067, -0.14963488280773163} // by PyTorch
	e := NewEngine(1)
	defer e.Close()
	for _, name := range []string{"plain.pth", "odd.pth"} {
		net, err := LoadWeights(filepath.Join("testdata", name), "mnist-cnn", [2]int{10, 10})
		if err != nil {
			t.Error(err)
			continue
		}
		trace, err := e.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range trace.Value("norm2").Data {
			if math.Abs(float64(v)-want[i]) > 1e-6 {
				t.Errorf("%s: score %d is %g, want %g", name, i, v, want[i])
			}
		}
	}
}

// A big-endian machine's file has its bytes turned around, and says so.
func TestTorchByteOrder(t *testing.T) {
	b, err := os.ReadFile("testdata/plain.pth")
	if err != nil {
		t.Fatal(err)
	}
	want, err := readArrays(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"byteorder": []byte("big")}
	for _, f := range z.File {
		_, name, _ := strings.Cut(f.Name, "/")
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		data.ReadFrom(r)
		files[name] = data.Bytes()
		if strings.HasPrefix(name, "data/") {
			swap(files[name], 4)
		}
	}
	big := archive(t, files)
	got, err := readArrays(bytes.NewReader(big), int64(len(big)))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range want {
		if got[i].name != a.name || !slices.Equal(got[i].t.Data, a.t.Data) {
			t.Errorf("%s is another", a.name)
		}
	}
}

// archive is a zip archive in which nothing is compressed.
func archive(t testing.TB, files map[string][]byte) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, data := range files {
		f, err := w.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTorchRefused(t *testing.T) {
	decode := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	plain, err := os.ReadFile("testdata/plain.pth")
	if err != nil {
		t.Fatal(err)
	}
	// {'a': tensor} of a storage of 2 numbers, from offset 1 on, 2 of them.
	const outside = "\x80\x02}X\x01\x00\x00\x00ac" + "torch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x01K\x02\x85K\x01\x85\x89NtRs."
	for want, data := range map[string][]byte{
		"before version 1.6":        decode("gAKKCmz8nEb5IGqoUBkugAJN6QMu"),
		"calls posix.system":        archive(t, map[string][]byte{"data.pkl": decode("gAJjcG9zaXgKc3lzdGVtCnEALg==")}),
		"no tensors by name":        archive(t, map[string][]byte{"data.pkl": decode("gAJ9cQAu")}),
		"without data.pkl":          archive(t, map[string][]byte{"x": nil}),
		"TorchScript":               archive(t, map[string][]byte{"data.pkl": nil, "constants.pkl": nil, "code/": nil}),
		"does not lie in 2 numbers": archive(t, map[string][]byte{"data.pkl": []byte(outside), "data/0": make([]byte, 8)}),
		"has 4 bytes, want 8":       archive(t, map[string][]byte{"data.pkl": []byte(strings.Replace(outside, "K\x01K\x02\x85", "K\x00K\x02\x85", 1)), "data/0": make([]byte, 4)}),
		"there is no data/0":        archive(t, map[string][]byte{"data.pkl": []byte(outside)}),
		"zip archive that cannot":   plain[:3000],
		"the pickle ends too early": archive(t, map[string][]byte{"data.pkl": []byte("\x80\x02}")}),
		"not a checkpoint":          []byte("GIF89a, which is no weights"),
	} {
		if _, err := readArrays(bytes.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func FuzzTorch(f *testing.F) {
	for _, name := range []string{"plain.pth", "odd.pth"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range z.File {
			if strings.HasSuffix(e.Name, "/data.pkl") {
				r, _ := e.Open()
				var text bytes.Buffer
				text.ReadFrom(r)
				f.Add(text.Bytes())
			}
		}
	}
	hostile.Fuzz(f, func(t testing.TB, text []byte) {
		files := map[string][]byte{"data.pkl": text}
		for _, key := range []string{"0", "1", "2", "10"} {
			files["data/"+key] = make([]byte, 400)
		}
		data := archive(t, files)
		readsArrays(t, data)
	})
}

// readsArrays reads a file of weights, whose arrays have as many numbers as their shapes say.
func readsArrays(t testing.TB, data []byte) ([]array, error) {
	t.Helper()
	var list []array
	err := hostile.Read(t, len(data), func() (err error) {
		list, err = readArrays(bytes.NewReader(data), int64(len(data)))
		return imageio.OneLine(err)
	})
	for _, a := range list {
		if n, ok := product(a.t.Shape, 1<<40); !ok || int(n) != len(a.t.Data) {
			t.Errorf("array %q of shape %v has %d numbers", a.name, a.t.Shape, len(a.t.Data))
		}
	}
	return list, err
}

// TestViewsBomb: many views far apart in one storage are not all read.
func TestViewsBomb(t *testing.T) {
	const n = 100_000
	view := "ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI%d\ntQI0\n(I2\nt(I%d\ntI00\n(dtR"
	var text strings.Builder
	text.WriteString("\x80\x02}(")
	for i := range 1000 {
		fmt.Fprintf(&text, "Vk%d\n"+view, i, n, n-1)
	}
	text.WriteString("u.")
	data := archive(t, map[string][]byte{"data.pkl": []byte(text.String()), "data/0": make([]byte, 4*n)})
	if _, err := readsArrays(t, data); err == nil || !strings.Contains(err.Error(), "again and again") {
		t.Errorf("got %v", err)
	}
}
