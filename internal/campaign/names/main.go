// Command names gives classes, layers, files, trainings and the makers of networks names that do something where they are
// taken for more than names: in a terminal, a page, a spreadsheet, a file's name. It runs every command that prints or
// writes names, and looks at what comes out. It counts runs and failures.
//
//	go run ./internal/campaign/names
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deconvnet/viz/internal/campaign"
)

func main() {
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	only := flag.String("only", "", "one command")
	short := flag.Bool("short", false, "some commands, and each name in one place")
	flag.Parse()
	campaign.Main("names", *program, func(dir, viz string) error { return all(dir, viz, *only, *short) })
}

// work is a command. In it NET, ONNX, PICTURE, DATA and LIST stand for what it reads, and NAME for a name.
type work struct {
	args string
	some bool // it is in the short form
}

var works = []work{
	{"inspect --model NET", true}, {"inspect --model ONNX --json", false}, {"inspect --model ONNX", false},
	{"classify --model NET PICTURE", true}, {"classify --model ONNX --preprocess unit --json PICTURE", false},
	{"gradcam --model NET --out out PICTURE", false}, {"occlude --model NET --patch 16 --stride 16 --npy out/npy --out out PICTURE", false},
	{"attribute --model NET --method saliency --out out PICTURE", false},
	{"activations --model NET --layer all --npy out/npy --out out PICTURE", true},
	{"deconv --model NET --layer 1 --maps 0-1 --out out PICTURE", false},
	{"features --model NET --images DATA --layers all --out out/f.idx", false},
	{"deconv --model NET --features f.idx --layer 1,2 --maps all --out out/atlas", false},
	{"features show f.idx", false},
	{"filters --model NET --layer 1 --out out", false}, {"filters --diagnose --model NET --limit 0 --out out", false},
	{"explain --out out NET PICTURE", true},
	{"eval --model NET --data DATA --by-number", false}, {"eval --model NET --data DATA", false},
	{"faithful --model NET --method saliency --steps 2 --subsets 2 --limit 1 --out out PICTURE", false},
	{"sanity --model NET --method saliency --limit 1 --out out PICTURE", true},
	{"probe --model NET --data DATA --layers top --folds 2 --per-class 2 --test-per-class 1 --out out", false},
	{"transfer --model NET --data DATA --per-class 2 --test-per-class 1 --folds 2 --no-scratch --exclude none --save out/net.bin --out out", false},
	{"trials --list LIST --data DATA --input-size 12 --evals 2 --out out", false},
	{"invariance --model NET --points 3 --transforms shift-y --out out PICTURE", false},
	{"maximize --model NET --class 0 --steps 2 --out out", false},
	{"import --preprocess unit --out out/net.bin ONNX", false}, {"export --onnx --out out/net.onnx NET", false},
	{"train --data DATA --input-size 16 --width 0.1 --steps 2 --batch 4 --out out/net.bin", false},
	{"data list DATA", true},
	// Errors name what was given.
	{"occlude --model NET --class NAME --out out PICTURE", true}, {"deconv --model NET --layer NAME --out out", false}, {"classify --model NAME PICTURE", true},
	{"classify --model NET NAME", true}, {"eval --data NAME", false}, {"NAME", true}, {"occlude --out out --NAME PICTURE", false}, {"data get NAME", false},
	{"occlude --patch NAME PICTURE", false}, {"gradcam --model NET --out NAME.jpg PICTURE", false}, {"deconv --unit NAME PICTURE", false},
	{"train --arch NAME --out out/x.bin", false}, {"ablate --variant NAME --data DATA --out out", false},
}

// count is what became of the runs of one command.
type count struct{ runs, files, failures int }

