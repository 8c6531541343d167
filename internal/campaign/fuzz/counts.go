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

// print writes a table of all days, and the sum.
func (list counts) print(w io.Writer) {
	type sum struct {
		seconds, failures int
		executions        map[way]int
	}
	sums := map[string]*sum{}
	var names, days []string
	const all = ""
	for _, c := range list {
		for _, name := range []string{c.target, all} {
			if sums[name] == nil {
				sums[name] = &sum{executions: map[way]int{}}
				names = append(names, name)
			}
			s := sums[name]
			s.seconds += c.seconds
			s.executions[c.way] += c.executions
			s.failures += c.failures
		}
		days = append(days, c.date)
	}
	slices.SortFunc(names, func(a, b string) int {
		if a == all || b == all {
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	})
	slices.Sort(days)
	fmt.Fprintf(w, "| target | seconds | executions, %s | %s | failures found |\n| --- | ---: | ---: | ---: | ---: |\n", guided, drawn)
	for _, name := range names {
		s := sums[name]
		if name == all {
			name = fmt.Sprintf("all, on %d days", len(slices.Compact(days)))
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d |\n", name, s.seconds, s.executions[guided], s.executions[drawn], s.failures)
	}
}
