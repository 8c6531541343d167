package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
)

// part is a tensor of a safetensors file as its specification says: the name, the type, the sizes, the bytes.
type part struct {
	name, dtype string
	shape       []int
	data        []byte
}

// plainly reads a safetensors file: eight bytes with the size of the header, a header of JSON, and the bytes of the
// tensors, which fill the rest without holes. ok: it is one.
func plainly(b []byte) (list []part, ok bool) {
	if len(b) < 10 || b[8] != '{' {
		return nil, false
	}
	n := binary.LittleEndian.Uint64(b)
	if n > uint64(len(b)-8) {
		return nil, false
	}
	var header map[string]json.RawMessage
	if json.Unmarshal(b[8:8+n], &header) != nil {
		return nil, false
	}
	data := b[8+n:]
	type place struct {
		Dtype   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	places := map[string]place{}
	names := []string{}
	for name, text := range header {
		if name == "__metadata__" {
			continue
		}
		var p place
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if d.Decode(&p) != nil || p.Offsets[0] < 0 || p.Offsets[1] < p.Offsets[0] || p.Offsets[1] > int64(len(data)) {
			return nil, false
		}
		names, places[name] = append(names, name), p
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := places[a].Offsets, places[b].Offsets
		return int(x[0]-y[0]) + int(x[1]-y[1]) // both grow
	})
	var at int64
	for _, name := range names {
		p := places[name]
		if p.Offsets[0] != at {
			return nil, false
		}
		at = p.Offsets[1]
		list = append(list, part{name, p.Dtype, p.Shape, data[p.Offsets[0]:p.Offsets[1]]})
	}
	return list, at == int64(len(data))
}

