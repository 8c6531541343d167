package model

// LayerSummary describes one node for a reader.
type LayerSummary struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	Inputs     []string `json:"inputs"`
	Shape      Shape    `json:"-"`
	Output     string   `json:"output"`          // shape, as text
	Paper      int      `json:"layer,omitempty"` // number of the convolution layer whose features this node gives, see ConvLayers
	Block      int      `json:"block,omitempty"` // number of the block that ends here, see Blocks
	Module     string   `json:"module,omitempty"`
	Last       bool     `json:"last_spatial,omitempty"` // the maps the decision is made from, see LastSpatial
	Weights    int      `json:"weights"`                // trained numbers
	MACs       int64    `json:"macs"`                   // multiply-adds for one image
	Field      [2]int   `json:"receptive_field"`        // rows, columns of the input a unit far from the border sees; 0: all of it
	Stride     [2]int   `json:"stride"`                 // input pixels between neighbouring units; 0: less than one, or the unit sees all
	Attributes string   `json:"attributes,omitempty"`
}

// Summary lists the nodes in order with sizes, weights, receptive fields and
// multiply-adds per image.
func (net *Network) Summary() ([]LayerSummary, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	paper := map[string]int{}
	for i, name := range net.ConvLayers() {
		paper[name] = i + 1
	}
	block := map[string]int{}
	for i, name := range net.Blocks() {
		block[name] = i + 1
	}
	last := net.LastSpatial()
	fields, err := net.Fields(shapes)
	if err != nil {
		return nil, err
	}
	var out []LayerSummary
	for i := range net.Nodes {
		n := &net.Nodes[i]
		l := n.Layer.(kind) // Fields has looked
		s := shapes[n.Name]
		size, stride := fields.Size(n.Name)
		out = append(out, LayerSummary{Name: n.Name, Kind: n.Layer.Kind(), Inputs: n.Inputs, Shape: s, Output: s.String(),
			Paper: paper[n.Name], Block: block[n.Name], Module: n.Module, Last: n.Name == last,
			Weights: weightCount(l), MACs: l.macs(shapes[first(n.Inputs)], s), Field: size, Stride: stride,
			Attributes: l.text()})
	}
	return out, nil
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// MACs is the number of multiply-adds of one forward pass of one image.
func (net *Network) MACs() (int64, error) {
	layers, err := net.Summary()
	var total int64
	for _, l := range layers {
		total += l.MACs
	}
	return total, err
}
