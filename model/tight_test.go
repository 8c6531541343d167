package model_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// loose are networks of kinds whose boxes are larger than what matters: layers on
// arrays say that all depends on all, since they do not know which of their axes are
// rows and columns, and some networks have one in front of the layer in question.
var loose = strings.Fields(`AlongAxis Binary/div Binary/greater Binary/sub Concat/axis Constant Conv/4 Conv/array Conv/volume
	ConvTranspose/volume ConvTranspose/volume/3 CumSum CumSum/reverse GridSample GridSample/cubic GridSample/nearest Hardmax Lookup/axis Lookup/elements
	MatMul/const MatMul/first Normalize/l1 Normalize/l2 Normalize/spread Normalize/standard OneHot Pool/volume/argmax
	Pool/volume/average Pool/volume/lp Pool/volume/max Quantize/own Rearrange Reduce/argmax Reduce/l1 Reduce/l2 Reduce/logsum
	Reduce/logsumexp Reduce/max Reduce/min Reduce/prod Reduce/sumsquare Reshape Scatter Scatter/add Softmax/axis Softmax/log
	TopK TopK/places TopK/smallest Unary/NotZero Where Where/first Where/mask Where/other`)

// dilated are networks whose windows have holes, at which a border may cut them: there
// a box may hold a row or column too many.
var dilated = []string{"Conv", "Pool/average"}

// TestBoxesAreTight changes one place of the input at a time and demands that the
// boxes hold what changes and nothing more: what a place reaches, and what a unit
// sees.
func TestBoxesAreTight(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	all := kinds(rng)
	// Other readers of two values of one size, a mask and a gate of another.
	at := func(nodes ...model.Node) *model.Network {
		return &model.Network{Name: "test", Input: model.Input{Name: "in", C: 3, H: 7, W: 9}, Nodes: nodes}
	}
	square := model.Node{Name: "square", Inputs: []string{"in", "in"}, Layer: &model.Binary{Op: model.BinaryMul, A: []int{3, 7, 9}, B: []int{3, 7, 9}}}
	mask := tensor.New(3, 7, 9)
	for i := range mask.Data {
		mask.Data[i] = float32(i % 2)
	}
	all["Where/tight"] = at(square, model.Node{Name: "it", Inputs: []string{"in", "square"},
		Layer: &model.Where{M: []int{3, 7, 9}, A: []int{3, 7, 9}, B: []int{3, 7, 9}, Mask: mask}})
	all["Where/gate"] = at(model.Node{Name: "pool", Inputs: []string{"in"}, Layer: &model.GlobalAvgPool{}},
		model.Node{Name: "it", Inputs: []string{"in", "pool"}, Layer: &model.Where{M: []int{3, 7, 9}, A: []int{3, 7, 9}, B: []int{3, 1, 1}, Mask: mask}})
	all["Binary/tight"] = at(square, model.Node{Name: "it", Inputs: []string{"in", "square"}, Layer: &model.Binary{Op: model.BinarySub, A: []int{3, 7, 9}, B: []int{3, 7, 9}}})
	for _, name := range slices.Sorted(maps.Keys(all)) {
		net := all[name]
		shapes, err := net.Shapes()
		if err != nil {
			t.Fatal(err)
		}
		s, in := shapes["it"], shapes["in"]
		if s.Flat {
			continue
		}
		reached, seen := dependencies(t, engine, net, s, in)
		wrong := 0
		for i, want := range reached {
			boxes, err := net.BottomUpBoxes(shapes, place(i, in))
			if err != nil {
				t.Fatal(err)
			}
			if got := boxes["it"]; got != want {
				if wrong++; !slices.Contains(loose, name) {
					t.Fatalf("%s: the input at %v reaches %v, its box is %v", name, place(i, in), want, got)
				}
			}
		}
		for i, want := range seen {
			got, err := net.ReceptiveBox("it", place(i, s))
			if err != nil {
				t.Fatal(err)
			}
			if cut := got.Y0 == 0 || got.X0 == 0 || got.Y1 == in.H || got.X1 == in.W; cut && slices.Contains(dilated, name) && got.Union(want) == got {
				continue
			}
			if got != want {
				if wrong++; !slices.Contains(loose, name) {
					t.Fatalf("%s: the unit at %v sees %v, its box is %v", name, place(i, s), want, got)
				}
			}
		}
		if wrong == 0 && slices.Contains(loose, name) {
			t.Errorf("%s: the boxes are tight", name)
		}
	}
}

// place is the box of place i of a map.
func place(i int, s model.Shape) model.Box {
	return model.Box{Y0: i / s.W, X0: i % s.W, Y1: i/s.W + 1, X1: i%s.W + 1}
}

// dependencies are, for every place of the input, the smallest box of the layer's
// places that it changes, and for each of these the smallest box of what changes it.
func dependencies(t *testing.T, engine *model.Engine, net *model.Network, s, in model.Shape) (reached, seen []model.Box) {
	rng := rand.New(rand.NewPCG(7, 7))
	places := in.H * in.W
	reached, seen = make([]model.Box, places), make([]model.Box, s.H*s.W)
	for range 8 {
		x := randomTensor(rng, 1+places, in.C, in.H, in.W)
		for i := range places { // image 1+i differs from image 0 in place i only
			image := x.Data[(1+i)*in.Len():][:in.Len()]
			own := slices.Clone(image)
			copy(image, x.Data[:in.Len()])
			for c := range in.C {
				image[c*places+i] = 2 * own[c*places+i]
			}
		}
		trace, err := engine.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		values := trace.Value("it").Data
		for i := range places {
			for j, v := range values[(1+i)*s.Len():][:s.Len()] {
				if v != values[j] {
					at := j % (s.H * s.W)
					reached[i], seen[at] = reached[i].Union(place(at, s)), seen[at].Union(place(i, in))
				}
			}
		}
	}
	return reached, seen
}
