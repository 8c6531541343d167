package model_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// TestOddSettings sets every setting of every kind of layer to what does not fit, one
// at a time: numbers one more, one less, 0 and negative, lists and weights that are
// longer, shorter or missing, words that mean nothing. Shapes must say what is wrong,
// naming the layer, or the network must run and give what Shapes says.
func TestOddSettings(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	all := kinds(rand.New(rand.NewPCG(1, 1)))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		net := all[name]
		x := randomTensor(rand.New(rand.NewPCG(2, 2)), 2, 3, 7, 9)
		tryInputs(t, engine, name, net)
		layer := reflect.ValueOf(net.Node("it").Layer).Elem()
		for i := range layer.NumField() {
			if f := layer.Type().Field(i); f.IsExported() {
				for what, v := range odd(layer.Field(i)) {
					old := reflect.New(f.Type).Elem()
					old.Set(layer.Field(i))
					layer.Field(i).Set(v)
					if problem := tryLayer(engine, net, x); problem != "" {
						t.Errorf("%s, %s %s: %s", name, f.Name, what, problem)
					}
					layer.Field(i).Set(old)
				}
			}
		}
	}
}

// tryInputs gives a network maps of other sizes, and its layer a vector.
func tryInputs(t *testing.T, engine *model.Engine, name string, net *model.Network) {
	own, nodes := net.Input, net.Nodes
	for _, size := range [][3]int{{3, 7, 9}, {2, 7, 9}, {4, 7, 9}, {3, 6, 9}, {3, 8, 9}, {3, 7, 8}, {3, 7, 10}, {3, 1, 1}, {3, 9, 7}, {1, 1, 1}, {1, 7, 27}} {
		x := randomTensor(rand.New(rand.NewPCG(3, 3)), 2, size[0], size[1], size[2])
		net.Input.C, net.Input.H, net.Input.W = size[0], size[1], size[2]
		if problem := tryLayer(engine, net, x); problem != "" {
			t.Errorf("%s of %v: %s", name, size, problem)
		}
		it := slices.Clone(nodes)
		last := &it[len(it)-1]
		last.Inputs = slices.Clone(last.Inputs)
		flat := model.Node{Name: "vector", Inputs: []string{last.Inputs[0]}, Layer: &model.Reshape{}}
		last.Inputs[0] = "vector"
		net.Nodes = slices.Insert(it, len(it)-1, flat)
		if problem := tryLayer(engine, net, x); problem != "" {
			t.Errorf("%s of %v as a vector: %s", name, size, problem)
		}
		net.Nodes = nodes
	}
	net.Input = own
}

// tryLayer reports what is wrong with how a network is refused or run.
func tryLayer(engine *model.Engine, net *model.Network, x *tensor.Tensor) (problem string) {
	defer func() {
		if r := recover(); r != nil {
			problem = fmt.Sprintf("panic: %v", r)
		}
	}()
	shapes, err := net.Shapes()
	if err != nil {
		if !strings.Contains(err.Error(), "layer ") {
			return err.Error()
		}
		return ""
	}
	if shapes["it"].Len() > 1<<16 {
		return ""
	}
	for name, s := range shapes {
		if s.C < 1 || s.H < 1 || s.W < 1 {
			return fmt.Sprintf("%s has shape %v", name, s)
		}
	}
	trace, err := engine.Forward(net, x)
	if err != nil {
		return fmt.Sprintf("shapes take it, a pass does not: %v", err)
	}
	if got, want := len(trace.Value("it").Data), 2*shapes["it"].Len(); got != want {
		return fmt.Sprintf("%d values, want %d", got, want)
	}
	return ""
}

// odd are values that a setting should not have, and a few that it may.
func odd(v reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	set := func(what string, x any) { out[what] = reflect.ValueOf(x).Convert(v.Type()) }
	switch v.Kind() {
	case reflect.Int:
		for _, n := range []int{-1, 0, int(v.Int()) + 1, int(v.Int()) - 1} {
			set(fmt.Sprint(n), n)
		}
	case reflect.Bool:
		set("turned", !v.Bool())
	case reflect.String:
		set("nonsense", "nonsense")
	case reflect.Array:
		for i := range v.Len() {
			for what, e := range odd(v.Index(i)) {
				a := reflect.New(v.Type()).Elem()
				a.Set(v)
				a.Index(i).Set(e)
				out[fmt.Sprintf("%d: %s", i, what)] = a
			}
		}
	case reflect.Slice:
		clone := func(n int) reflect.Value {
			s := reflect.MakeSlice(v.Type(), n, n)
			reflect.Copy(s, v)
			return s
		}
		out["empty"] = reflect.Zero(v.Type())
		out["longer"] = clone(v.Len() + 1)
		if v.Len() > 0 {
			out["shorter"] = clone(v.Len() - 1)
		}
		for i := range v.Len() {
			for what, e := range odd(v.Index(i)) {
				s := clone(v.Len())
				s.Index(i).Set(e)
				out[fmt.Sprintf("%d: %s", i, what)] = s
			}
		}
	case reflect.Pointer:
		t, ok := v.Interface().(*tensor.Tensor)
		if !ok || t == nil {
			break
		}
		shape := func(what string, dims []int) {
			if len(dims) == 0 || slices.Min(dims) > 0 {
				set(what, tensor.New(dims...))
			}
		}
		out["missing"] = reflect.Zero(v.Type())
		shape("with an axis more", append(slices.Clone(t.Shape), 1))
		for i := range t.Shape {
			shape(fmt.Sprintf("without axis %d", i), slices.Delete(slices.Clone(t.Shape), i, i+1))
			for _, by := range []int{-1, 1} {
				dims := slices.Clone(t.Shape)
				dims[i] += by
				shape(fmt.Sprintf("axis %d %+d", i, by), dims)
			}
		}
	}
	return out
}
