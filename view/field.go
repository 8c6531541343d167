package view

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/model"
)

// Field is one setting of a request, as data: its name, what it means, how text sets it, and which text it has.
// The fields of a request are its only description: from them come the flags of its command with their help, the
// query of a page, and the line that makes the same result again.
type Field struct {
	Name    string   // a flag's name, a query's key, and the field of a FieldError
	Also    []string // other names for it
	Usage   string   // what it sets, in one line; a word in `backquotes` stands for the value
	Default string   // text of what is meant if nothing is set; "" if that depends on the network: Usage says how
	Switch  bool     // on or off, "true" or "false": as a flag it needs no value
	Network bool     // Set needs the network
	Neutral bool     // results do not depend on it
	// Set reads text into the request. The network is nil only if the field does not need it.
	Set func(net *model.Network, text string) error
	// Text is what Set reads for the request as it is: Default if nothing is set.
	Text func() string
}

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
		for _, name := range append([]string{field.Name}, field.Also...) {
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
		if f[i].Name == name || slices.Contains(f[i].Also, name) {
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

// fieldOf completes a field that is kept at dst. write says what is there, "" for what is not set.
func fieldOf[T any](f Field, dst *T, read func(net *model.Network, text string) (T, error), write func(T) string) Field {
	f.Set = func(net *model.Network, text string) error {
		v, err := read(net, text)
		if err == nil {
			*dst = v
		}
		return err
	}
	f.Text = func() string {
		if text := write(*dst); text != "" {
			return text
		}
		return f.Default
	}
	return f
}

// plain is a reader that needs no network.
func plain[T any](read func(text string) (T, error)) func(*model.Network, string) (T, error) {
	return func(_ *model.Network, text string) (T, error) { return read(text) }
}

// wholeField is a whole number of at least one, and 0 in the request if it is not set.
func wholeField(f Field, dst *int) Field {
	return fieldOf(f, dst, plain(func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return 0, &FieldError{Field: f.Name, Problem: text + ": want a whole number"}
		case n < 1:
			return 0, &FieldError{Field: f.Name, Problem: text + ": want at least 1"}
		}
		return n, nil
	}), func(n int) string { return notZero(n, fmt.Sprint(n)) })
}

// countField is a whole number that may be 0.
func countField(f Field, dst *int) Field {
	return fieldOf(f, dst, plain(func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return 0, &FieldError{Field: f.Name, Problem: text + ": want a whole number"}
		case n < 0:
			return 0, &FieldError{Field: f.Name, Problem: text + ": must not be negative"}
		}
		return n, nil
	}), func(n int) string { return fmt.Sprint(n) })
}

// seedField is any whole number from 0.
func seedField(f Field, dst *uint64) Field {
	f.Default = "0"
	return fieldOf(f, dst, plain(func(text string) (uint64, error) {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, &FieldError{Field: f.Name, Problem: text + ": want a whole number from 0"}
		}
		return n, nil
	}), func(n uint64) string { return fmt.Sprint(n) })
}

// positiveField is a number above 0 and up to most, and 0 in the request if it is not set.
func positiveField(f Field, dst *float64, most float64) Field {
	return fieldOf(f, dst, plain(func(text string) (float64, error) {
		v, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil || math.IsNaN(v):
			return 0, &FieldError{Field: f.Name, Problem: text + ": want a number"}
		case !(v > 0 && v <= most):
			return 0, &FieldError{Field: f.Name, Problem: fmt.Sprintf("%s: want more than 0, at most %g", text, most)}
		}
		return v, nil
	}), func(v float64) string { return notZero(v, fmt.Sprint(v)) })
}

// switchField is on or off.
func switchField(f Field, dst *bool) Field {
	f.Switch, f.Default = true, "false"
	return fieldOf(f, dst, plain(func(text string) (bool, error) {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return false, &FieldError{Field: f.Name, Problem: text + ": want true or false"}
		}
		return on, nil
	}), strconv.FormatBool)
}

// pairField is rows and columns, see ParsePair.
func pairField(f Field, dst *[2]int) Field {
	return fieldOf(f, dst, plain(func(text string) ([2]int, error) { return ParsePair(f.Name, text) }),
		func(p [2]int) string { return notZero(p, PairText(p)) })
}

// choiceField is a word out of several, which parse knows.
func choiceField[T ~string](f Field, dst *T, parse func(string) (T, error)) Field {
	return fieldOf(f, dst, plain(parse), func(v T) string { return string(v) })
}

// classField is one class, nil for the image's most probable one.
func classField(dst **int) Field {
	f := Field{Name: "class", Usage: "`CLASS` by name or number; default: the image's most probable one", Network: true}
	return fieldOf(f, dst, func(net *model.Network, text string) (*int, error) {
		class, err := net.ResolveClass(text)
		return &class, err
	}, func(class *int) string {
		if class == nil {
			return ""
		}
		return fmt.Sprint(*class)
	})
}

// atField is a place of a map of scores, nil for all of it.
func atField(dst **[2]int) Field {
	f := Field{Name: "at", Usage: "of a network with scores for every place of a map, those at `ROW,COLUMN`; default: their sum over all places"}
	return fieldOf(f, dst, plain(ParseAt), func(at *[2]int) string {
		if at == nil {
			return ""
		}
		return list(at[:])
	})
}

// tokensField is how a transformer's tokens lie in the image.
func tokensField(dst *[2]int) Field {
	return pairField(Field{Name: "tokens", Usage: "`ROWSxCOLUMNS` in which a transformer's tokens lie in the image, such as 14x14; default: as the network shows it"}, dst)
}

// layersField is a list of layers, nil if it is not set.
func layersField(f Field, dst *[]string, parse func(net *model.Network, text string) ([]string, error)) Field {
	f.Network = true
	return fieldOf(f, dst, parse, func(layers []string) string { return strings.Join(layers, ",") })
}

// notZero is the text of a value that is not the zero value, else "".
func notZero[T comparable](v T, text string) string {
	var zero T
	if v == zero {
		return ""
	}
	return text
}
