package dataset

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"regexp"
	"strconv"
	"strings"
)

// EMNIST has the files of MNIST, named emnist-VARIANT-train-images-idx3-ubyte and so on, with images stored
// transposed, and emnist-VARIANT-mapping.txt: a line for each label with the codes of its characters.

var (
	mapFile = regexp.MustCompile(`^emnist-[a-z]+-mapping\.txt$`)
	// emnistCodes are the characters of the labels, where there is no mapping file. The labels of letters begin with 1.
	emnistCodes = map[string]string{
		"digits": "0123456789", "mnist": "0123456789", "letters": " ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"balanced": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt", "bymerge": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt",
		"byclass": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	}
)

// emnistClasses are the names of a variant's classes, and the label of the first.
func emnistClasses(src *source, dir, variant string) (classes []string, first int, err error) {
	name := "emnist-" + variant + "-mapping.txt"
	if dir != "." {
		name = dir + "/" + name
	}
	f, ok := src.find(name)
	if !ok {
		for i, r := range emnistCodes[variant] {
			if r == ' ' {
				first = i + 1
				continue
			}
			classes = append(classes, string(r))
		}
		if classes == nil {
			return nil, 0, fmt.Errorf("%s: emnist-%s is not known, and there is no %s", src.root, variant, name)
		}
		return classes, first, nil
	}
	text, err := src.read(f, maxNames)
	if err != nil {
		return nil, 0, err
	}
	for in := bufio.NewScanner(bytes.NewReader(text)); in.Scan(); {
		fields := strings.Fields(in.Text())
		if len(fields) == 0 {
			continue
		}
		var n [2]int
		for i := range n {
			if len(fields) < 2 {
				err = fmt.Errorf("want a label and a code")
			} else if err == nil {
				n[i], err = strconv.Atoi(fields[i])
			}
		}
		if len(classes) == 0 {
			first = n[0]
		}
		if err != nil || n[0] != first+len(classes) || n[0] > 255 || n[1] < 33 || n[1] > 126 {
			return nil, 0, fmt.Errorf("%s: line %.40q: want labels in order, each with a character's code", src.where(f), in.Text())
		}
		classes = append(classes, string(rune(n[1])))
	}
	if len(classes) == 0 {
		return nil, 0, fmt.Errorf("%s: no labels in it", src.where(f))
	}
	return classes, first, nil
}

// upright turns the images of a set, which are stored transposed, and makes labels begin with 0.
func (s *Set) upright(first int) {
	for i := range s.labels {
		s.labels[i] -= first
	}
	s.h, s.w = s.w, s.h
	draw := s.draw
	s.draw = func(i int) (image.Image, image.Rectangle, error) {
		m, box, err := draw(i)
		from, ok := m.(*image.Gray)
		if err != nil || !ok {
			return m, box, err
		}
		b := from.Bounds()
		to := image.NewGray(image.Rect(0, 0, b.Dy(), b.Dx()))
		for y := range b.Dx() {
			for x := range b.Dy() {
				to.Pix[y*to.Stride+x] = from.Pix[x*from.Stride+y]
			}
		}
		return to, box, nil
	}
}
