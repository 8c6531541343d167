package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// writeSummary says the most important in a few sentences.
func (m *explaining) writeSummary() {
	add := func(format string, args ...any) {
		m.page.Summary = append(m.page.Summary, fmt.Sprintf(format, args...))
	}
	first := m.n.Top[0]
	switch {
	case m.n.Quantity == model.Value:
		add("The network's largest output is %s: %s.", m.name(first.Class), shown(first))
	case m.reading.Binary() && m.reading.NumClasses() == 1:
		add("The network gives its one label a probability of %s.", shown(first))
	case len(m.n.Top) > 1:
		unsure := ""
		if m.reading.Kind == model.SoftmaxScores && *first.Probability < 0.5 {
			unsure = " It is not sure."
		}
		add("The network says %s, with a probability of %s. Its second choice is %s, with %s.%s", m.name(first.Class), shown(first), m.name(m.n.Top[1].Class), shown(m.n.Top[1]), unsure)
	default:
		add("The network says %s, with a probability of %s.", m.name(first.Class), shown(first))
	}
	if a := m.n.Agreement; a != nil {
		switch {
		case a.Common < 2*a.CommonByChance || a.Common == 0:
			add("The maps do not agree on where the evidence for it is.")
		case slices.ContainsFunc(a.Pairs, func(p ExplainPair) bool { return p.Overlap < 2*a.Chance }):
			add("The maps agree in part on where the evidence for it is: what all %d name lies mostly in the %s.", a.Maps, m.place(a))
		default:
			add("All %d maps find the evidence for it in the %s.", a.Maps, m.place(a))
		}
	}
	if m.n.Change != nil {
		add("%s", m.changed())
	}
	var good, bad []string
	for _, t := range m.n.Trust {
		switch {
		case t.believed():
			good = append(good, inSentence(t.Method))
		case t.verdict() != "":
			bad = append(bad, inSentence(t.Method)+" "+t.verdict())
		}
	}
	switch {
	case good != nil && bad != nil:
		add("How far to believe the maps: %s passed our tests here, but %s.", words(good), words(bad))
	case good != nil:
		add("How far to believe the maps: %s passed our tests here.", words(good))
	case bad != nil:
		add("Take the maps with care: %s.", words(bad))
	}
}

// place says where in the picture most of the cells lie that all maps name.
func (m *explaining) place(a *ExplainAgreement) string {
	var y, x, n float64
	for i, v := range a.Votes {
		if v == a.Maps {
			y += (float64(i/a.Grid[1]) + 0.5) / float64(a.Grid[0])
			x += (float64(i%a.Grid[1]) + 0.5) / float64(a.Grid[1])
			n++
		}
	}
	third := func(v float64, low, high string) string {
		switch v /= n; {
		case v < 1./3:
			return low
		case v > 2./3:
			return high
		}
		return ""
	}
	vertical, horizontal := third(y, "upper", "lower"), third(x, "left", "right")
	switch {
	case vertical == "" && horizontal == "":
		return "middle of the picture"
	case vertical == "":
		return horizontal + " third of the picture"
	case horizontal == "":
		return vertical + " third of the picture"
	}
	return vertical + " " + horizontal + " of the picture"
}

// amount is a number about a class in a table: a probability in percent, or a value.
func (m *explaining) amount(v float64) string {
	if m.n.Quantity == model.Probability {
		return fmt.Sprintf("%.1f %%", 100*v)
	}
	return render.Number(v)
}

// inSentence is a method's name within a sentence.
func inSentence(m attribution.Method) string {
	if name := m.Title(); name != strings.ToUpper(name[:1])+strings.ToLower(name[1:]) {
		return name // of other capitals
	}
	return strings.ToLower(m.Title())
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// words lists things in a sentence.
func words(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
