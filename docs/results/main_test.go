package main

import (
	"bytes"
	"os"
	"testing"
)

// TestPage: docs/results.md is what the results beside this program say.
func TestPage(t *testing.T) {
	var want bytes.Buffer
	if err := write(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../results.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/results.md is stale: go run ./docs/results > docs/results.md")
	}
}
