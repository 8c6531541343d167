package cmdline

import (
	"errors"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// ResolveLayers reads a list of layers by number or name, or all. Each is named once.
func ResolveLayers(net *model.Network, list string) ([]string, error) {
	layers, err := view.ParseLayers(net, list)
	return layers, UsageErr(err)
}

// TopLayers is resolveLayers with the names "top" and "last", see view.ParseTopLayers.
func TopLayers(net *model.Network, list string) ([]string, error) {
	layers, err := view.ParseTopLayers(net, list)
	if e, ok := errors.AsType[*view.NoLayer](err); ok {
		return nil, Hinted(e.Err, "name layers with --layers")
	}
	return layers, UsageErr(err)
}

// ConvLayers resolves a list of layers; all means every convolution layer.
func ConvLayers(net *model.Network, list string) ([]string, error) {
	layers, err := net.ResolveLayers(list)
	if err != nil {
		return nil, UsageErr(err)
	}
	return layers, nil
}

// DeconvLayers resolves --layer, by default the last maps before the scores.
func (c *Run) DeconvLayers(net *model.Network) ([]string, error) {
	spec := c.String("layer")
	if spec == "" {
		last, err := net.LastFeatures()
		if err != nil {
			return nil, Hinted(err, "name a layer with --layer")
		}
		return []string{last}, nil
	}
	return ConvLayers(net, spec)
}
