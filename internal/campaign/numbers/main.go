// Command numbers runs viz on networks and inputs whose numbers are at the edge: no numbers, infinities, denormal and huge
// ones, zeros; constant pictures and single pixels, patches larger than the picture. Each run must end with a result
// without NaN and infinities, or with an error that says what is wrong where. It counts runs and failures.
//
//	go run ./internal/campaign/numbers
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/internal/npy"
)

func main() {
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	short := flag.Bool("short", false, "some commands")
	flag.Parse()
	campaign.Main("numbers", *program, func(dir, viz string) error { return all(dir, viz, *short) })
}

// work is a command. INPUT stands for a picture or an array.
type work struct {
	args string
	some bool // it is in the short form
}

var works = []work{
	{"classify --model net.bin INPUT", true}, {"classify --model net.bin --json INPUT", false},
	{"gradcam --model net.bin --out out INPUT", true}, {"occlude --model net.bin --patch 5 --stride 5 --out out INPUT", true},
	{"occlude --model net.bin --patch 5 --stride 5 --method brute --layer 1 --npy out/npy --out out INPUT", false},
	{"attribute --model net.bin --method all --out out INPUT", false}, {"attribute --model net.bin --method saliency,ig --out out INPUT", false},
	{"activations --model net.bin --layer all --npy out/npy --out out INPUT", true},
	{"deconv --model net.bin --layer 2 --maps 0-1 --out out INPUT", false}, {"deconv --model net.bin --unit 1:0:2:2 --npy out/unit.npy --out out INPUT", false},
	{"features --model net.bin --layers all --out out/f.idx INPUT", true},
	{"faithful --model net.bin --method saliency --steps 2 --subsets 2 --limit 1 --out out INPUT", false},
	{"sanity --model net.bin --method saliency --limit 1 --out out INPUT", false},
	{"invariance --model net.bin --points 3 --transforms shift-y --out out INPUT", false},
	{"explain --out out net.bin INPUT", false},
}

// alone are commands that read no picture, and settings at the edge.
var alone = []work{
	{"inspect --model net.bin", true}, {"inspect --model net.bin --json", false}, {"filters --model net.bin --layer 1 --out out", true}, {"filters --diagnose --model net.bin --limit 0 --out out", false},
	{"import --out out/copy.bin net.bin", true}, {"export --onnx --out out/net.onnx net.bin", false}, {"maximize --model net.bin --class 0 --steps 2 --out out", false},
	{"occlude --model net.bin --patch 21 --out out noise.png", true}, {"occlude --model net.bin --patch 20 --out out noise.png", false}, {"occlude --model net.bin --patch 1x20 --stride 1000 --out out noise.png", false},
	{"occlude --model net.bin --stride 0 --out out noise.png", true}, {"occlude --model net.bin --patch 0 --out out noise.png", false}, {"occlude --model net.bin --patch 99999999999 --out out noise.png", false},
	{"occlude --model net.bin --fill NaN --out out noise.png", false}, {"occlude --model net.bin --fill input:Inf --out out noise.png", false}, {"deconv --model net.bin --scale NaN --out out noise.png", false},
	{"train --limit 20 --batch 4 --steps 3 --width 0.1 --rate 1e38 --out out/t.bin", true}, {"train --limit 20 --batch 4 --steps 3 --width 0.1 --rate NaN --out out/t.bin", false}, {"train --limit 20 --batch 100 --steps 1 --width 1e-9 --out out/t.bin", false},
	{"eval --model net.bin --data nothing", false}, {"classify --model net.bin --preprocess scale=1/0 noise.png", false}, {"classify --model net.bin --preprocess mean=NaN noise.png", false}, {"classify --model net.bin --preprocess std=0 noise.png", false},
}

// count is what became of the runs.
type count struct{ runs, results, refused, failures int }

func (c *count) add(o count) {
	c.runs, c.results, c.refused, c.failures = c.runs+o.runs, c.results+o.results, c.refused+o.refused, c.failures+o.failures
}

