package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
)

// Settings that several requests about attribution methods share.

// methodsField is a list of methods; nil means those of others.
func methodsField(dst *[]attribution.Method, others []attribution.Method) Field {
	f := Field{Name: "method", Default: methodsText(others), Usage: "`METHOD`s, comma-separated, or all: " + strings.ReplaceAll(methodsText(attribution.Methods()), ",", ", ")}
	return FieldOf(f, dst, Plain(parseMethods), methodsText)
}

func methodsText(methods []attribution.Method) string {
	var names []string
	for _, m := range methods {
		names = append(names, string(m))
	}
	return strings.Join(names, ",")
}

// parseMethods reads a list of methods, each once, or all.
func parseMethods(text string) (out []attribution.Method, err error) {
	for spec := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(spec) == "all" {
			return attribution.Methods(), nil
		}
		m, err := parseMethod("method", spec)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out, nil
}

// parseMethod reads one method for a field.
func parseMethod(field, text string) (attribution.Method, error) {
	m, err := attribution.ParseMethod(text)
	if err != nil {
		err = &FieldError{Field: field, Problem: fmt.Sprintf("%s: want %s", text, strings.ReplaceAll(methodsText(attribution.Methods()), ",", ", "))}
	}
	return m, err
}

// camLayerField names the layers of class activation maps.
func camLayerField(dst *[]string) Field {
	return LayersField(Field{Name: "layer", Also: []string{"l"},
		Usage: "of class activation maps, `LAYER` by number or name; several, comma-separated, are fused; default: the last block or convolution before the scores"},
		dst, (*model.Network).ResolveLayers)
}

// baselineField is an image of which nothing can be seen.
func baselineField(f Field, dst *attribution.Baseline) Field {
	return FieldOf(f, dst, Plain(func(text string) (attribution.Baseline, error) {
		b, err := attribution.ParseBaseline(text)
		if err != nil {
			err = &FieldError{Field: f.Name, Problem: text + ": want 0, finite V or V/V/V in network units, mean, image or blur"}
		}
		return b, err
	}), attribution.Baseline.String)
}

// noiseField is the standard deviation of noise: 0 is none.
func (r *Attribution) noiseField() Field {
	f := Field{Name: "noise", Default: "0.15", Usage: "standard deviation of the noise, as a share of the image's range"}
	return FieldOf(f, &r.Deviation, Plain(func(text string) (*float64, error) {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v >= 0) {
			return nil, &FieldError{Field: f.Name, Problem: text + ": want 0 or more"}
		}
		return &v, nil
	}), func(v *float64) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(*v)
	})
}

// ofUnits reports whether the targets are units, not classes.
func (r *Attribution) ofUnits() bool { return len(r.Targets) > 0 && r.Targets[0].Unit != nil }

// targetsText lists the classes or the units.
func targetsText(targets []attribution.Target, units bool) string {
	var names []string
	for _, t := range targets {
		switch {
		case units && t.Unit != nil:
			names = append(names, t.Unit.String())
		case !units && t.Unit == nil:
			names = append(names, fmt.Sprint(t.Class))
		}
	}
	return strings.Join(names, ",")
}

// classesField is the classes to explain.
func classesField(usage string, dst *[]attribution.Target) Field {
	return FieldOf(Field{Name: "class", Usage: usage, Network: true}, dst, func(net *model.Network, text string) (targets []attribution.Target, err error) {
		classes, err := ParseClasses(net, text)
		for _, class := range classes {
			targets = append(targets, attribution.Class(class))
		}
		return targets, err
	}, func(targets []attribution.Target) string { return targetsText(targets, false) })
}

func (r *Attribution) targetField() Field {
	return Field{Name: "target", Usage: "`UNIT`s to explain instead of classes, such as 5:12:3:4 or fc1:7, comma-separated", Network: true,
		Set: func(net *model.Network, text string) error {
			if len(r.Targets) > 0 && !r.ofUnits() {
				return unitsOrClass()
			}
			r.Targets = nil
			for spec := range strings.SplitSeq(text, ",") {
				u, err := net.ParseUnit(strings.TrimSpace(spec))
				if err != nil {
					return err
				}
				r.Targets = append(r.Targets, attribution.Unit(u))
			}
			return nil
		},
		Text: func() string { return targetsText(r.Targets, true) }}
}

// atField is where the scores of the classes are taken, and needs the network only because the classes do.
func (r *Attribution) atField() Field {
	var none *[2]int
	f := atField(&none)
	f.Network = true
	f.Set = func(_ *model.Network, text string) error {
		at, err := ParseAt(text)
		switch {
		case err != nil:
			return err
		case r.ofUnits():
			return unitsOrClass()
		case len(r.Targets) == 0:
			return &FieldError{Field: "at", Problem: "says where the scores of a class are taken", Hint: "name it with --class"}
		}
		for i := range r.Targets {
			r.Targets[i].At = at
		}
		return nil
	}
	f.Text = func() string {
		if len(r.Targets) == 0 || r.Targets[0].At == nil {
			return ""
		}
		return list(r.Targets[0].At[:])
	}
	return f
}

func unitsOrClass() error {
	return &FieldError{Field: "target", Problem: "names units, --class and --at a class: use one of them"}
}

// boxesField is a file that says where objects are.
func boxesField(dst **images.Boxes) Field {
	f := Field{Name: "boxes", Usage: "`FILE` that says where objects are: COCO's JSON, Pascal VOC's XML, or a folder of XML files; pictures are found by file name, classes by name"}
	return FieldOf(f, dst, Plain(func(text string) (*images.Boxes, error) {
		b, err := images.OpenBoxes(text)
		if err != nil {
			err = &FieldError{Field: f.Name, Problem: err.Error()}
		}
		return b, err
	}), func(b *images.Boxes) string {
		if b == nil {
			return ""
		}
		return b.From
	})
}
