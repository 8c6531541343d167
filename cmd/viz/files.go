package main

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
	"github.com/urfave/cli/v2"
)

// files is the folder that reports on trainings go into. It implements sweep.Writer.
type files struct {
	c   *cli.Context
	dir string
}

// withFolder opens the folder --out and the data, and lets do work in it. fits, unless nil, refuses data before its
// images are decoded. Nothing is left of a folder into which nothing was written.
func withFolder(c *cli.Context, data string, fits func(*images.Data) error, do func(*sweep.Folder, files) error) error {
	out := files{c, c.String("out")}
	if err := outDir(c, out.dir, "--out"); err != nil {
		return err
	}
	defer tidy(c.App)
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	f, err := sweep.Open(engine, out.dir, sweepOptions(c))
	if err != nil {
		return requestErr(err)
	}
	defer f.Close()
	set, err := openTraining(c, data, c.Uint64("data-seed"))
	if err != nil {
		return err
	}
	if fits != nil {
		if err := fits(set); err != nil {
			return requestErr(err)
		}
	}
	if err := f.Load(c.Context, set, sweep.Split{HoldOut: c.Float64("hold-out"), Limit: c.Int("limit")}); err != nil {
		return requestErr(err)
	}
	return requestErr(do(f, out))
}

// Figure writes a picture that is of no single network. Those of the folder itself are named on stdout.
func (o files) Figure(dir string, f view.Figure) ([]byte, error) {
	text := []imageio.Text{{Key: "Software", Value: "viz " + version()}, {Key: "viz.command", Value: strings.TrimPrefix(commandLine(), "viz ")}}
	for _, fact := range f.Facts {
		text = append(text, imageio.Text{Key: "viz." + fact.Key, Value: fact.Value})
	}
	var png bytes.Buffer
	if err := imageio.EncodePNG(&png, f.Image, text); err != nil {
		return nil, err
	}
	return png.Bytes(), o.write(dir, f.Name+".png", png.Bytes())
}

// claim refuses to write over the picture of another network or other data, see claimed.
func (o files) claim(net *model.Network, name, data string) error {
	path := filepath.Join(o.dir, name+".png")
	other, _ := madeFrom(path, net.Hash(), "data", data)
	return claimed(o.c, path, other, false)
}

// Table writes a table as CSV.
func (o files) Table(dir string, t view.Table) error {
	text, err := encodeCSV(t.Header, t.Rows)
	if err != nil {
		return err
	}
	return o.write(dir, t.Name+".csv", text)
}

// save writes a result as JSON and its table as CSV.
func (o files) save(result any, t view.Table) error {
	text, err := encodeJSON(result)
	if err != nil {
		return err
	}
	if err := o.write("", t.Name+".json", text); err != nil {
		return err
	}
	return o.Table("", t)
}

// numbers is save, and prints the result if --json asks for it.
func (o files) numbers(result any, t view.Table) error {
	if err := o.save(result, t); err != nil {
		return err
	}
	if o.c.Bool("json") {
		return printJSON(o.c, result)
	}
	return nil
}

// page writes a page of HTML.
func (o files) page(name string, html []byte) error { return o.write("", name, html) }

func (o files) write(dir, name string, content []byte) error {
	path := filepath.Join(o.dir, dir, fileName(name))
	if err := imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(content); return err }); err != nil {
		return err
	}
	if dir == "" {
		wrote(o.c, path)
	}
	return nil
}

func encodeCSV(header []string, rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	err := csv.NewWriter(&b).WriteAll(append([][]string{header}, rows...))
	return b.Bytes(), err
}

// writeCSV writes a table and names it on stdout.
func writeCSV(c *cli.Context, path string, header []string, rows [][]string) error {
	text, err := encodeCSV(header, rows)
	if err != nil {
		return err
	}
	if err := imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return err
	}
	wrote(c, path)
	return nil
}

// printTable prints rows in columns, after an empty line.
func printTable(c *cli.Context, rows [][]string) error {
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
