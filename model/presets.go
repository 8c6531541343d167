package model

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// presets are the ways in which usual networks were fed.
var presets = map[string]struct {
	p    Preprocess
	crop int
}{
	"imagenet":  {Preprocess{Short: 256, Scale: 1. / 255, Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225}}, 224},
	"caffe-bgr": {Preprocess{Short: 256, Scale: 1, Mean: []float32{104, 117, 123}, BGR: true}, 224},
	"unit":      {Preprocess{Scale: 1. / 255}, 0},
	"signed":    {Preprocess{Scale: 2. / 255, Mean: []float32{1}}, 0},
	"raw":       {Preprocess{Scale: 1}, 0},
}

// PreprocessPresets lists the presets that ParsePreprocess knows.
func PreprocessPresets() []string { return []string{"imagenet", "caffe-bgr", "unit", "signed", "raw"} }

// ParsePreprocess reads a preset's name, or settings KEY=VALUE, or a preset and
// settings that change it, separated by commas:
//
//	imagenet   short side 256, crop 224, (pixel/255 - mean) / deviation of ImageNet's RGB
//	caffe-bgr  short side 256, crop 224, BGR, 0..255 minus 104, 117, 123
//	unit       pixel/255
//	signed     pixel*2/255 - 1
//	raw        0..255 as they are
//
//	size=256         pixels of the short side before the crop; 0: the crop's
//	crop=224         the network's input, ROWSxCOLUMNS or one number, for networks of any size
//	scale=1/255      what pixels 0..255 are multiplied by, a number or a fraction
//	mean=.5/.4/.3    subtracted then, one number or one for each channel, in the network's order
//	std=.2/.2/.2     divided by then
//	order=rgb|bgr    of the channels
//
// crop is [rows, columns], 0 if nothing is said. Of one mean or deviation for all
// channels, Fill makes as many as a network has.
func ParsePreprocess(spec string) (p Preprocess, crop [2]int, err error) {
	p.Scale = 1. / 255
	for i, part := range strings.Split(spec, ",") {
		key, value, setting := strings.Cut(strings.TrimSpace(part), "=")
		if !setting {
			preset, ok := presets[key]
			if !ok || i > 0 {
				return p, crop, fmt.Errorf("no preset %q: there are %s; or settings such as size=256,crop=224,scale=1/255,mean=.5,std=.2,order=rgb",
					key, strings.Join(PreprocessPresets(), ", "))
			}
			p, crop = preset.p, [2]int{preset.crop, preset.crop}
			p.Mean, p.Std = slices.Clone(p.Mean), slices.Clone(p.Std)
			continue
		}
		bad := func(want string) error { return fmt.Errorf("%s=%s: want %s", key, value, want) }
		switch key {
		case "size", "short":
			if p.Short, err = strconv.Atoi(value); err != nil || p.Short < 0 || p.Short > 1<<15 {
				return p, crop, bad("the number of pixels of the short side")
			}
		case "crop":
			rows, columns, two := strings.Cut(value, "x")
			if !two {
				columns = rows
			}
			var errs [2]error
			crop[0], errs[0] = strconv.Atoi(rows)
			crop[1], errs[1] = strconv.Atoi(columns)
			if errs != [2]error{} || min(crop[0], crop[1]) < 1 || max(crop[0], crop[1]) > 1<<15 {
				return p, crop, bad("N or ROWSxCOLUMNS")
			}
		case "scale":
			top, bottom, fraction := strings.Cut(value, "/")
			a, errA := strconv.ParseFloat(top, 64)
			b, errB := 1., error(nil)
			if fraction {
				b, errB = strconv.ParseFloat(bottom, 64)
			}
			if p.Scale = float32(a / b); errA != nil || errB != nil || !(p.Scale > 0) || math.IsInf(float64(p.Scale), 0) {
				return p, crop, bad("a positive number or a fraction such as 1/255")
			}
		case "mean", "std":
			var v []float32
			for _, s := range strings.Split(value, "/") {
				f, err := strconv.ParseFloat(s, 32)
				if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || key == "std" && f == 0 {
					return p, crop, bad("numbers separated by /, one or as many as channels")
				}
				v = append(v, float32(f))
			}
			if key == "mean" {
				p.Mean = v
			} else {
				p.Std = v
			}
		case "order":
			if value != "rgb" && value != "bgr" {
				return p, crop, bad("rgb or bgr")
			}
			p.BGR = value == "bgr"
		default:
			return p, crop, fmt.Errorf("no setting %q: there are size, crop, scale, mean, std, order", key)
		}
	}
	return p, crop, nil
}

