package cmdline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// Flags says which of the settings that many commands share a command has.
type Flags int

const (
	Named    Flags = 1 << iota // --model
	Network                    // what can be said about a network beyond its name
	To                         // --out
	Force                      // --force
	JSON                       // --json
	Workers                    // --workers
	Data                       // --data
	Split                      // --split
	Limit                      // --limit
	Seed                       // --data-seed
	Images                     // --images
	Index                      // --index
	ByNumber                   // --by-number
	Memory                     // --memory
	HoldOut                    // --hold-out

	Model    = Named | Network                      // a network by name or file
	Out      = To | Force                           // what is written, and what it may replace
	Pictures = Data | Split | Limit | Seed | Images // whatever images there are
)

// Common is what a command was told that many commands can be told.
type Common struct {
	Model string // a name, or a file
	// What is said about the network beyond that.
	InputSize                                  [2]int
	Preprocess, Labels, Layout, Scores, Output string
	Set                                        []string // values of other inputs
	Data, Split                                string
	Limit                                      int // images
	DataSeed                                   uint64
	Images                                     []string
	Index                                      int // the only one of them, if it is given
	Out                                        string
	Workers                                    int
	Memory                                     int // bytes for the whole process; 0: not bounded
	HoldOut                                    float64
	Quiet, JSON, Force, Strict, ByNumber       bool
}

// fields are the settings that flags name, in the order of help.
func (o *Common) fields(flags Flags) (before, after view.Fields) {
	for _, f := range []struct {
		of    Flags
		field view.Field
	}{
		{Named, view.TextField(view.Field{Name: "model", Also: []string{"m"}, Usage: "network: a checkpoint, an ONNX `FILE`, or a built-in name (shapes, cifar10)"}, &o.Model)},
		{To, view.TextField(view.Field{Name: "out", Also: []string{"o"}, Usage: "write to `PATH`: a folder, NAME.png, or - for stdout; default: a folder named viz-COMMAND"}, &o.Out)},
		{JSON, view.SwitchField(view.Field{Name: "json", Neutral: true, Usage: "print the result as JSON"}, &o.JSON)},
		{Data, view.TextField(view.Field{Name: "data", Usage: "data set: a name (shapes, cifar10, mnist, fashion-mnist), a `DIR` or a FILE"}, &o.Data)},
		{Split, view.TextField(view.Field{Name: "split", Default: "test", Usage: "part of the data set: test or train"}, &o.Split)},
		{Limit, view.IntField(view.Field{Name: "limit", Usage: "use only `N` images, of a data set a fixed random choice; 0: all"}, &o.Limit, 0)},
		{Images, view.LinesField(view.Field{Name: "images", Usage: "image `FILE`s or folders, as arguments are"}, &o.Images)},
		{HoldOut, view.ShareField(view.Field{Name: "hold-out", Default: "0.1", Usage: "share of the images to test on if the data has no test split"}, &o.HoldOut)},
		{Index, view.IntField(view.Field{Name: "index", Otherwise: "all", Usage: "only image number `N` of several, counted from 0"}, &o.Index, 0)},
		{Seed, view.SeedField(view.Field{Name: "data-seed", Default: "1", Usage: "seed of generated data sets"}, &o.DataSeed)},
	} {
		if flags&f.of != 0 {
			before = append(before, f.field)
		}
	}
	if flags&Network != 0 {
		after = append(after, o.networkFields()...)
	}
	for _, f := range []struct {
		of    Flags
		field view.Field
	}{
		{ByNumber, view.SwitchField(view.Field{Name: "by-number", Usage: "take class 0, 1, ... of the data for class 0, 1, ... of the network, whatever their names"}, &o.ByNumber)},
		{Workers, view.RangeField(view.Field{Name: "workers", Neutral: true, Usage: "processors to use, 0: all; results do not depend on it"}, &o.Workers, 0, view.MostWorkers)},
		{Force, view.SwitchField(view.Field{Name: "force", Neutral: true, Usage: "write over what was made from other images or networks, or not by viz"}, &o.Force)},
		{Data | Images, view.SwitchField(view.Field{Name: "strict", Usage: "stop at the first image that cannot be used"}, &o.Strict)},
		{Memory, view.FieldOf(view.Field{Name: "memory", Neutral: true, Usage: "keep the whole process within `SIZE`, such as 900M or 2G"}, &o.Memory,
			view.Plain(ParseSize), func(n int) string { return strings.TrimPrefix(fmt.Sprint(n), "0") })},
	} {
		if flags&f.of != 0 {
			after = append(after, f.field)
		}
	}
	return before, append(after, view.SwitchField(view.Field{Name: "quiet", Neutral: true, Also: []string{"q"}, Usage: "no notes and no progress"}, &o.Quiet))
}

// networkFields are what can be said about a network beyond its file.
func (o *Common) networkFields() view.Fields {
	return view.Fields{
		view.PairField(view.Field{Name: "input-size", Usage: "input of an ONNX network that leaves it open, `N` or ROWSxCOLUMNS; default: that of the first image"}, &o.InputSize),
		view.TextField(view.Field{Name: "preprocess", Usage: "how pixels become the input: `SPEC` is " + strings.Join(model.PreprocessPresets(), ", ") +
			", FILE.json of timm or Hugging Face, or settings like fit=stretch,filter=bicubic,size=256,crop=224,scale=1/255,mean=.5/.5/.5,std=.2/.2/.2,order=bgr,invert"}, &o.Preprocess),
		view.TextField(view.Field{Name: "labels", Usage: "class names: `FILE` of lines (plain or numbered), a table, JSON or YAML, or imagenet for its 1000"}, &o.Labels),
		view.TextField(view.Field{Name: "layout", Usage: "order of an ONNX input's axes: nchw (channels first), nhwc (channels last) or auto; default: as the graph shows it"}, &o.Layout),
		view.TextField(view.Field{Name: "scores", Usage: "what the outputs mean: softmax, sigmoid (each by itself; one tells two classes apart), logits (of either) or raw (values); default: as the network ends"}, &o.Scores),
		view.TextField(view.Field{Name: "output", Usage: "`NAME` of the output with the scores, or of a layer; default: the one most like a classifier's"}, &o.Output),
		view.LinesField(view.Field{Name: "set", Usage: "value of another input of an ONNX network than the picture, `INPUT=V[,V...]` or INPUT=@FILE.npy; may be repeated"}, &o.Set),
	}
}

// alike gives the fields of a list the names that commands before had for them: --layer and --layers are one flag,
// and --size is --input-size unless it means something else.
func alike(fields view.Fields) view.Fields {
	size := fields.Named("size") != nil
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Name == "layer" || f.Name == "layers":
			f.Also = slices.DeleteFunc([]string{"layer", "layers", "l"}, func(name string) bool { return name == f.Name })
		case f.Name == "input-size" && !size:
			f.Was = []string{"size"}
		}
	}
	return fields
}
