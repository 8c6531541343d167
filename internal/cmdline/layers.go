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
