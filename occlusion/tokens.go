package occlusion

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// asMaps is the network with the tokens of layers, [tokens, channels], as maps behind
// them, so that a map is a channel at all places, and the names of what is totalled.
// Tokens that are no place, such as a class token, are left out.
func asMaps(net *model.Network, layers []string) (*model.Network, []string) {
	out, names := net, slices.Clone(layers)
	for i, name := range layers {
		p, err := net.Places(name, [2]int{})
		if err != nil || !p.Last || net.Node(name) == nil {
			continue
		}
		if out == net {
			copied := *net
			copied.Nodes = slices.Clone(net.Nodes)
			out = &copied
		}
		names[i] = name + "\x00maps"
		out.Nodes = append(out.Nodes, model.Node{Name: names[i], Inputs: []string{name}, Layer: &model.Rearrange{What: "Transpose",
			Offset: p.Index(0, 0), To: []int{p.Channels, p.H, p.W}, Strides: []int{1, p.W * p.Channels, p.Channels}}})
	}
	return out, names
}
