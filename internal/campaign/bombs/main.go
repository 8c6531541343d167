// Command bombs makes files that are small and claim or hold very much, and files that lead elsewhere, and gives each to
// every command that takes its kind, as a process of its own. Each must be refused in one sentence that names what is
// wrong, with exit code 1 (2 if the file is a setting), within a second of the processor, in little memory, and must leave no file outside.
//
//	go run ./internal/campaign/bombs
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/deconvnet/viz/internal/campaign"
)

func main() {
	only := flag.String("run", "", "only bombs whose names match this expression")
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	verbose := flag.Bool("v", false, "print each run and what it said")
	number := flag.Int("make", -1, "only make the bomb of that number, at -into")
	into := flag.String("into", "", "where")
	flag.Parse()
	if *number >= 0 {
		if err := bombs()[*number].make(*into); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	campaign.Main("bombs", *program, func(dir, viz string) error { return all(dir, viz, *only, *verbose) })
}

func bombs() []bomb { return slices.Concat(pictures(), archives(), texts(), networks(), weights()) }

// The limits of a run: time of the processor, and of memory what the program has without a bomb, four times the file
// and room.
const (
	mostTime = time.Second
	room     = 64 << 20
	patience = time.Minute // of the clock
)

// bomb is a file, or a folder, and what it must be refused for.
type bomb struct {
	group string // row of the table
	name  string // of the file
	make  func(path string) error
	takes [][]string // command lines, in which FILE stands for it and OUT for a folder of its own
	says  string     // expression that the refusal matches; "": the bomb is harmless, and is taken
	stdin bool       // the file is read from standard input
}

// row counts what became of the bombs of a group.
type row struct {
	bombs, runs, failures int
	time                  time.Duration
	peak                  int
}

func all(dir, viz, only string, verbose bool) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	home := filepath.Join(dir, "home")
	base := 0
	rows, groups := map[string]*row{}, []string{}
	failures := 0
	for i, b := range bombs() {
		if !match.MatchString(b.group + " " + b.name) {
			continue
		}
		work := filepath.Join(home, fmt.Sprint(i))
		if err := os.MkdirAll(work, 0o777); err != nil {
			return err
		}
		if base == 0 {
			if base, err = usual(viz, work); err != nil {
				return err
			}
		}
		path := filepath.Join(work, b.name)
		// Linux counts what the parent had as the child's: large files are made elsewhere.
		if out, err := exec.Command(self, "-make", fmt.Sprint(i), "-into", path).CombinedOutput(); err != nil {
			return fmt.Errorf("%q: %w: %s", b.name, err, out)
		}
		r := rows[b.group]
		if r == nil {
			r = &row{}
			rows[b.group], groups = r, append(groups, b.group)
		}
		r.bombs++
		for _, args := range b.takes {
			took := b.try(viz, work, path, args, base)
			r.runs++
			r.time, r.peak = max(r.time, took.time), max(r.peak, took.peak)
			line := fmt.Sprintf("viz %s (%d bytes): %v, %d MB: %.250s", strings.Join(args, " "), size(path), took.time.Round(time.Millisecond), took.peak>>20, took.said)
			line = strings.ReplaceAll(strings.ReplaceAll(line, "FILE", fmt.Sprintf("%.30q", b.name)), work+"/", "")
			if took.wrong != "" {
				r.failures++
				failures++
				fmt.Printf("%s\n\tFAILED: %s\n", line, took.wrong)
			} else if verbose {
				fmt.Println(line)
			}
		}
		os.RemoveAll(work)
	}
	fmt.Printf("| bombs | files | runs | most CPU time | most memory above the %d MB of any run | failures |\n| --- | ---: | ---: | ---: | ---: | ---: |\n", base>>20)
	for _, name := range groups {
		r := rows[name]
		fmt.Printf("| %s | %d | %d | %.2f s | %d MB | %d |\n", name, r.bombs, r.runs, r.time.Seconds(), max(r.peak-base, 0)>>20, r.failures)
	}
	if failures > 0 {
		return fmt.Errorf("%d runs failed", failures)
	}
	return nil
}

