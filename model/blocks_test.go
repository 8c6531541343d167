package model_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
)

// grow builds networks of the usual families, small: each call adds a layer that
// reads the last one, or the ones named.
type grow struct {
	net *model.Network
	rng *rand.Rand
	at  string
}

func seed(size int) *grow {
	return &grow{&model.Network{Name: "test", Input: model.Input{Name: "in", C: 3, H: size, W: size}}, rand.New(rand.NewPCG(1, 2)), "in"}
}

func (g *grow) add(name string, l model.Layer, from ...string) string {
	if from == nil {
		from = []string{g.at}
	}
	g.net.Nodes = append(g.net.Nodes, model.Node{Name: name, Inputs: from, Layer: l})
	g.at = name
	return name
}

func (g *grow) shape(name string) model.Shape {
	s, err := g.net.Shapes()
	if err != nil {
		panic(err)
	}
	return s[name]
}

func (g *grow) conv(name string, out, size, stride int, from ...string) string {
	if from == nil {
		from = []string{g.at}
	}
	p := size / 2
	return g.add(name, conv(g.rng, out, g.shape(from[0]).C, size, stride, p, p, p, p), from...)
}

func (g *grow) norm(name string, from ...string) string {
	if from == nil {
		from = []string{g.at}
	}
	c := g.shape(from[0]).C
	v := make([]float32, c)
	for i := range v {
		v[i] = 1
	}
	return g.add(name, &model.BatchNorm{Scale: v, Shift: make([]float32, c), Mean: make([]float32, c), Var: v, Eps: 1e-5}, from...)
}

func (g *grow) relu(name string, from ...string) string { return g.add(name, &model.ReLU{}, from...) }

// head is a global pool and a linear classifier.
func (g *grow) head(classes int) *model.Network {
	g.add("pool", &model.GlobalAvgPool{})
	g.add("flat", &model.Reshape{})
	return g.dense(classes)
}

func (g *grow) dense(classes int) *model.Network {
	g.add("fc", &model.Dense{Weight: randomTensor(g.rng, classes, g.shape(g.at).C)})
	g.net.Logits = "fc"
	g.add("prob", &model.Softmax{})
	return g.net
}

var halve = &model.Pool{Op: model.PoolMax, Kernel: []int{2, 2}, Stride: []int{2, 2}, Dilation: []int{1, 1}}

func resnet() *model.Network {
	g := seed(16)
	g.conv("stem", 4, 3, 1)
	x := g.relu("stemrelu")
	for i := range 2 {
		p := fmt.Sprintf("b%d.", i)
		g.conv(p+"conv1", 6, 3, 2, x)
		g.relu(p + "relu1")
		y := g.conv(p+"conv2", 6, 3, 1)
		s := g.conv(p+"short", 6, 1, 2, x)
		g.add(p+"add", &model.Add{}, y, s)
		x = g.relu(p + "out")
	}
	return g.head(5)
}

func preact() *model.Network {
	g := seed(16)
	x := g.conv("stem", 4, 3, 1)
	for i := range 2 {
		p := fmt.Sprintf("b%d.", i)
		g.norm(p+"bn", x)
		g.relu(p + "relu")
		y := g.conv(p+"conv", 4, 3, 1)
		x = g.add(p+"add", &model.Add{}, y, x)
	}
	g.norm("endbn")
	g.relu("endrelu")
	return g.head(5)
}

func densenet() *model.Network {
	g := seed(16)
	x := g.conv("stem", 4, 3, 1)
	for i := range 3 {
		p := fmt.Sprintf("d%d.", i)
		g.norm(p+"bn", x)
		g.relu(p + "relu")
		y := g.conv(p+"conv", 3, 3, 1)
		x = g.add(p+"cat", &model.Concat{}, x, y)
	}
	g.norm("norm5")
	g.relu("relu5")
	return g.head(5)
}

func mobilenet() *model.Network {
	g := seed(16)
	x := g.conv("stem", 4, 3, 1)
	g.conv("expand", 8, 1, 1)
	g.add("clip1", &model.Clip{Min: 0, Max: 6})
	y := g.conv("project", 4, 1, 1)
	g.add("add", &model.Add{}, x, y)
	g.conv("last", 12, 1, 1)
	g.add("clip", &model.Clip{Min: 0, Max: 6})
	return g.head(5)
}

// squeezenet ends in a map for each class.
func squeezenet(rectified bool) *model.Network {
	g := seed(16)
	g.conv("squeeze", 3, 1, 1)
	s := g.relu("s")
	g.conv("e1", 4, 1, 1, s)
	a := g.relu("a")
	g.conv("e3", 4, 3, 1, s)
	b := g.relu("b")
	g.add("fire", &model.Concat{}, a, b)
	g.add("drop", &model.Dropout{Rate: 0.5})
	g.conv("classifier", 5, 1, 1)
	if rectified {
		g.relu("crelu")
	}
	g.add("pool", &model.GlobalAvgPool{})
	g.net.Logits = g.add("flat", &model.Reshape{})
	g.add("prob", &model.Softmax{})
	return g.net
}

