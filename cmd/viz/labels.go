package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/urfave/cli/v2"
)

var byNumberFlag = &cli.BoolFlag{Name: "by-number", Usage: "take class 0, 1, ... of the data for class 0, 1, ... of the network, whatever their names"}

// classNames are the names of a classifier's classes, their numbers if they have none.
func classNames(net *model.Network) ([]string, error) {
	if len(net.Classes) > 0 {
		return net.Classes, nil
	}
	r, err := net.Classifier()
	if err != nil {
		return nil, err
	}
	return classes.Numbers(r.Labels()), nil
}

// mapClasses finds the network's class of each of the data's classes, by name unless --by-number says otherwise.
func mapClasses(c *cli.Context, net *model.Network, data []string) (*classes.Mapping, error) {
	network, err := classNames(net)
	if err != nil {
		return nil, err
	}
	if c.Bool("by-number") {
		return classes.ByNumber(data, len(network))
	}
	m, err := classes.Match(data, network)
	if _, ok := errors.AsType[*classes.NoMatch](err); ok {
		return nil, hinted(err, "another --model, names for the network with --labels, or --by-number if class 0 of the data is class 0 of the network, and so on")
	}
	return m, err
}

// matchClasses gives inputs the labels of the network's classes. Inputs without labels stay as they are.
func matchClasses(c *cli.Context, src *images.Inputs) (*images.Inputs, *classes.Mapping, error) {
	if len(src.Classes) == 0 {
		return src, &classes.Mapping{}, nil
	}
	m, err := mapClasses(c, src.Net, src.Classes)
	if err != nil {
		return nil, nil, err
	}
	if m.Note != "" {
		note(c, "%s", m.Note)
	}
	return &images.Inputs{List: src.Matched(m, src.Net.Classes), Net: src.Net}, m, nil
}

// matchIfPossible is matchClasses for commands that can do without true labels: they are unknown if the classes do
// not match. --by-number with too few classes stays an error.
func matchIfPossible(c *cli.Context, src *images.Inputs) (*images.Inputs, error) {
	out, _, err := matchClasses(c, src)
	no, ok := errors.AsType[*classes.NoMatch](err)
	if !ok {
		return out, err
	}
	note(c, "%v: true classes are left out (--by-number compares by number)", no)
	none := &classes.Mapping{}
	return &images.Inputs{List: src.Matched(none, src.Net.Classes), Net: src.Net}, nil
}

// builtinFor finds the built-in network that has the classes of data, for a command that was given data but no
// network. A network is never measured on classes that are not its own.
func builtinFor(c *cli.Context, src *images.Inputs) (*images.Inputs, error) {
	for _, name := range append([]string{""}, builtin.Names()...) {
		net := src.Net
		if name != "" {
			o, err := modelOptionsOf(c)
			if err != nil {
				return nil, err
			}
			if net, err = openNetwork(name, o); err != nil {
				return nil, err
			}
		}
		if m, err := classes.Match(src.Classes, net.Classes); err != nil || m.Note != "" {
			continue
		}
		if name == "" {
			return src, nil
		}
		note(c, "no model is named: taking the built-in %s (%s), which has the data's classes", name, net.Hash())
		return images.For(src.List, net)
	}
	return nil, hinted(fmt.Errorf("no model is named, and no built-in one has the classes of %s", src.From),
		"name a network with --model; built in are "+strings.Join(builtin.Names(), ", "))
}
