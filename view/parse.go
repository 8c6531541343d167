package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/model"
)

// ParsePair reads "7" or "5x9", rows and columns in pixels; "" is zero. An error names the field.
func ParsePair(field, s string) ([2]int, error) {
	if s == "" {
		return [2]int{}, nil
	}
	rows, cols, two := strings.Cut(s, "x")
	a, err := strconv.Atoi(rows)
	b := a
	if err == nil && two {
		b, err = strconv.Atoi(cols)
	}
	if err != nil || a < 1 || b < 1 {
		return [2]int{}, &FieldError{Field: field, Problem: s + ": want a positive number, or ROWSxCOLUMNS"}
	}
	return [2]int{a, b}, nil
}

// PairText writes a pair as ParsePair reads it.
func PairText(p [2]int) string {
	if p[0] == p[1] {
		return fmt.Sprint(p[0])
	}
	return fmt.Sprintf("%dx%d", p[0], p[1])
}

// ParseAt reads "ROW,COLUMN" of a map of scores; "" is nil.
func ParseAt(s string) (*[2]int, error) {
	if s == "" {
		return nil, nil
	}
	row, column, two := strings.Cut(s, ",")
	y, errY := strconv.Atoi(strings.TrimSpace(row))
	x, errX := strconv.Atoi(strings.TrimSpace(column))
	if !two || errY != nil || errX != nil || y < 0 || x < 0 {
		return nil, &FieldError{Field: "at", Problem: s + ": want ROW,COLUMN"}
	}
	return &[2]int{y, x}, nil
}

// ParseClasses reads a list of classes of a network, names or numbers, each once; "" is nil. A comma ends a name,
// unless the whole list is one of the network's names ("Egyptian cat, tabby").
func ParseClasses(net *model.Network, list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	names := []string{list}
	if !slices.Contains(net.Classes, list) {
		names = strings.Split(list, ",")
	}
	var out []int
	for _, name := range names {
		k, err := net.ResolveClass(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out, nil
}

// ParseMaps reads numbers of the n maps of a layer, as in "0,3,7", "4-11" or "all", each map once; "" is nil.
func ParseMaps(s string, n int) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	var maps []int
	if s == "all" {
		for i := range n {
			maps = append(maps, i)
		}
		return maps, nil
	}
	for _, part := range strings.Split(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(strings.TrimSpace(from))
		b := a
		if err == nil && isRange {
			b, err = strconv.Atoi(strings.TrimSpace(to))
		}
		if err != nil || b < a {
			return nil, fmt.Errorf("maps %q: want numbers as in 0,3,7 or 4-11, or all", s)
		}
		if b >= n {
			return nil, fmt.Errorf("no map %d: there are %d, 0 to %d", b, n, n-1)
		}
		for i := a; i <= b; i++ {
			if !slices.Contains(maps, i) {
				maps = append(maps, i)
			}
		}
	}
	return maps, nil
}

// ParseLayers reads a list of layers by number or name, each once; "all" is every node.
func ParseLayers(net *model.Network, list string) ([]string, error) {
	var layers []string
	add := func(name string) {
		if !slices.Contains(layers, name) {
			layers = append(layers, name)
		}
	}
	for _, spec := range strings.Split(list, ",") {
		if spec = strings.TrimSpace(spec); spec == "all" {
			for _, n := range net.Nodes {
				add(n.Name)
			}
			continue
		}
		name, err := net.Resolve(spec)
		if err != nil {
			return nil, err
		}
		add(name)
	}
	return layers, nil
}

// NoLayer says that a network has no layer of the kind that a name stands for.
type NoLayer struct {
	Name string // "top" or "last"
	Err  error
}

func (e *NoLayer) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *NoLayer) Unwrap() error { return e.Err }

// ParseTopLayers is ParseLayers for lists in which "top" is what the class scores are made of and "last" the last
// block or convolution before the scores; a *NoLayer if there is none.
func ParseTopLayers(net *model.Network, list string) ([]string, error) {
	var specs []string
	for _, s := range strings.Split(list, ",") {
		name, layer, err := strings.TrimSpace(s), s, error(nil)
		switch name {
		case "top":
			layer, err = experiments.Top(net)
		case "last":
			layer, err = net.LastFeatures()
		}
		if err != nil {
			return nil, &NoLayer{name, err}
		}
		specs = append(specs, layer)
	}
	return ParseLayers(net, strings.Join(specs, ","))
}
