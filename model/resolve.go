package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Unit is one feature detector at one place: channel Channel of the named
// layer at row Y, column X of its map (both 0 for a layer without space).
type Unit struct {
	Layer         string
	Channel, Y, X int
}

func (u Unit) String() string { return fmt.Sprintf("%s:%d:%d:%d", u.Layer, u.Channel, u.Y, u.X) }

// UnknownName reports a layer or class that does not exist, with the names that
// come nearest.
type UnknownName struct {
	What    string // "layer" or "class"
	Name    string
	Nearest []string
}

func (e *UnknownName) Error() string {
	s := fmt.Sprintf("no %s %q", e.What, e.Name)
	if len(e.Nearest) > 0 {
		s += ": did you mean " + strings.Join(e.Nearest, ", ") + "?"
	}
	return s
}

// ConvLayers lists the paper-style layers: entry i is the node that "layer i+1"
// means. That is the rectifier directly after the (i+1)-th convolution, through
// a batch normalisation or rounding if there is one, or else the convolution itself.
func (net *Network) ConvLayers() []string {
	var out []string
	x := net.index()
	for _, name := range net.ConvNodes() {
		out = append(out, x.rectifierAfter(name))
	}
	return out
}

// ConvNodes lists the convolutions that ConvLayers numbers, in its order.
func (net *Network) ConvNodes() []string {
	var out []string
	for i := range net.Nodes {
		if _, ok := net.Nodes[i].Layer.(*Conv); ok {
			out = append(out, net.Nodes[i].Name)
		}
	}
	return out
}

func (x index) rectifierAfter(conv string) string {
	at := conv
	for range 3 {
		next := x.consumers[at]
		if len(next) != 1 {
			return conv
		}
		if IsRectifier(next[0].Layer) {
			return next[0].Name
		}
		switch next[0].Layer.(type) {
		case *BatchNorm, *Quantize:
			at = next[0].Name
		default:
			return conv
		}
	}
	return conv
}

// Ambiguous reports a name that could be several layers.
type Ambiguous struct {
	Name string
	Hits []string
}

func (e *Ambiguous) Error() string {
	const most = 8
	hits, more := e.Hits, ""
	if len(hits) > most {
		hits, more = hits[:most], fmt.Sprintf(" or %d others", len(e.Hits)-most)
	}
	return fmt.Sprintf("layer %q is ambiguous: it could be %s%s", e.Name, strings.Join(hits, ", "), more)
}

// Resolve finds the node a user means by spec: a node's name; a number ("2": the second
// convolution, see ConvLayers); the path of a module of the network's author ("layer4.1",
// "features.15"), which is its last node; a block ("block3", see Blocks); or the end of a name or the
// inner part of a path that only one has. Errors are an *UnknownName, which suggests what comes
// nearest, or an *Ambiguous.
func (net *Network) Resolve(spec string) (string, error) {
	names := net.names()
	if slices.Contains(names, spec) {
		return spec, nil
	}
	if k, err := strconv.Atoi(spec); err == nil {
		convs := net.ConvLayers()
		if len(convs) == 0 {
			return "", fmt.Errorf("no layer %d: the network has no convolution layers", k)
		}
		if k < 1 || k > len(convs) {
			return "", fmt.Errorf("no layer %d: the network has %d convolution layers, 1 to %d", k, len(convs), len(convs))
		}
		return convs[k-1], nil
	}
	module, candidates := net.lastOfModule(spec)
	if module != "" {
		return module, nil
	}
	blocks := net.Blocks()
	if k, err := strconv.Atoi(strings.TrimPrefix(spec, "block")); err == nil && strings.HasPrefix(spec, "block") {
		if k >= 1 && k <= len(blocks) {
			return blocks[k-1], nil
		}
		if len(candidates) == 0 {
			return "", fmt.Errorf("no layer %q: the network has %d blocks", spec, len(blocks))
		}
	}
	var hits []string
	for _, n := range names {
		if spec != "" && strings.HasSuffix(n, spec) {
			hits = append(hits, n)
		}
	}
	switch {
	case len(hits) == 1:
		return hits[0], nil
	case len(hits) > 1:
		return "", &Ambiguous{spec, hits}
	case len(candidates) > 0:
		return "", &Ambiguous{spec, candidates}
	}
	return "", &UnknownName{What: "layer", Name: spec, Nearest: net.nearestLayers(spec)}
}

// ResolveLayers is Resolve for several names with commas, each layer once; "all" are
// FeatureLayers.
func (net *Network) ResolveLayers(list string) ([]string, error) {
	var layers []string
	for spec := range strings.SplitSeq(list, ",") {
		names := net.FeatureLayers()
		switch spec = strings.TrimSpace(spec); {
		case spec != "all":
			name, err := net.Resolve(spec)
			if err != nil {
				return nil, err
			}
			names = []string{name}
		case len(names) == 0:
			return nil, fmt.Errorf("network %s has no convolution layers: name some", net.Name)
		}
		for _, name := range names {
			if !slices.Contains(layers, name) {
				layers = append(layers, name)
			}
		}
	}
	return layers, nil
}

