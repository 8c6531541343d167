package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// golden returns the folder of the reference traces, or skips the test. They
// were computed in float64 by a program that shares nothing with this one.
func golden(t *testing.T) string {
	shared := os.Getenv("VIZ_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(shared, "golden", "training")
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err != nil {
		t.Skip("no golden traces: set VIZ_SHARED to the folder that holds golden/training")
	}
	return dir
}

func readArray(t *testing.T, path string) *npy.Array {
	t.Helper()
	a, err := npy.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Five steps of each solver on 500 images of Fashion-MNIST: losses, gradients
// and weights follow the float64 traces.
func TestGoldenSolvers(t *testing.T) {
	dir := golden(t)
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Batch   int
		Initial map[string]string
		Runs    map[string]struct {
			LR, MU, B1, B2, Eps, Decay float64
			Loss                       []float64
			Gradients                  []map[string]float64 `json:"gradient_norms"`
			FinalNorm                  map[string]float64   `json:"final_norm"`
			UpdateNorm                 map[string]float64   `json:"update_norm"`
			Final                      map[string]string
			Error                      struct{ Loss, Update float64 } `json:"float32_error"`
		}
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	images, labels := readArray(t, filepath.Join(dir, "images.npy")), readArray(t, filepath.Join(dir, "labels.npy"))
	data := &Memory{Size: 28 * 28}
	for i, l := range labels.Int32 {
		data.Labels = append(data.Labels, int(l))
		for _, v := range images.Int32[i*data.Size : (i+1)*data.Size] {
			data.Bytes = append(data.Bytes, uint8(v))
		}
	}
	net := goldenNet(t, dir, m.Initial)
	e := model.NewEngine(2)
	defer e.Close()
	solvers := map[string]Optimizer{"rmsprop_tf1": "rmsprop"}
	for name, want := range m.Runs {
		t.Run(name, func(t *testing.T) {
			o := Options{Optimizer: Optimizer(name), Rate: want.LR, Momentum: want.MU, Beta1: want.B1, Beta2: want.B2, Epsilon: want.Eps,
				Decay: want.Decay, Batch: m.Batch, Steps: 5, EvalTrain: -1}
			if s := solvers[name]; s != "" {
				o.Optimizer = s
			}
			o, err := o.Resolve(data.Len())
			if err != nil {
				t.Fatal(err)
			}
			r, err := newRun(e, net, data, nil, o)
			if err != nil {
				t.Fatal(err)
			}
			defer r.g.close()
			r.loader.order.perm = identity(data.Len()) // the trace takes the images as they come
			near := func(what string, got, want, tolerance float64) {
				t.Helper()
				if !(math.Abs(got-want) <= max(tolerance, 2e-5)*math.Abs(want)) {
					t.Errorf("%s is %.9g, want %.9g, off by %.2g of it", what, got, want, math.Abs(got/want-1))
				}
			}
			start := map[string][]float32{}
			for _, p := range r.g.params {
				start[p.name] = append([]float32(nil), p.value...)
			}
			last := math.NaN()
			for step := range want.Loss {
				if err := r.one(&last); err != nil {
					t.Fatal(err)
				}
				near("loss", last, want.Loss[step], 20*want.Error.Loss)
				for _, p := range r.g.params {
					// Gradients follow the weights, so they are as far off as those.
					near(p.name+" gradient", norm(p.gradient(), nil), want.Gradients[step][p.name], 20*want.Error.Update)
				}
			}
			for _, p := range r.g.params {
				near(p.name, norm(p.value, nil), want.FinalNorm[p.name], 2e-5)
				near(p.name+" update", norm(p.value, start[p.name]), want.UpdateNorm[p.name], 20*want.Error.Update)
				if file := want.Final[p.name]; file != "" {
					final := readArray(t, filepath.Join(dir, file))
					// The error of a weight is an error of its update.
					off := norm(p.value, final.Float32) / want.UpdateNorm[p.name]
					if !(off <= 20*want.Error.Update) {
						t.Errorf("%s: final weights are off by %.2g of the update, want at most %.2g", p.name, off, 20*want.Error.Update)
					}
				}
			}
		})
	}
}

func identity(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

// norm is the Euclidean norm of a-b; b may be nil.
func norm(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v)
		if b != nil {
			d -= float64(b[i])
		}
		sum += d * d
	}
	return math.Sqrt(sum)
}

func goldenNet(t *testing.T, dir string, files map[string]string) *model.Network {
	t.Helper()
	read := func(name string) *tensor.Tensor {
		a := readArray(t, filepath.Join(dir, files[name]))
		return tensor.From(a.Float32, a.Shape...)
	}
	conv := func(name string) *model.Conv {
		w := read(name + ".weight")
		p := w.Shape[2] / 2
		return &model.Conv{Weight: w, Bias: read(name + ".bias").Data, Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: []int{p, p, p, p}, Groups: 1}
	}
	full := func(name string) *model.Dense {
		return &model.Dense{Weight: read(name + ".weight"), Bias: read(name + ".bias").Data}
	}
	pool := func() *model.Pool {
		return &model.Pool{Op: model.PoolMax, Kernel: []int{2, 2}, Stride: []int{2, 2}, Dilation: []int{1, 1}}
	}
	net := chain(model.Input{Name: "input", C: 1, H: 28, W: 28}, "fc2", "conv1", conv("conv1"), "relu1", &model.ReLU{}, "pool1", pool(),
		"conv2", conv("conv2"), "relu2", &model.ReLU{}, "pool2", pool(), "flat", &model.Reshape{}, "fc1", full("fc1"), "relu3", &model.ReLU{},
		"fc2", full("fc2"), "prob", &model.Softmax{})
	net.Preprocess.Scale = 1.0 / 255
	return net
}

// chain makes a network of layers, given as name, layer, name, layer, ...
func chain(in model.Input, logits string, layers ...any) *model.Network {
	net := &model.Network{Name: "chain", Input: in, Logits: logits}
	last := in.Name
	for i := 0; i < len(layers); i += 2 {
		name := layers[i].(string)
		net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: []string{last}, Layer: layers[i+1].(model.Layer)})
		last = name
	}
	return net
}
