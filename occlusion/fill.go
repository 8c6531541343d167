package occlusion

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// FillKind is a kind of Fill.
type FillKind string

const (
	MeanFill  FillKind = "mean"  // the mean colour of the training data
	ValueFill FillKind = "value" // a colour, Fill.Values or Fill.Pixel
	ImageFill FillKind = "image" // the image's own mean colour
	BlurFill  FillKind = "blur"  // the image, blurred
	NoiseFill FillKind = "noise" // noise with the image's mean and standard deviation
)

// Fill is what the patch is made of. The zero value is the mean colour of the
// training data, a grey in the paper.
type Fill struct {
	Kind   FillKind  // "" is MeanFill
	Values []float32 // of ValueFill: one per channel, or one for all, in units of the network's input
	Pixel  *float32  // of ValueFill, instead of Values: a grey level 0..255
	Seed   uint64    // of NoiseFill
}

// ParseFill reads mean, image, blur, noise:SEED, a grey level 0..255, or
// input:V[,V...] in units of the network's input.
func ParseFill(s string) (Fill, error) {
	kind, arg, has := strings.Cut(s, ":")
	switch kind := FillKind(kind); {
	case !has && (kind == MeanFill || kind == ImageFill || kind == BlurFill || kind == NoiseFill):
		return Fill{Kind: kind}, nil
	case has && kind == NoiseFill:
		seed, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return Fill{}, fmt.Errorf("fill %q: the seed is a number", s)
		}
		return Fill{Kind: NoiseFill, Seed: seed}, nil
	case has && kind == "input":
		var values []float32
		for _, p := range strings.Split(arg, ",") {
			v, err := strconv.ParseFloat(p, 32)
			if err != nil || v-v != 0 { // NaN or infinite
				return Fill{}, fmt.Errorf("fill %q: %q is no finite number", s, p)
			}
			values = append(values, float32(v))
		}
		return Fill{Kind: ValueFill, Values: values}, nil
	}
	v, err := strconv.ParseFloat(s, 32)
	if err != nil || !(v >= 0 && v <= 255) {
		return Fill{}, fmt.Errorf("fill %q: want mean, image, blur, noise:SEED, a grey level 0..255, or input:V[,V...] in network units", s)
	}
	p := float32(v)
	return Fill{Kind: ValueFill, Pixel: &p}, nil
}

func (f Fill) String() string {
	switch {
	case f.Kind == "":
		return "mean"
	case f.Kind == NoiseFill:
		return fmt.Sprintf("noise:%d", f.Seed)
	case f.Kind == ValueFill && f.Pixel != nil:
		return fmt.Sprint(*f.Pixel)
	case f.Kind == ValueFill:
		var parts []string
		for _, v := range f.Values {
			parts = append(parts, fmt.Sprint(v))
		}
		return "input:" + strings.Join(parts, ",")
	}
	return string(f.Kind)
}

// Pixels returns the filler [C, H, W] in network units: the patch shows the
// part of it that it lies over.
func (f Fill) Pixels(x *tensor.Tensor, net *model.Network, patch [2]int) ([]float32, error) {
	in := net.Input
	plane := in.H * in.W
	out := make([]float32, in.C*plane)
	level := make([]float32, in.C)
	switch f.Kind {
	case "", MeanFill:
		level = net.Preprocess.MeanFill(in)
	case ValueFill:
		for c := range level {
			switch {
			case f.Pixel != nil:
				level[c] = net.Preprocess.Units(c, *f.Pixel)
			case len(f.Values) == 1:
				level[c] = f.Values[0]
			case len(f.Values) == in.C:
				level[c] = f.Values[c]
			default:
				return nil, fmt.Errorf("fill has %d values, the input has %d channels", len(f.Values), in.C)
			}
		}
	case ImageFill, NoiseFill:
		rng := rand.New(rand.NewPCG(f.Seed, 0x6f63636c))
		for c := range in.C {
			mean, dev := moments(x.Data[c*plane : (c+1)*plane])
			level[c] = float32(mean)
			if f.Kind == NoiseFill {
				for i := range plane {
					out[c*plane+i] = float32(mean + float64(dev*exact.Normal(rng)))
				}
			}
		}
		if f.Kind == NoiseFill {
			return out, nil
		}
	case BlurFill:
		// Wide enough that nothing the size of the patch survives.
		sigma := float64(max(patch[0], patch[1])) / 2
		for c := range in.C {
			blur(out[c*plane:(c+1)*plane], x.Data[c*plane:(c+1)*plane], in.H, in.W, sigma)
		}
		return out, nil
	default:
		return nil, fmt.Errorf("unknown fill %q", f.Kind)
	}
	for i := range out {
		out[i] = level[i/plane]
	}
	return out, nil
}

func moments(v []float32) (mean, dev float64) {
	for _, x := range v {
		mean += float64(x)
	}
	mean /= float64(len(v))
	for _, x := range v {
		dev += float64((float64(x) - mean) * (float64(x) - mean))
	}
	return mean, math.Sqrt(dev / float64(len(v)))
}

// blur is a Gaussian of the given deviation in pixels, normalised at the borders.
func blur(dst, src []float32, h, w int, sigma float64) {
	r := int(float64(3*sigma) + 0.5)
	weights := make([]float64, r+1)
	for i := range weights {
		weights[i] = exact.Exp(-float64(i*i) / (2 * sigma * sigma))
	}
	rows := make([]float64, len(src))
	pass := func(n, size int, at func(i, j int) float64, put func(i, j int, v float64)) {
		for i := range n {
			for j := range size {
				var s, total float64
				for k := max(0, j-r); k <= min(size-1, j+r); k++ {
					g := weights[max(k-j, j-k)]
					s, total = s+float64(g*at(i, k)), total+g
				}
				put(i, j, s/total)
			}
		}
	}
	pass(h, w, func(y, x int) float64 { return float64(src[y*w+x]) }, func(y, x int, v float64) { rows[y*w+x] = v })
	pass(w, h, func(x, y int) float64 { return rows[y*w+x] }, func(x, y int, v float64) { dst[y*w+x] = float32(v) })
}
