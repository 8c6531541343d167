package onnx_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// TestConformance runs all cases of ONNX's own backend tests below the folder that
// VIZ_ONNX_CASES names (of Debian's package libonnx-testdata,
// /usr/share/libonnx-testdata/data): each gives the stored outputs within 1e-4, or
// is refused for a reason of docs/onnx.md. The first input of floats is the picture,
// the others are bound as constants; if that does not work, all are. Each output is
// asked for by its name.
func TestConformance(t *testing.T) {
	root := os.Getenv("VIZ_ONNX_CASES")
	if root == "" {
		t.Skip("VIZ_ONNX_CASES names no folder with ONNX's test cases")
	}
	dirs, err := filepath.Glob(filepath.Join(root, "*", "*", "test_data_set_0"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases in %s (%v)", root, err)
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	passed, failed := 0, 0
	refused := map[string][]string{}
	for _, sets := range dirs {
		name := filepath.Base(filepath.Dir(sets))
		err := conforms(engine, sets)
		var u *onnx.Unsupported
		if why := otherwise[name]; why != "" && err != nil {
			refused[why] = append(refused[why], name)
			continue
		}
		switch {
		case err == nil:
			passed++
		case errors.As(err, &u):
			reason := u.Ops[0].Op + ": " + u.Ops[0].Reason
			refused[reason] = append(refused[reason], name)
		case errors.Is(err, errOutside):
			refused[err.Error()] = append(refused[err.Error()], name)
		default:
			failed++
			t.Errorf("%s: %v", name, err)
		}
	}
	total := 0
	for _, reason := range slices.Sorted(maps.Keys(refused)) {
		total += len(refused[reason])
		t.Logf("%s\n    %d: %s", reason, len(refused[reason]), strings.Join(refused[reason], " "))
	}
	t.Logf("%d passed, %d refused, %d failed", passed, total, failed)
}

// otherwise are cases whose stored answers ONNX Runtime does not give either.
var otherwise = map[string]string{
	"test_resize_downsample_scales_cubic_align_corners":  "corners are those of the size before it is rounded",
	"test_resize_downsample_scales_linear_align_corners": "corners are those of the size before it is rounded",
}

// errOutside is about cases that are not of a network that reads a picture.
var errOutside = errors.New("outside")

func conforms(engine *model.Engine, dir string) error {
	data, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "model.onnx"))
	if err != nil {
		return err
	}
	names, err := onnx.Inputs(data)
	if err != nil {
		return err
	}
	bits := strings.Contains(dir, "BFLOAT16") // which these files hold as uint16
	var inputs, outputs []onnx.Value
	for _, kind := range []string{"input", "output"} {
		files, err := filepath.Glob(filepath.Join(dir, kind+"_*.pb"))
		if err != nil {
			return err
		}
		for i := range files {
			msg, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%s_%d.pb", kind, i)))
			if err != nil {
				return err
			}
			v, err := onnx.Tensor(msg)
			if err != nil || slices.Contains(v.Dims, 0) {
				return fmt.Errorf("%w: an input or output is text, a list or empty", errOutside)
			}
			if bits && onnx.TensorType(msg) == "uint16" {
				for _, b := range v.I {
					v.F = append(v.F, math.Float32frombits(uint32(b)<<16))
				}
				v.I = nil
			}
			if kind == "input" {
				inputs = append(inputs, v)
			} else {
				outputs = append(outputs, v)
			}
		}
	}
	outs, err := onnx.Outputs(data)
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return fmt.Errorf("%w: the graph has no inputs", errOutside)
	case len(outs) != len(outputs) || len(names) != len(inputs):
		return fmt.Errorf("%d inputs and %d outputs, want %d and %d", len(inputs), len(outputs), len(names), len(outs))
	}
	first := slices.IndexFunc(inputs, func(v onnx.Value) bool { return len(v.F) > 0 && len(v.Dims) > 0 })
	var pixels onnx.Value
	if first >= 0 {
		pixels = inputs[first]
	} else { // a picture of whole numbers
		if first = slices.IndexFunc(inputs, func(v onnx.Value) bool { return len(v.Dims) == 4 && v.F == nil }); first >= 0 {
			pixels = onnx.Value{Dims: inputs[first].Dims}
			for _, x := range inputs[first].I {
				pixels.F = append(pixels.F, float32(x))
			}
		}
	}
	for i, out := range outs {
		o := onnx.Options{Bind: map[string]onnx.Value{}, Output: out}
		for j, in := range names {
			o.Bind[in] = inputs[j]
		}
		all := o.Bind
		if first >= 0 {
			o.Bind = maps.Clone(all)
			delete(o.Bind, names[first])
			if err = gives(engine, data, o, &pixels, outputs[i]); err == nil {
				continue
			}
		}
		o.Bind = all
		if again := gives(engine, data, o, nil, outputs[i]); again == nil {
			continue
		} else if err == nil {
			err = again
		}
		return err
	}
	return nil
}

// tolerance is the relative error allowed: there are no float16 here.
func tolerance(data []byte) float64 {
	types, err := onnx.OutputTypes(data)
	switch {
	case err == nil && slices.Contains(types, "bfloat16"):
		return 1e-2
	case err == nil && slices.Contains(types, "float16"):
		return 1e-3
	}
	return 1e-4
}

// gives reads a network and compares the output that is asked for.
func gives(engine *model.Engine, data []byte, o onnx.Options, picture *onnx.Value, want onnx.Value) error {
	g, err := onnx.ReadGraph(data, o)
	if err != nil {
		return err
	}
	in := g.Net.Input
	x := tensor.New(1, in.C, in.H, in.W)
	if picture != nil && in.Name != "nothing" {
		if len(picture.F)%in.Shape().Len() != 0 {
			return fmt.Errorf("the input is %v, the picture %v", in.Shape(), picture.Dims)
		}
		x = tensor.From(picture.F, len(picture.F)/in.Shape().Len(), in.C, in.H, in.W)
	}
	trace, err := engine.Forward(g.Net, x)
	if err != nil {
		return err
	}
	numbers := slices.Clone(want.F)
	for _, v := range want.I {
		numbers = append(numbers, float32(v))
	}
	for _, out := range g.Outputs {
		if out.Name != o.Output {
			continue
		}
		if !slices.Equal(out.Dims, want.Dims) {
			return fmt.Errorf("output %s is %v, want %v", out.Name, out.Dims, want.Dims)
		}
		got := slices.Clone(trace.Value(out.Layer).Data)
		for i := range min(len(got), len(numbers)) {
			if got[i] != got[i] && numbers[i] != numbers[i] { // no numbers, both
				got[i], numbers[i] = 0, 0
			}
		}
		if err := viztest.Close(got, numbers, tolerance(data)); err != nil {
			return fmt.Errorf("output %s: %w", out.Name, err)
		}
		return nil
	}
	return errors.New("the output is not there")
}
