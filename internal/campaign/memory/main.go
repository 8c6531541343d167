// Command memory draws runs of viz occlude, attribute and explain, a network, pictures, settings and --memory each (in one
// of eight GOMEMLIMIT instead), and looks at the most memory that each process had. A run must stay within --memory, or be refused before its work
// with a value that does; that value is then tried. It counts tries and failures.
//
//	go run ./internal/campaign/memory -runs 500
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

func main() {
	runs := flag.Int("runs", 100, "runs to draw")
	atOnce := flag.Int("at-once", 1, "runs at a time")
	seed := flag.Uint64("seed", 1, "seed of the first; each run has the next")
	program := flag.String("viz", "", "the program; default: built from ./cmd/viz")
	into := flag.String("draw", "", "only draw the run of the seed into this folder, and print it")
	flag.Parse()
	if *into != "" {
		r, err := draw(*into, *seed)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(r)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "memory:", err)
			os.Exit(1)
		}
		return
	}
	campaign.Main("memory", *program, func(dir, viz string) error { return all(dir, viz, *seed, *runs, *atOnce) })
}

// count is what became of the runs of one command.
type count struct{ tries, kept, refused, failures int }

// all draws runs, some at a time.
func all(dir, program string, seed uint64, runs, atOnce int) error {
	commands := []string{"occlude", "attribute", "explain"}
	counts := map[string]*count{}
	for _, name := range commands {
		counts[name] = &count{}
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	var bad error // of the campaign itself
	one := func(seed uint64) error {
		r, err := drawElsewhere(dir, seed)
		if err != nil {
			return err
		}
		defer os.RemoveAll(r.Dir)
		refused, err := r.try(program)
		mu.Lock()
		defer mu.Unlock()
		c := counts[r.Args[0]]
		c.tries++
		switch {
		case err != nil:
			c.failures++
			fmt.Printf("seed %d: viz %s\n\t%v\n", seed, strings.ReplaceAll(strings.Join(r.Args, " "), dir+"/", ""), err)
		case refused:
			c.refused++
		default:
			c.kept++
		}
		return nil
	}
	next := make(chan uint64)
	for range max(atOnce, 1) {
		wait.Go(func() {
			for seed := range next {
				if err := one(seed); err != nil {
					mu.Lock()
					bad = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range runs {
		next <- seed + uint64(i)
	}
	close(next)
	wait.Wait()
	if bad != nil {
		return bad
	}
	fmt.Printf("seeds %d to %d\n\n| command | tries | kept | refused, and kept with what was asked for | failures |\n| --- | ---: | ---: | ---: | ---: |\n", seed, seed+uint64(runs)-1)
	total := count{}
	for _, name := range commands {
		c := counts[name]
		fmt.Printf("| %s | %d | %d | %d | %d |\n", name, c.tries, c.kept, c.refused, c.failures)
		total = count{total.tries + c.tries, total.kept + c.kept, total.refused + c.refused, total.failures + c.failures}
	}
	fmt.Printf("| all | %d | %d | %d | %d |\n", total.tries, total.kept, total.refused, total.failures)
	if total.failures > 0 {
		return fmt.Errorf("%d of %d runs failed", total.failures, runs)
	}
	return nil
}

// run is one drawn command line.
type run struct {
	Dir      string
	Args     []string
	Memory   int  // MB
	Variable bool // the bound is GOMEMLIMIT, not --memory
}

// try runs it, and again with what is asked for if it is refused.
func (r *run) try(program string) (refused bool, err error) {
	memory := r.Memory
	const tries = 3 // a file that is too large is refused before it is known what else is needed
	for again := range tries {
		bound := fmt.Sprintf("--memory %dM", memory)
		cmd := exec.Command(program, r.Args...)
		if r.Variable {
			bound = fmt.Sprintf("GOMEMLIMIT=%d", memory*1_000_000)
			cmd.Env = append(os.Environ(), bound)
		} else {
			cmd.Args = append(cmd.Args, strings.Fields(bound)...)
			cmd.Env = append(os.Environ(), "GOMEMLIMIT=off")
		}
		end, err := campaign.RunWithin(cmd, 20*time.Minute)
		if err != nil {
			return false, err
		}
		peak := campaign.PeakBytes(end.State)
		if peak > memory*1_000_000 {
			return false, fmt.Errorf("%s: the process had %d MB", bound, peak/1_000_000)
		}
		if end.Code() == 0 {
			return again > 0, nil
		}
		least := regexp.MustCompile(`hint: --memory (\d+)M`).FindSubmatch(end.Stderr)
		if again == tries-1 || end.Code() != 2 || least == nil {
			return false, fmt.Errorf("%s: %v: %s", bound, end.State, end.Stderr)
		}
		next, _ := strconv.Atoi(string(least[1]))
		if next <= memory {
			return false, fmt.Errorf("%s is refused, and %dM asked for", bound, next)
		}
		memory = next
	}
	return true, nil
}

// drawElsewhere draws a run in a process of its own: Linux counts what the parent had as the child's.
func drawElsewhere(root string, seed uint64) (*run, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := exec.Command(self, "-draw", root, "-seed", strconv.FormatUint(seed, 10)).Output()
	if err != nil {
		return nil, err
	}
	r := &run{}
	return r, json.Unmarshal(out, r)
}

// draw makes the network and the pictures of a run.
func draw(root string, seed uint64) (*run, error) {
	rng := rand.New(rand.NewPCG(seed, 18))
	dir, err := os.MkdirTemp(root, "run")
	if err != nil {
		return nil, err
	}
	r := &run{Dir: dir, Memory: int(60 * math.Pow(10, rng.Float64())), Variable: rng.IntN(8) == 0}
	net, err := network(rng, seed)
	if err != nil {
		return nil, err
	}
	size := net.Input.H
	file := filepath.Join(dir, "net.bin")
	if err := model.Save(file, net, nil); err != nil {
		return nil, err
	}
	var files []string
	for i := range 1 + rng.IntN(3) {
		f, err := picture(dir, i, size, rng)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	workers := strconv.Itoa(1 + rng.IntN(8))
	switch k := rng.IntN(12); {
	case k == 0:
		r.Args = []string{"explain", "--nodes", strconv.Itoa(1 + rng.IntN(40))}
		files = files[:1]
	case k < 5:
		methods := attribution.Methods()
		r.Args = []string{"attribute", "--method", string(methods[rng.IntN(len(methods))])}
	default:
		patch := 1 + rng.IntN(size/2)
		stride := max(size/(3+rng.IntN(6)), 1)
		r.Args = []string{"occlude", "--patch", strconv.Itoa(patch), "--stride", strconv.Itoa(stride), "--method", []string{"fast", "box", "brute"}[rng.IntN(3)]}
		if rng.IntN(2) == 0 {
			r.Args = append(r.Args, "--batch", strconv.Itoa(1+rng.IntN(64)))
		}
	}
	r.Args = append(r.Args, "--quiet", "--model", file, "--workers", workers, "--out", filepath.Join(dir, "out"))
	r.Args = append(r.Args, files...)
	return r, nil
}

// network draws a network: a chain with or without batch normalisations, one whose dense layer has most weights, or one
// with branches.
func network(rng *rand.Rand, seed uint64) (*model.Network, error) {
	o := model.ArchOptions{Classes: []string{"a", "b", "c"}, Width: float64(1+rng.IntN(4)) / 4, Seed: seed}
	size, arch := 16*(2+rng.IntN(7)), "small" // 32 to 128
	switch rng.IntN(5) {
	case 0:
		arch, size = "lenet5", 32*(1+rng.IntN(2)) // at 64 pixels up to 69 MB of weights
	case 1:
		arch = "branches"
	}
	o.Input = model.Input{C: 3, H: size, W: size}
	if arch != "branches" {
		return model.Build(arch, o)
	}
	conv := func(k, c, window int) *model.Conv {
		w := tensor.New(k, c, window, window)
		for i := range w.Data {
			w.Data[i] = float32(rng.NormFloat64() / math.Sqrt(float64(c*window*window)))
		}
		return &model.Conv{Weight: w, Bias: make([]float32, k), Pads: slices.Repeat([]int{window / 2}, 4), Groups: 1}
	}
	maps := 8 * (1 + rng.IntN(8))
	net := &model.Network{Name: arch, Input: o.Input, Classes: o.Classes, Logits: "scores"}
	net.Input.Name = "input"
	last := net.Input.Name
	add := func(name string, l model.Layer, inputs ...string) {
		net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: inputs, Layer: l})
	}
	c := 3
	for i := range 1 + rng.IntN(4) { // each keeps its input until its end
		at := func(name string) string { return fmt.Sprintf("%s%d", name, i) }
		add(at("in"), conv(maps, c, 1), last)
		add(at("wide"), conv(maps, maps, 3), at("in"))
		add(at("relu"), &model.ReLU{}, at("wide"))
		add(at("again"), conv(maps, maps, 3), at("relu"))
		add(at("sum"), &model.Add{}, at("again"), at("in"))
		add(at("both"), &model.Concat{}, at("sum"), last)
		last, c = at("both"), c+maps
	}
	add("mean", &model.GlobalAvgPool{}, last)
	add("flat", &model.Reshape{}, "mean")
	add("scores", &model.Dense{Weight: tensor.New(3, c), Bias: []float32{0, 1, 2}}, "flat")
	add("prob", &model.Softmax{}, "scores")
	return net, net.Check()
}

// picture writes a picture of up to 30 million pixels, most far smaller.
func picture(dir string, i, input int, rng *rand.Rand) (string, error) {
	least := input/8 + 1
	w := least + int(math.Pow(10, 1+2.7*rng.Float64()))
	h := least + int(math.Pow(10, 1+2.7*rng.Float64()))
	for w*h > 30_000_000 {
		w, h = w/2, h/2
	}
	b := image.Rect(0, 0, w, h)
	m := map[int]image.Image{0: image.NewNRGBA(b), 1: image.NewRGBA(b), 2: image.NewGray(b), 3: image.NewPaletted(b, color.Palette{color.Black, color.White, color.NRGBA{200, 9, 9, 255}})}[rng.IntN(4)]
	if p, ok := m.(*image.RGBA); ok {
		for i := 3; i < len(p.Pix); i += 4 {
			p.Pix[i] = 255
		}
	}
	kind := []string{"png", "jpg", "gif"}[rng.IntN(3)]
	name := filepath.Join(dir, fmt.Sprintf("%d.%s", i, kind))
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	switch kind {
	case "png":
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(f, m)
	case "jpg":
		err = jpeg.Encode(f, m, nil)
	default:
		err = gif.Encode(f, m, &gif.Options{NumColors: 4})
	}
	return name, err
}
