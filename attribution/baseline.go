package attribution

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// BaselineKind is what integrated gradients start from.
type BaselineKind string

const (
	ZeroBaseline     BaselineKind = ""         // 0 in the network's units
	ConstantBaseline BaselineKind = "constant" // Baseline.Values
	MeanBaseline     BaselineKind = "mean"     // the mean pixel of the training data, see model.Preprocess.MeanFill
	BlurBaseline     BaselineKind = "blur"     // the image under a Gaussian of 1/16 of its larger side
	ImageBaseline    BaselineKind = "image"    // the image's own mean, channel by channel
	OtherBaseline    BaselineKind = "other"    // Baseline.Values, a whole image
)

// Baseline is what integrated gradients start from. The zero value is zeros.
type Baseline struct {
	Kind   BaselineKind
	Values []float32 // ConstantBaseline: one a channel, or one for all; OtherBaseline: [C, H, W]; network units
}

// ParseBaseline reads 0, a value or V/V/V (one a channel) in network units, mean, blur or image.
func ParseBaseline(s string) (Baseline, error) {
	switch s {
	case "", "0", "zero":
		return Baseline{}, nil
	case "mean", "blur", "image":
		return Baseline{Kind: BaselineKind(s)}, nil
	}
	b := Baseline{Kind: ConstantBaseline}
	for _, part := range strings.Split(s, "/") {
		v, err := strconv.ParseFloat(part, 32)
		if err != nil {
			return Baseline{}, fmt.Errorf("baseline %q: want 0, V or V/V/V in network units, mean, blur or image", s)
		}
		b.Values = append(b.Values, float32(v))
	}
	return b, b.check()
}

// String is the baseline in words, as ParseBaseline reads it.
func (b Baseline) String() string {
	switch b.Kind {
	case ZeroBaseline:
		return "0"
	case ConstantBaseline:
		var parts []string
		for _, v := range b.Values {
			parts = append(parts, fmt.Sprint(v))
		}
		return strings.Join(parts, "/")
	case OtherBaseline:
		return "another image"
	}
	return string(b.Kind)
}

func (b Baseline) check() error {
	switch b.Kind {
	case ZeroBaseline, MeanBaseline, BlurBaseline, ImageBaseline:
		return nil
	case ConstantBaseline, OtherBaseline:
		if len(b.Values) == 0 {
			return &FieldError{"baseline", "of no values"}
		}
		for _, v := range b.Values {
			if v-v != 0 {
				return &FieldError{"baseline", fmt.Sprintf("%g: want finite numbers", v)}
			}
		}
		return nil
	}
	return &FieldError{"baseline", fmt.Sprintf("%q: want mean, blur, image, constant or other", b.Kind)}
}

// Pixels is the baseline for image x, [C, H, W].
func (b Baseline) Pixels(x []float32, net *model.Network) ([]float32, error) {
	in := net.Input
	fill, patch := occlusion.Fill{Kind: occlusion.ValueFill, Values: []float32{0}}, [2]int{}
	switch b.Kind {
	case ConstantBaseline:
		if n := len(b.Values); n != 1 && n != in.C {
			return nil, &FieldError{"baseline", fmt.Sprintf("of %d values: the input has %d channels", n, in.C)}
		}
		fill.Values = b.Values
	case MeanBaseline:
		fill = occlusion.Fill{}
	case BlurBaseline:
		side := max(in.H, in.W)
		fill, patch = occlusion.Fill{Kind: occlusion.BlurFill}, [2]int{max(side/8, 1), max(side/8, 1)}
	case ImageBaseline:
		fill = occlusion.Fill{Kind: occlusion.ImageFill}
	case OtherBaseline:
		if want := in.Shape().Len(); len(b.Values) != want {
			return nil, &FieldError{"baseline", fmt.Sprintf("of %d values: the input has %d", len(b.Values), want)}
		}
		return b.Values, nil
	}
	return fill.Pixels(tensor.From(x, 1, in.C, in.H, in.W), net, patch)
}
