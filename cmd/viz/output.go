package main

import (
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

// output is where a command's pictures and their numbers go.
type output struct {
	c       *cli.Context
	session *view.Session
	dir     string
	one     string         // file name without extension, if --out named a .png
	ext     string         // of pictures: .png, or as --out has it
	stdout  bool           // --out -: one picture goes to stdout, without its numbers
	used    map[string]int // how often a name was asked for
	written int
	results []any // JSON forms of the pictures, for --json
}

// openOutput reads --out: a folder, which is made, the name of a .png, or - for
// stdout; without it, a folder named after the command. The error comes before any
// work is done.
func openOutput(c *cli.Context, s *view.Session) (*output, error) {
	o := &output{c: c, session: s, dir: c.String("out"), ext: ".png", used: map[string]int{}}
	ext := strings.ToLower(filepath.Ext(o.dir))
	switch {
	case o.dir == "":
		o.dir = "viz-" + c.Command.Name
	case o.dir == "-":
		if c.Bool("json") {
			return nil, usage("--out - and --json both write to stdout", "use one of them")
		}
		o.dir, o.stdout = ".", true
		return o, nil
	case isDir(o.dir):
	case ext == ".png":
		o.ext = filepath.Ext(o.dir)
		o.one = strings.TrimSuffix(filepath.Base(o.dir), o.ext)
		o.dir = filepath.Dir(o.dir)
	case slices.Contains([]string{".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".svg", ".pdf", ".npy", ".json", ".csv"}, ext):
		return nil, usage("--out "+o.dir+": pictures are written as PNG", "give --out the name of a .png, or a folder")
	}
	return o, outDir(c, o.dir, "--out")
}

// several refuses --out x.png and --out - for more than one picture.
func (o *output) several(n int, what string) error {
	if o.one == "" && !o.stdout || n < 2 {
		return nil
	}
	return usage(fmt.Sprintf("--out %s is one picture, but there are %d %s", o.c.String("out"), n, what), "give --out a folder")
}

// end prints the results if --json asks for them, and says where the pictures are.
func (o *output) end() error {
	if o.c.Bool("json") && o.results != nil {
		return printJSON(o.c, o.results)
	}
	if o.written > 1 {
		note(o.c, "%d pictures are in %s", o.written, o.dir)
	}
	return nil
}

// numbers are what a picture shows: an array (data is nil if there is none) and
// the rest.
type numbers struct {
	json  any
	shape []int
	data  []float32
}

// picture writes a picture with its provenance (more holds keys and values in
// turn), its numbers beside it as NAME.json and NAME.npy, and names the picture
// on stdout. A name that was used before gets a number. It returns the name of
// the picture's file.
func (o *output) picture(name string, img image.Image, n numbers, more ...string) (string, error) {
	text, err := encodeJSON(n.json)
	if err != nil {
		return "", err
	}
	o.written++
	if o.stdout {
		return "-", imageio.EncodePNG(o.c.App.Writer, img, provenance(o.session, more...))
	}
	base := o.path(name)
	o.used[base]++
	if k := o.used[base]; k > 1 {
		base = fmt.Sprintf("%s-%d", base, k)
		o.used[base]++
	}
	if err := o.claim(base+o.ext, more...); err != nil {
		return "", err
	}
	if err := imageio.WritePNG(base+o.ext, img, provenance(o.session, more...)); err != nil {
		return "", err
	}
	if n.data != nil {
		if err := npy.WriteFile(base+".npy", n.shape, n.data); err != nil {
			return "", err
		}
	}
	err = imageio.WriteFile(base+".json", func(w io.Writer) error { _, err := w.Write(text); return err })
	if err != nil {
		return "", err
	}
	wrote(o.c, base+o.ext)
	o.results = append(o.results, n.json)
	return filepath.Base(base) + o.ext, nil
}

// figures writes figures as picture does, and returns the names of the pictures' files.
func (o *output) figures(figures ...view.Figure) (names []string, err error) {
	for _, f := range figures {
		n := numbers{json: f.Numbers}
		if f.Array != nil {
			n.shape, n.data = f.Array.Shape, f.Array.Data
		}
		var facts []string
		for _, fact := range f.Facts {
			facts = append(facts, fact.Key, fact.Value)
		}
		name, err := o.picture(f.Name, f.Image, n, facts...)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// table writes a table as CSV.
func (o *output) table(t view.Table) error { return o.csv(t.Name, t.Header, t.Rows) }

// csv writes a table as NAME.csv, unless the picture goes to stdout.
func (o *output) csv(name string, header []string, rows [][]string) error {
	if o.stdout {
		return nil
	}
	return writeCSV(o.c, o.path(name)+".csv", header, rows)
}

// path is where a picture of the given name goes, without extension.
func (o *output) path(name string) string {
	if o.one != "" {
		name = o.one
	}
	return filepath.Join(o.dir, fileName(name))
}

// page writes a page of HTML.
func (o *output) page(p view.Page) error {
	path := filepath.Join(o.dir, p.File)
	if err := o.claimPage(path); err != nil {
		return err
	}
	if err := imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(p.HTML); return err }); err != nil {
		return err
	}
	wrote(o.c, path)
	return nil
}

// encodeJSON is the JSON form of a result.
func encodeJSON(v any) ([]byte, error) { return view.JSON(v) }

// fileName is the name of a layer, class or image as a file name.
func fileName(name string) string { return imageio.FileName(name) }

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// outDir makes a folder to write into and tries it; flag is where the user named
// it. What it made is remembered for tidy.
func outDir(c *cli.Context, dir, flag string) error {
	var made []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	fail := func(err error) error {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return hinted(fmt.Errorf("output folder %s: %w", dir, err), "choose another with "+flag)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fail(err)
	}
	before, _ := c.App.Metadata["made"].([]string)
	c.App.Metadata["made"] = append(before, made...)
	probe, err := os.CreateTemp(dir, ".viz-*")
	if err != nil {
		return fail(err)
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// outFile checks, before any work is done, that a file can be written.
func outFile(c *cli.Context, path, flag string) error {
	if isDir(path) {
		return usage(flag+" "+path+" is a directory, want a file name", "")
	}
	return outDir(c, filepath.Dir(path), flag)
}

// tidy takes away the folders that a failed run made and left empty.
func tidy(app *cli.App) {
	made, _ := app.Metadata["made"].([]string)
	slices.SortFunc(made, func(a, b string) int { return len(b) - len(a) })
	for _, dir := range made {
		os.Remove(dir) // refuses unless empty
	}
}
