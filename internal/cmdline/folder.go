package cmdline

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
)

// Files is the folder that reports on trainings go into. It implements sweep.Writer.
type Files struct {
	c   *Run
	Dir string
}

// WithFolder opens the folder --out and the data, and lets do work in it. fits, unless nil, refuses data before its
// images are decoded. Nothing is left of a folder into which nothing was written.
func (c *Run) WithFolder(data string, fits func(*images.Data) error, do func(*sweep.Folder, Files) error) error {
	out := c.Files()
	if err := c.OutDir(out.Dir, "--out"); err != nil {
		return err
	}
	defer Tidy(c.App)
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	f, err := sweep.Open(engine, out.Dir, c.SweepOptions())
	if err != nil {
		return RequestErr(err)
	}
	defer f.Close()
	set, err := c.OpenTraining(data, c.Uint64("data-seed"))
	if err != nil {
		return err
	}
	if fits != nil {
		if err := fits(set); err != nil {
			return RequestErr(err)
		}
	}
	if err := f.Load(c.Context, set, sweep.Split{HoldOut: c.Float64("hold-out"), Limit: c.Int("limit")}); err != nil {
		return RequestErr(err)
	}
	return RequestErr(do(f, out))
}

// Files is the folder --out.
func (c *Run) Files() Files { return Files{c, c.String("out")} }

// Figure writes a picture that is of no single network. Those of the folder itself are named on stdout.
func (o Files) Figure(dir string, f view.Figure) ([]byte, error) {
	text := []imageio.Text{{Key: "Software", Value: "viz " + o.c.Version}, {Key: "viz.command", Value: strings.TrimPrefix(commandLine(), "viz ")}}
	for _, fact := range f.Facts {
		text = append(text, imageio.Text{Key: "viz." + fact.Key, Value: fact.Value})
	}
	var png bytes.Buffer
	if err := imageio.EncodePNG(&png, f.Image, text); err != nil {
		return nil, err
	}
	return png.Bytes(), o.write(dir, f.Name+".png", png.Bytes())
}

// Claim refuses to write over the picture of another network or other data, see claimed.
func (o Files) Claim(net *model.Network, name, data string) error {
	path := filepath.Join(o.Dir, name+".png")
	other, _ := madeFrom(path, net.Hash(), "data", data)
	return o.c.Claimed(path, other, false)
}

// Table writes a table as CSV.
func (o Files) Table(dir string, t view.Table) error {
	text, err := encodeCSV(t.Header, t.Rows)
	if err != nil {
		return err
	}
	return o.write(dir, t.Name+".csv", text)
}

// Save writes a result as JSON and its table as CSV.
func (o Files) Save(result any, t view.Table) error {
	text, err := view.JSON(result)
	if err != nil {
		return err
	}
	if err := o.write("", t.Name+".json", text); err != nil {
		return err
	}
	return o.Table("", t)
}

// Numbers is save, and prints the result if --json asks for it.
func (o Files) Numbers(result any, t view.Table) error {
	if err := o.Save(result, t); err != nil {
		return err
	}
	if o.c.JSON {
		return o.c.PrintJSON(result)
	}
	return nil
}

// Page writes a page of HTML.
func (o Files) Page(name string, html []byte) error { return o.write("", name, html) }

func (o Files) write(dir, name string, content []byte) error {
	path := filepath.Join(o.Dir, dir, FileName(name))
	if err := imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(content); return err }); err != nil {
		return err
	}
	if dir == "" {
		o.c.Wrote(path)
	}
	return nil
}

func encodeCSV(header []string, rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	err := csv.NewWriter(&b).WriteAll(append([][]string{header}, rows...))
	return b.Bytes(), err
}

// writeCSV writes a table and names it on stdout.
func (c *Run) writeCSV(path string, header []string, rows [][]string) error {
	text, err := encodeCSV(header, rows)
	if err != nil {
		return err
	}
	if err := imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return err
	}
	c.Wrote(path)
	return nil
}

// PrintTable prints rows in columns, after an empty line.
func (c *Run) PrintTable(rows [][]string) error {
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
