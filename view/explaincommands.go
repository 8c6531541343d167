package view

import (
	"fmt"
	"image"
	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/disintegration/imaging"
)

// command is the line that makes a part.
func (m *explaining) command(name string, args ...string) string {
	line := append([]string{"viz", name}, m.r.Network...)
	line = append(line, args...)
	if m.r.Source == nil {
		line = append(line, m.in.Name)
	}
	return shellLine(append(line, m.r.Source...))
}

// shellLine quotes words for a shell where they need it.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.ContainsFunc(w, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,=+@%", r))
		}) {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// mapCommand is the line that draws a map.
func (m *explaining) mapCommand(x *explainedMap, class int) string {
	if x.numbers.Method == attribution.Occlusion {
		r := Occlusion{Options: m.patches}
		r.Classes, r.Layers = []int{class}, nil
		return m.command("occlude", r.Fields().Arguments()...)
	}
	r := Attribution{Methods: []attribution.Method{x.numbers.Method}, Request: m.pathRequest(m.r.Nodes)}
	if x.numbers.Method == attribution.GradCAM {
		r.Request = m.camRequest()
	}
	r.Targets = []attribution.Target{attribution.Class(class)}
	return m.command("attribute", r.Fields().Arguments()...)
}

// writeCommands lists the lines that make the other parts.
func (m *explaining) writeCommands() {
	add := func(makes, line string) {
		m.page.Commands = append(m.page.Commands, explainCommand{makes, line})
	}
	given := m.given
	add("this page", m.command("explain", given.Fields().Arguments()...))
	if !m.reading.Spatial() {
		add("the five best classes", m.command("classify"))
	}
	for k, row := range m.maps {
		for _, x := range row {
			if x.Result != nil {
				add(fmt.Sprintf("%s for %s", x.numbers.Method.Title(), m.name(m.n.Classes[k])), m.mapCommand(x, m.n.Classes[k]))
			}
		}
	}
	for _, f := range m.n.Features {
		add(fmt.Sprintf("map %d of %s", f.Map, f.Layer), m.command("deconv", "--unit", f.Unit.String()))
	}
	methods := methodsText(explainMethods)
	add("test 1 over many pictures, with more measures", m.command("faithful", "--method", methods))
	add("test 2 layer by layer", m.command("sanity", "--method", methods))
	add("all layers, weights and steps of preprocessing", shellLine(append([]string{"viz", "inspect"}, m.r.Network...)))
}

// shrunk is a picture no larger than a side.
func shrunk(img image.Image, side int) image.Image {
	return imaging.Fit(img, side, side, imaging.Lanczos)
}
