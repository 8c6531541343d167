package open

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// Notes are what NET.onnx.viz.json says about NET.onnx.
type Notes struct {
	Input      []int             `json:"input,omitempty"`  // rows, columns; only if the network leaves them open
	Layout     onnx.Layout       `json:"layout,omitempty"` // nchw or nhwc; only if somebody said so
	Preprocess *model.Preprocess `json:"preprocess,omitempty"`
	Classes    []string          `json:"classes,omitempty"`
	Scores     string            `json:"scores,omitempty"` // softmax, sigmoid, logits or raw; only if somebody said so
	Output     string            `json:"output,omitempty"` // as well
	Set        map[string]string `json:"set,omitempty"`    // values of inputs, see Options.Set; files beside the network
}

// Notes are what the options say about a network that was opened with them, to be kept beside its file. stated: how
// pixels become its input is known.
func (o Options) Notes(network string, net *model.Network, stated bool) (n *Notes, err error) {
	p := net.Preprocess
	n = &Notes{Preprocess: &p, Classes: net.Classes, Scores: o.Scores, Output: o.Output}
	if n.Set, err = setBeside(network, o.Set); err != nil {
		return nil, err
	}
	if n.Layout, err = onnx.ParseLayout(o.Layout); err != nil {
		return nil, err
	}
	if !stated && p.DataMean == nil {
		n.Preprocess = nil
	}
	if crop, _ := o.Crop(); o.InputSize[0] > 0 || crop[0] > 0 {
		n.Input = []int{net.Input.H, net.Input.W}
	}
	return n, nil
}

// setBeside is Options.Set, with files named from where the network is.
func setBeside(network string, set map[string]string) (map[string]string, error) {
	if set == nil {
		return nil, nil
	}
	dir, err := filepath.Abs(filepath.Dir(network))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, value := range set {
		out[name] = value
		if file, ok := strings.CutPrefix(value, "@"); ok {
			if file, err = filepath.Abs(file); err != nil {
				return nil, err
			}
			if rel, err := filepath.Rel(dir, file); err == nil {
				file = rel
			}
			out[name] = "@" + file
		}
	}
	return out, nil
}

// NotesName is the file of the notes about a network's file.
func NotesName(network string) string { return network + ".viz.json" }

// maxNotes is the largest file of notes or labels, in bytes.
const maxNotes = 16 << 20

// ReadNotes reads the notes about a network's file, nil if there are none.
func ReadNotes(network string) (*Notes, error) {
	path := NotesName(network)
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n, err := parseNotes(text)
	if err != nil {
		return nil, imageio.OneLine(fmt.Errorf("%s: %w", path, err))
	}
	return n, nil
}

func parseNotes(text []byte) (n *Notes, err error) {
	n = &Notes{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(n); err != nil {
		return nil, err
	}
	if len(n.Input) != 0 && (len(n.Input) != 2 || slices.Min(n.Input) < 1) {
		return nil, fmt.Errorf("input is %.60q, want rows and columns", fmt.Sprint(n.Input))
	}
	n.Layout, err = onnx.ParseLayout(string(n.Layout))
	return n, err
}

// Write keeps the notes beside the network's file.
func (n *Notes) Write(network string) error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return imageio.WriteFile(NotesName(network), func(w io.Writer) error { _, err := w.Write(append(text, '\n')); return err })
}

func (n *Notes) apply(net *model.Network) error {
	if n.Preprocess != nil {
		net.Preprocess = n.Preprocess.Fill(net.Input.C)
	}
	if n.Classes != nil {
		net.Classes = n.Classes
	}
	if n.Scores != "" {
		kind, err := model.ParseScores(n.Scores)
		if err != nil {
			return err
		}
		changed, err := net.WithScores(kind)
		if err != nil {
			return err
		}
		*net = *changed
	}
	return net.Check()
}

// readSmall reads a plain file of at most maxNotes bytes.
func readSmall(path string) ([]byte, error) {
	text, err := imageio.ReadSmall(path, maxNotes)
	if errors.As(err, new(*os.PathError)) {
		return nil, missing(path, err)
	}
	return text, err
}
