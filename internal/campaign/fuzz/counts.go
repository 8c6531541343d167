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

// count is what was counted of one target on one day.
type count struct {
	date, tree, target                         string // tree: that of the day's last run
	seconds, executions, interesting, failures int
}

type counts []count

var columns = []string{"date", "tree", "target", "seconds", "executions", "new inputs", "failures"}

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
		c := count{date: row[0], tree: row[1], target: row[2]}
		for i, to := range []*int{&c.seconds, &c.executions, &c.interesting, &c.failures} {
			if *to, err = strconv.Atoi(row[3+i]); err != nil {
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
		if have := &(*list)[i]; have.date == c.date && have.target == c.target {
			have.tree = c.tree
			have.seconds += c.seconds
			have.executions += c.executions
			have.interesting += c.interesting
			have.failures += c.failures
			return
		}
	}
	*list = append(*list, c)
	slices.SortFunc(*list, func(a, b count) int { return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.target, b.target)) })
}

func (list counts) write(path string) error {
	return imageio.WriteFile(path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		out.Write(columns)
		for _, c := range list {
			out.Write([]string{c.date, c.tree, c.target, strconv.Itoa(c.seconds), strconv.Itoa(c.executions), strconv.Itoa(c.interesting), strconv.Itoa(c.failures)})
		}
		out.Flush()
		return out.Error()
	})
}

// print writes the table of all days, and the sum.
func (list counts) print(w io.Writer) {
	sums := map[string]*count{}
	var names, days []string
	all := count{}
	for _, c := range list {
		if sums[c.target] == nil {
			sums[c.target] = &count{}
			names = append(names, c.target)
		}
		for _, s := range []*count{sums[c.target], &all} {
			s.seconds += c.seconds
			s.executions += c.executions
			s.failures += c.failures
		}
		days = append(days, c.date)
	}
	slices.Sort(names)
	slices.Sort(days)
	days = slices.Compact(days)
	fmt.Fprintln(w, "| target | seconds | executions | failures found |\n| --- | ---: | ---: | ---: |")
	for _, name := range names {
		fmt.Fprintf(w, "| %s | %d | %d | %d |\n", name, sums[name].seconds, sums[name].executions, sums[name].failures)
	}
	fmt.Fprintf(w, "| all, on %d days | %d | %d | %d |\n", len(days), all.seconds, all.executions, all.failures)
}
