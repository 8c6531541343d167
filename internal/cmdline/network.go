package cmdline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
)

// ModelOptions is what flags say about a network beyond its file.
func (c *Run) ModelOptions() (o open.Options, err error) {
	if o.InputSize = c.InputSize; slices.Max(o.InputSize[:]) > 1<<15 {
		return o, Usage("--input-size "+view.PairText(o.InputSize)+": want N or ROWSxCOLUMNS", "")
	}
	o.Preprocess, o.Labels, o.Layout = c.Preprocess, c.Labels, c.Layout
	o.Scores, o.Output = c.Scores, c.Output
	if o.Set, err = setValues(c.Set); err != nil {
		return o, err
	}
	for _, path := range c.InputPaths() {
		if IsFile(path) && !IsDir(path) {
			o.Like = path
			break
		}
	}
	return o, nil
}

// setValues reads INPUT=VALUE. A part without a name goes on with the values of the part before.
func setValues(parts []string) (map[string]string, error) {
	var set map[string]string
	last := ""
	for _, p := range parts {
		name, value, ok := strings.Cut(p, "=")
		switch {
		case ok && name != "":
			if set == nil {
				set = map[string]string{}
			}
			set[name], last = value, name
		case last != "":
			set[last] += "," + p
		default:
			return nil, Usage("--set "+p+": want INPUT=V[,V...] or INPUT=@FILE.npy", "")
		}
	}
	return set, nil
}

// OpenNetwork opens a network, with hints for what can be done about an error.
func OpenNetwork(ctx context.Context, name string, o open.Options) (*model.Network, error) {
	return Await(ctx, func() (*model.Network, error) { return openNetwork(name, o) })
}

// Await does what writes nothing, and leaves it where it is when the command is interrupted.
func Await[T any](ctx context.Context, do func() (T, error)) (result T, err error) {
	type end struct {
		result T
		err    error
	}
	done := make(chan end, 1)
	go func() {
		result, err := do()
		done <- end{result, err}
	}()
	select {
	case <-ctx.Done():
		return result, ctx.Err()
	case e := <-done:
		return e.result, e.err
	}
}

func openNetwork(name string, o open.Options) (*model.Network, error) {
	net, err := open.Network(name, o)
	if m, ok := errors.AsType[*open.Missing](err); ok && m.Name != name {
		return nil, err // a file of labels or pixels
	}
	if e, ok := errors.AsType[*onnx.Unsupported](err); ok && len(e.Ops) > e.Operators() {
		return nil, Hinted(err, "viz inspect --refused "+name+" lists all nodes")
	}
	if err == nil {
		if err := net.Finite(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return net, OpenHint(err)
}

// OpenHint says what to do about a network that cannot be opened.
func OpenHint(err error) error {
	if e, ok := errors.AsType[*open.OptionError](err); ok {
		return Usage("--"+e.Error(), "")
	}
	if m, ok := errors.AsType[*open.Missing](err); ok && errors.Is(m.Err, fs.ErrNotExist) {
		return Hinted(err, "built in are "+strings.Join(builtin.Names(), ", ")+"; viz train makes a checkpoint")
	}
	if e, ok := errors.AsType[*open.OpenValues](err); ok {
		return Hinted(err, "give them values, such as --set "+e.Err.Others[0].Name+"=0, or --set "+e.Err.Others[0].Name+"=@file.npy")
	}
	if _, ok := errors.AsType[*open.OpenInput](err); ok {
		return Hinted(err, "give --input-size 224, or --preprocess with a crop")
	}
	return err
}

// NoteOrigin says what was unusual about a network's file.
func (c *Run) NoteOrigin(net *model.Network) {
	for _, text := range net.Origin.Notes {
		c.Note("note: %s", text)
	}
	if text := net.Assumed(); text != "" && net.Scores == model.RawScores && c.Scores == "" {
		classes := "classes"
		if net.NumClasses() == 1 {
			classes = "two classes"
		}
		c.Note("note: the scores are %s (--scores logits reads them as those of %s)", text, classes)
	}
}

// OpenModel opens a network of which no flag says more.
func OpenModel(ctx context.Context, name string) (*model.Network, error) {
	return OpenNetwork(ctx, name, open.Options{})
}

// Unstated reports whether nobody has said how pixels become a network's input.
func (c *Run) Unstated(net *model.Network) bool {
	return !net.Preprocess.Stated() && c.Preprocess == ""
}

// WarnInput says if an input looks as if it were in other units than the
// network was trained on.
func (c *Run) WarnInput(engine *model.Engine, net *model.Network, x *tensor.Tensor) error {
	trace, err := engine.Forward(net, x)
	if err != nil {
		return err
	}
	warnings := trace.Suspicions()
	for i, s := range warnings {
		if i == 3 {
			c.Warn("and %d more warnings of that kind", len(warnings)-3)
			break
		}
		c.Warn("%s", s)
	}
	if len(warnings) > 0 {
		hint := "is --preprocess right for this network?"
		if c.Unstated(net) {
			hint = "pixels go in as 0..255; most networks want another range: --preprocess imagenet, unit, signed, caffe-bgr"
		}
		c.Note("hint: %s", hint)
	}
	return nil
}

// Warn tells the user of something that may be wrong, also with -q.
func (c *Run) Warn(format string, args ...any) {
	fmt.Fprintln(c.Stderr, said(fmt.Sprintf("viz: warning: "+format, args...)))
}
