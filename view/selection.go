package view

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/model"
)

// Selection says which maps of which layers Sheets and Maps draw.
type Selection struct {
	Layers []string // nil: the last block or convolution before the scores
	Maps   string   // as ParseMaps reads it; "": of each layer the 16 with the strongest activation
	Large  bool     // one large figure of each map, see Session.Maps
}

// Fields are the settings of the request.
func (r *Selection) Fields() Fields {
	maps := func(f Field, large bool) Field {
		f.Set = func(_ *model.Network, text string) error {
			if r.Maps != "" && r.Large != large {
				return &FieldError{Field: "map", Problem: "and --maps exclude each other"}
			}
			r.Maps, r.Large = text, large
			return nil
		}
		f.Text = func() string {
			if r.Large == large {
				return r.Maps
			}
			return ""
		}
		return f
	}
	return Fields{
		LayersField(Field{Name: "layer", Also: []string{"l"}, Usage: "`LAYER` by number (2: the second convolution's features) or name, several with commas, or all; default: the last block or convolution before the scores"},
			&r.Layers, (*model.Network).ResolveLayers),
		maps(Field{Name: "map", Usage: "one large sheet of feature map `K`: images, receptive fields, patches, projections, histogram"}, true),
		maps(Field{Name: "maps", Usage: "feature maps, such as 0,3,7 or 4-11, or all; default: the 16 with the strongest activation"}, false),
	}
}

// Choose lists the layers, and the maps of each: nil for those with the strongest activation.
func (r Selection) Choose(net *model.Network) (layers []string, maps [][]int, err error) {
	layers = r.Layers
	if layers == nil {
		last, err := lastLayer(net)
		if err != nil {
			return nil, nil, err
		}
		layers = []string{last}
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, nil, err
	}
	for _, layer := range layers {
		chosen, err := ParseMaps(r.Maps, shapes[layer].C)
		if err != nil {
			return nil, nil, &FieldError{Field: "maps", Problem: fmt.Sprintf("%s: layer %s: %v", r.Maps, layer, err)}
		}
		maps = append(maps, chosen)
	}
	return layers, maps, nil
}

// lastLayer is the last block or convolution before the scores, for requests that name no layer.
func lastLayer(net *model.Network) (string, error) {
	name, err := net.LastFeatures()
	if err != nil {
		err = &FieldError{Field: "layer", Problem: "is not given: " + err.Error(), Hint: "viz inspect lists the layers; maps of pixels, such as those of viz attribute and viz occlude, need none"}
	}
	return name, err
}

// oneLayer reads a layer by number or name.
func oneLayer(net *model.Network, text string) (string, error) {
	layers, err := net.ResolveLayers(text)
	if err == nil && len(layers) != 1 {
		err = &FieldError{Field: "layer", Problem: fmt.Sprintf("%s: want one layer, not %d", text, len(layers))}
	}
	return strings.Join(layers, ""), err
}
