// Command fuzz runs every fuzz target of the module in turn, each for the same part of the time, and counts executions
// and failures. What it counted is added to a file, of which it prints the sums. Inputs are those that go test -fuzz
// finds, guided by what code they reach; or, with -drawn, changes of them drawn from a seed, which are many more.
//
//	go run ./internal/campaign/fuzz -for 10m
//	go run ./internal/campaign/fuzz -for 10m -drawn
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	var r request
	flag.DurationVar(&r.all, "for", 10*time.Minute, "time in all, the same for each target")
	flag.StringVar(&r.only, "run", "", "only targets whose package and name match this expression")
	flag.IntVar(&r.workers, "parallel", 1, "inputs tried at a time, if they are guided")
	flag.StringVar(&r.record, "record", "docs/results/fuzz.csv", "file that keeps the counts; empty: none")
	flag.BoolVar(&r.drawn, "drawn", false, "inputs are drawn, not guided; numbers go on where the counts end")
	flag.Uint64Var(&r.seed, "seed", 1, "of inputs that are drawn")
	flag.StringVar(&r.programs, "programs", "", "folder that keeps the test programs for the next run of the same tree; empty: they are not kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := campaign(ctx, r); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// request is what the command line says.
type request struct {
	all                    time.Duration
	only, record, programs string
	workers                int
	drawn                  bool
	seed                   uint64
}

func campaign(ctx context.Context, r request) error {
	match, err := regexp.Compile(r.only)
	if err != nil {
		return err
	}
	list, err := targets(ctx, match)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("no target matches %q", r.only)
	}
	counts, err := readCounts(r.record)
	if err != nil {
		return err
	}
	p, err := newPrograms(ctx, r)
	if err != nil {
		return err
	}
	defer p.remove()
	each := max(r.all/time.Duration(len(list)), time.Second).Round(time.Second)
	fmt.Printf("%d targets, %v each\n", len(list), each)
	failures := 0
	for _, t := range list {
		if ctx.Err() != nil {
			break
		}
		c, said, err := p.fuzz(ctx, t, each, counts.last(t.String()))
		if ctx.Err() != nil && c.executions == 0 {
			break
		}
		if err != nil {
			return err
		}
		fmt.Printf("%-45s %10d executions, %5d new inputs, %d failures\n", t.String(), c.executions, c.interesting, c.failures)
		if c.failures > 0 {
			failures++
			fmt.Println(said)
		}
		counts.add(c)
		if r.record != "" {
			if err := counts.write(r.record); err != nil {
				return err
			}
		}
	}
	counts.print(os.Stdout)
	if failures > 0 {
		return fmt.Errorf("%d targets failed", failures)
	}
	return nil
}
