package onnx_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// array is a value of the plain interpreter: dims and numbers in float64.
type array struct {
	dims []int
	v    []float64
}

// randomGraph is a graph of operators in a row, on a picture of 1 x 4 x 5, and what the
// plain interpreter makes of it.
type randomGraph struct {
	rng   *rand.Rand
	parts []part
	steps []func(in map[string]array) array
	names []string
	dims  map[string][]int
}

func (g *randomGraph) add(dims []int, f func(in map[string]array) array, node func(out string) []part) {
	name := fmt.Sprint("v", len(g.names))
	g.parts = append(g.parts, node(name)...)
	g.steps, g.names = append(g.steps, f), append(g.names, name)
	g.dims[name] = dims
}

// any is one of the values so far.
func (g *randomGraph) any() string {
	if len(g.names) == 0 {
		return "x"
	}
	// Most often the last, so that graphs are deep.
	if g.rng.IntN(3) > 0 {
		return g.names[len(g.names)-1]
	}
	return g.names[g.rng.IntN(len(g.names))]
}

func (g *randomGraph) eval(x []float64) array {
	all := map[string]array{"x": {[]int{1, 4, 5}, x}}
	for i, f := range g.steps {
		all[g.names[i]] = f(all)
	}
	return all[g.names[len(g.names)-1]]
}

// alongLast maps each row of the last axis.
func alongLast(a array, f func(row []float64) []float64) array {
	size := a.dims[len(a.dims)-1]
	var out []float64
	for row := range slices.Chunk(a.v, size) {
		out = append(out, f(row)...)
	}
	dims := slices.Clone(a.dims)
	dims[len(dims)-1] = len(out) / (len(a.v) / size)
	return array{dims, out}
}

func meanOf(row []float64, f func(float64) float64) float64 {
	sum := 0.0
	for _, v := range row {
		sum += f(v)
	}
	return sum / float64(len(row))
}

