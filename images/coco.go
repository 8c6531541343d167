package images

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// cocoImage, cocoBox and cocoClass are the parts of COCO's format for object detection that say where objects are.
type (
	cocoImage struct {
		ID            *int64 `json:"id"`
		File          string `json:"file_name"`
		Width, Height int
	}
	cocoBox struct {
		Image    *int64    `json:"image_id"`
		Category *int64    `json:"category_id"`
		Box      []float64 `json:"bbox"` // left, top, width, height
	}
	cocoClass struct {
		ID   *int64 `json:"id"`
		Name string `json:"name"`
	}
)

// coco is what a file says, its lists item by item, so that no more is kept than the file has.
type coco struct {
	boxes    *Boxes
	names    map[int64]string
	pictures map[int64]*boxed
	found    []found
}

// found is an annotation, whose picture and category may stand behind it.
type found struct {
	image, category int64
	box             [4]float64
}

func (c *coco) image(i int, m cocoImage) error {
	if m.ID == nil {
		return fmt.Errorf("image %d of the list lacks its id", i)
	}
	if c.pictures[*m.ID] != nil {
		return fmt.Errorf("two images have the id %d", *m.ID)
	}
	p, err := c.boxes.picture(m.File, m.Width, m.Height)
	c.pictures[*m.ID] = p
	return err
}

func (c *coco) class(i int, k cocoClass) error {
	if k.ID == nil || k.Name == "" {
		return fmt.Errorf("category %d of the list lacks its id or name", i)
	}
	if other := c.names[*k.ID]; other != "" {
		return fmt.Errorf("categories %s and %s have one id, %d", other, k.Name, *k.ID)
	}
	c.names[*k.ID] = k.Name
	return nil
}

func (c *coco) annotation(i int, a cocoBox) error {
	if a.Image == nil || a.Category == nil || len(a.Box) != 4 {
		return fmt.Errorf("annotation %d of the list: want image_id, category_id, and a bbox of four numbers", i)
	}
	c.found = append(c.found, found{*a.Image, *a.Category, [4]float64(a.Box)})
	return nil
}

// broken is an error of JSON.
func broken(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("unexpected end of the file")
	}
	return fmt.Errorf("JSON: %w", err)
}

// each reads a list item by item.
func each[T any](d *json.Decoder, do func(i int, v T) error) error {
	t, err := d.Token()
	if t == nil || err != nil {
		return broken(err)
	}
	if t != json.Delim('[') {
		return fmt.Errorf("got %.40q, want a list", fmt.Sprint(t))
	}
	for i := 0; d.More(); i++ {
		var v T
		if err := d.Decode(&v); err != nil {
			return broken(err)
		}
		if err := do(i, v); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return broken(err)
}

// lists reads the lists of a file and passes over the rest.
func (c *coco) lists(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return broken(err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return broken(err)
		}
		switch strings.ToLower(fmt.Sprint(key)) {
		case "images":
			err = each(d, c.image)
		case "annotations":
			err = each(d, c.annotation)
		case "categories":
			err = each(d, c.class)
		default:
			err = broken(d.Decode(new(json.RawMessage)))
		}
		if err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return broken(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("JSON: there is more behind its end")
	}
	return nil
}

func (b *Boxes) readCOCO(text []byte) error {
	c := &coco{boxes: b, names: map[int64]string{}, pictures: map[int64]*boxed{}}
	if err := c.lists(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return err
	}
	if len(c.pictures) == 0 || len(c.names) == 0 {
		return fmt.Errorf("%d images and %d categories: want COCO's images, annotations and categories", len(c.pictures), len(c.names))
	}
	for i, a := range c.found {
		p, name := c.pictures[a.image], c.names[a.category]
		switch {
		case p == nil:
			return fmt.Errorf("annotation %d of the list is of image %d, which is not there", i, a.image)
		case name == "":
			return fmt.Errorf("annotation %d of the list is of category %d, which is not there", i, a.category)
		}
		if err := b.add(p, object{name, a.box[0], a.box[1], a.box[0] + a.box[2], a.box[1] + a.box[3]}); err != nil {
			return fmt.Errorf("annotation %d of the list: %w", i, err)
		}
	}
	return nil
}
