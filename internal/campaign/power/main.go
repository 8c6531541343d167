// Command power takes the power away from viz. It writes down what runs do to files, does the first part of it again on a
// disk that holds what was synced and, of the rest, what a seed draws: any writes are lost or torn, any new names, renames
// and removals are lost. Every file that is left must be readable, and the run that goes on there must end with the files
// of one that was left alone. It counts tries and failures. Linux on amd64 only.
//
//	go run ./internal/campaign/power -orders 200
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/internal/campaign/calls"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == campaign.GetArgument {
		os.Exit(campaign.Get(os.Args[2:]))
	}
	var o options
	flag.IntVar(&o.orders, "orders", 200, "losses in all, about the same number for each command")
	flag.Uint64Var(&o.seed, "seed", 1, "of the moments, and of what is lost")
	flag.StringVar(&o.only, "only", "", "one command")
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	flag.Parse()
	campaign.Main("power", *program, func(dir, viz string) error { return o.all(dir, viz) })
}

type options struct {
	orders int
	seed   uint64
	only   string
}

// works are the commands that keep what they have done, and some that only write one file.
var works = []campaign.Work{
	{Name: "train", Args: "train --limit 40 --width 0.1 --batch 10 --steps 6 --checkpoint-every 2 --keep-checkpoints --quiet --log out/log.jsonl --out out/ckpt.bin",
		Resume: "train --resume out/ckpt.bin --keep-checkpoints --quiet --log out/log.jsonl", After: "out/ckpt.bin", Whole: true},
	{Name: "features", Args: "features --model net.onnx --images pictures --layers all --quiet --out out/new/f.idx"},
	{Name: "occlude", Args: "occlude --model net.onnx --patch 8 --stride 8 --quiet --out out/new pictures", Resume: "--resume"},
	{Name: "attribute", Args: "attribute --model net.onnx --method saliency --quiet --out out pictures", Resume: "--resume"},
	{Name: "faithful", Args: "faithful --model net.onnx --method saliency --limit 2 --quiet --out out pictures", Resume: "--resume"},
	{Name: "sanity", Args: "sanity --model net.onnx --method saliency --limit 2 --quiet --out out pictures", Resume: "--resume"},
	{Name: "trials", Args: "trials --list list.yaml --data grey --evals 2 --quiet --out out"},
	{Name: "ablate", Args: "ablate --arch lenet5 --width 0.1 --data grey --steps 4 --batch 20 --evals 2 --variant wide:conv1*2 --quiet --out out"},
	{Name: "rnn", Args: "rnn --data grey --hidden 4 --cells rnn --steps 4 --batch 20 --evals 2 --steps-only --quiet --out out"},
	{Name: "maximize", Args: "maximize --model net.onnx --class disc --steps 4 --quiet --out out"},
	{Name: "import", Args: "import --quiet --out out/net.bin net.onnx"},
	{Name: "export, over", Args: "export --onnx --quiet --force --model ckpt.bin --out net.onnx", Before: []string{campaign.Trainings}},
	{Name: "data get", Args: campaign.GetArgument + " out", Own: true},
}

// count is what became of a command.
type count struct{ tries, ended, failures int }

func (o options) all(dir, viz string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	var some []campaign.Work
	for _, w := range works {
		if o.only == "" || o.only == w.Name {
			some = append(some, w)
		}
	}
	fmt.Printf("seed %d\n\n| command | calls that change files | losses of power | of these at the end | failures |\n| --- | ---: | ---: | ---: | ---: |\n", o.seed)
	total := count{}
	for i, w := range some {
		t := &campaign.Trial{Work: w, Viz: viz, Dir: filepath.Join(dir, fmt.Sprint(i))}
		c, changes, err := losses(t, rand.New(rand.NewPCG(o.seed, uint64(i))), (o.orders+len(some)-1)/len(some))
		if errors.Is(err, calls.ErrCannot) {
			return err
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		fmt.Printf("| %s | %d | %d | %d | %d |\n", w.Name, changes, c.tries, c.ended, c.failures)
		total = count{total.tries + c.tries, total.ended + c.ended, total.failures + c.failures}
		os.RemoveAll(t.Dir)
	}
	fmt.Printf("| all | | %d | %d | %d |\n", total.tries, total.ended, total.failures)
	if total.failures > 0 {
		return fmt.Errorf("%d failures", total.failures)
	}
	return nil
}

// done is a call that changed files, and what it gave.
type done struct {
	calls.Call
	result int64
}

// losses takes the power away from a command so often.
func losses(t *campaign.Trial, r *rand.Rand, orders int) (c count, changes int, err error) {
	var log []done
	first := true
	err = t.Prepare(func(string) campaign.Watch {
		if !first {
			return campaign.Watch{}
		}
		first = false
		return campaign.Watch{After: func(call calls.Call, result int64) {
			if result >= 0 {
				log = append(log, done{call, result})
			}
		}}
	})
	for _, d := range log {
		if d.changes() {
			changes++
		}
	}
	if err != nil {
		return c, changes, err
	}
	for i := range orders {
		n := 1 + r.IntN(len(log))
		if i%5 == 0 {
			n = len(log)
		}
		for n < len(log) && !log[n-1].changes() {
			n++ // two moments without a change between them are one
		}
		c.tries++
		if n == len(log) {
			c.ended++
		}
		if err := lose(t, log[:n], n == len(log), rand.New(rand.NewPCG(r.Uint64(), 0)), filepath.Join(t.Dir, fmt.Sprint("lost", i))); err != nil {
			c.failures++
			fmt.Fprintf(os.Stderr, "%s, order %d, after %s %s (call %d of %d): %v\n", t.Work.Name, i, log[n-1].Name, log[n-1].Path, n, len(log), err)
		}
	}
	return c, changes, nil
}

// changes reports whether a call changes what is there or what is synced.
func (d done) changes() bool {
	switch d.Name {
	case "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "mkdirat", "unlinkat", "renameat", "renameat2":
		return true
	}
	return d.Name == "openat" && d.Flags&(syscall.O_CREAT|syscall.O_TRUNC) != 0
}

// lose does calls again, takes the power away, and goes on. Once a run has ended, its files are there whatever happens.
func lose(t *campaign.Trial, log []done, ended bool, r *rand.Rand, to string) error {
	d, err := read(t.Base())
	if err != nil {
		return err
	}
	for _, call := range log {
		if err := d.do(call.Call, call.result); err != nil {
			return err
		}
	}
	if err := d.lose(r, to); err != nil {
		return err
	}
	defer os.RemoveAll(to)
	// Of files that grow by lines the last may be torn; what goes on drops it.
	if err := campaign.Readable(to, ".jsonl"); err != nil {
		return err
	}
	if ended {
		files, err := campaign.Contents(to)
		if err != nil {
			return err
		}
		if err := campaign.Compare(t.Whole, files); err != nil {
			return fmt.Errorf("the run had ended, but %w", err)
		}
	}
	return t.Again(to)
}
