package hostile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// FuzzNothing: a target of several values of all kinds is called with them.
func FuzzNothing(f *testing.F) {
	f.Add([]byte("ab"), "c", 3, uint8(4))
	Fuzz(f, func(t testing.TB, b []byte, s string, n int, c uint8) {
		if len(b)+len(s) > 2*largest {
			t.Error("too long")
		}
	})
}

// fails tries so many inputs made from b, and says what failed and which input was kept.
func fails(t *testing.T, count int, most time.Duration, target func(t testing.TB, b []byte)) (failed string, kept []any) {
	t.Helper()
	r := &round{tb: t, plan: Plan{Seed: 7, Count: count}, target: reflect.ValueOf(target), from: newMutator(7, [][]any{{[]byte("\x00abc 123 {}")}}), folder: t.TempDir(), most: most}
	failed = r.run()
	list, err := readCorpus(r.folder, []reflect.Type{reflect.TypeFor[[]byte]()})
	if err != nil || len(list) > 1 {
		t.Fatalf("%v %v", list, err)
	}
	for _, input := range list {
		kept = input
	}
	return failed, kept
}

// TestLimits: each of what a target is held to can fail, also for one input of many that are measured together.
func TestLimits(t *testing.T) {
	odd := func(b []byte) bool { return len(b) > 5 && b[5]&15 == 7 }
	for name, k := range map[string]struct {
		most   time.Duration
		target func(t testing.TB, b []byte)
		want   string
	}{
		"nothing":    {time.Hour, func(t testing.TB, b []byte) { Read(t, len(b), func() error { return nil }) }, ""},
		"fails":      {0, func(t testing.TB, b []byte) { t.Fatalf("%d is odd", 7) }, "7 is odd"},
		"goes on":    {0, func(t testing.TB, b []byte) { t.Error("first"); t.Errorf("then") }, "first\nthen"},
		"leaves out": {0, func(t testing.TB, b []byte) { t.Skip("no matter"); t.Fatal("reached") }, ""},
		"panics":     {0, func(t testing.TB, b []byte) { _ = b[len(b)+1] }, "panic: runtime error: index out of range"},
		"memory": {0, func(t testing.TB, b []byte) {
			Read(t, len(b), func() error { sink = make([]byte, 65<<20+4*len(b)); return nil })
		}, "bytes of memory for"},
		"less memory": {0, func(t testing.TB, b []byte) {
			ReadWithin(t, len(b), 1<<20, func() error { sink = make([]byte, 4<<20); return nil })
		}, "want at most 1048576"},
		"time": {20 * time.Millisecond, func(t testing.TB, b []byte) {
			Read(t, len(b), func() error {
				for start := processor(); processor()-start < 25*time.Millisecond; {
				}
				return nil
			})
		}, "ms for "},
		"an error": {0, func(t testing.TB, b []byte) {
			Read(t, len(b), func() error { return os.NewSyscallError("a\x1b", os.ErrExist) })
		}, "not a plain line"},
	} {
		count := 300
		failed, kept := fails(t, count, k.most, func(t testing.TB, b []byte) {
			if odd(b) {
				k.target(t, b)
			}
		})
		if (failed == "") != (k.want == "") || !strings.Contains(failed, k.want) || !strings.Contains(failed+"input ", "input ") {
			t.Errorf("%s: %s", name, failed)
		}
		if failed != "" && (len(kept) != 1 || !odd(kept[0].([]byte))) || failed == "" && kept != nil {
			t.Errorf("%s: kept %q", name, kept)
		}
	}
	sink = nil
}

// TestMutator: an input depends on its number and on nothing else; inputs differ, and are not longer than they may be.
func TestMutator(t *testing.T) {
	corpus := [][]any{{[]byte(`{"key": [12, 3.5]}`), "name", 5, uint8(1)}, {[]byte{}, "", -1, uint8(0)}, {bytes.Repeat([]byte("ab\x00\xff"), 1000), "x", 0, uint8(9)}}
	m, again, other := newMutator(1, corpus), newMutator(1, corpus), newMutator(2, corpus)
	before := reflect.ValueOf(corpus[0][0]).Bytes()
	texts, equal, words := map[string]bool{}, 0, 0
	var at [20]bool
	for n := range uint64(2000) {
		input := m.input(n)
		if n%7 == 0 && !reflect.DeepEqual(again.input(n), input) {
			t.Fatalf("input %d is another", n)
		}
		if reflect.DeepEqual(other.input(n), input) {
			equal++
		}
		b, s := input[0].([]byte), input[1].(string)
		if max(len(b), len(s)) > m.most || m.most > 8000 {
			t.Fatalf("%d and %d bytes, want at most %d", len(b), len(s), m.most)
		}
		if i := slicesDiffer(b, before); len(b) == len(before) && i >= 0 && i < len(at) {
			at[i] = true
		}
		if bytes.Contains(b, []byte("name")) {
			words++
		}
		texts[fmt.Sprint(input)] = true
	}
	if len(texts) < 1700 || equal > 40 || words < 10 {
		t.Errorf("%d of 2000 differ, %d are those of another seed, %d have a word of another value", len(texts), equal, words)
	}
	for i := range before {
		if !at[i] {
			t.Errorf("byte %d is never the first that is changed", i)
		}
	}
	if string(before) != `{"key": [12, 3.5]}` {
		t.Errorf("the corpus became %q", before)
	}
}

func slicesDiffer(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// TestKeep: inputs are read as they were written, by us and by go test.
func TestKeep(t *testing.T) {
	folder := t.TempDir()
	input := []any{[]byte("a\x00\xff\n\"é`"), "b)\x1b\n", -7, uint8(0xe9)}
	var types []reflect.Type
	for _, v := range input {
		types = append(types, reflect.TypeOf(v))
	}
	drop := keep(t, folder, input)
	if got, err := readCorpus(folder, types); err != nil || !reflect.DeepEqual(got, [][]any{input}) {
		t.Errorf("%q %v", got, err)
	}
	drop()
	for name, text := range map[string]string{
		"a": "go test fuzz v1\n[]byte(\"\\x00)\")\nstring(\"\\u00e9\")\nint(12)\nbyte('\\u00e9')\n", "b": "go test fuzz v1\n[]byte(`x`)\nstring(\"\")\nint(-1)\nuint8(3)",
		"c": "go test fuzz v1\nint(1)\n", "d": "no input", "e": "go test fuzz v1\n[]byte(\"\")\nstring(\"\")\nint(x)\nbyte('\\'')\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]any{{[]byte("\x00)"), "é", 12, uint8(0xe9)}, {[]byte("x"), "", -1, uint8(3)}}
	if got, err := readCorpus(folder, types); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q %v", got, err)
	}
	if got, err := readCorpus(filepath.Join(folder, "none"), types); got != nil || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func TestPlan(t *testing.T) {
	p := Plan{Seed: 3, From: 4, Count: 5, For: 90 * time.Second, Corpus: "/a b/c", Careful: true}
	if got, err := ParsePlan(p.String()); err != nil || got != p {
		t.Errorf("%+v %v", got, err)
	}
	for _, text := range []string{"", "1 2 3", "x 0 0 1s true ", "1 0 0 1 true "} {
		if _, err := ParsePlan(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
