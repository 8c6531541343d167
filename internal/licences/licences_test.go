package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestCurrent: docs/licences.md is what the command makes.
func TestCurrent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("modules of tests differ between systems")
	}
	modules, err := list("../..")
	if err != nil {
		t.Fatal(err)
	}
	want, err := table(modules)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/licences.md")
	if err != nil || string(got) != want {
		t.Errorf("docs/licences.md is not current (%v): go run ./internal/licences > docs/licences.md", err)
	}
}

// TestTable refuses an unknown licence, and an old module without a sentence.
func TestTable(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(dir+"/LICENSE.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := module{Path: "example.com/m", Version: "v1.0.0", Dir: dir, Time: current.Add(time.Hour)}
	write("# Do\n what you like")
	if _, err := table(map[module]bool{m: true}); err == nil || !strings.Contains(err.Error(), "example.com/m: no licence") {
		t.Errorf("an unknown licence: %v", err)
	}
	write("Permission is hereby\n granted, free of charge")
	if text, err := table(map[module]bool{m: true}); err != nil || !strings.Contains(text, "| example.com/m | v1.0.0 | MIT | program |") {
		t.Errorf("%v\n%s", err, text)
	}
	m.Time = current.Add(-time.Hour)
	if _, err := table(map[module]bool{m: false}); err == nil || !strings.Contains(err.Error(), "no sentence") {
		t.Errorf("an old module without a sentence: %v", err)
	}
}
