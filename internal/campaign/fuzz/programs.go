package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/deconvnet/viz/internal/hostile"
)

// way is how inputs come about.
type way string

const (
	guided way = "guided" // by go test -fuzz: what reaches code that others did not is kept, and changed
	drawn  way = "drawn"  // the targets' own inputs and those kept are changed, in this process, without looking at what they reach
)

// programs are the test programs of packages, built once.
type programs struct {
	request
	way          way
	tree         string
	folder, kept string // kept: where go test keeps inputs
}

func newPrograms(ctx context.Context, r request) (*programs, error) {
	cache, err := output(ctx, "go", "env", "GOCACHE")
	if err != nil {
		return nil, err
	}
	p := &programs{request: r, way: guided, tree: tree(ctx), kept: filepath.Join(strings.TrimSpace(cache), "fuzz")}
	if r.drawn {
		p.way = drawn
	}
	if r.programs == "" {
		p.folder, err = os.MkdirTemp("", "viz-fuzz-")
		return p, err
	}
	p.folder = filepath.Join(r.programs, p.tree+"-"+string(p.way))
	if !committed(p.tree) {
		os.RemoveAll(p.folder)
	}
	return p, os.MkdirAll(p.folder, 0o777)
}

func (p *programs) remove() {
	if p.programs == "" {
		os.RemoveAll(p.folder)
	}
}

// build builds the tests of the target's package, if they are not there.
func (p *programs) build(ctx context.Context, t target) (program string, err error) {
	program = filepath.Join(p.folder, strings.ReplaceAll(t.pkg, "/", "-")+".test")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	args := []string{"test", "-c", "-o", program}
	if p.way == guided {
		args = append(args, "-fuzz", ".") // reports what code is reached
	}
	_, err = output(ctx, "go", append(args, t.pkg)...)
	return program, err
}

var (
	progress = regexp.MustCompile(`execs: (\d+) .*new interesting: (\d+)`)
	tried    = regexp.MustCompile(`(?m)^tried (\d+)$`)
)

// fuzz runs the target; inputs that are drawn have numbers from first on. said is what it printed.
func (p *programs) fuzz(ctx context.Context, t target, each time.Duration, first int) (c count, said string, err error) {
	c = count{date: time.Now().Format(time.DateOnly), tree: p.tree, target: t.String(), way: p.way, seconds: int(each.Seconds())}
	program, err := p.build(ctx, t)
	if err != nil {
		return c, "", err
	}
	name, kept := "^"+t.name+"$", filepath.Join(p.kept, t.pkg)
	var ok bool
	if p.way == drawn {
		plan := hostile.Plan{Seed: p.seed, From: first, For: each, Corpus: filepath.Join(kept, t.name)}
		said, ok = p.run(ctx, t, each, plan, program, "-test.run", name, "-test.timeout", "0")
		for _, m := range tried.FindAllStringSubmatch(said, -1) {
			fmt.Sscan(m[1], &c.executions)
		}
		if !ok && ctx.Err() == nil && !strings.Contains(said, "--- FAIL") { // the process died: each input of the last moment is tried alone
			plan.From, plan.Careful = plan.From+c.executions, true
			again, _ := p.run(ctx, t, each, plan, program, "-test.run", name, "-test.timeout", "0")
			said += "\nonce more from there, an input at a time; that which is left in testdata did it:\n" + again
		}
	} else {
		said, ok = p.run(ctx, t, each, hostile.Plan{}, program, "-test.run", "^$", "-test.fuzz", name, "-test.fuzztime", each.String(), "-test.fuzzminimizetime", "20x", "-test.parallel", fmt.Sprint(p.workers), "-test.fuzzcachedir", kept)
		for _, m := range progress.FindAllStringSubmatch(said, -1) {
			fmt.Sscan(m[1], &c.executions)
			fmt.Sscan(m[2], &c.interesting)
		}
	}
	if !ok && ctx.Err() == nil && !strings.HasSuffix(strings.TrimSpace(said), "PASS") { // which is late on a busy machine
		c.failures = 1
	}
	return c, said, nil
}

// run runs a test program in its package's folder. ok: it said that all is well.
func (p *programs) run(ctx context.Context, t target, each time.Duration, plan hostile.Plan, program string, args ...string) (said string, ok bool) {
	ctx, stop := context.WithTimeout(ctx, 2*each+time.Minute) // a hang is a failure
	defer stop()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = t.folder
	cmd.Env = os.Environ()
	if p.way == drawn {
		cmd.Env = append(cmd.Env, hostile.Variable+"="+plan.String(), "GOGC=2000")
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		out = fmt.Appendf(out, "\nno end after %v", 2*each+time.Minute)
	}
	return string(out), err == nil
}
