package view

import (
	"context"
	"fmt"
	"slices"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/page"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/occlusion"
)

// Demo asks for a page that shows a network on labelled images of its classes by everything that viz does: filters,
// activations, projections, occlusion maps.
type Demo struct {
	Version string // of the program, for the page
	// Progress is told how far a stage of the work is.
	Progress func(stage string, done, total int)
}

// demoPage is what demo.html shows.
type demoPage struct {
	Title, Model, Hash, Version string
	Sections                    []demoSection
}

type demoSection struct {
	Title, Text, Command string
	Pictures             []string
}

// demoMaker is a Demo request at work.
type demoMaker struct {
	s     *Session
	r     Demo
	src   *images.Inputs
	write func(...Figure) ([]string, error)
	page  demoPage
}

// Demo draws the figures, hands them to write, which returns the names of their files, and returns the page that
// shows them.
func (s *Session) Demo(ctx context.Context, r Demo, src *images.Inputs, write func(...Figure) ([]string, error)) (Page, error) {
	if r.Progress == nil {
		r.Progress = func(string, int, int) {}
	}
	m := &demoMaker{s: s, r: r, src: src, write: write, page: demoPage{Title: "viz demo", Model: s.Net.Name, Hash: s.hash, Version: r.Version}}
	for _, section := range []func(context.Context) error{m.samples, m.filters, m.activations, m.projections, m.occlusion} {
		if err := ctx.Err(); err != nil {
			return Page{}, err
		}
		if err := section(ctx); err != nil {
			return Page{}, err
		}
	}
	html, err := page.HTML("demo", m.page)
	return Page{File: "index.html", HTML: html}, err
}

// add writes figures and adds a section that shows them.
func (m *demoMaker) add(title, text, command string, figures ...Figure) error {
	names, err := m.write(figures...)
	if err == nil {
		m.page.Sections = append(m.page.Sections, demoSection{title, text, command, names})
	}
	return err
}

// first is the first image of a class, loaded; ok is false if there is none.
func (m *demoMaker) first(class int) (in Input, ok bool, err error) {
	i := slices.Index(m.src.Labels(), class)
	if i < 0 {
		return Input{}, false, nil
	}
	x, err := m.src.Load(i)
	return InputOf(m.src, i, x), true, err
}

// samples shows an image of every class.
func (m *demoMaker) samples(context.Context) error {
	var panels []render.Panel
	var which []string
	for k := range m.s.Net.Classes {
		in, ok, err := m.first(k)
		if err != nil {
			return err
		}
		if ok {
			which = append(which, in.Name)
			panels = append(panels, render.Panel{Title: m.s.Net.Class(k), Image: in.picture(m.s.Net)})
		}
	}
	img := render.Figure{Title: "One image of each class", Panels: panels, Columns: 5, PanelSize: 128, Caption: []string{m.src.From}}.Draw()
	return m.add("The images", "Ten classes of generated images; colour, position and size carry no class information.", "viz data list shapes",
		Figure{Name: "images", Image: img, Numbers: map[string]any{"data": m.src.From, "images": which}})
}

func (m *demoMaker) filters(context.Context) error {
	all, _ := Convolutions(m.s.Net)
	if len(all) == 0 {
		return fmt.Errorf("network %s has no convolution layers", m.s.Net.Name)
	}
	figures, err := m.s.Filters(Filters{Layers: all[:1]})
	if err != nil {
		return err
	}
	return m.add("First-layer filters", "What the first convolution looks for: edges, bars and colour contrasts.", "viz filters --model shapes", figures...)
}

func (m *demoMaker) activations(context.Context) error {
	x, err := m.src.Load(0)
	if err != nil {
		return err
	}
	t, err := m.s.Engine.Forward(m.s.Net, x)
	if err != nil {
		return err
	}
	figures, err := m.s.Activations(Activations{Layers: m.s.Net.ConvLayers(), Most: 64}, t, InputOf(m.src, 0, x))
	if err != nil {
		return err
	}
	return m.add("Activations", "The activation maps of each convolution layer for one image.",
		"viz activations --layer 1 --model shapes --data shapes --limit 1", figures...)
}

// projections shows what the maps of each convolution layer respond to.
func (m *demoMaker) projections(ctx context.Context) error {
	index, err := features.Collect(ctx, m.s.Engine, m.s.Net, m.src, features.Options{Hash: m.s.hash,
		Progress: func(done, total int) { m.r.Progress("scanning", done, total) }})
	if err != nil {
		return err
	}
	for i := range index.Layers {
		var names []string
		r := Sheets{Top: index.TopK, Progress: func(done, total int) { m.r.Progress(fmt.Sprintf("projecting layer %d", i+1), done, total) }}
		_, err := m.s.Sheets(ctx, r, m.src, &index.Layers[i], func(sheet Sheet) error {
			written, err := m.write(sheet.Figure)
			names = append(names, written...)
			return err
		})
		if err != nil {
			return err
		}
		m.page.Sections = append(m.page.Sections, demoSection{fmt.Sprintf("Layer %d: what its maps respond to", i+1),
			fmt.Sprintf("For each map, the nine strongest activations among %d images: projected to pixels by the deconvnet at the left, the image patches at the right.", m.src.Len()),
			fmt.Sprintf("viz deconv --layer %d --model shapes", i+1), names})
	}
	return nil
}

// occlusion shows what the decisions on images of three classes rest on.
func (m *demoMaker) occlusion(ctx context.Context) error {
	var figures []Figure
	for k := 0; k < 9; k += 3 {
		in, ok, err := m.first(k)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		in.Stem = m.s.Net.Class(k)
		made, err := m.s.Occlude(ctx, Occlusion{Options: occlusion.Options{Classes: []int{k}}}, in)
		if err != nil {
			return err
		}
		figures = append(figures, made...)
	}
	return m.add("What the prediction depends on", "A grey patch slides over the image; the maps show how the class probability changes.",
		"viz occlude --model shapes --data shapes --limit 3", figures...)
}
