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
	for _, c := range []count{{"2026-01-02", "b", "view.FuzzB", guided, 10, 100, 1, 0}, {"2026-01-01", "a", "sweep.FuzzA", guided, 10, 20, 2, 1}, {"2026-01-02", "c+", "view.FuzzB", guided, 5, 50, 1, 1}, {"2026-01-02", "c", "sweep.FuzzA", drawn, 1, 2, 0, 0}, {"2026-01-01", "c", "sweep.FuzzA", drawn, 1, 5, 0, 0}} {
		list.add(c)
	}
	path := filepath.Join(t.TempDir(), "fuzz.csv")
	if err := list.write(path); err != nil {
		t.Fatal(err)
	}
	list, err := readCounts(path)
	if err != nil || len(list) != 4 || list[3] != (count{"2026-01-02", "c+", "view.FuzzB", guided, 15, 150, 2, 1}) {
		t.Fatalf("%v %v", list, err)
	}
	var b bytes.Buffer
	list.print(&b)
	for _, want := range []string{"| labels, boxes, indexes, trials and runs | 1 | 2 | 12 | 20 | 7 | 1 |", "| command lines and the page | 1 | 1 | 15 | 150 | 0 | 1 |", "| all | 2 | 2 | 27 | 170 | 7 | 2 |"} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	if a, b := list.last("sweep.FuzzA"), list.last("view.FuzzB"); a != 7 || b != 0 {
		t.Errorf("7 and 0 were drawn, got %d and %d", a, b)
	}
	if none, err := readCounts(filepath.Join(t.TempDir(), "none")); none != nil || err != nil {
		t.Errorf("%v %v", none, err)
	}
}
