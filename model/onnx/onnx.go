package onnx

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/model"
)

// The operator sets whose meaning is known. Sets after 23 may change it.
const minOpset, maxOpset = 1, 23

// UnsupportedOp is one node that cannot become a layer.
type UnsupportedOp struct {
	Node   string // its name, or its output's if it has none
	Op     string // operator, with its domain if that is not ONNX's own
	Opset  int64  // operator set the file asks for; 0: not stated
	Reason string
}

func (o UnsupportedOp) String() string {
	if o.Opset == 0 {
		return fmt.Sprintf("%s (%s): %s", o.Node, o.Op, o.Reason)
	}
	return fmt.Sprintf("%s (%s, opset %d): %s", o.Node, o.Op, o.Opset, o.Reason)
}

// Unsupported lists every node of a file that cannot become a layer, in the
// file's order. Nodes that depend on them are not examined further.
type Unsupported struct{ Ops []UnsupportedOp }

func (e *Unsupported) Error() string {
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "onnx: %d of the nodes cannot be used", len(e.Ops))
	for i, o := range e.Ops {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Ops)-most)
			break
		}
		fmt.Fprintf(&b, "\n  %v", o)
	}
	return b.String()
}

// Import reads the network in the file at path, named after the file. If some
// of its nodes cannot be used, the error is an *Unsupported.
func Import(path string) (*model.Network, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	net, err := Read(data, filepath.Base(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return net, nil
}

// Read is Import for a file in memory; name is what to call it. The network
// keeps no part of data.
//
// Layers are called like the file's nodes, or like their output where nodes
// have no names of their own. A network from a file that does not say how
// pixels become its input (metadata "viz.preprocess") takes them as they are,
// 0 to 255: set Preprocess to what it was trained with.
func Read(data []byte, name string) (*model.Network, error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, err
	}
	return read(f, len(data), name)
}

// read turns a decoded file of the given size in bytes into a network.
func read(f *file, bytes int, name string) (*model.Network, error) {
	c, err := newConverter(f, bytes)
	if err != nil {
		return nil, err
	}
	c.net.Name = strings.TrimSuffix(name, filepath.Ext(name))
	if name == "" {
		c.net.Name = f.graph.name
	}
	c.net.Origin.Source = source(name, f)
	if err := c.convert(); err != nil {
		return nil, err
	}
	if err := c.net.Check(); err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return c.net, nil
}

// source says which file and which program a network is from.
func source(name string, f *file) string {
	by := strings.TrimSpace(f.producer + " " + f.version)
	switch {
	case name == "":
		return by
	case by == "":
		return name
	}
	return fmt.Sprintf("%s (%s)", name, by)
}
