package maximize

import (
	"fmt"
	"math"
	"strings"

	"github.com/deconvnet/viz/model"
)

// Paint is what the numbers that are changed mean.
type Paint string

const (
	// Fourier changes the amplitudes of waves, each as strong as it is in photographs
	// (1/frequency), so that coarse shapes come as easily as fine ones.
	Fourier Paint = ""
	// Pixels changes the pixels themselves.
	Pixels Paint = "pixels"
)

func (p Paint) String() string {
	if p == Fourier {
		return "fourier"
	}
	return string(p)
}

// ParsePaint reads what String writes.
func ParsePaint(s string) (Paint, error) {
	switch strings.ToLower(s) {
	case "fourier", "":
		return Fourier, nil
	case string(Pixels):
		return Pixels, nil
	}
	return "", fmt.Errorf("paint %q: want fourier or pixels", s)
}

// Options say how pictures are made. The zero value of each field is its default,
// which depends on the size of the network's input (Options.For).
//
// Every step the gradient of the goal over the picture is brought to a mean square of
// 1, so that the weights of penalties mean the same for all networks and units.
type Options struct {
	Paint  Paint
	Steps  int     // 0: 128
	Rate   float64 // of Adam; 0: 0.05
	Starts int     // pictures from different noise; 0: 1
	Seed   uint64  // of noise and of what each step does to the picture

	// Colours that are decorrelated are changed along brightness, blue to yellow and
	// red to green, as strongly as these vary in photographs. Plain are red, green and blue.
	PlainColours bool

	// What is done to the picture before each step, at random, so that it holds for
	// more than one alignment of pixels. Nil: the default.
	Jitter *int     // pixels, each way; nil: 1/16 of the larger side
	Zoom   *float64 // 0.1: from 0.9 to 1.1 times the size; nil: 0.1
	Turn   *float64 // degrees, each way; nil: 5

	// Penalties, beside a gradient of mean square 1.
	L2        *float64 // of half the squared distances from grey; nil: 0.1
	Variation *float64 // of the differences of neighbouring pixels (total variation); nil: 0.1
	Blur      float64  // standard deviation in pixels of a Gaussian over the picture every fourth step
	// Diversity makes starts unlike each other: the share of the activation given up
	// for a cosine of 1 between their Gram matrices (L. Gatys et al., 2015).
	Diversity float64

	Frames int // pictures on the way to keep, at equal distances, the last the finished one
	Memory int // about how many bytes working memory may take; 0: 1 GiB
	// Progress is told how many steps of all goals are done.
	Progress func(done, total int)
}

// FieldError is what is wrong with an option.
type FieldError struct {
	Field   string // as the command calls it, such as "steps"
	Problem string // with the value: "0: want 1 to 100000"
}

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// Validate reports the first thing wrong with the options, whatever the network.
func (o Options) Validate() error {
	if _, err := ParsePaint(string(o.Paint)); err != nil {
		return &FieldError{"paint", fmt.Sprintf("%s: want fourier or pixels", o.Paint)}
	}
	for _, f := range []struct {
		name       string
		value      int
		from, most int
	}{{"steps", o.Steps, 0, 100_000}, {"starts", o.Starts, 0, 64}, {"frames", o.Frames, 0, 1000}, {"jitter", value(o.Jitter), 0, 512}, {"memory", o.Memory, 0, math.MaxInt}} {
		if f.value < f.from || f.value > f.most {
			return &FieldError{f.name, fmt.Sprintf("%d: want %d to %d", f.value, f.from, f.most)}
		}
	}
	for _, f := range []struct {
		name        string
		value, most float64
	}{{"rate", o.Rate, 100}, {"zoom", value(o.Zoom), 0.9}, {"turn", value(o.Turn), 180}, {"l2", value(o.L2), 1e6}, {"variation", value(o.Variation), 1e6}, {"blur", o.Blur, 100}, {"diversity", o.Diversity, 1e6}} {
		if !(f.value >= 0 && f.value <= f.most) {
			return &FieldError{f.name, fmt.Sprintf("%g: want 0 to %g", f.value, f.most)}
		}
	}
	if steps := orElse(o.Steps, defaultSteps); o.Frames > steps {
		return &FieldError{"frames", fmt.Sprintf("%d: there are only %d steps", o.Frames, steps)}
	}
	return nil
}

const defaultSteps = 128

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func given[T any](p *T, otherwise T) *T {
	if p == nil {
		return &otherwise
	}
	return p
}

// For returns the options with their defaults for a network filled in.
func (o Options) For(in model.Input) Options {
	side := max(in.H, in.W)
	o.Steps = orElse(o.Steps, defaultSteps)
	o.Rate = orElse(o.Rate, 0.05)
	o.Starts = orElse(o.Starts, 1)
	o.Memory = orElse(o.Memory, 1<<30)
	o.Jitter = given(o.Jitter, max(side/16, 1))
	o.Zoom = given(o.Zoom, 0.1)
	o.Turn = given(o.Turn, 5.0)
	o.L2 = given(o.L2, 0.1)
	o.Variation = given(o.Variation, 0.1)
	return o
}
