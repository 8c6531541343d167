package view

import (
	"image"
	"slices"
	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/imageio"
)

// command is the line that makes a part.
func (m *explaining) command(name string, args ...string) string {
	line := append([]string{"viz", name}, m.r.Network...)
	line = append(line, args...)
	switch {
	case m.in.Again != nil:
		line = append(line, m.in.Again...)
	case strings.HasPrefix(m.in.Name, "-"):
		line = append(line, "--", m.in.Name)
	default:
		line = append(line, m.in.Name)
	}
	return ShellLine(line)
}

// commandForAll is the line of a command that takes all images at once.
func (m *explaining) commandForAll(name string, args ...string) string {
	return ShellLine(slices.Concat([]string{"viz", name}, m.r.Network, args, m.r.Source))
}

// ShellLine writes words as a shell reads them: in quotes where they need it.
func ShellLine(words []string) string {
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

// unitCommand is the line that draws a feature.
func (m *explaining) unitCommand(f ExplainFeature) string {
	args := []string{"--unit", f.Unit.String()}
	if f.Rule != deconv.Paper {
		args = append(args, "--rule", string(f.Rule))
	}
	return m.command("deconv", args...)
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
	methods := methodsText(explainMethods)
	if m.n.Change != nil {
		add("what the network says of the covered picture (beside this page)", ShellLine(slices.Concat([]string{"viz", "classify"}, m.r.Network, []string{m.in.Stem + "-parts/covered-" + m.in.Stem + ".npy"})))
	}
	add("test 1 with more measures, over all pictures of this run", m.commandForAll("faithful", "--method", methods))
	add("test 2 layer by layer, over all pictures of this run", m.commandForAll("sanity", "--method", methods))
	add("all layers, weights and steps of preprocessing", ShellLine(append([]string{"viz", "inspect"}, m.r.Network...)))
}

// shrunk is a picture no larger than a side.
func shrunk(img image.Image, side int) image.Image {
	return imageio.Fit(img, side, side, imageio.Lanczos)
}
