package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/internal/imageio"
)

// Boxes say where objects are in pictures, by the pictures' names.
type Boxes struct {
	From    string   // the file or folder
	Classes []string // names of the objects' classes, each once
	Hash    string   // of what the files say
	of      map[string]*boxed
}

// boxed is what is known of one picture.
type boxed struct {
	w, h    int
	objects []object
}

// object is one object: a class, and its box in pixels of the picture, whose sides may lie between pixels.
type object struct {
	class                    string
	left, top, right, bottom float64
}

// mostBoxes is the largest file of boxes, in bytes: COCO's of 118,000 pictures has 470 million.
const mostBoxes = 1 << 30

// OpenBoxes reads boxes: a JSON file as COCO has it, an XML file as Pascal VOC has it, or a folder of such XML files.
func OpenBoxes(name string) (*Boxes, error) {
	b := &Boxes{From: name, of: map[string]*boxed{}}
	files := []string{name}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if files, err = fs.Glob(os.DirFS(name), "*.xml"); err != nil {
			return nil, err
		}
		for i, file := range files {
			files[i] = filepath.Join(name, file)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s: the folder has no .xml files: want Pascal VOC's annotations, or a file of COCO's", name)
		}
	}
	hash := sha256.New()
	for _, file := range files {
		text, err := imageio.ReadSmall(file, mostBoxes)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(hash, "%s %d ", stemOf(file), len(text))
		hash.Write(text) // no copy of it
		if err := b.read(text, file, info.IsDir()); err != nil {
			return nil, imageio.OneLine(fmt.Errorf("%s: %w", file, err))
		}
	}
	slices.Sort(b.Classes)
	b.Classes, b.Hash = slices.Compact(b.Classes), hex.EncodeToString(hash.Sum(nil))
	return b, nil
}

// read reads a file, which is one of many or the only one.
func (b *Boxes) read(text []byte, file string, many bool) error {
	switch start := bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), " \t\r\n"); {
	case bytes.HasPrefix(start, []byte("{")) && !many:
		return b.readCOCO(start)
	case bytes.HasPrefix(start, []byte("<")):
		return b.readVOC(start, file)
	}
	return fmt.Errorf("want COCO's JSON or Pascal VOC's XML")
}

// stemOf is the name by which a picture is known: without folders and extension.
func stemOf(name string) string {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	return strings.TrimSuffix(base, path.Ext(base))
}

// picture makes room for a picture's objects.
func (b *Boxes) picture(name string, w, h int) (*boxed, error) {
	switch {
	case stemOf(name) == "" || stemOf(name) == ".":
		return nil, fmt.Errorf("a picture has no name")
	case w < 1 || h < 1:
		return nil, fmt.Errorf("picture %s is %dx%d pixels: want its width and height", name, w, h)
	case b.of[stemOf(name)] != nil:
		return nil, fmt.Errorf("two pictures are called %s", stemOf(name))
	}
	p := &boxed{w: w, h: h}
	b.of[stemOf(name)] = p
	return p, nil
}

// add adds an object. A box may reach one pixel beyond the picture, as rounding makes it.
func (b *Boxes) add(p *boxed, o object) error {
	for _, v := range []float64{o.left, o.top, o.right, o.bottom} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("the box of a %s has sides that are no numbers", o.class)
		}
	}
	if o.class == "" {
		return fmt.Errorf("an object has no class")
	}
	if !(o.left < o.right && o.top < o.bottom) {
		return fmt.Errorf("the box of a %s is empty: columns %g to %g, rows %g to %g", o.class, o.left, o.right, o.top, o.bottom)
	}
	if o.left < -1 || o.top < -1 || o.right > float64(p.w)+1 || o.bottom > float64(p.h)+1 {
		return fmt.Errorf("the box of a %s, columns %g to %g and rows %g to %g, is outside the picture of %dx%d pixels", o.class, o.left, o.right, o.top, o.bottom, p.w, p.h)
	}
	p.objects = append(p.objects, o)
	b.Classes = append(b.Classes, o.class)
	return nil
}

