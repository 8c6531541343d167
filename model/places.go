package model

import (
	"fmt"
	"slices"
)

// Places says where in the image the numbers of a layer's value are. Maps have
// rows and columns themselves. Transformers have tokens: an array [tokens,
// channels] whose tokens are patches of the image, row by row, behind some that
// are none, such as a class token; or an array [rows, columns, channels].
type Places struct {
	H, W     int
	Channels int
	Last     bool // the channels of a place lie side by side; else maps do
	Before   int  // tokens before the first place
}

// Index is where the value holds channel c of place i, counted row by row.
func (p Places) Index(c, i int) int {
	if p.Last {
		return (p.Before+i)*p.Channels + c
	}
	return c*p.H*p.W + i
}

// Shape is the places' maps.
func (p Places) Shape() Shape { return Shape{C: p.Channels, H: p.H, W: p.W} }

// maxBefore is how many tokens are expected before the first place: class tokens
// and registers.
const maxBefore = 16

// Places returns the places of a layer's value. tokens are the rows and columns in
// which its tokens lie; 0, 0: like the maps that they are made of, or in the
// proportions of the input.
func (net *Network) Places(layer string, tokens [2]int) (Places, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return Places{}, err
	}
	return net.places(layer, tokens, shapes, net.maps())
}

func (net *Network) places(layer string, tokens [2]int, shapes map[string]Shape, maps map[string]bool) (Places, error) {
	s, ok := shapes[layer]
	if !ok {
		return Places{}, fmt.Errorf("network %s has no layer %q", net.Name, layer)
	}
	given := tokens != [2]int{}
	plain := Places{H: s.H, W: s.W, Channels: s.C}
	if !given && (s.Flat || maps[layer]) {
		return plain, nil
	}
	last := Places{H: s.C, W: s.H, Channels: s.W, Last: true} // [rows, columns, channels]
	switch {
	case given && [2]int{s.H, s.W} == tokens:
		return plain, nil
	case given && [2]int{s.C, s.H} == tokens:
		return last, nil
	case !given && s.H > 1 && net.inProportion(s.C, s.H) && !net.inProportion(s.H, s.W):
		return last, nil
	case !given && s.H > 1:
		return plain, nil
	}
	if s.H != 1 {
		return Places{}, fmt.Errorf("layer %s is an array of %v: %dx%d places are not in it", layer, s, tokens[0], tokens[1])
	}
	// Tokens, [tokens, channels] or [channels, tokens].
	grid := tokens
	if !given {
		grid = net.gridBelow(layer, shapes, maps)
	}
	if n := grid[0] * grid[1]; n > 0 {
		if more := s.C - n; more >= 0 && (more <= maxBefore || given && more <= n && s.W != n) {
			return Places{H: grid[0], W: grid[1], Channels: s.W, Last: true, Before: more}, nil
		}
		if s.W == n {
			return Places{H: grid[0], W: grid[1], Channels: s.C}, nil
		}
	}
	if !given {
		for _, more := range []int{0, 1, 2, 5, 4} {
			if h, w, ok := net.divide(s.C - more); ok {
				return Places{H: h, W: w, Channels: s.W, Last: true, Before: more}, nil
			}
		}
		return Places{}, fmt.Errorf("layer %s has %d tokens: say in how many rows and columns they lie", layer, s.C)
	}
	if more := s.C - tokens[0]*tokens[1]; more > 0 {
		return Places{}, fmt.Errorf("layer %s has %d tokens of %d channels: %d more than %dx%d places", layer, s.C, s.W, more, tokens[0], tokens[1])
	}
	return Places{}, fmt.Errorf("layer %s has %d tokens of %d channels, fewer than %dx%d places", layer, s.C, s.W, tokens[0], tokens[1])
}

// gridBelow is the size of the last maps that a layer depends on; 0, 0: none.
func (net *Network) gridBelow(layer string, shapes map[string]Shape, maps map[string]bool) [2]int {
	needed := net.Needed([]string{layer}, nil)
	for _, n := range slices.Backward(net.Nodes) {
		if !needed[n.Name] {
			continue
		}
		if s := shapes[n.Name]; maps[n.Name] && s.H*s.W > 1 {
			return [2]int{s.H, s.W}
		}
	}
	return [2]int{}
}

// inProportion reports whether h rows and w columns can be places of the whole
// input, give or take one.
func (net *Network) inProportion(h, w int) bool {
	if h < 2 || w < 2 || h > net.Input.H || w > net.Input.W {
		return false
	}
	off := h*net.Input.W - w*net.Input.H
	return max(off, -off) < max(net.Input.H, net.Input.W)
}

// divide lays n places out in the proportions of the input.
func (net *Network) divide(n int) (h, w int, ok bool) {
	for h = 2; h <= n/2; h++ {
		if w = n / h; w*h == n && h*net.Input.W == w*net.Input.H {
			return h, w, true
		}
	}
	return 0, 0, false
}

// LastTokens is the layer on whose tokens a transformer's decision rests: the last
// sum or normalisation whose places are all looked at afterwards, by attention or
// a mean. Behind the last attention only the class token counts. "" if the network
// decides from maps.
func (net *Network) LastTokens() string {
	shapes, err := net.Shapes()
	if err != nil {
		return ""
	}
	end := net.Logits
	if end == "" {
		end = net.Output()
	}
	maps, lastMaps := net.maps(), net.LastSpatial()
	reached, mixed := map[string]bool{end: true}, map[string]bool{}
	for i := len(net.Nodes) - 1; i >= 0 && net.Nodes[i].Name != lastMaps; i-- {
		n := &net.Nodes[i]
		if !reached[n.Name] {
			continue
		}
		switch n.Layer.(type) {
		case *Add, *Normalize:
			p, err := net.places(n.Name, [2]int{}, shapes, maps)
			if mixed[n.Name] && err == nil && p.Last && p.H*p.W > 1 && p.Channels > 1 {
				return n.Name
			}
		}
		for _, in := range n.Inputs {
			reached[in] = true
			mixed[in] = mixed[in] || mixed[n.Name] || mixes(n.Layer)
		}
	}
	return ""
}

// mixes reports whether a layer looks at several places at once.
func mixes(l Layer) bool {
	switch l := l.(type) {
	case *MatMul:
		return l.Value == nil
	case *Reduce: // over channels alone it is part of a normalisation
		return len(l.Axes) != 1 || l.Axes[0] != len(l.From)-1
	case *GlobalAvgPool:
		return true
	case *Pool:
		return l.From == nil
	}
	return false
}
