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
	flag.IntVar(&o.most, "most", 60, "tries of a command with each harm at most: the first half, and a draw from the others; 0: all")
	flag.Uint64Var(&o.seed, "seed", 1, "of the draw")
	flag.StringVar(&o.only, "only", "", "one command")
	flag.StringVar(&o.at, "at", "", "only faults whose description holds this text")
	flag.StringVar(&o.harm, "harm", "", "only this: call, full, readonly, removed, twice or homeless")
	flag.IntVar(&o.each, "each", 6, "tries of a command whose folder is removed, or that runs twice; 0: at every call")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "runs at once")
	flag.BoolVar(&o.short, "short", false, "a few tries of some commands, in seconds; where nothing can be traced it says so, which is no failure")
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	flag.Parse()
	if o.short {
		o.most, o.each = 8, 1
	}
	campaign.Main("faults", *program, func(dir, viz string) error {
		err := o.all(dir, viz)
		if o.short && errors.Is(err, calls.ErrCannot) {
			fmt.Println("NOT TESTED:", err)
			return nil
		}
		return err
	})
}

type options struct {
	most, each, workers int
	seed                uint64
	only, at, harm      string
	short               bool
}

// fault is what is done to a run.
type fault struct {
	harm       harm
	name, path string // of one call: the system call, and the file
	nth        int    // of these calls in the run, from 1; of others: which call of all, the byte that is too much, which environment
	err        errno
	folder     bool // the file is a folder
}

// count is what became of tries.
type count struct {
	tries, harmless, missed, failures int
}

func (c *count) add(d count) {
	c.tries += d.tries
	c.harmless += d.harmless
	c.missed += d.missed
	c.failures += d.failures
}

func (o options) all(dir, viz string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	fmt.Printf("seed %d\n\n| command | calls on files |", o.seed)
	for _, h := range harms {
		fmt.Printf(" %s |", h.title)
	}
	fmt.Printf(" failures |\n| --- | ---: |%s ---: |\n", strings.Repeat(" ---: |", len(harms)))
	total, sum, next := map[harm]count{}, count{}, 0
	kinds := map[string]int{}
	for i, w := range works {
		if o.only != "" && o.only != w.Name || o.short && !slices.Contains(short, w.Name) {
			continue
		}
		w.Before = slices.Concat(small, w.Before)
		t := &trial{Trial: campaign.Trial{Work: w, Viz: viz, Dir: filepath.Join(dir, fmt.Sprint(i))}, kinds: kinds}
		if err := t.prepare(); err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		of := o.suffer(t, uint64(i))
		row(w.Name, fmt.Sprint(t.calls), of)
		next += len(t.next)
		for h, c := range of {
			had := total[h]
			had.add(c)
			total[h] = had
			sum.add(c)
		}
		os.RemoveAll(t.Dir)
	}
	row("all", "", total)
	fmt.Printf("\n%d tries: %d ended with 0 and all files, %d failures; they left %d different folders\n", sum.tries, sum.harmless, sum.failures, next)
	if len(kinds) > 0 {
		fmt.Print("\n| what failed and did no harm | times |\n| --- | ---: |\n")
		for _, k := range slices.Sorted(maps.Keys(kinds)) {
			fmt.Printf("| %s | %d |\n", k, kinds[k])
		}
	}
	if sum.failures > 0 {
		return fmt.Errorf("%d failures", sum.failures)
	}
	return nil
}

// row prints how often each harm was done.
func row(name, calls string, of map[harm]count) {
	failures := 0
	fmt.Printf("| %s | %s |", name, calls)
	for _, h := range harms {
		if c, ok := of[h.harm]; ok {
			fmt.Printf(" %d |", c.tries)
			failures += c.failures
		} else {
			fmt.Print(" - |")
		}
	}
	fmt.Printf(" %d |\n", failures)
}

// suffer does each kind of harm to a command.
func (o options) suffer(t *trial, number uint64) map[harm]count {
	out := map[harm]count{}
	for _, h := range harms {
		if o.harm != "" && o.harm != h.name || t.Work.Own && h.harm == twice {
			continue // viz data get locks its folder; the function that it calls does not
		}
		r := rand.New(rand.NewPCG(o.seed, number+1000*uint64(h.harm)))
		c := o.turns(t, o.some(o.faults(t, h.harm, r), r))
		if c.missed > 0 {
			fmt.Fprintf(os.Stderr, "%s: %s: %d did not come about\n", t.Work.Name, h.title, c.missed)
		}
		out[h.harm] = c
	}
	return out
}

// faults are all of a kind that a command may meet.
func (o options) faults(t *trial, h harm, r *rand.Rand) []fault {
	switch h {
	case once:
		return t.faults
	case full:
		return t.sizes()
	case readOnly:
		return upTo(readOnly, 1, t.entries)
	case homeless:
		return upTo(homeless, 0, len(homes))
	}
	return t.draw(h, o.each, r)
}

// some are those that are asked for, as many as are wanted: the first half of that, and a draw from the others.
func (o options) some(faults []fault, r *rand.Rand) []fault {
	faults = slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return !strings.Contains(f.String(), o.at) })
	if o.most == 0 || len(faults) <= o.most {
		return faults
	}
	out, later := slices.Clone(faults[:o.most/2]), faults[o.most/2:]
	drawn := r.Perm(len(later))[:o.most-o.most/2]
	slices.Sort(drawn)
	for _, i := range drawn {
		out = append(out, later[i])
	}
	return out
}

// turns does harm by turns, to some runs at a time.
func (o options) turns(t *trial, faults []fault) count {
	c := count{}
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
