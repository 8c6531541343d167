package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
)

// count is what was counted of one target on one day, in one way.
type count struct {
	date, tree, target                         string // tree: that of the day's last run
	way                                        way
	seconds, executions, interesting, failures int
}

type counts []count

var columns = []string{"date", "tree", "target", "way", "seconds", "executions", "new inputs", "failures"}

// readCounts reads what was counted before; of a file that is not there, nothing.
func readCounts(path string) (list counts, err error) {
	f, err := os.Open(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], columns) {
		return nil, fmt.Errorf("%s: want the columns %q", path, columns)
	}
	for _, row := range rows[1:] {
		c := count{date: row[0], tree: row[1], target: row[2], way: way(row[3])}
		if c.way != guided && c.way != drawn {
			return nil, fmt.Errorf("%s: inputs are %q, want %s or %s", path, c.way, guided, drawn)
		}
		for i, to := range []*int{&c.seconds, &c.executions, &c.interesting, &c.failures} {
			if *to, err = strconv.Atoi(row[4+i]); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		list = append(list, c)
	}
	return list, nil
}

// add adds to what was counted of the target on the same day.
func (list *counts) add(c count) {
	for i := range *list {
		if have := &(*list)[i]; have.date == c.date && have.target == c.target && have.way == c.way {
			have.tree = c.tree
			have.seconds += c.seconds
			have.executions += c.executions
			have.interesting += c.interesting
			have.failures += c.failures
			return
		}
	}
	*list = append(*list, c)
	slices.SortFunc(*list, func(a, b count) int {
		return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.target, b.target), cmp.Compare(a.way, b.way))
	})
}

func (list counts) write(path string) error {
	return imageio.WriteFile(path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		out.Write(columns)
		for _, c := range list {
			out.Write([]string{c.date, c.tree, c.target, string(c.way), strconv.Itoa(c.seconds), strconv.Itoa(c.executions), strconv.Itoa(c.interesting), strconv.Itoa(c.failures)})
		}
		out.Flush()
		return out.Error()
	})
}

// last is the number of the next input to draw for a target: what was drawn before is not drawn again.
func (list counts) last(target string) (n int) {
	for _, c := range list {
		if c.target == target && c.way == drawn {
			n += c.executions
		}
	}
	return n
}

// kinds are what targets read, by the beginnings of their names; the first that fits counts.
var kinds = []struct{ begin, kind string }{
	{"model", "networks, weights and their notes"},
	{"internal/imageio.", "pictures and their notes"},
	{"internal/dataset.", "data sets, archives and arrays"}, {"internal/npy.", "data sets, archives and arrays"}, {"internal/pickle.", "data sets, archives and arrays"},
	{"internal/classes.", "labels, boxes, indexes, trials and runs"}, {"images.", "labels, boxes, indexes, trials and runs"}, {"features.", "labels, boxes, indexes, trials and runs"},
	{"sweep.", "labels, boxes, indexes, trials and runs"}, {"view.FuzzParts", "labels, boxes, indexes, trials and runs"},
	{"internal/cmdline.", "command lines and the page"}, {"internal/web.", "command lines and the page"}, {"view.", "command lines and the page"},
	{"", "convolutions and layouts of graphs"},
}

func kindOf(target string) string {
	for _, k := range kinds {
		if strings.HasPrefix(target, k.begin) {
			return k.kind
		}
	}
	return ""
}

// print writes a table of all days by kinds, and the sum.
func (list counts) print(w io.Writer) {
	type sum struct {
		targets, days     map[string]bool
		seconds, failures int
		executions        map[way]int
	}
	sums := map[string]*sum{}
	const all = "all"
	for _, c := range list {
		for _, name := range []string{kindOf(c.target), all} {
			s := sums[name]
			if s == nil {
				s = &sum{targets: map[string]bool{}, days: map[string]bool{}, executions: map[way]int{}}
				sums[name] = s
			}
			s.targets[c.target], s.days[c.date] = true, true
			s.seconds += c.seconds
			s.executions[c.way] += c.executions
			s.failures += c.failures
		}
	}
	fmt.Fprintf(w, "| what is read | targets | days | seconds | executions, %s | %s | failures found |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n", guided, drawn)
	names := []string{}
	for _, k := range kinds {
		names = append(names, k.kind)
	}
	for _, name := range append(slices.Compact(names), all) {
		if s := sums[name]; s != nil {
			fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %d |\n", name, len(s.targets), len(s.days), s.seconds, s.executions[guided], s.executions[drawn], s.failures)
		}
	}
}
