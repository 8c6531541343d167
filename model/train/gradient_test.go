package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// reference computes the training loss of a network in float64 with plain
// loops that share no code with the kernels. Dropout takes its masks from the
// graph under test.
type reference struct {
	net    *model.Network
	shapes map[string]model.Shape
	n      int
	x      []float64
	labels []int32
	smooth float64
	weight []float64 // by class
	masks  map[string][]float32
	params map[string][]float64 // by name, as in graph.params
}

func (r *reference) loss() float64 {
	vals := map[string][]float64{r.net.Input.Name: r.x}
	for i := range r.net.Nodes {
		node := &r.net.Nodes[i]
		var in [][]float64
		var is []model.Shape
		for _, name := range node.Inputs {
			in, is = append(in, vals[name]), append(is, r.shapes[name])
		}
		y := make([]float64, r.n*r.shapes[node.Name].Len())
		r.layer(node, y, r.shapes[node.Name], in, is)
		vals[node.Name] = y
		if node.Name == r.net.Logits {
			break
		}
	}
	logits, c := vals[r.net.Logits], r.shapes[r.net.Logits].C
	total := 0.0
	for i := range r.n {
		row := logits[i*c : (i+1)*c]
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(v)
		}
		w := 1.0
		if r.weight != nil {
			w = r.weight[r.labels[i]]
		}
		for k, v := range row {
			t := r.smooth / float64(c)
			if k == int(r.labels[i]) {
				t += 1 - r.smooth
			}
			total -= w * t * (v - math.Log(sum))
		}
	}
	return total / float64(r.n)
}

