package view

import (
	"fmt"
	"strconv"

	"github.com/deconvnet/viz/maximize"
	"github.com/deconvnet/viz/model"
)

// Fields are the settings of the request. Units are not among them: they are the arguments of a command.
func (r *Maximization) Fields() Fields {
	o := &r.Options
	return Fields{
		{Name: "class", Usage: "`CLASS`es by name or number, comma-separated", Network: true,
			Set: func(net *model.Network, text string) (err error) {
				r.Classes, err = ParseClasses(net, text)
				return err
			},
			Text: func() string { return list(r.Classes) }},
		FieldOf(Field{Name: "maps", Usage: "of layers without a channel, feature maps such as 0,3,7 or 4-11, or all; default: 16, those that fire most if there is an index"},
			&r.Maps, Plain(func(text string) (string, error) { return text, nil }), func(text string) string { return text }),
		IntField(Field{Name: "steps", Default: "128", Usage: "of gradient ascent"}, &o.Steps, 1),
		RangeField(Field{Name: "starts", Default: "1", Usage: "pictures of each unit, from different noise"}, &o.Starts, 1, 10_000),
		zeroField(Field{Name: "diversity", Default: "0", Usage: "how far starts are made unlike each other: the share of the activation given up for it, such as 0.5"}, &o.Diversity, 1e6),
		SeedField(Field{Name: "seed", Usage: "of noise, jitter, zoom and turn"}, &o.Seed),
		ChoiceField(Field{Name: "paint", Default: maximize.Fourier.String(), Usage: "what is changed: fourier (waves, as strong as in photographs) or pixels"}, &o.Paint, func(text string) (maximize.Paint, error) {
			p, err := maximize.ParsePaint(text)
			if err != nil {
				err = &FieldError{Field: "paint", Problem: text + ": want fourier or pixels"}
			}
			return p, err
		}),
		SwitchField(Field{Name: "plain-colours", Usage: "change red, green and blue, not brightness and two axes of colour"}, &o.PlainColours),
		PositiveField(Field{Name: "rate", Default: "0.05", Usage: "of a step"}, &o.Rate, 100),
		pointerField(Field{Name: "jitter", Usage: "`PIXELS` that the picture is moved by at random before each step; default: 1/16 of the input's larger side"}, &o.Jitter, strconv.Atoi),
		pointerField(Field{Name: "zoom", Default: "0.1", Usage: "share by which it is made larger or smaller at random"}, &o.Zoom, number),
		pointerField(Field{Name: "turn", Default: "5", Usage: "`DEGREES` that it is turned by at random"}, &o.Turn, number),
		pointerField(Field{Name: "l2", Default: "0.1", Usage: "weight of the distance from grey, beside a gradient of mean square 1"}, &o.L2, number),
		pointerField(Field{Name: "variation", Default: "0.1", Usage: "weight of the total variation"}, &o.Variation, number),
		zeroField(Field{Name: "blur", Default: "0", Usage: "`PIXELS` of a Gaussian over the picture every fourth step"}, &o.Blur, 100),
		RangeField(Field{Name: "frames", Default: "0", Usage: "also draw a strip of `N` pictures on the way"}, &o.Frames, 0, 10_000),
	}
}

func number(text string) (float64, error) { return strconv.ParseFloat(text, 64) }

// zeroField is a number from 0 to most.
func zeroField(f Field, dst *float64, most float64) Field {
	return FieldOf(f, dst, Plain(func(text string) (float64, error) {
		v, err := number(text)
		if err != nil || !(v >= 0 && v <= most) {
			return 0, &FieldError{Field: f.Name, Problem: fmt.Sprintf("%s: want a number from 0 to %g", text, most)}
		}
		return v, nil
	}), func(v float64) string { return fmt.Sprint(v) })
}

// pointerField is a number from 0 that is nil if it is not set.
func pointerField[T int | float64](f Field, dst **T, read func(string) (T, error)) Field {
	return FieldOf(f, dst, Plain(func(text string) (*T, error) {
		v, err := read(text)
		if err != nil || !(v >= 0) {
			return nil, &FieldError{Field: f.Name, Problem: text + ": want a number from 0"}
		}
		return &v, nil
	}), func(v *T) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(*v)
	})
}