// usual is the most memory that a run without a bomb has.
func usual(viz, work string) (int, error) {
	path := filepath.Join(work, "good.png")
	if err := goodPNG(path); err != nil {
		return 0, err
	}
	defer os.Remove(path)
	cmd := exec.Command(viz, "classify", "--model", "cifar10", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	return campaign.PeakBytes(cmd.ProcessState), nil
}

// result is what came of one run; wrong says why it failed.
type result struct {
	time        time.Duration
	peak        int
	said, wrong string
}

func (b *bomb) try(viz, work, path string, args []string, base int) (r result) {
	out := filepath.Join(work, "out")
	os.RemoveAll(out)
	if err := os.MkdirAll(out, 0o777); err != nil {
		return result{wrong: err.Error()}
	}
	before := list(filepath.Dir(filepath.Dir(work)), out)
	full := make([]string, len(args))
	for i, a := range args {
		full[i] = strings.NewReplacer("FILE", path, "OUT", out).Replace(a)
	}
	cmd := exec.Command(viz, full...)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "HOME="+out, "XDG_CACHE_HOME="+out, "GOMEMLIMIT=off")
	if b.stdin {
		f, err := os.Open(path)
		if err != nil {
			return result{wrong: err.Error()}
		}
		defer f.Close()
		cmd.Stdin = f
	}
	end, err := campaign.RunWithin(cmd, patience)
	if err != nil {
		return result{wrong: err.Error()}
	}
	said, code := string(end.Stderr), end.Code()
	r = result{time: end.State.UserTime() + end.State.SystemTime(), peak: campaign.PeakBytes(end.State), said: firstError(said)}
	after := list(filepath.Dir(filepath.Dir(work)), out)
	switch {
	case end.Late:
		r.wrong = fmt.Sprintf("no end after %v", patience)
	case b.says == "" && code != 0:
		r.wrong = fmt.Sprintf("is harmless, but: %v: %s", end.State, said)
	case b.says != "" && code != 1 && code != 2: // 2: the file is a setting, as --boxes FILE
		r.wrong = fmt.Sprintf("exit code %d, want 1 or 2: %.300s", code, said)
	case b.says != "" && !regexp.MustCompile(b.says).MatchString(strings.ReplaceAll(r.said, b.name, "FILE")): // what its name says is no reason
		r.wrong = fmt.Sprintf("does not say %q: %.300s", b.says, said)
	case r.time > mostTime:
		r.wrong = fmt.Sprintf("more than %v", mostTime)
	case r.peak > base+4*size(path)+room:
		r.wrong = fmt.Sprintf("more than the %d MB of any run, and %d", base>>20, (4*size(path)+room)>>20)
	case !slices.Equal(before, after):
		r.wrong = fmt.Sprintf("files differ: before %q, after %q", before, after)
	case strings.ContainsAny(said, "\x1b\x00") || strings.Contains(said, "goroutine "):
		r.wrong = fmt.Sprintf("is no plain sentence: %.300q", said)
	}
	return r
}

// firstError is what a run said was wrong, with the lines that go on with it, which are indented.
func firstError(said string) string {
	var found []string
	for line := range strings.Lines(said) {
		switch {
		case strings.HasPrefix(line, "viz: error:"):
			if found != nil {
				return strings.Join(found, " ")
			}
			found = append(found, strings.TrimSpace(line))
		case found != nil && strings.HasPrefix(line, " "):
			found = append(found, strings.TrimSpace(line))
		case found != nil:
			return strings.Join(found, " ")
		}
	}
	if found != nil {
		return strings.Join(found, " ")
	}
	return strings.TrimSpace(said)
}

// list names the files below a folder, but for those of one folder in it.
func list(root, but string) (names []string) {
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if path == but {
			return fs.SkipDir
		}
		names = append(names, path)
		return nil
	})
	return names
}

// size is that of a file or of the files of a folder.
func size(path string) (n int) {
	filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += int(info.Size())
			}
		}
		return nil
	})
	return cmp.Or(n, 1)
}

// written makes a file of bytes.
func written(make func() []byte) func(string) error {
	return func(path string) error { return os.WriteFile(path, make(), 0o666) }
}

// each are command lines, as words.
func each(lines ...string) (out [][]string) {
	for _, line := range lines {
		out = append(out, strings.Fields(line))
	}
	return out
}
