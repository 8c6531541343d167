// Command faults runs viz many times and lets one call on a file fail each time: each open, read, write, sync, rename and
// so on that the run makes, by turns. viz must say what failed, leave no file that is not whole, and a run after that
// must end with the files of a run in which nothing failed. It counts tries and failures. Linux on amd64 only.
//
//	go run ./internal/campaign/faults
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/internal/campaign/calls"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == campaign.GetArgument {
		os.Exit(campaign.Get(os.Args[2:]))
	}
	var o options
	flag.IntVar(&o.most, "most", 60, "faults of a command at most: the first half, and a draw from the others; 0: all")
	flag.Uint64Var(&o.seed, "seed", 1, "of the draw")
	flag.StringVar(&o.only, "only", "", "one command")
	flag.StringVar(&o.at, "at", "", "only faults whose description holds this text")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "runs at once")
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	flag.Parse()
	campaign.Main("faults", *program, func(dir, viz string) error { return o.all(dir, viz) })
}

type options struct {
	most, workers int
	seed          uint64
	only, at      string
}

// fault is one call of a run that fails.
type fault struct {
	name, path string // the system call, and the file
	nth        int    // of these calls in the run, from 1
	err        errno
	folder     bool // the file is a folder
}

func (f fault) String() string { return fmt.Sprintf("%v at %s %s #%d", f.err, f.name, f.path, f.nth) }

// count is what became of a command.
type count struct {
	calls, tries, harmless, missed, failures int
}

func (o options) all(dir, viz string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	fmt.Printf("seed %d\n\n| command | calls on files | faults | harmless | failures |\n| --- | ---: | ---: | ---: | ---: |\n", o.seed)
	kinds := map[string]int{}
	total := count{}
	for i, w := range works {
		if o.only != "" && o.only != w.Name {
			continue
		}
		t := &trial{Trial: campaign.Trial{Work: w, Viz: viz, Dir: filepath.Join(dir, fmt.Sprint(i))}, kinds: kinds}
		if err := t.prepare(); errors.Is(err, calls.ErrCannot) {
			return err
		} else if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		c := o.turns(t, rand.New(rand.NewPCG(o.seed, uint64(i))))
		fmt.Printf("| %s | %d | %d | %d | %d |\n", w.Name, c.calls, c.tries, c.harmless, c.failures)
		if c.missed > 0 {
			fmt.Fprintf(os.Stderr, "%s: %d calls did not come again\n", w.Name, c.missed)
		}
		total.calls, total.tries, total.harmless, total.failures = total.calls+c.calls, total.tries+c.tries, total.harmless+c.harmless, total.failures+c.failures
		os.RemoveAll(t.Dir)
	}
	fmt.Printf("| all | %d | %d | %d | %d |\n", total.calls, total.tries, total.harmless, total.failures)
	if len(kinds) > 0 {
		fmt.Print("\n| what failed and did no harm | times |\n| --- | ---: |\n")
		for _, k := range sortedKeys(kinds) {
			fmt.Printf("| %s | %d |\n", k, kinds[k])
		}
	}
	if total.failures > 0 {
		return fmt.Errorf("%d failures", total.failures)
	}
	return nil
}

// turns lets each call fail by turns, some at a time.
func (o options) turns(t *trial, r *rand.Rand) count {
	faults := slices.DeleteFunc(slices.Clone(t.faults), func(f fault) bool { return !strings.Contains(f.String(), o.at) })
	if rest := len(faults) - o.most/2; o.most > 0 && len(faults) > o.most {
		later := faults[o.most/2:]
		drawn := r.Perm(rest)[:o.most-o.most/2]
		slices.Sort(drawn)
		some := slices.Clone(faults[:o.most/2])
		for _, i := range drawn {
			some = append(some, later[i])
		}
		faults = some
	}
	c := count{calls: t.calls}
	var mu sync.Mutex
	var wait sync.WaitGroup
	next := make(chan int)
	for range max(o.workers, 1) {
		wait.Go(func() {
			for i := range next {
				got, err := t.try(faults[i], i)
				mu.Lock()
				c.tries++
				switch {
				case got == missed:
					c.tries--
					c.missed++
				case err != nil:
					c.failures++
					fmt.Fprintf(os.Stderr, "%s: %v: %v\n", t.Work.Name, faults[i], err)
				case got == harmless:
					c.harmless++
					t.kinds[t.kind(faults[i])]++
				}
				mu.Unlock()
			}
		})
	}
	for i := range faults {
		next <- i
	}
	close(next)
	wait.Wait()
	return c
}

func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
