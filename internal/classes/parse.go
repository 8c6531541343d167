// Package classes reads lists of class names as other programs write them, and finds out which class of a network
// each class of a data set is: by name wherever both have names.
package classes

import (
	"encoding/csv"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Fit checks that there is a name for each of a network's classes. Of a network
// with ImageNet's 1001 classes the first is the background that lists of 1000 do
// not have. A network with one output tells two classes apart, and may have names for both.
func Fit(names []string, classes int) ([]string, error) {
	switch {
	case len(names) == classes, len(names) == 2 && classes == 1:
		return names, nil
	case len(names) == 1000 && classes == 1001:
		return append([]string{"background"}, names...), nil
	case len(names) == 1001 && classes == 1000:
		return names[1:], nil
	}
	return nil, fmt.Errorf("%d names, the network has %d classes", len(names), classes)
}

// maxItems bounds the lines, commas and lists of a file of names: the largest sets of classes have 21,841, which are
// named twice at most.
const maxItems = 250_000

// Parse reads class names from the text of a file; name's extension helps where the text alone does not tell.
// UTF-8 and, with a byte order mark, UTF-16 are read; blank lines do not count. The forms are
//
//   - lines of names; a WordNet number in front (n01440764 tench) is left out;
//   - numbered lines in any order: "0: tench", "0 tench", "0,tench", "'0': 'tench',";
//   - lines of names with the number behind each: "red 0";
//   - columns (comma, semicolon, tab), of which one has the numbers and one the names;
//   - JSON: a list of names, of [..., name] or of objects with a label or name (and id); an object from numbers to such, or
//     from names to numbers (Keras' class_indices); Hugging Face's config.json (id2label, label2id); an object with a list of
//     names, labels, classes or categories (timm's config.json: label_names);
//   - YAML with names (YOLO), and Python's way of writing a dict;
//   - TensorFlow's label maps (.pbtxt): display_name, or else name. Their ids begin with 1, which is the network's first class.
//
// Lines in quotes lose them.
// Numbers are 0 to n-1 or 1 to n, each once.
func Parse(name string, text []byte) ([]string, error) {
	s, err := decode(text)
	if err != nil {
		return nil, err
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, fmt.Errorf("the file is empty")
	}
	if n := strings.Count(s, "\n") + strings.Count(s, ",") + strings.Count(s, "["); n > maxItems {
		return nil, fmt.Errorf("%d lines and items, want at most %d", n, maxItems)
	}
	names, err := parse(strings.ToLower(filepath.Ext(name)), s)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no name in it")
	}
	return names, nil
}

// yamlNames is a line of YAML that begins the names.
var yamlNames = regexp.MustCompile(`(?m)^names:\s*([\[{#].*)?$`)

func parse(ext, s string) ([]string, error) {
	switch {
	case ext == ".pbtxt" || labelMap.MatchString(s):
		return parseLabelMap(s)
	case s[0] == '[' || s[0] == '{':
		n, err := parseJSON(s)
		if err != nil {
			var other error
			if n, other = parseYAML(s); other != nil { // Python's dict is YAML
				return nil, fmt.Errorf("not a list or object of names: %w", err)
			}
		}
		return n.names()
	case ext == ".yaml" || ext == ".yml" || yamlNames.MatchString(s):
		n, err := parseYAML(s)
		if err != nil {
			return nil, fmt.Errorf("not a list or object of names: %w", err)
		}
		return n.names()
	}
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if !slices.ContainsFunc(lines, func(line string) bool { return !wordnet.MatchString(line) }) {
		for i, line := range lines {
			lines[i] = plain(line) // may be numbered behind it
		}
	}
	table := ext == ".csv" || ext == ".tsv"
	if table || strings.Count(lines[0], "\t") > 1 {
		if names, err := columns(lines); names != nil || err != nil {
			return names, err
		}
	}
	if names, err := numberedLines(lines); names != nil || err != nil {
		return names, err
	}
	if names, err := columns(lines); names != nil && err == nil {
		return names, nil
	}
	if names, err := numberedBehind(lines); names != nil || err != nil {
		return names, err
	}
	if table && slices.Contains(nameHeads, strings.ToLower(unquote(lines[0]))) {
		lines = lines[1:] // one column with a heading
	}
	for i, line := range unquoteLines(lines) {
		if lines[i] = plain(line); lines[i] == "" {
			return nil, fmt.Errorf("line %.60q has no name", line)
		}
	}
	return lines, nil
}

