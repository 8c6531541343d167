package model

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/model/tensor"
)

// layer builds the line of one layer on the value at hand.
func (z *zoo) layer(name, op string, args []string) error {
	in := z.shapes[z.last]
	one := func(l Layer) error { return z.add(name, l, z.last) }
	switch op {
	case "relu":
		return one(&ReLU{})
	case "relu6":
		return one(&Clip{Min: 0, Max: 6})
	case "silu":
		return one(&Unary{Op: UnarySwish, Alpha: 1})
	case "hswish":
		return one(&Unary{Op: UnaryHardSwish})
	case "hsigmoid":
		return one(&Unary{Op: UnaryHardSigmoid, Alpha: 1. / 6, Beta: 0.5})
	case "sigmoid":
		return one(&Unary{Op: UnarySigmoid})
	case "gelu":
		return one(&Unary{Op: UnaryGelu})
	case "gap":
		return one(&GlobalAvgPool{})
	case "flatten":
		return one(&Reshape{})
	case "maxpool", "avgpool":
		return z.pool(name, op, args)
	case "conv":
		return z.conv(name, in, args)
	case "linear1x1":
		return z.pointwise(name, in, args[0])
	case "linear":
		return z.linear(name, in, args[0])
	case "plain":
		return z.plain(name, args)
	case "bn":
		p, err := z.vectors(name, in.C, ".weight", ".bias", ".running_mean", ".running_var")
		if err != nil {
			return err
		}
		eps := 1e-5
		if len(args) > 0 {
			if eps, err = strconv.ParseFloat(args[0], 64); err != nil {
				return errZoo
			}
		}
		return one(&BatchNorm{Scale: p[0], Shift: p[1], Mean: p[2], Var: p[3], Eps: eps})
	case "affine":
		return z.affine(name, in, args)
	}
	return z.onTokens(name, op, args, in)
}

// conv has the arguments OUTPUTS, k=, s=, p= (the half of the kernel unless it is
// given), g= and bias.
func (z *zoo) conv(name string, in Shape, args []string) error {
	out, err := z.outputs(name, args[0])
	if err != nil {
		return err
	}
	set := map[string]int{"k": 1, "s": 1, "p": -1, "g": 1}
	for _, a := range args[1:] {
		key, value, given := strings.Cut(a, "=")
		if !given {
			continue
		}
		if set[key], err = strconv.Atoi(value); err != nil {
			return errZoo
		}
	}
	k, s, p := set["k"], set["s"], set["p"]
	if p < 0 {
		p = k / 2
	}
	l := &Conv{Stride: []int{s, s}, Dilation: []int{1, 1}, Pads: []int{p, p, p, p}, Groups: set["g"]}
	if l.Weight, err = z.take(name+".weight", out, in.C/max(set["g"], 1), k, k); err != nil {
		return err
	}
	if slices.Contains(args, "bias") {
		b, err := z.vectors(name, out, ".bias")
		if err != nil {
			return err
		}
		l.Bias = b[0]
	}
	return z.add(name, l, z.last)
}

// pointwise is a dense layer at every place of maps.
func (z *zoo) pointwise(name string, in Shape, outputs string) error {
	out, err := zooNumber(outputs)
	if err != nil {
		return err
	}
	w, err := z.take(name+".weight", out, in.C)
	if err != nil {
		return err
	}
	b, err := z.vectors(name, out, ".bias")
	if err != nil {
		return err
	}
	return z.add(name, &Conv{Weight: tensor.From(w.Data, out, in.C, 1, 1), Bias: b[0], Stride: []int{1, 1}, Dilation: []int{1, 1}, Groups: 1}, z.last)
}

// linear is a dense layer, on a vector or on every token.
func (z *zoo) linear(name string, in Shape, outputs string) error {
	out, err := z.outputs(name, outputs)
	if err != nil {
		return err
	}
	w, err := z.take(name+".weight", out, z.features(in))
	if err != nil {
		return err
	}
	b, err := z.vectors(name, out, ".bias")
	if err != nil {
		return err
	}
	if in.Flat {
		return z.add(name, &Dense{Weight: w, Bias: b[0]}, z.last)
	}
	return z.product(name, in, w.Data, b[0], 1)
}

