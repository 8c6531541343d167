// Command fuzz runs every fuzz target of the module in turn, each for the same part of the time, and counts executions
// and failures. What it counted is added to a file, of which it prints the sums.
//
//	go run ./internal/campaign/fuzz -for 10m
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	all := flag.Duration("for", 10*time.Minute, "time in all, the same for each target")
	only := flag.String("run", "", "only targets whose package and name match this expression")
	workers := flag.Int("parallel", 1, "inputs tried at a time")
	record := flag.String("record", "docs/results/fuzz.csv", "file that keeps the counts; empty: none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := campaign(ctx, *all, *only, *workers, *record); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func campaign(ctx context.Context, all time.Duration, only string, workers int, record string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	list, err := targets(ctx, match)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("no target matches %q", only)
	}
	counts, err := readCounts(record)
	if err != nil {
		return err
	}
	each := max(all/time.Duration(len(list)), time.Second).Round(time.Second)
	fmt.Printf("%d targets, %v each\n", len(list), each)
	failures := 0
	for _, t := range list {
		if ctx.Err() != nil {
			break
		}
		c, said, err := t.fuzz(ctx, each, workers)
		if err != nil {
			return err
		}
		fmt.Printf("%-45s %10d executions, %5d new inputs, %d failures\n", t.String(), c.executions, c.interesting, c.failures)
		if c.failures > 0 {
			failures++
			fmt.Println(said)
		}
		counts.add(c)
		if record != "" {
			if err := counts.write(record); err != nil {
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

// target is a fuzz target of a package.
type target struct{ module, pkg, name string }

func (t target) String() string {
	return strings.TrimPrefix(strings.TrimPrefix(t.pkg, t.module), "/") + "." + t.name
}

var declared = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// targets lists those of all packages.
func targets(ctx context.Context, match *regexp.Regexp) (list []target, err error) {
	out, err := output(ctx, "go", "list", "-f", `{{$m := .Module.Path}}{{$p := .}}{{range .TestGoFiles}}{{$m}} {{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$m}} {{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}`, "./...")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(f) < 3 {
			continue
		}
		text, err := os.ReadFile(f[2])
		if err != nil {
			return nil, err
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			if t := (target{f[0], f[1], m[1]}); match.MatchString(t.String()) {
				list = append(list, t)
			}
		}
	}
	return list, nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, exit.Stderr)
	}
	return string(out), err
}

var progress = regexp.MustCompile(`execs: (\d+) .*new interesting: (\d+)`)

// fuzz runs the target. said is what go test printed.
func (t target) fuzz(ctx context.Context, each time.Duration, workers int) (c count, said string, err error) {
	ctx, stop := context.WithTimeout(ctx, each+3*time.Minute) // the package may have to be built; a hang is a failure
	defer stop()
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", each.String(), "-fuzzminimizetime", "20x", "-parallel", fmt.Sprint(workers), t.pkg)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	said = string(out)
	c = count{date: time.Now().Format(time.DateOnly), tree: tree(ctx), target: t.String(), seconds: int(each.Seconds())}
	for _, m := range progress.FindAllStringSubmatch(said, -1) {
		fmt.Sscan(m[1], &c.executions)
		fmt.Sscan(m[2], &c.interesting)
	}
	switch {
	case err == nil:
	case c.executions == 0 && !strings.Contains(said, "--- FAIL"):
		return c, said, fmt.Errorf("%s: %w\n%s", t, err, said)
	case errors.Is(ctx.Err(), context.Canceled), strings.Contains(said, "\nok  "): // interrupted, or late on a busy machine
	default:
		c.failures = 1
	}
	return c, said, nil
}

// tree is the commit that is tried, with a plus if files differ from it.
func tree(ctx context.Context) string {
	commit, err := output(ctx, "git", "rev-parse", "--short", "HEAD")
	if err != nil {
		return "unknown"
	}
	commit = strings.TrimSpace(commit)
	if changed, err := output(ctx, "git", "status", "--porcelain", "--untracked-files=no", "--", "*.go"); err == nil && changed != "" {
		commit += "+"
	}
	return commit
}
