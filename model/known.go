package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/model/tensor"
)

// KnownArches lists the architectures whose weights LoadWeights takes: our own,
// mnist-cnn (three 3x3 convolutions, batch normalisation after the last and at the
// end, two dense layers, 28x28 grey), and torchvision's (zoo/torchvision.txt), under
// the names that their weights have there.
func KnownArches() []string {
	return slices.Concat(Arches(), []string{"mnist-cnn"}, zooArches())
}

// known builds an architecture without weights for the arrays of a file, from
// whose shapes numbers of maps and classes are taken; size is the input's, or 0
// for the one it was published with.
func known(arch string, arrays []array, size [2]int) (*Network, error) {
	dim := func(name string, axis int) int {
		for _, a := range arrays {
			if a.name == name && axis < len(a.t.Shape) {
				return a.t.Shape[axis]
			}
		}
		return 0
	}
	square := func(def int) (h, w int) {
		if size[0] > 0 {
			return size[0], size[1]
		}
		return def, def
	}
	classes := func(layer string) []string { return make([]string, max(dim(layer+".weight", 0), 2)) }
	b := &builder{net: &Network{Name: arch, Input: Input{Name: "input", C: 3}, Origin: Origin{Arch: arch}}, last: "input", bare: true}
	switch arch {
	case "lenet5", "small":
		first, maps, pools := 32., 64., 4
		if arch == "small" {
			first, maps, pools = 48, 128, 8
		}
		width := float64(dim("conv1.weight", 0)) / first
		side := pools * int(math.Sqrt(float64(dim("fc1.weight", 1))/max(math.Round(maps*width), 1))+0.5)
		o := ArchOptions{Input: Input{C: dim("conv1.weight", 1)}, Classes: classes("fc2"), Width: width}
		if o.Input.H, o.Input.W = square(side); o.Input.H < 1 || o.Input.C < 1 || !(width > 0) {
			return nil, fmt.Errorf("it has no conv1.weight and fc1.weight of a %s", arch)
		}
		return Build(arch, o)
	case "rnn", "lstm", "gru":
		in := dim(arch+".weight_ih_l0", 1)
		if in == 0 {
			in = dim(arch+".weight_x", 1)
		}
		o := ArchOptions{Input: Input{C: 1, H: max(in, 1), W: max(in, 1)}, Classes: classes("fc"), Width: float64(dim("fc.weight", 1)) / 100}
		if size[0] > 0 {
			o.Input.H, o.Input.W = size[0], size[1]
		}
		return Build(arch, o)
	case "mnist-cnn":
		b.net.Input.C = max(dim("conv1.weight", 1), 1)
		b.start(square(28))
		for i := range 3 {
			name := fmt.Sprintf("conv%d", i+1)
			b.bareConv(name, dim(name+".weight", 0), 3, 1, 0, true)
			b.add(fmt.Sprintf("relu%d", i+1), &ReLU{})
		}
		b.bareNorm("norm1")
		b.add("flat", &Reshape{})
		b.dense("fc1", dim("fc1.weight", 0))
		b.add("relu4", &ReLU{})
		b.dense("fc2", dim("fc2.weight", 0))
		b.bareNorm("norm2")
		b.net.Logits = "norm2"
	}
	b.add("prob", &Softmax{})
	if b.err != nil {
		return nil, b.err
	}
	return b.net, check(b.net)
}

// start sets the input's size.
func (b *builder) start(h, w int) {
	b.net.Input.H, b.net.Input.W = h, w
	b.shape = b.net.Input.Shape()
}

// bareConv adds a convolution whose weights are still to come.
func (b *builder) bareConv(name string, maps, k, stride, pad int, bias bool) {
	if b.err == nil && (maps < 1 || maps > 1<<16) {
		b.err = fmt.Errorf("there is no %s.weight", name)
	}
	if b.err != nil {
		return
	}
	l := &Conv{Weight: tensor.New(maps, b.shape.C, k, k), Stride: []int{stride, stride}, Dilation: []int{1, 1}, Pads: []int{pad, pad, pad, pad}, Groups: 1}
	if bias {
		l.Bias = make([]float32, maps)
	}
	b.add(name, l)
}

func (b *builder) bareNorm(name string) {
	n := b.shape.C
	b.add(name, &BatchNorm{Scale: make([]float32, n), Shift: make([]float32, n), Mean: make([]float32, n), Var: make([]float32, n), Eps: 1e-5})
}