// product multiplies tokens [T, D] by weights [out, D], adds a bias, and scales.
func (z *zoo) product(name string, in Shape, w, bias []float32, scale float32) error {
	out, d := len(bias), in.W
	turned, b := z.blank(d, out), z.blank(out)
	if z.arrays != nil {
		turned, b = tensor.New(d, out), tensor.New(out)
		for o := range out {
			for i := range d {
				turned.Data[i*out+o] = w[o*d+i] * scale
			}
			b.Data[o] = bias[o] * scale
		}
	}
	if err := z.add(name+".product", &MatMul{A: []int{in.C, d}, B: []int{d, out}, Value: turned}, z.last); err != nil {
		return err
	}
	return z.add(name, &Binary{Op: BinaryAdd, A: []int{in.C, out}, B: []int{out}, Value: b}, z.last)
}

func (z *zoo) pool(name, op string, args []string) error {
	ceil := slices.Contains(args, "ceil")
	n := []int{0, 0, 0}
	for i, a := range args {
		if a == "ceil" {
			continue
		}
		var err error
		if n[i], err = strconv.Atoi(a); err != nil {
			return errZoo
		}
	}
	kernel, stride, pads := []int{n[0], n[0]}, []int{n[1], n[1]}, []int{n[2], n[2], n[2], n[2]}
	if op == "maxpool" {
		return z.add(name, &Pool{Op: PoolMax, Kernel: kernel, Stride: stride, Dilation: []int{1, 1}, Pads: pads, Ceil: ceil}, z.last)
	}
	return z.add(name, &Pool{Op: PoolAverage, Kernel: kernel, Stride: stride, Pads: pads, Ceil: ceil, CountPad: true}, z.last)
}

// plain is a list of 3x3 convolutions of so many maps, with rectifiers, and with
// normalisations if it begins with bn; p is a pool. All are counted.
func (z *zoo) plain(name string, args []string) error {
	norm := args[0] == "bn"
	if norm {
		args = args[1:]
	}
	var lines [][]string
	for _, a := range args {
		switch {
		case a == "p":
			lines = append(lines, []string{"maxpool", "2", "2"})
		case norm:
			lines = append(lines, []string{"conv", a, "k=3", "bias"}, []string{"bn"}, []string{"relu"})
		default:
			lines = append(lines, []string{"conv", a, "k=3", "bias"}, []string{"relu"})
		}
	}
	for i, l := range lines {
		if err := z.layer(fmt.Sprintf("%s.%d", name, i), l[0], l[1:]); err != nil {
			return err
		}
	}
	return nil
}

// affine scales and shifts each channel by given numbers.
func (z *zoo) affine(name string, in Shape, args []string) error {
	var p [2][]float32
	for i := range p {
		for _, text := range strings.Split(args[i], ",") {
			v, err := strconv.ParseFloat(text, 32)
			if err != nil {
				return errZoo
			}
			p[i] = append(p[i], float32(v))
		}
	}
	return z.add(name, &BatchNorm{Scale: p[0], Shift: p[1], Mean: make([]float32, in.C), Var: slices.Repeat([]float32{1}, in.C)}, z.last)
}

