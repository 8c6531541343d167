package attribution

import (
	"fmt"
	"math"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
)

// Target is the number that is explained: a class's score, or any unit's value.
type Target struct {
	model.Target             // of the network's scores, before softmax or sigmoid
	Unit         *model.Unit // if not nil, this unit instead
}

// Class is a target.
func Class(c int) Target { return Target{Target: model.Target{Class: c}} }

// Unit is a target.
func Unit(u model.Unit) Target { return Target{Unit: &u} }

// Name is the target in words.
func (t Target) Name(net *model.Network) string {
	switch {
	case t.Unit != nil:
		return "unit " + t.Unit.String()
	case t.At != nil:
		return fmt.Sprintf("%s at row %d, column %d", net.Class(t.Class), t.At[0], t.At[1])
	}
	return net.Class(t.Class)
}

// Request says what is wanted. The zero value of each field is its default.
type Request struct {
	Method  Method   // "": Saliency
	Targets []Target // nil: the predicted class; of a regression, the first output

	// Layers are those whose maps a class activation method works on; nil: the last
	// before the scores (model.LastSpatial), of a transformer model.LastTokens. The maps of several are fused as LayerCAM's
	// authors do: each rectified, as tanh(2 map/its largest), at the size of the largest map; of them the largest.
	Layers []string

	Tokens [2]int // rows, columns of a transformer's tokens in the image; 0, 0: as model.Network.Places finds them

	Nodes    int      // of integrated gradients; 0: 50
	Baseline Baseline // of integrated gradients; the zero value: zeros

	Base      Method   // that is repeated on noisy copies; "": Saliency
	Samples   int      // noisy copies; 0: 25
	Deviation *float64 // of the noise, as a share of the image's range; nil: 0.15
	Seed      uint64   // of noise and of RISE's masks

	Masks int     // of RISE; 0: 1000
	Cells int     // of RISE, on a side of the grid that masks are drawn on; 0: 7
	Keep  float64 // of RISE: the probability that a cell is open; 0: 0.5

	Patches occlusion.Options // of Occlusion: patch, stride, fill; classes come from Targets

	// Memory is about how many bytes working memory stays within beside the network's
	// weights, whatever the number of nodes or samples, but for one image at a time; 0: 512 MiB.
	Memory   int
	Progress func(done, total int)
}

// FieldError is what is wrong with a request.
type FieldError struct {
	Field   string // as the command calls it, such as "nodes"
	Problem string // with the value: "0: want 1 to 10000"
}

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// with returns the request with its defaults filled in.
func (r Request) with() Request {
	r.Method = orElse(r.Method, Saliency)
	r.Nodes = orElse(r.Nodes, 50)
	r.Base = orElse(r.Base, Saliency)
	r.Samples = orElse(r.Samples, 25)
	if r.Deviation == nil {
		d := 0.15 // the paper: 0.1 to 0.2
		r.Deviation = &d
	}
	r.Masks = orElse(r.Masks, 1000)
	r.Cells = orElse(r.Cells, 7)
	r.Keep = orElse(r.Keep, 0.5)
	r.Memory = orElse(r.Memory, 512<<20)
	return r
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Validate reports the first thing wrong with the request, whatever the network.
func (r Request) Validate() error {
	for _, m := range []Method{r.Method, r.Base} {
		if _, err := ParseMethod(string(orElse(m, Saliency))); err != nil {
			return &FieldError{"method", err.Error()}
		}
	}
	r = r.with()
	for _, f := range []struct {
		name  string
		value int
		most  int
	}{{"nodes", r.Nodes, 10_000}, {"samples", r.Samples, 100_000}, {"masks", r.Masks, 1_000_000}, {"cells", r.Cells, 1000}} {
		if f.value < 1 || f.value > f.most {
			return &FieldError{f.name, fmt.Sprintf("%d: want 1 to %d", f.value, f.most)}
		}
	}
	switch d := *r.Deviation; {
	case !(d >= 0) || math.IsInf(d, 0):
		return &FieldError{"noise", fmt.Sprintf("%g: want 0 or more", d)}
	case !(r.Keep > 0 && r.Keep < 1):
		return &FieldError{"keep", fmt.Sprintf("%g: want more than 0 and less than 1", r.Keep)}
	case r.Memory < 0:
		return &FieldError{"memory", fmt.Sprintf("%d: want bytes", r.Memory)}
	case r.Method.Noisy() && r.Base.Noisy():
		return &FieldError{"base", fmt.Sprintf("%s: %s repeats methods that do not repeat others", r.Base, r.Method)}
	}
	return r.Baseline.check()
}
