package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/model"
)

// tryBounded runs it, and again with what is asked for if it is refused.
func (r *run) tryBounded(program string) (refused bool, peak int, err error) {
	memory := r.Bound / 1_000_000
	const tries = 3 // a file that is too large is refused before it is known what else is needed
	for again := range tries {
		bound := fmt.Sprintf("--memory %dM", memory)
		cmd := exec.Command(program, r.Args...)
		if r.By == byVariable {
			bound = fmt.Sprintf("GOMEMLIMIT=%d", memory*1_000_000)
			cmd.Env = append(os.Environ(), bound)
		} else {
			cmd.Args = append(cmd.Args, strings.Fields(bound)...)
			cmd.Env = append(os.Environ(), "GOMEMLIMIT=off")
		}
		end, err := campaign.RunWithin(cmd, 20*time.Minute)
		if err != nil {
			return false, 0, err
		}
		peak = campaign.PeakBytes(end.State)
		if peak > memory*1_000_000 {
			return false, peak, fmt.Errorf("%s: the process had %d MB", bound, peak/1_000_000)
		}
		if end.Code() == 0 {
			return again > 0, peak, nil
		}
		least := regexp.MustCompile(`hint: --memory (\d+)M`).FindSubmatch(end.Stderr)
		if again == tries-1 || end.Code() != 2 || least == nil {
			return false, peak, fmt.Errorf("%s: %v: %s", bound, end.State, end.Stderr)
		}
		next, _ := strconv.Atoi(string(least[1]))
		if next <= memory {
			return false, peak, fmt.Errorf("%s is refused, and %dM asked for", bound, next)
		}
		memory = next
	}
	return true, peak, nil
}

// drawBounded makes the network and the pictures of a run with a bound.
func (p plan) drawBounded(root string) (*run, error) {
	rng := rand.New(rand.NewPCG(p.Seed, 18))
	dir, err := os.MkdirTemp(root, "run")
	if err != nil {
		return nil, err
	}
	r := &run{Dir: dir, Bound: 1_000_000 * int(60*math.Pow(10, rng.Float64()))}
	if rng.IntN(8) == 0 {
		r.By = byVariable
	}
	net, err := p.network(rng)
	if err != nil {
		return nil, err
	}
	size := net.Input.H
	file := filepath.Join(dir, "net.bin")
	if err := model.Save(file, net, nil); err != nil {
		return nil, err
	}
	var files []string
	for i := range 1 + rng.IntN(3) {
		f, err := picture(dir, i, size, p.pixels(rng), rng)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	workers := strconv.Itoa(1 + rng.IntN(8))
	switch k := rng.IntN(12); {
	case k == 0:
		r.Args = []string{"explain", "--nodes", strconv.Itoa(1 + rng.IntN(40))}
		files = files[:1]
	case k < 5:
		methods := attribution.Methods()
		r.Args = []string{"attribute", "--method", string(methods[rng.IntN(len(methods))])}
	default:
		patch := 1 + rng.IntN(size/2)
		stride := max(size/(3+rng.IntN(6)), 1)
		r.Args = []string{"occlude", "--patch", strconv.Itoa(patch), "--stride", strconv.Itoa(stride), "--method", []string{"fast", "box", "brute"}[rng.IntN(3)]}
		if rng.IntN(2) == 0 {
			r.Args = append(r.Args, "--batch", strconv.Itoa(1+rng.IntN(64)))
		}
	}
	r.Args = append(r.Args, "--quiet", "--model", file, "--workers", workers, "--out", filepath.Join(dir, "out"))
	r.Args = append(r.Args, files...)
	r.Name = r.Args[0]
	return r, nil
}
