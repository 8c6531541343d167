package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/model"
)

// facts are what a stated bound depends on, in bytes but for the last.
type facts struct {
	weights int
	values  int // of all layers for one image
	picture int // the largest, while it is read
	data    int // the data set
	images  int // pictures
	batch   int // of a training
	workers int
}

// work is a command without a bound of its own, and what it may take.
type work struct {
	args   string // net.bin and pictures are drawn, WORKERS stands for a flag
	before []string
	kind   kind
	extra  func(f facts) int // beside what all take
}

// kind is what a command works on.
type kind int

const (
	onPictures kind = iota
	onNetwork       // alone
	onSet           // class folders, with the network
	onItsOwn        // built-in network and data
	listing         // class folders alone
	training        // class folders, of --arch, --width and --batch
)

const mib = 1 << 20

// batch is what images in one pass take, as many as stay within some bytes, up to most of them.
func (f facts) batch1(bytes, most int) int {
	return f.values * min(max(bytes/max(f.values, 1), 1), most, max(f.images, 1))
}

// alone is what a pass over one image takes.
func alone(f facts) int { return 2 * f.values }

// upTo is so many bytes, or what so many images take.
func upTo(bytes, images int) func(f facts) int {
	return func(f facts) int { return min(bytes, images*f.values) }
}

// training is what training takes beside the rest: gradients, what the optimizer keeps, a checkpoint; and the values of a
// batch with their gradients.
func (f facts) training(batch int) int { return 10*f.weights + 3*batch*f.values }

// again is what a training takes beside what the one before left.
func again(f facts) int { return f.training(f.batch) }

// page is what a picture of many parts takes, drawn.
const page = 100_000_000

// and adds bytes to a bound.
func and(bytes int, to func(f facts) int) func(f facts) int {
	return func(f facts) int { return bytes + to(f) }
}

// batches is what passes over many images take, up to so many bytes each.
func batches(bytes, most int) func(f facts) int {
	return func(f facts) int { return 2 * f.batch1(bytes, most) }
}

// short are those of the short form.
var short = []string{"activations", "classify", "data list", "deconv", "eval", "export", "features", "gradcam", "import", "inspect", "train"}

// works are all commands.
var works = map[string]work{
	"classify":               {args: "classify pictures", extra: alone},
	"gradcam":                {args: "gradcam --out out pictures", extra: alone},
	"activations":            {args: "activations --layer all --out out pictures", extra: and(page, alone)},
	"occlude":                {args: "occlude --stride 16 --limit 2 --out out pictures", extra: upTo(450_000_000, 64)},
	"attribute":              {args: "attribute --method ig --limit 2 --out out pictures", extra: upTo(512*mib, 64)},
	"explain":                {args: "explain --nodes 5 --limit 1 --out out pictures", extra: and(page, upTo(512*mib, 64))},
	"features":               {args: "features --layers all --out f.idx --images pictures", extra: batches(64*mib, 32)},
	"features, more workers": {args: "features --workers 8 --layers all --out f.idx --images pictures", extra: batches(256*mib, 32)},
	"deconv":                 {args: "deconv --out out pictures", extra: and(page, batches(256*mib, 32))},
	"deconv, index":          {args: "deconv --features f.idx --out out", before: []string{"features --quiet --model net.bin --out f.idx --images pictures"}, extra: and(page, batches(256*mib, 32))},
	"invariance":             {args: "invariance --points 5 --limit 2 --out out pictures", extra: and(page, batches(128*mib, 16))},
	"faithful":               {args: "faithful --method saliency,gradcam --limit 2 --steps 10 --subsets 4 --out out pictures", extra: and(page, upTo(512*mib, 64))},
	"sanity":                 {args: "sanity --method saliency,gradcam --limit 2 --out out pictures", extra: upTo(512*mib, 64)},
	"maximize":               {kind: onNetwork, args: "maximize --class a --steps 4 --out out", extra: alone},
	"filters":                {kind: onNetwork, args: "filters --layer all --out out", extra: func(facts) int { return 20_000_000 }},
	"filters, diagnosis":     {kind: onSet, args: "filters --diagnose --data data --out out", extra: batches(256*mib, 100)},
	"inspect":                {kind: onNetwork, args: "inspect --json"},
	"import":                 {kind: onNetwork, args: "import --out again.bin net.onnx", before: []string{"export --quiet --onnx --model net.bin --out net.onnx"}},
	"export":                 {kind: onNetwork, args: "export --onnx --out net.onnx"},
	"bench":                  {kind: onNetwork, args: "bench forward --budget 0.01 --least 1", extra: alone},
	"eval":                   {kind: onSet, args: "eval --data data", extra: batches(256*mib, 100)},
	"probe":                  {kind: onSet, args: "probe --data data --per-class 5 --test-per-class 5 --folds 2 --layers top --out out", extra: batches(128*mib, 64)},
	"transfer":               {kind: onSet, args: "transfer --data data --per-class 5 --test-per-class 5 --folds 2 --scratch-steps 3 --scratch-batch 8 --exclude none --out out", extra: func(f facts) int { return 2*f.batch1(128*mib, 64) + f.training(8) }},
	"correspond":             {kind: onItsOwn, args: "correspond --model shapes --data shapes --class disc --count 4 --random 2 --out out", extra: func(facts) int { return 40_000_000 }},
	"evolve":                 {kind: onSet, args: "evolve --data data --out out net.bin net2.bin", before: []string{"export --quiet --onnx --model net.bin --out net.onnx", "import --quiet --out net2.bin net.onnx"}, extra: batches(256*mib, 32)},
	"train":                  {kind: training, args: "train --data data --steps 3 --out ckpt.bin"},
	"ablate":                 {kind: training, args: "ablate --data data --steps 2 --seeds 1 --evals 1 --variant thin:conv1*0.5 --out out", extra: again},
	"trials":                 {kind: training, args: "trials --data data --list list.yaml --evals 2 --out out", extra: again},
	"rnn":                    {kind: training, args: "rnn --data data --hidden 8 --cells rnn,gru --steps 2 --steps-only --evals 2 --out out", extra: again},
	"data list":              {kind: listing, args: "data list data"},
	"demo":                   {kind: onItsOwn, args: "demo --limit 100 --out out", extra: func(facts) int { return 2 * page }},
}

