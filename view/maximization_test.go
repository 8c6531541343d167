package view

import (
	"strings"
	"testing"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/maximize"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

// TestMaximize draws pictures beside what an index knows, and the way there.
func TestMaximize(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	s := NewSession(engine, net)
	list, err := images.Open(t.Context(), images.Spec{Data: "shapes", Limit: 12}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.For(list, net)
	if err != nil {
		t.Fatal(err)
	}
	index, err := features.Collect(t.Context(), engine, net, src, features.Options{Layers: []string{"relu2"}, Top: 4})
	if err != nil {
		t.Fatal(err)
	}
	r := Maximization{Units: []string{"2"}, Classes: []int{1}, Options: maximize.Options{Steps: 4, Starts: 2, Frames: 2}}
	run, err := s.Maximize(r, index)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MaximizeFigures(t.Context(), run, index, src); err == nil {
		t.Error("pictures that are not finished are drawn")
	}
	if err := run.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	figures, err := s.MaximizeFigures(t.Context(), run, index, src)
	if err != nil {
		t.Fatal(err)
	}
	n := figures[0].Numbers.(MaximizeNumbers)
	if len(figures) != 2 || len(n.Pictures) != 17*2 || figures[0].Array.Shape[0] != 34 || len(figures[0].Array.Data) != 34*3*32*32 || figures[0].Name != "maximize-units" {
		t.Errorf("%d figures, the first %s of %d pictures", len(figures), figures[0].Name, len(n.Pictures))
	}
	if size := figures[1].Image.Bounds().Size(); size.X != 2*128 || size.Y != 34*128 {
		t.Errorf("the way there is drawn in %v", size)
	}
	chosen := firing(index.Layer("relu2"), 16)
	for i, p := range n.Pictures[2:] { // the class is first
		if p.Channel != chosen[i/2] || p.Natural == nil || *p.Natural != float64(topValue(index.Layer("relu2").Top[p.Channel])) || len(p.Values) != 4 {
			t.Errorf("picture %d: %+v", i, p)
		}
	}
	if p := n.Pictures[0]; p.Natural != nil || p.Layer != "" || p.Channel != 1 {
		t.Errorf("class: %+v", p)
	}
}

// TestMaximizeGoals reads units and names what is wrong.
func TestMaximizeGoals(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	goals, err := Maximization{Units: []string{"2:3", "relu1:4:5:6", "fc1"}, Maps: "2-4"}.Goals(net, nil)
	var names []string
	for _, g := range goals {
		names = append(names, g.Name(net))
	}
	if got := strings.Join(names, " "); err != nil || got != "relu2:3 relu1:4:5:6 fc1:2 fc1:3 fc1:4" {
		t.Errorf("%s, %v", got, err)
	}
	for _, c := range []struct {
		r    Maximization
		want string
	}{
		{Maximization{}, "class is not given, nor a layer"},
		{Maximization{Units: []string{"nothing:3"}}, `no layer "nothing"`},
		{Maximization{Units: []string{"2:4000"}}, "channel 4000: layer relu2 has"},
		{Maximization{Units: []string{"2"}, Maps: "x"}, `layer relu2: maps "x"`},
		{Maximization{Units: []string{"2"}, Options: maximize.Options{Steps: -3}}, "steps -3: want"},
	} {
		engine := model.NewEngine(1)
		_, err := NewSession(engine, net).Maximize(c.r, nil)
		engine.Close()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
