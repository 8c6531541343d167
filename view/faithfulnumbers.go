package view

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// Mean is a mean over images with its standard error, which is missing for one image.
type Mean struct {
	Mean   float64  `json:"mean"`
	Error  *float64 `json:"standard_error,omitempty"`
	Images int      `json:"images"` // for which there is a value
}

// cells are the mean and its error in a table of numbers.
func (m *Mean) cells() []string {
	switch {
	case m == nil:
		return []string{"", ""}
	case m.Error == nil:
		return []string{Num(m.Mean, 4), ""}
	}
	return []string{Num(m.Mean, 4), Num(*m.Error, 4)}
}

// FaithfulRow is what became of a method's maps. Measures that are known of no image are missing.
type FaithfulRow struct {
	Method   string `json:"method"`
	Deletion *Mean  `json:"deletion"`      // area under the curve: lower is better
	Insert   *Mean  `json:"insertion"`     // higher is better
	Drop     *Mean  `json:"average_drop"`  // share of the probability lost when only the map is shown: lower is better
	Increase *Mean  `json:"increase"`      // share of images whose probability rises then: higher is better
	Subsets  *Mean  `json:"sensitivity_n"` // correlation: higher is better
	Misses   *Mean  `json:"infidelity"`    // what the map's best multiple misses of what hiding pixels costs: lower is better
	Pointing *Mean  `json:"pointing"`      // share of maps whose maximum lies on the object
	Energy   *Mean  `json:"energy"`        // share of the map on the object
	Seconds  *Mean  `json:"seconds,omitempty"`
	Problem  string `json:"problem,omitempty"`

	DeletionCurve  []float64            `json:"deletion_curve"` // mean over images
	InsertionCurve []float64            `json:"insertion_curve"`
	values         map[string][]float64 // by measure, by image; NaN: not known
}

// FaithfulTest compares two methods over the same images.
type FaithfulTest struct {
	Measure    string  `json:"measure"`
	A          string  `json:"a"`
	B          string  `json:"b"`
	Difference float64 `json:"difference"` // mean of A - B
	Error      float64 `json:"standard_error"`
	P          float64 `json:"p"` // two-sided, of a paired t test; not corrected for several tests
	Images     int     `json:"images"`
}

// FaithfulNumbers are the results for a list of images.
type FaithfulNumbers struct {
	Model    string         `json:"model"`
	Images   int            `json:"images"`
	Steps    int            `json:"steps"`
	Subsets  int            `json:"subsets"`
	Boxes    string         `json:"boxes,omitempty"` // the file that says where objects are
	Boxed    int            `json:"images_with_boxes"`
	Fill     string         `json:"fill"`
	Measured model.Quantity `json:"measured"` // what the curves are of
	Rows     []*FaithfulRow `json:"rows"`
	Tests    []FaithfulTest `json:"tests"`
}

// The measures of a row, in the order of the table.
var measures = []string{"deletion", "insertion", "average drop", "increase", "sensitivity-n", "infidelity", "pointing", "energy", "seconds"}

func (r *FaithfulRow) fields() []**Mean {
	return []**Mean{&r.Deletion, &r.Insert, &r.Drop, &r.Increase, &r.Subsets, &r.Misses, &r.Pointing, &r.Energy, &r.Seconds}
}

// mean leaves out what is not known; nil: all.
func mean(values []float64) *Mean {
	values = slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(values) == 0 {
		return nil
	}
	m := &Mean{Mean: exact.Mean(values), Images: len(values)}
	if len(values) > 1 {
		_, e := exact.MeanStdDev(values)
		e /= math.Sqrt(float64(len(values)))
		m.Error = &e
	}
	return m
}

// finish makes means and tests of the values.
func (n *FaithfulNumbers) finish() {
	for _, row := range n.Rows {
		if row.Problem != "" {
			row.DeletionCurve, row.InsertionCurve = nil, nil
			continue
		}
		for j := range row.DeletionCurve {
			row.DeletionCurve[j] /= float64(n.Images)
			row.InsertionCurve[j] /= float64(n.Images)
		}
		for j, field := range row.fields() {
			*field = mean(row.values[measures[j]])
		}
	}
	for _, measure := range measures[:len(measures)-1] { // but time
		for a, one := range n.Rows {
			for _, two := range n.Rows[a+1:] {
				if t, ok := paired(measure, one, two); ok {
					n.Tests = append(n.Tests, t)
				}
			}
		}
	}
}

