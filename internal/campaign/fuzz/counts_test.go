package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestCounts: counts of one day add up, are read again as they were written, and are summed over days.
func TestCounts(t *testing.T) {
	var list counts
	for _, c := range []count{{"2026-01-02", "b", "x.FuzzB", 10, 100, 1, 0}, {"2026-01-01", "a", "x.FuzzA", 10, 20, 2, 1}, {"2026-01-02", "c+", "x.FuzzB", 5, 50, 1, 1}, {"2026-01-02", "c", "x.FuzzA", 1, 2, 0, 0}} {
		list.add(c)
	}
	path := filepath.Join(t.TempDir(), "fuzz.csv")
	if err := list.write(path); err != nil {
		t.Fatal(err)
	}
	list, err := readCounts(path)
	if err != nil || len(list) != 3 || list[2] != (count{"2026-01-02", "c+", "x.FuzzB", 15, 150, 2, 1}) {
		t.Fatalf("%v %v", list, err)
	}
	var b bytes.Buffer
	list.print(&b)
	for _, want := range []string{"| x.FuzzA | 11 | 22 | 1 |", "| x.FuzzB | 15 | 150 | 1 |", "| all, on 2 days | 26 | 172 | 2 |"} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	if none, err := readCounts(filepath.Join(t.TempDir(), "none")); none != nil || err != nil {
		t.Errorf("%v %v", none, err)
	}
}
