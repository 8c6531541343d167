package main

// Terminal rules:
//   - stdout carries results only: tables, JSON, the paths of written files.
//   - stderr carries everything else: "viz: error: ...", "viz: hint: ...",
//     "viz: ..." notes and progress.
//   - On a terminal progress is one line with count, rate and time left, erased
//     at the end; elsewhere it is a line now and then; with -q there is none.
//   - Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
//   - Files appear whole or not at all.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
)

// problem is an error with a hint what to try and an exit code.
type problem struct {
	err  error
	hint string
	code int
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// usage is a mistake on the command line.
func usage(msg, hint string) error { return &problem{errors.New(msg), hint, 2} }

// usageErr is a mistake on the command line that another error explains.
func usageErr(err error) error {
	if err == nil {
		return nil
	}
	return &problem{err, "", 2}
}

// requestErr turns what is wrong with a request into a mistake on the command line, and shows what an error advises.
func requestErr(err error) error {
	if p, ok := errors.AsType[*problem](err); ok && p != nil {
		return err
	}
	if e, ok := errors.AsType[*view.FieldError](err); ok {
		return usage("--"+e.Error(), e.Hint)
	}
	if e, ok := errors.AsType[*sweep.SettingError](err); ok {
		return &problem{err, e.Hint(), 2}
	}
	if e, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		return hinted(err, e.Hint())
	}
	return err
}

// hinted adds a hint to an error.
func hinted(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &problem{err, hint, 1}
}

func onUsageError(c *cli.Context, err error, _ bool) error {
	hint := "viz --help lists the flags"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "viz" {
		hint = "viz " + c.Command.Name + " --help lists the flags"
	}
	return &problem{err, hint, 2}
}

// report prints an error and returns the exit code it stands for.
func report(ctx context.Context, stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Fprintln(stderr, "viz: interrupted")
		return 130
	}
	if errors.Is(err, syscall.EPIPE) {
		return 1 // whoever read the results has read enough
	}
	fmt.Fprintln(stderr, "viz: error:", err)
	p := &problem{code: 1}
	errors.As(err, &p)
	if p.hint == "" {
		p.hint = layerHint(err)
	}
	if p.hint != "" {
		fmt.Fprintln(stderr, "viz: hint:", p.hint)
	}
	return p.code
}

// layerHint says where the names of layers are, for an error about one.
func layerHint(err error) string {
	unknown, ok := errors.AsType[*model.UnknownName](err)
	if _, ambiguous := errors.AsType[*model.Ambiguous](err); ambiguous || ok && unknown.What == "layer" {
		return "viz inspect MODEL lists the layers"
	}
	return ""
}

func suggestCommand(c *cli.Context) string {
	var names []string
	for _, cmd := range c.App.Commands {
		names = append(names, cmd.Name)
	}
	return "the commands are " + strings.Join(names, ", ")
}

// note tells the user something on stderr, unless -q.
func note(c *cli.Context, format string, args ...any) {
	if !c.Bool("quiet") {
		fmt.Fprintf(c.App.ErrWriter, "viz: "+format+"\n", args...)
	}
}

// wrote names a finished file on stdout, or on stderr if stdout is for JSON.
func wrote(c *cli.Context, path string) {
	if c.Bool("json") {
		note(c, "wrote %s", path)
		return
	}
	fmt.Fprintln(c.App.Writer, path)
}

// printJSON writes a result to stdout.
func printJSON(c *cli.Context, v any) error {
	text, err := encodeJSON(v)
	if err != nil {
		return err
	}
	_, err = c.App.Writer.Write(text)
	return err
}

// checkFlags refuses negative numbers where a flag counts something, and empty
// texts, as of a shell variable that is not set.
func checkFlags(c *cli.Context) error {
	for _, name := range []string{"model", "out", "data", "split", "layer", "class", "maps", "unit", "npy", "patch", "stride", "fill", "resume", "log"} {
		if c.IsSet(name) && c.String(name) == "" {
			return usage("--"+name+" is empty", "leave it out for the default")
		}
	}
	for _, name := range []string{"limit", "workers", "batch", "index"} {
		if n := c.Int(name); n < 0 {
			return usage(fmt.Sprintf("--%s %d: must not be negative", name, n), "")
		}
	}
	return nil
}

// progress returns a callback for long work, and a function to call at its end.
func progress(c *cli.Context, what string) (step func(done, total int), end func()) {
	if c.Bool("quiet") {
		return nil, func() {}
	}
	w := c.App.ErrWriter
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		bar := progressbar.NewOptions(1, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(24))
		bar.StartWithoutRender() // its clock
		shown := false
		return func(done, total int) {
				if !shown {
					shown = true
					bar.ChangeMax(total)
				}
				bar.Set(done)
			}, func() {
				if shown {
					bar.Finish()
				}
			}
	}
	start := time.Now()
	last := start
	return func(done, total int) {
		now := time.Now()
		if done == 0 || done == total || now.Sub(last) < 10*time.Second {
			return
		}
		last = now
		left := time.Duration(float64(now.Sub(start)) / float64(done) * float64(total-done))
		fmt.Fprintf(w, "viz: %s: %d of %d, %.3g a second, %v left\n", what, done, total, float64(done)/now.Sub(start).Seconds(), left.Round(time.Second))
	}, func() {}
}

// Flags that several commands share.
var (
	modelFlag   = &cli.StringFlag{Name: "model", Aliases: []string{"m"}, Usage: "network: a checkpoint, an ONNX `FILE`, or a built-in name (shapes, cifar10)"}
	outFlag     = &cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to `PATH`: a folder, NAME.png, or - for stdout; default: a folder named viz-COMMAND"}
	forceFlag   = &cli.BoolFlag{Name: "force", Usage: "write over what was made from other images or networks, or not by viz"}
	strictFlag  = &cli.BoolFlag{Name: "strict", Usage: "stop at the first image that cannot be used"}
	quietFlag   = &cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no notes and no progress"}
	jsonFlag    = &cli.BoolFlag{Name: "json", Usage: "print the result as JSON"}
	workersFlag = &cli.IntFlag{Name: "workers", Usage: "processors to use, 0: all; results do not depend on it"}
	dataFlag    = &cli.StringFlag{Name: "data", Usage: "data set: a name (shapes, cifar10, mnist, fashion-mnist), a `DIR` or a FILE"}
	splitFlag   = &cli.StringFlag{Name: "split", Value: "test", Usage: "part of the data set: test or train"}
	limitFlag   = &cli.IntFlag{Name: "limit", Usage: "use only `N` images, of a data set a fixed random choice; 0: all"}
	imagesFlag  = &cli.StringSliceFlag{Name: "images", Usage: "image `FILE`s or folders, as arguments are"}
	seedFlag    = &cli.Uint64Flag{Name: "data-seed", Value: 1, Usage: "seed of generated data sets"}
)

// examples formats the examples of a command's help.
func examples(lines ...string) string {
	return "Examples:\n   " + strings.Join(lines, "\n   ")
}
