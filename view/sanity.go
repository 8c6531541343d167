package view

import (
	"context"
	"fmt"
	"slices"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/attribution/faith"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Sanity asks which methods' maps depend on what the network has learned: weights are
// drawn anew layer by layer, from the scores down (cascading) and each layer alone, and
// the maps for the class that was predicted before are compared (J. Adebayo et al.,
// Sanity Checks for Saliency Maps, 2018, section 3).
type Sanity struct {
	Methods             []attribution.Method // nil: six that take little time
	attribution.Request                      // of integrated gradients 20 nodes, unless it says otherwise
	// Trained are networks that were trained anew, on the true labels first and then on others: maps that are as alike to
	// those of the last as to those of the first do not depend on what was taught.
	Trained  []Retrained
	Progress func(done, total int)
	// Unreadable is told of an image that cannot be read, see Faithful.Unreadable.
	Unreadable func(err error) error
	Kept       Kept // how alike the maps of each changed network are; nil: nothing is kept
}

// Retrained is a network like the session's that was trained anew.
type Retrained struct {
	Name     string         `json:"labels"`
	Net      *model.Network `json:"-"`
	Images   int            `json:"images"`   // that it has learned
	Accuracy float64        `json:"accuracy"` // on these
}

// Fields are the settings of the request.
func (r *Sanity) Fields() Fields {
	return Fields{
		methodsField(&r.Methods, Sanity{}.methods()),
		camLayerField(&r.Layers),
		IntField(Field{Name: "nodes", Default: "20", Usage: "of integrated gradients"}, &r.Nodes, 1),
		SeedField(Field{Name: "seed", Default: "1", Usage: "of the weights, noise and masks"}, &r.Seed),
	}
}

// Validate reports the first thing wrong with the request.
func (r Sanity) Validate() error {
	if len(r.Targets) > 0 {
		return &FieldError{Field: "class", Problem: "is each image's own: want none"}
	}
	return Attribution{Methods: r.methods(), Request: r.Request}.Validate()
}

func (r Sanity) methods() []attribution.Method {
	if len(r.Methods) == 0 {
		return []attribution.Method{attribution.Saliency, attribution.InputXGradient, attribution.IntegratedGradients, attribution.Guided, attribution.Deconvnet, attribution.GradCAM}
	}
	return r.Methods
}

// Alike says how alike maps before and after are, as means over images.
type Alike struct {
	Layer     string `json:"layer"`              // drawn anew; of a cascade with all layers above it
	Spearman  *Mean  `json:"spearman"`           // rank correlation
	Magnitude *Mean  `json:"spearman_magnitude"` // of magnitudes
	SSIM      *Mean  `json:"ssim"`               // of maps scaled to their largest magnitude; missing for maps below 7x7
}

// SanityRow is one method's part.
type SanityRow struct {
	Method  string  `json:"method"`
	Cascade []Alike `json:"cascade,omitempty"`     // from the scores down
	Single  []Alike `json:"independent,omitempty"` // each layer alone
	Labels  []Alike `json:"labels,omitempty"`      // of networks trained anew
	// Kept is the mean over the cascade of the rank correlation, with signs or of
	// magnitudes, whichever is stronger; Verdict says it in words: from 0.5 on "hardly depends
	// on the weights", from 0.3 on "in part".
	Kept    float64 `json:"kept"`
	Verdict string  `json:"verdict,omitempty"`
	// Taught says in words whether maps depend on the labels that were taught.
	Taught  string `json:"labels_verdict,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// SanityNumbers are the results for a list of images.
type SanityNumbers struct {
	Model   string       `json:"model"`
	Images  int          `json:"images"`
	Seed    uint64       `json:"seed"`
	Layers  []string     `json:"layers"` // from the scores down
	Trained []Retrained  `json:"trained_anew,omitempty"`
	Rows    []*SanityRow `json:"rows"`
}

// likeness gathers the comparisons of one method on one changed network.
type likeness struct{ spearman, magnitude, ssim []float64 }

// loadAll is all images that can be read, at least one.
func loadAll(src *images.Inputs, unreadable func(error) error) (inputs []*tensor.Tensor, err error) {
	for i := range src.Len() {
		x, err := load(src, i, unreadable)
		if err != nil {
			return nil, err
		}
		if x != nil {
			inputs = append(inputs, x)
		}
	}
	if len(inputs) == 0 {
		return nil, errNoImages
	}
	return inputs, nil
}

// Sanity measures all methods over images.
func (s *Session) Sanity(ctx context.Context, r Sanity, src *images.Inputs) (*SanityNumbers, error) {
	if r.Nodes == 0 {
		r.Nodes = 20
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	layers := model.Weighted(s.Net)
	slices.Reverse(layers)
	if len(layers) == 0 {
		return nil, fmt.Errorf("network %s has no weights", s.Net.Name)
	}
	n := &SanityNumbers{Model: s.hash, Seed: r.Seed, Layers: layers, Trained: r.Trained}
	for _, m := range r.methods() {
		n.Rows = append(n.Rows, &SanityRow{Method: string(m)})
	}
	inputs, err := loadAll(src, r.Unreadable)
	if err != nil {
		return nil, err
	}
	n.Images = len(inputs)
	total := 2*len(layers) + len(r.Trained) + 1
	tick := func(done int) {
		if r.Progress != nil {
			r.Progress(done, total)
		}
	}
	run, err := s.sanityRun(ctx, r, n, inputs)
	if err != nil {
		return nil, err
	}
	tick(1)
	for step := range 2 * len(layers) {
		k := step % len(layers)
		change := layers[:k+1]
		if step >= len(layers) {
			change = layers[k : k+1]
		}
		one, err := keptPart(r.Kept, run.key(change), func() ([]Alike, error) {
			net, err := model.Redraw(s.Net, change, r.Seed)
			if err != nil {
				return nil, err
			}
			return run.alike(ctx, layers[k], net)
		})
		if err != nil {
			return nil, err
		}
		for j, row := range n.Rows {
			switch {
			case row.Problem != "":
			case step < len(layers):
				row.Cascade = append(row.Cascade, one[j])
			default:
				row.Single = append(row.Single, one[j])
			}
		}
		tick(step + 2)
	}
	for k, other := range r.Trained {
		one, err := keptPart(r.Kept, run.key(other.Name, other.Net.Hash()), func() ([]Alike, error) { return run.alike(ctx, other.Name, other.Net) })
		if err != nil {
			return nil, fmt.Errorf("trained on %s: %w", other.Name, err)
		}
		for j, row := range n.Rows {
			if row.Problem == "" {
				row.Labels = append(row.Labels, one[j])
			}
		}
		tick(2*len(layers) + k + 2)
	}
	for _, row := range n.Rows {
		row.judge()
		row.judgeLabels()
	}
	return n, nil
}

// sanityRun is a Sanity request at work.
type sanityRun struct {
	s       *Session
	r       Sanity
	n       *SanityNumbers
	inputs  []*tensor.Tensor
	targets []attribution.Target
	before  [][]*attribution.Result // of the trained network, by method and image
	seen    []string                // hashes of the inputs
}

// sanityRun makes the maps of the trained network.
func (s *Session) sanityRun(ctx context.Context, r Sanity, n *SanityNumbers, inputs []*tensor.Tensor) (*sanityRun, error) {
	before, targets, err := s.sanityMaps(ctx, r, n, s.Net, inputs, nil)
	if err != nil {
		return nil, err
	}
	m := &sanityRun{s: s, r: r, n: n, inputs: inputs, targets: targets, before: before}
	for _, x := range inputs {
		m.seen = append(m.seen, digest(x.Data))
	}
	return m, nil
}

// key is what a comparison depends on, beside what was changed.
func (m *sanityRun) key(what ...any) func() string {
	return func() string {
		return partKey(append([]any{"sanity", m.n.Model, Attribution{Methods: m.r.methods(), Request: m.r.Request}.text(), m.seen}, what...)...)
	}
}

// alike compares the maps of a changed network with those before, by method.
func (m *sanityRun) alike(ctx context.Context, layer string, net *model.Network) ([]Alike, error) {
	after, _, err := m.s.sanityMaps(ctx, m.r, m.n, net, m.inputs, m.targets)
	if err != nil {
		return nil, err
	}
	out := make([]Alike, len(m.n.Rows))
	for j, row := range m.n.Rows {
		if row.Problem == "" {
			out[j] = compare(m.before[j], after[j])
			out[j].Layer = layer
		}
	}
	return out, nil
}

// sanityMaps are the maps of a network, by method and image. targets are those of the
// trained network, which is asked if they are nil.
func (s *Session) sanityMaps(ctx context.Context, r Sanity, n *SanityNumbers, net *model.Network, inputs []*tensor.Tensor, targets []attribution.Target) ([][]*attribution.Result, []attribution.Target, error) {
	e := attribution.New(s.Engine, net)
	out := make([][]*attribution.Result, len(n.Rows))
	for i, x := range inputs {
		if len(targets) <= i {
			first, err := e.Explain(ctx, x, attribution.Request{})
			if err != nil {
				return nil, nil, err
			}
			targets = append(targets, first[0].Target)
		}
		for j, row := range n.Rows {
			if row.Problem != "" {
				continue
			}
			one := r.Request
			one.Method, one.Targets, one.Progress = attribution.Method(row.Method), targets[i:i+1], nil
			results, err := e.Explain(ctx, x, one)
			switch {
			case ctx.Err() != nil:
				return nil, nil, ctx.Err()
			case err != nil && net == s.Net && i == 0:
				row.Problem = err.Error() // the network does not carry it
				continue
			case err != nil:
				return nil, nil, err
			}
			out[j] = append(out[j], results[0])
		}
	}
	return out, targets, nil
}

// whole is a result as one map with its signs.
func whole(o *attribution.Result) []float32 {
	h, w := o.Size()
	out := make([]float32, h*w)
	for i, v := range o.Values {
		out[i%len(out)] += v
	}
	if most := render.MaxAbs(out); most > 0 {
		for i := range out {
			out[i] = float32(float64(out[i]) / most)
		}
	}
	return out
}

func compare(before, after []*attribution.Result) Alike {
	var l likeness
	for i, o := range before {
		a, b := whole(o), whole(after[i])
		h, w := o.Size()
		l.spearman = append(l.spearman, faith.Spearman(a, b, false))
		l.magnitude = append(l.magnitude, faith.Spearman(a, b, true))
		l.ssim = append(l.ssim, faith.SSIM(a, b, h, w, faith.UniformWindow()))
	}
	return Alike{Spearman: mean(l.spearman), Magnitude: mean(l.magnitude), SSIM: mean(l.ssim)}
}
