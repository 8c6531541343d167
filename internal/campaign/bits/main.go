// Command bits runs every command of viz in other circumstances, with other numbers of workers, in another folder, time
// zone and locale and more, and compares all files that it writes, byte for byte. With -levels it compares the numbers
// that the kernels of each level give. It counts files and differences.
//
//	go run ./internal/campaign/bits
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deconvnet/viz/internal/campaign"
)

func main() {
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	only := flag.String("only", "", "one command")
	short := flag.Bool("short", false, "some commands, in two circumstances")
	between := flag.Bool("levels", false, "compare the numbers of the kernels' levels instead")
	arm := flag.String("arm64", "", "with -levels: the program built for arm64, which qemu-aarch64-static runs, as another level")
	flag.Parse()
	campaign.Main("bits", *program, func(dir, viz string) error {
		var chosen []work
		for _, w := range works {
			if *only == w.name || *only == "" && (w.some || !*short) {
				chosen = append(chosen, w)
			}
		}
		if *between {
			return levels(dir, viz, *arm, chosen)
		}
		return circumstances(dir, viz, chosen, *short)
	})
}

// circumstance is how a command is run. What is left out is as in the first one.
type circumstance struct {
	name    string
	folder  string // where it runs, below a folder of its own
	env     []string
	workers string // for --workers
	umask   string
	times   time.Time // of the files it reads
}

var all = []circumstance{
	{name: "first"},
	{name: "again"},
	{name: "1 worker", workers: "1"},
	{name: "2 workers", workers: "2"},
	{name: "7 workers", workers: "7", env: []string{"GOMAXPROCS=7"}},
	{name: "GOMAXPROCS 1", env: []string{"GOMAXPROCS=1"}},
	{name: "another folder", folder: "a ünusual=folder/-deep"},
	{name: "another time zone", env: []string{"TZ=Asia/Kathmandu"}},
	{name: "another locale", env: []string{"LC_ALL=tr_TR.UTF-8", "LANG=de_DE.UTF-8", "LANGUAGE=ar"}},
	{name: "another home", env: []string{"HOME=/nonexistent", "TMPDIR=/tmp/", "XDG_CACHE_HOME=/nonexistent/cache", "USER=x", "HOSTNAME=y"}},
	{name: "other file times", times: time.Date(1999, 12, 31, 23, 59, 58, 0, time.UTC)},
	{name: "umask 077", umask: "077"},
	{name: "another collector", env: []string{"GOGC=1", "GODEBUG=randautoseed=0"}},
}

// both are the circumstances of the short form: all others at once.
var both = []circumstance{
	{name: "first"},
	{name: "all others at once", workers: "7", env: []string{"GOMAXPROCS=7", "TZ=Asia/Kathmandu", "LC_ALL=tr_TR.UTF-8", "LANG=de_DE.UTF-8", "HOME=/nonexistent"},
		folder: "a ünusual=folder/-deep", umask: "077", times: time.Date(1999, 12, 31, 23, 59, 58, 0, time.UTC)},
}

// circumstances runs commands in all circumstances.
func circumstances(dir, viz string, chosen []work, short bool) error {
	list := all
	if short {
		list = both
	}
	failures, runs, files, timed := 0, 0, 0, map[string]bool{}
	fmt.Println("| command | runs | files compared | of these without times | differences |\n| --- | ---: | ---: | ---: | ---: |")
	for _, w := range chosen {
		n, different := 0, 0
		hold := map[string]bool{}
		var first map[string][]byte
		for i, c := range list {
			got, err := w.run(viz, filepath.Join(dir, strings.ReplaceAll(w.name, " ", "-"), fmt.Sprint(i)), c)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", w.name, c.name, err)
			}
			if first == nil {
				first = got
				continue
			}
			n += len(first)
			for _, text := range compare(first, got, hold) {
				different++
				fmt.Fprintf(os.Stderr, "%s, %s: %s\n", w.name, c.name, text)
			}
		}
		fmt.Printf("| %s | %d | %d | %d | %d |\n", w.name, len(list), n, len(hold)*(len(list)-1), different)
		failures, runs, files = failures+different, runs+len(list), files+n
		for name := range hold {
			timed[name] = true
		}
	}
	fmt.Printf("| all | %d | %d | | %d |\n", runs, files, failures)
	if failures > 0 {
		return fmt.Errorf("%d differences", failures)
	}
	return nil
}

// compare lists the files that differ, or that one run did not write. hold gets the names of those that are compared
// without times.
func compare(a, b map[string][]byte, hold map[string]bool) (out []string) {
	for name, content := range a {
		got, ok := b[name]
		switch {
		case !ok:
			out = append(out, name+" is missing")
		case bytes.Equal(content, got):
		case bytes.Equal(timeless(name, content), timeless(name, got)):
			hold[name] = true
		default:
			out = append(out, fmt.Sprintf("%s differs: %s", name, difference(timeless(name, content), timeless(name, got))))
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			out = append(out, name+" is only there now")
		}
	}
	slices.Sort(out)
	return out
}

// printed is what a command printed, as a file.
const printed = "(printed)"

// difference is where two files begin to differ.
func difference(a, b []byte) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	part := func(x []byte) []byte { return x[max(0, min(i-40, len(x))):min(i+60, len(x))] }
	return fmt.Sprintf("byte %d: %q, %q", i, part(a), part(b))
}

// run runs the command in a new folder and returns what it wrote there, by name, and what it printed.
func (w work) run(viz, at string, c circumstance) (map[string][]byte, error) {
	defer os.RemoveAll(at)
	at = filepath.Join(at, c.folder)
	if err := campaign.Inputs(at, viz, 3, 60, 4); err != nil {
		return nil, err
	}
	for _, args := range w.before {
		cmd := exec.Command(viz, strings.Fields(args)...)
		cmd.Dir = at
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", args, err, out)
		}
	}
	if !c.times.IsZero() {
		if err := setTimes(at, c.times); err != nil {
			return nil, err
		}
	}
	before, err := campaign.Files(at)
	if err != nil {
		return nil, err
	}
	args := strings.Fields(w.args)
	if i := slices.Index(args, "WORKERS"); i >= 0 {
		args = slices.Delete(args, i, i+1)
		if c.workers != "" {
			args = slices.Insert(args, i, "--workers", c.workers)
		}
	}
	if w.runner != nil {
		viz, args = w.runner[0], append(w.runner[1:len(w.runner):len(w.runner)], args...)
	}
	cmd := exec.Command(viz, args...)
	if c.umask != "" {
		cmd = exec.Command("sh", append([]string{"-c", "umask " + c.umask + `; exec "$0" "$@"`, viz}, args...)...)
	}
	cmd.Dir, cmd.Env = at, append(os.Environ(), c.env...)
	limit := 3 * time.Minute
	if w.runner != nil {
		limit *= 10 // the emulator is slow
	}
	end, err := campaign.RunWithin(cmd, limit)
	if err != nil {
		return nil, err
	}
	if end.Code() != 0 {
		return nil, fmt.Errorf("%v\n%s", end.State, end.Stderr)
	}
	got, err := campaign.Files(at)
	if err != nil {
		return nil, err
	}
	for name, content := range got { // what was there before is no result
		if old, ok := before[name]; ok && bytes.Equal(old, content) {
			delete(got, name)
		}
	}
	got[printed] = end.Stdout
	return got, nil
}
