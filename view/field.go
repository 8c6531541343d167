package view

import (
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
)

// Field is one setting of a request, as data: its name, what it means, how text sets it, and which text it has.
// The fields of a request are its only description: from them come the flags of its command with their help, the
// query of a page, and the line that makes the same result again.
type Field struct {
	Name      string   // a flag's name, a query's key, and the field of a FieldError
	Also      []string // other names for it
	Was       []string // names it had, which serve for one more version
	Usage     string   // what it sets, in one line; a word in `backquotes` stands for the value
	Default   string   // text of what is meant if nothing is set; "" if that depends on the network: Usage says how
	Otherwise string   // in words, what is meant if nothing is set, for help; instead of Default
	Switch    bool     // on or off, "true" or "false": as a flag it needs no value
	Lines     bool     // the text is lines: a flag may be given several times
	Network   bool     // Set needs the network
	Neutral   bool     // results do not depend on it: files do not name it
	Hidden    bool     // of old: help does not list it
	// Set reads text into the request. The network is nil only if the field does not need it.
	Set func(net *model.Network, text string) error
	// Text is what Set reads for the request as it is: Default if nothing is set.
	Text func() string
}

// Names are all names of the field, its own first.
func (f Field) Names() []string { return slices.Concat([]string{f.Name}, f.Also, f.Was) }

// Changed reports whether the field is not as it is if nothing is set.
func (f Field) Changed() bool {
	text := f.Text()
	return text != "" && text != f.Default
}

// Fields are the settings of a request. They belong to the request whose method gave them.
type Fields []Field

// Set reads the fields that get knows, in order. Without a network it reads those that need none, so that a mistake
// is found before a network is opened. It checks each text by itself: the request's Validate checks the whole.
func (f Fields) Set(net *model.Network, get func(name string) (text string, given bool)) error {
	for _, field := range f {
		if field.Network && net == nil {
			continue
		}
		for _, name := range field.Names() {
			text, given := get(name)
			if !given {
				continue
			}
			if text == "" {
				return &FieldError{Field: field.Name, Problem: "is empty", Hint: "leave it out for the default"}
			}
			if err := field.Set(net, text); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// Named is the field with a name, nil if there is none.
func (f Fields) Named(name string) *Field {
	for i := range f {
		if slices.Contains(f[i].Names(), name) {
			return &f[i]
		}
	}
	return nil
}

// Changed lists the fields that are not as they are if nothing is set.
func (f Fields) Changed() (out Fields) {
	for _, field := range f {
		if field.Changed() {
			out = append(out, field)
		}
	}
	return out
}

// Arguments are the flags that set the fields as they are: "--patch", "8x4". Those that are not set are left out.
func (f Fields) Arguments() (out []string) {
	for _, field := range f.Changed() {
		switch text := field.Text(); {
		case field.Switch && text == "true":
			out = append(out, "--"+field.Name)
		case field.Switch || strings.HasPrefix(text, "-"):
			out = append(out, "--"+field.Name+"="+text)
		default:
			out = append(out, "--"+field.Name, text)
		}
	}
	return out
}
