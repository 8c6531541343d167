package main

import (
	"errors"

	"github.com/deconvnet/viz/model"
)

// importWeights loads safetensors weights of a known architecture, with what the
// flags say about its input and classes.
func importWeights(path, arch string, o modelOptions) (*model.Network, error) {
	size := o.size
	if size == [2]int{} {
		size = o.crop
	}
	net, err := model.LoadWeights(path, arch, size)
	if _, unknown := errors.AsType[*model.UnknownName](err); unknown {
		return nil, usageErr(err)
	}
	if err != nil {
		return nil, err
	}
	if o.labels != "" {
		if net.Classes, err = readLabels(o.labels, net); err != nil {
			return nil, err
		}
	}
	if o.preprocess != nil {
		net.Preprocess = o.preprocess.Fill(net.Input.C)
	}
	net.Origin = model.Origin{Arch: arch, Source: path, Tool: "viz " + version()}
	if err := net.Check(); err != nil {
		return nil, usageErr(err)
	}
	return net, nil
}
