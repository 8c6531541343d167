package npy

import (
	"bytes"
	"encoding/binary"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
)

// documented is the dictionary as NumPy's documentation says that it is written: the keys sorted, as pprint.pformat
// does, spaces and one newline behind it.
var documented = regexp.MustCompile(`^\{'descr': '([<>|])([fiub])([1248])', 'fortran_order': (True|False), 'shape': \(((?:\d+,)?|\d+(?:, \d+)+)\), \} *\n$`)

// strictly is a second reader of files, of the documented form only. ok: the file has it; the values are float64, which
// holds all that fit.
func strictly(b []byte) (shape []int, values []float64, float, ok bool) {
	if len(b) < 10 || string(b[:6]) != "\x93NUMPY" || b[7] != 0 {
		return nil, nil, false, false
	}
	var n int
	switch b[6] {
	case 1:
		n, b = int(b[8])+int(b[9])<<8, b[10:]
	case 2, 3:
		if len(b) < 12 {
			return nil, nil, false, false
		}
		n, b = int(binary.LittleEndian.Uint32(b[8:])), b[12:]
	default:
		return nil, nil, false, false
	}
	if n > 10_000 || n > len(b) { // as NumPy takes from files that it does not trust
		return nil, nil, false, false
	}
	m := documented.FindStringSubmatch(string(b[:n]))
	if m == nil {
		return nil, nil, false, false
	}
	data := b[n:]
	size := int(m[3][0] - '0')
	if m[2] == "b" && size != 1 || m[2] == "f" && size == 1 || m[1] == "|" && size != 1 || m[1] != "|" && size == 1 {
		return nil, nil, false, false
	}
	count := 1
	for _, s := range strings.FieldsFunc(m[5], func(r rune) bool { return r == ',' || r == ' ' }) {
		d, err := strconv.Atoi(s)
		if err != nil || d > 1<<20 || len(shape) == 32 || count*d > len(data) {
			return nil, nil, false, false
		}
		shape, count = append(shape, d), count*d
	}
	if count*size != len(data) {
		return nil, nil, false, false
	}
	values = make([]float64, count)
	index := make([]int, len(shape))
	for i := range values { // in C order
		at, step := 0, 1
		for k := range shape {
			axis := len(shape) - 1 - k
			if m[4] == "True" {
				axis = k
			}
			at, step = at+index[axis]*step, step*shape[axis]
		}
		values[i] = number(m[2][0], m[1] == ">", data[at*size:(at+1)*size])
		for axis := len(shape) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < shape[axis] {
				break
			}
			index[axis] = 0
		}
	}
	return shape, values, m[2] == "f", true
}

// number reads one number, bit by bit for floats of 16 bits.
func number(kind byte, big bool, b []byte) float64 {
	var u uint64
	for i, c := range b {
		if big {
			u = u<<8 | uint64(c)
		} else {
			u |= uint64(c) << (8 * i)
		}
	}
	switch {
	case kind == 'f' && len(b) == 8:
		return math.Float64frombits(u)
	case kind == 'f' && len(b) == 4:
		return float64(math.Float32frombits(uint32(u)))
	case kind == 'f':
		sign, exponent, fraction := 1-2*float64(u>>15), int(u>>10&31), float64(u&1023)
		switch exponent {
		case 0:
			return sign * fraction / (1 << 24)
		case 31:
			if fraction == 0 {
				return math.Inf(int(sign))
			}
			return math.NaN()
		}
		return sign * (1 + fraction/1024) * math.Pow(2, float64(exponent-15))
	case kind == 'i' && u>>(8*len(b)-1) == 1:
		return -float64(^u&(1<<(8*len(b)-1)-1)) - 1
	}
	return float64(u)
}

// FuzzRead: memory is bounded by what is there; what the second reader reads is read, with the same values; whatever is
// read can be written and read again; and Raw has the same elements.
func FuzzRead(f *testing.F) {
	f.Add(file(1, dict("<f4", "False", "(1,)"), 0, 0, 0x80, 0x3f))
	f.Add(file(2, dict(">i2", "True", "(2, 2)"), 0, 0, 0, 1, 0, 2, 0, 3))
	f.Add(file(1, dict("|u1", "True", "(2, 3, 2)"), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
	f.Add(file(1, dict("|b1", "False", "()"), 1))
	f.Add(file(1, dict("<f8", "False", "(0, 3)")))
	f.Add(file(1, dict(">f2", "False", "(2,)"), 0x3c, 0, 0x80, 1))
	f.Add(file(1, dict("<i8", "False", "(1,)"), 1, 2, 3, 0, 0, 0, 0, 0))
	f.Add(file(1, dict("<f2", "False", "(0, 4000000000)")))
	f.Add(file(3, "{'descr': [('a', '<f4')], 'shape': (1L,)}"))
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		var a *Array
		err := hostile.Read(t, len(b), func() (err error) {
			a, err = Read(bytes.NewReader(b), int64(len(b)))
			return err
		})
		shape, values, float, ok := strictly(b)
		fits := ok && (float || !slices.ContainsFunc(values, func(v float64) bool { return v > math.MaxInt32 || v < math.MinInt32 }))
		if fits && err != nil {
			t.Fatalf("NumPy's form, and refused: %v", err)
		}
		if err != nil {
			return
		}
		if ok && (!slices.Equal(a.Shape, shape) || (a.Float32 != nil) != float || a.Len() != len(values)) {
			t.Fatalf("got %v, want %v of %v", a, values, shape)
		}
		if ok {
			for i, v := range values {
				if float && math.Float32bits(a.Float32[i]) != math.Float32bits(float32(v)) && v == v || !float && float64(a.Int32[i]) != v {
					t.Fatalf("element %d of %v is not %g", i, a, v)
				}
			}
		}
		sameRaw(t, b, a)
		writtenAgain(t, a)
	})
}

// sameRaw holds ReadRaw to the elements that Read has.
func sameRaw(t testing.TB, b []byte, a *Array) {
	r, err := ReadRaw(bytes.NewReader(b), int64(len(b)))
	if err != nil || !slices.Equal(r.Shape, a.Shape) || r.Len() != a.Len() {
		t.Fatalf("Read gives %v, ReadRaw %v, %v", a, r, err)
	}
	if r.Fortran && len(a.Shape) > 1 {
		return
	}
	for i := range r.Len() {
		v := r.At(i)
		if a.Float32 != nil && math.Float32bits(float32(v)) != math.Float32bits(a.Float32[i]) && v == v || a.Int32 != nil && v != float64(a.Int32[i]) {
			t.Fatalf("element %d is %g in Raw, not in %v", i, v, a)
		}
	}
}

func writtenAgain(t testing.TB, a *Array) {
	var out bytes.Buffer
	var err error
	if a.Float32 != nil {
		err = Write(&out, a.Shape, a.Float32)
	} else {
		err = Write(&out, a.Shape, a.Int32)
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(&out, int64(out.Len()))
	if err != nil || !slices.Equal(a.Shape, again.Shape) || !slices.Equal(a.Int32, again.Int32) || len(a.Float32) != len(again.Float32) {
		t.Fatalf("got %v, error %v, want %v", again, err, a)
	}
	for i, v := range a.Float32 {
		if math.Float32bits(v) != math.Float32bits(again.Float32[i]) {
			t.Fatalf("element %d: got %g, want %g", i, again.Float32[i], v)
		}
	}
}