// nearestLayers are names and module paths that hold spec, or else the nearest.
func (net *Network) nearestLayers(spec string) []string {
	all := net.names()
	for _, m := range net.modules() {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	var hold []string
	for _, m := range all {
		if strings.EqualFold(m, strings.Trim(spec, "./")) {
			return []string{m}
		}
	}
	for _, tail, ok := strings.Cut(spec, "."); ok; _, tail, ok = strings.Cut(tail, ".") { // of a module around
		if name, _ := net.lastOfModule(tail); name != "" && strings.Trim(tail, "0123456789.") != "" {
			return []string{tail}
		}
	}
	for _, n := range all {
		if spec != "" && strings.Contains(strings.ToLower(n), strings.ToLower(spec)) && len(hold) < 5 {
			hold = append(hold, n)
		}
	}
	if len(hold) > 0 {
		return hold
	}
	return nearest(spec, all)
}

// ResolveClass finds a class by name, by one of the words of a name with commas, by a part that only one name has,
// or by number. Several classes of one name are an error that lists their numbers.
func (net *Network) ResolveClass(spec string) (int, error) {
	if hits := net.classesWhere(func(c string) bool { return c == spec }); len(hits) > 0 {
		return net.oneClass(spec, hits)
	}
	classes := len(net.Classes)
	if n := net.NumClasses(); n > 0 {
		classes = n
	}
	if classes == 0 {
		return 0, fmt.Errorf("no class %q: the network is no classifier", spec)
	}
	if k, err := strconv.Atoi(spec); err == nil {
		if k < 0 || k >= classes {
			return 0, fmt.Errorf("no class %d: the network has %d classes, 0 to %d", k, classes, classes-1)
		}
		return k, nil
	}
	if len(net.Classes) == 0 {
		return 0, fmt.Errorf("no class %q: the network's classes have no names, only numbers 0 to %d", spec, classes-1)
	}
	part := strings.ToLower(strings.TrimSpace(spec))
	for _, fits := range []func(c string) bool{
		func(c string) bool { return strings.EqualFold(c, part) },
		func(c string) bool {
			return slices.ContainsFunc(strings.Split(c, ","), func(w string) bool { return strings.EqualFold(strings.TrimSpace(w), part) })
		},
		func(c string) bool { return part != "" && strings.Contains(strings.ToLower(c), part) },
	} {
		if hits := net.classesWhere(fits); len(hits) > 0 {
			return net.oneClass(spec, hits)
		}
	}
	return 0, &UnknownName{What: "class", Name: spec, Nearest: nearest(spec, net.Classes)}
}

func (net *Network) classesWhere(fits func(class string) bool) (hits []int) {
	for i, c := range net.Classes {
		if fits(c) {
			hits = append(hits, i)
		}
	}
	return hits
}

// oneClass is the only one of the classes that a name fits, or an error that lists them.
func (net *Network) oneClass(spec string, hits []int) (int, error) {
	if len(hits) == 1 {
		return hits[0], nil
	}
	const most = 20
	var list []string
	for _, k := range hits[:min(most, len(hits))] {
		list = append(list, fmt.Sprintf("%d %s", k, net.Classes[k]))
	}
	if len(hits) > most {
		list = append(list, fmt.Sprintf("and %d more", len(hits)-most))
	}
	return 0, fmt.Errorf("class %q fits %d classes, give the number of one: %s", spec, len(hits), strings.Join(list, "; "))
}

// ParseUnit reads "layer:channel:y:x", or "layer:channel" for a layer without
// space, and checks that the unit exists.
func (net *Network) ParseUnit(spec string) (Unit, error) {
	fail := fmt.Errorf("unit %q: want layer:channel:y:x, or layer:channel for a layer without space", spec)
	parts := strings.Split(spec, ":")
	for _, n := range []int{3, 1} {
		if len(parts) <= n {
			continue
		}
		at := len(parts) - n
		nums := make([]int, 3)
		ok := true
		for i, p := range parts[at:] {
			v, err := strconv.Atoi(p)
			nums[i], ok = v, ok && err == nil
		}
		if !ok {
			continue
		}
		name, err := net.Resolve(strings.Join(parts[:at], ":"))
		if err != nil {
			return Unit{}, fmt.Errorf("unit %q: %w", spec, err)
		}
		shapes, err := net.Shapes()
		if err != nil {
			return Unit{}, err
		}
		if s := shapes[name]; n == 1 && s.H*s.W > 1 {
			return Unit{}, fmt.Errorf("unit %q: layer %s is %v, say where: %s:%d:y:x", spec, name, s, name, nums[0])
		}
		u := Unit{Layer: name, Channel: nums[0], Y: nums[1], X: nums[2]}
		return u, net.CheckUnit(u)
	}
	return Unit{}, fail
}

// CheckUnit reports a unit that is not in the network.
func (net *Network) CheckUnit(u Unit) error {
	shapes, err := net.Shapes()
	if err != nil {
		return err
	}
	return net.CheckUnitIn(shapes, u)
}

// CheckUnitIn is CheckUnit for a caller that has the network's shapes at hand.
func (net *Network) CheckUnitIn(shapes map[string]Shape, u Unit) error {
	s, ok := shapes[u.Layer]
	if !ok {
		return &UnknownName{What: "layer", Name: u.Layer, Nearest: net.nearestLayers(u.Layer)}
	}
	if u.Channel < 0 || u.Channel >= s.C || u.Y < 0 || u.Y >= s.H || u.X < 0 || u.X >= s.W {
		return fmt.Errorf("unit %v is outside layer %s, which is %v", u, u.Layer, s)
	}
	return nil
}

// nearest returns up to three names closest to spec by edit distance.
func nearest(spec string, names []string) []string {
	type scored struct {
		name string
		d    int
	}
	var all []scored
	for _, n := range names {
		d := editDistance(strings.ToLower(spec), strings.ToLower(n))
		if d <= max(2, len(n)/2) {
			all = append(all, scored{n, d})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return a.d - b.d })
	var out []string
	for _, s := range all[:min(3, len(all))] {
		out = append(out, s.name)
	}
	return out
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