func (r *reference) layer(node *model.Node, y []float64, out model.Shape, ins [][]float64, is []model.Shape) {
	x, in := ins[0], is[0]
	// at is the value of image i, channel c at (v, u), 0 outside.
	at := func(i, c, v, u int) float64 {
		if v < 0 || u < 0 || v >= in.H || u >= in.W {
			return 0
		}
		return x[((i*in.C+c)*in.H+v)*in.W+u]
	}
	each := func(f func(i, c, v, u int) float64) {
		for i := range r.n {
			for c := range out.C {
				for v := range out.H {
					for u := range out.W {
						y[((i*out.C+c)*out.H+v)*out.W+u] = f(i, c, v, u)
					}
				}
			}
		}
	}
	w, b := r.params[node.Name+".weight"], r.params[node.Name+".bias"]
	switch l := node.Layer.(type) {
	case *model.Conv:
		per, kh, kw := l.Weight.Shape[1], l.Weight.Shape[2], l.Weight.Shape[3]
		each(func(i, k, v, u int) float64 {
			sum := 0.0
			if b != nil {
				sum = b[k]
			}
			for c := range per {
				for p := range kh {
					for q := range kw {
						sum += w[((k*per+c)*kh+p)*kw+q] * at(i, k/(out.C/l.Groups)*per+c, v*l.Stride[0]+p*l.Dilation[0]-l.Pads[0], u*l.Stride[1]+q*l.Dilation[1]-l.Pads[1])
					}
				}
			}
			return sum
		})
	case *model.Dense:
		each(func(i, k, _, _ int) float64 {
			sum := 0.0
			if b != nil {
				sum = b[k]
			}
			for c := range in.C {
				sum += w[k*in.C+c] * x[i*in.C+c]
			}
			return sum
		})
	case *model.Pool:
		if l.Op == model.PoolAverage {
			each(func(i, c, v, u int) float64 {
				sum, count := 0.0, 0
				for p := range l.Kernel[0] {
					for q := range l.Kernel[1] {
						v, u := v*l.Stride[0]+p-l.Pads[0], u*l.Stride[1]+q-l.Pads[1]
						sum += at(i, c, v, u)
						inside := v >= 0 && u >= 0 && v < in.H && u < in.W
						if inside || l.CountPad && v < in.H+l.Pads[2] && u < in.W+l.Pads[3] {
							count++
						}
					}
				}
				return sum / float64(count)
			})
			break
		}
		each(func(i, c, v, u int) float64 {
			best := math.Inf(-1)
			for p := range l.Kernel[0] {
				for q := range l.Kernel[1] {
					if v, u := v*l.Stride[0]+p-l.Pads[0], u*l.Stride[1]+q-l.Pads[1]; v >= 0 && u >= 0 && v < in.H && u < in.W {
						best = max(best, at(i, c, v, u))
					}
				}
			}
			return best
		})
	case *model.GlobalAvgPool:
		each(func(i, c, _, _ int) float64 {
			sum := 0.0
			for v := range in.H {
				for u := range in.W {
					sum += at(i, c, v, u)
				}
			}
			return sum / float64(in.H*in.W)
		})
	case *model.ReLU:
		for i, v := range x {
			y[i] = max(v, 0)
		}
	case *model.BatchNorm:
		gamma, beta := r.params[node.Name+".scale"], r.params[node.Name+".shift"]
		m := float64(r.n * in.H * in.W)
		mean, variance := make([]float64, in.C), make([]float64, in.C)
		over := func(f func(c int, v float64)) {
			for i, v := range x {
				f(i/(in.H*in.W)%in.C, v)
			}
		}
		over(func(c int, v float64) { mean[c] += v / m })
		over(func(c int, v float64) { variance[c] += (v - mean[c]) * (v - mean[c]) / m })
		each(func(i, c, v, u int) float64 {
			return gamma[c]*(at(i, c, v, u)-mean[c])/math.Sqrt(variance[c]+l.Eps) + beta[c]
		})
	case *model.Add:
		for _, part := range ins {
			for i, v := range part {
				y[i] += v
			}
		}
	case *model.Concat:
		from := 0
		for j, part := range ins {
			size := is[j].Len()
			for i := range r.n {
				copy(y[i*out.Len()+from:], part[i*size:(i+1)*size])
			}
			from += size
		}
	case *model.Reshape:
		copy(y, x)
	case *model.LRN:
		each(func(i, c, v, u int) float64 {
			sum := 0.0
			for d := c - (l.Size-1)/2; d < c-(l.Size-1)/2+l.Size; d++ {
				if d >= 0 && d < in.C {
					sum += at(i, d, v, u) * at(i, d, v, u)
				}
			}
			return at(i, c, v, u) / math.Pow(l.Bias+l.Alpha/float64(l.Size)*sum, l.Beta)
		})
	case *model.Unary: // a leaky rectifier
		for i, v := range x {
			y[i] = max(v, float64(l.Alpha)*v)
		}
	case *model.Clip:
		for i, v := range x {
			y[i] = min(max(v, float64(l.Min)), float64(l.Max))
		}
	case *model.Pad:
		each(func(i, c, v, u int) float64 {
			v, u = v-l.Pads[0], u-l.Pads[1]
			if v < 0 || u < 0 || v >= in.H || u >= in.W {
				return float64(l.Value)
			}
			return at(i, c, v, u)
		})
	case *model.Recurrent:
		wx, wh, bx, bh := r.params[node.Name+".weight_x"], r.params[node.Name+".weight_h"], r.params[node.Name+".bias_x"], r.params[node.Name+".bias_h"]
		units := out.C
		sigmoid := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
		for i := range r.n {
			h, c := make([]float64, units), make([]float64, units)
			for t := range in.H {
				dot := func(j int) (fromX, fromH float64) {
					fromX, fromH = bx[j], bh[j]
					for k := range in.W {
						fromX += wx[j*in.W+k] * at(i, 0, t, k)
					}
					for k := range units {
						fromH += wh[j*units+k] * h[k]
					}
					return fromX, fromH
				}
				sum := func(j int) float64 { a, b := dot(j); return a + b }
				next := make([]float64, units)
				for j := range units {
					switch l.Cell {
					case "rnn":
						next[j] = math.Tanh(sum(j))
					case "lstm":
						c[j] = sigmoid(sum(units+j))*c[j] + sigmoid(sum(j))*math.Tanh(sum(2*units+j))
						next[j] = sigmoid(sum(3*units+j)) * math.Tanh(c[j])
					case "gru":
						fromX, fromH := dot(2*units + j)
						keep := sigmoid(sum(units + j))
						next[j] = (1-keep)*math.Tanh(fromX+sigmoid(sum(j))*fromH) + keep*h[j]
					}
				}
				h = next
			}
			copy(y[i*units:], h)
		}
	case *model.Dropout:
		for i, v := range x {
			y[i] = v * float64(r.masks[node.Name][i])
		}
	default:
		panic(l.Kind())
	}
}

// Small layers with weights from a seed.
type maker struct{ rng *rand.Rand }

func (m maker) fill(n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(m.rng.NormFloat64() * scale)
	}
	return v
}

func (m maker) conv(out, in, kh, kw int, change func(l *model.Conv)) *model.Conv {
	l := &model.Conv{Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: make([]int, 4), Groups: 1, Bias: m.fill(out, 0.3)}
	if change != nil {
		change(l)
	}
	in /= l.Groups
	l.Weight = tensor.From(m.fill(out*in*kh*kw, 1/math.Sqrt(float64(in*kh*kw))), out, in, kh, kw)
	return l
}

func (m maker) dense(out, in int, bias bool) *model.Dense {
	l := &model.Dense{Weight: tensor.From(m.fill(out*in, 1/math.Sqrt(float64(in))), out, in)}
	if bias {
		l.Bias = m.fill(out, 0.3)
	}
	return l
}

