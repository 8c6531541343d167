package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/web"
	"github.com/deconvnet/viz/model"
	"github.com/urfave/cli/v2"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Usage: "look around in a network in a browser: layers, maps, units, an occluder under the pointer",
		UsageText: "viz serve [flags] [IMG...]",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units. Further pictures can be\n" +
			"dropped on the page. A second --model is for comparing; a folder of checkpoints shows how filters come about.\n" +
			"The page is for this machine alone unless --addr says otherwise. Ctrl-C ends it.\n\n" +
			cmdline.Examples("viz serve", "viz serve --model net.onnx --open photos/"),
		Flags: []cli.Flag{&cli.StringSliceFlag{Name: "model", Aliases: []string{"m"}, Usage: "network: a checkpoint, an ONNX `FILE`, a built-in name, or a folder with ckpt-*.bin; a second one to compare"},
			cmdline.QuietFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.LimitFlag, cmdline.SeedFlag, cmdline.ImagesFlag,
			&cli.StringFlag{Name: "features", Usage: "index `FILE` that viz features made of the images"},
			&cli.StringFlag{Name: "addr", Value: "127.0.0.1:8321", Usage: "`HOST:PORT` to answer at; if the port is taken, the next that is free"},
			&cli.BoolFlag{Name: "open", Usage: "open the page in the browser"},
			&cli.StringFlag{Name: "memory", Value: "96M", Usage: "keep results within `SIZE`"},
			&cli.BoolFlag{Name: "no-token", Usage: "let everybody on this machine in who knows the port; for tests"}},
		Action: cmdline.Action(serve),
	}
}

func serve(c *cmdline.Run) error {
	paths := c.InputPaths()
	o := web.Options{Version: c.Version, Token: rand.Text()}
	var err error
	if o.Memory, err = cmdline.ParseSize(c.String("memory")); err != nil {
		return cmdline.Usage("--memory "+c.String("memory")+": "+err.Error(), "")
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	names := c.ModelNames(len(paths) > 0)
	if len(names) > 2 {
		return cmdline.Usage(fmt.Sprintf("%d networks are given: the page compares two", len(names)), "")
	}
	for i, name := range names {
		if cmdline.IsDir(name) {
			if name, err = checkpoints(name, i == 0, &o); err != nil {
				return err
			}
		}
		s, _, err := c.FindNamed(name, engine, len(paths) > 0)
		if err != nil {
			return err
		}
		o.Nets = append(o.Nets, web.Net{Session: s, Args: append([]string{"--model", name}, c.NetworkArguments()...)})
	}
	if err := servePictures(c, &o, paths); err != nil {
		return err
	}
	l, err := web.Listen(c.String("addr"))
	if err != nil {
		return cmdline.Hinted(fmt.Errorf("--addr %s: %w", c.String("addr"), err), "such as --addr 127.0.0.1:8321")
	}
	defer l.Close()
	switch loopback := web.Loopback(l); {
	case c.Bool("no-token") && !loopback:
		return cmdline.Usage("--no-token goes with an address of this machine only", "")
	case c.Bool("no-token"):
		o.Token = ""
	case !loopback:
		c.Warn("--addr %s: other machines reach this page; whoever has the address with its token sees the pictures, and nothing is encrypted", c.String("addr"))
	}
	if l.Addr().String() != c.String("addr") && web.Loopback(l) {
		c.Note("the port of %s is taken", c.String("addr"))
	}
	if name, err := os.Hostname(); err == nil {
		o.Names = []string{name}
	}
	server, err := web.New(o)
	if err != nil {
		return err
	}
	url := server.Address(l)
	fmt.Fprintln(c.Stdout, url)
	if c.Bool("open") {
		openBrowser(c, url)
	}
	return server.Serve(c.Context, l)
}

// servePictures opens the pictures and the index of features. A network that records no data set begins without.
func servePictures(c *cmdline.Run, o *web.Options, paths []string) error {
	net, spec := o.Nets[0].Session.Net, c.GivenImages()
	if spec.Data == "" && len(paths) == 0 {
		spec.Data = net.Origin.Data
	}
	if spec.Data != "" && spec.Limit == 0 {
		spec.Limit = 48
	}
	list, err := c.PageImages(net, &spec)
	switch {
	case errors.Is(err, images.ErrNone):
		return nil
	case err != nil:
		return err
	}
	o.List, o.Args = list, cmdline.ImageArguments(spec)
	if path := c.String("features"); path != "" {
		if o.Index, err = cmdline.ReadIndex(path); err != nil {
			return err
		}
		o.IndexArgs = []string{"--features", path}
	}
	return nil
}

// checkpoints finds those in a folder; the network is the last.
func checkpoints(dir string, first bool, o *web.Options) (name string, err error) {
	files, err := cmdline.Checkpoints(dir)
	if err != nil || len(files) == 0 {
		return "", cmdline.Hinted(fmt.Errorf("folder %s holds no ckpt.bin and no ckpt-*.bin", dir), "viz train --keep-checkpoints leaves numbered ones")
	}
	if first {
		o.Checkpoints = files
		o.Open = func(i int) (*model.Network, error) { return cmdline.OpenModel(files[i]) }
	}
	if last := filepath.Join(dir, "ckpt.bin"); cmdline.IsFile(last) {
		return last, nil
	}
	return files[len(files)-1], nil
}

// openBrowser opens the page where there is a desktop.
func openBrowser(c *cmdline.Run, url string) {
	command := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if command == nil {
		command = []string{"xdg-open"}
	}
	if err := exec.Command(command[0], append(command[1:], url)...).Start(); err != nil {
		c.Note("no browser could be opened: %v", err)
	}
}