// Fill repeats a mean or deviation that is given once for each of c channels.
func (p Preprocess) Fill(c int) Preprocess {
	for _, v := range []*[]float32{&p.Mean, &p.Std} {
		if len(*v) == 1 && c > 1 {
			*v = slices.Repeat(*v, c)
		}
	}
	return p
}

// Suspicions looks for signs that a network is fed numbers in other units than
// those it was trained on, such as pixels 0..255 where 0..1 are meant. It
// wants a trace that holds all values, and returns sentences that name layers;
// none if all looks well. They are hints, not proof.
func (t *Trace) Suspicions() []string {
	var out []string
	norms := false
	for i := range t.Net.Nodes {
		n := &t.Net.Nodes[i]
		x, y := t.Value(n.Inputs[0]), t.Value(n.Name)
		if x == nil || y == nil {
			continue
		}
		s := t.Shapes[n.Name]
		switch l := n.Layer.(type) {
		case *BatchNorm:
			if norms || l.Eps == 0 { // the first tells most; without eps it is only a scale
				continue
			}
			norms = true
			plane := s.H * s.W
			spread := make([]float64, s.C) // in deviations of the training data
			for c := range spread {
				var sum, square, count float64
				for k := range t.N() {
					for _, v := range x.Data[(k*s.C+c)*plane : (k*s.C+c+1)*plane] {
						sum, square, count = sum+float64(v), square+float64(v)*float64(v), count+1
					}
				}
				m := sum / count
				spread[c] = math.Sqrt(max(square/count-m*m, 0) / (float64(l.Var[c]) + l.Eps))
			}
			slices.Sort(spread)
			switch typical := spread[len(spread)/2]; {
			case typical > 10:
				out = append(out, fmt.Sprintf("layer %s sees values %.0f times as spread as those it was trained on", n.Name, typical))
			case typical < 0.05 && s.H*s.W >= 64:
				out = append(out, fmt.Sprintf("layer %s sees values with %.1g of the spread of those it was trained on", n.Name, typical))
			}
		case *ReLU, *Clip:
			zero, full := 0, 0
			top := float32(math.Inf(1))
			if c, ok := l.(*Clip); ok {
				top = c.Max
			}
			for _, v := range y.Data {
				if v == 0 {
					zero++
				}
				if v >= top {
					full++
				}
			}
			if total := len(y.Data); total >= 64 {
				if zero > total-max(total/200, 1) {
					out = append(out, fmt.Sprintf("layer %s is dead: %.1f %% of its values are 0", n.Name, 100*float64(zero)/float64(total)))
				} else if full > total/2 {
					out = append(out, fmt.Sprintf("layer %s is saturated: %.0f %% of its values are at the upper bound", n.Name, 100*float64(full)/float64(total)))
				}
			}
		case *Unary:
			if l.Op != "Sigmoid" && l.Op != "Tanh" && l.Op != "HardSigmoid" || len(y.Data) < 64 {
				continue
			}
			bound := 0
			for _, v := range y.Data {
				low := float32(0)
				if l.Op == "Tanh" {
					low = -1
				}
				if v-low < 1e-3 || 1-v < 1e-3 {
					bound++
				}
			}
			if bound > len(y.Data)*9/10 {
				out = append(out, fmt.Sprintf("layer %s is saturated: %.0f %% of its values are at a bound", n.Name, 100*float64(bound)/float64(len(y.Data))))
			}
		}
	}
	if v := t.Value(t.Net.Logits); v != nil && t.Net.Logits != "" && v.Len() > 1 {
		first, second := float32(math.Inf(-1)), float32(math.Inf(-1))
		for _, x := range v.Data[:v.Len()/t.N()] {
			switch {
			case x > first:
				first, second = x, first
			case x > second:
				second = x
			}
		}
		if first-second > 40 {
			out = append(out, fmt.Sprintf("the scores are saturated: the first class leads by %.0f, which leaves the others a probability of e^-%.0f", first-second, first-second))
		}
	}
	return out
}
