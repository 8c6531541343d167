package onnx_test

import (
	"math"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model/onnx"
)

// tensorMsg is a TensorProto with raw data.
func tensorMsg(typ int64, dims []int64, raw ...byte) []byte {
	t := text(num(nil, 2, typ), 8, "t")
	for _, d := range dims {
		t = num(t, 1, d)
	}
	return msg(t, 9, raw)
}

// The values of 8-bit floats are those that ONNX Runtime 1.30 casts them to.
func TestFloat8(t *testing.T) {
	bits := []byte{0, 1, 7, 8, 0x38, 0x40, 0x77, 0x7b, 0x7c, 0x7e, 0x7f, 0x80, 0x81, 0xb8, 0xfe, 0xff}
	nan, inf := math.NaN(), math.Inf(1)
	for typ, want := range map[int64][]float64{
		17: {0, 0.001953125, 0.013671875, 0.015625, 1, 2, 240, 352, 384, 448, nan, 0, -0.001953125, -1, -448, nan},
		18: {0, 0.0009765625, 0.0068359375, 0.0078125, 0.5, 1, 120, 176, 192, 224, 240, nan, -0.0009765625, -0.5, -224, -240},
		19: {0, 1.52587890625e-05, 0.0001068115234375, 0.0001220703125, 0.5, 2, 28672, 57344, inf, nan, nan, 0, -1.52587890625e-05, -0.5, nan, nan},
		20: {0, 7.62939453125e-06, 5.340576171875e-05, 6.103515625e-05, 0.25, 1, 14336, 28672, 32768, 49152, 57344, nan, -7.62939453125e-06, -0.25, -49152, -57344},
	} {
		got, err := onnx.Tensor(tensorMsg(typ, []int64{16}, bits...))
		if err != nil {
			t.Fatalf("type %d: %v", typ, err)
		}
		for i, w := range want {
			if v := float64(got.F[i]); v != w && !(math.IsNaN(v) && math.IsNaN(w)) {
				t.Errorf("type %d: bits %#x are %g, want %g", typ, bits[i], v, w)
			}
		}
	}
}

// What is smaller than a byte is packed, the first element in the lowest bits; in
// int32_data every number holds one byte.
func TestPackedTypes(t *testing.T) {
	for _, c := range []struct {
		typ  int64
		n    int64
		raw  []byte
		want []int64
	}{
		{21, 5, []byte{0x21, 0xf8, 0x0a}, []int64{1, 2, 8, 15, 10}},
		{22, 5, []byte{0x21, 0xf8, 0x0a}, []int64{1, 2, -8, -1, -6}},
		{25, 5, []byte{0xe4, 0x02}, []int64{0, 1, 2, 3, 2}},
		{26, 5, []byte{0xe4, 0x02}, []int64{0, 1, -2, -1, -2}},
	} {
		got, err := onnx.Tensor(tensorMsg(c.typ, []int64{c.n}, c.raw...))
		if err != nil || !slices.Equal(got.I, c.want) {
			t.Errorf("type %d: %v, %v, want %v", c.typ, got.I, err, c.want)
		}
		typed := num(num(text(nil, 8, "t"), 2, c.typ), 1, c.n)
		for _, b := range c.raw {
			typed = num(typed, 5, int64(b))
		}
		if got, err := onnx.Tensor(typed); err != nil || !slices.Equal(got.I, c.want) {
			t.Errorf("type %d in int32_data: %v, %v, want %v", c.typ, got.I, err, c.want)
		}
		if _, err := onnx.Tensor(tensorMsg(c.typ, []int64{c.n}, append(c.raw, 0)...)); err == nil {
			t.Errorf("type %d: a byte too many is taken", c.typ)
		}
	}
	got, err := onnx.Tensor(tensorMsg(23, []int64{4}, 0x21, 0xf7))
	if want := []float32{0.5, 1, 6, -6}; err != nil || !slices.Equal(got.F, want) {
		t.Errorf("float4e2m1: %v, %v, want %v", got.F, err, want)
	}
}

func TestTypesRefused(t *testing.T) {
	for typ, want := range map[int64]string{8: "string", 14: "complex64", 99: "99 (unknown)", 1 << 40: "255 (unknown)"} {
		_, err := onnx.Tensor(tensorMsg(typ, []int64{1}, 0, 0, 0, 0, 0, 0, 0, 0))
		if err == nil || err.Error() != "it has element type "+want+", which is not supported" {
			t.Errorf("type %d: %v, want it refused as %s", typ, err, want)
		}
	}
}
