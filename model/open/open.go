// Package open turns a name or a file into a network: a built-in name, a checkpoint, an ONNX file with the
// notes beside it, or safetensors weights of a known architecture. What the caller says about pixels,
// labels and the input's size goes before what the files say.
//
//	net, err := open.Network("squeezenet.onnx", open.Options{Preprocess: "imagenet", Labels: "names.txt"})
package open

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/onnx"
)

// Options are what is known about a network beyond its file. The zero value leaves all to the file.
type Options struct {
	InputSize  [2]int // rows, columns of an input that the file leaves open; 0, 0: not said
	Preprocess string // how pixels become the input, see model.ParsePreprocess; "": as the file says
	Labels     string // file of class names; "": those of the file
	Layout     string // order of an ONNX input's axes, see onnx.ParseLayout; "": as the notes or the graph have it
	Scores     string // what the outputs mean, see model.ParseScores; "": as the notes or the network have it
	Output     string // the output with the scores, by name; "": as the notes have it, or the one most like a classifier's
	// Values of an ONNX network's inputs beside the picture, by name: numbers with commas between them, or @FILE.npy.
	Set  map[string]string
	Like string // picture or .npy file whose size an input of open size takes if nothing else says it
}

// OptionError is an option that does not fit the network or cannot be read.
type OptionError struct {
	Option string // "input-size", "preprocess", "layout", "scores", "output", "set" or "arch", as the command calls it
	Err    error
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Err.Error() }
func (e *OptionError) Unwrap() error { return e.Err }

// Missing is a network's file that cannot be read.
type Missing struct {
	Name string
	Err  error
}

func (e *Missing) Error() string { return "cannot open " + e.Name + ": " + e.Err.Error() }
func (e *Missing) Unwrap() error { return e.Err }

// OpenInput is a network that leaves the size of its input open, which nothing says.
type OpenInput struct {
	Name string
	Err  *onnx.OpenSize
}

func (e *OpenInput) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *OpenInput) Unwrap() error { return e.Err }

// OpenValues is a network with inputs beside the picture that nothing gives a value.
type OpenValues struct {
	Name string
	Err  *onnx.OpenInputs
}

func (e *OpenValues) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *OpenValues) Unwrap() error { return e.Err }

// Builtin reports whether a name means a built-in network: a file of that name goes before it, a folder does
// not.
func Builtin(name string) bool {
	if !slices.Contains(builtin.Names(), name) {
		return false
	}
	info, err := os.Stat(name)
	return err != nil || info.IsDir()
}

// IsONNX reports whether the file holds an ONNX network, by its first bytes.
// What is no file is none; one that cannot be read is an error.
func IsONNX(name string) (bool, error) {
	head, err := readHead(name)
	if info, staterr := os.Stat(name); errors.Is(staterr, fs.ErrNotExist) || staterr == nil && info.IsDir() {
		return false, nil
	}
	return err == nil && !model.IsCheckpoint(head) && onnx.IsONNX(head), err
}

// Network reads a network. Errors are of type *Missing, *OpenInput or *OptionError where these say what is
// wrong, and name the file.
func Network(name string, o Options) (*model.Network, error) {
	pre, crop, err := o.preprocess()
	if err != nil {
		return nil, err
	}
	layout, err := onnx.ParseLayout(o.Layout)
	if err != nil {
		return nil, &OptionError{"layout", err}
	}
	if isONNX, err := IsONNX(name); layout != onnx.AutoLayout && err == nil && !isONNX { // what cannot be read is told below
		return nil, &OptionError{"layout", fmt.Errorf("%s is no ONNX file, its layout is known", name)}
	}
	var net *model.Network
	switch {
	case Builtin(name):
		if net, err = builtin.Load(name); err == nil {
			named := *net
			named.Name = name // as people know it, not by its architecture
			net = &named
		}
	default:
		head, headErr := readHead(name)
		if headErr != nil {
			return nil, missing(name, headErr)
		}
		if model.IsCheckpoint(head) || !onnx.IsONNX(head) {
			net, err = model.Load(name)
		} else {
			net, err = openONNX(name, o, crop, layout)
			o.Output, o.Set = "", nil
		}
	}
	if err == nil && len(o.Set) > 0 {
		return nil, &OptionError{"set", fmt.Errorf("%s is no ONNX file, its only input is the picture", name)}
	}
	if err != nil {
		return nil, err
	}
	if net, err = o.scores(net); err != nil {
		return nil, err
	}
	return o.apply(net, pre)
}

// Weights loads safetensors weights of a known architecture (model.KnownArches). tool is recorded as the
// program that read them.
func Weights(path, arch, tool string, o Options) (*model.Network, error) {
	pre, crop, err := o.preprocess()
	if err != nil {
		return nil, err
	}
	size := o.InputSize
	if size == [2]int{} {
		size = crop
	}
	net, err := model.LoadWeights(path, arch, size)
	if _, unknown := errors.AsType[*model.UnknownName](err); unknown {
		return nil, &OptionError{"arch", err}
	}
	if err != nil {
		return nil, err
	}
	o.InputSize = [2]int{}
	if net, err = o.apply(net, pre); err != nil {
		return nil, err
	}
	net.Origin = model.Origin{Arch: arch, Source: path, Tool: tool}
	return net, nil
}

// preprocess reads Options.Preprocess; nil if it is empty.
func (o Options) preprocess() (*model.Preprocess, [2]int, error) {
	if o.Preprocess == "" {
		return nil, [2]int{}, nil
	}
	p, crop, err := model.ParsePreprocess(o.Preprocess)
	if err != nil {
		return nil, crop, &OptionError{"preprocess", err}
	}
	return &p, crop, nil
}

