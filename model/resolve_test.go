package model

import (
	"fmt"
	"strings"
	"testing"
)

func small(t *testing.T) *Network {
	t.Helper()
	net, err := Build("small", ArchOptions{Input: Input{C: 3, H: 32, W: 32}, Classes: []string{"cat", "dog", "Egyptian cat"}, Width: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// TestResolve: layers by paper number, name, suffix; misses suggest the nearest.
func TestResolve(t *testing.T) {
	net := small(t)
	for _, c := range []struct{ spec, want, err string }{
		{"1", "relu1", ""}, // through the batch norm
		{"5", "relu5", ""},
		{"conv2", "conv2", ""},
		{"rop", "drop", ""}, // only suffix
		{"0", "", "no layer 0: the network has 5 convolution layers, 1 to 5"},
		{"6", "", "no layer 6: the network has 5 convolution layers, 1 to 5"},
		{"rel2", "", `no layer "rel2": did you mean relu2, relu1, relu3?`},
		{"", "", `no layer ""`},
	} {
		got, err := net.Resolve(c.spec)
		if got != c.want || (err != nil || c.err != "") && fmt.Sprint(err) != c.err {
			t.Errorf("Resolve(%q) = %q, %v; want %q, %s", c.spec, got, err, c.want, c.err)
		}
	}
	// Without a rectifier directly after it, a convolution stands for itself.
	net.Nodes = []Node{net.Nodes[0], {Name: "pool", Inputs: []string{"conv1"}, Layer: &Pool{Op: PoolMax, Kernel: []int{2, 2}, Stride: []int{2, 2}, Dilation: []int{1, 1}}},
		{Name: "relu", Inputs: []string{"pool"}, Layer: &ReLU{}}}
	if got := fmt.Sprint(net.ConvLayers()); got != "[conv1]" {
		t.Errorf("ConvLayers = %v, want [conv1]", got)
	}
}

func TestParseUnit(t *testing.T) {
	net := small(t)
	for _, c := range []struct{ spec, want, err string }{
		{"relu2:1:2:3", "relu2:1:2:3", ""},
		{"2:1:2:3", "relu2:1:2:3", ""},
		{"fc1:4", "fc1:4:0:0", ""},
		{"relu2:1", ":0:0:0", `unit "relu2:1": layer relu2 is 6x16x16, say where: relu2:1:y:x`},
		{"relu2:99:0:0", "relu2:99:0:0", "unit relu2:99:0:0 is outside layer relu2, which is 6x16x16"},
		{"relu2", ":0:0:0", `unit "relu2": want layer:channel:y:x, or layer:channel for a layer without space`},
		{"relu2:a:b:c", ":0:0:0", `unit "relu2:a:b:c": want layer:channel:y:x, or layer:channel for a layer without space`},
	} {
		got, err := net.ParseUnit(c.spec)
		if got.String() != c.want || (err != nil || c.err != "") && fmt.Sprint(err) != c.err {
			t.Errorf("ParseUnit(%q) = %v, %v; want %s, %s", c.spec, got, err, c.want, c.err)
		}
	}
}

func TestResolveClass(t *testing.T) {
	net := small(t)
	for spec, want := range map[string]int{"cat": 0, "dog": 1, "1": 1, "egypt": 2} {
		if got, err := net.ResolveClass(spec); err != nil || got != want {
			t.Errorf("ResolveClass(%q) = %d, %v; want %d", spec, got, err, want)
		}
	}
	if _, err := net.ResolveClass("dgo"); fmt.Sprint(err) != `no class "dgo": did you mean dog?` {
		t.Error(err)
	}
	if _, err := net.ResolveClass("3"); fmt.Sprint(err) != "no class 3: the network has 3 classes, 0 to 2" {
		t.Error(err)
	}
	net.Classes = []string{"crane", "tabby, cat", "crane"}
	if _, err := net.ResolveClass("crane"); fmt.Sprint(err) != `class "crane" fits 2 classes, give the number of one: 0 crane; 2 crane` {
		t.Error(err)
	}
	net.Classes = []string{"dogfish", "Dog, hound", "sea cat, catfish"}
	for spec, want := range map[string]int{"dog": 1, "Catfish": 2, "hou": 1} {
		if got, err := net.ResolveClass(spec); err != nil || got != want {
			t.Errorf("ResolveClass(%q) = %d, %v; want %d", spec, got, err, want)
		}
	}
	if _, err := net.ResolveClass("Fish"); fmt.Sprint(err) != `class "Fish" fits 2 classes, give the number of one: 0 dogfish; 2 sea cat, catfish` {
		t.Error(err)
	}
	net.Classes = nil
	if _, err := net.ResolveClass("cat"); !strings.Contains(fmt.Sprint(err), `no class "cat": the network's classes have no names`) {
		t.Error(err)
	}
	net.Logits = ""
	if _, err := net.ResolveClass("0"); fmt.Sprint(err) != `no class "0": the network is no classifier` {
		t.Error(err)
	}
}