// wordnet is the number in front of ImageNet's class names in some lists.
var wordnet = regexp.MustCompile(`^(n\d{8})(?:\s*[,:]\s*|\s+)(\S.*)$`)

// plain is a name without blanks around it and without a WordNet number.
func plain(s string) string {
	s = strings.TrimSpace(s)
	if m := wordnet.FindStringSubmatch(s); m != nil {
		return m[2]
	}
	return s
}

// item is a class with its number.
type item struct {
	at   int
	name string
}

// place brings classes into the order of their numbers, which are 0 to n-1 or 1 to n.
func place(items []item) ([]string, error) {
	names := make([]string, len(items))
	first := 1
	for _, it := range items {
		first = min(first, it.at)
	}
	seen := make([]bool, len(items))
	for _, it := range items {
		i := it.at - first
		if i >= len(items) {
			for _, o := range items {
				if o.at-first < len(items) {
					seen[o.at-first] = true
				}
			}
			return nil, fmt.Errorf("class %d has a name but class %d has none: want the numbers %d to %d", it.at, slices.Index(seen, false)+first, first, first+len(items)-1)
		}
		if seen[i] {
			return nil, fmt.Errorf("number %d is given to %.40q and %.40q", it.at, names[i], it.name)
		}
		if it.name == "" {
			return nil, fmt.Errorf("class %d has no name", it.at)
		}
		names[i], seen[i] = it.name, true
	}
	return names, nil
}

// Numbered lines: with a sign behind the number, or with a blank only.
var (
	signed  = regexp.MustCompile(`^['"]?(\d{1,9})['"]?\s*(?:[:=,;\t]|[.)]\s|\s-\s)\s*(.*)$`)
	blanked = regexp.MustCompile(`^(\d{1,9})\s+(\S.*)$`)
	comment = regexp.MustCompile(`^(#|//)`)
)

// numberedLines reads lines that all begin with a number; nil: they do not.
func numberedLines(all []string) ([]string, error) {
	lines := slices.DeleteFunc(slices.Clone(all), comment.MatchString)
	var items []item
	for _, form := range []*regexp.Regexp{signed, blanked} {
		items = items[:0]
		odd := ""
		for _, line := range lines {
			m := form.FindStringSubmatch(line)
			if m == nil {
				odd = line
				continue
			}
			items = append(items, item{number(m[1]), plain(unquote(m[2]))})
		}
		if form == signed && odd != "" && len(items) > 2 && len(items)*10 > len(lines)*9 {
			if header(lines, form) {
				return nil, nil // columns with a heading
			}
			return nil, fmt.Errorf("line %.60q has no number in front, others have", odd)
		}
		if odd == "" && len(items) > 0 && (form == signed || counts(items)) {
			return place(items)
		}
	}
	return nil, nil
}

var behind = regexp.MustCompile(`^(.*\S)\s+(\d{1,9})$`)

// numberedBehind reads lines that all end with a number; nil: they do not, or the numbers are part of the
// names: names without them must differ, and the numbers be those of classes.
func numberedBehind(lines []string) ([]string, error) {
	var items []item
	first, seen := 1, map[string]bool{}
	for _, line := range lines {
		m := behind.FindStringSubmatch(line)
		if m == nil {
			return nil, nil
		}
		it := item{number(m[2]), plain(unquote(m[1]))}
		if seen[it.name] {
			return nil, nil
		}
		seen[it.name] = true
		first = min(first, it.at)
		items = append(items, it)
	}
	names, err := place(items)
	if len(items) < 2 || err != nil && first > 0 {
		return nil, nil
	}
	return names, err
}

// unquoteLines takes quotes off lines: double ones from each that has them, single ones if all lines have
// them.
func unquoteLines(lines []string) []string {
	out := slices.Clone(lines)
	single := !slices.ContainsFunc(lines, func(s string) bool { return !inQuotes(s, '\'') })
	for i, line := range lines {
		t := strings.TrimSuffix(line, ",")
		switch {
		case inQuotes(line, '"'):
			out[i] = strings.NewReplacer(`""`, `"`, `\"`, `"`).Replace(t[1 : len(t)-1])
		case single:
			out[i] = strings.ReplaceAll(t[1:len(t)-1], `\'`, `'`)
		}
	}
	return out
}

