package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// file builds a .npy file of format version major.0 by hand.
func file(major byte, dict string, data ...byte) []byte {
	b := append([]byte(magic), major, 0)
	if major == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(dict)))
	}
	return append(append(b, dict...), data...)
}

func dict(descr, order, shape string) string {
	return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n"
}

func TestReadTypes(t *testing.T) {
	tests := []struct {
		name  string
		file  []byte
		shape []int
		f     []float32
		i     []int32
	}{
		{"<f4", file(1, dict("<f4", "False", "(2,)"), 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0), []int{2}, []float32{1, -2}, nil},
		{">f4", file(1, dict(">f4", "False", "(1,)"), 0x3f, 0x80, 0, 0), []int{1}, []float32{1}, nil},
		{"<f8", file(2, dict("<f8", "False", "(1,)"), 0, 0, 0, 0, 0, 0, 0xf8, 0x3f), []int{1}, []float32{1.5}, nil},
		// 0x3c00 = 1, 0xc000 = -2, 0x0001 = 2^-24, 0x7c00 = +Inf
		{"<f2", file(1, dict("<f2", "False", "(4,)"), 0, 0x3c, 0, 0xc0, 1, 0, 0, 0x7c), []int{4},
			[]float32{1, -2, 1.0 / (1 << 24), float32(math.Inf(1))}, nil},
		{"<i8", file(3, dict("<i8", "False", "(1,)"), 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), []int{1}, nil, []int32{-2}},
		{"<i4", file(1, dict("<i4", "False", "(1,)"), 0, 1, 0, 0), []int{1}, nil, []int32{256}},
		{">i2", file(1, dict(">i2", "False", "(1,)"), 0xff, 0xfe), []int{1}, nil, []int32{-2}},
		{"|i1", file(1, dict("|i1", "False", "(1,)"), 0xff), []int{1}, nil, []int32{-1}},
		{"|u1", file(1, dict("|u1", "False", "(1,)"), 0xff), []int{1}, nil, []int32{255}},
		{"<u2", file(1, dict("<u2", "False", "(1,)"), 0xff, 0xff), []int{1}, nil, []int32{65535}},
		{"|b1", file(1, dict("|b1", "False", "(2,)"), 1, 0), []int{2}, nil, []int32{1, 0}},
		{"scalar", file(1, dict("|u1", "False", "()"), 7), []int{}, nil, []int32{7}},
		{"empty", file(1, dict("|u1", "False", "(0, 3)")), []int{0, 3}, nil, []int32{}},
		// Fortran order: the first axis is fastest, so 0 3 1 4 2 5 is 0..5.
		{"fortran", file(1, dict("|u1", "True", "(2, 3)"), 0, 3, 1, 4, 2, 5), []int{2, 3}, nil, []int32{0, 1, 2, 3, 4, 5}},
		{"fortran 3d", file(1, dict("|u1", "True", "(2, 1, 2)"), 0, 2, 1, 3), []int{2, 1, 2}, nil, []int32{0, 1, 2, 3}},
		{"other spelling", file(1, `{"shape":(2L,1L),"fortran_order":False,"descr":"|u1"}`, 1, 2), []int{2, 1}, nil, []int32{1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := Read(bytes.NewReader(tt.file), 1<<10)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a.Shape, tt.shape) || !slices.Equal(a.Float32, tt.f) || !slices.Equal(a.Int32, tt.i) {
				t.Errorf("got %+v, want %v %v %v", a, tt.shape, tt.f, tt.i)
			}
			if (a.Float32 == nil) == (a.Int32 == nil) {
				t.Error("want exactly one of Float32 and Int32")
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	huge := dict("<f4", "False", "(4000000000, 4000000000)")
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "file ends in the magic: got 0 bytes, want 8"},
		{"magic", []byte("PK\x03\x04 not this"), "not a .npy file"},
		{"version", file(9, "{}"), "format version 9.0"},
		{"long header", append([]byte(magic), 2, 0, 255, 255, 255, 255), "at most 65536"},
		{"short header", append([]byte(magic), 1, 0, 50, 0, '{'), "got 1 bytes, want 50"},
		{"overflow", file(1, huge), "too large"},
		{"overflow hidden by 0", file(1, dict("<f4", "False", "(4000000000, 4000000000, 0)")), "too large"},
		{"over limit", file(1, dict("<f4", "False", "(1000,)")), "needs 1000 x 4 bytes, only 64"},
		{"short data", file(1, dict("<f4", "False", "(3,)"), 1, 2, 3, 4, 5), "data ends after 5 bytes, want 12"},
		{"negative", file(1, dict("<f4", "False", "(-3,)")), "want a size"},
		{"size beyond int", file(1, dict("<f4", "False", "(99999999999999999999,)")), "is too large"},
		{"object", file(1, dict("|O", "False", "(3,)")), `number type "|O"`},
		{"structured", file(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"), "want a string"},
		{"missing", file(1, "{'descr': '<f4'}"), `"fortran_order" is missing`},
		{"twice", file(1, "{'descr': '<f4', 'descr': '<f4'}"), "twice"},
		{"junk", file(1, dict("|u1", "False", "()")+"x"), "behind the dictionary"},
		{"i8 range", file(1, dict("<i8", "False", "(1,)"), 0, 0, 0, 0, 1, 0, 0, 0), "value 4294967296 does not fit"},
		{"u4 range", file(1, dict("<u4", "False", "(1,)"), 0, 0, 0, 0x80), "value 2147483648 does not fit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(tt.file), 64)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	shapes := [][]int{{}, {0}, {5}, {2, 3}, {1, 1, 1, 7}, {3, 20000}}
	for _, shape := range shapes {
		n, _ := elements(shape)
		f, i := make([]float32, n), make([]int32, n)
		for k := range f {
			f[k], i[k] = float32(k)*0.25-3, int32(k)-7
		}
		path := filepath.Join(dir, "a.npy")
		if err := WriteFile(path, shape, f); err != nil {
			t.Fatal(err)
		}
		a, err := ReadFile(path)
		if err != nil || !slices.Equal(a.Shape, shape) || !slices.Equal(a.Float32, f) {
			t.Fatalf("float32 %v: got %v, error %v", shape, a, err)
		}
		if err := WriteFile(path, shape, i); err != nil {
			t.Fatal(err)
		}
		a, err = ReadFile(path)
		if err != nil || !slices.Equal(a.Shape, shape) || !slices.Equal(a.Int32, i) {
			t.Fatalf("int32 %v: got %v, error %v", shape, a, err)
		}
		if a.Len() != n {
			t.Errorf("Len is %d, want %d", a.Len(), n)
		}
	}
}

// The header of np.zeros((2, 3), np.float32), as NumPy 1.x and 2.x write it: 128
// bytes, padded with spaces to a multiple of 64 and closed by a newline.
func TestWriteHeader(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, []int{2, 3}, make([]float32, 6)); err != nil {
		t.Fatal(err)
	}
	want := "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
	want += strings.Repeat(" ", 127-len(want)) + "\n" + strings.Repeat("\x00", 24)
	if b.String() != want {
		t.Errorf("got %q\nwant %q", b.String(), want)
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.npy")
	err := WriteFile(path, []int{2, 3}, make([]float32, 5))
	if err == nil || !strings.Contains(err.Error(), "shape [2 3] holds 6 values, got 5") {
		t.Errorf("got %v", err)
	}
	if err := WriteFile(path, []int{-1}, []int32{}); err == nil {
		t.Error("negative size: no error")
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
	if err := Write(failing{}, []int{1}, []int32{1}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReadFileErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.npy")
	if err := os.WriteFile(path, file(1, dict("|u1", "False", "(2,)"), 1, 2, 3), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := ReadFile(path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "bytes, want") {
		t.Errorf("longer file: got %v", err)
	}
	if _, err := ReadFile(dir); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("directory: got %v", err)
	}
	if _, err := ReadFile(filepath.Join(dir, "none.npy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: got %v", err)
	}
}

// NumPy itself reads what we write, and we read what it writes.
func TestNumPy(t *testing.T) {
	if exec.Command("python3", "-c", "import numpy").Run() != nil {
		t.Skip("python3 has no numpy")
	}
	dir := t.TempDir()
	if err := WriteFile(filepath.Join(dir, "in.npy"), []int{2, 3}, []float32{0, 1, 2, 3, 4, 5}); err != nil {
		t.Fatal(err)
	}
	script := `import numpy as np
a = np.load("in.npy")
np.save("f8.npy", a.astype(">f8"))
np.save("fortran.npy", np.asfortranarray(a))
np.save("i8.npy", a.astype(np.int64))`
	cmd := exec.Command("python3", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"f8.npy", "fortran.npy"} {
		a, err := ReadFile(filepath.Join(dir, name))
		if err != nil || !slices.Equal(a.Float32, []float32{0, 1, 2, 3, 4, 5}) {
			t.Errorf("%s: got %v, error %v", name, a, err)
		}
	}
	a, err := ReadFile(filepath.Join(dir, "i8.npy"))
	if err != nil || !slices.Equal(a.Int32, []int32{0, 1, 2, 3, 4, 5}) {
		t.Errorf("i8: got %v, error %v", a, err)
	}
}
