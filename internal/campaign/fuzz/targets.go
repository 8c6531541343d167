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
)

// target is a fuzz target of a package.
type target struct{ module, pkg, folder, name string }

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
		if len(f) < 3 || strings.HasSuffix(f[1], "/internal/hostile") { // whose target reads nothing
			continue
		}
		text, err := os.ReadFile(f[2])
		if err != nil {
			return nil, err
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			if t := (target{f[0], f[1], filepath.Dir(f[2]), m[1]}); match.MatchString(t.String()) {
				list = append(list, t)
			}
		}
	}
	return list, nil
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

// committed reports whether a tree is a commit and nothing else.
func committed(tree string) bool { return tree != "unknown" && !strings.HasSuffix(tree, "+") }

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, exit.Stderr)
	}
	return string(out), err
}
