package cmdline

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// PageImages opens images to look at, and the arguments that name them again; of an index of features, if one is named,
// those that it is of. There may be none. Of a data set it takes a few, unless the command line says how many.
func (c *Run) PageImages(s *view.Session, index string) (list *images.List, args []string, x *features.Index, err error) {
	spec := c.GivenImages()
	if index != "" {
		x, src, err := c.OpenFeatures(s, nil, index, 0)
		if err != nil {
			return nil, nil, nil, err
		}
		if from := x.Source; len(spec.Paths) == 0 && spec.Data == "" {
			spec = images.Spec{Paths: from.Images, Data: from.Data, Split: from.Split, Limit: from.Limit, Seed: max(from.Seed, 1)}
		}
		if src.Data != "" {
			spec.Paths, spec.Data = nil, src.Data
		}
		return src.List, ImageArguments(spec), x, nil
	}
	if spec.Data == "" && len(spec.Paths) == 0 {
		spec.Data = s.Net.Origin.Data
	}
	if spec.Data != "" && spec.Limit == 0 {
		spec.Limit = fewImages
	}
	list, err = c.pageImages(s.Net, &spec)
	if errors.Is(err, images.ErrNone) {
		return nil, nil, nil, nil
	}
	return list, ImageArguments(spec), nil, err
}

// fewImages is how many images of a data set are looked at.
const fewImages = 48

// pageImages opens images. The generated shapes stand in for a data set that the network was trained on and that is not
// here; spec tells of it.
func (c *Run) pageImages(net *model.Network, spec *images.Spec) (*images.List, error) {
	list, err := c.imageList(*spec)
	if errors.Is(err, fs.ErrNotExist) && len(spec.Paths) == 0 && c.Data == "" {
		if net.Input.C != 3 {
			return nil, images.ErrNone
		}
		c.Note("the data set it was trained on is not here (%s): using the generated shapes", spec.Data)
		spec.Data = "shapes"
		list, err = c.imageList(*spec)
	}
	if err != nil {
		return nil, err
	}
	for _, p := range list.Problems {
		c.Warn("%v", p.Err)
	}
	if list.Note != "" {
		c.Note("%s", list.Note)
	}
	c.Note("images: %s (%d)", list.From, list.Len())
	return list, nil
}

// checkpoints lists the numbered checkpoints of a folder in the order of training, or ckpt.bin if there are none.
func checkpoints(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "ckpt-*.bin"))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b string) int { // by number: shorter first
		if d := len(a) - len(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	if last := filepath.Join(dir, "ckpt.bin"); len(files) == 0 && IsFile(last) {
		files = []string{last}
	}
	return files, nil
}

// escapeGlob is a name in which nothing stands for anything else.
func escapeGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// CheckpointsOf is the checkpoints of a folder that must hold some, and the network that they lead to.
func CheckpointsOf(dir string) (files []string, last string, err error) {
	files, err = checkpoints(dir)
	if err != nil || len(files) == 0 {
		return nil, "", Hinted(fmt.Errorf("folder %s holds no ckpt.bin and no ckpt-*.bin", dir), "viz train --keep-checkpoints leaves numbered ones")
	}
	if last = filepath.Join(dir, "ckpt.bin"); IsFile(last) {
		return files, last, nil
	}
	return files, files[len(files)-1], nil
}

// OpenBrowser opens a page where there is a desktop.
func (c *Run) OpenBrowser(url string) {
	command := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if command == nil {
		command = []string{"xdg-open"}
	}
	if err := exec.Command(command[0], append(command[1:], url)...).Start(); err != nil {
		c.Note("no browser could be opened: %v", err)
	}
}
