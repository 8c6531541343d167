package view

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/attribution/faith"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
)

// ExplainTrust says how far the first class's map by a method can be believed on this image.
type ExplainTrust struct {
	Method   attribution.Method `json:"method"`
	Deletion float64            `json:"deletion"` // area under the curve: what is left of the class while the map's pixels are taken away, strongest first
	Controls []float64          `json:"controls"` // the same for the map moved to other places
	Beaten   int                `json:"beaten"`   // controls with a larger area
	Curve    []float64          `json:"deletion_curve"`
	Kept     []ExplainKept      `json:"kept"`
	Verdict  TrustVerdict       `json:"verdict"`
	Problem  string             `json:"problem,omitempty"`

	control []float64 // mean curve of the controls
}

// ExplainKept says how much of a map stays when weights are drawn anew.
type ExplainKept struct {
	Weights  string  `json:"weights"`  // drawn anew
	Likeness float64 `json:"likeness"` // rank correlation of the maps, with signs or of magnitudes, whichever is stronger
}

// TrustVerdict sums up what the tests of a map say.
type TrustVerdict string

const (
	Believable TrustVerdict = "passes both tests"
	NotHere    TrustVerdict = "does not show what counts here" // no better than a moved map
	Weightless TrustVerdict = "hardly depends on the weights"
	Mixed      TrustVerdict = "passes in part"
)

const (
	deletionSteps   = 12
	deletionMoves   = 4  // control maps
	redrawnNodes    = 16 // of integrated gradients of networks with weights drawn anew
	likenessMuch    = keptMuch
	likenessPartial = keptSome
)

// redraw makes the networks with weights drawn anew.
func (e *Explainer) redraw() error {
	layers := model.Weighted(e.s.Net)
	if len(layers) == 0 {
		return nil
	}
	stages := []struct {
		what   string
		layers []string
	}{{"the last layer's weights", layers[len(layers)-1:]}, {"all weights", layers}}
	if len(layers) == 1 {
		stages = stages[1:]
	}
	for _, stage := range stages {
		net, err := model.Redraw(e.s.Net, stage.layers, e.r.Seed)
		if err != nil {
			return err
		}
		scanner, err := occlusion.New(e.s.Engine, net, e.patches)
		if err != nil {
			return err
		}
		e.redrawn = append(e.redrawn, redrawn{stage.what, attribution.New(e.s.Engine, net), scanner})
	}
	return nil
}

// trust tests the first class's maps.
func (m *explaining) trust(ctx context.Context) error {
	target := m.classes[:1]
	probe, err := m.probe.For(target[0].Target)
	if err != nil {
		return err
	}
	for _, x := range m.maps[0] {
		t := &ExplainTrust{Method: x.numbers.Method, Problem: x.numbers.Problem}
		m.n.Trust = append(m.n.Trust, t)
		if x.Result == nil {
			continue
		}
		if err := m.delete(ctx, probe, x, t); err != nil {
			return err
		}
		m.r.Progress("deletion", len(m.n.Trust), len(explainMethods))
	}
	for i, r := range m.redrawn {
		after, _, errs, err := m.results(ctx, r.explain, r.scanner, min(redrawnNodes, m.r.Nodes), target)
		if err != nil {
			return err
		}
		for j, x := range m.maps[0] {
			if x.Result == nil || errs[j] != nil {
				continue
			}
			a := compare([]*attribution.Result{x.Result}, after[j])
			k := ExplainKept{Weights: r.what}
			for _, v := range []*Mean{a.Spearman, a.Magnitude} {
				if v != nil {
					k.Likeness = max(k.Likeness, math.Abs(v.Mean))
				}
			}
			m.n.Trust[j].Kept = append(m.n.Trust[j].Kept, k)
		}
		m.r.Progress("maps with random weights", i+1, len(m.redrawn))
	}
	for _, t := range m.n.Trust {
		t.judge()
	}
	m.curves = m.trustChart()
	m.figures = append(m.figures, Figure{Name: "trust-" + m.in.Stem, Image: m.curves, Numbers: m.n.Trust, Facts: []Fact{{"image", m.in.Name}}})
	return nil
}

// delete takes pixels away, as the map and as moved copies of it name them.
func (m *explaining) delete(ctx context.Context, probe *faith.Probe, x *explainedMap, t *ExplainTrust) error {
	in := m.s.Net.Input
	nothing := m.meanFill().Data
	var err error
	if t.Curve, err = probe.Curve(ctx, m.in.Tensor.Data, nothing, faith.Order(x.plane), deletionSteps); err != nil {
		return err
	}
	t.Deletion = faith.Area(t.Curve)
	t.control = make([]float64, len(t.Curve))
	rng := rand.New(rand.NewPCG(m.r.Seed, 0x6d6f766564))
	for range deletionMoves {
		away := func(side int) int { return side/4 + rng.IntN(side/2+1) } // a quarter of the side at least
		moved := faith.Moved(x.plane, in.H, in.W, away(in.H), away(in.W))
		curve, err := probe.Curve(ctx, m.in.Tensor.Data, nothing, faith.Order(moved), deletionSteps)
		if err != nil {
			return err
		}
		for i, v := range curve {
			t.control[i] += v / deletionMoves
		}
		area := faith.Area(curve)
		t.Controls = append(t.Controls, area)
		if area > t.Deletion {
			t.Beaten++
		}
	}
	return nil
}

// judge says what the tests mean.
func (t *ExplainTrust) judge() {
	if t.Problem != "" || len(t.Controls) == 0 {
		return
	}
	all := 0.0 // with all weights drawn anew, which comes last
	if n := len(t.Kept); n > 0 {
		all = t.Kept[n-1].Likeness
	}
	switch {
	case all >= likenessMuch:
		t.Verdict = Weightless
	case 2*t.Beaten <= len(t.Controls):
		t.Verdict = NotHere
	case t.Beaten == len(t.Controls) && all < likenessPartial:
		t.Verdict = Believable
	default:
		t.Verdict = Mixed
	}
}

// trustChart draws the curves of deletion.
func (m *explaining) trustChart() *image.NRGBA {
	var lines []render.Series
	for _, t := range m.n.Trust {
		if t.Curve == nil {
			continue
		}
		x := make([]float64, len(t.Curve))
		for i := range x {
			x[i] = 100 * float64(i) / float64(len(x)-1)
		}
		color := render.Categorical(slices.Index(explainMethods, t.Method))
		lines = append(lines, render.Series{Name: t.Method.Title(), X: x, Y: t.Curve, Color: color},
			render.Series{Name: t.Method.Title() + ", moved", X: x, Y: t.control, Color: color, Dashed: true})
	}
	return render.Chart{Title: "What is left while the pixels a map names first are taken away", XLabel: "pixels taken away (%)",
		YLabel: fmt.Sprintf("%s of %s", m.n.Quantity, m.s.classText(m.n.Classes[0])), Width: 640, Height: 400}.Lines(lines)
}
