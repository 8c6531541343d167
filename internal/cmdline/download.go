package cmdline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deconvnet/viz/internal/dataset"
)

// Download fetches a public data set into a folder below dir. A second process that wants the same is refused.
func (c *Run) Download(name, base, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return Hinted(err, "choose another folder with --cache")
	}
	unlock, err := c.Lock(filepath.Join(dir, name+".download"))
	if err != nil {
		return Hinted(err, "wait for it, or choose another folder with --cache")
	}
	defer unlock()
	step, end := c.Progress("fetching " + name)
	o := dataset.GetOptions{CacheDir: dir, Base: base}
	if step != nil {
		o.Progress = func(done, total int64) { step(int(done), int(total)) }
	}
	err = dataset.Get(c.Context, name, o)
	end()
	if errors.Is(err, fs.ErrPermission) {
		return Hinted(err, "choose another folder with --cache")
	}
	if broken, ok := errors.AsType[*dataset.GetError](err); ok && broken.Kept > 0 {
		return Hinted(err, fmt.Sprintf("%d bytes have arrived and are kept: rerun the same command to resume", broken.Kept))
	}
	return err
}
