// Command kill kills viz at random moments, runs it again until it ends, and compares the files with those of a run that
// was left alone. After each kill every file must be readable. It counts tries and failures.
//
//	go run ./internal/campaign/kill -kills 500
package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/deconvnet/viz/internal/campaign"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == campaign.GetArgument {
		os.Exit(campaign.Get(os.Args[2:]))
	}
	kills := flag.Int("kills", 100, "kills in all, the same number for each command")
	seed := flag.Uint64("seed", 1, "of the moments")
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	only := flag.String("only", "", "one command")
	flag.Parse()
	campaign.Main("kill", *program, func(dir, viz string) error { return all(dir, viz, *only, *seed, *kills) })
}

// works are commands that are given again after each kill.
var works = []campaign.Work{
	{Name: "train", Args: "train --limit 300 --width 0.2 --batch 20 --steps 60 --checkpoint-every 10 --keep-checkpoints --quiet --out out/ckpt.bin",
		Resume: "train --resume out/ckpt.bin --keep-checkpoints --quiet", After: "out/ckpt.bin", Whole: true},
	{Name: "features", Args: "features --model shapes --images pictures --layers all --quiet --out out/f.idx"},
	{Name: "occlude", Args: "occlude --model shapes --quiet --out out pictures", Resume: "--resume"},
	{Name: "attribute", Args: "attribute --model shapes --method ig --quiet --out out pictures", Resume: "--resume"},
	{Name: "sanity", Args: "sanity --model shapes --method saliency,gradcam --limit 3 --quiet --out out pictures", Resume: "--resume"},
	{Name: "trials", Args: "trials --list list.yaml --data grey --evals 2 --out out"},
	{Name: "ablate", Args: "ablate --arch lenet5 --width 0.1 --data grey --steps 8 --batch 20 --evals 2 --variant wide:conv1*2 --out out"},
	{Name: "rnn", Args: "rnn --data grey --hidden 4,6 --cells rnn,gru --steps 12 --batch 20 --evals 2 --steps-only --out out"},
	{Name: "import", Args: "import --quiet --out out/net.bin net.onnx"},
	{Name: "export", Args: "export --onnx --quiet --model shapes --out out/net.onnx", Resume: "--force", After: "out/net.onnx"},
	{Name: "data get", Args: campaign.GetArgument + " out slowly", Own: true},
}

// count is what became of a command.
type count struct {
	tries, failures int
	kept            int // files that are the same after every run
}

func all(dir, program, only string, seed uint64, kills int) error {
	each := (kills + len(works) - 1) / len(works)
	if only != "" {
		each = kills
	}
	failures, tries := 0, 0
	fmt.Printf("seed %d\n\n| command | kills | files compared | failures |\n| --- | ---: | ---: | ---: |\n", seed)
	for i, w := range works {
		if only != "" && only != w.Name {
			continue
		}
		c, err := try(w, program, filepath.Join(dir, w.Name), rand.New(rand.NewPCG(seed, uint64(i))), each)
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		fmt.Printf("| %s | %d | %d | %d |\n", w.Name, c.tries, c.kept, c.failures)
		failures, tries = failures+c.failures, tries+c.tries
	}
	fmt.Printf("| all | %d | | %d |\n", tries, failures)
	if failures > 0 {
		return fmt.Errorf("%d failures", failures)
	}
	return nil
}

// try kills a command so often. Files that differ between two runs that were left alone, since they hold times, are
// not compared.
func try(w campaign.Work, program, dir string, r *rand.Rand, kills int) (count, error) {
	c := count{}
	var whole map[string]string
	longest := time.Duration(0)
	for i := range 2 {
		at := filepath.Join(dir, fmt.Sprint("whole", i))
		if err := campaign.Inputs(at, program, 24, 200, 12); err != nil {
			return c, err
		}
		start := time.Now()
		if out, err := run(w, program, at, 0); err != nil {
			return c, fmt.Errorf("%w\n%s", err, out)
		}
		longest = max(longest, time.Since(start))
		files, err := campaign.Hashes(filepath.Join(at, "out"))
		if err != nil {
			return c, err
		}
		for name, hash := range files {
			if i == 1 && whole[name] != hash {
				whole[name] = "" // it holds times
			}
		}
		if i == 0 {
			whole = files
		}
	}
	for _, hash := range whole {
		if hash != "" {
			c.kept++
		}
	}
	for c.tries < kills {
		at := filepath.Join(dir, fmt.Sprint("killed", c.tries))
		if err := campaign.Inputs(at, program, 24, 200, 12); err != nil {
			return c, err
		}
		for range 1 + r.IntN(4) { // kills of one run
			moment := time.Duration(r.Float64() * float64(longest))
			run(w, program, at, moment)
			c.tries++
			if err := campaign.Readable(filepath.Join(at, "out")); err != nil {
				c.failures++
				fmt.Fprintf(os.Stderr, "%s, killed after %v: %v\n", w.Name, moment, err)
			}
		}
		out, err := run(w, program, at, 0)
		if err == nil {
			err = compare(at, whole)
		}
		if err != nil {
			c.failures++
			fmt.Fprintf(os.Stderr, "%s: %v\n%s\n", w.Name, err, out)
		} else {
			os.RemoveAll(at)
		}
	}
	return c, nil
}

// run runs the command in a folder, as it goes on there, and kills it after a while unless that is 0.
func run(w campaign.Work, program, dir string, moment time.Duration) ([]byte, error) {
	if w.Own {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		program = self
	}
	cmd := exec.Command(program, w.Words(dir, true)...)
	cmd.Dir = dir
	if moment == 0 {
		out, err := cmd.CombinedOutput()
		if bytes.Contains(out, []byte("nothing is left to do")) {
			err = nil // it ended before it was killed
		}
		return out, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	timer := time.AfterFunc(moment, func() { cmd.Process.Kill() })
	defer timer.Stop()
	return nil, cmd.Wait()
}

// compare looks for files that are missing, different, or left over.
func compare(dir string, whole map[string]string) error {
	files, err := campaign.Hashes(filepath.Join(dir, "out"))
	if err != nil {
		return err
	}
	if err = campaign.Compare(whole, files); err == nil {
		err = campaign.LeftOver(whole, files)
	}
	if err != nil {
		return fmt.Errorf("%w in %s", err, dir)
	}
	return nil
}