// storedParts writes parts in the plainest form.
func storedParts(list []part) []byte {
	var head strings.Builder
	var data []byte
	for _, p := range list {
		name, _ := json.Marshal(p.name)
		shape := strings.ReplaceAll(fmt.Sprint(p.shape), " ", ",")
		fmt.Fprintf(&head, `,%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, p.dtype, shape, len(data), len(data)+len(p.data))
		data = append(data, p.data...)
	}
	text := "{" + strings.TrimPrefix(head.String(), ",") + "}"
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), []byte(text), data)
}

// value is number i of a part, by arithmetic. known: its type is one of floating point.
func (p part) value(i int) (v float64, known bool) {
	bits := func(size int) (u uint64) {
		for k := range size {
			u |= uint64(p.data[i*size+k]) << (8 * k)
		}
		return u
	}
	switch p.dtype {
	case "F64":
		return math.Float64frombits(bits(8)), true
	case "F32":
		return float64(math.Float32frombits(uint32(bits(4)))), true
	case "BF16":
		return float64(math.Float32frombits(uint32(bits(2)) << 16)), true
	case "F16":
		u := bits(2)
		sign, exponent, fraction := 1-2*float64(u>>15), int(u>>10&31), float64(u&1023)
		switch {
		case exponent == 0:
			return sign * fraction / (1 << 24), true
		case exponent < 31:
			return sign * (1 + fraction/1024) * math.Pow(2, float64(exponent-15)), true
		case fraction == 0:
			return math.Inf(int(sign)), true
		}
		return math.NaN(), true
	}
	return 0, false
}

// FuzzSafetensors holds the reader to the plain one: the arrays of floating point are the same.
func FuzzSafetensors(f *testing.F) {
	for _, list := range [][]part{
		{{"a.weight", "F32", []int{1, 2}, make([]byte, 8)}, {"n", "I64", []int{}, make([]byte, 8)}, {"b", "F16", []int{3}, []byte{0, 60, 1, 0, 0, 252}}},
		{{"a", "BF16", []int{2}, []byte{128, 63, 0, 192}}, {"e", "F64", []int{0, 7}, nil}, {"d", "F64", []int{1}, []byte{1, 2, 3, 4, 5, 6, 7, 8}}},
		{{"\u00e9\n", "F32", []int{}, []byte{0, 0, 128, 63}}},
	} {
		f.Add(storedParts(list))
	}
	f.Add([]byte("\x60\x00\x00\x00\x00\x00\x00\x00{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}0123"))
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		list, ok := plainly(b)
		got, err := readsArrays(t, b)
		if !ok {
			return
		}
		if err == nil {
			sameArrays(t, got, list)
		}
		for i, p := range list { // in its plainest form there is no reason to refuse it
			width := map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2}[p.dtype]
			n, whole := product(p.shape, 1<<40)
			if width == 0 || len(p.shape) > 8 || !whole || slices.ContainsFunc(p.shape, func(n int) bool { return n < 0 }) || int(n)*width != len(p.data) || p.name == "__metadata__" || p.shape == nil {
				return
			}
			list[i].name = fmt.Sprintf("%d %q", i, p.name)
		}
		if got, err = readsArrays(t, storedParts(list)); err != nil {
			t.Fatalf("refused: %v\n%q", err, storedParts(list))
		}
		for i := range got {
			got[i].name = list[i].name
		}
		sameArrays(t, got, list)
	})
}

// sameArrays holds arrays to the parts of floating point, by their names.
func sameArrays(t testing.TB, got []array, list []part) {
	t.Helper()
	of := map[string]part{}
	n := 0
	for _, p := range list {
		of[p.name] = p
		if _, known := (part{dtype: p.dtype, data: make([]byte, 8)}).value(0); known {
			n++
		}
	}
	if len(got) != n {
		t.Fatalf("%d arrays, want %d", len(got), n)
	}
	for _, a := range got {
		p, ok := of[a.name]
		if !ok || !slices.Equal(a.t.Shape, p.shape) {
			t.Fatalf("array %q of shape %v, want %+v", a.name, a.t.Shape, p)
		}
		for i, v := range a.t.Data {
			if want, _ := p.value(i); want == want && math.Float32bits(v) != math.Float32bits(float32(want)) {
				t.Fatalf("number %d of %q is %g, want %g", i, a.name, v, want)
			}
		}
	}
}

// FuzzPreprocess: files that say how pixels become an input, of PyTorch's and Hugging Face's programs and our own notes.
func FuzzPreprocess(f *testing.F) {
	for _, text := range []string{
		`{"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"input_size":[3,224,224],"interpolation":"bicubic","crop_pct":0.875}`,
		`{"pretrained_cfg":{"mean":[0.5],"std":[0.5],"input_size":[1,28,28],"interpolation":"bilinear"}}`,
		`{"do_resize":true,"size":{"shortest_edge":256},"do_center_crop":true,"crop_size":{"height":224,"width":224},"do_normalize":true,"image_mean":[0.5,0.5,0.5],"image_std":[1,1,1],"resample":2,"do_rescale":true,"rescale_factor":0.00392156862745098,"image_processor_type":"X"}`,
		`{"preprocess":{"Mean":[1,2,3],"Std":[4,5,6]}}`,
	} {
		f.Add([]byte(text))
	}
	hostile.Fuzz(f, func(t testing.TB, text []byte) {
		hostile.Read(t, len(text), func() error {
			_, _, err := ReadPreprocess(text)
			return imageio.OneLine(err)
		})
	})
}

// FuzzSettings: what is written behind --preprocess, if it is no file.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{"imagenet,size=232,std=.5", "scale=2/255,mean=1/1/1,order=bgr,crop=20x30", "unit,size=10x20,filter=nearest", "scale=1e-400,mean=NaN/1/1,crop=99999999999x1"} {
		f.Add(s)
	}
	hostile.Fuzz(f, func(t testing.TB, s string) {
		var p Preprocess
		if hostile.Read(t, len(s), func() (err error) {
			p, _, err = ParsePreprocess("scale=1," + s) // so that it names no file
			return imageio.OneLine(err)
		}) == nil {
			for _, v := range slices.Concat(p.Mean, p.Std, []float32{float32(p.Scale)}) {
				if v != v || math.IsInf(float64(v), 0) {
					t.Errorf("%q: numbers are not finite: %+v", s, p)
				}
			}
		}
	})
}

// TestOverlap: arrays may be empty, but none may claim data of another.
func TestOverlap(t *testing.T) {
	one := []byte(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`)
	file := slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(one))), one, make([]byte, 8))
	if _, err := readsArrays(t, file); err == nil || !strings.Contains(err.Error(), "in data of another tensor") {
		t.Errorf("got %v", err)
	}
	if list, err := readsArrays(t, bytes.Replace(file, []byte("[0,4]}}"), []byte("[4,8]}}"), 1)); err != nil || len(list) != 3 {
		t.Errorf("apart: %d arrays, %v", len(list), err)
	}
}