// kinds of steps, each for a value called in of dims d.
var randomSteps = map[string]func(g *randomGraph, in string, d []int){
	"layer norm": func(g *randomGraph, in string, d []int) {
		n := d[2]
		scale, shift := g.floats(n), g.floats(n)
		g.add(d, func(all map[string]array) array {
			return alongLast(all[in], func(row []float64) []float64 {
				m := meanOf(row, func(v float64) float64 { return v })
				s := math.Sqrt(meanOf(row, func(v float64) float64 { return (v - m) * (v - m) }) + 0.1)
				out := make([]float64, n)
				for i, v := range row {
					out[i] = (v-m)/s*float64(scale[i]) + float64(shift[i])
				}
				return out
			})
		}, func(out string) []part {
			return []part{floats(out+"s", []int64{int64(n)}, scale...), floats(out+"b", []int64{int64(n)}, shift...),
				op("LayerNormalization", in+" "+out+"s "+out+"b", out, float("epsilon", 0.1))}
		})
	},
	"rms norm": func(g *randomGraph, in string, d []int) {
		scale := g.floats(d[2])
		g.add(d, func(all map[string]array) array {
			return alongLast(all[in], func(row []float64) []float64 {
				s := math.Sqrt(meanOf(row, func(v float64) float64 { return v * v }) + 0.1)
				out := make([]float64, len(row))
				for i, v := range row {
					out[i] = v / s * float64(scale[i])
				}
				return out
			})
		}, func(out string) []part {
			return []part{floats(out+"s", []int64{int64(d[2])}, scale...), op("RMSNormalization", in+" "+out+"s", out, float("epsilon", 0.1))}
		})
	},
	"turn": func(g *randomGraph, in string, d []int) {
		g.add([]int{1, d[2], d[1]}, func(all map[string]array) array {
			a := all[in]
			out := array{[]int{1, d[2], d[1]}, make([]float64, len(a.v))}
			for i := range d[1] {
				for j := range d[2] {
					out.v[j*d[1]+i] = a.v[i*d[2]+j]
				}
			}
			return out
		}, func(out string) []part { return []part{op("Einsum", in, out, str("equation", "bij->bji"))} })
	},
	"product": func(g *randomGraph, in string, d []int) { // of a value with itself
		g.add([]int{1, d[1], d[1]}, func(all map[string]array) array {
			a := all[in]
			out := array{[]int{1, d[1], d[1]}, make([]float64, d[1]*d[1])}
			for i := range d[1] {
				for j := range d[1] {
					for k := range d[2] {
						out.v[i*d[1]+j] += a.v[i*d[2]+k] * a.v[j*d[2]+k] / 4
					}
				}
			}
			return out
		}, func(out string) []part {
			return []part{floats(out+"q", nil, .25), op("Einsum", in+" "+in, out+"p", str("equation", "bik,bjk->bij")), op("Mul", out+"p "+out+"q", out)}
		})
	},
	"where": func(g *randomGraph, in string, d []int) { // the square of what is above 0.1
		g.add(d, func(all map[string]array) array {
			a := all[in]
			out := array{d, make([]float64, len(a.v))}
			for i, v := range a.v {
				if out.v[i] = v / 2; v > 0.1 {
					out.v[i] = v * v / (1 + v)
				}
			}
			return out
		}, func(out string) []part {
			return []part{floats(out+"k", nil, 0.1), floats(out+"h", nil, 0.5), floats(out+"o", nil, 1), op("Greater", in+" "+out+"k", out+"m"), op("Mul", in+" "+out+"h", out+"l"),
				op("Mul", in+" "+in, out+"s"), op("Add", in+" "+out+"o", out+"d"), op("Div", out+"s "+out+"d", out+"r"), op("Where", out+"m "+out+"r "+out+"l", out)}
		})
	},
	"sums": func(g *randomGraph, in string, d []int) {
		g.add(d, func(all map[string]array) array {
			return alongLast(all[in], func(row []float64) []float64 {
				out := slices.Clone(row)
				for i := 1; i < len(out); i++ {
					out[i] += out[i-1]
				}
				for i := range out {
					out[i] /= 2
				}
				return out
			})
		}, func(out string) []part {
			return []part{longs(out+"a", 2), floats(out+"h", nil, 0.5), op("CumSum", in+" "+out+"a", out+"c"), op("Mul", out+"c "+out+"h", out)}
		})
	},
	"largest": func(g *randomGraph, in string, d []int) { // found again by their places
		if d[2] < 3 {
			return
		}
		g.add([]int{1, d[1], 3}, func(all map[string]array) array {
			return alongLast(all[in], func(row []float64) []float64 {
				out := slices.Sorted(slices.Values(row))
				slices.Reverse(out)
				return out[:3]
			})
		}, func(out string) []part {
			return []part{longs(out+"k", 3), op("TopK", in+" "+out+"k", "- "+out+"i"), op("GatherElements", in+" "+out+"i", out, integer("axis", 2))}
		})
	},
	"scatter": func(g *randomGraph, in string, d []int) { // each row's first number is added to its largest
		g.add(d, func(all map[string]array) array {
			return alongLast(all[in], func(row []float64) []float64 {
				out := slices.Clone(row)
				out[slices.Index(row, slices.Max(row))] += row[0]
				return out
			})
		}, func(out string) []part {
			return []part{longs(out+"zero", 0), longs(out+"one", 1), longs(out+"axis", 2), op("ArgMax", in, out+"i", integer("axis", 2)),
				op("Slice", in+" "+out+"zero "+out+"one "+out+"axis", out+"f"), op("ScatterElements", in+" "+out+"i "+out+"f", out, integer("axis", 2), str("reduction", "add"))}
		})
	},
	"attention": func(g *randomGraph, in string, d []int) {
		g.add(d, func(all map[string]array) array {
			a := all[in]
			out := array{d, make([]float64, len(a.v))}
			for i := range d[1] {
				p, sum := make([]float64, d[1]), 0.0
				for j := range d[1] {
					for k := range d[2] {
						p[j] += a.v[i*d[2]+k] * a.v[j*d[2]+k]
					}
					p[j] = math.Exp(p[j] / math.Sqrt(float64(d[2])))
					sum += p[j]
				}
				for j := range d[1] {
					for k := range d[2] {
						out.v[i*d[2]+k] += p[j] / sum * a.v[j*d[2]+k]
					}
				}
			}
			return out
		}, func(out string) []part {
			return []part{op("Attention", in+" "+in+" "+in, out, integer("q_num_heads", 1), integer("kv_num_heads", 1))}
		})
	},
	"add": func(g *randomGraph, in string, d []int) {
		other := in
		for name, e := range g.dims {
			if slices.Equal(e, d) && name < other {
				other = name
			}
		}
		g.add(d, func(all map[string]array) array {
			out := array{d, slices.Clone(all[in].v)}
			for i, v := range all[other].v {
				out.v[i] = (out.v[i] + v) / 2
			}
			return out
		}, func(out string) []part { return []part{op("Mean", in+" "+other, out)} })
	},
	"norm": func(g *randomGraph, in string, d []int) {
		g.add(d, func(all map[string]array) array {
			return alongLast(all[in], func(row []float64) []float64 {
				s := math.Sqrt(meanOf(row, func(v float64) float64 { return v * v }) * float64(len(row)))
				out := make([]float64, len(row))
				for i, v := range row {
					out[i] = v / s
				}
				return out
			})
		}, func(out string) []part { return []part{op("LpNormalization", in, out)} })
	},
	"mish": func(g *randomGraph, in string, d []int) {
		g.add(d, func(all map[string]array) array {
			out := array{d, nil}
			for _, v := range all[in].v {
				out.v = append(out.v, v*math.Tanh(math.Log1p(math.Exp(v))))
			}
			return out
		}, func(out string) []part { return []part{op("Mish", in, out)} })
	},
}