func (m maker) norm(c int) *model.BatchNorm {
	l := &model.BatchNorm{Scale: m.fill(c, 0.2), Shift: m.fill(c, 0.3), Mean: make([]float32, c), Var: make([]float32, c), Eps: 1e-3}
	for i := range c {
		l.Scale[i]++
		l.Var[i] = 1
	}
	return l
}

func same(l *model.Conv) { l.Pads = []int{1, 1, 1, 1} }

func pool(k, s, p int) *model.Pool {
	return &model.Pool{Op: model.PoolMax, Kernel: []int{k, k}, Stride: []int{s, s}, Dilation: []int{1, 1}, Pads: []int{p, p, p, p}}
}

// testNets use every layer that can be trained, in each neighbourhood that the
// graph treats differently.
func testNets() map[string]*model.Network {
	m := maker{rand.New(rand.NewPCG(3, 4))}
	nets := map[string]*model.Network{
		"plain": chain(model.Input{Name: "in", C: 2, H: 9, W: 8}, "fc2",
			"conv1", m.conv(4, 2, 3, 3, same), "relu1", &model.ReLU{}, "pool1", pool(3, 2, 1), // overlapping windows
			"conv2", m.conv(6, 4, 3, 2, func(l *model.Conv) { l.Groups, l.Stride, l.Pads = 2, []int{2, 1}, []int{1, 0, 2, 1} }),
			"relu2", &model.ReLU{},
			"conv3", m.conv(5, 6, 2, 2, func(l *model.Conv) { l.Dilation, l.Bias = []int{1, 2}, nil }),
			"avg", &model.Pool{Op: model.PoolAverage, Kernel: []int{2, 2}, Stride: []int{1, 1}, Pads: []int{0, 1, 0, 0}, CountPad: true},
			"relu3", &model.ReLU{}, "pool3", pool(3, 1, 1),
			"flat", &model.Reshape{}, "fc1", m.dense(7, 10, true), "relu4", &model.ReLU{}, "drop", &model.Dropout{Rate: 0.4},
			"fc2", m.dense(3, 7, false), "prob", &model.Softmax{}),
		"norm": chain(model.Input{Name: "in", C: 1, H: 6, W: 7}, "fc",
			"conv1", m.conv(3, 1, 3, 3, func(l *model.Conv) { l.Bias = nil }), "bn1", m.norm(3), "relu1", &model.ReLU{}, "pool1", pool(2, 2, 0),
			"avg", &model.Pool{Op: model.PoolAverage, Kernel: []int{2, 2}, Stride: []int{1, 2}, Pads: []int{1, 0, 0, 0}},
			"flat", &model.Reshape{}, "bn2", m.norm(6), "relu2", &model.ReLU{}, "drop", &model.Dropout{Rate: 0.25}, "fc", m.dense(4, 6, true)),
		"other": chain(model.Input{Name: "in", C: 1, H: 4, W: 4}, "fc",
			"pad0", &model.Pad{Pads: [4]int{1, 0, 0, 1}, Value: 0.5}, "conv1", m.conv(4, 1, 2, 2, nil), "lrn", &model.LRN{Size: 3, Alpha: 0.5, Beta: 0.75, Bias: 1},
			"leaky", &model.Unary{Op: "LeakyRelu", Alpha: 0.2}, "pad", &model.Pad{Pads: [4]int{0, 1, 2, 0}, Value: -0.3}, "conv2", m.conv(3, 4, 3, 3, nil),
			"clip", &model.Clip{Min: -0.5, Max: 0.7}, "flat", &model.Reshape{}, "fc", m.dense(3, 3*4*3, true)),
		"wide": chain(model.Input{Name: "in", C: 2, H: 8, W: 8}, "fc", // channels enough for Winograd's algorithm
			"conv1", m.conv(16, 2, 3, 3, same), "conv2", m.conv(17, 16, 3, 3, same), "relu2", &model.ReLU{},
			"conv3", m.conv(16, 17, 5, 5, func(l *model.Conv) { l.Pads = []int{2, 2, 2, 2} }), "relu3", &model.ReLU{}, "pool", pool(2, 2, 0),
			"flat", &model.Reshape{}, "fc", m.dense(3, 256, true)),
		"dense": chain(model.Input{Name: "in", C: 1, H: 2, W: 3}, "fc", "fold", &model.Reshape{To: []int{3, 1, 2}}, "flat", &model.Reshape{}, "fc", m.dense(2, 6, true)),
	}
	for i, cell := range []string{"rnn", "gru", "lstm"} {
		units := 4 * []int{1, 3, 4}[i]
		nets[cell] = chain(model.Input{Name: "in", C: 2, H: 5, W: 6}, "fc", "conv", m.conv(1, 2, 3, 3, same),
			"it", &model.Recurrent{Cell: model.Cell(cell), WeightX: tensor.From(m.fill(units*6, 0.5), units, 6), WeightH: tensor.From(m.fill(units*4, 0.5), units, 4),
				BiasX: m.fill(units, 0.3), BiasH: m.fill(units, 0.3)},
			"fc", m.dense(3, 4, true))
	}
	// A value with three readers, one of them twice; a rectifier read by a pool and others.
	res := chain(model.Input{Name: "in", C: 2, H: 5, W: 5}, "fc")
	add := func(name string, l model.Layer, inputs ...string) {
		res.Nodes = append(res.Nodes, model.Node{Name: name, Inputs: inputs, Layer: l})
	}
	add("stem", m.conv(3, 2, 3, 3, same), "in")
	add("relu", &model.ReLU{}, "stem")
	add("a", m.conv(3, 3, 3, 3, func(l *model.Conv) { same(l); l.Bias = nil }), "relu") // the norm would undo a bias
	add("an", m.norm(3), "a")
	add("b", m.conv(2, 3, 1, 1, nil), "relu")
	add("sum", &model.Add{}, "an", "relu", "relu")
	add("sumrelu", &model.ReLU{}, "sum")
	add("pool", pool(3, 1, 1), "sumrelu")
	add("join", &model.Concat{}, "b", "pool", "sumrelu")
	add("gap", &model.GlobalAvgPool{}, "join")
	add("flat", &model.Reshape{}, "gap")
	add("fc", m.dense(3, 8, true), "flat")
	nets["branches"] = res
	return nets
}

