package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model/tensor"
)

// ArchOptions are the choices an architecture leaves open.
type ArchOptions struct {
	Input   Input
	Classes []string
	Keep    float64 // probability to keep a value in dropout; 0: the architecture's own
	Width   float64 // scales the numbers of maps; 0: 1
	Init    Init    // how weights start; "": InitHe
	Seed    uint64  // of the initial weights
}

// Arches lists the names that Build knows.
func Arches() []string { return []string{"lenet5", "small", "rnn", "lstm", "gru"} }

// Init is how weights start. Recurrent layers start in one way of their own.
type Init string

const (
	// InitHe is normal of deviation sqrt(2/fan-in), or of 0.01 as in [zeiler14] 3 for
	// convolutions under a batch normalisation, which makes scale a matter of looks:
	// what is learnt soon stands out from the noise that filters start as; biases are 0.
	InitHe Init = "he"
	// InitTruncated is normal of deviation 0.1, drawn again beyond 0.2, whatever the
	// fan-in; biases are 0.1 (the code handed out with [course]).
	InitTruncated Init = "truncated"
)

// Inits lists the ways weights start.
func Inits() []Init { return []Init{InitHe, InitTruncated} }

// ParseInit reads the name of an Init.
func ParseInit(s string) (Init, error) {
	if slices.Contains(Inits(), Init(s)) {
		return Init(s), nil
	}
	return "", fmt.Errorf("%w", &UnknownName{What: "way to start weights", Name: s, Nearest: nearest(s, []string{string(InitHe), string(InitTruncated)})})
}

// Build returns an untrained network of the named architecture, its weights
// drawn from the seed.
//
//	lenet5  the network of [course]: 5x5x32, pool 2, 5x5x64, pool 2, dense 1024,
//	        dropout, classes; padded so that sizes only halve in the pools
//	small   five convolutions for small colour images, after the remedies of
//	        [zeiler14] 4.1: small first filters at stride 1, no early
//	        subsampling; batch normalisation instead of contrast normalisation
//	rnn, lstm, gru  a recurrent layer of 100 units that reads a grey image row
//	        by row, and a dense layer on its last state ([course], part 2)
func Build(arch string, o ArchOptions) (*Network, error) {
	if len(o.Classes) < 2 {
		return nil, fmt.Errorf("%d classes, want at least 2", len(o.Classes))
	}
	if o.Width == 0 {
		o.Width = 1
	}
	if !(o.Width > 0 && o.Width <= 64) || !(o.Keep >= 0 && o.Keep <= 1) {
		return nil, fmt.Errorf("width %g and keep rate %g, want 0 < width <= 64 and 0 < keep <= 1", o.Width, o.Keep)
	}
	if o.Init == "" {
		o.Init = InitHe
	}
	if _, err := ParseInit(string(o.Init)); err != nil {
		return nil, err
	}
	if o.Input.Name == "" {
		o.Input.Name = "input"
	}
	b := &builder{init: o.Init, rng: rand.New(rand.NewPCG(o.Seed, 0x76697a)), width: o.Width,
		net: &Network{Name: arch, Input: o.Input, Classes: slices.Clone(o.Classes), Origin: Origin{Arch: arch}}, last: o.Input.Name, shape: o.Input.Shape()}
	keep := func(own float64) float64 {
		if o.Keep > 0 {
			return 1 - o.Keep
		}
		return 1 - own
	}
	switch arch {
	case "lenet5":
		for i, maps := range []int{32, 64} {
			b.conv(i+1, maps, 5, false)
			b.pool(i + 1)
		}
		b.add("flat", &Reshape{})
		b.dense("fc1", b.maps(1024))
		b.add("relu3", &ReLU{})
		b.add("drop", &Dropout{Rate: keep(0.5)})
		b.dense("fc2", len(o.Classes))
		b.net.Logits = "fc2"
	case "small":
		b.conv(1, 48, 5, true)
		b.pool(1)
		b.conv(2, 64, 3, true)
		b.conv(3, 96, 3, true)
		b.pool(2)
		b.conv(4, 128, 3, true)
		b.conv(5, 128, 3, true)
		b.pool(3)
		b.add("flat", &Reshape{})
		b.dense("fc1", b.maps(128))
		b.add("relu6", &ReLU{})
		b.add("drop", &Dropout{Rate: keep(0.6)})
		b.dense("fc2", len(o.Classes))
		b.net.Logits = "fc2"
	case "rnn", "lstm", "gru":
		b.recurrent(arch, b.maps(100))
		b.dense("fc", len(o.Classes))
		b.net.Logits = "fc"
	default:
		return nil, fmt.Errorf("%w", &UnknownName{What: "architecture", Name: arch, Nearest: nearest(arch, Arches())})
	}
	b.add("prob", &Softmax{})
	if b.err != nil {
		return nil, b.err
	}
	return b.net, b.net.Check()
}

