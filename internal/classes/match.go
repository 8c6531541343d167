package classes

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Mapping tells which of a network's classes each class of a data set is.
type Mapping struct {
	To   []int  // class of the network by class of the data
	Note string // what the user should know of how they were matched; may be empty
}

// Label is the network's class of a data label; -1 stays -1 (unknown).
func (m *Mapping) Label(l int) int {
	if l < 0 || l >= len(m.To) {
		return -1
	}
	return m.To[l]
}

// Labels maps all labels: see Label.
func (m *Mapping) Labels(labels []int) []int {
	out := make([]int, len(labels))
	for i, l := range labels {
		out[i] = m.Label(l)
	}
	return out
}

// Identity reports whether every class has the same number on both sides.
func (m *Mapping) Identity() bool {
	for i, to := range m.To {
		if i != to {
			return false
		}
	}
	return true
}

// NoMatch is an error: classes of the data cannot be found among the network's by their names.
// Comparing them by number (see [ByNumber]) is left to who knows that the numbers fit.
type NoMatch struct {
	Missing   []string // classes of the data that the network does not have
	Ambiguous []string // what fits several classes, as sentences
	Data      []string
	Network   []string
}

func (e *NoMatch) Error() string {
	if len(e.Ambiguous) > 0 {
		return "the data's classes do not match the network's: " + some(e.Ambiguous, 3, "; ")
	}
	if Numbered(e.Data) || Numbered(e.Network) {
		return fmt.Sprintf("the data has %d classes (%s), the network %d (%s): with names on one side only they cannot be matched", len(e.Data), quoted(e.Data, 3),
			len(e.Network), quoted(e.Network, 3))
	}
	return fmt.Sprintf("%d of the data's %d classes are none of the network's: %s; the network's are %s", len(e.Missing), len(e.Data), quoted(e.Missing, 10), quoted(e.Network, 10))
}

func quoted(names []string, most int) string {
	var out []string
	for _, n := range names[:min(most+1, len(names))] {
		if len(n) > 60 {
			n = n[:57] + "..."
		}
		out = append(out, strconv.Quote(n))
	}
	if len(names) > most {
		out[most] = fmt.Sprintf("and %d more", len(names)-most)
	}
	return strings.Join(out, ", ")
}

func some(s []string, most int, sep string) string {
	if len(s) > most {
		s = append(slices.Clone(s[:most]), fmt.Sprintf("and %d more", len(s)-most))
	}
	return strings.Join(s, sep)
}

// Numbers are the names "0" to "n-1" of classes that have none.
func Numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

// Numbered reports whether names are only the numbers 0 to n-1 in their order.
func Numbered(names []string) bool {
	for i, n := range names {
		if number(n) != i {
			return false
		}
	}
	return true
}

// ByNumber takes class i of the data for class i of a network with n classes.
func ByNumber(data []string, n int) (*Mapping, error) {
	if len(data) > n {
		return nil, fmt.Errorf("by number: the data has %d classes, the network %d", len(data), n)
	}
	m := &Mapping{Note: "classes are compared by number"}
	for i := range data {
		m.To = append(m.To, i)
	}
	return m, nil
}

// Match finds the network's class of each class of the data. Names decide: equal ones; then equal but for case, underscores,
// hyphens and blanks; then equal numbers in digits (07 and 7); then the WordNet number (n01440764); then a name that is one
// of the other's words ("tench, Tinca tinca"). Any order will do, and the data need not have all classes. Each step must be unique.
//
// If one side has only the numbers 0 to n-1 for names (see [Numbers]) and the other has names, they are matched by number if
// there are as many, which the mapping's note says. A network with one name and data with two classes is a yes-no network: the
// class of that name is 1, the other 0. What does not match is a *[NoMatch] error.
func Match(data, network []string) (*Mapping, error) {
	m := &Mapping{To: make([]int, len(data))}
	if len(network) == 0 || len(data) == 0 {
		return nil, &NoMatch{Missing: data, Data: data, Network: network}
	}
	if slices.Equal(data, network) {
		for i := range m.To {
			m.To[i] = i
		}
		if len(data) > 10 && Numbered(data) {
			m.Note = "classes have numbers only; some programs number folders in the order 0, 1, 10, 11, 2: give the network's names with --labels if it is one of those"
		}
		return m, nil
	}
	if Numbered(data) != Numbered(network) {
		if len(data) != len(network) {
			return byNames(data, network)
		}
		if m, err := byNames(data, network); err == nil {
			return m, nil
		}
		side := "the data's classes"
		if Numbered(network) {
			side = "the network's classes"
		}
		if !sortsAsNumbers(data) || !sortsAsNumbers(network) {
			return nil, &NoMatch{Missing: data, Data: data, Network: network}
		}
		m, err := ByNumber(data, len(network))
		if err == nil {
			m.Note = side + " have numbers only: classes are compared by number"
		}
		return m, err
	}
	if len(network) == 1 && len(data) == 2 {
		one, err := byNames(data[:1], network)
		other, err2 := byNames(data[1:], network)
		if (err == nil) == (err2 == nil) {
			return nil, &NoMatch{Missing: data, Data: data, Network: network}
		}
		if one != nil {
			m.To = []int{1, 0}
		} else if other != nil {
			m.To = []int{0, 1}
		}
		return m, nil
	}
	return byNames(data, network)
}

