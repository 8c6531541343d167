package sweep

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/deconvnet/viz/internal/page"
	"github.com/deconvnet/viz/view"
)

// Writer takes what a report consists of. dir is a folder below the list's own, "" for that itself.
type Writer interface {
	// Figure writes a picture, and returns it as it was written: PNG.
	Figure(dir string, f view.Figure) (png []byte, err error)
	Table(dir string, t view.Table) error
}

// reportPicture is a picture inside the page.
type reportPicture struct {
	Name string
	URL  template.URL
}

// reportLine is a trial in the table of the page.
type reportLine struct {
	TrialRow
	Text, Accuracy, BestText, TrainText, Expected, Difference, To, SpeedText, Why string
}

// reportSection is the pictures of a trial.
type reportSection struct {
	Title    string
	Pictures []reportPicture
}

// reportPage is the data of the page.
type reportPage struct {
	Data, Tool, Command, Threshold string
	Train, Test                    int
	Overview                       reportPicture
	Lines                          []reportLine
	Findings                       []Finding
	Sections                       []reportSection
	Seconds                        string
	Course                         bool // the course's own list
}

// Report draws the figures, each once, gives them to w with the tables of each trial, and returns a page with all of them.
func (t *TrialsResult) Report(ctx context.Context, w Writer) (html []byte, err error) {
	data := reportPage{Data: t.Data, Tool: t.o.Tool, Command: t.o.Command, Train: t.sizes[0], Test: t.sizes[1], Course: t.course, Threshold: view.Num(t.Threshold, 3), Findings: t.Findings}
	// Pictures are kept as PNG: as pixels, those of a long list would fill the memory.
	draw := func(dir string, f view.Figure) (reportPicture, error) {
		if err := ctx.Err(); err != nil {
			return reportPicture{}, err
		}
		png, err := w.Figure(dir, f)
		return reportPicture{f.Name, page.PNG(png)}, err
	}
	if data.Overview, err = draw("", t.overview()); err != nil {
		return nil, err
	}
	total := 0.0
	for i, r := range t.Trials {
		f := t.done[i]
		if s := orNaN(r.Seconds); s == s {
			total += s
		}
		line := t.line(r, f)
		data.Lines = append(data.Lines, line)
		section := reportSection{Title: line.Text}
		dir := runDir(f.Trial.Name)
		for _, table := range f.tables() {
			if err := w.Table(dir, table); err != nil {
				return nil, err
			}
		}
		err := t.figures(f, func(figure view.Figure) error {
			p, err := draw(dir, figure)
			section.Pictures = append(section.Pictures, p)
			return err
		})
		if err != nil {
			return nil, err
		}
		data.Sections = append(data.Sections, section)
	}
	data.Seconds = roundTime(total).String()
	return page.HTML("trials", data)
}

// line is a trial as the table of the page shows it.
func (t *TrialsResult) line(r TrialRow, f *finishedTrial) reportLine {
	l := reportLine{TrialRow: r, Text: f.describe(), Accuracy: view.Num(orNaN(r.TestAccuracy), 3), BestText: view.Num(orNaN(r.Best), 3), TrainText: view.Num(orNaN(r.Train), 3),
		To: stepsText(r.ToThreshold), SpeedText: view.Num(orNaN(r.Speed), 0)}
	if e := r.Trial.Expect; e > 0 {
		d := orNaN(r.TestAccuracy) - e
		l.Expected = view.Num(e, 3)
		if d == d {
			l.Difference = fmt.Sprintf("%+.3f", d)
		}
		if apart(d) {
			l.Why = t.whyApart(r, d)
		}
	}
	return l
}

// apart tells whether accuracies differ by more than 0.03, in the figures that they
// are given with: 0.52 is not apart from 0.55, though its float64 is.
func apart(d float64) bool { return math.Round(1e4*math.Abs(d)) > 300 }

// whyApart says what is known to explain an accuracy that is more than 0.03 away
// from the one expected: for the course's
// list, how its runs were others.
func (t *TrialsResult) whyApart(r TrialRow, d float64) string {
	var why []string
	if s := t.request.Shorten; s < 1 {
		why = append(why, fmt.Sprintf("only %g of the steps were taken", s))
	}
	if r.Diverged != "" {
		why = append(why, r.Diverged)
	}
	if b := orNaN(r.Best); b == b && !apart(b-r.Trial.Expect) {
		why = append(why, fmt.Sprintf("the best, %.3f at step %d, is within 0.03: it was lost again (overfitting: %.3f on training images)", b, r.BestStep, orNaN(r.Train)))
	}
	if t.request.Standardize {
		why = append(why, "the input is standardized, not pixel/255")
	}
	if t.limited {
		why = append(why, "only a part of the images was used")
	}
	if t.course {
		n := t.sizes[1]
		why = append(why, fmt.Sprintf("optimizer, rate, batch, steps, keep probability and the distribution of initial weights are the course's, so no cause is known; "+
			"images come in epochs (the course draws a fresh permutation each step); the course's figure is that of one run with other draws, read off a chart; "+
			"on %d test images an accuracy has a standard error of %.3f", n, math.Sqrt(r.Trial.Expect*(1-r.Trial.Expect)/float64(n))))
	}
	if len(why) == 0 {
		return fmt.Sprintf("%+.3f", d)
	}
	return fmt.Sprintf("%+.3f: %s", d, strings.Join(why, "; "))
}
