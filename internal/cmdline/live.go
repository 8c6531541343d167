package cmdline

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/deconvnet/viz/internal/lockfile"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
	"github.com/mattn/go-isatty"
)

// commandLine is what the user typed.
func commandLine() string { return "viz " + strings.Join(os.Args[1:], " ") }

// remade is the command line that makes the same files: without what they do not depend on, such as --workers, so that
// they are the same with it.
func (c *Run) remade() []string { return needed(os.Args[1:], c.fields) }

// needed are the arguments without neutral flags.
func needed(args []string, fields view.Fields) (out []string) {
	for i := 0; i < len(args); i++ {
		name, _, valued := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		f := fields.Named(name)
		switch {
		case args[i] == "--":
			return append(out, args[i:]...)
		case !strings.HasPrefix(args[i], "-") || f == nil:
			out = append(out, args[i])
		case f.Neutral && (f.Switch || valued):
		case f.Neutral:
			i++
		case f.Switch || valued || i+1 == len(args):
			out = append(out, args[i])
		default:
			out = append(out, args[i], args[i+1])
			i++
		}
	}
	return out
}

// SweepOptions are the clock, the notes and the progress that trainings get from the command.
func (c *Run) SweepOptions() sweep.Options {
	return sweep.Options{Now: time.Now, Note: func(text string) { c.Note("%s", text) },
		Progress: func(what string) (func(done, total int), func()) { return c.Progress(what) },
		Live: func(images int) (func(sweep.Progress), func()) {
			l := c.newLive()
			return l.show, l.end
		},
		Tool: "viz " + c.Version, Command: strings.Join(append([]string{"viz"}, c.remade()...), " ")}
}

// Lock keeps other processes from writing to path until unlock is called.
func (c *Run) Lock(path string) (unlock func(), err error) {
	unlock, err = lockfile.Take(path, commandLine(), func(text string) { c.Note("%s", text) })
	return unlock, RequestErr(err)
}

// live shows how training goes: on a terminal one line that changes, elsewhere
// a line when accuracy was measured and at least every half minute.
type live struct {
	w           io.Writer
	quiet, term bool
	any         bool      // something was shown
	shown       time.Time // when
	train, test string
}

func (c *Run) newLive() *live {
	l := &live{w: c.Stderr, quiet: c.Quiet, shown: time.Now()}
	f, ok := l.w.(*os.File)
	l.term = ok && isatty.IsTerminal(f.Fd())
	return l
}

func (l *live) show(p sweep.Progress) {
	measured := false
	if p.Train != nil {
		l.train, measured = fmt.Sprintf("  train %.3f", p.Train.Accuracy), true
	}
	if p.Test != nil {
		l.test, measured = fmt.Sprintf("  test %.3f", p.Test.Accuracy), true
	}
	wait := 30 * time.Second
	if l.term {
		wait = 100 * time.Millisecond
	}
	now := time.Now()
	if l.quiet || now.Sub(l.shown) < wait && !measured && p.Step != p.Steps {
		return
	}
	l.any, l.shown = true, now
	left := ""
	if batch := float64(p.Images) / float64(p.Step); p.Speed > 0 && p.Step < p.Steps {
		left = "  " + (time.Duration(float64(p.Steps-p.Step) * batch / p.Speed * float64(time.Second))).Round(time.Second).String() + " left"
	}
	line := fmt.Sprintf("viz: step %d of %d  epoch %.1f  loss %.4f%s%s  %.0f images/s%s", p.Step, p.Steps, p.Epoch, p.Loss, l.train, l.test, p.Speed, left)
	if l.term {
		fmt.Fprint(l.w, "\r\x1b[K"+line)
	} else {
		fmt.Fprintln(l.w, line)
	}
}

// end leaves the last line standing.
func (l *live) end() {
	if l.term && l.any {
		fmt.Fprintln(l.w)
	}
}