// Crop is the size of the input that Options.Preprocess names, 0, 0 if none.
func (o Options) Crop() ([2]int, error) {
	_, crop, err := o.preprocess()
	return crop, err
}

// apply returns the network with what the options say about it.
func (o Options) apply(net *model.Network, pre *model.Preprocess) (*model.Network, error) {
	in := net.Input
	if o.InputSize != [2]int{} && o.InputSize != [2]int{in.H, in.W} {
		return nil, &OptionError{"input-size", fmt.Errorf("want %dx%d, but the input of %s is fixed at %dx%d", o.InputSize[0], o.InputSize[1], net.Name, in.H, in.W)}
	}
	if pre == nil && o.Labels == "" {
		return net, nil
	}
	changed := *net
	if pre != nil {
		if crop, err := model.CropOf(o.Preprocess); err != nil {
			return nil, &OptionError{"preprocess", err}
		} else if crop != [2]int{} && crop != [2]int{in.H, in.W} {
			return nil, &OptionError{"preprocess", fmt.Errorf("the crop is %dx%d, but the input of %s is %dx%d", crop[0], crop[1], net.Name, in.H, in.W)}
		}
		changed.Preprocess = pre.Fill(net.Input.C).InPlaceOf(net.Preprocess)
	}
	if o.Labels != "" {
		labels, err := Labels(o.Labels, net)
		if err != nil {
			return nil, err
		}
		changed.Classes = labels
	}
	if err := changed.Check(); err != nil {
		return nil, &OptionError{"preprocess", err}
	}
	return &changed, nil
}

func openONNX(name string, o Options, crop [2]int, layout onnx.Layout) (*model.Network, error) {
	notes, err := ReadNotes(name)
	if err != nil {
		return nil, err
	}
	if o.Layout == "" && notes != nil {
		layout = notes.Layout
	}
	opt := onnx.Options{Height: o.InputSize[0], Width: o.InputSize[1], Layout: layout, Output: o.Output}
	if err := o.fromNotes(name, notes, &opt); err != nil {
		return nil, err
	}
	g, err := onnx.ImportGraph(name, opt)
	if open, ok := errors.AsType[*onnx.OpenSize](err); ok {
		if len(open.Shape) == 5 && o.Like != "" {
			if opt.Depth, err = depthOf(o.Like, open.Shape[2]); err != nil {
				return nil, err
			}
		}
		switch {
		case opt.Height > 0:
		case crop[0] > 0:
			opt.Height, opt.Width = crop[0], crop[1]
		case notes != nil && len(notes.Input) == 2:
			opt.Height, opt.Width = notes.Input[0], notes.Input[1]
		case o.Like != "":
			if opt.Height, opt.Width, err = sizeOf(o.Like); err != nil {
				return nil, err
			}
		default:
			return nil, &OpenInput{name, open}
		}
		g, err = onnx.ImportGraph(name, opt)
	}
	if no, ok := errors.AsType[*onnx.NoOutput](err); ok {
		return nil, &OptionError{"output", no}
	}
	if several, ok := errors.AsType[*onnx.OpenInputs](err); ok {
		return nil, &OpenValues{name, several}
	}
	if err != nil {
		return nil, err
	}
	if notes != nil {
		if o.Output != "" && o.Output != notes.Output {
			other := *notes // what its scores mean is about another output
			other.Scores = ""
			notes = &other
		}
		if err := notes.apply(g.Net); err != nil {
			return nil, fmt.Errorf("%s: %w", NotesName(name), err)
		}
	}
	if g.Choice != "" {
		g.Net.Origin.Notes = append(g.Net.Origin.Notes, g.Choice+" (--output takes another)")
	}
	return g.Net, nil
}

// sizeOf is the height and width of a picture, or of the images in a .npy file.
func sizeOf(path string) (h, w int, err error) {
	if strings.EqualFold(filepath.Ext(path), ".npy") {
		a, err := npy.ReadFile(path)
		if err != nil {
			return 0, 0, err
		}
		n := len(a.Shape)
		if n < 3 || n > 5 {
			return 0, 0, fmt.Errorf("%s: array is %v, want [N C H W], [C H W] or [N C D H W]", path, a.Shape)
		}
		return a.Shape[n-2], a.Shape[n-1], nil
	}
	img, err := imageio.Open(path)
	if err != nil {
		return 0, 0, err
	}
	b := img.Bounds()
	return b.Dy(), b.Dx(), nil
}

// depthOf is the depth of a volume in a .npy file, if the file of the network leaves
// it open, else 0.
func depthOf(path string, fixed int64) (int, error) {
	if fixed != -1 || !strings.EqualFold(filepath.Ext(path), ".npy") {
		return 0, nil
	}
	a, err := npy.ReadFile(path)
	if err != nil {
		return 0, err
	}
	if n := len(a.Shape); n == 4 || n == 5 {
		return a.Shape[n-3], nil
	}
	return 0, fmt.Errorf("%s: array is %v, want volumes [N C D H W]", path, a.Shape)
}

// readHead returns the first bytes of a file.
func readHead(name string) ([]byte, error) {
	f, _, err := imageio.OpenPlain(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	return head[:n], nil
}

// missing is the error for a file that cannot be read, without the words of the system call.
func missing(name string, err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		err = p.Err
	}
	return &Missing{name, err}
}
