package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/pipeline"
	"github.com/deconvnet/viz/cmd/viz-beam/internal/store"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/view"
)

func listCommand() cmdline.Command {
	var f store.Finding
	return cmdline.Command{
		Name: "list", Usage: "list pictures of object stores, folders and tar files once, with numbers that stay", Args: "URL...",
		About: "A URL is s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, azblob://CONTAINER/PREFIX or file:///FOLDER, or a local\n" +
			"folder. Settings of the store follow ?, such as s3://bucket/photos?region=eu-west-1. Pictures in .tar files,\n" +
			"as WebDataset has them, are listed with their places, and .cls files beside them are their labels.",
		Examples: []string{"viz-beam list --out imagenet.jsonl s3://bucket/train/", "viz-beam list --out photos.jsonl --classes photos/"},
		Flags:    cmdline.To,
		Change:   view.Fields{{Name: "out", Default: "pictures.jsonl", Usage: "list `FILE`"}},
		Fields: view.Fields{view.SwitchField(view.Field{Name: "classes", Usage: "the folders below each URL are the classes of the pictures in them"}, &f.Classes),
			view.IntField(view.Field{Name: "limit", Usage: "only the first `N` pictures; 0: all"}, &f.Limit, 0)},
		Do: func(c *cmdline.Run) error {
			if len(c.Args) == 0 {
				return cmdline.Usage("no pictures are named", "viz-beam list s3://BUCKET/PREFIX")
			}
			if err := c.OutFile(c.Out, "--out"); err != nil {
				return err
			}
			n := 0
			err := imageio.WriteFile(c.Out, func(w io.Writer) (err error) {
				n, err = find(c, w, c.Args, f)
				return err
			})
			if err != nil {
				return err
			}
			c.Note("%d pictures", n)
			c.Wrote(c.Out)
			return nil
		},
	}
}

// find lists pictures below URLs and folders.
func find(c *cmdline.Run, w io.Writer, names []string, f store.Finding) (int, error) {
	var places []store.Place
	for _, name := range names {
		if !store.IsURL(name) {
			dir, err := filepath.Abs(name)
			if err != nil {
				return 0, err
			}
			name = "file://" + filepath.ToSlash(dir)
		}
		p, err := store.ParsePictures(name)
		if err != nil {
			return 0, cmdline.UsageErr(err)
		}
		places = append(places, p)
	}
	passed := 0
	f.Note = func(text string) {
		if passed++; passed <= 3 {
			c.Note("%s", text)
		}
	}
	n, err := store.Find(c.Context, w, places, store.OpenBucket, f)
	if passed > 3 {
		c.Note("%d more files are passed over", passed-3)
	}
	return n, err
}

func prismCommand() cmdline.Command {
	port := 0
	return cmdline.Command{
		Name: "prism", Usage: "serve Beam's own runner, for one machine, until interrupted",
		Examples: []string{"viz-beam prism --port 8073", "viz-beam features --endpoint localhost:8073 --processes 4 photos/"},
		Fields:   view.Fields{view.IntField(view.Field{Name: "port", Default: "8073", Usage: "of the job service"}, &port, 1)},
		Do: func(c *cmdline.Run) error {
			c.Note("prism serves jobs at localhost:%d", port)
			return pipeline.ServePrism(c.Context, port)
		},
	}
}

func poolCommand() cmdline.Command {
	listen := ""
	return cmdline.Command{
		Name: "pool", Usage: "start workers for a runner whose environment is external, until interrupted",
		About:    "Flink's and Spark's workers ask the pool beside them for processes of this program: run one on every machine.",
		Examples: []string{"viz-beam pool --listen localhost:50000", "viz-beam features --runner flink --endpoint jobs:8099 --environment external --environment-config localhost:50000 --work s3://bucket/work --list pictures.jsonl"},
		Flags:    cmdline.Workers,
		Fields:   view.Fields{view.TextField(view.Field{Name: "listen", Default: "localhost:50000", Usage: "`HOST:PORT` to listen at"}, &listen)},
		Do: func(c *cmdline.Run) error {
			p, err := pipeline.StartPool(listen, c.Workers, true, false)
			if err != nil {
				return fmt.Errorf("--listen %s: %w", listen, err)
			}
			c.Note("the pool listens at %s", p.Address())
			<-c.Context.Done()
			p.Stop()
			return nil
		},
	}
}
