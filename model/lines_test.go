package model

import "testing"

// TestLinesAgreeWithNodes: what units see by a rule is what they see by going through all nodes, for networks with strides,
// branches, pools and constants.
func TestLinesAgreeWithNodes(t *testing.T) {
	rules := 0
	for _, a := range []string{"squeezenet1_1", "resnet18", "googlenet"} {
		net, _, err := buildZoo(a, nil, [2]int{})
		if err != nil {
			t.Fatal(err)
		}
		shapes, err := net.Shapes()
		if err != nil {
			t.Fatal(err)
		}
		f, err := net.Fields(shapes)
		if err != nil {
			t.Fatal(err)
		}
		for at, l := range f.lines {
			if !l.known || f.whole[at] {
				continue
			}
			rules++
			for _, u := range [][2]int{{0, 0}, {3, 5}, {-7, 2}} {
				if got, want := l.box(u[0], u[1]), f.boxByNodes(at, u[0], u[1]); got != want {
					t.Fatalf("%s: unit %v of node %d: %v by the rule, %v by nodes", a, u, at, got, want)
				}
			}
		}
	}
	if rules < 100 {
		t.Errorf("%d nodes have a rule", rules)
	}
}
