package model_test

import (
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/model"
)

// conv is a convolution of random weights.
func conv(rng *rand.Rand, out, in, size, stride int, pads ...int) *model.Conv {
	l := &model.Conv{Weight: randomTensor(rng, out, in, size, size), Stride: []int{stride, stride}, Dilation: []int{1, 1}, Groups: 1}
	if pads != nil {
		l.Pads = pads
	}
	return l
}

// asymmetric has branches that see different places: up to the left, and down to the right.
func asymmetric() *model.Network {
	rng := rand.New(rand.NewPCG(1, 2))
	return &model.Network{Name: "asymmetric", Input: model.Input{Name: "in", C: 3, H: 32, W: 32}, Nodes: []model.Node{
		{Name: "a", Inputs: []string{"in"}, Layer: conv(rng, 4, 3, 3, 1, 0, 0, 2, 2)},
		{Name: "b", Inputs: []string{"in"}, Layer: conv(rng, 4, 3, 3, 1, 2, 2, 0, 0)},
		{Name: "sum", Inputs: []string{"a", "b"}, Layer: &model.Add{}},
		{Name: "relu", Inputs: []string{"sum"}, Layer: &model.ReLU{}}}}
}

func summary(t *testing.T, net *model.Network) map[string]model.LayerSummary {
	t.Helper()
	layers, err := net.Summary()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]model.LayerSummary{}
	for _, l := range layers {
		by[l.Name] = l
	}
	return by
}

func TestFieldOfBranches(t *testing.T) {
	got := summary(t, asymmetric())
	for name, want := range map[string]int{"a": 3, "b": 3, "sum": 5, "relu": 5} {
		if got[name].Field != [2]int{want, want} || got[name].Stride != [2]int{1, 1} {
			t.Errorf("%s sees %v at stride %v, want %d at 1", name, got[name].Field, got[name].Stride, want)
		}
	}
}

// The receptive fields of VGG-16 and AlexNet are those of the literature.
func TestFieldOfKnown(t *testing.T) {
	in := model.Input{Name: "in", C: 3, H: 64, W: 64}
	rng := rand.New(rand.NewPCG(1, 2))
	net := &model.Network{Name: "deep", Input: in}
	at, c := "in", 3
	add := func(name string, l model.Layer) {
		net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: []string{at}, Layer: l})
		at = name
	}
	for block, n := range []int{2, 2, 3, 3, 3} {
		for i := range n {
			add("conv"+string(rune('1'+block))+"_"+string(rune('1'+i)), conv(rng, 1, c, 3, 1, 1, 1, 1, 1))
			c = 1
		}
		add("pool"+string(rune('1'+block)), &model.Pool{Op: model.PoolMax, Kernel: []int{2, 2}, Stride: []int{2, 2}, Dilation: []int{1, 1}})
	}
	add("average", &model.GlobalAvgPool{})
	add("after", &model.ReLU{})
	got := summary(t, net)
	for name, want := range map[string][2]int{"conv1_1": {3, 1}, "pool1": {6, 2}, "conv3_3": {40, 4}, "conv5_3": {196, 16}, "pool5": {212, 32}, "average": {}, "after": {}} {
		if g := got[name]; g.Field != [2]int{want[0], want[0]} || g.Stride != [2]int{want[1], want[1]} {
			t.Errorf("%s sees %v at stride %v, want %d at %d", name, g.Field, g.Stride, want[0], want[1])
		}
	}
}

// The units of a transposed convolution see fields of different sizes.
func TestFieldOfTranspose(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	up := &model.ConvTranspose{Weight: randomTensor(rng, 4, 2, 3, 3), Stride: []int{2, 2}, Dilation: []int{1, 1}, Pads: []int{1, 1, 0, 0}, Groups: 1}
	net := &model.Network{Name: "up", Input: model.Input{Name: "in", C: 3, H: 32, W: 32}, Nodes: []model.Node{
		{Name: "down", Inputs: []string{"in"}, Layer: conv(rng, 4, 3, 4, 4)},
		{Name: "up", Inputs: []string{"down"}, Layer: up}}}
	g := summary(t, net)["up"]
	if g.Field != [2]int{8, 8} || g.Stride != [2]int{2, 2} {
		t.Errorf("up sees %v at stride %v, want 8 at 2", g.Field, g.Stride)
	}
}

// What a unit sees is what it would see without borders, clipped; and the size
// is the most that any unit sees.
func TestFieldsAgreeWithBoxes(t *testing.T) {
	nets := kinds(rand.New(rand.NewPCG(5, 6)))
	nets["asymmetric"] = asymmetric()
	for kind, net := range nets {
		shapes, err := net.Shapes()
		if err != nil {
			t.Fatal(err)
		}
		fields, err := net.Fields(shapes)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range net.Nodes {
			s := shapes[n.Name]
			size, _ := fields.Size(n.Name)
			for i := range s.H * s.W {
				y, x := i/s.W, i%s.W
				clipped, err := net.ReceptiveBox(n.Name, model.Box{Y0: y, X0: x, Y1: y + 1, X1: x + 1})
				if err != nil {
					t.Fatal(err)
				}
				open, ok := fields.Box(n.Name, y, x)
				switch {
				case !ok && size != [2]int{}:
					t.Fatalf("%s: %s sees everything, its field is %v", kind, n.Name, size)
				case !ok:
				case !open.Contains(clipped) || clipped.H() > size[0] || clipped.W() > size[1]:
					t.Fatalf("%s: unit %d,%d of %s sees %v, without borders %v, at most %v", kind, y, x, n.Name, clipped, open, size)
				case len(net.Nodes) == 1 && clipped != open.Intersect(net.Input.Shape().Box()):
					t.Fatalf("%s: unit %d,%d of %s sees %v, without borders %v", kind, y, x, n.Name, clipped, open)
				}
			}
		}
	}
}
