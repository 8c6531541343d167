// Command memory draws runs of viz, a network, pictures and settings each, and looks at the most memory that each process
// had. It counts tries and failures.
//
// Runs of occlude, attribute and explain are given --memory (one of eight GOMEMLIMIT instead): they must stay within it, or be
// refused before their work with a value that does; that value is then tried. With -stated runs of every command are given
// no bound: they must stay within what docs/memory.md says, also if GOMEMLIMIT is small.
//
//	go run ./internal/campaign/memory -runs 500
//	go run ./internal/campaign/memory -runs 500 -stated
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/deconvnet/viz/internal/campaign"
)

// plan is what is drawn, and how.
type plan struct {
	Runs, AtOnce int
	Seed         uint64
	Stated       bool   // runs without a bound of their own
	Short        bool   // small pictures and networks
	Only         string // one command of Stated
}

func main() {
	p, verbose := plan{}, false
	flag.IntVar(&p.Runs, "runs", 100, "runs to draw")
	flag.IntVar(&p.AtOnce, "at-once", 1, "runs at a time")
	flag.Uint64Var(&p.Seed, "seed", 1, "seed of the first; each run has the next")
	flag.BoolVar(&p.Stated, "stated", false, "runs of every command without --memory")
	flag.BoolVar(&p.Short, "short", false, "few small runs of both kinds, for each change")
	flag.StringVar(&p.Only, "only", "", "with -stated: one command")
	flag.BoolVar(&verbose, "v", false, "say what each run had")
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	into := flag.String("draw", "", "only draw the run of the seed into this folder, and print it")
	flag.Parse()
	if *into != "" {
		r, err := p.draw(*into)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(r)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "memory:", err)
			os.Exit(1)
		}
		return
	}
	campaign.Main("memory", *program, func(dir, viz string) error {
		if !p.Short || p.Stated {
			return p.all(dir, viz, verbose)
		}
		p.Runs = 4
		if err := p.all(dir, viz, verbose); err != nil {
			return err
		}
		p.Stated, p.Runs = true, len(short)
		return p.all(dir, viz, verbose)
	})
}

// draw makes the run of the first seed.
func (p plan) draw(root string) (*run, error) {
	if p.Stated {
		return p.drawStated(root)
	}
	return p.drawBounded(root)
}

// count is what became of the runs of one command.
type count struct {
	tries, kept, refused, failures int
	closest                        float64 // to the bound
}

// all draws runs, some at a time.
func (p plan) all(dir, program string, verbose bool) error {
	counts := map[string]*count{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	var bad error // of the campaign itself
	one := func(seed uint64) error {
		r, err := p.drawElsewhere(dir, seed)
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		defer os.RemoveAll(r.Dir)
		refused, peak, err := r.try(program)
		mu.Lock()
		defer mu.Unlock()
		if counts[r.Name] == nil {
			counts[r.Name] = &count{}
		}
		c := counts[r.Name]
		c.tries++
		c.closest = max(c.closest, float64(peak)/float64(r.Bound))
		switch {
		case err != nil:
			c.failures++
			fmt.Printf("seed %d: viz %s\n\t%v\n", seed, strings.ReplaceAll(strings.Join(r.Args, " "), dir+"/", ""), err)
		case refused:
			c.refused++
		default:
			c.kept++
		}
		if verbose {
			fmt.Printf("seed %d: %4d MB of %4d: %s: %s\n", seed, peak/1_000_000, r.Bound/1_000_000, r.Name, r.About)
		}
		return nil
	}
	next := make(chan uint64)
	for range max(p.AtOnce, 1) {
		wait.Go(func() {
			for seed := range next {
				if err := one(seed); err != nil {
					mu.Lock()
					bad = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range p.Runs {
		next <- p.Seed + uint64(i)
	}
	close(next)
	wait.Wait()
	if bad != nil {
		return bad
	}
	return p.table(counts)
}

// table prints what was counted.
func (p plan) table(counts map[string]*count) error {
	var names []string
	total := count{}
	for name, c := range counts {
		names = append(names, name)
		total = count{total.tries + c.tries, total.kept + c.kept, total.refused + c.refused, total.failures + c.failures, max(total.closest, c.closest)}
	}
	slices.Sort(names)
	counts["all"] = &total
	fmt.Printf("seeds %d to %d\n\n", p.Seed, p.Seed+uint64(p.Runs)-1)
	if p.Stated {
		fmt.Print("| command | tries | the most that was taken of what is stated | failures |\n| --- | ---: | ---: | ---: |\n")
	} else {
		fmt.Print("| command | tries | kept | refused, and kept with what was asked for | failures |\n| --- | ---: | ---: | ---: | ---: |\n")
	}
	for _, name := range append(names, "all") {
		if c := counts[name]; p.Stated {
			fmt.Printf("| %s | %d | %.0f %% | %d |\n", name, c.tries, 100*c.closest, c.failures)
		} else {
			fmt.Printf("| %s | %d | %d | %d | %d |\n", name, c.tries, c.kept, c.refused, c.failures)
		}
	}
	if total.failures > 0 {
		return fmt.Errorf("%d of %d runs failed", total.failures, p.Runs)
	}
	return nil
}

// run is one drawn command line.
type run struct {
	Dir    string
	Name   string // of the command
	Args   []string
	Before []string // command lines that make what it reads
	Bound  int      // bytes
	Limit  int      // GOMEMLIMIT, bytes; 0: none
	By     bound
	About  string
}

// bound is who bounds a run.
type bound int

const (
	byFlag bound = iota
	byVariable
	byStatement
)

// try runs it.
func (r *run) try(program string) (refused bool, peak int, err error) {
	if r.By == byStatement {
		peak, err = r.tryStated(program)
		return false, peak, err
	}
	return r.tryBounded(program)
}

// drawElsewhere draws a run in a process of its own: Linux counts what the parent had as the child's.
func (p plan) drawElsewhere(root string, seed uint64) (*run, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-draw", root, "-seed", strconv.FormatUint(seed, 10), fmt.Sprintf("-stated=%v", p.Stated), fmt.Sprintf("-short=%v", p.Short), "-only", p.Only)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	r := &run{}
	return r, json.Unmarshal(out, r)
}
