package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/model/tensor"
)

// KnownArches lists the architectures whose weights LoadWeights takes: our own,
// and published ones under the names that their weights have in PyTorch.
//
//	mnist-cnn            three 3x3 convolutions, batch normalisation after the last and at the end, two dense layers, 28x28 grey
//	alexnet              A. Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014, as in torchvision
//	vgg11 13 16 19       K. Simonyan and A. Zisserman, Very deep convolutional networks, 2015, without batch normalisation
//	resnet18 34          K. He et al., Deep residual learning for image recognition, 2016
func KnownArches() []string {
	return append(Arches(), "mnist-cnn", "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "resnet18", "resnet34")
}

// known builds an architecture without weights for the arrays of a file, from
// whose shapes numbers of maps and classes are taken; size is the input's, or 0
// for the one it was published with.
func known(arch string, arrays []array, size [2]int) (*Network, error) {
	if !slices.Contains(KnownArches(), arch) {
		return nil, &UnknownName{What: "architecture", Name: arch, Nearest: nearest(arch, KnownArches())}
	}
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
		b.add("flat", &Flatten{})
		b.dense("fc1", dim("fc1.weight", 0))
		b.add("relu4", &ReLU{})
		b.dense("fc2", dim("fc2.weight", 0))
		b.bareNorm("norm2")
		b.net.Logits = "norm2"
	case "alexnet":
		b.start(square(224))
		for i, l := range []struct{ at, maps, k, stride, pad int }{{0, 64, 11, 4, 2}, {3, 192, 5, 1, 2}, {6, 384, 3, 1, 1}, {8, 256, 3, 1, 1}, {10, 256, 3, 1, 1}} {
			b.bareConv(fmt.Sprintf("features.%d", l.at), l.maps, l.k, l.stride, l.pad, true)
			b.add(fmt.Sprintf("features.%d", l.at+1), &ReLU{})
			if i < 2 || i == 4 {
				b.add(fmt.Sprintf("features.%d", l.at+2), &MaxPool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}})
			}
		}
		b.classifier([]int{1, 4, 6}, dim("classifier.6.weight", 0))
	case "vgg11", "vgg13", "vgg16", "vgg19":
		b.start(square(224))
		at := 0
		for i, n := range map[string][]int{"vgg11": {1, 1, 2, 2, 2}, "vgg13": {2, 2, 2, 2, 2}, "vgg16": {2, 2, 3, 3, 3}, "vgg19": {2, 2, 4, 4, 4}}[arch] {
			for range n {
				b.bareConv(fmt.Sprintf("features.%d", at), []int{64, 128, 256, 512, 512}[i], 3, 1, 1, true)
				b.add(fmt.Sprintf("features.%d", at+1), &ReLU{})
				at += 2
			}
			b.add(fmt.Sprintf("features.%d", at), &MaxPool{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}})
			at++
		}
		b.classifier([]int{0, 3, 6}, dim("classifier.6.weight", 0))
	default: // resnets
		b.start(square(224))
		b.bareConv("conv1", 64, 7, 2, 3, false)
		b.bareNorm("bn1")
		b.add("relu", &ReLU{})
		b.add("maxpool", &MaxPool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}, Pads: [4]int{1, 1, 1, 1}})
		blocks := []int{2, 2, 2, 2}
		if arch == "resnet34" {
			blocks = []int{3, 4, 6, 3}
		}
		for i, n := range blocks {
			for j := range n {
				stride := 1
				if i > 0 && j == 0 {
					stride = 2
				}
				b.residual(fmt.Sprintf("layer%d.%d", i+1, j), 64<<i, stride)
			}
		}
		b.add("avgpool", &GlobalAvgPool{})
		b.add("flatten", &Flatten{})
		b.dense("fc", dim("fc.weight", 0))
		b.net.Logits = "fc"
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
	l := &Conv{Weight: tensor.New(maps, b.shape.C, k, k), Stride: [2]int{stride, stride}, Dilation: [2]int{1, 1}, Pads: [4]int{pad, pad, pad, pad}, Groups: 1}
	if bias {
		l.Bias = make([]float32, maps)
	}
	b.add(name, l)
}

func (b *builder) bareNorm(name string) {
	n := b.shape.C
	b.add(name, &BatchNorm{Scale: make([]float32, n), Shift: make([]float32, n), Mean: make([]float32, n), Var: make([]float32, n), Eps: 1e-5})
}

// classifier adds the three dense layers of AlexNet and VGG, called by their
// places in torchvision's lists.
func (b *builder) classifier(at []int, classes int) {
	b.add("flatten", &Flatten{})
	for i, k := range at {
		n := 4096
		if i == 2 {
			n = classes
		}
		b.dense(fmt.Sprintf("classifier.%d", k), n)
		if i < 2 {
			b.add(fmt.Sprintf("classifier.%d.relu", k), &ReLU{})
		}
	}
	b.net.Logits = fmt.Sprintf("classifier.%d", at[2])
}

// residual adds a basic block.
func (b *builder) residual(name string, maps, stride int) {
	in, inShape := b.last, b.shape
	b.bareConv(name+".conv1", maps, 3, stride, 1, false)
	b.bareNorm(name + ".bn1")
	b.add(name+".relu1", &ReLU{})
	b.bareConv(name+".conv2", maps, 3, 1, 1, false)
	b.bareNorm(name + ".bn2")
	main := b.last
	if inShape.C != maps || stride != 1 {
		b.last, b.shape = in, inShape
		b.bareConv(name+".downsample.0", maps, 1, stride, 0, false)
		b.bareNorm(name + ".downsample.1")
		in = b.last
	}
	if b.err == nil {
		b.net.Nodes = append(b.net.Nodes, Node{Name: name + ".add", Inputs: []string{main, in}, Layer: &Add{}})
		b.last = name + ".add"
	}
	b.add(name+".relu", &ReLU{})
}