// builder appends layers one after the other.
type builder struct {
	net   *Network
	rng   *rand.Rand
	width float64
	last  string
	shape Shape
	err   error
	init  Init // "": InitHe
	bare  bool // weights are still to come: 0
}

func (b *builder) maps(n int) int { return max(int(math.Round(float64(n)*b.width)), 1) }

func (b *builder) add(name string, l Layer) {
	if b.err != nil {
		return
	}
	s, err := outShape(l, []Shape{b.shape})
	if err != nil {
		b.err = fmt.Errorf("layer %s: %w (input images of %v are too small for %s?)", name, err, b.net.Input.Shape(), b.net.Name)
		return
	}
	b.net.Nodes = append(b.net.Nodes, Node{Name: name, Inputs: []string{b.last}, Layer: l})
	b.last, b.shape = name, s
}

func he(fanIn int) float64 { return math.Sqrt(2 / float64(fanIn)) }

func (b *builder) normal(std float64, shape ...int) *tensor.Tensor {
	t := tensor.New(shape...)
	if b.bare {
		return t
	}
	for i := range t.Data {
		t.Data[i] = float32(exact.Normal(b.rng) * std)
	}
	return t
}

// weights draws the weights of a convolution or dense layer: normal of the
// deviation std, unless the network starts in another way.
func (b *builder) weights(std float64, shape ...int) *tensor.Tensor {
	if b.init != InitTruncated || b.bare {
		return b.normal(std, shape...)
	}
	t := tensor.New(shape...)
	for i := range t.Data {
		v := exact.Normal(b.rng)
		for math.Abs(v) > 2 {
			v = exact.Normal(b.rng)
		}
		t.Data[i] = float32(0.1 * v)
	}
	return t
}

// biases are those of n maps or units.
func (b *builder) biases(n int) []float32 {
	if b.init == InitTruncated {
		return slices.Repeat([]float32{0.1}, n)
	}
	return make([]float32, n)
}

// conv adds convolution i of size k with padding that keeps the size, with
// batch normalisation (which makes a bias pointless) if wanted, and a rectifier.
func (b *builder) conv(i, maps, k int, norm bool) {
	maps = b.maps(maps)
	std := he(b.shape.C * k * k)
	if norm {
		std = 0.01
	}
	l := &Conv{Weight: b.weights(std, maps, b.shape.C, k, k), Stride: []int{1, 1}, Dilation: []int{1, 1},
		Pads: []int{k / 2, k / 2, k / 2, k / 2}, Groups: 1}
	if !norm {
		l.Bias = b.biases(maps)
	}
	b.add(fmt.Sprintf("conv%d", i), l)
	if norm {
		one := slices.Repeat([]float32{1}, maps)
		b.add(fmt.Sprintf("bn%d", i), &BatchNorm{Scale: one, Shift: make([]float32, maps),
			Mean: make([]float32, maps), Var: slices.Clone(one), Eps: 1e-5})
	}
	b.add(fmt.Sprintf("relu%d", i), &ReLU{})
}

func (b *builder) pool(i int) {
	b.add(fmt.Sprintf("pool%d", i), &Pool{Op: PoolMax, Kernel: []int{2, 2}, Stride: []int{2, 2}, Dilation: []int{1, 1}, Pads: make([]int, 4)})
}

func (b *builder) dense(name string, out int) {
	if b.err == nil && (out < 1 || out > 1<<20 || !fits(out, b.shape.C)) {
		b.err = fmt.Errorf("layer %s: %d outputs", name, out)
	}
	if b.err != nil {
		return
	}
	b.add(name, &Dense{Weight: b.weights(he(b.shape.C), out, b.shape.C), Bias: b.biases(out)})
}
