package viz

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allowed lists, for each package, which packages of this module its code (not
// its tests) may import. ARCHITECTURE.md draws the same arrows.
var allowed = map[string][]string{
	"":                               {},
	"model/tensor":                   {"internal/pages", "internal/exact"},
	"internal/pages":                 {},
	"internal/exact":                 {},
	"internal/par":                   {},
	"internal/kernel":                {"internal/pages", "internal/par", "model/tensor", "internal/exact"},
	"internal/imageio":               {"internal/exact"},
	"internal/classes":               {},
	"internal/pickle":                {},
	"internal/npy":                   {"internal/imageio"},
	"internal/render":                {"internal/exact"},
	"internal/dataset":               {"internal/imageio", "internal/npy", "internal/pickle", "internal/exact"},
	"model":                          {"model/tensor", "internal/kernel", "internal/imageio", "internal/pages", "internal/par", "internal/pickle", "internal/exact"},
	"model/builtin":                  {"model"},
	"model/onnx":                     {"model", "model/tensor", "internal/imageio", "internal/pages", "internal/exact"},
	"model/train":                    {"model", "model/tensor", "internal/kernel", "internal/exact"},
	"model/open":                     {"model", "internal/classes", "model/builtin", "model/onnx", "internal/imageio", "internal/npy"},
	"images":                         {"model", "internal/classes", "model/tensor", "internal/dataset", "internal/imageio", "internal/npy"},
	"sweep":                          {"images", "model", "model/tensor", "model/train", "experiments", "view", "internal/imageio", "internal/lockfile", "internal/page", "internal/render", "internal/exact"},
	"internal/lockfile":              {},
	"view":                           {"images", "model", "model/tensor", "deconv", "attribution", "attribution/faith", "occlusion", "features", "maximize", "experiments", "internal/imageio", "internal/page", "internal/render", "internal/exact"},
	"internal/graph":                 {},
	"internal/web":                   {"attribution", "deconv", "features", "images", "internal/classes", "internal/graph", "internal/imageio", "internal/npy", "internal/render", "model", "occlusion", "view"},
	"internal/licences":              {},
	"internal/campaign":              {"features", "internal/campaign/calls", "internal/dataset", "internal/npy", "model/open"},
	"internal/campaign/calls":        {},
	"internal/campaign/kill":         {"internal/campaign"},
	"internal/campaign/faults":       {"internal/campaign", "internal/campaign/calls"},
	"internal/campaign/power":        {"internal/campaign", "internal/campaign/calls"},
	"internal/campaign/bombs":        {"internal/campaign"},
	"internal/campaign/fuzz":         {"internal/hostile", "internal/imageio"},
	"internal/hostile":               {},
	"internal/campaign/bits":         {"internal/campaign", "internal/kernel", "internal/npy"},
	"internal/campaign/names":        {"internal/campaign", "internal/imageio", "model", "model/onnx"},
	"internal/campaign/numbers":      {"internal/campaign", "internal/npy", "model"},
	"internal/campaign/concurrent":   {},
	"internal/campaign/memory":       {"internal/campaign", "attribution", "images", "model", "model/tensor"},
	"internal/bench":                 {"model", "model/tensor", "model/train", "deconv", "features", "occlusion", "internal/kernel", "internal/par"},
	"internal/bench/tables":          {},
	"internal/page":                  {"internal/render"},
	"model/backward":                 {"model", "model/tensor", "internal/kernel", "internal/par", "internal/exact"},
	"deconv":                         {"attribution", "model", "model/backward", "model/tensor", "internal/render"},
	"attribution/faith":              {"model", "model/tensor", "internal/exact"},
	"attribution":                    {"model", "model/backward", "model/tensor", "occlusion", "internal/render", "internal/exact"},
	"occlusion":                      {"model", "model/tensor", "occlusion/internal/incremental", "internal/kernel", "internal/render", "internal/exact"},
	"occlusion/internal/incremental": {"model", "model/tensor", "internal/kernel"},
	"features":                       {"model", "model/tensor", "internal/kernel"},
	"internal/viztest":               {"model", "model/tensor", "model/onnx", "internal/npy"},
	"experiments":                    {"model", "model/tensor", "deconv", "features", "internal/kernel", "internal/exact"},
	"maximize":                       {"model", "model/backward", "model/tensor", "internal/kernel", "internal/exact"},
	"cmd/viz":                        {"*"},
	"internal/cmdline": {"features", "images", "internal/classes", "internal/dataset", "internal/imageio", "internal/kernel", "internal/lockfile", "internal/npy", "model", "model/builtin", "model/onnx", "model/open", "model/tensor",
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

// TestSameBits: functions of packages math and rand whose last bits depend on the processor are called in tests only; those of
// internal/exact stand in for them.
func TestSameBits(t *testing.T) {
	depends := regexp.MustCompile(`\bmath\.(Acosh?|Asinh?|Atan[2h]?|Cbrt|Cosh?|Erf(c|inv|cinv)?|Exp2?|Expm1|Gamma|Hypot|Lgamma|Log(10|1p|2)?|Pow|Sin(h|cos)?|Tanh?)\b|\.(Norm|Exp)Float64\b`)
	for name := range allowed {
		if name == "internal/exact" || strings.HasPrefix(name, "internal/campaign") {
			continue
		}
		files, err := filepath.Glob(filepath.Join(name, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if found := depends.Find(text); found != nil && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s calls %s: want that of internal/exact", file, found)
			}
		}
	}
}

// longest is how many lines a function may have, and long are those that have more.
const longest = 80

var long = map[string]string{
	"internal/kernel.multiplyChunk": "a loop that keeps a dozen numbers at hand, for speed",
	"internal/kernel.LaneDense":     "the same",
}

// TestShortFunctions holds functions outside tests and generators to what is read on
// one screen.
func TestShortFunctions(t *testing.T) {
	left := maps.Clone(long)
	for name := range allowed {
		set := token.NewFileSet()
		pkgs, err := parser.ParseDir(set, filepath.Join(".", name), func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, pkg := range pkgs {
			for _, file := range pkg.Files {
				for _, d := range file.Decls {
					f, ok := d.(*ast.FuncDecl)
					if !ok {
						continue
					}
					of := name + "." + f.Name.Name
					lines := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1
					if lines > longest {
						delete(left, of)
					}
					if lines > longest && long[of] == "" {
						t.Errorf("%s: %s has %d lines, want at most %d", set.Position(f.Pos()), of, lines, longest)
					}
				}
			}
		}
	}
	for of := range left {
		t.Errorf("%s need not be among the long ones", of)
	}
}

// TestPackageDocs asks every package for a comment that says what it is, and those
// that other programs may import for a few lines of code that use it.
func TestPackageDocs(t *testing.T) {
	for name := range allowed {
		pkgs, err := parser.ParseDir(token.NewFileSet(), filepath.Join(".", name), func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, pkg := range pkgs {
			doc := ""
			for _, file := range pkg.Files {
				doc += file.Doc.Text()
			}
			if doc == "" {
				t.Errorf("package %q has no package comment", name)
			}
			if isPublic(name) && !strings.Contains(doc, "\n\t") {
				t.Errorf("the comment of package %q shows no code", name)
			}
		}
	}
}

// isPublic reports whether other programs may import a package.
func isPublic(name string) bool {
	return name != "" && !strings.Contains(name, "internal") && !strings.HasPrefix(name, "cmd/") && name != "docs/results"
}

// hidden are exported names that mention types of internal packages for now.
var hidden = map[string]string{
	"images.FromData":     "data sets are not public yet",
	"images.List.Matched": "nor is the matching of their classes",
	"images.Problem":      "an alias, to be a type of its own",
	"view.Colors":         "palettes are not public yet",
	"view.LayerMaps":      "the same",
}

// What a public package exports can be named by those who import it: no type of an
// internal package is in the signature of a function, in a field or behind a name.
func TestNoInternalTypes(t *testing.T) {
	for name := range allowed {
		if !isPublic(name) {
			continue
		}
		set := token.NewFileSet()
		pkgs, err := parser.ParseDir(set, name, func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, pkg := range pkgs {
			for _, file := range pkg.Files {
				for _, d := range file.Decls {
					for _, of := range mentions(d, internalImports(file)) {
						if full := path.Base(name) + "." + of; hidden[full] == "" {
							t.Errorf("%s: %s mentions a type of an internal package", set.Position(d.Pos()), full)
						}
					}
				}
			}
		}
	}
}

// internalImports are the names by which a file knows internal packages.
func internalImports(file *ast.File) map[string]bool {
	out := map[string]bool{}
	for _, imp := range file.Imports {
		p := strings.Trim(imp.Path.Value, "\"")
		if strings.HasPrefix(p, module) && strings.Contains(p, "/internal/") {
			if imp.Name != nil {
				out[imp.Name.Name] = true
			}
			out[path.Base(p)] = true
		}
	}
	return out
}

// mentions lists the exported names of a declaration whose types mention a package.
func mentions(d ast.Decl, packages map[string]bool) (out []string) {
	check := func(name string, n ast.Node) {
		found := false
		ast.Inspect(n, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok && len(f.Names) > 0 && !slices.ContainsFunc(f.Names, (*ast.Ident).IsExported) {
				return false
			}
			if s, ok := n.(*ast.SelectorExpr); ok {
				x, ok := s.X.(*ast.Ident)
				found = found || ok && packages[x.Name]
			}
			return true
		})
		if found {
			out = append(out, name)
		}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			of := d.Recv.List[0].Type
			if star, ok := of.(*ast.StarExpr); ok {
				of = star.X
			}
			if id, ok := of.(*ast.Ident); !ok || !id.IsExported() {
				return nil
			} else {
				name = id.Name + "." + name
			}
		}
		if d.Name.IsExported() {
			for _, list := range []*ast.FieldList{d.Type.Params, d.Type.Results} {
				if list == nil {
					continue
				}
				for _, f := range list.List {
					check(name, f.Type)
				}
			}
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					check(s.Name.Name, s.Type)
				}
			case *ast.ValueSpec:
				if s.Type != nil && slices.ContainsFunc(s.Names, (*ast.Ident).IsExported) {
					check(s.Names[0].Name, s.Type)
				}
			}
		}
	}
	return out
}
