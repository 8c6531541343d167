package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/internal/dataset"
	"github.com/deconvnet/viz/model"
	"github.com/urfave/cli/v2"
)

func dataCommand() *cli.Command {
	return &cli.Command{
		Name: "data", Usage: "download and list data sets",
		UsageText:   "viz data get NAME... | viz data list [DATA...]",
		Description: cmdline.Examples("viz data get mnist", "viz data list shapes photos.tar.gz"),
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowSubcommandHelp(c)
			}
			return cmdline.Usage("there is no command data "+c.Args().First(), "there are data get and data list")
		},
		Subcommands: []*cli.Command{
			{Name: "get", Usage: "download public data sets (" + strings.Join(dataset.Public(), ", ") + ") to the user's cache; resumes, checks",
				UsageText: "viz data get [flags] NAME...",
				Flags: []cli.Flag{cmdline.QuietFlag,
					&cli.StringFlag{Name: "base", Usage: "fetch from `URL` instead (a mirror)"},
					&cli.StringFlag{Name: "cache", Usage: "store under `DIR` instead of the user's cache"}},
				Description: cmdline.Examples("viz data get cifar10 mnist", "viz data get --base http://localhost:8000/mnist mnist"),
				Action:      cmdline.Action(dataGet)},
			{Name: "list", Usage: "list data sets: classes, sizes, images",
				UsageText: "viz data list [DATA...]", Flags: []cli.Flag{cmdline.QuietFlag, cmdline.SeedFlag},
				Description: cmdline.Examples("viz data list", "viz data list shapes cifar-10-batches-bin/"),
				Action:      cmdline.Action(dataList)},
		},
	}
}

func dataGet(c *cmdline.Run) error {
	if c.NArg() == 0 {
		return cmdline.Usage("no data set named", "viz data get "+strings.Join(dataset.Public(), "|"))
	}
	dir := c.String("cache")
	if dir == "" {
		dir = cmdline.CacheDir()
	}
	for _, name := range c.Args().Slice() {
		if !slices.Contains(dataset.Public(), name) {
			return cmdline.UsageErr(&model.UnknownName{What: "public data set", Name: name, Nearest: dataset.Public()})
		}
		step, end := c.Progress("fetching " + name)
		o := dataset.GetOptions{CacheDir: dir, Base: c.String("base")}
		if step != nil {
			o.Progress = func(done, total int64) { step(int(done), int(total)) }
		}
		err := dataset.Get(c.Context, name, o)
		end()
		if errors.Is(err, fs.ErrPermission) {
			return cmdline.Hinted(err, "choose another folder with --cache")
		}
		if broken, ok := errors.AsType[*dataset.GetError](err); ok && broken.Kept > 0 {
			return cmdline.Hinted(err, fmt.Sprintf("%d bytes have arrived and are kept: rerun the same command to resume", broken.Kept))
		}
		if err != nil {
			return err
		}
		c.Wrote(filepath.Join(dir, name))
	}
	return nil
}

func dataList(c *cmdline.Run) error {
	specs := c.Args().Slice()
	asked := len(specs) > 0
	if !asked {
		specs = dataset.Names()
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "data\ttrain\ttest\timages\tclasses\tfrom")
	for _, spec := range specs {
		d, err := c.OpenData(spec)
		if err != nil && asked {
			return err
		}
		if err != nil {
			fmt.Fprintf(w, "%s\t-\t-\t-\t-\tnot here: viz data get %s\n", spec, spec)
			continue
		}
		set := d.Train
		if set == nil {
			set = d.Test
		}
		ch, h, wd := set.Shape()
		size := fmt.Sprintf("%dx%dx%d", ch, h, wd)
		if ch == 0 {
			size = "various"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d: %s\t%s\n", spec, d.Train.Len(), d.Test.Len(), size, len(d.Classes), strings.Join(d.Classes, " "), d.Source)
	}
	return w.Flush()
}