// voc is the part of Pascal VOC's format that says where objects are. Pixels are counted from 1, and the last belongs
// to the box.
type voc struct {
	XMLName xml.Name `xml:"annotation"`
	File    string   `xml:"filename"`
	Size    struct {
		Width  int `xml:"width"`
		Height int `xml:"height"`
	} `xml:"size"`
	Objects []struct {
		Name string `xml:"name"`
		Box  *struct {
			Left   *float64 `xml:"xmin"`
			Top    *float64 `xml:"ymin"`
			Right  *float64 `xml:"xmax"`
			Bottom *float64 `xml:"ymax"`
		} `xml:"bndbox"`
	} `xml:"object"`
}

func (b *Boxes) readVOC(text []byte, file string) error {
	var v voc
	if err := xml.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("XML: %w", err)
	}
	name := strings.TrimSpace(v.File)
	if name == "" {
		name = filepath.Base(file)
	}
	p, err := b.picture(name, v.Size.Width, v.Size.Height)
	if err != nil {
		return err
	}
	for i, o := range v.Objects {
		if o.Box == nil || o.Box.Left == nil || o.Box.Top == nil || o.Box.Right == nil || o.Box.Bottom == nil {
			return fmt.Errorf("object %d, %s: want a bndbox with xmin, ymin, xmax and ymax", i+1, o.Name)
		}
		if err := b.add(p, object{strings.TrimSpace(o.Name), *o.Box.Left - 1, *o.Box.Top - 1, *o.Box.Right, *o.Box.Bottom}); err != nil {
			return fmt.Errorf("object %d: %w", i+1, err)
		}
	}
	return nil
}

// Matched are the boxes whose classes are some of a network's, by name.
type Matched struct {
	boxes *Boxes
	class map[string]int
}

// Match finds the network's class of each class of the boxes. Those that have none are left out; it is an error if
// none has one.
func (b *Boxes) Match(network []string) (*Matched, error) {
	m := &Matched{b, map[string]int{}}
	for _, name := range b.Classes {
		if to, err := classes.Match([]string{name}, network); err == nil {
			m.class[name] = to.Label(0)
		}
	}
	if len(m.class) == 0 {
		return nil, fmt.Errorf("%s: none of its classes (%s) is a class of the network by name", b.From, strings.Join(b.Classes[:min(len(b.Classes), 8)], ", "))
	}
	return m, nil
}

// Objects are the bounding boxes of the objects of a class in image i as the network sees them. known: the boxes know
// the picture.
func (in *Inputs) Objects(m *Matched, i, class int) (out []image.Rectangle, known bool, err error) {
	p := m.boxes.of[stemOf(in.Items[i].Name)]
	if p == nil {
		return nil, false, nil
	}
	picture, err := in.Open(i)
	if err != nil {
		return nil, true, err
	}
	if picture.Image == nil {
		return nil, true, fmt.Errorf("%s is an array: boxes are of pictures", picture.Name)
	}
	if size := picture.Image.Bounds().Size(); size != image.Pt(p.w, p.h) {
		return nil, true, fmt.Errorf("%s is %dx%d pixels, but %dx%d in %s", picture.Name, size.X, size.Y, p.w, p.h, m.boxes.From)
	}
	for _, o := range p.objects {
		if k, ok := m.class[o.class]; !ok || k != class {
			continue
		}
		if seen := in.seen(o, p.w, p.h); !seen.Empty() {
			out = append(out, seen)
		}
	}
	return out, true, nil
}

// seen is an object's box in the network's input, empty if it is cropped away: the bounding box of what becomes of its
// pixels.
func (in *Inputs) seen(o object, w, h int) image.Rectangle {
	mask := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(mask, mask.Rect, image.NewUniform(color.Black), image.Point{}, draw.Src)
	// A pixel belongs to the box if its centre does; a box between centres has the pixel that it is in.
	x0, y0 := int(math.Ceil(o.left-0.5)), int(math.Ceil(o.top-0.5))
	x1, y1 := int(math.Ceil(o.right-0.5)), int(math.Ceil(o.bottom-0.5))
	box := image.Rect(x0, y0, max(x1, x0+1), max(y1, y0+1)).Intersect(mask.Rect)
	draw.Draw(mask, box, image.NewUniform(color.White), image.Point{}, draw.Src)
	size := in.Net.Input
	fit := in.Net.Preprocess.FitLabels(mask, size.H, size.W)
	var out image.Rectangle
	for y := range size.H {
		for x := range size.W {
			if c := fit.NRGBAAt(x, y); c.R > 127 && c.A > 127 {
				out = out.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return out
}
