package main

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/page"
	"github.com/urfave/cli/v2"
)

// writeReport writes report.html with all pictures inside.
func writeReport(c *cli.Context, k *campaign, done []*finishedTrial, rows []trialRow, findings []finding, threshold float64, overview string) error {
	type picture struct {
		Name string
		URL  template.URL
	}
	load := func(path string) (picture, error) {
		text, err := os.ReadFile(path)
		return picture{strings.TrimSuffix(filepath.Base(path), ".png"), template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(text))}, err
	}
	type line struct {
		trialRow
		Text, Accuracy, BestText, TrainText, Expected, Difference, To, SpeedText, Why string
	}
	type section struct {
		Title    string
		Pictures []picture
	}
	var data struct {
		Data, Tool, Command, Threshold string
		Train, Test                    int
		Overview                       picture
		Lines                          []line
		Findings                       []finding
		Sections                       []section
		Seconds                        string
		Course                         bool // the course's own list
	}
	data.Data, data.Tool, data.Command = k.data, "viz "+version(), "viz "+strings.Join(os.Args[1:], " ")
	data.Train, data.Test = k.images[0].Len(), k.images[1].Len()
	data.Course = c.String("list") == ""
	data.Threshold, data.Findings = num(threshold, 3), findings
	var err error
	if data.Overview, err = load(overview); err != nil {
		return err
	}
	total := 0.0
	for i, r := range rows {
		l := line{trialRow: r, Text: done[i].describe(), Accuracy: num(orNaN(r.TestAccuracy), 3), BestText: num(orNaN(r.Best), 3), TrainText: num(orNaN(r.Train), 3),
			To: stepsText(r.ToThreshold), SpeedText: num(orNaN(r.Speed), 0)}
		if s := orNaN(r.Seconds); s == s {
			total += s
		}
		if e := r.Trial.Expect; e > 0 {
			d := orNaN(r.TestAccuracy) - e
			l.Expected = num(e, 3)
			if d == d {
				l.Difference = fmt.Sprintf("%+.3f", d)
			}
			if apart(d) {
				l.Why = whyApart(c, r, d, data.Test)
			}
		}
		data.Lines = append(data.Lines, l)
		s := section{Title: l.Text}
		for _, f := range done[i].Files {
			p, err := load(f)
			if err != nil {
				return err
			}
			s.Pictures = append(s.Pictures, p)
		}
		data.Sections = append(data.Sections, s)
	}
	data.Seconds = roundTime(total).String()
	html, err := page.HTML("trials", data)
	if err != nil {
		return err
	}
	path := filepath.Join(k.dir, "report.html")
	if err := imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(html); return err }); err != nil {
		return err
	}
	wrote(c, path)
	return nil
}

// apart tells whether accuracies differ by more than 0.03, in the figures that they
// are given with: 0.52 is not apart from 0.55, though its float64 is.
func apart(d float64) bool { return math.Round(1e4*math.Abs(d)) > 300 }

// whyApart says what is known to explain an accuracy that is more than 0.03 away
// from the one expected, which was measured on n test images: for the course's
// list, how its runs were others.
func whyApart(c *cli.Context, r trialRow, d float64, n int) string {
	var why []string
	if s := c.Float64("shorten"); s < 1 {
		why = append(why, fmt.Sprintf("only %g of the steps were taken", s))
	}
	if r.Diverged != "" {
		why = append(why, r.Diverged)
	}
	if b := orNaN(r.Best); b == b && !apart(b-r.Trial.Expect) {
		why = append(why, fmt.Sprintf("the best, %.3f at step %d, is within 0.03: it was lost again (overfitting: %.3f on training images)", b, r.BestStep, orNaN(r.Train)))
	}
	if c.Bool("standardize") {
		why = append(why, "the input is standardized, not pixel/255")
	}
	if c.Int("limit") > 0 {
		why = append(why, "only a part of the images was used")
	}
	if c.String("list") == "" {
		why = append(why, fmt.Sprintf("solver, rate, batch, steps, keep rate and the distribution of initial weights are the course's, so no cause is known; images come in epochs (the course draws a fresh "+
			"permutation each step); the course's figure is that of one run with other draws, read off a chart; on %d test images an accuracy has a standard error of %.3f", n, math.Sqrt(r.Trial.Expect*(1-r.Trial.Expect)/float64(n))))
	}
	if len(why) == 0 {
		return fmt.Sprintf("%+.3f", d)
	}
	return fmt.Sprintf("%+.3f: %s", d, strings.Join(why, "; "))
}
