package exact

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// a function of the package, that of math, the largest error, and the range of arguments for checksums.
type function struct {
	f, std func(x, y float64) float64
	within float64
	lo, hi float64
	sum    uint32
}

func one(f func(float64) float64) func(x, y float64) float64 {
	return func(x, _ float64) float64 { return f(x) }
}

var functions = map[string]function{
	"Exp":   {one(Exp), one(math.Exp), 0.51, -800, 800, 0x8e0d4f20},
	"Exp2":  {one(Exp2), one(math.Exp2), 0.51, -1100, 1100, 0xc7e70693},
	"Expm1": {one(Expm1), one(math.Expm1), 0.51, -60, 800, 0x59b496f6},
	"Log":   {one(Log), one(math.Log), 0.51, -1, 100, 0x3c7e50bb},
	"Log10": {one(Log10), one(math.Log10), 0.51, -1, 100, 0x8bb8f844},
	"Log1p": {one(Log1p), one(math.Log1p), 0.51, -1.5, 100, 0xbff2ba2b},
	"Sin":   {one(Sin), one(math.Sin), 0.7, -100, 100, 0xa04c1a2e},
	"Cos":   {one(Cos), one(math.Cos), 0.7, -100, 100, 0x4abab3ab},
	"Tan":   {one(Tan), one(math.Tan), 0.7, -100, 100, 0xc632f0fb},
	"Asin":  {one(Asin), one(math.Asin), 0.51, -1.1, 1.1, 0xc2bba2a3},
	"Acos":  {one(Acos), one(math.Acos), 0.51, -1.1, 1.1, 0x18b1e582},
	"Atan":  {one(Atan), one(math.Atan), 0.51, -10, 10, 0xbb886b05},
	"Sinh":  {one(Sinh), one(math.Sinh), 0.51, -800, 800, 0xc6aea843},
	"Cosh":  {one(Cosh), one(math.Cosh), 0.51, -800, 800, 0xba65e0e7},
	"Tanh":  {one(Tanh), one(math.Tanh), 0.51, -10, 10, 0xdf589cf5},
	"Erf":   {one(Erf), one(math.Erf), 8, -7, 7, 0x36ee3f48},
	"Erfc":  {one(Erfc), one(math.Erfc), 8, -7, 30, 0xb96c9d6d},
	"Asinh": {one(Asinh), one(math.Asinh), 0.51, -100, 100, 0x542b6f48},
	"Acosh": {one(Acosh), one(math.Acosh), 0.51, 0, 100, 0x2002e00c},
	"Atanh": {one(Atanh), one(math.Atanh), 0.51, -1.1, 1.1, 0x6613ed4},
	"Cbrt":  {one(Cbrt), one(math.Cbrt), 0.51, -100, 100, 0x5c5a0916},
	"Pow":   {Pow, math.Pow, 0.51, -10, 100, 0x57dc2ee8},
	"Hypot": {Hypot, math.Hypot, 0.51, -100, 100, 0xc2fdc0f4},
	"Atan2": {Atan2, math.Atan2, 0.51, -100, 100, 0x8d51b3c3},
}

// TestValues compares with true values: the float next to each, and how far it is from it in units of the last place.
func TestValues(t *testing.T) {
	file, err := os.Open("testdata/values.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	worst, lines := map[string]float64{}, bufio.NewScanner(file)
	for lines.Scan() {
		word := strings.Fields(lines.Text())
		var v []float64
		for _, w := range word[1:] {
			x, err := strconv.ParseFloat(w, 64)
			if err != nil {
				t.Fatal(err)
			}
			v = append(v, x)
		}
		want, off := v[len(v)-2], v[len(v)-1]
		got := functions[word[0]].f(v[0], v[1])
		_, e := math.Frexp(want)
		apart := math.Abs(math.Ldexp(got-want, 53-e) - off)
		worst[word[0]] = max(worst[word[0]], apart)
		if !(apart <= functions[word[0]].within) {
			t.Errorf("%s: got %x (%v), %.3g units from the true value", lines.Text(), got, got, apart)
		}
	}
	if len(worst) != len(functions) {
		t.Errorf("%d functions have values, want %d", len(worst), len(functions))
	}
	t.Log(worst)
}

var edges = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 2, -2, 3, -3, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, -math.MaxFloat64,
	0x1p-1022, 0x1p-31, -0x1p-31, 0x1p-61, 0x1p61, 1e5, -1e5, 1e22, 708.5, 710.5, -744, -746, 39.9, 40.1, 22.1, 27.9, 28.1}

// TestEdges compares with package math at the edges: equal where that is no number, infinite or 0, else nearly.
func TestEdges(t *testing.T) {
	for name, f := range functions {
		for _, x := range edges {
			for _, y := range edges {
				got, want := f.f(x, y), f.std(x, y)
				same := math.Float64bits(got) == math.Float64bits(want) || got != got && want != want
				if !same && (want == 0 || math.IsInf(want, 0) || want != want || !(math.Abs(got-want) <= 1e-13*math.Abs(want)+5e-324)) {
					t.Errorf("%s(%v, %v) = %v, want %v", name, x, y, got, want)
				}
			}
		}
	}
}

// TestExtremes has values, by another program, where math is wrong on one processor or the other.
func TestExtremes(t *testing.T) {
	for _, c := range []struct {
		name       string
		x, y, want float64
	}{
		{"Exp", 709.5, 0, 1.3549863193146328e+308},
		{"Exp", -745, 0, 5e-324},
		{"Cosh", -709.5, 0, 6.774931596573164e+307},
		{"Sinh", 709.5, 0, 6.774931596573164e+307},
		{"Log", 5e-324, 0, -744.4400719213812},
		{"Log10", 5e-324, 0, -323.3062153431158},
		{"Pow", 5e-324, 0x1p-31, 0.9999996533431379},
		{"Atan2", -5e-324, -2, -math.Pi},
		{"Atan", 5e-324, 0, 5e-324},
		{"Hypot", 5e-324, 5e-324, 5e-324},
		{"Cbrt", -5e-324, 0, -1.7031839360032603e-108},
	} {
		if got := functions[c.name].f(c.x, c.y); got != c.want {
			t.Errorf("%s(%v, %v) = %v, want %v", c.name, c.x, c.y, got, c.want)
		}
	}
}

// TestBits takes the checksum of many results, which is the same on every processor.
func TestBits(t *testing.T) {
	for name, f := range functions {
		r, h := rand.New(rand.NewPCG(1, 2)), crc32.NewIEEE()
		for range 3000 {
			x, y := f.lo+float64(r.Float64()*(f.hi-f.lo)), float64(float64(4*r.Float64())-1)
			v := f.f(x, y)
			if v != v {
				v = 0 // whose sign may differ
			}
			binary.Write(h, binary.LittleEndian, v)
		}
		if got := h.Sum32(); got != f.sum {
			t.Errorf("%s: the checksum is %#x, want %#x", name, got, f.sum)
		}
	}
}

func BenchmarkExp(b *testing.B) {
	v := 0.0
	for i := range b.N {
		v += Exp(-float64(i&1023) / 100)
	}
}

func BenchmarkLog(b *testing.B) {
	v := 0.0
	for i := range b.N {
		v += Log(float64(i&1023+1) / 100)
	}
}
