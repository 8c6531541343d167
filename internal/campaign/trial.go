package campaign

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/deconvnet/viz/internal/campaign/calls"
)

// Work is one kind of run.
type Work struct {
	Name   string
	Args   string
	Before []string // commands that make what it reads or writes over
	Resume string   // what is added to go on
	After  string   // the file that must be there for that; "": always
	Whole  bool     // what goes on is another command, Resume, and not an addition
	Own    bool     // it is a command of the campaign itself, not of viz
}

// Trainings make three checkpoints, for what compares some.
const Trainings = "train --limit 40 --width 0.1 --batch 10 --steps 4 --checkpoint-every 2 --keep-checkpoints --quiet --out ckpt.bin"

// Stdout is the file that has what a run prints.
const Stdout = "stdout.txt"

// limit is the longest that a run may take.
const limit = 10 * time.Minute

// Trial is a kind of run that is tried many times, each time in a folder of its own.
type Trial struct {
	Work     Work
	Viz, Dir string // the program, and a folder for the trial: absolute, and without links

	Before map[string]string // the files that are there before a run, by hash
	Whole  map[string]string // those after a run that was left alone; "" if two runs differ, since they hold times
}

// Watch is what sees the calls of a run. Paths are those in the folder of the run.
type Watch struct {
	Env    []string // added to the environment; "NAME" takes a variable away
	Before func(*calls.Call) syscall.Errno
	After  func(c calls.Call, result int64)
}

// Base is the folder that runs begin with copies of.
func (t *Trial) Base() string { return filepath.Join(t.Dir, "base") }

// Prepare makes what the command reads, and three runs that are left alone.
func (t *Trial) Prepare(watch func(at string) Watch) error {
	for _, d := range []string{"home", "tmp", "out"} {
		if err := os.MkdirAll(filepath.Join(t.Base(), d), 0o777); err != nil {
			return err
		}
	}
	if err := Inputs(t.Base(), t.Viz, 2, 40, 4); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(t.Base(), "out", "mine.txt"), []byte("not viz's\n"), 0o666); err != nil {
		return err
	}
	for _, args := range t.Work.Before {
		cmd := exec.Command(t.Viz, strings.Fields(args)...)
		cmd.Dir = t.Base()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", args, err, out)
		}
	}
	var err error
	if t.Before, err = Contents(t.Base()); err != nil {
		return err
	}
	for i := range 3 {
		at := filepath.Join(t.Dir, fmt.Sprint("whole", i))
		if err := t.Copy(at); err != nil {
			return err
		}
		end, text, err := t.Run(at, false, watch(at))
		if err != nil {
			return err
		}
		if end.Code != 0 {
			return fmt.Errorf("ends with %d\n%s", end.Code, text)
		}
		files, err := Contents(at)
		if err != nil {
			return err
		}
		if i == 0 {
			t.Whole = files
		}
		for name := range t.Whole {
			if files[name] != t.Whole[name] {
				t.Whole[name] = "" // it holds times
			}
		}
		os.RemoveAll(at)
	}
	return nil
}

// Copy makes a folder for a run.
func (t *Trial) Copy(at string) error { return os.CopyFS(at, os.DirFS(t.Base())) }

// Beside runs the command in a folder, untouched, while another run there waits. It returns the exit code and what it said.
func (t *Trial) Beside(at string) (int, string) {
	cmd := exec.Command(t.Viz, t.Work.Words(at, false)...)
	cmd.Dir = at
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return -1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// Words are the command for a folder, as it goes on there if it was run before.
func (w *Work) Words(at string, again bool) []string {
	args := strings.Fields(w.Args)
	_, err := os.Stat(filepath.Join(at, w.After))
	switch {
	case !again || w.Resume == "" || err != nil:
	case w.Whole:
		args = strings.Fields(w.Resume)
	default:
		args = slices.Insert(args, 1, strings.Fields(w.Resume)...)
	}
	return args
}

// Run runs the command in a folder; again: it was run there before. What it prints on stdout is a file there; what it says
// on stderr is returned.
func (t *Trial) Run(at string, again bool, watch Watch) (calls.End, string, error) {
	args := t.Work.Words(at, again)
	stdout, err := os.Create(filepath.Join(at, Stdout))
	if err != nil {
		return calls.End{}, "", err
	}
	defer stdout.Close()
	stderr, err := os.Create(at + "-stderr.txt")
	if err != nil {
		return calls.End{}, "", err
	}
	defer stderr.Close()
	defer os.Remove(stderr.Name())
	program := t.Viz
	if t.Work.Own {
		if program, err = os.Executable(); err != nil {
			return calls.End{}, "", err
		}
	}
	p := calls.Program{Args: append([]string{program}, args...), Dir: at, Stdout: stdout, Stderr: stderr, Limit: limit, Data: watch.After != nil,
		Env: []string{"HOME=" + filepath.Join(at, "home"), "TMPDIR=" + filepath.Join(at, "tmp"), "PATH=" + os.Getenv("PATH")}}
	for _, e := range watch.Env {
		name, _, set := strings.Cut(e, "=")
		p.Env = slices.DeleteFunc(p.Env, func(was string) bool { return strings.HasPrefix(was, name+"=") })
		if set {
			p.Env = append(p.Env, e)
		}
	}
	p.After = watch.After
	if watch.Before != nil || watch.After != nil {
		p.Before = func(c *calls.Call) syscall.Errno {
			c.Path = Inside(at, c.Path)
			if c.To != "" {
				c.To = Inside(at, c.To)
			}
			if watch.Before == nil {
				return 0
			}
			return watch.Before(c)
		}
	}
	end, err := calls.Run(p)
	if err != nil {
		return end, "", err
	}
	text, err := os.ReadFile(stderr.Name())
	if len(text) > 600 {
		text = append(text[:600], " ...\n"...)
	}
	return end, string(text), err
}

// Again runs the command once more in a folder and compares all files with those of a run that was left alone.
func (t *Trial) Again(at string) error {
	end, text, err := t.Run(at, true, Watch{})
	if err != nil {
		return err
	}
	if end.Code != 0 && !strings.Contains(text, "nothing is left to do") {
		return fmt.Errorf("the run after that ends with %d\n%s", end.Code, text)
	}
	files, err := Contents(at)
	if err != nil {
		return err
	}
	if err := Compare(t.Whole, files); err != nil {
		return fmt.Errorf("after the next run: %w", err)
	}
	if err := LeftOver(t.Whole, files); err != nil {
		return fmt.Errorf("after the next run: %w", err)
	}
	return nil
}

// Compare looks for files that are missing or differ from those of a run that was left alone. A hash of "" is of a file
// that differs in each run.
func Compare(whole, files map[string]string) error {
	for name, hash := range whole {
		switch now, ok := files[name]; {
		case name == Stdout:
		case !ok:
			return fmt.Errorf("%s is missing", name)
		case hash != "" && now != hash:
			return fmt.Errorf("%s is another one", name)
		}
	}
	return nil
}

// LeftOver looks for files that a run that was left alone does not have.
func LeftOver(whole, files map[string]string) error {
	for name := range files {
		if _, ok := whole[name]; !ok {
			return fmt.Errorf("%s is left over", name)
		}
	}
	return nil
}
