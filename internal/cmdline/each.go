package cmdline

import (
	"fmt"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
)

// Failures are the images of a run that could not be used. Each is named when it is
// met, the others are done.
type Failures struct {
	c     *Run
	total int
	Errs  []error
}

// NewFailures begins with what could not even be listed.
func (c *Run) NewFailures(list *images.List) (*Failures, error) {
	f := &Failures{c: c, total: list.Len() + len(list.Problems)}
	for _, p := range list.Problems {
		if err := f.Add(p.Err); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Add names an image that cannot be used. It returns the error if the run shall
// stop: it was interrupted, --strict is given, or there is no other image.
func (f *Failures) Add(err error) error {
	if f.c.Context.Err() != nil {
		return f.c.Context.Err()
	}
	f.Errs = append(f.Errs, err)
	if f.c.Strict || f.total == 1 {
		return err
	}
	fmt.Fprintln(f.c.Stderr, "viz: error:", said(err.Error()))
	return nil
}

// AddNew adds images by number. Those that an index left out before are only named: a part of an index that is complete
// but for them is done, so that whoever starts tasks again until they succeed comes to an end.
func (f *Failures) AddNew(before *features.Index) func(image int, err error) error {
	known := map[int]bool{}
	if before != nil {
		for _, s := range before.Skipped {
			known[s.Image] = true
		}
	}
	return func(image int, err error) error {
		if !known[image] || f.c.Strict {
			return f.Add(err)
		}
		f.c.Note("%v", err)
		return f.c.Context.Err()
	}
}

// Err is the error at the end of a run, nil if all images could be used.
func (f *Failures) Err() error {
	switch n := len(f.Errs); {
	case n == 0:
		return nil
	case n == f.total:
		return fmt.Errorf("none of the %d images could be used", n)
	default:
		return fmt.Errorf("%d of %d images could not be used; the others are done", n, f.total)
	}
}

// Each calls do for every image that can be loaded, in order, and tells the progress.
// An error of do ends the run. Images that cannot be loaded are named, and are an
// error at the end, after finish.
func (c *Run) Each(src *images.Inputs, what string, do func(i int, x *tensor.Tensor) error, finish func() error) error {
	return eachOf(c, src, what, src.Load, do, finish)
}

// EachPicture is Each for what needs the picture itself, too.
func (c *Run) EachPicture(src *images.Inputs, what string, do func(i int, p view.Picture) error, finish func() error) error {
	return eachOf(c, src, what, func(i int) (view.Picture, error) { return view.PictureOf(src, i) }, do, finish)
}

func eachOf[T any](c *Run, src *images.Inputs, what string, load func(i int) (T, error), do func(int, T) error, finish func() error) error {
	bad, err := c.NewFailures(src.List)
	if err != nil {
		return err
	}
	step, end := c.Progress(what)
	defer end()
	for i := range src.Len() {
		if err := c.Context.Err(); err != nil {
			return err
		}
		x, err := load(i)
		if err != nil {
			err = bad.Add(err)
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
	if len(bad.Errs) < bad.total {
		if err := finish(); err != nil {
			return err
		}
	}
	return bad.Err()
}
