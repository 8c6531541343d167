package view

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
)

// explainShapes makes the page of one of the built-in images.
func explainShapes(t *testing.T, workers int, r Explain) (*Session, Picture, *Explanation) {
	t.Helper()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(workers)
	t.Cleanup(engine.Close)
	s := NewSession(engine, net)
	p, err := PictureOf(testSource(t, net, "shapes", 3), 2)
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Explainer(r)
	if err != nil {
		t.Fatal(err)
	}
	made, err := e.Explain(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return s, p, made
}

// TestExplain holds the parts of a page to what the other requests say, and to the network itself.
func TestExplain(t *testing.T) {
	s, p, made := explainShapes(t, 2, Explain{Nodes: 3, Network: []string{"--model", "a b"}})
	t.Run("commands", func(t *testing.T) { explainCommands(t, s, p, made) })
	t.Run("bytes", func(t *testing.T) {
		_, _, other := explainShapes(t, 1, Explain{Nodes: 3, Network: []string{"--model", "a b"}})
		if !bytes.Equal(made.Page.HTML, other.Page.HTML) {
			t.Error("1 and 2 workers make other pages")
		}
	})
	t.Run("index", func(t *testing.T) {
		index, err := s.ExplainIndex("1", []*Explanation{made, made})
		if err != nil || strings.Count(string(index.HTML), fmt.Sprintf(`<h2><a href="%s">`, made.Page.File)) != 2 {
			t.Errorf("%s %v", index.HTML, err)
		}
	})
	n := made.Numbers
	if len(n.Problems) > 0 || len(n.Maps) != 6 || len(n.Features) == 0 || n.Change == nil || n.Agreement == nil {
		t.Fatalf("parts are missing: %+v", n)
	}
	trace, err := s.Engine.Forward(s.Net, p.Tensor)
	if err != nil {
		t.Fatal(err)
	}
	scores := trace.Value(s.Net.Logits).Data
	prob := s.Net.Probabilities(scores)
	for i, c := range n.Top {
		if math.Abs(*c.Probability-prob[c.Class]) > 1e-5 || i > 0 && *c.Probability > *n.Top[i-1].Probability {
			t.Errorf("class %d: %v of %v", i, c, prob)
		}
	}
	if !slices.Equal(n.Classes, []int{n.Top[0].Class, n.Top[1].Class}) {
		t.Errorf("explained are %v, best are %v", n.Classes, n.Top)
	}
	// What is covered changes the answer.
	covered := figureNamed(t, made, "covered-"+p.Stem)
	if trace, err = s.Engine.Forward(s.Net, tensor.From(covered.Array.Data, covered.Array.Shape...)); err != nil {
		t.Fatal(err)
	}
	after := trace.Value(s.Net.Logits).Data
	if got := s.Net.Predict(after); n.Change.Changed != (got != n.Top[0].Class) || got != n.Change.Answer ||
		math.Abs(s.Net.Probabilities(after)[n.Change.Class]-*n.Change.After.Probability) > 1e-6 {
		t.Errorf("the covered picture is class %d: %+v", got, n.Change)
	}
	// Each map names a fifth of the cells.
	votes := 0
	for _, v := range n.Agreement.Votes {
		votes += v
	}
	if want := 3 * int(math.Round(topShare*float64(len(n.Agreement.Votes)))); votes != want {
		t.Errorf("%d votes, want %d", votes, want)
	}
	for _, trust := range n.Trust {
		if len(trust.Controls) != deletionMoves || len(trust.Kept) != 2 || trust.Places == "" || trust.Weights == "" ||
			math.Abs(trust.Curve[0]-prob[n.Top[0].Class]) > 1e-6 || trust.Curve[deletionSteps] == trust.Curve[0] {
			t.Errorf("%+v", trust)
		}
	}
	page := string(made.Page.HTML)
	for _, id := range []string{"answer", "maps", "agree", "features", "change", "trust", "input", "commands"} {
		if !strings.Contains(page, `<section id="`+id+`">`) {
			t.Errorf("the page has no part %s", id)
		}
	}
	if strings.Contains(page, "could not be made") || regexp.MustCompile(`(src|href)="[^d#]`).MatchString(page) || strings.Contains(page, "ZgotmplZ") {
		t.Error("the page is not whole, or not in one file")
	}
}

func figureNamed(t *testing.T, made *Explanation, name string) Figure {
	t.Helper()
	for _, f := range made.Figures {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("there is no figure %s", name)
	return Figure{}
}

// explainCommands: the lines on the page make the maps on the page.
func explainCommands(t *testing.T, s *Session, p Picture, made *Explanation) {
	lines := regexp.MustCompile(`<pre>viz (attribute|occlude) --model &#39;a b&#39; (.*) `+regexp.QuoteMeta(p.Name)+`</pre>`).FindAllStringSubmatch(string(made.Page.HTML), -1)
	if len(lines) != 6 {
		t.Fatalf("%d lines make maps, want 6", len(lines))
	}
	same := 0
	for _, line := range lines {
		args := strings.Fields(line[2])
		get := func(name string) (string, bool) {
			if i := slices.Index(args, "--"+name); i >= 0 {
				return args[i+1], true
			}
			return "", false
		}
		var figures []Figure
		var err error
		if line[1] == "occlude" {
			var r Occlusion
			if err = r.Fields().Set(s.Net, get); err == nil {
				figures, err = s.Occlude(t.Context(), r, p.Input)
			}
		} else {
			var r Attribution
			if err = r.Fields().Set(s.Net, get); err == nil {
				figures, err = s.Attribution(t.Context(), attribution.New(s.Engine, s.Net), r, p.Input)
			}
		}
		if err != nil {
			t.Fatalf("%v: %v", line[0], err)
		}
		for _, f := range made.Figures {
			if f.Array != nil && slices.Equal(f.Array.Shape, figures[0].Array.Shape) && slices.Equal(f.Array.Data, figures[0].Array.Data) {
				same++
			}
		}
	}
	if same != 6 {
		t.Errorf("%d of 6 lines make a map of the page", same)
	}
}

// TestExplainKinds: whatever a network's scores mean, and whatever it lacks, the page is whole, and what is missing
// is named.
func TestExplainKinds(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	x := viztest.ScoresInput()
	in := model.Input{Name: "data", C: 3, H: 6, W: 6}
	weight := tensor.New(3, 3*6*6)
	for i := range weight.Data {
		weight.Data[i] = float32(i*7%11-5) / 50
	}
	flat := &model.Network{Name: "flat", Logits: "fc", Input: in, Classes: []string{"<b>cat</b>", "dog\x1b[31m", "=1+1"}, Nodes: []model.Node{
		{Name: "flat", Inputs: []string{"data"}, Layer: &model.Reshape{}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: weight, Bias: make([]float32, 3)}}}}
	labels := flat.Clone()
	labels.Scores = model.SigmoidScores
	for _, c := range []struct {
		name    string
		net     *model.Network
		classes int
		missing []string // parts
		says    string
	}{
		{"no maps", flat, 2, []string{"features"}, "&lt;b&gt;cat&lt;/b&gt;"},
		{"labels", labels, 2, []string{"features"}, "Each label stands for itself"},
		{"regression", viztest.OneOutput(model.RawScores), 1, []string{"change"}, "largest output is output 0"},
		{"binary", viztest.OneOutput(model.SigmoidScores), 1, nil, "One output tells two classes apart"},
		{"two names", viztest.OneOutput(model.SigmoidScores, "no", "yes"), 2, nil, "The network says “"},
		{"segmentation", viztest.Segmentation(), 2, nil, "The network scores each of"},
	} {
		s := NewSession(engine, c.net)
		e, err := s.Explainer(Explain{Nodes: 2})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		made, err := e.Explain(t.Context(), Picture{Input: Input{Name: "x.npy", Stem: "x", Tensor: x}})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var missing []string
		for _, p := range made.Numbers.Problems {
			missing = append(missing, p.Part)
		}
		page := string(made.Page.HTML)
		if !slices.Equal(missing, c.missing) || len(made.Numbers.Maps) != 3*c.classes || strings.Count(page, "could not be made")+strings.Count(page, "colspan") < len(missing) {
			t.Errorf("%s: missing are %v, want %v; %d maps", c.name, made.Numbers.Problems, c.missing, len(made.Numbers.Maps))
		}
		if !strings.Contains(page, c.says) || strings.Contains(page, "<b>cat") {
			t.Errorf("%s: the page does not say %q", c.name, c.says)
		}
		for _, m := range made.Numbers.Maps {
			if (m.Problem != "") != (m.Method == attribution.GradCAM && c.net.Name == "flat") {
				t.Errorf("%s: %s: %q", c.name, m.Method, m.Problem)
			}
		}
	}
	damaged := flat.Clone()
	damaged.Nodes[1].Layer.(*model.Dense).Weight.Data[3] = float32(math.NaN())
	e, err := NewSession(engine, damaged).Explainer(Explain{})
	if err == nil {
		_, err = e.Explain(t.Context(), Picture{Input: Input{Name: "x.npy", Stem: "x", Tensor: x}})
	}
	if err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("NaN weights: %v", err)
	}
}

