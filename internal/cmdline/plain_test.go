package cmdline

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"tabby, café 猫":             "tabby, café 猫",
		"two\nlines\tand a tab":     "two\nlines\tand a tab",
		"\x1b[31mred\x1b[0m":        `\x1b[31mred\x1b[0m`,
		"bell\a, del\x7f, c1\u009b": `bell\a, del\x7f, c1\u009b`,
		"over\rwritten":             `over\rwritten`,
		"bad \xff\xfe bytes":        `bad \xff\xfe bytes`,
		"turned \u202e round":       `turned \u202e round`,
		"":                          "",
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestNamesAreData: what comes from a file does nothing in a terminal, a table or a spreadsheet.
func TestNamesAreData(t *testing.T) {
	name := "=cmd|' /C calc'!A1\x1b]0;owned\a\nnext"
	var out, err bytes.Buffer
	c := &Run{Common: &Common{}, Stdout: &out, Stderr: &err}
	c.Note("class %s", name)
	c.Warn("class %s", name)
	c.Wrote("dir/" + name)
	if e := c.PrintRows([][]string{{"a", name}}); e != nil {
		t.Fatal(e)
	}
	for _, text := range []string{out.String(), err.String()} {
		if strings.ContainsAny(text, "\x1b\a") || !strings.Contains(text, `\x1b]0;owned\a`) {
			t.Errorf("%q", text)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines: %q", n, out.String())
	}
	for line := range strings.Lines(err.String()) {
		if !strings.HasPrefix(line, "viz: ") && !strings.HasPrefix(line, "     ") {
			t.Errorf("a name makes a line of its own: %q", line)
		}
	}
	text, e := encodeCSV([]string{"name", "value", "", "sign"}, [][]string{{name, "-0.5", "", "-x"}, {"@sum", "+1e3", "NaN", "-Inf"}})
	if e != nil {
		t.Fatal(e)
	}
	lines := strings.Split(string(text), "\n")
	if !strings.HasPrefix(lines[1], `"'=cmd`) || !strings.HasSuffix(lines[2], "-0.5,,'-x") && !strings.Contains(string(text), ",-0.5,,'-x") || !slices.Contains(lines, "'@sum,+1e3,NaN,-Inf") {
		t.Errorf("%s", text)
	}
}

// TestLongMessage: of a message that a file makes endless the beginning and the end are printed.
func TestLongMessage(t *testing.T) {
	got := said("viz: " + strings.Repeat("é", 1<<20) + " is too long")
	if len(got) > mostSaid+100 || !strings.HasPrefix(got, "viz: é") || !strings.HasSuffix(got, "é is too long") || !strings.Contains(got, "bytes more") {
		t.Errorf("%d bytes: %.100q", len(got), got)
	}
	if text := "cannot open " + strings.Repeat("n", 4096); said(text) != text {
		t.Error("a long name is cut")
	}
}
