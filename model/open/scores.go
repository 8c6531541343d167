package open

import (
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// scores returns the network with the output and the meaning of its scores that the options name.
func (o Options) scores(net *model.Network) (*model.Network, error) {
	var err error
	if o.Output != "" {
		if net, err = net.WithOutput(o.Output); err != nil {
			return nil, &OptionError{"output", err}
		}
	}
	if o.Scores == "" {
		return net, nil
	}
	kind, err := model.ParseScores(o.Scores)
	if err == nil {
		net, err = net.WithScores(kind)
	}
	if err != nil {
		return nil, &OptionError{"scores", err}
	}
	return net, nil
}

// fromNotes completes how to read an ONNX file: by the options, else by the notes.
func (o Options) fromNotes(name string, notes *Notes, opt *onnx.Options) error {
	set := map[string]string{}
	if notes != nil {
		for k, v := range notes.Set {
			if file, ok := strings.CutPrefix(v, "@"); ok && !filepath.IsAbs(file) {
				v = "@" + filepath.Join(filepath.Dir(name), file)
			}
			set[k] = v
		}
		if opt.Output == "" {
			opt.Output = notes.Output
		}
		opt.Classes = len(notes.Classes)
	}
	maps.Copy(set, o.Set)
	for k, text := range set {
		v, err := boundValue(text)
		if err != nil {
			return &OptionError{"set", fmt.Errorf("%s: %w", k, err)}
		}
		if opt.Bind == nil {
			opt.Bind = map[string]onnx.Value{}
		}
		opt.Bind[k] = v
	}
	if names, err := readNames(o.Labels); o.Labels != "" && err == nil { // errors come when they are used
		opt.Classes = len(names)
	}
	return nil
}

// boundValue reads numbers with commas between them, or @FILE.npy.
func boundValue(text string) (onnx.Value, error) {
	v := onnx.Value{AsDeclared: true}
	if file, ok := strings.CutPrefix(text, "@"); ok {
		a, err := npy.ReadFile(file)
		if err != nil {
			return v, err
		}
		v.Dims, v.F = a.Shape, a.Float32
		if v.Dims == nil {
			v.Dims = []int{}
		}
		if a.Float32 == nil {
			for _, n := range a.Int32 {
				v.I = append(v.I, int64(n))
			}
		}
		return v, nil
	}
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.ParseFloat(strings.TrimSpace(part), 32)
		if err != nil {
			return v, fmt.Errorf("%q is no number: want numbers with commas between them, or @FILE.npy", strings.TrimSpace(part))
		}
		v.F = append(v.F, float32(n))
	}
	return v, nil
}
