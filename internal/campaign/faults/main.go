// Command faults runs viz many times and lets one call on a file fail each time: each open, read, write, sync, rename and
// so on that the run makes, by turns. Other runs find the disk full, folders gone or read-only, a second run beside them,
// no HOME. viz must say what failed, leave no file that is not whole, and a run after that must end with the files of a run
// in which nothing failed. It counts tries and failures. Linux on amd64 only.
//
//	go run ./internal/campaign/faults
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
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
	flag.StringVar(&o.harm, "harm", "", "only this: call, full, readonly, removed, twice or homeless")
	flag.IntVar(&o.each, "each", 6, "tries of a command with each harm but call")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "runs at once")
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	flag.Parse()
	campaign.Main("faults", *program, func(dir, viz string) error { return o.all(dir, viz) })
}

type options struct {
	most, each, workers int
	seed                uint64
	only, at, harm      string
}

// fault is what is done to a run.
type fault struct {
	harm       harm
	name, path string // of one call: the system call, and the file
	nth        int    // of these calls in the run, from 1; of others: which call of all, how many bytes, which environment
	err        errno
	folder     bool // the file is a folder
}

// count is what became of a command.
type count struct {
	calls, tries, harmless, missed, failures int
}

func (o options) all(dir, viz string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	fmt.Printf("seed %d\n", o.seed)
	var trials []*trial
	kinds := map[string]int{}
	for i, w := range works {
		if o.only == "" || o.only == w.Name {
			trials = append(trials, &trial{Trial: campaign.Trial{Work: w, Viz: viz, Dir: filepath.Join(dir, fmt.Sprint(i))}, kinds: kinds})
		}
	}
	failures := 0
	for _, h := range harms {
		if o.harm != "" && o.harm != h.name {
			continue
		}
		n, err := o.table(h.harm, h.title, trials)
		if err != nil {
			return err
		}
		failures += n
	}
	if len(kinds) > 0 {
		fmt.Print("\n| what failed and did no harm | times |\n| --- | ---: |\n")
		for _, k := range slices.Sorted(maps.Keys(kinds)) {
			fmt.Printf("| %s | %d |\n", k, kinds[k])
		}
	}
	if failures > 0 {
		return fmt.Errorf("%d failures", failures)
	}
	return nil
}

// table does one kind of harm to all commands.
func (o options) table(h harm, title string, trials []*trial) (failures int, err error) {
	fmt.Printf("\n| %s | calls on files | tries | harmless | failures |\n| --- | ---: | ---: | ---: | ---: |\n", title)
	total := count{}
	for i, t := range trials {
		if t.Work.Own && h == twice {
			continue // viz data get locks its folder; the function that it calls does not
		}
		if t.calls == 0 {
			if err := t.prepare(); errors.Is(err, calls.ErrCannot) {
				return 0, err
			} else if err != nil {
				return 0, fmt.Errorf("%s: %w", t.Work.Name, err)
			}
		}
		r := rand.New(rand.NewPCG(o.seed, uint64(i)+1000*uint64(h)))
		faults := t.faults
		if h != once {
			faults = t.draw(h, o.each, r)
		}
		c := o.turns(t, faults, r)
		fmt.Printf("| %s | %d | %d | %d | %d |\n", t.Work.Name, c.calls, c.tries, c.harmless, c.failures)
		if c.missed > 0 {
			fmt.Fprintf(os.Stderr, "%s: %d calls did not come again\n", t.Work.Name, c.missed)
		}
		total = count{total.calls + c.calls, total.tries + c.tries, total.harmless + c.harmless, 0, total.failures + c.failures}
	}
	fmt.Printf("| all | %d | %d | %d | %d |\n", total.calls, total.tries, total.harmless, total.failures)
	return total.failures, nil
}

// turns lets each call fail by turns, some at a time.
func (o options) turns(t *trial, faults []fault, r *rand.Rand) count {
	faults = slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return !strings.Contains(f.String(), o.at) })
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
					if faults[i].harm == once {
						t.kinds[t.kind(faults[i])]++
					}
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