func all(dir, viz, only string, short bool) error {
	turns, total := len(hostile), count{}
	if short {
		turns = 1
	}
	fmt.Println("| command | runs | files and texts | failures |\n| --- | ---: | ---: | ---: |")
	for i, w := range works {
		if only != "" && only != w.args || only == "" && short && !w.some {
			continue
		}
		c := count{}
		for turn := 0; turn < turns; turn += 6 {
			if err := w.try(viz, filepath.Join(dir, fmt.Sprint(i, "-", turn)), turn, &c); err != nil {
				return fmt.Errorf("%s: %w", w.args, err)
			}
		}
		fmt.Printf("| %s | %d | %d | %d |\n", w.args, c.runs, c.files, c.failures)
		total = count{total.runs + c.runs, total.files + c.files, total.failures + c.failures}
	}
	fmt.Printf("| all | %d | %d | %d |\n", total.runs, total.files, total.failures)
	if total.failures > 0 {
		return fmt.Errorf("%d failures", total.failures)
	}
	return nil
}

// try runs a command with names that do nothing, then with the others, each as NAME if it has one.
func (w work) try(viz, dir string, turn int, c *count) error {
	plain, err := w.run(viz, filepath.Join(dir, "plain"), benign(), turn, "name")
	if err != nil {
		return err
	}
	given := []string{""}
	if strings.Contains(w.args, "NAME") {
		given = nil
		for i := 0; i < 6 && turn+i < len(hostile); i++ {
			given = append(given, strings.ReplaceAll(hostile[turn+i], "\x00", "%"))
		}
	}
	for i, name := range given {
		r, err := w.run(viz, filepath.Join(dir, fmt.Sprint(i)), hostile, turn, name)
		if err != nil {
			return err
		}
		c.runs++
		c.files += len(r.files) + 2
		for _, text := range slices.Concat(r.escaped, r.wrong(plain)) {
			c.failures++
			fmt.Fprintf(os.Stderr, "%s, from name %d on, %.20q: %.300s\n", w.args, turn, name, text)
		}
	}
	return os.RemoveAll(dir)
}

// result is what a run printed and wrote.
type result struct {
	code           int
	stdout, stderr []byte
	files          map[string][]byte // in out
	escaped        []string          // files elsewhere
}

// run makes what the command reads, and runs it, in a folder that has nothing beside it.
func (w work) run(viz, dir string, names []string, turn int, name string) (*result, error) {
	at := filepath.Join(dir, "folder", "run")
	if err := os.MkdirAll(filepath.Join(at, "out"), 0o777); err != nil {
		return nil, err
	}
	m, err := makeInputs(at, names, turn)
	if err != nil {
		return nil, err
	}
	if strings.Contains(w.args, "f.idx") && !strings.Contains(w.args, "out/f.idx") {
		if out, err := command(viz, at, "features", "--model", m.net, "--images", m.data, "--layers", "all", "--top", "2", "--out", "f.idx").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("features: %w %s", err, out)
		}
	}
	before, err := campaign.Files(dir)
	if err != nil {
		return nil, err
	}
	var args []string
	for _, a := range strings.Fields(w.args) {
		a = strings.NewReplacer("ONNX", m.onnx, "NET", m.net, "PICTURE", m.picture, "DATA", m.data, "LIST", m.list, "NAME", name).Replace(a)
		if a == m.picture && strings.HasPrefix(a, "-") {
			args = append(args, "--")
		}
		args = append(args, a)
	}
	end, err := campaign.RunWithin(command(viz, at, args...), 2*time.Minute)
	if err != nil {
		return nil, err
	}
	r := &result{code: end.Code(), stdout: end.Stdout, stderr: end.Stderr, files: map[string][]byte{}}
	after, err := campaign.Files(dir)
	if err != nil {
		return nil, err
	}
	for path, content := range after {
		_, was := before[path]
		switch inside, ok := strings.CutPrefix(path, filepath.Join("folder", "run", "out")+string(filepath.Separator)); {
		case ok:
			r.files[inside] = content
		case !was && !strings.HasSuffix(path, m.onnx+".viz.json"): // what viz import was told of pixels stands beside the file
			r.escaped = append(r.escaped, fmt.Sprintf("%.200q was written outside of the folder", path))
		}
	}
	if _, err := os.Stat("/tmp/escaped"); err == nil {
		r.escaped = append(r.escaped, "/tmp/escaped was written")
	}
	return r, nil
}

func command(viz, at string, args ...string) *exec.Cmd {
	cmd := exec.Command(viz, args...)
	cmd.Dir, cmd.Env = at, append(os.Environ(), "HOME="+at)
	return cmd
}
