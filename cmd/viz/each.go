package main

import (
	"fmt"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

// failures are the images of a run that could not be used. Each is named when it is
// met, the others are done.
type failures struct {
	c     *cli.Context
	total int
	errs  []error
}

// newFailures begins with what could not even be listed.
func newFailures(c *cli.Context, list *images.List) (*failures, error) {
	f := &failures{c: c, total: list.Len() + len(list.Problems)}
	for _, p := range list.Problems {
		if err := f.add(p.Err); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// add names an image that cannot be used. It returns the error if the run shall
// stop: it was interrupted, --strict is given, or there is no other image.
func (f *failures) add(err error) error {
	if f.c.Context.Err() != nil {
		return f.c.Context.Err()
	}
	f.errs = append(f.errs, err)
	if f.c.Bool("strict") || f.total == 1 {
		return err
	}
	fmt.Fprintln(f.c.App.ErrWriter, "viz: error:", err)
	return nil
}

// err is the error at the end of a run, nil if all images could be used.
func (f *failures) err() error {
	switch n := len(f.errs); {
	case n == 0:
		return nil
	case n == f.total:
		return fmt.Errorf("none of the %d images could be used", n)
	default:
		return fmt.Errorf("%d of %d images could not be used; the others are done", n, f.total)
	}
}

// each calls do for every image that can be loaded, in order, and tells the progress.
// An error of do ends the run. Images that cannot be loaded are named, and are an
// error at the end, after finish.
func each(c *cli.Context, src *images.Inputs, what string, do func(i int, x *tensor.Tensor) error, finish func() error) error {
	bad, err := newFailures(c, src.List)
	if err != nil {
		return err
	}
	step, end := progress(c, what)
	defer end()
	for i := range src.Len() {
		if err := c.Context.Err(); err != nil {
			return err
		}
		x, err := src.Load(i)
		if err != nil {
			err = bad.add(err)
		} else {
			err = do(i, x)
		}
		if err != nil {
			return err
		}
		if step != nil && src.Len() > 1 {
			step(i+1, src.Len())
		}
	}
	end()
	if len(bad.errs) < bad.total {
		if err := finish(); err != nil {
			return err
		}
	}
	return bad.err()
}

// writeMeasured writes the figure and the table of a measurement over images, prints it
// as a table or as --json, and ends with what is to be said of images that were left out.
func writeMeasured(c *cli.Context, out *output, figure view.Figure, table view.Table, bad *failures, print func() error) error {
	if _, err := out.figures(figure); err != nil {
		return err
	}
	if err := out.table(table); err != nil {
		return err
	}
	if c.Bool("json") {
		print = out.end
	}
	if err := print(); err != nil {
		return err
	}
	return bad.err()
}
