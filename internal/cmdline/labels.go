package cmdline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

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

// MapClasses finds the network's class of each of the data's classes, by name unless --by-number says otherwise.
func (c *Run) MapClasses(net *model.Network, data []string) (*classes.Mapping, error) {
	network, err := classNames(net)
	if err != nil {
		return nil, err
	}
	if c.ByNumber {
		return classes.ByNumber(data, len(network))
	}
	m, err := classes.Match(data, network)
	if _, ok := errors.AsType[*classes.NoMatch](err); ok {
		return nil, Hinted(err, "another --model, names for the network with --labels, or --by-number if class 0 of the data is class 0 of the network, and so on")
	}
	return m, err
}

// MatchClasses gives inputs the labels of the network's classes. Inputs without labels stay as they are.
func (c *Run) MatchClasses(src *images.Inputs) (*images.Inputs, *classes.Mapping, error) {
	if len(src.Classes) == 0 {
		return src, &classes.Mapping{}, nil
	}
	m, err := c.MapClasses(src.Net, src.Classes)
	if err != nil {
		return nil, nil, err
	}
	if m.Note != "" {
		c.Note("%s", m.Note)
	}
	return &images.Inputs{List: src.Matched(m, src.Net.Classes), Net: src.Net}, m, nil
}

// MatchIfPossible is matchClasses for commands that can do without true labels: they are unknown if the classes do
// not match. --by-number with too few classes stays an error.
func (c *Run) MatchIfPossible(src *images.Inputs) (*images.Inputs, error) {
	out, _, err := c.MatchClasses(src)
	no, ok := errors.AsType[*classes.NoMatch](err)
	if !ok {
		return out, err
	}
	c.Note("%v: true classes are left out (--by-number compares by number)", no)
	none := &classes.Mapping{}
	return &images.Inputs{List: src.Matched(none, src.Net.Classes), Net: src.Net}, nil
}

// BuiltinFor finds the built-in network that has the classes of data, for a command that was given data but no
// network. A network is never measured on classes that are not its own.
func (c *Run) BuiltinFor(src *images.Inputs) (*images.Inputs, error) {
	for _, name := range append([]string{""}, builtin.Names()...) {
		net := src.Net
		if name != "" {
			o, err := c.ModelOptions()
			if err != nil {
				return nil, err
			}
			if net, err = OpenNetwork(c.Context, name, o); err != nil {
				return nil, err
			}
		}
		if m, err := classes.Match(src.Classes, net.Classes); err != nil || m.Note != "" {
			continue
		}
		if name == "" {
			return src, nil
		}
		c.Note("no model is named: taking the built-in %s (%s), which has the data's classes", name, net.Hash())
		return images.For(src.List, net)
	}
	return nil, Hinted(fmt.Errorf("no model is named, and no built-in one has the classes of %s", src.From),
		"name a network with --model; built in are "+strings.Join(builtin.Names(), ", "))
}