// inQuotes reports whether a line is one text in quotes, with a comma behind it or not.
func inQuotes(s string, quote byte) bool {
	s = strings.TrimSuffix(s, ",")
	if len(s) < 3 || s[0] != quote || s[len(s)-1] != quote {
		return false
	}
	q := string(quote)
	return !strings.Contains(strings.NewReplacer(q+q, "", `\`+q, "").Replace(s[1:len(s)-1]), q)
}

// header reports whether all lines but the first are numbered.
func header(lines []string, form *regexp.Regexp) bool {
	return !slices.ContainsFunc(lines[1:], func(s string) bool { return !form.MatchString(s) })
}

// counts tells numbers of classes from numbers that are part of names (20 km/h,
// 30 km/h): they begin with 0 or 1, and the names differ without them.
func counts(items []item) bool {
	first, names := items[0].at, map[string]bool{}
	for _, it := range items {
		first = min(first, it.at)
		names[it.name] = true
	}
	return first < 2 && len(names)*2 > len(items)
}

// unquote takes off a comma at the end and the quotes of a line of a dict.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if t := strings.TrimRight(s, " ,}"); len(t) >= 2 && (t[0] == '\'' || t[0] == '"') && t[len(t)-1] == t[0] {
		return t[1 : len(t)-1]
	}
	return s
}

// Headings of columns.
var (
	numberHeads = []string{"index", "id", "idx", "class_id", "label_id", "class_index", "class_idx", "number", "classid", "labelid", "class id", "label id"}
	nameHeads   = []string{"name", "label", "class", "class_name", "label_name", "names", "labels", "classes", "classname", "signname", "display_name", "description",
		"category", "class name", "label name"}
)

// columns reads a table with a column of class numbers and one of names; nil: it is no table.
func columns(lines []string) ([]string, error) {
	for _, comma := range []rune{'\t', ',', ';'} {
		r := csv.NewReader(strings.NewReader(strings.Join(lines, "\n")))
		r.Comma, r.LazyQuotes, r.TrimLeadingSpace = comma, true, true
		rows, err := r.ReadAll() // asks for the same number of columns everywhere
		if err != nil || len(rows) == 0 || len(rows[0]) < 2 {
			continue
		}
		return readColumns(rows)
	}
	return nil, nil
}

func readColumns(rows [][]string) ([]string, error) {
	var heads []string
	for _, h := range rows[0] {
		heads = append(heads, strings.ToLower(strings.TrimSpace(h)))
	}
	isHead := func(h string) bool { return slices.Contains(numberHeads, h) || slices.Contains(nameHeads, h) }
	if slices.ContainsFunc(heads, isHead) && !slices.ContainsFunc(heads, func(h string) bool { return number(h) >= 0 }) {
		rows = rows[1:]
	} else {
		heads = nil
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("there is no name below the heading")
	}
	var numbers []int // columns that could be the classes' numbers
	for k := range rows[0] {
		if !slices.ContainsFunc(rows, func(r []string) bool { return number(strings.TrimSpace(r[k])) < 0 }) {
			numbers = append(numbers, k)
		}
	}
	at := -1
	if len(numbers) == 1 {
		at = numbers[0]
	} else if len(numbers) > 1 {
		at = slices.IndexFunc(heads, func(h string) bool { return slices.Contains(numberHeads, h) })
	}
	name := slices.IndexFunc(heads, func(h string) bool { return slices.Contains(nameHeads, h) })
	if name == at {
		name = -1
	}
	if name < 0 && at >= 0 && len(rows[0]) == 2 {
		name = 1 - at
	}
	if at < 0 || name < 0 {
		return nil, fmt.Errorf("%d columns: which has the numbers of the classes and which the names? Say it in a first line: index,name", len(rows[0]))
	}
	var items []item
	for _, r := range rows {
		items = append(items, item{number(strings.TrimSpace(r[at])), plain(r[name])})
	}
	return place(items)
}
