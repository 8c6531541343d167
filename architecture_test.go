package viz

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed lists, for each package, which packages of this module its code (not
// its tests) may import. ARCHITECTURE.md draws the same arrows.
var allowed = map[string][]string{
	"":                               {},
	"model/tensor":                   {},
	"internal/par":                   {},
	"internal/kernel":                {"internal/par"},
	"internal/imageio":               {},
	"internal/classes":               {},
	"internal/pickle":                {},
	"internal/npy":                   {"internal/imageio"},
	"internal/render":                {},
	"internal/dataset":               {"internal/imageio", "internal/npy", "internal/pickle"},
	"model":                          {"model/tensor", "internal/kernel", "internal/imageio", "internal/par", "internal/pickle"},
	"model/builtin":                  {"model"},
	"model/onnx":                     {"model", "model/tensor", "internal/imageio"},
	"model/train":                    {"model", "model/tensor", "internal/kernel"},
	"model/open":                     {"model", "internal/classes", "model/builtin", "model/onnx", "internal/imageio", "internal/npy"},
	"images":                         {"model", "internal/classes", "model/tensor", "internal/dataset", "internal/imageio", "internal/npy"},
	"sweep":                          {"images", "model", "model/tensor", "model/train", "experiments", "view", "internal/imageio", "internal/lockfile", "internal/page", "internal/render"},
	"internal/lockfile":              {},
	"view":                           {"images", "model", "model/tensor", "deconv", "attribution", "attribution/faith", "occlusion", "features", "maximize", "experiments", "internal/page", "internal/render"},
	"internal/graph":                 {},
	"internal/web":                   {"attribution", "deconv", "features", "images", "internal/classes", "internal/graph", "internal/imageio", "internal/npy", "internal/render", "model", "occlusion", "view"},
	"internal/bench":                 {"model", "model/tensor", "model/train", "deconv", "features", "occlusion", "internal/kernel"},
	"internal/page":                  {"internal/render"},
	"model/backward":                 {"model", "model/tensor", "internal/kernel"},
	"deconv":                         {"model", "model/backward", "model/tensor", "internal/render"},
	"attribution/faith":              {"model", "model/tensor"},
	"attribution":                    {"model", "model/backward", "model/tensor", "occlusion", "internal/render"},
	"occlusion":                      {"model", "model/tensor", "occlusion/internal/incremental", "internal/kernel", "internal/render"},
	"occlusion/internal/incremental": {"model", "model/tensor", "internal/kernel"},
	"features":                       {"model", "model/tensor", "internal/kernel"},
	"internal/viztest":               {"model", "model/tensor", "model/onnx", "internal/npy"},
	"experiments":                    {"model", "model/tensor", "deconv", "features"},
	"maximize":                       {"model", "model/backward", "model/tensor", "internal/kernel"},
	"cmd/viz":                        {"*"},
	"internal/cmdline": {"features", "images", "internal/classes", "internal/dataset", "internal/imageio", "internal/lockfile", "internal/npy", "model", "model/builtin", "model/onnx", "model/open", "model/tensor",
		"occlusion", "sweep", "view"},
	"docs/results": {},
}

const module = "github.com/deconvnet/viz"

// TestArrows holds every package to the imports it is allowed, and gorgonia to
// model/train.
func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(strings.TrimPrefix(fields[0], module), "/")
		seen[name] = true
		may, known := allowed[name]
		if !known {
			t.Errorf("package %q is not in the table of arrows: add it here and to ARCHITECTURE.md", name)
			continue
		}
		for _, imp := range fields[1:] {
			if strings.HasPrefix(imp, "gorgonia.org/") && name != "model/train" {
				t.Errorf("%s imports %s: only model/train may", name, imp)
			}
			of, ours := strings.CutPrefix(imp, module+"/")
			if ours && of == "cmd/viz" {
				t.Errorf("%s imports the command", name)
			}
			if ours && !slices.Contains(may, of) && !slices.Contains(may, "*") {
				t.Errorf("%s imports %s, which its arrows do not allow", name, of)
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("package %q is in the table of arrows but does not exist", name)
		}
	}
}

// TestPackageDocs asks every package for a comment that says what it is.
func TestPackageDocs(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{.Doc}}`, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if name, doc, _ := strings.Cut(line, "|"); strings.TrimSpace(doc) == "" {
			t.Errorf("package %s has no package comment", name)
		}
	}
}
