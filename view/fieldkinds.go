package view

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/model"
)

// Kinds of fields: what text a setting has, and how it is kept.

// FieldOf completes a field that is kept at dst. write says what is there, "" for what is not set.
func FieldOf[T any](f Field, dst *T, read func(net *model.Network, text string) (T, error), write func(T) string) Field {
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

// Plain is a reader that needs no network.
func Plain[T any](read func(text string) (T, error)) func(*model.Network, string) (T, error) {
	return func(_ *model.Network, text string) (T, error) { return read(text) }
}

// TextField is text as it is, or a choice that is checked with the whole request.
func TextField[T ~string](f Field, dst *T) Field {
	return FieldOf(f, dst, Plain(func(text string) (T, error) { return T(text), nil }), func(s T) string { return string(s) })
}

// LinesField is texts, each a line: a flag that may be given several times.
func LinesField(f Field, dst *[]string) Field {
	f.Lines = true
	return FieldOf(f, dst, Plain(func(text string) ([]string, error) { return strings.Split(text, "\n"), nil }), func(lines []string) string { return strings.Join(lines, "\n") })
}

// ListField is names with commas between them, each once.
func ListField[T ~string](f Field, dst *[]T) Field {
	return FieldOf(f, dst, Plain(func(text string) (out []T, err error) {
		for part := range strings.SplitSeq(text, ",") {
			if name := T(strings.TrimSpace(part)); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
		return out, nil
	}), func(names []T) string { return Joined(names, ",") })
}

// Joined is the names of choices with sep between them.
func Joined[T ~string](names []T, sep string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(string(name))
	}
	return b.String()
}

// NumbersField is whole numbers of at least 1 with commas between them.
func NumbersField(f Field, dst *[]int) Field {
	return FieldOf(f, dst, Plain(func(text string) (out []int, err error) {
		for part := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(part))
			if err != nil || n < 1 {
				return nil, &FieldError{Field: f.Name, Problem: text + ": want numbers from 1, as in " + f.Default}
			}
			out = append(out, n)
		}
		return out, nil
	}), list)
}

// IntField is a whole number of at least least. Unless that is 0, a 0 in the request means that nothing is set.
func IntField(f Field, dst *int, least int) Field { return RangeField(f, dst, least, math.MaxInt) }

// MostWorkers is the largest number of workers that can be asked for: each has buffers of its own.
const MostWorkers = 1024

// RangeField is IntField with a largest value, for numbers that memory grows with.
func RangeField(f Field, dst *int, least, most int) Field {
	if least == 0 && f.Default == "" && f.Otherwise == "" {
		f.Default = "0"
	}
	return FieldOf(f, dst, Plain(func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return 0, &FieldError{Field: f.Name, Problem: text + ": want a whole number"}
		case n < least && least == 0:
			return 0, &FieldError{Field: f.Name, Problem: text + ": must not be negative"}
		case n < least:
			return 0, &FieldError{Field: f.Name, Problem: fmt.Sprintf("%s: want at least %d", text, least)}
		case n > most:
			return 0, &FieldError{Field: f.Name, Problem: fmt.Sprintf("%s: want at most %d", text, most)}
		}
		return n, nil
	}), func(n int) string {
		if least == 0 && f.Default != "" {
			return fmt.Sprint(n)
		}
		return notZero(n, fmt.Sprint(n))
	})
}

// SeedField is any whole number from 0, which is the default.
func SeedField(f Field, dst *uint64) Field {
	if f.Default == "" {
		f.Default = "0"
	}
	return FieldOf(f, dst, Plain(func(text string) (uint64, error) {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, &FieldError{Field: f.Name, Problem: text + ": want a whole number from 0"}
		}
		return n, nil
	}), func(n uint64) string { return fmt.Sprint(n) })
}

// NumberField is a finite number; a 0 in the request means that nothing is set, unless 0 is the default.
func NumberField(f Field, dst *float64) Field {
	return FieldOf(f, dst, Plain(func(text string) (float64, error) {
		v, err := readNumber(f.Name, text)
		if err == nil && v == 0 && f.Default != "0" && f.Otherwise != "0" {
			err = &FieldError{Field: f.Name, Problem: text + ": want a number other than 0"}
		}
		return v, err
	}), func(v float64) string {
		if f.Default == "0" {
			return fmt.Sprint(v)
		}
		return notZero(v, fmt.Sprint(v))
	})
}

// PositiveField is a number above 0 and up to most, and 0 in the request if it is not set.
func PositiveField(f Field, dst *float64, most float64) Field {
	return FieldOf(f, dst, Plain(func(text string) (float64, error) {
		v, err := readNumber(f.Name, text)
		if err == nil && !(v > 0 && v <= most) {
			err = &FieldError{Field: f.Name, Problem: fmt.Sprintf("%s: want more than 0, at most %g", text, most)}
		}
		return v, err
	}), func(v float64) string { return notZero(v, fmt.Sprint(v)) })
}

// ShareField is a number from 0 to 1, whose default is not 0.
func ShareField(f Field, dst *float64) Field {
	return FieldOf(f, dst, Plain(func(text string) (float64, error) {
		v, err := readNumber(f.Name, text)
		if err == nil && !(v >= 0 && v <= 1) {
			err = &FieldError{Field: f.Name, Problem: text + ": want a share from 0 to 1"}
		}
		return v, err
	}), func(v float64) string { return fmt.Sprint(v) })
}

func readNumber(name, text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, &FieldError{Field: name, Problem: text + ": want a number"}
	}
	return v, nil
}

// SwitchField is on or off.
func SwitchField(f Field, dst *bool) Field {
	f.Switch, f.Default = true, "false"
	return FieldOf(f, dst, Plain(func(text string) (bool, error) {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return false, &FieldError{Field: f.Name, Problem: text + ": want true or false"}
		}
		return on, nil
	}), strconv.FormatBool)
}

// PairField is rows and columns, see ParsePair.
func PairField(f Field, dst *[2]int) Field {
	return FieldOf(f, dst, Plain(func(text string) ([2]int, error) { return ParsePair(f.Name, text) }),
		func(p [2]int) string { return notZero(p, PairText(p)) })
}

// ChoiceField is a word out of several, which parse knows.
func ChoiceField[T ~string](f Field, dst *T, parse func(string) (T, error)) Field {
	return FieldOf(f, dst, Plain(parse), func(v T) string { return string(v) })
}

// classField is one class, nil for the image's most probable one.
func classField(dst **int) Field {
	f := Field{Name: "class", Usage: "`CLASS` by name or number; default: the image's most probable one", Network: true}
	return FieldOf(f, dst, func(net *model.Network, text string) (*int, error) {
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
	return FieldOf(f, dst, Plain(ParseAt), func(at *[2]int) string {
		if at == nil {
			return ""
		}
		return list(at[:])
	})
}

// tokensField is how a transformer's tokens lie in the image.
func tokensField(dst *[2]int) Field {
	return PairField(Field{Name: "tokens", Usage: "`ROWSxCOLUMNS` in which a transformer's tokens lie in the image, such as 14x14; default: as the network shows it"}, dst)
}

// LayersField is a list of layers, nil if it is not set.
func LayersField(f Field, dst *[]string, parse func(net *model.Network, text string) ([]string, error)) Field {
	f.Network = true
	return FieldOf(f, dst, parse, func(layers []string) string { return strings.Join(layers, ",") })
}

// notZero is the text of a value that is not the zero value, else "".
func notZero[T comparable](v T, text string) string {
	var zero T
	if v == zero {
		return ""
	}
	return text
}
