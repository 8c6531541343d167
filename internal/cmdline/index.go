package cmdline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// IndexName is where an index goes and is looked for if nothing else is said.
const IndexName = "features.idx"

// ReadIndex reads an index file.
func ReadIndex(path string) (*features.Index, error) {
	f, _, err := imageio.OpenPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x, err := features.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return x, nil
}

// WriteIndex writes an index file.
func WriteIndex(path string, x *features.Index) error { return imageio.WriteFile(path, x.Write) }

// OpenIndexed opens the images of an index. from describes them, and is returned with the hash of their names.
func (c *Run) OpenIndexed(net *model.Network, from features.Source) (*images.Inputs, features.Source, error) {
	if len(from.Images) > 0 && from.Data != "" {
		return nil, from, Usage("both images and --data are given", "use one of them")
	}
	if len(from.Images) == 0 && from.Data == "" {
		if from.Data = net.Origin.Data; from.Data == "" {
			return nil, from, Usage("no images given, and the model does not record its data set", "use --images")
		}
	}
	src, err := c.OpenInputs(net, images.Spec{Paths: from.Images, Data: from.Data, Split: from.Split, Limit: from.Limit, Seed: max(from.Seed, 1), ByClass: true})
	if err != nil {
		return nil, from, err
	}
	for _, p := range src.Problems { // images have numbers, which must not depend on what a disk does not say
		if errors.Is(p.Err, syscall.EIO) {
			return nil, from, p.Err
		}
	}
	if src.Data != "" && len(from.Images) == 1 && !IsDir(from.Images[0]) {
		from.Images, from.Data = nil, src.Data // an archive, or a data set by name
	}
	from.Names = src.Hash()
	if from.Sizes, _, _, err = src.Files(); errors.Is(err, syscall.EIO) { // as above
		return nil, from, err
	}
	return src, from, nil
}

// GivenSource is what the command line says about images.
func (c *Run) GivenSource() features.Source {
	s := features.Source{Images: c.InputPaths(), Data: c.Data, Limit: c.Limit}
	if c.Given("split") {
		s.Split = c.Split
	}
	if seed := c.DataSeed; seed != 1 {
		s.Seed = seed
	}
	return s
}

// OpenFeatures finds the images to draw from and, if there is one, an index of
// them: the file at path, or features.idx if it fits and path is "". A nil index means to scan.
func (c *Run) OpenFeatures(s *view.Session, layers []string, path string, top int) (*features.Index, *images.Inputs, error) {
	asked := path != ""
	if !asked && (len(c.InputPaths()) > 0 || c.Given("data") || c.Given("limit") || c.Given("split") || !IsFile(IndexName)) {
		src, err := c.OpenSource(s.Net, c.InputPaths(), false)
		return nil, src, err
	}
	if !asked {
		path = IndexName
	}
	index, src, err := c.useIndex(s, layers, path, top)
	switch {
	case err == nil:
		c.Note("index: %s (%d of %d images)", path, index.Scanned(), index.Images)
		return index, src, nil
	case asked:
		return nil, nil, err
	}
	c.Note("%s is not used: %v", path, err)
	src, err = c.OpenSource(s.Net, c.InputPaths(), false)
	return nil, src, err
}

// useIndex reads an index and opens its images, or those that the command line names, if it serves.
func (c *Run) useIndex(s *view.Session, layers []string, path string, top int) (*features.Index, *images.Inputs, error) {
	return c.openIndex(s, layers, path, top, c.indexSource)
}

// OpenIndex reads an index and opens its images, if it serves.
func (c *Run) OpenIndex(s *view.Session, layers []string, path string, top int) (*features.Index, *images.Inputs, error) {
	return c.openIndex(s, layers, path, top, func(from features.Source) features.Source { return from })
}

func (c *Run) openIndex(s *view.Session, layers []string, path string, top int, source func(features.Source) features.Source) (*features.Index, *images.Inputs, error) {
	index, err := ReadIndex(path)
	if err != nil {
		return nil, nil, err
	}
	shapes, err := s.Net.Shapes()
	if err != nil {
		return nil, nil, err
	}
	if err := index.Serves(s.Hash(), shapes, layers, top); err != nil {
		return nil, nil, indexHint(path, err)
	}
	src, from, err := c.OpenIndexed(s.Net, source(index.Source))
	if err != nil {
		return nil, nil, err
	}
	if err := index.IsOf(src.Len(), from.Names, from.Sizes); err != nil {
		return nil, nil, indexHint(path, err)
	}
	index.Keep(top)
	return index, src, nil
}

// indexHint says which index does not serve, and what to do about it.
func indexHint(path string, err error) error {
	if e, ok := errors.AsType[*features.Mismatch](err); ok {
		err = fmt.Errorf("%s %s", path, e.Problem)
	}
	return Hinted(err, "viz features makes a new one")
}

// indexSource is the images of an index, or what the command line says of them.
func (c *Run) indexSource(from features.Source) features.Source {
	if given := c.GivenSource(); len(given.Images) > 0 || given.Data != "" {
		from = given
	}
	if c.Given("limit") {
		from.Limit = c.Limit
	}
	if c.Given("split") {
		from.Split = c.Split
	}
	if c.Given("data-seed") {
		from.Seed = c.DataSeed
	}
	return from
}

// unchanged is an error if pictures have changed since the index under --out was written.
func (c *Run) unchanged(x *features.Index, src *images.Inputs) error {
	sizes, last, changed, _ := src.Files()
	if e, ok := errors.AsType[*features.Mismatch](x.IsOf(src.Len(), src.Hash(), sizes)); ok {
		return fmt.Errorf("%s %s", c.Out, e.Problem)
	}
	if written, err := os.Stat(c.Out); err == nil && last != "" && changed.After(written.ModTime()) {
		return fmt.Errorf("%s was changed after %s was written", last, c.Out)
	}
	return nil
}

// IndexBefore is the index of the images that is there already under --out, nil if there is none.
func (c *Run) IndexBefore(from features.Source, src *images.Inputs) (*features.Index, error) {
	old, err := ReadIndex(c.Out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, Hinted(err, "--restart begins anew")
	case old.Source.Names != from.Names:
		return nil, Hinted(fmt.Errorf("%s is an index of other images", c.Out), "--restart begins anew; --out names another file")
	}
	if err := c.unchanged(old, src); err != nil {
		return nil, Hinted(err, "--restart begins anew; --out names another file")
	}
	if old.Scanned() > 0 {
		c.Note("resuming %s: %d of %d images are done", c.Out, old.Scanned(), old.Images)
	}
	return old, nil
}