// paired is a paired t test.
func paired(measure string, a, b *FaithfulRow) (FaithfulTest, bool) {
	var d []float64
	other := b.values[measure]
	for i, v := range a.values[measure] {
		if i < len(other) && !math.IsNaN(v-other[i]) {
			d = append(d, v-other[i])
		}
	}
	if len(d) < 2 {
		return FaithfulTest{}, false
	}
	m := mean(d)
	t := FaithfulTest{Measure: measure, A: a.Method, B: b.Method, Difference: m.Mean, Error: *m.Error, P: 1, Images: len(d)}
	switch {
	case t.Error > 0:
		t.P = exact.Student(t.Difference/t.Error, len(d)-1)
	case t.Difference != 0:
		t.P = 0
	}
	return t, true
}

// Table is one row a method.
func (n *FaithfulNumbers) Table() Table {
	t := Table{Name: "faithful", Header: []string{"method"}}
	for _, m := range measures {
		t.Header = append(t.Header, m, m+" standard error")
	}
	for _, row := range n.Rows {
		line := []string{row.Method}
		for _, f := range row.fields() {
			line = append(line, (*f).cells()...)
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

// FaithfulFigure draws the mean curves.
func (s *Session) FaithfulFigure(n *FaithfulNumbers) Figure {
	var deletion, insertion []render.Series
	for _, row := range n.Rows {
		if row.Problem != "" {
			continue
		}
		x := make([]float64, len(row.DeletionCurve))
		for i := range x {
			x[i] = float64(i) / float64(len(x)-1)
		}
		dashed := row.Method == randomMap || row.Method == centreMap
		deletion = append(deletion, render.Series{Name: fmt.Sprintf("%s %.3f", row.Method, row.Deletion.Mean), X: x, Y: row.DeletionCurve, Dashed: dashed})
		insertion = append(insertion, render.Series{Name: fmt.Sprintf("%s %.3f", row.Method, row.Insert.Mean), X: x, Y: row.InsertionCurve, Dashed: dashed})
	}
	y := "mean " + string(n.Measured)
	chart := func(title, xs string, list []render.Series) render.Panel {
		return render.Panel{Image: render.Chart{Title: title, XLabel: xs, YLabel: y, Width: 560, Height: 420}.Lines(list)}
	}
	caption := fmt.Sprintf("%d images, %d steps; pixels that are not there are: %s. Names with the mean area under the curve. Dashed: controls. %s", n.Images, n.Steps, n.Fill, s.about())
	return Figure{Name: "faithful", Numbers: n, Image: render.Figure{Title: "What the strongest pixels of each method are worth", Columns: 2, PanelSize: -1,
		Panels:  []render.Panel{chart("Deletion: lower is better", "share of pixels taken away", deletion), chart("Insertion: higher is better", "share of pixels shown", insertion)},
		Caption: []string{caption}}.Draw(), Facts: []Fact{{"images", fmt.Sprint(n.Images)}}}
}

// Text is the result in columns: means with their standard errors.
func (n *FaithfulNumbers) Text() [][]string {
	table := n.Table()
	var head []string
	for i, name := range table.Header {
		if i == 0 || i%2 == 1 {
			head = append(head, name)
		}
	}
	rows := [][]string{head}
	for k, row := range table.Rows {
		line := row[:1]
		for i := 1; i+1 < len(row); i += 2 {
			cell := row[i]
			if row[i+1] != "" {
				cell += " ± " + row[i+1]
			}
			line = append(line, cell)
		}
		if problem := n.Rows[k].Problem; problem != "" {
			line = append(row[:1], problem)
		}
		rows = append(rows, line)
	}
	return rows
}

// text is a mean with its standard error.
func (m *Mean) text() string {
	switch {
	case m == nil:
		return ""
	case m.Error == nil:
		return Num(m.Mean, 3)
	}
	return Num(m.Mean, 3) + " ± " + Num(*m.Error, 3)
}