// onTokens builds the layers of transformers. Tokens are an array [T, D].
func (z *zoo) onTokens(name, op string, args []string, in Shape) error {
	t, d := in.C, in.W
	switch op {
	case "tokens": // maps as one token for each place
		n := in.H * in.W
		z.tokens = true
		return z.add(name, &Rearrange{What: "Transpose", To: []int{n, in.C}, Strides: []int{1, n}}, z.last)
	case "classtoken":
		w, err := z.take(name, 1, 1, d)
		if err != nil {
			return err
		}
		tokens := z.last
		if err := z.add(name, &Constant{Value: tensor.From(w.Data, 1, d)}, tokens); err != nil {
			return err
		}
		return z.add(name+".join", &Concat{To: []int{t + 1, d}}, name, tokens)
	case "position":
		w, err := z.take(name, 1, t, d)
		if err != nil {
			return fmt.Errorf("%w: another input size?", err)
		}
		return z.add(name, &Binary{Op: BinaryAdd, A: []int{t, d}, B: []int{t, d}, Value: tensor.From(w.Data, t, d)}, z.last)
	case "firsttoken":
		z.tokens = false
		return z.add(name, &Rearrange{What: "Gather", To: []int{d}, Strides: []int{1}}, z.last)
	case "layerscale":
		w, err := z.take(name+".layer_scale", in.C, 1, 1)
		if err != nil {
			return err
		}
		return z.add(name+".layer_scale", &Binary{Op: BinaryMul, A: []int{in.C, in.H, in.W}, B: []int{in.C, 1, 1}, Value: w}, z.last)
	case "layernorm":
		eps, err := strconv.ParseFloat(args[0], 64)
		if err != nil {
			return errZoo
		}
		l := &Normalize{Op: NormStandard, From: []int{in.C, in.H, in.W}, Axes: []int{0}, Inner: in.H * in.W, Eps: eps}
		n := in.C
		if z.tokens {
			l.From, l.Axes, l.Inner, n = []int{t, d}, []int{1}, 1, d
		}
		p, err := z.vectors(name, n, ".weight", ".bias")
		if err != nil {
			return err
		}
		l.Scale, l.Shift = p[0], p[1]
		return z.add(name, l, z.last)
	case "attention":
		heads, err := zooNumber(args[0])
		if err != nil || d%heads != 0 {
			return errZoo
		}
		return z.attention(name, in, heads)
	}
	return fmt.Errorf("layer %s: no operation %s", name, op)
}

// attention is PyTorch's MultiheadAttention of tokens among themselves.
func (z *zoo) attention(name string, in Shape, heads int) error {
	t, d := in.C, in.W
	w, err := z.take(name+".in_proj_weight", 3*d, d)
	if err != nil {
		return err
	}
	b, err := z.take(name+".in_proj_bias", 3*d)
	if err != nil {
		return err
	}
	x, size := z.last, d/heads
	var parts []string
	for i, part := range []string{".query", ".key", ".value"} {
		scale, to, strides := float32(1), []int{heads, t, size}, []int{size, d, 1}
		switch i {
		case 0:
			scale = float32(1 / math.Sqrt(float64(size)))
		case 1:
			to, strides = []int{heads, size, t}, []int{size, 1, d}
		}
		z.last = x
		if err := z.product(name+part, in, w.Data[i*d*d:(i+1)*d*d], b.Data[i*d:(i+1)*d], scale); err != nil {
			return err
		}
		if err := z.add(name+part+".heads", &Rearrange{What: "Transpose", To: to, Strides: strides}, z.last); err != nil {
			return err
		}
		parts = append(parts, z.last)
	}
	ow, err := z.take(name+".out_proj.weight", d, d)
	if err != nil {
		return err
	}
	ob, err := z.take(name+".out_proj.bias", d)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		l    Layer
		ins  []string
	}{
		{".scores", &MatMul{A: []int{heads, t, size}, B: []int{heads, size, t}}, []string{parts[0], parts[1]}},
		{".weights", &Softmax{Outer: heads * t, Size: t, Inner: 1}, []string{name + ".scores"}},
		{".seen", &MatMul{A: []int{heads, t, t}, B: []int{heads, t, size}}, []string{name + ".weights", parts[2]}},
		{".turned", &Rearrange{What: "Transpose", To: []int{t, heads, size}, Strides: []int{size, t * size, 1}}, []string{name + ".seen"}},
		{".joined", &Reshape{To: []int{t, d}}, []string{name + ".turned"}},
	} {
		if err := z.add(name+step.name, step.l, step.ins...); err != nil {
			return err
		}
	}
	return z.product(name+".out_proj", Shape{C: t, H: 1, W: d}, ow.Data, ob.Data, 1)
}
