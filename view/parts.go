package view

import (
	"encoding/json"
	"fmt"
	"image"
	"path/filepath"
	"slices"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// MaskedParts are images and the parts of them that a Correspondence masks.
type MaskedParts struct {
	Images *tensor.Tensor // [N, C, H, W]
	Names  []string       // of the images
	Parts  []experiments.Part
	Spread int // pixels by which the corners of objects differ, if they were chosen to stand alike
}

// mostParts is the most images that are compared: all of them are in memory.
const mostParts = 200

// ParseParts reads boxes of parts, {"left eye": {"dog1.png": [x0, y0, x1, y1], ...}, ...}.
func ParseParts(text []byte) (map[string]map[string][]int, error) {
	const want = `want {"part": {"image.png": [x0, y0, x1, y1]}}`
	var boxes map[string]map[string][]int
	if err := json.Unmarshal(text, &boxes); err != nil {
		return nil, fmt.Errorf("%w: %s", err, want)
	}
	if len(boxes) == 0 {
		return nil, fmt.Errorf("no parts: %s", want)
	}
	return boxes, nil
}

// PartsOf finds the boxes of images, by the image's name or that of its file.
func PartsOf(src *images.Inputs, boxes map[string]map[string][]int) (parts []experiments.Part, err error) {
	var labels []string
	for name := range boxes {
		labels = append(labels, name)
	}
	slices.Sort(labels)
	for _, name := range labels {
		p := experiments.Part{Name: name}
		for _, path := range src.Names() {
			r, err := partBox(name, path, boxes[name], src.Net.Input)
			if err != nil {
				return nil, err
			}
			p.Boxes = append(p.Boxes, r)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// NamedParts loads images whose parts are known.
func NamedParts(src *images.Inputs, parts []experiments.Part) (*MaskedParts, error) {
	if src.Len() > mostParts {
		return nil, &FieldError{Field: "images", Problem: fmt.Sprintf("%d, want at most %d", src.Len(), mostParts)}
	}
	m := &MaskedParts{Parts: parts}
	var all []int
	for i := range src.Len() {
		all = append(all, i)
	}
	if err := m.load(src, all); err != nil {
		return nil, err
	}
	for i, name := range m.Names {
		m.Names[i] = images.Title(name)
	}
	return m, nil
}

// partBox is the box of a part in one image.
func partBox(part, path string, boxes map[string][]int, in model.Input) (image.Rectangle, error) {
	b, ok := boxes[path]
	if !ok {
		b, ok = boxes[filepath.Base(path)]
	}
	if !ok {
		return image.Rectangle{}, fmt.Errorf("part %s has no box for %s", part, path)
	}
	if len(b) != 4 {
		return image.Rectangle{}, fmt.Errorf("part %s: box %v of %s, want [x0, y0, x1, y1]", part, b, path)
	}
	r := image.Rectangle{Min: image.Pt(b[0], b[1]), Max: image.Pt(b[2], b[3])}
	if r.Dx() < 1 || r.Dy() < 1 || !r.In(image.Rect(0, 0, in.W, in.H)) {
		return r, fmt.Errorf("part %s: box %v of %s is not inside the network's input of %dx%d", part, b, path, in.W, in.H)
	}
	return r, nil
}

// ObjectParts chooses count images of one class of the data whose objects stand alike. Parts are the corners and
// the middle of the objects.
func ObjectParts(src *images.Inputs, class, count int) (*MaskedParts, error) {
	if count < 3 || count > mostParts {
		return nil, &FieldError{Field: "count", Problem: fmt.Sprintf("%d: want 3 to %d images", count, mostParts)}
	}
	var of []int
	var boxes []image.Rectangle
	for i, l := range src.Labels() {
		if l != class {
			continue
		}
		b := src.Object(i)
		if b.Empty() {
			return nil, &FieldError{Field: "data", Problem: fmt.Sprintf("%s: where the objects are in the network's input of %dx%d is not known", src.From, src.Net.Input.W, src.Net.Input.H),
				Hint: "give images and --parts, or --data shapes for a network with inputs of 32x32"}
		}
		of, boxes = append(of, i), append(boxes, b)
		if len(of) == 1000 {
			break
		}
	}
	if len(of) < count {
		return nil, &FieldError{Field: "count", Problem: fmt.Sprintf("%d: there are %d images of class %s", count, len(of), src.Classes[class]), Hint: "ask for fewer with --count"}
	}
	chosen, spread := experiments.Alike(boxes, count)
	m := &MaskedParts{Spread: spread}
	var numbers []int
	var objects []image.Rectangle
	for _, k := range chosen {
		numbers, objects = append(numbers, of[k]), append(objects, boxes[k])
	}
	m.Parts = experiments.ObjectParts(objects)
	return m, m.load(src, numbers)
}

// load loads the images with the given numbers.
func (m *MaskedParts) load(src *images.Inputs, numbers []int) error {
	var xs []*tensor.Tensor
	for _, i := range numbers {
		x, err := src.Load(i)
		if err != nil {
			return err
		}
		xs, m.Names = append(xs, x), append(m.Names, src.Items[i].Name)
	}
	m.Images = tensor.Stack(xs...)
	return nil
}
