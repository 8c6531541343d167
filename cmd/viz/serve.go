package main

import (
	"crypto/rand"
	"fmt"
	"os"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/web"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

func serveCommand() cmdline.Command {
	r := &serveRun{}
	return cmdline.Command{
		Name: "serve", Usage: "look around in a network in a browser: layers, maps, units, an occluder under the pointer", Args: "[IMG...]",
		About: "IMG is an image, a folder of images, or a .npy array in the network's input units. Further pictures can be\n" +
			"dropped on the page. A second --model is for comparing; a folder of checkpoints shows how filters come about.\n" +
			"The page is for this machine alone unless --addr says otherwise. Ctrl-C ends it.",
		Examples: []string{"viz serve", "viz serve --model net.onnx --open photos/"},
		Flags:    cmdline.Network | cmdline.Workers | cmdline.Pictures | cmdline.Memory,
		Change:   view.Fields{{Name: "memory", Default: "120M", Usage: "keep results within `SIZE`"}},
		Fields: view.Fields{
			view.LinesField(view.Field{Name: "model", Also: []string{"m"}, Usage: "network: a checkpoint, an ONNX `FILE`, a built-in name, or a folder with ckpt-*.bin; a second one to compare"}, &r.models),
			view.TextField(view.Field{Name: "features", Usage: "index `FILE` that viz features made of the images"}, &r.features),
			view.TextField(view.Field{Name: "addr", Default: "127.0.0.1:8321", Usage: "`HOST:PORT` to answer at; if the port is taken, the next that is free"}, &r.addr),
			view.SwitchField(view.Field{Name: "open", Usage: "open the page in the browser"}, &r.open),
			view.SwitchField(view.Field{Name: "no-token", Usage: "let everybody on this machine in who knows the port; for tests"}, &r.noToken)},
		Do: r.do,
	}
}

// serveRun is one run of viz serve.
type serveRun struct {
	models         []string
	features, addr string
	open, noToken  bool
	options        web.Options
}

func (r *serveRun) do(c *cmdline.Run) error {
	o := &r.options
	*o = web.Options{Version: c.Version, Token: rand.Text(), Memory: c.Memory}
	engine := model.NewEngine(c.Workers)
	defer engine.Close()
	if err := r.networks(c, engine); err != nil {
		return err
	}
	var err error
	if o.List, o.Args, o.Index, err = c.PageImages(o.Nets[0].Session, r.features); err != nil {
		return err
	}
	if o.Index != nil {
		o.IndexArgs = []string{"--features", r.features}
	}
	l, err := web.Listen(r.addr)
	if err != nil {
		return cmdline.Hinted(fmt.Errorf("--addr %s: %w", r.addr, err), "such as --addr 127.0.0.1:8321")
	}
	defer l.Close()
	switch loopback := web.Loopback(l); {
	case r.noToken && !loopback:
		return cmdline.Usage("--no-token goes with an address of this machine only", "")
	case r.noToken:
		o.Token = ""
	case !loopback:
		c.Warn("--addr %s: other machines reach this page; whoever has the address with its token sees the pictures, and nothing is encrypted", r.addr)
	}
	if web.Moved(l, r.addr) {
		c.Note("the port of %s is taken", r.addr)
	}
	if name, err := os.Hostname(); err == nil {
		o.Names = []string{name}
	}
	server, err := web.New(*o)
	if err != nil {
		return err
	}
	url := server.Address(l)
	fmt.Fprintln(c.Stdout, url)
	if r.open {
		c.OpenBrowser(url)
	}
	return server.Serve(c.Context, l)
}

// networks opens one network, or two to compare.
func (r *serveRun) networks(c *cmdline.Run, engine *model.Engine) error {
	brought := len(c.InputPaths()) > 0
	names := cmdline.ModelNames(r.models, brought)
	if len(names) > 2 {
		return cmdline.Usage(fmt.Sprintf("%d networks are given: the page compares two", len(names)), "")
	}
	for i, name := range names {
		if cmdline.IsDir(name) {
			files, last, err := cmdline.CheckpointsOf(name)
			if err != nil {
				return err
			}
			if name = last; i == 0 {
				r.options.Checkpoints, r.options.Open = files, func(i int) (*model.Network, error) { return cmdline.OpenModel(c.Context, files[i]) }
			}
		}
		s, _, err := c.FindNamed(name, engine, brought)
		if err != nil {
			return err
		}
		r.options.Nets = append(r.options.Nets, web.Net{Session: s, Args: append([]string{"--model", name}, c.NetworkArguments()...)})
	}
	return nil
}
