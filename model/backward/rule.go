package backward

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// Rule says how a top-down signal g passes the layers that are not linear.
// Linear layers (convolution, dense, batch norm, average pools, Add, Concat,
// Flatten, Pad, Dropout, and what moves numbers about) are transposed and biases dropped under every rule; max
// pools send g to their switches.
type Rule string

const (
	// Paper is the deconvnet of [zeiler14]: rectifiers rectify g itself,
	// contrast normalisation is passed through.
	Paper Rule = "deconv"
	// Guided is guided backpropagation (J. T. Springenberg et al., Striving for
	// Simplicity, 2014): g must be positive and the unit must have fired.
	Guided Rule = "guided"
	// Gradient is the true gradient.
	Gradient Rule = "gradient"
	// PaperLRNGrad is Paper, but contrast normalisation takes its true gradient.
	PaperLRNGrad Rule = "deconv_lrngrad"
	// PaperLeaky is Paper, but a leaky rectifier treats g as it treats a signal going up.
	PaperLeaky Rule = "deconv_leaky"
)

// Rules lists all rules.
func Rules() []Rule { return []Rule{Paper, Guided, Gradient, PaperLRNGrad, PaperLeaky} }

// ParseRule reads a rule's name.
func ParseRule(s string) (Rule, error) {
	var names []string
	for _, r := range Rules() {
		if string(r) == s {
			return r, nil
		}
		names = append(names, string(r))
	}
	return "", fmt.Errorf("no rule %q: there are %s", s, strings.Join(names, ", "))
}

func (r Rule) isPaper() bool   { return r == Paper || r == PaperLRNGrad || r == PaperLeaky }
func (r Rule) passesLRN() bool { return r == Paper || r == PaperLeaky }

// Describe says in words what the rule does at a layer, or why it refuses.
func (r Rule) Describe(l model.Layer) (string, error) {
	if err := r.refuses(l); err != nil {
		return "", err
	}
	switch l := l.(type) {
	case *model.Conv, *model.Dense, *model.GlobalAvgPool, *model.Reshape, *model.Pad:
		return "transpose", nil
	case *model.Add:
		return "copy to each input", nil
	case *model.Concat:
		if !l.Maps() {
			return "transpose", nil
		}
		return "split by channel", nil
	case *model.Dropout:
		return "identity", nil
	case *model.BatchNorm:
		return "times scale/sqrt(var+eps)", nil
	case *model.ReLU:
		return r.rectifierText(), nil
	case *model.Clip:
		if l.Min == 0 {
			return r.rectifierText(), nil
		}
		return "g inside the clip", nil
	case *model.Unary:
		if r == PaperLeaky && model.IsRectifier(l) {
			return "leaky on g", nil
		}
	case *model.LRN:
		if r.passesLRN() {
			return "identity", nil
		}
		return "gradient", nil
	case *model.Softmax:
		return "gradient", nil
	}
	return r.describeArray(l)
}

func (r Rule) rectifierText() string {
	switch r {
	case Guided:
		return "max(g, 0) where it fired"
	case Gradient:
		return "g where it fired"
	}
	return "max(g, 0)"
}

// refuses returns why the rule does not go through a layer, or nil.
func (r Rule) refuses(l model.Layer) error {
	if _, ok := l.(*model.Recurrent); ok {
		return fmt.Errorf("no rule leads through a recurrent layer")
	}
	if _, ok := l.(*model.Softmax); ok && r != Gradient {
		return fmt.Errorf("rule %s: not supported through a softmax; start from the logits", r)
	}
	return r.refusesArray(l)
}

// reads reports whether the rule needs the layer's input or output value.
func (r Rule) reads(l model.Layer) (in, out bool, err error) {
	if err := r.refuses(l); err != nil {
		return false, false, err
	}
	switch l := l.(type) {
	case *model.ReLU:
		return false, !r.isPaper(), nil
	case *model.Clip:
		return false, !r.isPaper() || l.Min != 0, nil
	case *model.Unary:
		if model.IsRectifier(l) {
			return false, r != PaperLeaky, nil
		}
	case *model.LRN:
		return !r.passesLRN(), false, nil
	case *model.Softmax:
		return false, true, nil
	}
	in, out = r.readsArray(l)
	return in, out, nil
}

// rectify replaces g by what the rule makes of it at a rectifier with output y
// (nil if the rule does not read it). That a unit is inside its rectifier's linear
// part shows in its output as well as in its input, so the input is not needed.
func (r Rule) rectify(k *kernel.Engine, l model.Layer, g, y []float32) {
	each := func(f func(g, y []float32)) {
		const chunk = 16 << 10
		k.For((len(g)+chunk-1)/chunk, func(i int) {
			lo, hi := i*chunk, min((i+1)*chunk, len(g))
			if y == nil {
				f(g[lo:hi], nil)
			} else {
				f(g[lo:hi], y[lo:hi])
			}
		})
	}
	high := float32(0) // no upper bound
	switch l := l.(type) {
	case *model.Unary: // a leaky one
		if y == nil { // as it treats a signal going up
			y = g
		}
		each(func(g, y []float32) {
			for i, v := range g {
				if !(y[i] > 0) {
					g[i] = v * l.Alpha
				}
			}
		})
		return
	case *model.Clip:
		if l.Min != 0 {
			each(func(g, y []float32) {
				for i := range g {
					if !(l.Min < y[i] && y[i] < l.Max) {
						g[i] = 0
					}
				}
			})
			return
		}
		high = l.Max
	}
	if !r.isPaper() {
		k.ReLUGrad(g, g, y)
		if high > 0 {
			each(func(g, y []float32) {
				for i, v := range y {
					if !(v < high) {
						g[i] = 0
					}
				}
			})
		}
	}
	if r != Gradient {
		k.ReLU(g, g)
	}
}
