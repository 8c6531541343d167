package view

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/attribution/faith"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model/tensor"
)

// Faithful asks which methods' maps can be believed on a network: each image's
// predicted class (or one target) is explained by each method, and the maps are put to
// the tests of package faith, beside a random map and one of the image's centre.
type Faithful struct {
	Methods []attribution.Method // nil: eight that take little time
	attribution.Request
	// Boxes say where objects are, for the pointing game; nil: as the data set knows.
	Boxes    *images.Boxes
	Fill     attribution.Baseline // what stands for pixels that are taken away; the zero value: zeros
	Steps    int                  // of deletion and insertion; 0: 50
	Subsets  int                  // of sensitivity-n, each of 1/16 of the pixels; 0: 32
	Clock    func() float64       // seconds; nil: times are not measured
	Progress func(done, total int)
	// Unreadable is told of an image that cannot be read. If it returns nil the image is
	// left out. Nil: the first such image is the error.
	Unreadable func(err error) error
	Kept       Kept // what was measured of each image; nil: nothing is kept

	matched *images.Matched
}

// Fields are the settings of the request.
func (r *Faithful) Fields() Fields {
	fill := Field{Name: "fill", Default: "mean", Usage: "what stands for pixels that are taken away: 0, V or V/V/V in network units, mean (of the training data), image (its mean), or blur"}
	return Fields{
		methodsField(&r.Methods, Faithful{}.methods()),
		classesField("`CLASS` by name or number; default: each image's most probable one", &r.Targets),
		camLayerField(&r.Layers),
		baselineField(fill, &r.Fill),
		boxesField(&r.Boxes),
		IntField(Field{Name: "steps", Default: "50", Usage: "of deletion and insertion"}, &r.Steps, 1),
		IntField(Field{Name: "subsets", Default: "32", Usage: "random sets of 1/16 of the pixels for sensitivity-n"}, &r.Subsets, 1),
		SeedField(Field{Name: "seed", Usage: "of random maps, sets, noise and masks"}, &r.Seed),
	}
}

// Validate reports the first thing wrong with the request.
func (r Faithful) Validate() error {
	for _, f := range []struct {
		name  string
		value int
	}{{"steps", r.Steps}, {"subsets", r.Subsets}} {
		if f.value < 0 || f.value > 100_000 {
			return &FieldError{Field: f.name, Problem: fmt.Sprintf("%d: want 1 to 100000", f.value)}
		}
	}
	if len(r.Targets) > 1 || len(r.Targets) == 1 && r.Targets[0].Unit != nil {
		return &FieldError{Field: "class", Problem: "names several targets, or a unit: want one class"}
	}
	return Attribution{Methods: r.methods(), Request: r.Request}.Validate()
}

func (r Faithful) methods() []attribution.Method {
	if len(r.Methods) == 0 {
		return []attribution.Method{attribution.Saliency, attribution.InputXGradient, attribution.IntegratedGradients, attribution.SmoothGrad,
			attribution.Guided, attribution.Deconvnet, attribution.GradCAM, attribution.Occlusion}
	}
	return r.Methods
}

// controls are the maps that no method should do worse than.
const (
	randomMap = "random map"
	centreMap = "centre"
)

// Faithful measures all methods over images.
func (s *Session) Faithful(ctx context.Context, r Faithful, src *images.Inputs) (*FaithfulNumbers, error) {
	run, err := s.FaithfulRun(r)
	if err != nil {
		return nil, err
	}
	for i := range src.Len() {
		x, err := load(src, i, r.Unreadable)
		if err != nil {
			return nil, err
		}
		if x == nil {
			continue
		}
		one, err := keptPart(r.Kept, func() string { return run.key(i, x) }, func() (FaithfulOne, error) { return run.Image(ctx, src, i, i, x) })
		if err == nil {
			err = run.Add(one)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", src.Items[i].Name, err)
		}
		if r.Progress != nil {
			r.Progress(i+1, src.Len())
		}
	}
	return run.Numbers()
}

// errNoImages says that no image of a list could be read.
var errNoImages = errors.New("none of the images could be used")

// load is image i, or nil if it cannot be read and is left out.
func load(src *images.Inputs, i int, unreadable func(error) error) (*tensor.Tensor, error) {
	x, err := src.Load(i)
	if err != nil && unreadable != nil {
		return nil, unreadable(err)
	}
	return x, err
}

// faithfulImage is one image of a Faithful request at work.
type faithfulImage struct {
	s         *Session
	r         Faithful
	explainer *attribution.Explainer
	probe     *faith.Probe // for the image's target
	x         *tensor.Tensor
	at        int       // of the image in its list
	number    int       // that decides what is random of it
	fill      []float32 // what stands for pixels that are taken away
	sets      [][]int   // of pixels, and what hiding each costs
	drops     []float64
	boxes     [][4]int // of the object; nil: not known
}

