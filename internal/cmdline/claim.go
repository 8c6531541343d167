package cmdline

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
)

// claim refuses to write over a picture that was made from another network or image, or not by viz, unless
// --force says so. Of viz's own pictures the very name in --out is as good, and so is --resume.
func (o *Output) claim(path string, facts ...string) error {
	other, viz := madeFrom(path, o.session.Hash(), facts...)
	return o.c.Claimed(path, other, (o.One != "" || o.resumed) && viz)
}

// ahead refuses before the work what claim would refuse after it.
func (o *Output) ahead(name string) error {
	path := o.Path(name) + o.Ext
	other, viz := madeFrom(path, o.session.Hash())
	if o.Stdout || o.c.Force || viz && (o.One != "" || o.resumed) {
		return nil
	}
	return o.c.Claimed(path, other, false)
}

// Claimed is an error about a file that is there and is not what will be written: other says what it is, "" if
// nothing is in the way. If allowed, or --force is given, it is only said.
func (c *Run) Claimed(path, other string, allowed bool) error {
	switch {
	case other == "":
		return nil
	case allowed || c.Force:
		c.Note("replacing %s, which %s", path, other)
		return nil
	}
	return Hinted(fmt.Errorf("%s is there already and %s", path, other), "--force replaces it; --out names another place")
}

// madeFrom says what a picture was made from, if not from the network and the images or data that facts name; "" if
// it was, or is not there. viz: it is one of viz's pictures.
func madeFrom(path, network string, facts ...string) (other string, viz bool) {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return "", false
	}
	text, err := imageio.ReadText(path)
	of := map[string]string{}
	for _, t := range text {
		of[t.Key] = t.Value
	}
	theirs, known := of["viz.model"]
	if viz = err == nil && (known || strings.HasPrefix(of["Software"], "viz ")); !viz {
		return "was not made by viz", false
	}
	if known && !strings.HasSuffix(theirs, network) {
		return "was made from another network, " + theirs, true
	}
	for i := 0; i+1 < len(facts); i += 2 {
		if v, ok := of["viz."+facts[i]]; ok && v != imageio.Noted(facts[i+1]) && slices.Contains([]string{"image", "images", "data"}, facts[i]) {
			return "was made from " + v, true
		}
	}
	return "", true
}

// ClaimNetwork refuses to write a network over a file that holds another, or none, unless --force says so. The
// network itself with other pixels or names is no other.
func (c *Run) ClaimNetwork(path string, net *model.Network) error {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil
	}
	other := "is no network"
	if there, err := openNetwork(path, open.Options{}); err == nil {
		other = "is another network, " + there.Name + " " + there.Hash()
		t, n := there.Origin, net.Origin
		like := *there
		like.Preprocess, like.Classes, like.Logits, like.Scores, like.Outputs = net.Preprocess, net.Classes, net.Logits, net.Scores, net.Outputs
		if like.Hash() == net.Hash() || t.Command != "" && t.Command == n.Command && t.Step == n.Step {
			return nil
		}
	}
	return c.Claimed(path, other, false)
}

// Shows reports whether a picture and its array are there, whole, and the picture was made from an image and this
// network. path has no extension.
func (o *Output) Shows(path, image string) bool {
	if other, viz := madeFrom(path+o.Ext, o.session.Hash(), "image", image); !viz || other != "" {
		return false
	}
	_, err := imageio.Open(path + o.Ext)
	return err == nil && WholeArrays(filepath.Dir(path), filepath.Base(path))
}

// WriteArray writes an array, but over no file that is none, unless --force says so.
func (c *Run) WriteArray(path string, shape []int, values []float32) error {
	if f, size, err := imageio.OpenPlain(path); err == nil { // not there, as a rule, or a pipe
		head := make([]byte, 6)
		_, err := io.ReadFull(f, head)
		if f.Close(); size > 0 && (err != nil || string(head) != "\x93NUMPY") {
			if err := c.Claimed(path, "is no array", false); err != nil {
				return err
			}
		}
	}
	return npy.WriteFile(path, shape, values)
}

// WholeArrays reports whether arrays are in a folder and can be read.
func WholeArrays(dir string, names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		_, err := npy.ReadFile(filepath.Join(dir, FileName(name)+".npy"))
		return err != nil
	})
}

// claimPage refuses to write over a page of another network, or one that is not viz's.
func (o *Output) claimPage(path string) error {
	return o.ClaimPage(filepath.Base(path), "this network")
}

// ClaimPage is for pages that take long to make: it refuses before the work to write over one that does not hold
// the network's hash and marks, which say what it shows.
func (o *Output) ClaimPage(name, shows string, marks ...string) error {
	path := filepath.Join(o.Dir, name)
	text, err := imageio.ReadPlain(path)
	if err != nil || o.c.Force {
		return nil // not there, as a rule
	}
	for _, mark := range append(marks, o.session.Hash()) {
		if !strings.Contains(string(text), mark) {
			return Hinted(fmt.Errorf("%s is there already and does not show %s", path, shows), "--force replaces it; --out names another folder")
		}
	}
	return nil
}
