package view

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model"
)

// Head is what goes into a network and comes out, in columns. stated: somebody has said how pixels become the input.
func (r *Inspection) Head(net *model.Network, stated bool) [][]string {
	rows := [][]string{{r.Model, r.Hash, "input " + r.Input, ClassesText(net)}}
	if text := scoresText(net); text != "" {
		rows = append(rows, []string{"scores", text})
	}
	if len(r.Outputs) > 1 {
		for _, o := range r.Outputs {
			rows = append(rows, []string{"output", o.Name, o.Shape, "layer " + o.Node})
		}
	}
	pixels := PixelsText(net)
	if !stated {
		pixels = "0..255 as they are, since the model does not say (see --preprocess)"
	}
	rows = append(rows, []string{"pixels", pixels})
	for i, step := range r.Steps {
		rows = append(rows, []string{"", fmt.Sprintf("%d. %s", i+1, step)})
	}
	return rows
}

// Text is the layers in columns, and what a rule does at each.
func (r *Inspection) Text(rule deconv.Rule) [][]string {
	rows := [][]string{{"layer", "name", "kind", "attributes", "output", "weights", "multiply-adds", "receptive field", "stride", "rule " + string(rule)}}
	for _, l := range r.Layers {
		number, field, stride := "", "all", "-"
		if l.Paper > 0 {
			number = fmt.Sprint(l.Paper)
		} else if l.Block > 0 {
			number = fmt.Sprint("block", l.Block)
		}
		name := l.Name
		if l.Module != "" && l.Module != l.Name {
			name += " (" + l.Module + ")"
		}
		if l.Field[0] > 0 {
			field, stride = PairText(l.Field), PairText(l.Stride)
		}
		rows = append(rows, []string{number, name, l.Kind, l.Attributes, l.Output, Count(int64(l.Weights)), Count(l.MACs), field, stride, l.Rule})
	}
	return append(rows, []string{"", "total", "", "", "", Count(int64(r.Weights)), Count(r.MACs)})
}

// Text is how a map would be computed, in columns, layer by layer.
func (p OcclusionPlan) Text() [][]string {
	rows := [][]string{{"layer", "strategy", "positions", "of", "multiply-adds a patch", "of", "times fewer"}}
	for _, l := range p.Layers {
		if l.Whole == 0 {
			continue
		}
		fewer := "-"
		if l.MACs > 0 {
			fewer = fmt.Sprintf("%.1f", l.Whole/l.MACs)
		}
		rows = append(rows, []string{l.Name, fmt.Sprint(l.Way), fmt.Sprintf("%.0f", l.Box), fmt.Sprint(l.Map), Count(int64(l.MACs)), Count(int64(l.Whole)), fewer})
	}
	n := int64(p.Positions)
	return append(rows, []string{"all, with the clean image", "", "", "", Count(p.MACs / n), Count(p.Whole / n), fmt.Sprintf("%.1f", float64(p.Whole)/float64(max(p.MACs, 1)))})
}

// ParsePatchStride reads PATCH/STRIDE, such as 16/4 or 16x20/4.
func ParsePatchStride(s string) (r Occlusion, err error) {
	patch, stride, ok := strings.Cut(s, "/")
	if !ok || patch == "" || stride == "" {
		return r, &FieldError{Field: "occlude", Problem: "want PATCH/STRIDE"}
	}
	if r.Patch, err = ParsePair("patch", patch); err == nil {
		r.Stride, err = ParsePair("stride", stride)
	}
	return r, err
}

// Count writes a number with k, M or G, and "-" for 0.
func Count(n int64) string {
	switch {
	case n == 0:
		return "-"
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 10_000_000:
		return fmt.Sprintf("%.1fk", float64(n)/1e3)
	case n < 10_000_000_000:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1fG", float64(n)/1e9)
}

// scoresText says what the network's scores mean, "" if that goes without saying.
func scoresText(net *model.Network) string {
	if net.Logits == "" {
		return ""
	}
	at := ", at layer " + net.Logits
	switch text := net.Assumed(); {
	case text != "":
		return text + at + " (--scores says otherwise)"
	case net.Scores != model.SoftmaxScores || len(net.Outputs) > 1:
		return net.Scores.String() + at
	}
	return ""
}