func (g *randomGraph) floats(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(g.rng.NormFloat64()*0.3 + 1)
	}
	return v
}

// TestRandomGraphs: random graphs of the operators above give what a plain
// interpreter in float64 gives, and the gradient of the largest number is that of
// its differences.
func TestRandomGraphs(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	names := make([]string, 0, len(randomSteps))
	for name := range randomSteps {
		names = append(names, name)
	}
	slices.Sort(names)
	count := 300
	if testing.Short() {
		count = 60
	}
	compared := 0
	for seed := range count {
		g := &randomGraph{rng: rand.New(rand.NewPCG(uint64(seed), 7)), dims: map[string][]int{"x": {1, 4, 5}}}
		var made []string
		for range 1 + g.rng.IntN(6) {
			step, in := names[g.rng.IntN(len(names))], g.any()
			randomSteps[step](g, in, g.dims[in])
			made = append(made, step)
		}
		if len(g.names) == 0 {
			continue
		}
		last := g.names[len(g.names)-1]
		data := file(23, append(g.parts, op("Neg", last, "minus"), op("Neg", "minus", "y"), input("x", 1, 4, 5), output("y"))...)
		read, err := onnx.ReadGraph(data, onnx.Options{})
		if err != nil {
			t.Fatalf("seed %d, %v: %v", seed, made, err)
		}
		x, x64 := make([]float32, 20), make([]float64, 20)
		for i := range x {
			x[i] = float32(g.rng.NormFloat64())
			x64[i] = float64(x[i])
		}
		in := read.Net.Input
		trace, err := engine.Forward(read.Net, tensor.From(x, 1, in.C, in.H, in.W))
		if err != nil {
			t.Fatalf("seed %d, %v: %v", seed, made, err)
		}
		want, got := g.eval(x64), trace.Value(read.Outputs[0].Layer)
		most, at := 0.0, 0
		for i, v := range want.v {
			if most = max(most, math.Abs(v)); v > want.v[at] {
				at = i
			}
		}
		for i, v := range want.v {
			if !(math.Abs(float64(got.Data[i])-v) <= 1e-4*most) {
				t.Fatalf("seed %d, %v: number %d is %g, want %g", seed, made, i, got.Data[i], v)
			}
		}
		s := trace.Shapes[read.Outputs[0].Layer]
		u := model.Unit{Layer: read.Outputs[0].Layer, Channel: at / (s.H * s.W), Y: at / s.W % s.H, X: at % s.W}
		p, err := deconv.New(engine, read.Net, deconv.Gradient).Project(trace, 0, u)
		if err != nil {
			t.Fatalf("seed %d, %v: %v", seed, made, err)
		}
		full := p.Full(in.H, in.W)
		slope := func(i int, step float64) float64 {
			y := slices.Clone(x64)
			y[i] += step
			up := g.eval(y).v[at]
			y[i] -= 2 * step
			return (up - g.eval(y).v[at]) / (2 * step) * want.v[at]
		}
		grad, kink := make([]float64, 20), false
		top := 0.0
		for i := range grad {
			grad[i] = slope(i, 1e-5)
			top = max(top, math.Abs(grad[i]))
			kink = kink || math.Abs(slope(i, 1e-3)-grad[i]) > 1e-2*(1e-2+math.Abs(grad[i]))
		}
		if kink { // where another number becomes the largest, or one crosses a bound
			continue
		}
		compared++
		for i, v := range grad {
			if !(math.Abs(float64(full[i])-v) <= 1e-3*max(top, 1e-2)) {
				t.Fatalf("seed %d, %v: gradient %d is %g, by differences %g", seed, made, i, full[i], v)
			}
		}
	}
	if compared < count/2 {
		t.Errorf("only %d of %d gradients were compared", compared, count)
	}
}
