package hostile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// An input is kept in a file as go test keeps it: this line, and a line of Go for each value.
const head = "go test fuzz v1\n"

// largest is the size of the largest file of a corpus from which inputs are made.
const largest = 1 << 16

// readCorpus reads the inputs of a folder, if there is one. Those of other types are left out.
func readCorpus(folder string, types []reflect.Type) (corpus [][]any, err error) {
	if folder == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		if input, ok := parse(string(text), types); ok && len(text) <= largest {
			corpus = append(corpus, input)
		}
	}
	return corpus, nil
}

// parse reads a kept input.
func parse(text string, types []reflect.Type) (input []any, ok bool) {
	text, ok = strings.CutPrefix(text, head)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if !ok || len(lines) != len(types) {
		return nil, false
	}
	for i, line := range lines {
		_, literal, ok := strings.Cut(line, "(")
		if !ok || !strings.HasSuffix(literal, ")") {
			return nil, false
		}
		v := reflect.New(types[i]).Elem()
		if !set(v, strings.TrimSuffix(literal, ")")) {
			return nil, false
		}
		input = append(input, v.Interface())
	}
	return input, true
}

func set(v reflect.Value, literal string) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.String:
		text, err := strconv.Unquote(literal)
		if v.Kind() == reflect.String {
			v.SetString(text)
		} else {
			v.SetBytes([]byte(text))
		}
		return err == nil
	case reflect.Uint8:
		if c, _, rest, err := strconv.UnquoteChar(strings.TrimPrefix(strings.TrimSuffix(literal, "'"), "'"), '\''); literal[0] == '\'' {
			v.SetUint(uint64(c))
			return err == nil && rest == ""
		}
		n, err := strconv.ParseUint(literal, 0, 8)
		v.SetUint(n)
		return err == nil
	case reflect.Int:
		n, err := strconv.ParseInt(literal, 0, 64)
		v.SetInt(n)
		return err == nil
	}
	return false
}

// keep writes an input to the folder from which go test takes it again. drop removes it.
func keep(tb testing.TB, folder string, input []any) (drop func()) {
	var b strings.Builder
	b.WriteString(head)
	for _, v := range input {
		switch v := v.(type) {
		case []byte:
			fmt.Fprintf(&b, "[]byte(%q)\n", v)
		case string:
			fmt.Fprintf(&b, "string(%q)\n", v)
		case uint8:
			fmt.Fprintf(&b, "byte(%q)\n", rune(v))
		default:
			fmt.Fprintf(&b, "%T(%v)\n", v, v)
		}
	}
	path := filepath.Join(folder, fmt.Sprintf("%x", sha256.Sum256([]byte(b.String())))[:16])
	if err := errors.Join(os.MkdirAll(folder, 0o777), os.WriteFile(path, []byte(b.String()), 0o666)); err != nil {
		tb.Fatal(err)
	}
	return func() { os.Remove(path) }
}
