package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/dataset"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

func dataCommand() cmdline.Command {
	base, cache := "", ""
	return cmdline.Command{
		Name: "data", Usage: "download and list data sets", Form: "viz data get NAME... | viz data list [DATA...]",
		Examples: []string{"viz data get mnist", "viz data list shapes photos.tar.gz"},
		Commands: []cmdline.Command{
			{Name: "get", Usage: "download public data sets (" + strings.Join(dataset.Public(), ", ") + ") to the user's cache; resumes, checks", Args: "NAME...",
				Examples: []string{"viz data get cifar10 mnist", "viz data get --base http://localhost:8000/mnist mnist"},
				Fields: view.Fields{
					view.TextField(view.Field{Name: "base", Usage: "fetch from `URL` instead (a mirror)"}, &base),
					view.TextField(view.Field{Name: "cache", Usage: "store under `DIR` instead of the user's cache"}, &cache)},
				Do: func(c *cmdline.Run) error { return dataGet(c, base, cache) }},
			{Name: "list", Usage: "list data sets: classes, sizes, images", Args: "[DATA...]",
				Examples: []string{"viz data list", "viz data list shapes cifar-10-batches-bin/"},
				Flags:    cmdline.Seed,
				Do:       dataList},
		},
	}
}

func dataGet(c *cmdline.Run, base, dir string) error {
	if len(c.Args) == 0 {
		return cmdline.Usage("no data set named", "viz data get "+strings.Join(dataset.Public(), "|"))
	}
	if dir = cmp.Or(dir, cmdline.CacheDir()); dir == "" {
		return cmdline.Usage("the user has no folder for a cache: HOME is not set", "name a folder with --cache")
	}
	for _, name := range c.Args {
		if !slices.Contains(dataset.Public(), name) {
			return cmdline.UsageErr(&model.UnknownName{What: "public data set", Name: name, Nearest: dataset.Public()})
		}
		if err := c.Download(name, base, dir); err != nil {
			return err
		}
		c.Wrote(filepath.Join(dir, name))
	}
	return nil
}

func dataList(c *cmdline.Run) error {
	specs, asked := c.Args, len(c.Args) > 0
	if !asked {
		specs = dataset.Names()
	}
	rows := [][]string{{"data", "train", "test", "images", "classes", "from"}}
	for _, spec := range specs {
		d, err := c.OpenData(spec)
		if err != nil && asked {
			return err
		}
		if err != nil {
			rows = append(rows, []string{spec, "-", "-", "-", "-", "not here: viz data get " + spec})
			continue
		}
		rows = append(rows, []string{spec, fmt.Sprint(d.Train.Len()), fmt.Sprint(d.Test.Len()), d.SizeText(), fmt.Sprintf("%d: %s", len(d.Classes), strings.Join(d.Classes, " ")), d.Source})
	}
	return c.PrintRows(rows)
}
