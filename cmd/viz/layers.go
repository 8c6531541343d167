package main

import (
	"errors"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

// resolveLayers reads a list of layers by number or name, or all. Each is named once.
func resolveLayers(net *model.Network, list string) ([]string, error) {
	layers, err := view.ParseLayers(net, list)
	return layers, usageErr(err)
}

// topLayers is resolveLayers with the names "top" and "last", see view.ParseTopLayers.
func topLayers(net *model.Network, list string) ([]string, error) {
	layers, err := view.ParseTopLayers(net, list)
	if e, ok := errors.AsType[*view.NoLayer](err); ok {
		return nil, hinted(e.Err, "name layers with --layers")
	}
	return layers, usageErr(err)
}

// convLayers resolves a list of layers; all means every convolution layer.
func convLayers(net *model.Network, list string) ([]string, error) {
	layers, err := net.ResolveLayers(list)
	if err != nil {
		return nil, usageErr(err)
	}
	return layers, nil
}

// deconvLayers resolves --layer, by default the last maps before the scores.
func deconvLayers(c *cli.Context, net *model.Network) ([]string, error) {
	spec := c.String("layer")
	if spec == "" {
		last, err := net.LastFeatures()
		if err != nil {
			return nil, hinted(err, "name a layer with --layer")
		}
		return []string{last}, nil
	}
	return convLayers(net, spec)
}