func googlenet() *model.Network {
	g := seed(16)
	x := g.conv("stem", 4, 3, 2)
	var arms []string
	for i, size := range []int{1, 3, 5} {
		g.conv(fmt.Sprint("c", i), 3, size, 1, x)
		arms = append(arms, g.relu(fmt.Sprint("r", i)))
	}
	g.add("cat", &model.Concat{}, arms...)
	return g.head(5)
}

func efficientnet() *model.Network {
	g := seed(16)
	x := g.conv("stem", 4, 3, 2)
	g.add("squeeze", &model.GlobalAvgPool{})
	g.conv("se", 4, 1, 1)
	s := g.add("gate", &model.Unary{Op: "Sigmoid"})
	g.add("scaled", &model.Binary{Op: "Mul", A: []int{4, 8, 8}, B: []int{4, 1, 1}}, x, s)
	y := g.conv("project", 4, 1, 1)
	g.add("add", &model.Add{}, x, y)
	g.conv("top", 7, 1, 1)
	g.norm("topbn")
	g.add("swish", &model.Unary{Op: "Swish", Alpha: 1})
	return g.head(5)
}

func convnext() *model.Network {
	g := seed(16)
	x := g.conv("stem", 4, 4, 4)
	g.conv("dw", 4, 7, 1)
	g.add("gelu", &model.Unary{Op: "Gelu"})
	y := g.conv("pw", 4, 1, 1)
	g.add("add", &model.Add{}, x, y)
	return g.head(5)
}

// vgg ends in a pool; normed puts a normalisation behind the last rectifier.
func vgg(normed bool) *model.Network {
	g := seed(16)
	g.conv("conv1", 4, 3, 1)
	g.relu("relu1")
	g.add("pool1", halve)
	g.conv("conv2", 6, 3, 1)
	g.relu("relu2")
	if normed {
		g.norm("bn2")
	}
	g.add("pool2", halve)
	g.add("flat", &model.Reshape{})
	return g.dense(5)
}

func TestLastSpatial(t *testing.T) {
	noScores := vgg(false)
	noScores.Logits = ""
	for _, c := range []struct {
		name string
		net  *model.Network
		want string
	}{
		{"ResNet", resnet(), "b1.out"}, {"ResNet of pre-activations", preact(), "endrelu"}, {"DenseNet", densenet(), "relu5"},
		{"MobileNetV2", mobilenet(), "clip"}, {"SqueezeNet", squeezenet(true), "fire"}, {"maps of classes", squeezenet(false), "fire"},
		{"GoogLeNet", googlenet(), "cat"}, {"EfficientNet", efficientnet(), "swish"}, {"ConvNeXt", convnext(), "add"},
		{"VGG", vgg(false), "relu2"}, {"VGG, normalised", vgg(true), "relu2"}, {"no scores", noScores, "relu2"},
	} {
		if err := c.net.Check(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := c.net.LastSpatial(); got != c.want {
			t.Errorf("%s: the last maps are %q, want %q", c.name, got, c.want)
		}
	}
	g := seed(1)
	g.add("flat", &model.Reshape{})
	if got := g.dense(5).LastSpatial(); got != "" {
		t.Errorf("a network without maps has the last maps %q", got)
	}
	if _, err := g.net.LastFeatures(); err == nil {
		t.Error("a network without maps has features")
	}
}

func TestBlocks(t *testing.T) {
	for want, net := range map[string]*model.Network{
		"b0.out b1.out": resnet(), "b0.add endrelu": preact(), "d0.cat d1.cat relu5": densenet(), "add": mobilenet(), "fire": squeezenet(true), "cat": googlenet(), "": vgg(true),
	} {
		if got := strings.Join(net.Blocks(), " "); got != want {
			t.Errorf("blocks %q, want %q", got, want)
		}
	}
	net := resnet()
	if got, err := net.Resolve("block2"); err != nil || got != "b1.out" {
		t.Errorf("block2 is %q, %v", got, err)
	}
	if _, err := net.Resolve("block3"); err == nil || !strings.Contains(err.Error(), "has 2 blocks") {
		t.Errorf("block3: %v", err)
	}
	if got, err := net.Resolve("3"); err != nil || got != "b0.conv2" { // the convolution keeps its number
		t.Errorf("3 is %q, %v", got, err)
	}
	if got, err := net.ResolveLayers("block1, 1,block1"); err != nil || !slices.Equal(got, []string{"b0.out", "stemrelu"}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := net.ResolveLayers("all"); err != nil || len(got) != 8 || got[7] != "b1.out" {
		t.Errorf("%v, %v", got, err)
	}
	s := summary(t, net)
	if s["b1.out"].Block != 2 || !s["b1.out"].Last || s["b0.out"].Last || s["b1.add"].Block != 0 {
		t.Errorf("the summary says %+v, %+v", s["b0.out"], s["b1.out"])
	}
}