// Every gradient of every layer agrees with central differences of the float64
// reference. With a step of 1e-5 these are good to about 1e-9; what remains is
// the float32 arithmetic of the kernels: up to 2e-5 behind a batch normalisation
// over five values, whose deviation may be small.
func TestGradients(t *testing.T) {
	e := model.NewEngine(2)
	defer e.Close()
	for name, net := range testNets() {
		for _, n := range []int{1, 5} {
			if n == 1 && (name == "norm" || name == "wide") {
				continue // one value per channel has no variance; few tiles are no case for Winograd
			}
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				const seed, step, smooth = 5, 7, 0.1
				g, err := newGraph(kernel.Of(e), net.Clone(), n, seed, smooth)
				if err != nil {
					t.Fatal(err)
				}
				defer g.close()
				r := &reference{net: net, shapes: g.shapes, n: n, smooth: smooth, labels: g.labels, masks: map[string][]float32{}, params: map[string][]float64{}}
				rng := rand.New(rand.NewPCG(1, 2))
				classes := g.shapes[net.Logits].C
				if n == 5 {
					for c := range classes {
						g.weight = append(g.weight, 0.5+0.3*float64(c))
					}
					r.weight = g.weight
				}
				for i := range g.labels {
					g.labels[i] = int32(rng.IntN(classes))
				}
				for i := range g.x {
					g.x[i] = float32(rng.NormFloat64())
					r.x = append(r.x, float64(g.x[i]))
				}
				drops := 0
				for i := range net.Nodes {
					if l, ok := net.Nodes[i].Layer.(*model.Dropout); ok {
						mask := make([]float32, n*g.shapes[net.Nodes[i].Name].Len())
						dropout(mask, key(seed, streamDropout+uint64(drops), step), l.Rate)
						r.masks[net.Nodes[i].Name] = mask
						drops++
					}
				}
				for _, p := range g.params {
					for _, v := range p.value {
						r.params[p.name] = append(r.params[p.name], float64(v))
					}
				}
				for range 2 { // buffers are used again
					if err := g.run(step); err != nil {
						t.Fatal(err)
					}
				}
				if want := r.loss(); math.Abs(g.loss-want) > 1e-5*want {
					t.Errorf("loss %v, want %v", g.loss, want)
				}
				for _, p := range g.params {
					scale := 0.0
					want := make([]float64, len(p.value))
					stride := 1
					if name == "wide" {
						stride = len(p.value)/4 + 1 // the reference is slow
					}
					for i := 0; i < len(want); i += stride {
						w := &r.params[p.name][i]
						v, h := *w, 1e-5
						*w = v + h
						up := r.loss()
						*w = v - h
						down := r.loss()
						*w = v
						want[i] = (up - down) / (2 * h)
						scale = max(scale, math.Abs(want[i]))
					}
					if scale == 0 {
						t.Errorf("%s: the gradient is 0 altogether, which tests nothing", p.name)
					}
					for i, got := range p.gradient() {
						if i%stride != 0 {
							continue
						}
						if math.Abs(float64(got)-want[i]) > 5e-5*scale+2e-7 {
							t.Errorf("%s[%d]: gradient %v, want %v", p.name, i, got, want[i])
							break
						}
					}
				}
			})
		}
	}
}
