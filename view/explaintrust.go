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
)

// ExplainTrust says how far the first class's map by a method can be believed on this image.
type ExplainTrust struct {
	Method   attribution.Method `json:"method"`
	Deletion float64            `json:"deletion"` // area under the curve: what is left of the class while the map's cells are covered, strongest first
	Controls []float64          `json:"controls"` // the same for the map moved to other places
	Beaten   int                `json:"beaten"`   // controls with a larger area
	Curve    []float64          `json:"deletion_curve"`
	Kept     []ExplainKept      `json:"kept"`
	Places   TestResult         `json:"test_1,omitempty"` // does the map name what counts?
	Weights  TestResult         `json:"test_2,omitempty"` // does it show what was learned?
	Problem  string             `json:"problem,omitempty"`

	control []float64 // mean curve of the controls
}

// ExplainKept says how much of a map stays when weights are drawn anew.
type ExplainKept struct {
	Weights  string  `json:"weights"`  // drawn anew
	Likeness float64 `json:"likeness"` // rank correlation of the maps, with signs or of magnitudes, whichever is stronger
}

// TestResult is what became of a test of a map.
type TestResult string

const (
	Passed TestResult = "passed"
	Partly TestResult = "passed in part"
	Failed TestResult = "failed"
)

const (
	deletionSteps = 8
	deletionMoves = 9  // control maps
	redrawnNodes  = 16 // of integrated gradients of networks with weights drawn anew
)

// redrawing is which layers' weights are drawn anew together.
type redrawing struct {
	what   string // "all layers"
	layers []string
}

// redrawings are the steps of test 2, nil for a network without weights.
func (e *Explainer) redrawings() []redrawing {
	layers := model.Weighted(e.s.Net)
	all := redrawing{"all layers", layers}
	switch len(layers) {
	case 0:
		return nil
	case 1:
		return []redrawing{all}
	}
	return []redrawing{{"last layer", layers[len(layers)-1:]}, all}
}

// redrawn makes the first class's maps of a network with weights drawn anew. The network is made for each image, as
// a large one is too large to keep several of.
func (m *explaining) redrawn(ctx context.Context, r redrawing) ([][]*attribution.Result, []error, error) {
	net, err := model.Redraw(m.s.Net, r.layers, m.r.Seed)
	if err != nil {
		return nil, nil, err
	}
	results, _, errs, err := m.results(ctx, net, min(redrawnNodes, m.r.Nodes), m.classes[:1])
	m.scanner = nil
	return results, errs, err
}

// deletion puts the first class's maps to test 1.
func (m *explaining) deletion(ctx context.Context) error {
	probe, err := faith.NewProbe(m.s.Engine, m.s.Net, m.classes[0].Target)
	if err != nil {
		return err
	}
	probe.Memory = m.r.Memory
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
	return nil
}

// trust tests the first class's maps.
func (m *explaining) trust(ctx context.Context) error {
	if err := m.deletion(ctx); err != nil {
		return err
	}
	steps := m.redrawings()
	for i, r := range steps {
		after, errs, err := m.redrawn(ctx, r)
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
		m.r.Progress("maps with random weights", i+1, len(steps))
	}
	for _, t := range m.n.Trust {
		t.judge()
	}
	m.curves = m.trustChart()
	m.figures = append(m.figures, Figure{Name: "trust-" + m.in.Stem, Image: m.curves, Numbers: m.n.Trust, Facts: []Fact{{"image", m.in.Name}}})
	return nil
}

// delete covers the cells that the map names, and those that moved copies of it name.
func (m *explaining) delete(ctx context.Context, probe *faith.Probe, x *explainedMap, t *ExplainTrust) error {
	in, grid := m.s.Net.Input, m.grid()
	cells := faith.Cells(x.plane, in.H, in.W, grid[0], grid[1])
	orders := [][]int{cellPixels(faith.Order(cells), grid, in)}
	rng := rand.New(rand.NewPCG(m.r.Seed, 0x6d6f766564))
	for range deletionMoves {
		away := func(side int) int { return side/4 + rng.IntN(side/2+1) } // a quarter of the side at least
		moved := faith.Moved(cells, grid[0], grid[1], away(grid[0]), away(grid[1]))
		orders = append(orders, cellPixels(faith.Order(moved), grid, in))
	}
	curves, err := probe.Curves(ctx, m.in.Tensor.Data, m.meanFill().Data, orders, deletionSteps)
	if err != nil {
		return err
	}
	t.Curve, t.Deletion, t.control = curves[0], faith.Area(curves[0]), make([]float64, deletionSteps+1)
	for _, curve := range curves[1:] {
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

// cellPixels lists the pixels of cells, cell after cell.
func cellPixels(order []int, grid [2]int, in model.Input) []int {
	var out []int
	for _, cell := range order {
		r, c := cell/grid[1], cell%grid[1]
		for y := r * in.H / grid[0]; y < (r+1)*in.H/grid[0]; y++ {
			for x := c * in.W / grid[1]; x < (c+1)*in.W/grid[1]; x++ {
				out = append(out, y*in.W+x)
			}
		}
	}
	return out
}

// judge says what the tests mean.
func (t *ExplainTrust) judge() {
	if t.Problem != "" {
		return
	}
	switch n := len(t.Controls); {
	case t.Beaten >= n-1:
		t.Places = Passed
	case 2*t.Beaten > n:
		t.Places = Partly
	default:
		t.Places = Failed
	}
	if len(t.Kept) == 0 {
		return
	}
	switch all := t.Kept[len(t.Kept)-1].Likeness; { // all weights were drawn anew
	case all < keptSome:
		t.Weights = Passed
	case all < keptMuch:
		t.Weights = Partly
	default:
		t.Weights = Failed
	}
}

// believed reports whether the map passes both tests.
func (t *ExplainTrust) believed() bool {
	return t.Places == Passed && (t.Weights == Passed || len(t.Kept) == 0)
}

// verdict sums the tests up in a few words, "" if there were none.
func (t *ExplainTrust) verdict() string {
	switch {
	case t.Places == "":
		return ""
	case t.Weights == "":
		return t.Places.of("test 1")
	case t.Places == t.Weights:
		return t.Places.of("both tests")
	}
	return t.Places.of("test 1") + " and " + t.Weights.of("test 2")
}

// of says what a map does in a test.
func (r TestResult) of(test string) string {
	switch r {
	case Passed:
		return "passes " + test
	case Partly:
		return "passes " + test + " in part"
	}
	return "fails " + test
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
	return render.Chart{Title: "Test 1: what is left while the cells a map names first are covered", XLabel: "covered (%)",
		YLabel: fmt.Sprintf("%s of %s", m.n.Quantity, m.s.classText(m.n.Classes[0])), Width: 640, Height: 400}.Lines(lines)
}
