package model

import (
	"fmt"
	"math"
)

// Steps says in words, in order, all that happens to the pixels of an image on
// their way into the network in.
func (p Preprocess) Steps(in Input) []string {
	steps := []string{"turn the image as its file says (EXIF), lay transparency on white"}
	add := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	if p.Max > 0 {
		add("if a side is longer than %d, resize the long side to %d, %s", p.Max, p.Max, p.filterText())
	}
	for _, s := range p.fitSteps(in) {
		if !p.Always {
			s += fmt.Sprintf(" (an image of %dx%d stays as it is)", in.H, in.W)
		}
		steps = append(steps, s)
	}
	switch {
	case in.C == 1:
		add("make it grey: 0.299 red + 0.587 green + 0.114 blue")
	case in.C == 3 && p.BGR:
		add("order the channels blue, green, red")
	case in.C == 3:
		add("order the channels red, green, blue")
	}
	if p.Invert {
		add("invert: 255 - pixel")
	}
	if s := p.scaleText(); s != "" {
		add("%s", s)
	}
	if p.Mean != nil {
		add("subtract %s", perChannel(p.Mean))
	}
	if p.Std != nil {
		add("divide by %s", perChannel(p.Std))
	}
	lo, hi := p.Units(0, 0), p.Units(0, 0)
	for c := range in.C {
		for _, v := range []float32{p.Units(c, 0), p.Units(c, 255)} {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	add("the input has values from %.4g to %.4g", lo, hi)
	return steps
}

// fitSteps says how the image comes to the input's size. What is said of an
// image that has it already goes at the end of the one line that resizes.
func (p Preprocess) fitSteps(in Input) []string {
	th, tw := p.target(in.H, in.W)
	crop := ""
	if th != in.H || tw != in.W {
		crop = fmt.Sprintf(", then crop the centre %dx%d%s", in.H, in.W, p.offsetText())
	}
	switch p.Mode {
	case FitStretch:
		return []string{fmt.Sprintf("stretch the whole image to %dx%d, %s%s", th, tw, p.filterText(), crop)}
	case FitPad:
		pad := "0"
		if p.Pad != nil {
			pad = perChannel(p.Pad)
		}
		return []string{fmt.Sprintf("resize to fit into %dx%d, %s, and fill up to %dx%d with pixel %s, the image in the centre", th, tw, p.filterText(), in.H, in.W, pad)}
	case FitCropFirst:
		return []string{fmt.Sprintf("crop the largest centre of the shape %dx%d, resize it to %dx%d, %s%s", th, tw, th, tw, p.filterText(), crop)}
	}
	to := ""
	if short := p.shortFor(in.H, in.W); short > 0 {
		to = fmt.Sprintf("resize the short side to %d", short)
	} else {
		to = fmt.Sprintf("resize to cover %dx%d", th, tw)
	}
	return []string{fmt.Sprintf("%s, %s, then crop the centre %dx%d%s", to, p.filterText(), in.H, in.W, p.offsetText())}
}

// shortFor is what the short side is resized to for an input of h x w, 0 if the
// image is resized to cover a size.
func (p Preprocess) shortFor(h, w int) int {
	if p.own() && p.Short == 0 {
		return min(h, w)
	}
	th, tw := p.target(h, w)
	return p.short(th, tw)
}

func (p Preprocess) offsetText() string {
	if p.Offset == OffsetRound {
		return ""
	}
	return fmt.Sprintf(" (offset %s)", p.Offset)
}

// filterText describes the filter.
func (p Preprocess) filterText() string {
	if p.own() {
		return "bilinear, antialiased"
	}
	switch f := p.filter(); f {
	case ResampleBilinear, ResampleBicubic, ResampleLanczos, ResampleHamming, ResampleBox:
		return string(f) + ", antialiased (as PIL)"
	case ResampleBilinearPlain:
		return "bilinear, not antialiased"
	case ResampleBicubicPlain:
		return "bicubic, not antialiased"
	case ResampleNearest:
		return "nearest pixel"
	default:
		return string(f)
	}
}

// scaleText says what pixels are multiplied with, nothing for 1.
func (p Preprocess) scaleText() string {
	s := p.scale()
	if s == 1 {
		return ""
	}
	if r := 1 / float64(s); s < 1 && math.Abs(r-math.Round(r*2)/2) < 1e-3 {
		return fmt.Sprintf("divide by %g", math.Round(r*2)/2)
	}
	return fmt.Sprintf("multiply by %g", s)
}

// perChannel writes numbers for channels, one if all are alike.
func perChannel(v []float32) string {
	text, same := "", true
	for i, x := range v {
		if i > 0 {
			text += "/"
		}
		text += fmt.Sprint(x)
		same = same && x == v[0]
	}
	if same && len(v) > 0 {
		return fmt.Sprint(v[0])
	}
	return text
}