// stated is the bound of a command.
func (w work) stated(f facts) int {
	most := 60_000_000 + 3*f.weights + f.picture
	if w.kind == onSet || w.kind == training || w.kind == listing {
		most += 5 * f.data / 2
	}
	if w.kind == training {
		most += f.training(f.batch)
	}
	if w.extra != nil {
		most += w.extra(f)
	}
	return most
}

// drawStated makes what a command works on. Seeds go through all commands.
func (p plan) drawStated(root string) (*run, error) {
	rng := rand.New(rand.NewPCG(p.Seed, 19))
	var names []string
	for name := range works {
		names = append(names, name)
	}
	if p.Short {
		names = slices.Clone(short)
	}
	slices.Sort(names)
	name := names[int(p.Seed%uint64(len(names)))]
	if p.Only != "" {
		name = p.Only
	}
	w := works[name]
	dir, err := os.MkdirTemp(root, "run")
	if err != nil {
		return nil, err
	}
	r := &run{Dir: dir, Name: name, By: byStatement, Before: w.before}
	f := facts{workers: 1 + rng.IntN(8)}
	net, err := p.network(rng)
	if err != nil {
		return nil, err
	}
	if err := model.Save(filepath.Join(dir, "net.bin"), net, nil); err != nil {
		return nil, err
	}
	r.Args = strings.Fields(w.args)
	switch w.kind {
	case onPictures:
		err = p.pictures(dir, net, rng, &f)
	case onSet, training, listing:
		err = p.set(dir, net, rng, &f)
	}
	if err != nil {
		return nil, err
	}
	if w.kind == training {
		if net, err = r.train(rng, net, &f); err != nil {
			return nil, err
		}
	}
	if w.kind != onItsOwn && w.kind != listing {
		if err := f.of(net); err != nil {
			return nil, err
		}
	}
	if !strings.Contains(w.args, "--workers") && w.kind != onNetwork && w.kind != listing {
		r.Args = append(r.Args, "--workers", fmt.Sprint(f.workers))
	}
	if w.kind <= onSet && name != "evolve" && name != "import" {
		r.Args = append(r.Args, "--model", "net.bin")
	}
	if rng.IntN(4) == 0 && !slices.Contains([]string{"occlude", "attribute", "explain"}, name) { // theirs is a bound
		r.Limit = (20 + rng.IntN(200)) * 1_000_000
	}
	r.Bound = w.stated(f)
	r.About = fmt.Sprintf("%+v, GOMEMLIMIT %d", f, r.Limit)
	return r, nil
}

