package viztest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// Networks are the names of the golden networks. Those that Local reports are
// in the repository, the others need the developers' shared folder.
var Networks = []string{"lenet_small", "zfnet_tiny", "resnet_tiny", "fire_tiny", "mobile_odd"}

// Case is a golden network and what is known about it. File names are relative
// to its folder and go to Floats or Ints.
type Case struct {
	Manifest
	Dir string
	Net *model.Network
}

// Manifest is a golden network's manifest.json.
type Manifest struct {
	Case        string `json:"case"`
	Description string `json:"description"`
	Model       string `json:"model"`
	Input       struct {
		Tensor string `json:"tensor"`
		File   string `json:"file"`
		Shape  []int  `json:"shape"` // [N, C, H, W]
	} `json:"input"`
	Logits      string                       `json:"logits"`
	TopClass    []int                        `json:"top_class"` // by image
	Layers      []Layer                      `json:"layers"`
	Units       map[string][]Unit            `json:"units"`       // by layer
	Projections map[string]map[string]string `json:"projections"` // rule, layer: file, [units, C, H, W]
	GradCAM     []GradCAM                    `json:"gradcam"`
	Occlusion   []Occlusion                  `json:"occlusion"`
	Margins     struct {
		Rectifier *float64 `json:"rectifier"` // closest call, relative; nil: none in the network
		Switch    *float64 `json:"switch"`
	} `json:"margins"`
	Tolerance struct {
		Activations float64 `json:"activations"`
		Projections float64 `json:"projections"`
		GradCAM     float64 `json:"gradcam"`
		Occlusion   float64 `json:"occlusion"`
	} `json:"tolerance"`
	Top9 *Top9 `json:"top9"`
}

// Layer is a node and its output for all images.
type Layer struct {
	Name     string   `json:"name"`
	Op       string   `json:"op"` // ONNX operator
	Inputs   []string `json:"inputs"`
	Shape    []int    `json:"shape"` // [N, C, H, W] or [N, F]
	File     string   `json:"file"`
	Switches string   `json:"switches"` // file, "" unless a max pool
}

// Unit is one unit of which projections are known.
type Unit struct {
	Image int     `json:"image"`
	Map   int     `json:"map"`
	Row   int     `json:"row"`
	Col   int     `json:"col"`
	Value float64 `json:"value"`
}

// At is the unit's place in the network.
func (u Unit) At(layer string) model.Unit {
	return model.Unit{Layer: layer, Channel: u.Map, Y: u.Row, X: u.Col}
}

// GradCAM is a class activation map at a layer's resolution.
type GradCAM struct {
	Layer string `json:"layer"`
	Image int    `json:"image"`
	Class int    `json:"class"`
	Shape []int  `json:"shape"`
	File  string `json:"file"`
}

// Occlusion is one occlusion experiment.
type Occlusion struct {
	Image  int       `json:"image"`
	Patch  [2]int    `json:"patch"`  // rows, columns
	Stride [2]int    `json:"stride"` // rows, columns
	Fill   []float32 `json:"fill"`   // per channel, network units
	Layer  string    `json:"layer"`
	Class  int       `json:"class"`
	Map    int       `json:"map"`
	Shape  []int     `json:"shape"` // positions: rows, columns
	Files  struct {
		Logit     string `json:"logit"`
		Prob      string `json:"prob"`
		Total     string `json:"total"`
		ArgMax    string `json:"argmax"` // int32
		PixelDrop string `json:"pixel_drop"`
	} `json:"files"`
}

// Top9 is a search for the strongest activations over some images.
type Top9 struct {
	Images string  `json:"images"` // bytes [N, C, H, W]
	Scale  float32 `json:"scale"`  // pixel to network units
	Layers map[string]struct {
		Value string `json:"value"` // [maps, 9], strongest first
		Image string `json:"image"` // int32
		Place string `json:"place"` // int32, row*Width + column
		Width int    `json:"width"`
	} `json:"layers"`
}

// GoldenDir is the folder of a golden case: in the repository's testdata or else
// in the shared folder; the test is skipped if it is in neither.
func GoldenDir(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(Root(t), "testdata", "golden", name)
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Join(Shared(t), "golden", name)
	}
	return dir
}

// Golden loads a golden network, see GoldenDir.
func Golden(t testing.TB, name string) *Case {
	t.Helper()
	dir := GoldenDir(t, name)
	c := &Case{Dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &c.Manifest); err != nil {
		t.Fatalf("%s: manifest.json: %v", dir, err)
	}
	c.Net, err = onnx.Import(filepath.Join(dir, c.Model))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Floats reads an array of floats.
func (c *Case) Floats(t testing.TB, file string) []float32 {
	t.Helper()
	a := c.array(t, file)
	if a.Float32 == nil {
		t.Fatalf("%s: %s holds integers, want floats", c.Dir, file)
	}
	return a.Float32
}

// Ints reads an array of integers (or bytes).
func (c *Case) Ints(t testing.TB, file string) []int32 {
	t.Helper()
	a := c.array(t, file)
	if a.Int32 == nil {
		t.Fatalf("%s: %s holds floats, want integers", c.Dir, file)
	}
	return a.Int32
}

func (c *Case) array(t testing.TB, file string) *npy.Array {
	t.Helper()
	a, err := npy.ReadFile(filepath.Join(c.Dir, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Images is the input, all images.
func (c *Case) Images(t testing.TB) *tensor.Tensor {
	t.Helper()
	return tensor.From(c.Floats(t, c.Input.File), c.Input.Shape...)
}

// Root is the repository's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd() // the folder of the package under test
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("viztest: no go.mod above the test's folder")
		}
		dir = up
	}
}

// Shared is the folder with data for developers that is too large for the
// repository: VIZ_SHARED, or "shared" beside the repository. The test is
// skipped if there is none.
func Shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("VIZ_SHARED")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared")
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Skipf("needs the developers' data: no folder %s (set VIZ_SHARED)", dir)
	}
	return dir
}
