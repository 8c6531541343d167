package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/deconvnet/viz/internal/imageio"
)

// wrong lists what is wrong with a result. plain is that of names that do nothing.
func (r *result) wrong(plain *result) (out []string) {
	add := func(where string, err error) {
		if err != nil {
			out = append(out, where+": "+err.Error())
		}
	}
	if bytes.Contains(r.stderr, []byte("goroutine ")) || r.code != 0 && r.code != 1 && r.code != 2 {
		add("exit code "+fmt.Sprint(r.code), fmt.Errorf("%s", r.stderr))
	}
	if r.code != 0 && !bytes.Contains(r.stderr, []byte("viz: error: ")) {
		add("stderr", fmt.Errorf("says no error: %q", r.stderr))
	}
	add("stdout", harmless(r.stdout))
	add("stderr", harmless(r.stderr))
	for line := range bytes.Lines(r.stderr) {
		if bytes.HasPrefix(line, []byte("viz: hint: run rm")) {
			add("stderr", fmt.Errorf("a name is a message of its own"))
		}
	}
	if len(r.stdout) > 0 && (r.stdout[0] == '{' || r.stdout[0] == '[') && !json.Valid(r.stdout) {
		add("stdout", fmt.Errorf("is no JSON"))
	}
	pages := map[string]int{}
	for name, content := range r.files {
		for _, part := range strings.Split(name, string(filepath.Separator)) {
			if len(part) > 255 || harmless([]byte(part)) != nil || strings.Contains(part, "\n") {
				add("file", fmt.Errorf("name %q", part))
			}
		}
		switch filepath.Ext(name) {
		case ".html":
			for _, tag := range tags(content) {
				pages[tag]++
			}
		case ".csv":
			add(name, table(content))
		case ".json":
			if !json.Valid(content) {
				add(name, fmt.Errorf("is no JSON"))
			}
		case ".png":
			add(name, notes(content))
		}
	}
	add("pages", sameTags(plain, pages, r.code == plain.code))
	slices.Sort(out)
	return out
}

// harmless looks for what a terminal would act on.
func harmless(text []byte) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("is no UTF-8: %q", text)
	}
	for _, r := range string(text) {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return fmt.Errorf("has %q in it: %q", r, text)
		}
	}
	return nil
}

// table looks for cells that a spreadsheet would compute.
func table(content []byte) error {
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	for _, row := range rows {
		for _, cell := range row {
			if cell == "" || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				continue
			}
			if _, err := strconv.ParseFloat(cell, 64); err != nil {
				return fmt.Errorf("cell %q is a formula", cell)
			}
		}
	}
	return err
}

// notes reads the text of a picture.
func notes(content []byte) error {
	f, err := os.CreateTemp("", "names*.png")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	text, err := imageio.ReadText(f.Name())
	if err == nil && len(text) == 0 {
		err = fmt.Errorf("has no notes")
	}
	return err
}

var (
	tag       = regexp.MustCompile(`(?s)<!--.*?-->|<(/?[a-zA-Z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>`)
	attribute = regexp.MustCompile(`(?s)([^\s"'=<>/]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?`)
	raw       = regexp.MustCompile(`(?s)(<(?:script|style)\b[^>]*>).*?(</(?:script|style)\b)`)
	address   = regexp.MustCompile(`(?i)^["']?\s*(javascript|vbscript|data:text)`)
)

// tags are the elements of a page with the names of their attributes. An address that runs something is one, too.
func tags(page []byte) (out []string) {
	for _, m := range tag.FindAllSubmatch(raw.ReplaceAll(page, []byte("$1$2")), -1) {
		text := strings.ToLower(string(m[1]))
		for _, a := range attribute.FindAllSubmatch(m[2], -1) {
			text += " " + strings.ToLower(string(a[1]))
			if address.Match(a[2]) {
				text += "=RUNS"
			}
		}
		out = append(out, text)
	}
	return out
}

// sameTags reports elements that the pages of names that do nothing do not have, or not as often.
func sameTags(plain *result, pages map[string]int, count bool) error {
	before := map[string]int{}
	for name, content := range plain.files {
		if filepath.Ext(name) == ".html" {
			for _, t := range tags(content) {
				before[t]++
			}
		}
	}
	for t, n := range pages {
		switch {
		case before[t] == 0:
			return fmt.Errorf("element %q comes from a name", t)
		case count && strings.HasPrefix(t, "script") && before[t] != n:
			return fmt.Errorf("element %q is there %d times, not %d", t, n, before[t])
		}
	}
	return nil
}