// faithfulImage finds the target, and what hiding sets of pixels costs.
func (s *Session) faithfulImage(ctx context.Context, r Faithful, e *attribution.Explainer, probe *faith.Probe, x *tensor.Tensor, at, number int) (*faithfulImage, error) {
	m := &faithfulImage{s: s, r: r, explainer: e, x: x, at: at, number: number}
	var err error
	if m.fill, err = r.Fill.Pixels(x.Data, s.Net); err != nil {
		return nil, fieldError(err)
	}
	if r.Targets == nil {
		first, err := e.Explain(ctx, x, attribution.Request{})
		if err != nil {
			return nil, err
		}
		m.r.Targets = []attribution.Target{first[0].Target}
	}
	if m.probe, err = probe.For(m.r.Targets[0].Target); err != nil {
		return nil, err
	}
	pixels := s.Net.Input.H * s.Net.Input.W
	m.sets = faith.Subsets(r.Seed+uint64(number), pixels, max(pixels/16, 1), r.Subsets)
	m.drops, err = m.probe.Drops(ctx, x.Data, m.sets)
	return m, err
}

// findBoxes finds where the object of the target's class is.
func (m *faithfulImage) findBoxes(src *images.Inputs) error {
	if m.r.matched == nil {
		if o := src.Object(m.at); !o.Empty() {
			m.boxes = [][4]int{{o.Min.Y, o.Min.X, o.Max.Y, o.Max.X}}
		}
		return nil
	}
	objects, _, err := src.Objects(m.r.matched, m.at, m.r.Targets[0].Class)
	for _, o := range objects {
		m.boxes = append(m.boxes, [4]int{o.Min.Y, o.Min.X, o.Max.Y, o.Max.X})
	}
	return err
}

// plane is the map of a method, the k-th, and the seconds that it took if they are known.
func (m *faithfulImage) plane(ctx context.Context, method string, k int) (plane []float32, seconds float64, err error) {
	in := m.s.Net.Input
	switch method {
	case randomMap:
		rng := rand.New(rand.NewPCG(m.r.Seed, uint64(m.number)))
		for range in.H * in.W {
			plane = append(plane, rng.Float32())
		}
		return plane, math.NaN(), nil
	case centreMap:
		return centre(in.H, in.W), math.NaN(), nil
	}
	clock := m.r.Clock
	if clock == nil {
		clock = math.NaN
	}
	one := m.r.Request
	one.Method, one.Progress = m.r.methods()[k], nil
	begin := clock()
	results, err := m.explainer.Explain(ctx, m.x, one)
	if err != nil {
		return nil, 0, err
	}
	return results[0].PlaneAt(in.H, in.W), clock() - begin, nil
}

// measure is what a map is worth.
func (m *faithfulImage) measure(ctx context.Context, plane []float32, seconds float64) (out FaithfulMap, err error) {
	x := m.x.Data
	order := faith.Order(plane)
	if out.Deletion, err = m.probe.Curve(ctx, x, m.fill, order, m.r.Steps); err != nil {
		return out, err
	}
	if out.Insertion, err = m.probe.Curve(ctx, m.fill, x, order, m.r.Steps); err != nil {
		return out, err
	}
	drop, rises, err := m.probe.Shown(ctx, x, plane)
	if err != nil {
		return out, err
	}
	hit, energy := math.NaN(), math.NaN()
	if m.boxes != nil {
		p := faith.Point(plane, m.s.Net.Input.W, m.boxes)
		if hit = truth(p.Hit); p.Energy != nil {
			energy = *p.Energy
		}
	}
	shares := faith.Shares(plane, len(plane), m.sets)
	for _, v := range []float64{faith.Area(out.Deletion), faith.Area(out.Insertion), drop, truth(rises),
		faith.SensitivityN(shares, m.drops), faith.ScaledInfidelity(shares, m.drops), hit, energy, seconds} {
		if math.IsNaN(v) {
			out.Values = append(out.Values, nil)
			continue
		}
		out.Values = append(out.Values, &v)
	}
	return out, nil
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// centre is a Gaussian around the middle, of a quarter of each side.
func centre(h, w int) []float32 {
	out := make([]float32, 0, h*w)
	for y := range h {
		for x := range w {
			dy, dx := (float64(y)+0.5)/float64(h)-0.5, (float64(x)+0.5)/float64(w)-0.5
			out = append(out, float32(exact.Exp(-(float64(dy*dy)+float64(dx*dx))*8)))
		}
	}
	return out
}
