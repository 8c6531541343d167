package cmdline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/view"
)

// program runs one command line of a small program, and returns what it printed.
func program(d Command, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	p := Program{Name: "viz", Usage: "be tried", Version: "1", Commands: []Command{d}}
	code = p.Main(context.Background(), append([]string{"viz"}, args...), &out, &errs)
	return out.String(), errs.String(), code
}

// TestCommand: settings get what the command line says, or their defaults, wherever flags stand.
func TestCommand(t *testing.T) {
	var r struct {
		size  [2]int
		layer []string
		names []string
		top   int
		fast  bool
	}
	command := func() Command {
		r.size, r.layer, r.names, r.top, r.fast = [2]int{}, nil, nil, 0, false
		return Command{Name: "try", Args: "[FILE...]", Flags: Data | Limit | JSON,
			Change: view.Fields{{Name: "limit", Default: "7"}, {Name: "data", Otherwise: "what is there"}},
			Fields: view.Fields{
				view.PairField(view.Field{Name: "patch", Was: []string{"size"}}, &r.size),
				view.LayersField(view.Field{Name: "layer"}, &r.layer, view.ParseLayers),
				view.LinesField(view.Field{Name: "name"}, &r.names),
				view.IntField(view.Field{Name: "top", Default: "3"}, &r.top, 1),
				view.SwitchField(view.Field{Name: "fast"}, &r.fast),
				view.SwitchField(view.Field{Name: "old", Hidden: true}, new(bool)),
			},
			Do: func(c *Run) error {
				net, err := builtin.Load("shapes")
				if err == nil {
					err = c.Settle(net)
				}
				fmt.Fprintln(c.Stdout, r.size, r.layer, r.names, r.top, r.fast, c.Limit, c.Data, c.JSON, c.Quiet, c.Given("top"), c.Args)
				return err
			}}
	}
	for _, c := range []struct{ args, want string }{
		{"try", "[0 0] [] [] 3 false 7  false false false []"},
		{"try --patch 4x5 a --top 9 b --fast --limit 0", "[4 5] [] [] 9 true 0  false false true [a b]"},
		{"try --layers 1,fc1 --name a,b --name c -q --json", "[0 0] [relu1 fc1] [a,b c] 3 false 7  true true false []"},
		{"try -l conv2 --data=x -- --top", "[0 0] [conv2] [] 3 false 7 x false false false [--top]"},
		{"--top 4 try", "[0 0] [] [] 4 false 7  false false true []"},
	} {
		if out, stderr, code := program(command(), strings.Fields(c.args)...); strings.TrimSpace(out) != c.want || code != 0 {
			t.Errorf("%s: %q, want %q; exit code %d %s", c.args, out, c.want, code, stderr)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"try|--top|x", "--top x: want a whole number"},
		{"try|--top|0", "--top 0: want at least 1"},
		{"try|--patch|", "--patch is empty"},
		{"try|--limit|-2", "--limit -2: must not be negative"},
		{"try|--layer|relv1", "viz: error: no layer \"relv1\": did you mean relu1"},
		{"try|--nonsense", "viz try --help lists the flags"},
		{"tri", "the commands are try"},
	} {
		if out, stderr, code := program(command(), strings.Split(c.args, "|")...); code != 2 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %q, want %q; stdout %q", c.args, code, stderr, c.want, out)
		}
	}
	if out, stderr, code := program(command(), "try", "--size", "3"); code != 0 || !strings.HasPrefix(out, "[3 3]") || !strings.Contains(stderr, "--size is now called --patch") {
		t.Errorf("an old name: %q %q, exit code %d", out, stderr, code)
	}
	help, _, _ := program(command(), "try", "--help")
	for _, want := range []string{"(default: 7)", "(default: what is there)", "--layer value, --layers value, -l value", "viz try [flags] [FILE...]"} {
		if !strings.Contains(help, want) {
			t.Errorf("help does not say %q:\n%s", want, help)
		}
	}
	if strings.Contains(help, "--old") {
		t.Errorf("help lists a hidden flag:\n%s", help)
	}
}

