package cmdline

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"io/fs"
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
	defer c.ends.tidy()
	filepath.WalkDir(filepath.Join(out.Dir, "runs"), func(path string, d fs.DirEntry, err error) error { // earlier runs
		if err == nil && d.IsDir() {
			imageio.RemoveParts(path)
		}
		return nil
	})
	engine := model.NewEngine(c.Workers)
	defer engine.Close()
	f, err := sweep.Open(engine, out.Dir, c.SweepOptions())
	if err != nil {
		return RequestErr(err)
	}
	defer f.Close()
	set, err := c.OpenTraining(data, c.DataSeed)
	if err != nil {
		return err
	}
	if fits != nil {
		if err := fits(set); err != nil {
			return RequestErr(err)
		}
	}
	if err := f.Load(c.Context, set, sweep.Split{HoldOut: c.HoldOut, Limit: c.Limit}); err != nil {
		return RequestErr(err)
	}
	return RequestErr(do(f, out))
}

// Files is the folder --out.
func (c *Run) Files() Files { return Files{c, c.Out} }

// Figure writes a picture that is of no single network. Those of the folder itself are named on stdout.
func (o Files) Figure(dir string, f view.Figure) ([]byte, error) {
	text := []imageio.Text{{Key: "Software", Value: "viz " + o.c.Version}, {Key: "viz.command", Value: strings.Join(o.c.remade(), " ")}}
	for _, fact := range f.Facts {
		text = append(text, imageio.Text{Key: "viz." + fact.Key, Value: fact.Value})
	}
	var png bytes.Buffer
	if err := imageio.EncodePNG(&png, f.Image, text); err != nil {
		return nil, err
	}
	return png.Bytes(), o.write(dir, f.Name+".png", png.Bytes())
}

// ClaimFiles makes the folder --out, and refuses to write over the picture NAME.png there of another network or other data.
func (c *Run) ClaimFiles(net *model.Network, name string) (Files, error) {
	out := c.Files()
	if err := c.OutDir(out.Dir, "--out"); err != nil {
		return out, err
	}
	path := filepath.Join(out.Dir, name+".png")
	other, _ := madeFrom(path, net.Hash(), "data", c.Data)
	return out, c.Claimed(path, other, false)
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

// Report writes the figure and the numbers of a result, and prints it: in columns with remarks below, or as JSON.
func (o Files) Report(result any, f view.Figure, t view.Table, rows [][]string, remarks ...string) error {
	if _, err := o.Figure("", f); err != nil {
		return err
	}
	if err := o.Save(result, t); err != nil {
		return err
	}
	return o.Print(result, rows, remarks...)
}

// Print prints a result in columns with remarks below, or as JSON.
func (o Files) Print(result any, rows [][]string, remarks ...string) error {
	if o.c.JSON {
		return o.c.PrintJSON(result)
	}
	if err := o.c.PrintTable(rows); err != nil {
		return err
	}
	for _, text := range remarks {
		fmt.Fprintln(o.c.Stdout, Plain(text))
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
	all := [][]string{csvRow(header)}
	for _, row := range rows {
		all = append(all, csvRow(row))
	}
	err := csv.NewWriter(&b).WriteAll(all)
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

// PrintRows prints rows in columns.
func (c *Run) PrintRows(rows [][]string) error {
	return printRows(c.Stdout, 2, 0, rows, "\n")
}

// PrintRight prints rows in columns that end on the right.
func (c *Run) PrintRight(rows [][]string) error {
	return RightRows(c.Stdout, rows, 1)
}

// RightRows writes rows in columns that end on the right, with a gap between them.
func RightRows(to io.Writer, rows [][]string, gap int) error {
	return printRows(to, gap, tabwriter.AlignRight, rows, "\t\n")
}

// printRows writes all rows at once: a tabwriter panics if it is used after an error of what it writes to.
func printRows(to io.Writer, gap int, flags uint, rows [][]string, end string) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, gap, ' ', flags)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = plainCell(cell)
		}
		fmt.Fprint(w, strings.Join(cells, "\t"), end)
	}
	w.Flush()
	_, err := to.Write(text.Bytes())
	return err
}

// PrintTable prints rows in columns, after an empty line.
func (c *Run) PrintTable(rows [][]string) error { return c.PrintRows(append([][]string{nil}, rows...)) }
