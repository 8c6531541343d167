package main

import (
	"fmt"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func pointingCommand() cmdline.Command {
	var r view.Pointing
	return cmdline.Command{
		Name: "pointing", Usage: "measure how often maps and projections point at the object, on data that knows where it is",
		About: "For each image: is the centre of the patch that lowers the true class's probability most inside the\n" +
			"object's box, and how much of the energy of the strongest projection of the last maps lies there?",
		Examples: []string{"viz pointing", "viz pointing --model ckpt.bin --limit 50 --stride 2 --json"},
		Flags:    cmdline.Model | cmdline.JSON | cmdline.Workers | cmdline.Seed | cmdline.Split | cmdline.Limit | cmdline.ByNumber,
		Change:   view.Fields{{Name: "limit", Default: "200", Usage: "number of images"}},
		Fields:   r.Fields(),
		Do:       func(c *cmdline.Run) error { return pointing(c, r) },
	}
}

func pointing(c *cmdline.Run, r view.Pointing) error {
	c.Data = "shapes"
	w, err := c.Work(cmdline.Need{Check: func(s *view.Session) error { return r.Validate(s.Net) }})
	if err != nil {
		return err
	}
	defer w.Close()
	src, _, err := c.MatchClasses(w.Src)
	if err != nil {
		return err
	}
	step, end := c.Progress("pointing")
	r.Progress = step
	n, err := w.Session.Pointing(c.Context, r, src)
	end()
	if err != nil {
		return err
	}
	if c.JSON {
		return c.PrintJSON(n)
	}
	_, err = fmt.Fprint(c.Stdout, cmdline.Plain(n.Text()))
	return err
}
