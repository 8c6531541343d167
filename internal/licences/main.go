// Command licences lists the modules that viz and its tests are built of: version, licence as read from the module's
// own files, and for a module without a release since 2024 a sentence why it is used. It fails if a licence is not
// known, or a sentence is missing.
//
//	go run ./internal/licences > docs/licences.md
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	modules, err := list(".")
	var text string
	if err == nil {
		text, err = table(modules)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
	fmt.Print(text)
}

// module is what go list says of one.
type module struct {
	Path, Version, Dir string
	Time               time.Time
	Main               bool
}

// list are the modules whose packages are built in the module at dir, for Linux, and whether the program has them.
func list(dir string) (map[module]bool, error) {
	found := map[module]bool{}
	for _, args := range [][]string{{"-test", "./..."}, {"./cmd/viz"}} {
		cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Module"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for d := json.NewDecoder(strings.NewReader(string(out))); ; {
			var p struct{ Module *module }
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if p.Module != nil && !p.Module.Main {
				found[*p.Module] = args[0] != "-test"
			}
		}
	}
	return found, nil
}

// kinds are licences and words that only they have.
var kinds = []struct{ name, words string }{
	{"Apache 2.0", "Apache License Version 2.0"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"CC BY 4.0", "Creative Commons Attribution 4.0 International"},
	{"FreeType or GPL 2", "The FreeType License, which is similar to the original BSD license"},
	{"SIL OFL 1.1", "SIL OPEN FONT LICENSE Version 1.1"},
	{"BSD 3-clause", "Neither the name of"},
	{"BSD 2-clause", "Redistributions in binary form must reproduce"},
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying)`)
	spaces      = regexp.MustCompile(`[\s#*>]+`)
)

// licences reads the licence files of a module.
func licences(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if name := licence(string(b)); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no licence that is known")
	}
	return names, nil
}

// licence names a licence by its words, "" if it is not known.
func licence(text string) string {
	text = strings.ToLower(spaces.ReplaceAllString(text, " "))
	for _, k := range kinds {
		if strings.Contains(text, strings.ToLower(k.words)) {
			return k.name
		}
	}
	return ""
}

// current is the day since which a module has a release, or needs a sentence.
var current = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// table is the document.
func table(modules map[module]bool) (string, error) {
	var b, old strings.Builder
	b.WriteString("# Licences\n\nThe modules that viz and its tests are built of. Made by `go run ./internal/licences > docs/licences.md`.\n\n" +
		"| module | version | licence | in |\n| --- | --- | --- | --- |\n")
	var sorted []module
	for m := range modules {
		sorted = append(sorted, m)
	}
	slices.SortFunc(sorted, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	var errs []error
	for _, m := range sorted {
		names, err := licences(m.Dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.Path, err))
		}
		in := "tests"
		if modules[m] {
			in = "program"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Path, m.Version, strings.Join(names, ", "), in)
		why, told := reasons[m.Path]
		switch {
		case m.Time.Before(current) && !told:
			errs = append(errs, fmt.Errorf("%s %s is of %s, and no sentence says why it is used", m.Path, m.Version, m.Time.Format("2006")))
		case m.Time.Before(current):
			fmt.Fprintf(&old, "| %s | %d | %s |\n", m.Path, m.Time.Year(), why)
		}
	}
	fmt.Fprintf(&b, "\n## Without a release since 2024\n\n| module | year | why it is used |\n| --- | ---: | --- |\n%s", old.String())
	return b.String(), errors.Join(errs...)
}
