package model

import (
	"fmt"
	"math"
	"slices"
)

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
		switch l := n.Layer.(type) {
		case *BatchNorm:
			if norms || l.Eps == 0 { // the first tells most; without eps it is only a scale
				continue
			}
			norms = true
			out = append(out, t.offScale(n.Name, l, x.Data)...)
		case *ReLU:
			out = append(out, deadOrFull(n.Name, y.Data, float32(math.Inf(1)))...)
		case *Clip:
			out = append(out, deadOrFull(n.Name, y.Data, l.Max)...)
		case *Unary:
			out = append(out, atBounds(n.Name, l, y.Data)...)
		}
	}
	if v := t.Value(t.Net.Logits); v != nil && t.scoresExclude() {
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

// offScale says if a batch normalisation sees values x of another spread than in training.
func (t *Trace) offScale(name string, l *BatchNorm, x []float32) []string {
	s := t.Shapes[name]
	plane := s.H * s.W
	spread := make([]float64, s.C) // in deviations of the training data
	for c := range spread {
		var sum, square, count float64
		for k := range t.N() {
			for _, v := range x[(k*s.C+c)*plane : (k*s.C+c+1)*plane] {
				sum, square, count = sum+float64(v), square+float64(float64(v)*float64(v)), count+1
			}
		}
		m := sum / count
		spread[c] = math.Sqrt(max(square/count-float64(m*m), 0) / (float64(l.Var[c]) + l.Eps))
	}
	slices.Sort(spread)
	switch typical := spread[len(spread)/2]; {
	case typical > 10:
		return []string{fmt.Sprintf("layer %s sees values %.0f times as spread as those it was trained on", name, typical)}
	case typical < 0.05 && plane >= 64:
		return []string{fmt.Sprintf("layer %s sees values with %.1g of the spread of those it was trained on", name, typical)}
	}
	return nil
}

// deadOrFull says if nearly all values of a rectifier are 0, or most of them are at its upper bound.
func deadOrFull(name string, y []float32, top float32) []string {
	zero, full, total := 0, 0, len(y)
	for _, v := range y {
		if v == 0 {
			zero++
		}
		if v >= top {
			full++
		}
	}
	switch {
	case total < 64:
	case zero > total-max(total/200, 1):
		return []string{fmt.Sprintf("layer %s is dead: %.1f %% of its values are 0", name, 100*float64(zero)/float64(total))}
	case full > total/2:
		return []string{fmt.Sprintf("layer %s is saturated: %.0f %% of its values are at the upper bound", name, 100*float64(full)/float64(total))}
	}
	return nil
}

// atBounds says if nearly all values of a function that levels off are where it does.
func atBounds(name string, l *Unary, y []float32) []string {
	if l.Op != UnarySigmoid && l.Op != UnaryTanh && l.Op != UnaryHardSigmoid || len(y) < 64 {
		return nil
	}
	low := float32(0)
	if l.Op == UnaryTanh {
		low = -1
	}
	bound := 0
	for _, v := range y {
		if v-low < 1e-3 || 1-v < 1e-3 {
			bound++
		}
	}
	if bound <= len(y)*9/10 {
		return nil
	}
	return []string{fmt.Sprintf("layer %s is saturated: %.0f %% of its values are at a bound", name, 100*float64(bound)/float64(len(y)))}
}

// scoresExclude reports whether the scores are those of classes that exclude each other.
func (t *Trace) scoresExclude() bool {
	s, ok := t.Shapes[t.Net.Logits]
	if !ok {
		return false
	}
	r := t.Net.reading(s)
	return r.Kind == SoftmaxScores && !r.Spatial() && s.C > 1
}