// train draws a training on pictures of the size of a network's input, and returns what is trained.
func (r *run) train(rng *rand.Rand, net *model.Network, f *facts) (*model.Network, error) {
	o := model.ArchOptions{Input: model.Input{C: 3, H: net.Input.H, W: net.Input.W}, Classes: net.Classes, Width: float64(1+rng.IntN(4)) / 4, Seed: 1}
	arch := []string{"small", "lenet5"}[rng.IntN(2)]
	f.batch = 4 + rng.IntN(min(60, f.images*2/3))
	switch r.Name {
	case "rnn":
		arch, o.Width = "lenet5", 1
		r.Args = append(r.Args, "--batch", fmt.Sprint(f.batch))
	case "trials":
		list := fmt.Sprintf("trials:\n  - {name: one, arch: %s, width: %g, optimizer: adam, rate: 1e-4, batch: %d, steps: 2}\n  - {name: two, arch: %[1]s, width: %[2]g, optimizer: sgd, rate: 1e-4, batch: %[3]d, steps: 2}\n", arch, o.Width, f.batch)
		if err := os.WriteFile(filepath.Join(r.Dir, "list.yaml"), []byte(list), 0o666); err != nil {
			return nil, err
		}
	default:
		r.Args = append(r.Args, "--arch", arch, "--width", fmt.Sprint(o.Width), "--batch", fmt.Sprint(f.batch))
	}
	return model.Build(arch, o)
}

// of adds what is known of a network.
func (f *facts) of(net *model.Network) error {
	layers, err := net.Summary()
	for _, l := range layers {
		f.weights += 4 * l.Weights
		f.values += 4 * l.Shape.Len()
	}
	f.values += 4 * net.Input.Shape().Len()
	return err
}

// pictures are a large one with some others, a folder of many small ones, or a few.
func (p plan) pictures(dir string, net *model.Network, rng *rand.Rand, f *facts) error {
	at := filepath.Join(dir, "pictures")
	if err := os.Mkdir(at, 0o777); err != nil {
		return err
	}
	f.images = 1 + rng.IntN(3)
	small := !p.Short && rng.IntN(3) == 0
	if small {
		f.images = 30 + rng.IntN(100)
	}
	large := !p.Short && rng.IntN(3) == 0
	for i := range f.images {
		pixels := 400_000
		if i == 0 && large {
			pixels = -(10_000_000 + rng.IntN(30_000_000))
		} else if !small {
			pixels = 30_000_000
		}
		if p.Short {
			pixels = 100_000
		}
		if _, err := picture(at, i, net.Input.H, pixels, rng); err != nil {
			return err
		}
	}
	list, err := images.Open(context.Background(), images.Spec{Paths: []string{at}}, images.Options{})
	if err != nil {
		return err
	}
	in, err := images.For(list, net)
	if err != nil {
		return err
	}
	f.picture, _, err = in.Largest(context.Background())
	return err
}

// set is a data set of class folders with pictures of one size.
func (p plan) set(dir string, net *model.Network, rng *rand.Rand, f *facts) error {
	each, size := 20+rng.IntN(100), net.Input.H
	if p.Short {
		each = 20
	}
	for _, class := range net.Classes {
		at := filepath.Join(dir, "data", class)
		if err := os.MkdirAll(at, 0o777); err != nil {
			return err
		}
		m := image.NewGray(image.Rect(0, 0, size, size))
		for i := range each {
			for j := range m.Pix {
				m.Pix[j] = uint8(rng.IntN(256))
			}
			var text bytes.Buffer
			if err := png.Encode(&text, m); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(at, fmt.Sprintf("%d.png", i)), text.Bytes(), 0o666); err != nil {
				return err
			}
		}
	}
	f.images = each * len(net.Classes)
	f.data = f.images * size * size
	return nil
}

// tryStated runs it where its files are.
func (r *run) tryStated(program string) (peak int, err error) {
	do := func(args []string, env ...string) (*campaign.Ended, error) {
		cmd := exec.Command(program, args...)
		cmd.Dir = r.Dir
		cmd.Env = append(append(os.Environ(), "GOMEMLIMIT=off", "HOME="+r.Dir), env...)
		end, err := campaign.RunWithin(cmd, 20*time.Minute)
		if err == nil && end.Code() != 0 {
			err = fmt.Errorf("%s: %v: %s", args[0], end.State, end.Stderr)
		}
		return end, err
	}
	for _, line := range r.Before {
		if _, err := do(strings.Fields(line)); err != nil {
			return 0, err
		}
	}
	var env []string
	if r.Limit > 0 {
		env = []string{fmt.Sprintf("GOMEMLIMIT=%d", r.Limit)}
	}
	end, err := do(r.Args, env...)
	if err != nil {
		return 0, err
	}
	peak = campaign.PeakBytes(end.State)
	if peak > r.Bound {
		return peak, fmt.Errorf("the process had %d MB, stated are %d: %s", peak/1_000_000, r.Bound/1_000_000, r.About)
	}
	return peak, nil
}
