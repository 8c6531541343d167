package cmdline

import (
	"context"
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
)

// Output is where a command's pictures and their numbers go.
type Output struct {
	c       *Run
	session *view.Session
	Dir     string
	One     string         // file name without extension, if --out named a .png
	Ext     string         // of pictures: .png, or as --out has it
	Stdout  bool           // --out -: one picture goes to stdout, without its numbers
	used    map[string]int // how often a name was asked for
	silent  bool           // files are not named on stdout
	resumed bool           // --resume: figures of fewer images may be replaced
	written int
	results []any // JSON forms of the pictures, for --json
}

// OpenOutput reads --out: a folder, which is made, the name of a .png, or - for
// stdout; without it, a folder named after the command. The error comes before any
// work is done.
func (c *Run) OpenOutput(s *view.Session) (*Output, error) {
	o := c.OutputIn(c.Out, s)
	ext := strings.ToLower(filepath.Ext(o.Dir))
	switch {
	case o.Dir == "":
		o.Dir = "viz-" + c.Command
	case o.Dir == "-":
		if c.JSON {
			return nil, Usage("--out - and --json both write to stdout", "use one of them")
		}
		o.Dir, o.Stdout = ".", true
		return o, nil
	case IsDir(o.Dir):
	case ext == ".png":
		o.Ext = filepath.Ext(o.Dir)
		o.One = strings.TrimSuffix(filepath.Base(o.Dir), o.Ext)
		o.Dir = filepath.Dir(o.Dir)
	case slices.Contains([]string{".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".svg", ".pdf", ".npy", ".json", ".csv"}, ext):
		return nil, Usage("--out "+o.Dir+": pictures are written as PNG", "give --out the name of a .png, or a folder")
	}
	return o, c.OutDir(o.Dir, "--out")
}

// OutputIn is output into a folder that is made elsewhere.
func (c *Run) OutputIn(dir string, s *view.Session) *Output {
	return &Output{c: c, session: s, Dir: dir, Ext: ".png", used: map[string]int{}}
}

// Parts is output into a folder inside, for what a page is made of: its files are not named on stdout.
func (o *Output) Parts(name string) (*Output, error) {
	parts := o.c.OutputIn(filepath.Join(o.Dir, FileName(name)), o.session)
	parts.silent = true
	return parts, o.c.OutDir(parts.Dir, "--out")
}

// Numbers writes a result as NAME.json; --json prints it.
func (o *Output) Numbers(name string, v any) error {
	text, err := view.JSON(v)
	if err != nil {
		return err
	}
	o.results = append(o.results, v)
	return imageio.WriteFile(o.Path(name)+".json", func(w io.Writer) error { _, err := w.Write(text); return err })
}

// Several refuses --out x.png and --out - for more than one picture.
func (o *Output) Several(n int, what string) error {
	if o.One == "" && !o.Stdout || n < 2 {
		return nil
	}
	return Usage(fmt.Sprintf("--out %s is one picture, but there are %d %s", o.c.Out, n, what), "give --out a folder")
}

// End prints the results if --json asks for them, and says where the pictures are.
func (o *Output) End() error {
	if o.c.JSON && o.results != nil {
		return o.c.PrintJSON(o.results)
	}
	if o.written > 1 {
		o.c.Note("%d pictures are in %s", o.written, o.Dir)
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
func (o *Output) picture(name string, img image.Image, n numbers, more ...string) (string, error) {
	text, err := view.JSON(n.json)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	o.written++
	if o.Stdout {
		return "-", imageio.EncodePNG(o.c.Stdout, img, o.c.Provenance(o.session, more...))
	}
	base := o.Path(name)
	o.used[base]++
	if k := o.used[base]; k > 1 {
		base = fmt.Sprintf("%s-%d", base, k)
		o.used[base]++
	}
	if err := o.claim(base+o.Ext, more...); err != nil {
		return "", err
	}
	if err := imageio.WritePNG(base+o.Ext, img, o.c.Provenance(o.session, more...)); err != nil {
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
	if !o.silent {
		o.c.Wrote(base + o.Ext)
	}
	o.results = append(o.results, n.json)
	return filepath.Base(base) + o.Ext, nil
}

// Figures writes figures as picture does, and returns the names of the pictures' files.
func (o *Output) Figures(figures ...view.Figure) (names []string, err error) {
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

// Drawn draws n times and writes the figures in order; at most two are drawn while one is written.
func (o *Output) Drawn(n int, draw func(i int) ([]view.Figure, error)) error {
	type drawn struct {
		figures []view.Figure
		err     error
	}
	ctx, stop := context.WithCancel(o.c.Context)
	next := make(chan drawn, 1)
	go func() {
		defer close(next)
		var d drawn
		for i := 0; i < n && ctx.Err() == nil && d.err == nil; i++ {
			d.figures, d.err = draw(i)
			select {
			case next <- d:
			case <-ctx.Done():
			}
		}
	}()
	defer func() { // nothing is drawn after the end
		stop()
		for range next {
		}
	}()
	for d := range next {
		if d.err != nil {
			return d.err
		}
		if _, err := o.Figures(d.figures...); err != nil {
			return err
		}
	}
	return o.c.Context.Err()
}

// Table writes a table as CSV.
func (o *Output) Table(t view.Table) error { return o.csv(t.Name, t.Header, t.Rows) }

// csv writes a table as NAME.csv, unless the picture goes to stdout.
func (o *Output) csv(name string, header []string, rows [][]string) error {
	if o.Stdout {
		return nil
	}
	return o.c.writeCSV(o.Path(name)+".csv", header, rows)
}

// Path is where a picture of the given name goes, without extension.
func (o *Output) Path(name string) string {
	if o.One != "" {
		name = o.One
	}
	return filepath.Join(o.Dir, FileName(name))
}

// Page writes a page of HTML.
func (o *Output) Page(p view.Page) error {
	path := filepath.Join(o.Dir, p.File)
	if err := o.claimPage(path); err != nil {
		return err
	}
	if err := imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(p.HTML); return err }); err != nil {
		return err
	}
	o.c.Wrote(path)
	return nil
}

// FileName is the name of a layer, class or image as a file name.
func FileName(name string) string { return imageio.FileName(name) }

// BeginsWith reports whether a file name may be that of a name that begins so. Of long ones it compares what file names
// keep.
func BeginsWith(file, name string) bool {
	name = FileName(name)
	return strings.HasPrefix(file, name[:min(len(name), 100)])
}

func IsDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// OutDir makes a folder to write into and tries it; flag is where the user named
// it. What it made is remembered for tidy.
func (c *Run) OutDir(dir, flag string) error {
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
		return Hinted(fmt.Errorf("output folder %s: %w", dir, err), "choose another with "+flag)
	}
	if err := imageio.MakeDir(dir, 0o777); err != nil {
		return fail(err)
	}
	c.ends.made = append(c.ends.made, made...)
	imageio.RemoveParts(dir)
	if err := imageio.TryDir(dir); err != nil {
		return fail(err)
	}
	return nil
}

// OutFile checks, before any work is done, that a file can be written.
func (c *Run) OutFile(path, flag string) error {
	if IsDir(path) {
		return Usage(flag+" "+path+" is a directory, want a file name", "")
	}
	return c.OutDir(filepath.Dir(path), flag)
}

// tidy takes away the folders that a failed run made and left empty.
func (e *ends) tidy() {
	slices.SortFunc(e.made, func(a, b string) int { return len(b) - len(a) })
	for _, dir := range e.made {
		os.Remove(dir) // refuses unless empty
	}
}

// Provenance is what every picture carries in its text chunks.
func (c *Run) Provenance(s *view.Session, more ...string) []imageio.Text {
	var facts []view.Fact
	for i := 0; i+1 < len(more); i += 2 {
		facts = append(facts, view.Fact{Key: more[i], Value: more[i+1]})
	}
	var text []imageio.Text
	for _, f := range s.Provenance(c.Version, c.remade(), facts) {
		text = append(text, imageio.Text{Key: f.Key, Value: f.Value})
	}
	return text
}
