package main

// reasons say why a module is used that has had no release since 2024.
var reasons = map[string]string{
	"gorgonia.org/gorgonia":                "Orders the graph of a training and accumulates its gradients; the operations and solvers are ours.",
	"gorgonia.org/tensor":                  "Holds gorgonia's values; training hands over memory and computes nothing with it.",
	"gorgonia.org/dawson":                  "gorgonia compares numbers with it.",
	"gorgonia.org/vecf32":                  "tensor's loops over float32, which training does not reach.",
	"gorgonia.org/vecf64":                  "tensor's loops over float64, which training does not reach.",
	"github.com/chewxy/hm":                 "The types of gorgonia's operations: ours name theirs in its words.",
	"github.com/chewxy/math32":             "gorgonia's and tensor's float32 functions.",
	"github.com/leesper/go_rng":            "gorgonia's initial weights, which are not used: ours are drawn by viz.",
	"github.com/xtgo/set":                  "gorgonia sorts nodes with it.",
	"github.com/awalterschulze/gographviz": "gorgonia draws graphs with it, which viz does not ask for.",
	"github.com/apache/arrow/go/arrow":     "tensor converts to Arrow, which viz does not ask for.",
	"github.com/gogo/protobuf":             "tensor's file format, which viz neither reads nor writes.",
	"github.com/golang/protobuf":           "tensor's file format, which viz neither reads nor writes.",
	"github.com/google/flatbuffers":        "tensor's file format, which viz neither reads nor writes.",
	"github.com/pkg/errors":                "gorgonia's and tensor's errors.",
	"go4.org/unsafe/assume-no-moving-gc":   "tensor asks it whether the garbage collector moves memory.",
	"golang.org/x/xerrors":                 "Arrow's errors; the standard library has taken it over.",
	"github.com/disintegration/imaging":    "Resizes and crops; pictures are decoded and checked before it sees them. Small, and without dependencies but x/image.",
	"github.com/fogleman/gg":               "Draws text and lines of figures, from numbers of our own; small enough to be kept by us.",
	"github.com/golang/freetype":           "The rasteriser of gg.",
	"github.com/mitchellh/colorstring":     "The progress bar names colours with it.",
	"github.com/russross/blackfriday/v2":   "urfave/cli makes the manual page with it, of texts that are ours.",
}
