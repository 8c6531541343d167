package graph

import (
	"fmt"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
)

func chain(n int, name func(i int) string) []Node {
	var nodes []Node
	for i := range n {
		in := []string{"input"}
		if i > 0 {
			in = []string{nodes[i-1].Name}
		}
		nodes = append(nodes, Node{Name: name(i), Path: name(i), Inputs: in})
	}
	return nodes
}

// check holds a layout to what makes it readable: every node is in one box, boxes do not overlap, lines go down.
func check(t testing.TB, nodes []Node, g *Graph) {
	t.Helper()
	at := 0
	place := map[[2]float64]bool{}
	for _, b := range g.Boxes {
		if b.From != at || b.To <= b.From {
			t.Fatalf("box %q has nodes %d to %d, want from %d", b.Title, b.From, b.To, at)
		}
		at = b.To
		for x := -0.9; x < 1; x += 0.3 {
			if place[[2]float64{b.X + x, b.Y}] {
				t.Fatalf("box %q lies on another", b.Title)
			}
		}
		place[[2]float64{b.X, b.Y}] = true
		if b.X < g.Left || b.X > g.Right || b.Y >= g.Bottom {
			t.Errorf("box %q at %v, %v is outside", b.Title, b.X, b.Y)
		}
	}
	if at != len(nodes) {
		t.Fatalf("%d nodes are in boxes, want %d", at, len(nodes))
	}
	for _, l := range g.Lines {
		if g.Boxes[l.From].Y >= g.Boxes[l.To].Y {
			t.Errorf("the line from %q to %q goes up", g.Boxes[l.From].Title, g.Boxes[l.To].Title)
		}
		for _, p := range l.Points {
			if p[0] < g.Left || p[0] > g.Right {
				t.Errorf("a corner at %v is outside %v to %v", p[0], g.Left, g.Right)
			}
		}
	}
}

func TestChain(t *testing.T) {
	nodes := chain(5, func(i int) string { return fmt.Sprint("conv", i) })
	g := Fold(nodes, nil, 60)
	g.Place()
	check(t, nodes, g)
	for i, b := range g.Boxes {
		if b.X != 0 || b.Y != float64(i) || b.Title != nodes[i].Name {
			t.Errorf("box %d is %+v", i, b)
		}
	}
}

// TestBranches: four branches of a module lie beside each other around the middle, and the line that passes three rows
// passes outside.
func TestBranches(t *testing.T) {
	nodes := []Node{{Name: "a"}}
	for i := range 4 {
		nodes = append(nodes, Node{Name: fmt.Sprint("b", i), Inputs: []string{"a"}})
	}
	nodes = append(nodes, Node{Name: "c", Inputs: []string{"b0", "b1", "b2", "b3"}}, Node{Name: "d", Inputs: []string{"c"}}, Node{Name: "sum", Inputs: []string{"d", "a"}})
	g := Fold(nodes, nil, 60)
	g.Place()
	check(t, nodes, g)
	for i, x := range []float64{0, -1.5, -0.5, 0.5, 1.5, 0, 0, 0} {
		if g.Boxes[i].X != x {
			t.Errorf("%s is at column %v, want %v", g.Boxes[i].Title, g.Boxes[i].X, x)
		}
	}
	for _, l := range g.Lines {
		if l.From == 0 && l.To == 7 {
			if x := l.Points[1][0]; x > -2 && x < 2 {
				t.Errorf("the long line passes at %v, through a branch", x)
			}
		}
	}
}

// TestFold: a deep network folds by the names of its modules; what is opened shows what is inside.
func TestFold(t *testing.T) {
	nodes := chain(96, func(i int) string {
		if i == 0 {
			return "stem"
		}
		return fmt.Sprintf("layer%d.%d.conv%d", i/25+1, i/5%5, i%5)
	})
	g := Fold(nodes, nil, 60)
	g.Place()
	check(t, nodes, g)
	if len(g.Boxes) != 21 || g.Boxes[1].Title != "layer1.0" || g.Boxes[0].Title != "stem" {
		t.Fatalf("folded to %+v", g.Boxes)
	}
	g = Fold(nodes, []string{"layer2.1"}, 60)
	g.Place()
	check(t, nodes, g)
	if len(g.Boxes) != 21+4 || g.Boxes[7].Title != "layer2.1.conv0" || g.Boxes[7].Group != "layer2.1" {
		t.Errorf("opened to %d boxes: %+v", len(g.Boxes), g.Boxes)
	}
	g = Fold(nodes, []string{"layer2", "layer2.1"}, 10) // fewer boxes: coarser, step by step
	g.Place()
	check(t, nodes, g)
	if len(g.Boxes) != 5+4+4 || g.Boxes[3].Title != "layer2.1.conv0" || g.Boxes[3].Group != "layer2.1" {
		t.Errorf("opened to %d boxes: %+v", len(g.Boxes), g.Boxes)
	}
}

// TestManyNodes: ten thousand layers without modules fold to runs, which open.
func TestManyNodes(t *testing.T) {
	nodes := chain(10_000, func(i int) string { return fmt.Sprintf("n%d", i) })
	g := Fold(nodes, nil, 60)
	g.Place()
	check(t, nodes, g)
	if len(g.Boxes) > 240 {
		t.Fatalf("%d boxes", len(g.Boxes))
	}
	g = Fold(nodes, []string{g.Boxes[3].Title}, 60)
	g.Place()
	check(t, nodes, g)
	if len(g.Boxes) < 100 {
		t.Errorf("%d boxes when one is opened", len(g.Boxes))
	}
}

// FuzzFold: no names and edges break a layout.
func FuzzFold(f *testing.F) {
	f.Add([]byte{3, 1, 4, 1, 5, 9, 2, 6}, 3)
	hostile.Fuzz(f, func(t testing.TB, seed []byte, most int) {
		if len(seed) > 300 {
			return
		}
		most = min(max(most, 1), 100)
		var nodes []Node
		for i, s := range seed {
			n := Node{Name: fmt.Sprintf("%d.%d/%d", s%3, s%7, i)}
			n.Path = n.Name
			for k := range int(s) % 4 {
				if i > 0 {
					n.Inputs = append(n.Inputs, nodes[(int(s)*(k+7))%i].Name)
				}
			}
			nodes = append(nodes, n)
		}
		g := Fold(nodes, []string{"0", "1.2"}, most)
		g.Place()
		check(t, nodes, g)
	})
}