// TestSubcommands: a command with commands of its own lists them.
func TestSubcommands(t *testing.T) {
	d := Command{Name: "data", Commands: []Command{{Name: "get", Args: "NAME...", Do: func(c *Run) error { fmt.Fprint(c.Stdout, c.Args); return nil }},
		{Name: "list", Instead: "leave it out", Do: func(*Run) error { return nil }}}}
	if out, _, code := program(d, "data", "get", "x"); out != "[x]" || code != 0 {
		t.Errorf("data get x: %q, exit code %d", out, code)
	}
	for _, c := range []struct{ args, want string }{
		{"data find", "there are get, list"},
		{"data list x", "viz data list takes no arguments, got x"},
	} {
		if _, stderr, code := program(d, strings.Fields(c.args)...); code != 2 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %q, want %q", c.args, code, stderr, c.want)
		}
	}
}

// TestErrors: what an error's type says about hint and exit code.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		text string
		code int
		hint string
	}{
		{&view.FieldError{Field: "top", Problem: "0: want more", Hint: "try 1"}, "--top 0: want more", 2, "try 1"},
		{fmt.Errorf("a.bin: %w", Usage("no", "yes")), "a.bin: no", 2, "yes"},
		{&view.NoLayer{Name: "top", Err: errors.New("nothing there")}, "nothing there", 1, "name layers with --layers"},
		{&model.UnknownName{What: "layer", Name: "x"}, `no layer "x"`, 1, "viz inspect MODEL lists the layers"},
		{errors.New("broken"), "broken", 1, ""},
	} {
		var stderr bytes.Buffer
		code := report(context.Background(), &stderr, RequestErr(c.err))
		want := "viz: error: " + c.text + "\n"
		if c.hint != "" {
			want += "viz: hint: " + c.hint + "\n"
		}
		if code != c.code || stderr.String() != want {
			t.Errorf("%v: exit code %d, %q; want %d, %q", c.err, code, stderr.String(), c.code, want)
		}
	}
}

// TestParseSize: sizes as people write them.
func TestParseSize(t *testing.T) {
	for text, want := range map[string]int{"900M": 900e6, "2G": 2e9, "500000k": 5e8, "1024": 1024, "1.5GiB": 15e8} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "M", "-3M", "NaN", "1e30", "0.5", "1e-9M"} {
		if _, err := ParseSize(text); err == nil {
			t.Errorf("%q is taken for a size", text)
		}
	}
}

// full is a file that takes so many bytes and no more.
type full struct {
	room int
	err  error
}

func (f *full) Write(b []byte) (int, error) {
	n := min(len(b), f.room)
	f.room -= n
	if n < len(b) {
		return n, f.err
	}
	return n, nil
}

// TestFullStdout: results that cannot be written are an error, wherever it comes; a reader that goes away is none.
func TestFullStdout(t *testing.T) {
	rows := [][]string{{"a", "long name"}, {"longer", "b"}, nil, {"c", "d"}}
	commands := []Command{
		{Name: "rows", Do: func(c *Run) error { return c.PrintRows(rows) }},
		{Name: "right", Do: func(c *Run) error { return c.PrintRight(rows) }},
		{Name: "files", Do: func(c *Run) error { c.Wrote("a.png"); c.Wrote("b.png"); return nil }},
	}
	for _, d := range commands {
		whole, _, code := program(d, d.Name)
		if code != 0 || whole == "" {
			t.Fatalf("%s: %d, %q", d.Name, code, whole)
		}
		for room := range len(whole) {
			var errs bytes.Buffer
			p := Program{Name: "viz", Commands: []Command{d}}
			code := p.Main(context.Background(), []string{"viz", d.Name}, &full{room, errors.New("write /dev/stdout: no space")}, &errs)
			if want := "viz: error: write /dev/stdout: no space\n"; code != 1 || errs.String() != want {
				t.Errorf("%s, room for %d bytes: code %d, %q, want 1, %q", d.Name, room, code, &errs, want)
			}
		}
	}
	var errs bytes.Buffer
	p := Program{Name: "viz", Commands: commands}
	if code := p.Main(context.Background(), []string{"viz", "files"}, &full{3, syscall.EPIPE}, &errs); code != 0 || errs.Len() > 0 {
		t.Errorf("nobody reads which files were written: code %d, %q", code, &errs)
	}
}
