// Command memory draws runs of viz occlude and viz attribute, a network, pictures, settings and --memory each, and
// looks at the most memory that each process had. A run must stay within --memory, or be refused before its work
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
	"strconv"
	"strings"
	"time"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/model"
)

func main() {
	runs := flag.Int("runs", 100, "runs to draw")
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
	campaign.Main("memory", *program, func(dir, viz string) error { return all(dir, viz, *seed, *runs) })
}

// count is what became of the runs of one command.
type count struct{ tries, kept, refused, failures int }

func all(dir, program string, seed uint64, runs int) error {
	counts := map[string]*count{"occlude": {}, "attribute": {}}
	failures := 0
	for i := range runs {
		r, err := drawElsewhere(dir, seed+uint64(i))
		if err != nil {
			return err
		}
		c := counts[r.Args[0]]
		c.tries++
		refused, err := r.try(program)
		switch {
		case err != nil:
			failures++
			c.failures++
			fmt.Printf("seed %d: viz %s\n\t%v\n", seed+uint64(i), strings.ReplaceAll(strings.Join(r.Args, " "), dir+"/", ""), err)
		case refused:
			c.refused++
		default:
			c.kept++
		}
		os.RemoveAll(r.Dir)
	}
	fmt.Println("| command | tries | kept | refused, and kept with what was asked for | failures |\n| --- | ---: | ---: | ---: | ---: |")
	for _, name := range []string{"occlude", "attribute"} {
		c := counts[name]
		fmt.Printf("| %s | %d | %d | %d | %d |\n", name, c.tries, c.kept, c.refused, c.failures)
	}
	if failures > 0 {
		return fmt.Errorf("%d of %d runs failed", failures, runs)
	}
	return nil
}

// run is one drawn command line.
type run struct {
	Dir    string
	Args   []string
	Memory int // MB
}

// try runs it, and again with what is asked for if it is refused.
func (r *run) try(program string) (refused bool, err error) {
	memory := r.Memory
	const tries = 3 // a file that is too large is refused before it is known what else is needed
	for again := range tries {
		cmd := exec.Command(program, append(r.Args, "--memory", fmt.Sprintf("%dM", memory))...)
		cmd.Env = append(os.Environ(), "GOMEMLIMIT=off")
		end, err := campaign.RunWithin(cmd, 3*time.Minute)
		if err != nil {
			return false, err
		}
		peak := campaign.PeakBytes(end.State)
		if peak > memory*1_000_000 {
			return false, fmt.Errorf("--memory %dM: the process had %d MB", memory, peak/1_000_000)
		}
		if end.Code() == 0 {
			return again > 0, nil
		}
		least := regexp.MustCompile(`hint: --memory (\d+)M`).FindSubmatch(end.Stderr)
		if again == tries-1 || end.Code() != 2 || least == nil {
			return false, fmt.Errorf("--memory %dM: %v: %s", memory, end.State, end.Stderr)
		}
		next, _ := strconv.Atoi(string(least[1]))
		if next <= memory {
			return false, fmt.Errorf("--memory %dM is refused, and %dM asked for", memory, next)
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
	r := &run{Dir: dir, Memory: int(60 * math.Pow(10, rng.Float64()))}
	arch, size := "small", 16*(2+rng.IntN(7)) // 32 to 128
	if rng.IntN(4) == 0 {
		arch, size = "lenet5", 32
	}
	net, err := model.Build(arch, model.ArchOptions{Input: model.Input{C: 3, H: size, W: size}, Classes: []string{"a", "b", "c"}, Width: float64(1+rng.IntN(4)) / 4, Seed: seed})
	if err != nil {
		return nil, err
	}
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
	if rng.IntN(3) == 0 {
		methods := attribution.Methods()
		r.Args = []string{"attribute", "--method", string(methods[rng.IntN(len(methods))])}
	} else {
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
