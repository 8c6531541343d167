package cmdline

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/view"
)

// FuzzArgs: command lines of a small program, an argument a line. It runs, or says what is wrong in words that a terminal
// does nothing with; where flags stand does not matter.
func FuzzArgs(f *testing.F) {
	for _, args := range []string{"try", "try\n--patch\n4x5\na\n--top\n9\nb\n--fast", "--top\n4\ntry", "try\n--\n--top", "try\n-q\n--name=a,b\n--name\nc", "try\n--patch", "\x1b[31m", "try\n--top=\x1b]0;x\a",
		"help\ntry", "try\n--help", "try\n--top\n99999999999999999999", "try\n-\n--=\n---\n-=", "--generate-bash-completion"} {
		f.Add(args)
	}
	hostile.Fuzz(f, func(t testing.TB, text string) {
		if strings.ContainsRune(text, 0) {
			return // no argument has it
		}
		args := strings.Split(text, "\n")
		var got string
		run := func(args []string) (string, string, int) {
			got = ""
			var size [2]int
			var names []string
			var top int
			var fast bool
			return program(Command{Name: "try", Args: "[FILE...]", Fields: view.Fields{
				view.PairField(view.Field{Name: "patch", Was: []string{"size"}}, &size), view.LinesField(view.Field{Name: "name"}, &names),
				view.IntField(view.Field{Name: "top", Default: "3"}, &top, 1), view.SwitchField(view.Field{Name: "fast"}, &fast)},
				Do: func(c *Run) error {
					got = fmt.Sprintf("%v %q %v %v %q", size, names, top, fast, c.Args)
					return nil
				}}, args...)
		}
		var stderr string
		var code int
		hostile.Read(t, len(text), func() error { _, stderr, code = run(args); return nil })
		if code != 0 && code != 1 && code != 2 || code != 0 && (stderr == "" || got != "") {
			t.Fatalf("%q: code %d, %q, %s", args, code, stderr, got)
		}
		if !utf8.ValidString(stderr) || strings.ContainsFunc(stderr, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Fatalf("%q prints %q", args, stderr)
		}
		if first := got; first != "" && !slices.Contains(args, "--") && args[0] == "try" {
			if run(slices.Concat(args, []string{"--fast"})); got != first && !strings.Contains(first, " false [") && !strings.Contains(strings.Join(args, " "), "fast") {
				t.Fatalf("%q: %s, and with one more flag %s", args, first, got)
			}
		}
	})
}

// FuzzKept: whole lines that viz wrote are kept, and what a killed process left behind them is cut off.
func FuzzKept(f *testing.F) {
	f.Add([]byte("{\"key\":\"a\",\"part\":1}\n{\"key\":\"b\",\"part\":[2]}\n{\"key\":\"c"))
	f.Add([]byte("{}\n"))
	f.Add([]byte("no JSON"))
	hostile.Fuzz(f, func(t testing.TB, text []byte) {
		var parts map[string][]byte
		var whole int
		var ours bool
		hostile.ReadWithin(t, len(text), hostile.Memory(len(text))+200*len(text), func() error { parts, whole, ours = keptParts(text); return nil })
		if whole > len(text) || whole > 0 && (!ours || text[whole-1] != '\n') || len(parts) > strings.Count(string(text), "\n") {
			t.Fatalf("%d parts in %d of %d bytes, ours: %v", len(parts), whole, len(text), ours)
		}
		for key, part := range parts {
			if key == "" || !json.Valid(part) && part != nil {
				t.Fatalf("part %q is %q", key, part)
			}
		}
		if again, n, _ := keptParts(text[:whole]); n != whole || len(again) != len(parts) {
			t.Fatalf("%d parts in %d bytes, then %d in %d", len(parts), whole, len(again), n)
		}
	})
}

// FuzzPlain: nothing reaches a terminal but text, whatever names hold.
func FuzzPlain(f *testing.F) {
	f.Add("a\x1b[31m\u0085\u202e\xff é\t\n")
	hostile.Fuzz(f, func(t testing.TB, text string) {
		out := Plain(text)
		if !utf8.ValidString(out) || strings.ContainsFunc(out, acts) || Plain(out) != out {
			t.Fatalf("%q is printed as %q", text, out)
		}
		if cell := csvRow([]string{text})[0]; formula(cell) {
			t.Fatalf("%q is %q in a table", text, cell)
		}
	})
}
