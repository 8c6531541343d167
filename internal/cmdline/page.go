package cmdline

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
)

// PageImages opens images to look at: ErrNone if there are none. The generated shapes stand in for a data set that the
// network was trained on and that is not here; spec tells of it.
func (c *Run) PageImages(net *model.Network, spec *images.Spec) (*images.List, error) {
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

// Checkpoints lists the numbered checkpoints of a folder in the order of training, or ckpt.bin if there are none.
func Checkpoints(dir string) ([]string, error) {
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

// OpenBrowser opens the page where there is a desktop.
func (c *Run) OpenBrowser(url string) {
	command := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if command == nil {
		command = []string{"xdg-open"}
	}
	if err := exec.Command(command[0], append(command[1:], url)...).Start(); err != nil {
		c.Note("no browser could be opened: %v", err)
	}
}
