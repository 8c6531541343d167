package main

import (
	"os"
	"path/filepath"
	"strings"
)

// texts are label files, lists of trials, boxes, parts, notes and indexes.
func texts() []bomb {
	text := func(make func() string) func(string) error { return written(func() []byte { return []byte(make()) }) }
	deep := func() string { return strings.Repeat(`{"names":[`, 1<<20) }
	ofLabels := each("classify --model cifar10 --labels FILE good.png", "eval --model cifar10 --labels FILE --data shapes", "import --labels FILE --out OUT/n.bin net.onnx", "inspect --model cifar10 --labels FILE")
	ofTrials := each("trials --list FILE --data shapes --out OUT --plan", "trials --list FILE --data shapes --out OUT")
	ofBoxes := each("faithful --model cifar10 --boxes FILE --out OUT good.png")
	ofParts := each("correspond --model cifar10 --parts FILE --out OUT good.png good.png")
	ofPixels := each("classify --model cifar10 --preprocess FILE good.png", "import --preprocess FILE --out OUT/n.bin net.onnx")
	ofIndexes := each("features show FILE", "features merge --out OUT/x.idx FILE FILE", "deconv --model cifar10 --features FILE --out OUT")
	ofArrays := each("classify --model cifar10 FILE", "occlude --model cifar10 --out OUT FILE")
	beside := func(make func(string) error) func(string) error { // a good picture and network beside it
		return func(path string) error {
			dir := filepath.Dir(path)
			if err := goodPNG(filepath.Join(dir, "good.png")); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, "net.onnx"), chain(1), 0o666); err != nil {
				return err
			}
			return make(path)
		}
	}
	var out []bomb
	add := func(name, says string, make func(string) error, takes ...[][]string) {
		for _, t := range takes {
			out = append(out, bomb{group: "YAML, JSON and other texts", name: name, make: beside(make), takes: t, says: says})
		}
	}
	add("aliases.yaml", "alias", text(func() string { return aliases() + "names: *z\n" }), ofLabels)
	add("list.yaml", "want settings", text(func() string {
		return "trials:\n- &a [x, x, x, x, x, x, x, x, x, x]\n" + inList()
	}), ofTrials)
	add("deep.json", "lines and items, want at most", text(deep), ofLabels)
	add("deep.json", "depth|deep|nest", text(deep), ofBoxes, ofParts)
	add("flow.yaml", "lines and items, want at most|exceeded max depth", text(func() string { return "names: " + strings.Repeat("[", 900_000) }), ofLabels, ofTrials)
	add("block.yaml", "exceeded max depth", text(func() string { return "names:\n" + strings.Repeat("- ", 500_000) + "a\n" }), ofLabels, ofTrials)
	add("numbers.txt", "has none|at most", text(func() string { return "400000: x\n" + strings.Repeat("0: a\n", 300_000) }), ofLabels)
	add("many.json", "lines and items, want at most", text(func() string { return "[" + strings.Repeat("0,", 1<<20) + "0]" }), ofLabels)
	add("deep.settings.json", "depth|deep|object|nest", text(deep), ofPixels)
	add("boxes.json", "annotation 0", text(func() string { return `{"annotations":[{}` + strings.Repeat(",{}", 10<<20) + "]}" }), ofBoxes)
	add("boxes.xml", "XML", text(func() string { return "<annotation>" + strings.Repeat("<a>", 200_000) }), ofBoxes)
	add("entities.xml", "XML", text(func() string {
		return `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><annotation><filename>&b;</filename></annotation>`
	}), ofBoxes)
	add("x.idx", "index", text(deep), ofIndexes)
	add("huge.npy", "only|too large|at most", written(func() []byte { return npyHead("1000000, 1000000") }), ofArrays)
	for _, special := range []struct {
		name string
		make func(string) error
	}{{"pipe", pipe}, {"zero", linkTo("/dev/zero")}} {
		for _, t := range []struct {
			extension string
			takes     [][]string
		}{{".txt", ofLabels}, {".yaml", ofTrials}, {".json", ofBoxes}, {".json", ofParts}, {".json", ofPixels}, {".idx", ofIndexes}, {".npy", ofArrays}} {
			out = append(out, bomb{group: "pipes and devices", name: special.name + t.extension, make: beside(special.make), takes: t.takes, says: "plain file|not a plain|want a file"})
		}
	}
	return out
}

// inList are members of a list of ten times the member before, in YAML.
func inList() (text string) {
	for c := 'b'; c <= 'z'; c++ {
		text += "- &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+", ", 10), ", ") + "]\n"
	}
	return text
}

// aliases are lists of ten times the list before, in YAML.
func aliases() string {
	text := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'z'; c++ {
		text += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+", ", 10), ", ") + "]\n"
	}
	return text
}
