package cmdline

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/urfave/cli/v2"
)

// Program is a program as data. It has commands about itself, too: version, completion, man.
type Program struct {
	Name, Usage, About, Version string
	Commands                    []Command
}

// Main runs the program and returns its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
func (p Program) Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var app *cli.App
	results := &results{to: stdout}
	app = &cli.App{
		Name:                      p.Name,
		Usage:                     p.Usage,
		UsageText:                 p.Name + " COMMAND [flags] [arguments]",
		Version:                   p.Version,
		HideHelpCommand:           true,
		EnableBashCompletion:      true,
		DisableSliceFlagSeparator: true,
		Writer:                    results,
		ErrWriter:                 stderr,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              onUsageError,
		Description:               p.About,
		Action: func(c *cli.Context) error {
			if name := c.Args().Get(1); c.Args().First() == "help" && app.Command(name) != nil {
				return cli.ShowCommandHelp(c, name)
			}
			if c.NArg() == 0 || c.Args().First() == "help" {
				return cli.ShowAppHelp(c)
			}
			return Usage("there is no command "+c.Args().First(), "the commands are "+names(app.Commands))
		},
	}
	e := &ends{limit: debug.SetMemoryLimit(-1)}
	defer debug.SetMemoryLimit(e.limit)
	for _, d := range append(p.Commands, about(app)...) {
		app.Commands = append(app.Commands, d.build(e, p.Name+" "))
	}
	if name := kernel.Unknown(); name != "" {
		return report(ctx, stderr, Usage("VIZ_KERNEL="+name+": this processor and build have "+strings.Join(kernel.Names(), ", "), "unset it for the fastest"))
	}
	args = args[min(1, len(args)):]
	e.args = rearrange(app.Commands, args)
	err := app.RunContext(ctx, append([]string{p.Name}, e.args...))
	if err == nil {
		err = e.unusable
	}
	if err == nil && !errors.Is(results.err, syscall.EPIPE) { // whoever reads no more does not want what is missing
		err = results.err
	}
	if err != nil {
		e.tidy()
	}
	return report(ctx, stderr, err)
}

// results is stdout, and the first error of writing to it, so that no command need look at each line that it prints.
type results struct {
	to  io.Writer
	err error
}

func (r *results) Write(b []byte) (int, error) {
	n, err := r.to.Write(b)
	if r.err == nil {
		r.err = err
	}
	return n, err
}