func all(dir, viz string, short bool) error {
	total := count{}
	fmt.Println("| network | runs | results | refused, said plainly | failures |\n| --- | ---: | ---: | ---: | ---: |")
	for i, n := range append(networks, network{name: "one class", change: func([][]float32) {}}) {
		classes := 3
		if n.name == "one class" {
			classes = 1
		}
		net, err := build(classes, 20, n.change)
		if err != nil {
			return err
		}
		at := filepath.Join(dir, fmt.Sprint(i))
		if err := write(at, net); err != nil {
			return err
		}
		c := count{}
		for _, w := range works {
			for input := range inputs {
				if short && (!w.some || input != "noise.png" && input != "nan.npy") {
					continue
				}
				c.add(try(viz, at, strings.ReplaceAll(w.args, "INPUT", input), n, input))
			}
		}
		for _, w := range alone {
			if w.some || !short {
				c.add(try(viz, at, w.args, n, ""))
			}
		}
		fmt.Printf("| %s | %d | %d | %d | %d |\n", n.name, c.runs, c.results, c.refused, c.failures)
		total.add(c)
		os.RemoveAll(at)
	}
	fmt.Printf("| all | %d | %d | %d | %d |\n", total.runs, total.results, total.refused, total.failures)
	if total.failures > 0 {
		return fmt.Errorf("%d failures", total.failures)
	}
	return nil
}

// try runs a command and judges how it ends.
func try(viz, at, args string, n network, input string) count {
	c := count{runs: 1}
	cmd := exec.Command(viz, strings.Fields(args)...)
	cmd.Dir = at
	end, err := campaign.RunWithin(cmd, 2*time.Minute)
	switch {
	case err != nil:
	case end.Late:
		err = fmt.Errorf("it hangs")
	case end.Code() == 0:
		c.results++
		if err = finite(filepath.Join(at, "out"), end.Stdout); err == nil && n.damaged != "" && strings.Contains(args, "net.bin") {
			err = fmt.Errorf("nothing is said of the weights")
		}
	default:
		c.refused++
		damaged := ""
		if strings.Contains(args, "net.bin") {
			damaged = n.damaged
		}
		err = refusal(end.Code(), string(end.Stderr), damaged, input)
	}
	if err != nil {
		c.failures++
		fmt.Fprintf(os.Stderr, "%s: viz %s: %.300v\n", n.name, args, err)
	}
	os.RemoveAll(filepath.Join(at, "out"))
	return c
}

var layer = regexp.MustCompile(`\b(conv|fc|relu|pool|prob|logits?|flatten)\d*\b`)

// setting is a setting that an error names without dashes, or a class.
var setting = regexp.MustCompile(`\b(rate|class|score|value|width|layer|preprocessing|scale|mean|std|weights or the input|fill|such file)\b`)

// refusal is what is wrong with an error: it says in which layer, or in which file, or which setting.
func refusal(code int, text, damaged, input string) error {
	said, lines := "", 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "viz: error: ") {
			said, lines = said+line, lines+1
		}
	}
	names := layer.MatchString(said)
	plain := names || strings.Contains(said, "--") || input != "" && strings.Contains(said, strings.TrimSuffix(input, filepath.Ext(input))) || strings.Contains(said, "net.bin") || setting.MatchString(said)
	switch {
	case strings.Contains(text, "goroutine ") || code != 1 && code != 2:
		return fmt.Errorf("exit code %d: %s", code, text)
	case lines == 0:
		return fmt.Errorf("no error is said: %s", text)
	case damaged != "" && !strings.Contains(said, damaged) && !strings.Contains(said, "--") && !strings.Contains(said, "fill"):
		return fmt.Errorf("the layer is not said: %s", text)
	case !plain:
		return fmt.Errorf("it is not said what: %s", text)
	}
	return nil
}

var word = regexp.MustCompile(`(?i)(^|[\s,:|(\[])[+-]?(nan|inf|infinity)\b`)

// finite looks for what is no number in all that was written and printed.
func finite(dir string, stdout []byte) error {
	if m := word.Find(stdout); m != nil {
		return fmt.Errorf("prints %q", m)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".npy":
			a, err := npy.ReadFile(path)
			if err != nil {
				return err
			}
			for i, v := range a.Float32 {
				uncovered := v != v && (strings.HasPrefix(filepath.Base(path), "occlusion-") || strings.HasPrefix(filepath.Base(path), "pixel_drop"))
				if v-v != 0 && !uncovered { // docs/occlusion.md: NaN where no patch was
					return fmt.Errorf("%s: value %d is %g", path, i, v)
				}
			}
		case ".json":
			if !json.Valid(content) {
				return fmt.Errorf("%s is no JSON", path)
			}
		case ".csv":
			if m := word.Find(content); m != nil {
				return fmt.Errorf("%s has %q", path, m)
			}
		case ".part":
			return fmt.Errorf("%s is left", path)
		}
		return nil
	})
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
