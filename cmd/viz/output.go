package main

import (
	"encoding/json"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/urfave/cli/v2"
)

// output is where a command's pictures and their numbers go.
type output struct {
	c   *cli.Context
	net *model.Network
	dir string
	one string // file name without extension, if --out named a .png
}

// openOutput reads --out: a folder, which is made, or the name of a .png. The
// error comes before any work is done.
func openOutput(c *cli.Context, net *model.Network) (*output, error) {
	o := &output{c: c, net: net, dir: c.String("out")}
	if strings.EqualFold(filepath.Ext(o.dir), ".png") {
		o.one = strings.TrimSuffix(filepath.Base(o.dir), filepath.Ext(o.dir))
		o.dir = filepath.Dir(o.dir)
	}
	if o.dir == "" {
		o.dir = "."
	}
	if err := outDir(o.dir); err != nil {
		return nil, err
	}
	probe, err := os.CreateTemp(o.dir, ".viz-*")
	if err != nil {
		return nil, hinted(err, "choose another place with --out")
	}
	probe.Close()
	return o, os.Remove(probe.Name())
}

// path is the file called name with the given extension.
func (o *output) path(name, ext string) string {
	if o.one != "" {
		name = o.one
	}
	return filepath.Join(o.dir, fileName(name)+ext)
}

// fileName makes a layer or image name safe as a file name.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) || r < ' ' {
			return '_'
		}
		return r
	}, name)
}

// png writes a picture with its provenance and names it on stdout.
func (o *output) png(name string, img image.Image, more ...string) error {
	p := o.path(name, ".png")
	if err := imageio.WritePNG(p, img, provenance(o.c, o.net, more...)); err != nil {
		return err
	}
	wrote(o.c, p)
	return nil
}

// json writes the numbers beside a picture.
func (o *output) json(name string, v any) error {
	return imageio.WriteFile(o.path(name, ".json"), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}

// npy writes an array beside a picture.
func (o *output) npy(name string, shape []int, data []float32) error {
	return npy.WriteFile(o.path(name, ".npy"), shape, data)
}
