package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/cmdline"
)

// TestDocs: every command stands in docs/commands.md, and every command line in the documentation is of a command
// that there is, with flags that it has.
func TestDocs(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split(string(text), "```") {
			pattern := "`viz ([^`\n]+)`"
			if i%2 == 1 { // a block of code
				pattern = "(?m)^(?:\\$ )?viz ([^\n]+)$"
			}
			for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(part, -1) {
				lines++
				documented(t, filepath.Base(file), strings.Fields(strings.ReplaceAll(m[1], ",", " ")))
			}
		}
		if filepath.Base(file) != "commands.md" {
			continue
		}
		for _, d := range commands() {
			if !strings.Contains(string(text), "`viz "+d.Name) && !strings.Contains(string(text), "`"+d.Name+"`") {
				t.Errorf("%s does not say what viz %s does", file, d.Name)
			}
		}
	}
	if lines < 50 {
		t.Errorf("only %d command lines were found in the documentation", lines)
	}
}

// documented checks a command line.
func documented(t *testing.T, file string, words []string) {
	list := commands()
	var d *cmdline.Command
	for len(words) > 0 {
		i := slices.IndexFunc(list, func(d cmdline.Command) bool { return d.Name == words[0] })
		if i < 0 {
			break
		}
		d, list, words = &list[i], list[i].Commands, words[1:]
	}
	if d == nil {
		if len(words) > 0 && !slices.Contains([]string{"COMMAND", "version", "man", "completion"}, words[0]) {
			t.Errorf("%s: there is no command viz %s", file, words[0])
		}
		return
	}
	settings := d.Settings()
	for _, word := range words {
		name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if strings.HasPrefix(word, "--") && name != "" && name != "help" && settings.Named(name) == nil {
			t.Errorf("%s: viz %s has no flag %s", file, d.Name, word)
		}
	}
}

// TestExamples: the examples of a command's help have flags that it has.
func TestExamples(t *testing.T) {
	var try func([]cmdline.Command)
	try = func(list []cmdline.Command) {
		for _, d := range list {
			for _, line := range d.Examples {
				documented(t, "help of viz "+d.Name, strings.Fields(line)[1:])
			}
			if len(d.Examples) == 0 && d.Do != nil {
				t.Errorf("viz %s has no examples", d.Name)
			}
			try(d.Commands)
		}
	}
	try(commands())
}
