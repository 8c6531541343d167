package view

import (
	"fmt"
	"html/template"
	"image"

	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/page"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// explainPage is what explain.html shows. Texts are whole sentences.
type explainPage struct {
	Title, Image, Answer string
	Model, Hash, Version string
	Input                string // hash of what the network saw
	Summary              []string
	Seen, Original       template.URL
	Bars                 []explainBar
	BarsNote             string
	Rows                 []explainRow // by class
	RowsWhy              string
	Agree                explainPart
	Pairs                []explainPairRow
	Layers               []explainLayer
	FeaturesWhy          string
	Change               explainPart
	Trust                explainPart
	Tests                []explainTest
	Redrawn              []string // what was drawn anew, by column
	Moves                int
	Steps                []string
	Unstated             bool
	Commands             []explainCommand
	Seed                 uint64
}

type explainPart struct {
	Picture template.URL
	Text    []string
	Command string
	Why     string // why there is none
}

type explainBar struct {
	Name, Text string
	Width      float64 // percent
	Explained  bool
}

type explainRow struct {
	Class string
	Maps  []explainCell
	Text  string
}

type explainCell struct {
	Method, Asks string
	Picture      template.URL
	Text         string
	Verdict      string
	Good         bool
	Command, Why string
}

type explainPairRow struct{ A, B, Spearman, Overlap, Words string }

type explainLayer struct {
	Name, Text string
	Features   []explainFeatureCell
}

type explainFeatureCell struct {
	Title, Text, Command     string
	Where, Patch, Projection template.URL
}

type explainTest struct {
	Method, Deletion, Controls string
	Kept                       []string
	Places, Weights            string
	Verdict, Why               string
	Good                       bool
}

type explainCommand struct{ Makes, Line string }

// write fills in the page.
func (m *explaining) write() error {
	net := m.s.Net
	p := &m.page
	p.Image, p.Answer = images.Title(m.in.Name), m.name(m.n.Top[0].Class)
	p.Title = fmt.Sprintf("Why %s? %s", p.Answer, p.Image)
	p.Model, p.Hash, p.Version, p.Seed = net.Name, m.s.hash, m.r.Version, m.r.Seed
	p.Input = m.n.Input
	p.Steps, p.Unstated = m.n.Steps, !net.Preprocess.Stated()
	urls := &inliner{}
	p.Seen = urls.of(render.Magnify(m.in.picture(net), max(224/max(net.Input.H, net.Input.W), 1)))
	if m.in.Original != nil {
		p.Original = urls.of(shrunk(m.in.Original, 448))
	}
	m.writeBars()
	m.writeMaps(urls)
	m.writeAgreement(urls)
	m.writeFeatures(urls)
	m.writeChange(urls)
	m.writeTrust(urls)
	m.writeCommands()
	m.writeSummary()
	return urls.err
}

// inliner turns pictures into addresses, and keeps the first error.
type inliner struct{ err error }

func (u *inliner) of(img image.Image) template.URL {
	if img == nil || u.err != nil {
		return ""
	}
	var url template.URL
	url, u.err = page.Inline(img)
	return url
}

// name is a class in a sentence: “tiger cat”, or class 7.
func (m *explaining) name(k int) string {
	if name := m.s.Net.Class(k); name != fmt.Sprint(k) {
		return "“" + name + "”"
	}
	if m.n.Quantity == model.Value {
		return fmt.Sprintf("output %d", k)
	}
	return fmt.Sprintf("class %d", k)
}

// shown is a class's probability or value.
func shown(c ClassScore) string {
	if c.Probability != nil {
		return fmt.Sprintf("%.1f %%", 100**c.Probability)
	}
	return render.Number(c.Score)
}

func (m *explaining) writeBars() {
	most := 0.0
	for _, c := range m.n.Top {
		most = max(most, c.Shown(), -c.Shown())
	}
	if m.n.Quantity == model.Probability {
		most = 1
	}
	for _, c := range m.n.Top {
		b := explainBar{Name: m.s.classText(c.Class), Text: shown(c)}
		for _, k := range m.n.Classes {
			b.Explained = b.Explained || k == c.Class
		}
		if most > 0 {
			b.Width = 100 * max(c.Shown(), -c.Shown()) / most
		}
		m.page.Bars = append(m.page.Bars, b)
	}
	switch {
	case m.reading.Spatial():
		m.page.BarsNote = fmt.Sprintf("The network scores each of %d×%d places; the numbers are means over them. A class is explained by the sum of its scores over all places.", m.reading.Shape.H, m.reading.Shape.W)
	case m.n.Quantity == model.Value:
		m.page.BarsNote = "The network gives values, not probabilities."
	case m.reading.Binary():
		m.page.BarsNote = "One output tells two classes apart: it says yes from 50 % on."
	case m.reading.Kind == model.SigmoidScores:
		m.page.BarsNote = "Each label stands for itself: the network says all that reach 50 %."
	}
}

// asks is which question a method answers, and how to read its map.
func (m *explaining) asks(x *explainedMap) (question, text string) {
	n := x.numbers
	switch n.Method {
	case attribution.GradCAM:
		text = "Bright: features that raise the score."
		if x.Result != nil {
			text += fmt.Sprintf(" Coarse: %d×%d values, at layer %s.", n.Shape[0], n.Shape[1], strings.Join(n.Layers, ", "))
			if n.Hi == 0 {
				text += " Nothing is bright here: on balance no place speaks for the class."
			}
			text += fullColour(n)
		}
		return "Which features raise the score?", text
	case attribution.Occlusion:
		text = "Orange: covering this place lowers the " + m.quantity() + "; blue: it raises it."
		if n.Patch != nil {
			text += fmt.Sprintf(" A patch of %d×%d pixels in the mean colour was slid over the picture.", n.Patch[0], n.Patch[1])
			text += fullColour(n)
		}
		return "What if a place is covered?", text
	}
	text = "Orange raises the score, blue lowers it, compared with a picture of the mean colour."
	if g := grain(m.s.Net.Input); g > 1 {
		text += fmt.Sprintf(" Means over %d×%d pixels.", g, g)
	}
	text += fullColour(n)
	if c := n.Completeness; c != nil {
		text += fmt.Sprintf(" The pixels add up to the score's difference, %s, but for %s.", render.Number(c.Difference), render.Number(c.Residual))
	}
	return "What does each pixel add?", text
}

// fullColour is the scale of a map.
func fullColour(n *ExplainMap) string {
	switch {
	case n.Hi == 0:
		return ""
	case n.Lo < 0:
		return fmt.Sprintf(" Full colour is ±%s.", render.Number(n.Hi))
	}
	return fmt.Sprintf(" Full colour is %s.", render.Number(n.Hi))
}

func (m *explaining) quantity() string {
	if m.n.Quantity == model.Probability {
		return "probability"
	}
	return "value"
}

func (m *explaining) writeMaps(urls *inliner) {
	m.page.RowsWhy = m.why("maps")
	for k, row := range m.maps {
		class := m.n.Classes[k]
		r := explainRow{Class: m.name(class)}
		var alike []string
		for i, x := range row {
			c := explainCell{Method: x.numbers.Method.Title(), Why: x.numbers.Problem, Picture: urls.of(x.over), Command: m.mapCommand(x, class)}
			c.Asks, c.Text = m.asks(x)
			if k == 0 && i < len(m.n.Trust) {
				c.Verdict, c.Good = m.n.Trust[i].verdict(), m.n.Trust[i].believed()
			}
			if l := x.numbers.Likeness; l != nil && *l >= 0.8 {
				alike = append(alike, fmt.Sprintf("%s (rank correlation %.2f)", inSentence(x.numbers.Method), *l))
			}
			r.Maps = append(r.Maps, c)
		}
		if alike != nil {
			r.Text = fmt.Sprintf("Nearly the same map for both classes by %s: it shows what both have in common, not what decides between them.", words(alike))
		}
		m.page.Rows = append(m.page.Rows, r)
	}
}

func (m *explaining) writeAgreement(urls *inliner) {
	p := &m.page.Agree
	if p.Why = m.why("agreement"); p.Why != "" {
		return
	}
	a := m.n.Agreement
	p.Picture = urls.of(m.votes)
	p.Text = []string{
		fmt.Sprintf("The picture is cut into %d×%d cells. Each map names the fifth of them where it is strongest. The picture shows cells clearer the more maps name them; the orange line is around those that all %d name: %s of the picture. By chance alone they would have %s in common.",
			a.Grid[0], a.Grid[1], a.Maps, percent(a.Common), percent(a.CommonByChance)),
	}
	for _, pair := range a.Pairs {
		r := explainPairRow{A: pair.A.Title(), B: pair.B.Title(), Overlap: fmt.Sprintf("%.2f", pair.Overlap), Spearman: "-"}
		if pair.Spearman != nil {
			r.Spearman = fmt.Sprintf("%.2f", *pair.Spearman)
		}
		switch {
		case pair.Overlap >= 0.5:
			r.Words = "agree well"
		case pair.Overlap >= 2*a.Chance:
			r.Words = "agree in part"
		default:
			r.Words = "hardly agree"
		}
		m.page.Pairs = append(m.page.Pairs, r)
	}
}

func (m *explaining) writeFeatures(urls *inliner) {
	m.page.FeaturesWhy = m.why("features")
	score := m.n.Top[0].Score
	for i, f := range m.n.Features {
		if i == 0 || f.Layer != m.n.Features[i-1].Layer {
			m.page.Layers = append(m.page.Layers, explainLayer{Name: f.Layer})
		}
		l := &m.page.Layers[len(m.page.Layers)-1]
		cell := explainFeatureCell{Title: fmt.Sprintf("map %d", f.Map), Command: m.unitCommand(f),
			Where: urls.of(m.seen[i].where), Patch: urls.of(m.seen[i].patch), Projection: urls.of(m.seen[i].projection)}
		cell.Text = fmt.Sprintf("adds about %.3g", f.Contribution)
		if score > 0 {
			cell.Text += fmt.Sprintf(" of the score's %.3g", score)
		}
		l.Features = append(l.Features, cell)
		l.Text = fmt.Sprintf("The %d maps of layer %s that add most to the score of %s.", len(l.Features), f.Layer, m.name(m.n.Classes[0]))
		if f.Rule == deconv.Gradient {
			l.Text += " The third picture is the gradient times the activation: the deconvnet does not lead down from this layer."
		}
		if len(m.page.Layers) > 1 {
			l.Text = fmt.Sprintf("The same at layer %s, whose maps see smaller parts of the picture.", f.Layer)
		}
	}
}

func (m *explaining) writeChange(urls *inliner) {
	p := &m.page.Change
	if p.Why = m.why("change"); p.Why != "" {
		return
	}
	c := m.n.Change
	p.Picture = urls.of(m.covered)
	p.Text = []string{m.changed() + fmt.Sprintf(" The probability of %s went from %s to %s.", m.name(c.Class), shown(c.Before), shown(c.After))}
	how := fmt.Sprintf("The picture was cut into %d patches of %d×%d pixels. Each was covered alone; then one more at a time with the mean colour, always the one that lowers this probability most, of the %d that did so alone.", c.Grid, c.Patch[0], c.Patch[1], c.Among)
	if c.Changed {
		how += " Then each was uncovered again if the answer stayed changed without it"
		if c.Spared > 0 {
			how += fmt.Sprintf(" (%d were)", c.Spared)
		}
		how += ". So none of these patches can be left out; but the search is greedy, and another, smaller set may do as well."
	} else {
		how += " The search stopped there. It is greedy: another set of as many patches may change the answer."
	}
	p.Text = append(p.Text, how)
}

// changed is what covering did, in one sentence.
func (m *explaining) changed() string {
	c := m.n.Change
	patches := fmt.Sprintf("%d of %d patches (%s of the picture)", len(c.Boxes), c.Grid, percent(c.Share))
	switch {
	case !c.Changed:
		return fmt.Sprintf("Covering %s, those that count most, does not change the answer.", patches)
	case c.Lost:
		return fmt.Sprintf("Covering %s takes %s below 50 %%, so that the network does not say it any more.", patches, m.name(c.Class))
	case m.reading.Binary() && m.reading.NumClasses() == 1:
		return fmt.Sprintf("Covering %s turns the answer around.", patches)
	}
	return fmt.Sprintf("Covering %s makes the network say %s instead.", patches, m.name(c.Answer))
}

func (m *explaining) writeTrust(urls *inliner) {
	p := &m.page.Trust
	if p.Why = m.why("trust"); p.Why != "" {
		return
	}
	p.Picture = urls.of(m.curves)
	m.page.Moves = deletionMoves
	for _, r := range m.redrawings() {
		m.page.Redrawn = append(m.page.Redrawn, r.what)
	}
	for _, t := range m.n.Trust {
		row := explainTest{Method: t.Method.Title(), Why: t.Problem, Verdict: t.verdict(), Good: t.believed(), Places: string(t.Places), Weights: string(t.Weights)}
		if t.Problem == "" {
			row.Deletion = m.amount(t.Deletion)
			lo, hi := t.Controls[0], t.Controls[0]
			for _, v := range t.Controls {
				lo, hi = min(lo, v), max(hi, v)
			}
			row.Controls = fmt.Sprintf("%s to %s; below %d of %d", m.amount(lo), m.amount(hi), t.Beaten, len(t.Controls))
			for _, k := range t.Kept {
				row.Kept = append(row.Kept, fmt.Sprintf("%.2f", k.Likeness))
			}
		}
		m.page.Tests = append(m.page.Tests, row)
	}
}
