package onnx

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
)

// The operator sets whose meaning is known. Later ones are read as if they were
// the last, which is noted: they may add operators, and seldom change any.
const minOpset, maxOpset = 1, 25

// Options say how to read a file. The zero value is right for most.
type Options struct {
	// Height and Width of the input where the file leaves them open; 0: an
	// *OpenSize error.
	Height, Width int
	// Depth is the same for volumes, inputs [N, C, D, H, W].
	Depth int
	// Bind gives values to inputs of the graph, by name, which become constants.
	// What remains must be one input, the picture.
	Bind map[string]Value
	// Output is the output with the scores, or a value or node inside the graph; "":
	// the one that looks most like a classifier's.
	Output string
	// Classes is the number of classes if it is known, which helps to find the
	// output; 0: it is not.
	Classes int
	// Layout of the input's axes; AutoLayout: as the graph shows it.
	Layout Layout
	// Name is what to call the network; "": after the file or the graph.
	Name string
}

// Value is an array in C order: floats, or integers if F is nil.
type Value struct {
	Dims []int
	F    []float32
	I    []int64
	// AsDeclared gives the numbers the type and, if Dims is nil, the shape that the
	// file declares; one number fills all.
	AsDeclared bool
}

// Graph is what a file holds: the network, and where the outputs of the file's
// graph are in it.
type Graph struct {
	Net     *model.Network
	Outputs []Output
	Notes   []string // what is unusual about the file, for people
	Choice  string   // of several outputs, which has the scores, for people; "": there was no choice
	// Layout of the file's input. It is guessed if nothing in the graph shows it:
	// then few channels at the end are taken for that.
	Layout        Layout
	LayoutGuessed bool
}

// Output is one output of a graph, or the scores that it is made of by operators that
// choose among them (ArgMax and its like): the layer that makes it, and its shape as the
// file sees it for one image, or for as many as the file fixes.
type Output struct {
	Name  string
	Layer string
	Dims  []int
}

// OpenSize is the error about a file that fixes no height and width, when
// Options do not either.
type OpenSize struct {
	Input string
	Shape []int64 // -1: open
}

func (e *OpenSize) Error() string {
	if len(e.Shape) == 5 {
		return fmt.Sprintf("input %s has shape %v (-1: open): say which depth, height and width, by an array of that shape, or export with sizes fixed", e.Input, e.Shape)
	}
	return fmt.Sprintf("input %s has shape %v (-1: open): say which height and width", e.Input, e.Shape)
}

// Import reads the network in the file at path, named after the file. If some
// of its nodes cannot be used, the error is an *Unsupported.
func Import(path string) (*model.Network, error) {
	g, err := ImportGraph(path, Options{})
	if err != nil {
		return nil, err
	}
	return g.Net, nil
}

// ImportGraph is Import with options. The file is streamed: it is never in
// memory as a whole, only the weights are. External data is read from files in
// the same folder, nowhere else.
func ImportGraph(path string, o Options) (*Graph, error) {
	f, size, err := imageio.OpenPlain(path)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	defer f.Close()
	src := &source{r: f, size: size, dir: filepath.Dir(path)}
	defer src.close()
	g, err := read(src, filepath.Base(path), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// Read is Import for a file in memory, without external data; name is what to
// call it. The network keeps no part of data.
//
// Layers are called like the file's nodes, or like their output where nodes
// have no names of their own. A network from a file that does not say how
// pixels become its input (metadata "viz.preprocess") takes them as they are,
// 0 to 255: set Preprocess to what it was trained with.
func Read(data []byte, name string) (*model.Network, error) {
	g, err := ReadGraph(data, Options{Name: name})
	if err != nil {
		return nil, err
	}
	return g.Net, nil
}

// ReadGraph is Read with options.
func ReadGraph(data []byte, o Options) (*Graph, error) {
	return read(&source{r: bytes.NewReader(data), size: int64(len(data))}, o.Name, o)
}

// read decodes and converts a file; name is the file's.
func read(src *source, name string, o Options) (*Graph, error) {
	text, err := skeleton(src.r, src.size)
	if err != nil {
		return nil, err
	}
	f, err := decodeFile(text)
	if err != nil {
		return nil, err
	}
	var g *Graph
	var first error
	for _, mode := range []batchMode{imagesApart, oneArray} {
		c, err := newConverter(f, src, o, mode)
		if err != nil {
			return nil, err
		}
		if g, err = c.convert(); err == nil {
			g.Net.Name = strings.TrimSuffix(name, filepath.Ext(name))
			switch {
			case o.Name != "" && name != o.Name:
				g.Net.Name = o.Name
			case name == "":
				g.Net.Name = f.graph.name
			}
			g.Net.Origin.Source, g.Net.Origin.Notes = origin(name, f), g.Notes
			if err = g.Net.Check(); err == nil {
				return g, nil
			}
			err = fmt.Errorf("%w", err)
		}
		if first == nil {
			first = err
		}
		if !c.retry() {
			break
		}
	}
	return nil, first
}

// origin says which file and which program a network is from.
func origin(name string, f *file) string {
	by := strings.TrimSpace(f.producer + " " + f.version)
	switch {
	case name == "":
		return by
	case by == "":
		return name
	}
	return fmt.Sprintf("%s (%s)", name, by)
}