// TestExplainValidate: what is wrong is named by its field.
func TestExplainValidate(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	for field, r := range map[string]Explain{"class": {Classes: []int{0, 1, 2}}, "nodes": {Nodes: -1}, "layer": {Layer: "nowhere"}} {
		var e *FieldError
		if err := r.Validate(net); err == nil || !asField(err, &e) || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := (Explain{Classes: []int{99}}).Validate(net); err == nil {
		t.Error("class 99 is accepted")
	}
}

func asField(err error, e **FieldError) bool {
	f, ok := err.(*FieldError)
	*e = f
	return ok
}

// TestTrustVerdicts: what tests of a map mean together.
func TestTrustVerdicts(t *testing.T) {
	for _, c := range []struct {
		beaten   int
		last     float64
		want     string
		believed bool
	}{
		{9, 0.1, "passes both tests", true}, {8, 0.29, "passes both tests", true}, {7, 0.1, "passes test 1 in part and passes test 2", false},
		{4, 0.1, "fails test 1 and passes test 2", false}, {9, 0.5, "passes test 1 and fails test 2", false}, {0, 0.9, "fails both tests", false}, {6, 0.4, "passes both tests in part", false},
		{4, 0.4, "fails test 1 and passes test 2 in part", false},
	} {
		trust := &ExplainTrust{Controls: make([]float64, 9), Beaten: c.beaten, Kept: []ExplainKept{{"last layer", 1}, {"all layers", c.last}}}
		if trust.judge(); trust.verdict() != c.want || trust.believed() != c.believed {
			t.Errorf("%d beaten, %g kept: %s, believed %v", c.beaten, c.last, trust.verdict(), trust.believed())
		}
	}
}

// TestShellLine quotes what a shell would read otherwise.
func TestShellLine(t *testing.T) {
	got := ShellLine([]string{"viz", "a b", "it's", "", "$x", "--k=v", "a;b", "é"})
	if want := `viz 'a b' 'it'\''s' '' '$x' --k=v 'a;b' 'é'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
