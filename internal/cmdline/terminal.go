package cmdline

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
	"syscall"
	"time"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
)

// Problem is an error with a hint what to try and an exit code.
type Problem struct {
	Err  error
	Hint string // what to try; may be empty
	Code int    // of the program
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

// Usage is a mistake on the command line.
func Usage(msg, hint string) error { return &Problem{errors.New(msg), hint, 2} }

// UsageErr is a mistake on the command line that another error explains.
func UsageErr(err error) error {
	if err == nil {
		return nil
	}
	return &Problem{err, "", 2}
}

// RequestErr turns what is wrong with a request into a mistake on the command line, and shows what an error advises.
func RequestErr(err error) error {
	if p, ok := errors.AsType[*Problem](err); ok && p != nil {
		return err
	}
	if e, ok := errors.AsType[*view.FieldError](err); ok {
		return Usage("--"+e.Error(), e.Hint)
	}
	if e, ok := errors.AsType[*view.NoLayer](err); ok {
		return Hinted(e.Err, "name layers with --layers")
	}
	if e, ok := errors.AsType[*sweep.SettingError](err); ok {
		return &Problem{err, e.Hint(), 2}
	}
	if e, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		return Hinted(err, e.Hint())
	}
	return err
}

// Hinted adds a hint to an error.
func Hinted(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Problem{err, hint, 1}
}

func onUsageError(c *cli.Context, err error, _ bool) error {
	hint := "viz --help lists the flags"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "viz" {
		hint = "viz " + c.Command.Name + " --help lists the flags"
	}
	return &Problem{err, hint, 2}
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
	fmt.Fprintln(stderr, "viz: error:", said(err.Error()))
	p := &Problem{Code: 1}
	errors.As(err, &p)
	if p.Hint == "" {
		p.Hint = layerHint(err)
	}
	if p.Hint != "" {
		fmt.Fprintln(stderr, "viz: hint:", said(p.Hint))
	}
	return p.Code
}

// layerHint says where the names of layers are, for an error about one.
func layerHint(err error) string {
	unknown, ok := errors.AsType[*model.UnknownName](err)
	if _, ambiguous := errors.AsType[*model.Ambiguous](err); ambiguous || ok && unknown.What == "layer" {
		return "viz inspect MODEL lists the layers"
	}
	return ""
}

// Note tells the user something on stderr, unless -q.
func (c *Run) Note(format string, args ...any) {
	if !c.Quiet {
		fmt.Fprintln(c.Stderr, said(fmt.Sprintf("viz: "+format, args...)))
	}
}

// Wrote names a finished file on stdout, or on stderr if stdout is for JSON.
func (c *Run) Wrote(path string) {
	if c.JSON {
		c.Note("wrote %s", path)
		return
	}
	fmt.Fprintln(c.Stdout, plainCell(path))
}

// PrintJSON writes a result to stdout.
func (c *Run) PrintJSON(v any) error {
	text, err := view.JSON(v)
	if err != nil {
		return err
	}
	_, err = c.Stdout.Write(text)
	return err
}

// Progress returns a callback for long work, and a function to call at its end.
func (c *Run) Progress(what string) (step func(done, total int), end func()) {
	if c.Quiet {
		return nil, func() {}
	}
	w, what := c.Stderr, plainCell(what)
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
		fmt.Fprintf(w, "viz: %s: %d of %d, %s a second, %v left\n", what, done, total, rate(float64(done)/now.Sub(start).Seconds()), left.Round(time.Second))
	}, func() {}
}

// rate is a number a second, to three digits where it has a fraction.
func rate(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}