// sortsAsNumbers reports whether names stand in the same order sorted as texts and as numbers, if they are numbers
// at all: folders 1 to 12 are classes 1, 10, 11, 12, 2 ... to some programs and 1, 2, 3 ... to others.
func sortsAsNumbers(names []string) bool {
	if Numbered(names) || slices.ContainsFunc(names, func(n string) bool { return number(n) < 0 }) {
		return true
	}
	return slices.IsSorted(names) && slices.IsSortedFunc(names, func(a, b string) int { return number(a) - number(b) })
}

// byNames is Match for names on both sides.
func byNames(data, network []string) (*Mapping, error) {
	m := &Mapping{To: make([]int, len(data))}
	fail := &NoMatch{Data: data, Network: network}
	index := newIndex(network)
	taken := map[int]string{}
	for i, d := range data {
		hits := index.find(d)
		switch {
		case len(hits) == 0:
			fail.Missing = append(fail.Missing, d)
		case len(hits) > 1:
			fail.Ambiguous = append(fail.Ambiguous, fmt.Sprintf("%q could be %s", d, numbersOf(hits, network)))
		default:
			if other, twice := taken[hits[0]]; twice {
				fail.Ambiguous = append(fail.Ambiguous, fmt.Sprintf("%q and %q both are class %d, %q", other, d, hits[0], network[hits[0]]))
			}
			taken[hits[0]] = d
			m.To[i] = hits[0]
		}
	}
	if len(fail.Missing)+len(fail.Ambiguous) > 0 {
		return nil, fail
	}
	return m, nil
}

func numbersOf(hits []int, network []string) string {
	var out []string
	for _, k := range hits {
		out = append(out, fmt.Sprintf("class %d (%s)", k, network[k]))
	}
	return some(out, 4, " or ")
}

// index finds a network's classes by the forms of their names.
type index struct {
	forms    [4]map[string][]int // exact, loose, number, WordNet number
	words    map[string][]int    // each of the words of a class
	imagenet int                 // class of ImageNet's first, if the classes are ImageNet's in their order, else -1
}

func newIndex(network []string) *index {
	x := &index{words: map[string][]int{}, imagenet: imageNetAt(network)}
	for f := range x.forms {
		x.forms[f] = map[string][]int{}
	}
	for i, n := range network {
		for f, key := range forms(n) {
			if key != "" {
				x.forms[f][key] = append(x.forms[f][key], i)
			}
		}
		all := words(n)
		if id := wordnetOnly.FindStringSubmatch(n); id != nil && len(all) == 0 {
			if k := slices.Index(ImageNetIDs(), id[1]); k >= 0 {
				all = words(ImageNet()[k])
			}
		}
		for _, w := range all {
			if !slices.Contains(x.words[w], i) {
				x.words[w] = append(x.words[w], i)
			}
		}
	}
	return x
}

// find returns the classes that a name fits, by the first step at which it fits any.
func (x *index) find(name string) []int {
	key := forms(name)
	for f := range key {
		if hits := x.forms[f][key[f]]; key[f] != "" && len(hits) > 0 {
			return hits
		}
	}
	if id := key[3]; id != "" && x.imagenet >= 0 {
		if i := slices.Index(ImageNetIDs(), id); i >= 0 {
			return []int{x.imagenet + i}
		}
	}
	// The name is one of a class's words, or the class's name is one of the words in it.
	hits := slices.Clone(x.words[loose(norm.NFC.String(name))])
	for _, w := range words(name) {
		for _, i := range x.forms[1][w] {
			if !slices.Contains(hits, i) {
				hits = append(hits, i)
			}
		}
	}
	slices.Sort(hits)
	if id := key[3]; len(hits) == 0 && id != "" {
		// A WordNet number whose words are known stands for them.
		if i := slices.Index(ImageNetIDs(), id); i >= 0 && name != ImageNet()[i] {
			return x.find(ImageNet()[i])
		}
	}
	return hits
}

var wordnetOnly = regexp.MustCompile(`^(n\d{8})(?:$|[\s,:_-]+(.*)$)`)

// forms are the ways in which a name is compared, from strict to loose; "": none.
func forms(name string) (f [4]string) {
	name = norm.NFC.String(name) // file systems of Apple take letters and their accents apart
	f[0], f[1] = strings.TrimSpace(name), loose(name)
	if n := number(f[0]); n >= 0 {
		f[2] = strconv.Itoa(n)
	}
	if m := wordnetOnly.FindStringSubmatch(f[0]); m != nil {
		f[3], f[1] = m[1], loose(m[2])
	}
	return f
}

var filler = strings.NewReplacer(" ", "", "_", "", "-", "", "\t", "", ".", "", "'", "", "’", "")

// loose is a name without case, blanks, hyphens and the like.
func loose(name string) string { return filler.Replace(strings.ToLower(name)) }

// words are the parts of a name with commas, in the loose form.
func words(name string) []string {
	if m := wordnetOnly.FindStringSubmatch(name); m != nil {
		name = m[2]
	}
	var out []string
	for _, w := range strings.Split(norm.NFC.String(name), ",") {
		if w = loose(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}
