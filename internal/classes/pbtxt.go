package classes

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// labelMap is how TensorFlow's label maps begin, behind comments.
var labelMap = regexp.MustCompile(`^(?:\s*#[^\n]*\n)*\s*item\s*:?\s*[{<]`)

// parseLabelMap reads TensorFlow's label map, items of a message in protobuf's text form:
//
//	item { id: 1  name: '/m/0199g'  display_name: 'bicycle' }
//
// The name is display_name, or else name.
func parseLabelMap(s string) ([]string, error) {
	p := &textProto{rest: s}
	var items []item
	for p.skip(); p.rest != ""; p.skip() {
		field, err := p.field()
		if err != nil {
			return nil, err
		}
		if field.message == nil {
			return nil, fmt.Errorf("%s is no message { ... } as a label map's items are", field.key)
		}
		if field.key != "item" {
			continue
		}
		it := item{at: -1}
		display := ""
		for _, f := range field.message {
			switch f.key {
			case "id":
				if it.at = number(f.text); it.at < 0 {
					return nil, fmt.Errorf("item %d: id is %.40q, want 0 or more", len(items)+1, f.text)
				}
			case "name":
				it.name = plain(f.text)
			case "display_name":
				display = plain(f.text)
			}
		}
		if display != "" {
			it.name = display
		}
		if it.at < 0 {
			return nil, fmt.Errorf("item %d (%.40q) has no id", len(items)+1, it.name)
		}
		items = append(items, it)
	}
	return place(items)
}

// textProto reads protobuf's text form.
type textProto struct {
	rest  string
	depth int
}

type protoField struct {
	key, text string
	message   []protoField // not nil: a message
}

// skip passes blanks, comments and the signs between fields.
func (p *textProto) skip() {
	for {
		p.rest = strings.TrimLeft(p.rest, " \t\n,;")
		if !strings.HasPrefix(p.rest, "#") {
			return
		}
		_, p.rest, _ = strings.Cut(p.rest, "\n")
	}
}

var protoWord = regexp.MustCompile(`^[-+.\w]+`)

// field reads "key: value" or "key { fields }".
func (p *textProto) field() (f protoField, err error) {
	f.key = protoWord.FindString(p.rest)
	if f.key == "" {
		return f, fmt.Errorf("label map: %.20q, want a field's name", p.rest)
	}
	p.rest = p.rest[len(f.key):]
	p.skip()
	p.rest = strings.TrimPrefix(p.rest, ":")
	p.skip()
	if p.rest == "" {
		return f, fmt.Errorf("label map: it ends behind %s", f.key)
	}
	switch c := p.rest[0]; c {
	case '{', '<':
		if p.depth++; p.depth > 100 {
			return f, fmt.Errorf("label map: messages in messages, more than 100 deep")
		}
		p.rest = p.rest[1:]
		f.message = []protoField{}
		for p.skip(); ; p.skip() {
			if p.rest == "" {
				return f, fmt.Errorf("label map: it ends inside of %s", f.key)
			}
			if p.rest[0] == '}' || p.rest[0] == '>' {
				p.rest = p.rest[1:]
				p.depth--
				return f, nil
			}
			inner, err := p.field()
			if err != nil {
				return f, err
			}
			f.message = append(f.message, inner)
		}
	case '"', '\'':
		for p.rest != "" && (p.rest[0] == '"' || p.rest[0] == '\'') { // texts side by side are one
			text, err := p.quoted()
			if err != nil {
				return f, err
			}
			f.text += text
			p.skip()
		}
		if !utf8.ValidString(f.text) {
			return f, fmt.Errorf("label map: %s is %.40q, which is not UTF-8", f.key, f.text)
		}
		return f, nil
	}
	f.text = protoWord.FindString(p.rest)
	if f.text == "" {
		return f, fmt.Errorf("label map: %s is %.20q, want a number, a text or a message", f.key, p.rest)
	}
	p.rest = p.rest[len(f.text):]
	return f, nil
}

// quoted reads a text in quotes.
func (p *textProto) quoted() (string, error) {
	quote := p.rest[0]
	rest := p.rest[1:]
	var out []byte
	for rest != "" && rest[0] != quote && rest[0] != '\n' {
		if rest[0] == '\\' && len(rest) > 1 && (rest[1] == '\'' || rest[1] == '"') {
			out, rest = append(out, rest[1]), rest[2:]
			continue
		}
		r, multibyte, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			return "", fmt.Errorf("label map: %.20q is no text", rest)
		}
		if multibyte {
			out = utf8.AppendRune(out, r)
		} else {
			out = append(out, byte(r))
		}
		rest = tail
	}
	if rest == "" || rest[0] != quote {
		return "", fmt.Errorf("label map: %.20q has no quote at its end", p.rest)
	}
	p.rest = rest[1:]
	return string(out), nil
}
