package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/internal/dataset"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/mattn/go-isatty"
	"github.com/urfave/cli/v2"
)

func trainCommand() *cli.Command {
	return &cli.Command{
		Name: "train", Usage: "train a network, with live progress, checkpoints and exact resumption",
		UsageText: "viz train [flags]",
		Description: "The checkpoint holds the network and all that is needed to go on: Ctrl-C leaves a valid one,\n" +
			"and --resume continues bit for bit as if there had been no break. Accuracy is measured\n" +
			"with dropout off. A log of JSON lines is written beside the checkpoint.\n\n" +
			examples("viz train --arch small --data shapes --epochs 4 --rate 0.002 --schedule cosine",
				"viz train --arch lenet5 --data mnist --rate 1e-4 --keep 0.5 --epochs 5 --out mnist.bin",
				"viz train --resume mnist.bin --steps 6000"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "arch", Value: "small", Usage: "architecture: " + strings.Join(model.Arches(), ", ")},
			&cli.Float64Flag{Name: "width", Value: 1, Usage: "scale the numbers of maps"},
			&cli.Float64Flag{Name: "keep", DefaultText: "the architecture's", Usage: "probability to keep a value in dropout"},
			&cli.StringFlag{Name: "init", Value: "he", Usage: "how weights start: he, or truncated (normal of 0.1 cut at 0.2, biases 0.1: the course's)"},
			dataFlag, seedFlag,
			&cli.IntFlag{Name: "size", Usage: "input size in `PIXELS`, for images of other or various sizes", DefaultText: "that of the images"},
			&cli.IntFlag{Name: "limit", Usage: "train and test on `N` images at most, a fixed random choice, 0: all"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.1, Usage: "share of the images to test on if the data has no test split"},
			&cli.BoolFlag{Name: "plain", Usage: "input is pixel/255 as in [course], without subtracting the mean and dividing by the deviation"},
			&cli.StringFlag{Name: "solver", Value: "adam", Usage: strings.Join(train.Solvers(), ", ") + " (rmsprop as in TensorFlow 1)"},
			&cli.Float64Flag{Name: "rate", DefaultText: "0.001 for adam and rmsprop, else 0.01", Usage: "learning rate"},
			&cli.Float64Flag{Name: "momentum", DefaultText: "0.9", Usage: "of solver momentum"},
			&cli.Float64Flag{Name: "beta1", DefaultText: "0.9", Usage: "of solver adam"},
			&cli.Float64Flag{Name: "beta2", DefaultText: "0.999", Usage: "of solver adam"},
			&cli.Float64Flag{Name: "decay", DefaultText: "0.9", Usage: "of solver rmsprop"},
			&cli.Float64Flag{Name: "epsilon", DefaultText: "1e-8 for adam, 1e-10 for rmsprop", Usage: "of adam and rmsprop"},
			&cli.IntFlag{Name: "batch", DefaultText: "100", Usage: "images a step"},
			&cli.IntFlag{Name: "steps", Usage: "total `NUMBER` of steps"},
			&cli.IntFlag{Name: "epochs", DefaultText: "10", Usage: "passes over the training images, unless --steps is given"},
			&cli.Uint64Flag{Name: "seed", Usage: "of initial weights, order, augmentation and dropout"},
			&cli.Float64Flag{Name: "weight-decay", Usage: "L2: adds this times the weight to its gradient"},
			&cli.Float64Flag{Name: "label-smoothing", Usage: "share of the target spread over all classes"},
			&cli.StringFlag{Name: "schedule", Value: "constant", Usage: "of the rate: " + strings.Join(train.Schedules(), ", ")},
			&cli.IntFlag{Name: "drop-every", DefaultText: "a third of all", Usage: "schedule step: steps between drops of the rate"},
			&cli.Float64Flag{Name: "drop-factor", DefaultText: "0.1", Usage: "schedule step: the rate is multiplied by this"},
			&cli.IntFlag{Name: "warmup", DefaultText: "small: 100, or a quarter of all; lenet5: 0", Usage: "steps over which the rate grows from 0"},
			&cli.Float64Flag{Name: "max-filter-rms", Usage: "rescale convolution filters above this root mean square to it (0.1 in Zeiler and Fergus), 0: off"},
			&cli.BoolFlag{Name: "balance", Usage: "let every class count alike: an image's loss counts N/(K*n) times, N images in all, n of its class, K classes"},
			&cli.BoolFlag{Name: "flip", Usage: "mirror training images at random"},
			&cli.IntFlag{Name: "crop", Usage: "shift training images by up to so many `PIXELS`"},
			&cli.IntFlag{Name: "eval-every", DefaultText: "one epoch", Usage: "steps between measurements of accuracy, -1: only at the end"},
			&cli.IntFlag{Name: "eval-train", DefaultText: "1000", Usage: "training images that accuracy is measured on, -1: none"},
			&cli.IntFlag{Name: "checkpoint-every", DefaultText: "only at the end", Usage: "steps between checkpoints"},
			&cli.BoolFlag{Name: "keep-checkpoints", Usage: "keep numbered copies too (ckpt-000500.bin, weights only), for viz filters --evolve"},
			&cli.StringFlag{Name: "resume", Usage: "go on from checkpoint `FILE`; other flags change its settings"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "checkpoint `FILE`", DefaultText: "the resumed file, else ckpt.bin"},
			&cli.StringFlag{Name: "log", Usage: "log `FILE`", DefaultText: "the checkpoint's name with .jsonl"},
			byNumberFlag, jsonFlag, workersFlag, quietFlag,
		},
		Action: runTrain,
	}
}

// trainOptions are the flags that are fields of train.Options. set says which
// of them to take.
func trainOptions(c *cli.Context, o *train.Options, set func(name string) bool) {
	for name, at := range map[string]any{
		"solver": &o.Solver, "rate": &o.Rate, "momentum": &o.Momentum, "beta1": &o.Beta1, "beta2": &o.Beta2, "decay": &o.Decay,
		"epsilon": &o.Epsilon, "batch": &o.Batch, "steps": &o.Steps, "epochs": &o.Epochs, "seed": &o.Seed, "weight-decay": &o.WeightDecay,
		"label-smoothing": &o.LabelSmoothing, "schedule": &o.Schedule, "drop-every": &o.DropEvery, "drop-factor": &o.DropFactor,
		"warmup": &o.Warmup, "max-filter-rms": &o.MaxFilterRMS, "flip": &o.Flip, "balance": &o.Balance, "crop": &o.Crop, "eval-every": &o.EvalEvery,
		"eval-train": &o.EvalTrain, "checkpoint-every": &o.CheckpointEvery,
	} {
		if !set(name) {
			continue
		}
		switch at := at.(type) {
		case *string:
			*at = c.String(name)
		case *float64:
			*at = c.Float64(name)
		case *int:
			*at = c.Int(name)
		case *uint64:
			*at = c.Uint64(name)
		case *bool:
			*at = c.Bool(name)
		}
	}
}

// dataChoices are the flags that choose among the images of a data set; a
// training that goes on takes the same ones.
var dataChoices = []string{"data-seed", "limit", "hold-out"}

// choices are the data choices as text, for the state of the training.
func choices(c *cli.Context) string {
	m := map[string]any{}
	for _, name := range dataChoices {
		m[name] = c.Value(name)
	}
	text, err := json.Marshal(m) // sorts by name
	if err != nil {
		return ""
	}
	return string(text)
}

// recallChoices sets the data choices as they were.
func recallChoices(c *cli.Context, text string) error {
	if text == "" {
		return nil
	}
	var m map[string]json.Number
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return fmt.Errorf("choice of images in the checkpoint: %w", err)
	}
	for _, name := range dataChoices {
		if v, ok := m[name]; ok && !c.IsSet(name) {
			if err := c.Set(name, v.String()); err != nil {
				return fmt.Errorf("choice of images in the checkpoint: %s: %w", name, err)
			}
		}
	}
	return nil
}

// changed tells whether a flag changes how training goes on.
func changed(c *cli.Context) bool {
	var any bool
	trainOptions(c, new(train.Options), func(name string) bool {
		any = any || c.IsSet(name)
		return false
	})
	return any || c.IsSet("data") || slices.ContainsFunc(dataChoices, c.IsSet)
}

func runTrain(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage("viz train takes no arguments, got "+c.Args().First(), "name the data with --data, a checkpoint to go on from with --resume")
	}
	if c.IsSet("steps") && c.IsSet("epochs") {
		return usage("both --steps and --epochs are given", "use one of them")
	}
	resume, altered := c.String("resume"), changed(c)
	out := c.String("out")
	if out == "" {
		if out = resume; out == "" {
			out = "ckpt.bin"
		}
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()

	var net *model.Network
	var state *model.State
	var o train.Options
	spec := c.String("data")
	if resume != "" {
		for _, name := range []string{"arch", "width", "keep", "init", "size", "plain", "seed", "solver"} {
			if c.IsSet(name) {
				return usage("--"+name+" cannot change in training that goes on", "leave it out, or start anew without --resume")
			}
		}
		var err error
		if net, state, err = model.LoadState(resume); err != nil {
			return err
		}
		if o, err = train.Resume(state); err != nil {
			return hinted(err, "numbered copies hold weights only: resume the main checkpoint")
		}
		trainOptions(c, &o, c.IsSet)
		if c.IsSet("epochs") {
			o.Steps = 0
		}
		if err := recallChoices(c, o.Note); err != nil {
			return err
		}
		if spec == "" {
			spec = net.Origin.Data
		}
	} else {
		trainOptions(c, &o, func(string) bool { return true })
		if spec == "" {
			spec = "shapes"
		}
	}
	// What can be wrong on the command line is wrong before the data is read.
	if _, err := o.Resolve(1 << 20); err != nil {
		return usageErr(err)
	}
	if !slices.Contains(model.Arches(), c.String("arch")) {
		return usageErr(&model.UnknownName{What: "architecture", Name: c.String("arch"), Nearest: model.Arches()})
	}
	if err := outFile(c, out, "--out"); err != nil {
		return err
	}
	if logName(c, out) == out {
		return usage("checkpoint and log are one file, "+out, "give another --out or --log")
	}
	for _, path := range []string{out, logName(c, out)} {
		unlock, err := lock(c, path)
		if err != nil {
			return err
		}
		defer unlock()
	}

	data, err := openData(c, spec)
	if err != nil {
		return err
	}
	sets, err := trainSets(c, data)
	if err != nil {
		return err
	}
	var to *classes.Mapping // of the data's classes to those of a network that is resumed
	if net == nil {
		if net, err = freshNetwork(c, sets[0], data.Classes); err != nil {
			return err
		}
	} else if to, err = mapClasses(c, net, data.Classes); err != nil {
		return err
	} else if to.Note != "" {
		note(c, "%s", to.Note)
	}
	need, sample, err := needed(data, sets[0], state, o)
	if err != nil {
		return err
	}
	images, err := decodeSome(c, engine, net, sets, need)
	if err != nil {
		return err
	}
	if to != nil {
		for _, m := range images {
			m.Labels = to.Labels(m.Labels)
		}
	}
	if resume == "" {
		measure(net, &train.Memory{Size: images[0].Size, Bytes: images[0].Bytes[:sample*images[0].Size]}, !c.Bool("plain"))
	}
	command := "viz " + strings.Join(os.Args[1:], " ")
	if resume != "" {
		command = net.Origin.Command // what was resumed without a change leaves no trace, as if there had been no break
		if altered {
			command += " && viz " + strings.Join(os.Args[1:], " ")
		}
	}
	net.Origin = model.Origin{Arch: net.Origin.Arch, Data: spec, Tool: "viz " + version(), Command: command}
	o.Note = choices(c)
	if o, err = o.Resolve(images[0].Len()); err != nil {
		return usageErr(err)
	}
	if resume == "" && c.String("arch") == "small" && !c.IsSet("warmup") {
		// Its first dense layer has thousands of inputs that are all positive: at the
		// full rate Adam's first steps move them together and the rectifiers die.
		o.Warmup = min(100, o.Steps/4)
	}
	if state != nil && state.Step >= o.Steps {
		return usage(fmt.Sprintf("%s is at step %d of %d: nothing is left to do", resume, state.Step, o.Steps), "give more with --steps")
	}
	return trainAndLog(c, engine, net, images, state, o, out)
}

// trainSets returns training and test set; the latter may be empty.
func trainSets(c *cli.Context, data *dataset.Data) ([2]*dataset.Set, error) {
	sets := [2]*dataset.Set{data.Train, data.Test}
	if data.Train.Len() == 0 {
		return sets, fmt.Errorf("data set %s has no training images", data.Name)
	}
	// Choices are by a fixed seed, so that training can go on with the same.
	choose := func(n int) []int { return rand.New(rand.NewPCG(1, 3)).Perm(n) }
	share := c.Float64("hold-out")
	if !(share >= 0 && share < 1) {
		return sets, usage(fmt.Sprintf("--hold-out is %g, want 0 to 1", share), "0.1 tests on a tenth of the images")
	}
	if hold := int(share * float64(data.Train.Len())); data.Test.Len() == 0 && hold > 0 {
		order := choose(data.Train.Len())
		held, kept := order[:hold], order[hold:]
		slices.Sort(held)
		slices.Sort(kept)
		sets = [2]*dataset.Set{data.Train.Subset("train", kept), data.Train.Subset("test", held)}
		note(c, "%s has no test images: testing on %d of the %d training images, which are left out of training", data.Name, hold, data.Train.Len())
	}
	for i, s := range sets {
		if limit := c.Int("limit"); limit > 0 && limit < s.Len() {
			some := choose(s.Len())[:limit]
			slices.Sort(some)
			sets[i] = s.Subset(s.Split(), some)
		}
	}
	return sets, nil
}

// freshNetwork builds an untrained network that fits the images.
func freshNetwork(c *cli.Context, set *dataset.Set, classes []string) (*model.Network, error) {
	ch, h, w := set.Shape()
	if ch == 0 {
		ch = 3
	}
	if size := c.Int("size"); size > 0 {
		h, w = size, size
	}
	if h == 0 {
		return nil, usage("the images are of various sizes", "say with --size 64 how large the network's input shall be")
	}
	net, err := model.Build(c.String("arch"), model.ArchOptions{Input: model.Input{C: ch, H: h, W: w}, Classes: classes,
		Keep: c.Float64("keep"), Width: c.Float64("width"), Init: c.String("init"), Seed: c.Uint64("seed")})
	if err != nil {
		return nil, usageErr(err)
	}
	net.Preprocess.Scale = 1.0 / 255
	return net, nil
}

// needed lists the training images that a training looks at, and says on how many, from the first, the mean of
// the pixels is measured: of a generated set only what is used is drawn, of others all are read (nil).
func needed(data *dataset.Data, set *dataset.Set, state *model.State, o train.Options) (used []bool, sample int, err error) {
	if !data.Generated {
		return nil, set.Len(), nil
	}
	if o, err = o.Resolve(set.Len()); err != nil {
		return nil, 0, usageErr(err)
	}
	first := 0
	if state != nil {
		first = min(state.Step, o.Steps)
	}
	used, sample = train.Used(o, set.Len(), first), min(set.Len(), 2000)
	if state == nil {
		for i := range sample {
			used[i] = true
		}
	}
	return used, sample, nil
}

// decodeSets decodes all images once, to bytes in the network's input size.
func decodeSets(c *cli.Context, engine *model.Engine, net *model.Network, sets [2]*dataset.Set) (out [2]*train.Memory, err error) {
	return decodeSome(c, engine, net, sets, nil)
}

// decodeSome is decodeSets, of the training images only those in used; the others stay black. nil: all.
func decodeSome(c *cli.Context, engine *model.Engine, net *model.Network, sets [2]*dataset.Set, used []bool) (out [2]*train.Memory, err error) {
	in := net.Input
	size := in.Shape().Len()
	total := sets[0].Len() + sets[1].Len()
	if int64(total) > 8<<30/int64(size) || int64(total)*int64(size) > math.MaxInt {
		return out, hinted(fmt.Errorf("%d images of %v take %d MB in memory", total, in.Shape(), total*size>>20), "choose a smaller --size or a --limit")
	}
	step, end := progress(c, "decoding")
	defer end()
	before := 0
	for s, set := range sets {
		m := &train.Memory{Size: size, Bytes: make([]uint8, set.Len()*size), Labels: make([]int, set.Len())}
		out[s] = m
		const chunk = 256
		for from := 0; from < set.Len(); from += chunk {
			if err := c.Context.Err(); err != nil {
				return out, err
			}
			n := min(chunk, set.Len()-from)
			var failed atomic.Pointer[error]
			engine.Kernel().For(n, func(j int) {
				i := from + j
				if m.Labels[i] = set.Label(i); s == 0 && used != nil && !used[i] {
					return
				}
				item, err := set.Item(i)
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				model.Planar(net.Preprocess.Fit(item.Image, in.H, in.W), in.C, net.Preprocess.BGR, m.Bytes[i*size:(i+1)*size])
			})
			if err := failed.Load(); err != nil {
				return out, *err
			}
			if step != nil {
				step(before+from+n, total)
			}
		}
		before += set.Len()
	}
	return out, nil
}

// measure records mean and, to divide by, deviation of the training pixels.
func measure(net *model.Network, m *train.Memory, standardize bool) {
	p := &net.Preprocess
	plane := net.Input.H * net.Input.W
	for ch := range net.Input.C {
		var sum, squares, n int
		for i := ch * plane; i < len(m.Bytes); i += m.Size {
			for _, v := range m.Bytes[i : i+plane] {
				sum += int(v)
				squares += int(v) * int(v)
			}
			n += plane
		}
		mean := float64(sum) / float64(n)
		deviation := math.Sqrt(max(float64(squares)/float64(n)-mean*mean, 0))
		if deviation < 1 {
			deviation = 1 // a channel that never changes
		}
		p.DataMean = append(p.DataMean, float32(mean))
		if standardize {
			p.Mean, p.Std = append(p.Mean, float32(mean/255)), append(p.Std, float32(deviation/255))
		}
	}
}

// trainAndLog trains, shows how it goes, and writes checkpoints and the log.
func trainAndLog(c *cli.Context, engine *model.Engine, net *model.Network, images [2]*train.Memory, state *model.State, o train.Options, out string) error {
	first := 0
	if state != nil {
		first = state.Step
	}
	log, err := openLog(c, out, first)
	if err != nil {
		return err
	}
	defer log.Close()
	head := map[string]any{"command": "viz " + strings.Join(os.Args[1:], " "), "tool": net.Origin.Tool, "network": net.Name, "data": net.Origin.Data,
		"train_images": images[0].Len(), "test_images": images[1].Len(), "from_step": first, "options": o}
	if err := log.line(head); err != nil {
		return err
	}
	note(c, "training %s on %s: %d images, %d to test on; %d steps of %d images", net.Name, net.Origin.Data, images[0].Len(), images[1].Len(), o.Steps, o.Batch)

	base := strings.TrimSuffix(out, filepath.Ext(out))
	numbered := func(net *model.Network, step int) error {
		return model.Save(fmt.Sprintf("%s-%06d%s", base, step, filepath.Ext(out)), net, nil)
	}
	if c.Bool("keep-checkpoints") && first == 0 {
		if err := numbered(net, 0); err != nil {
			return err
		}
	}
	live := newLive(c, first*o.Batch)
	var last train.Report
	var logErr error
	saved := -1
	_, _, err = train.Run(c.Context, engine, net, images[0], images[1], state, o, train.Hooks{
		Progress: func(r train.Report) {
			live.show(r)
			if r.Train != nil || r.Test != nil {
				last = r
			}
			if err := log.report(r, live.rate, live.elapsed()); err != nil && logErr == nil {
				logErr = err
			}
		},
		Checkpoint: func(net *model.Network, state *model.State) error {
			if err := model.Save(out, net, state); err != nil {
				return err
			}
			saved = state.Step
			if c.Bool("keep-checkpoints") {
				return numbered(net, state.Step)
			}
			return nil
		},
	})
	live.end()
	var diverged *train.Diverged
	switch {
	case errors.As(err, &diverged):
		return hinted(err, fmt.Sprintf("--rate %g, or --warmup 100", diverged.Lower()))
	case err != nil:
		if saved >= 0 && errors.Is(err, context.Canceled) {
			note(c, "step %d is in %s: viz train --resume %s goes on from there", saved, out, out)
		}
		return err
	case logErr != nil:
		return logErr
	}
	result := trainResult{Checkpoint: out, Step: o.Steps, Loss: last.Loss}
	if last.Train != nil {
		result.TrainAccuracy = &last.Train.Accuracy
	}
	if last.Test != nil {
		result.TestAccuracy, result.TestLoss = &last.Test.Accuracy, finite(last.Test.Loss)
	}
	if c.Bool("json") {
		return printJSON(c, result)
	}
	if last.Test != nil {
		note(c, "test accuracy %.4f on %d images", last.Test.Accuracy, last.Test.Images)
		if chance := 1 / float64(len(net.Classes)); last.Test.Accuracy <= 1.1*chance {
			note(c, "that is no better than chance: have the rectifiers died? Try a smaller --rate, or a longer --warmup")
		}
	}
	wrote(c, out)
	return nil
}

// trainResult is the JSON form of viz train.
type trainResult struct {
	Checkpoint    string   `json:"checkpoint"`
	Step          int      `json:"step"`
	Loss          float64  `json:"loss"`
	TrainAccuracy *float64 `json:"train_accuracy,omitempty"`
	TestAccuracy  *float64 `json:"test_accuracy,omitempty"`
	TestLoss      *float64 `json:"test_loss,omitempty"`
}

// trainLog is the log: a line for each start (command and options), then one
// for each report, each written at once.
type trainLog struct{ *os.File }

// logName is the log of a training into the checkpoint out.
func logName(c *cli.Context, out string) string {
	if path := c.String("log"); path != "" {
		return path
	}
	return strings.TrimSuffix(out, filepath.Ext(out)) + ".jsonl"
}

// openLog opens the log for appending. Lines of steps that a resumed training
// takes again are dropped; a new training starts a new log.
func openLog(c *cli.Context, out string, first int) (*trainLog, error) {
	path := logName(c, out)
	var keep []byte
	if first > 0 {
		old, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		lines := bufio.NewScanner(bytes.NewReader(old))
		lines.Buffer(nil, len(old)+1)
		for lines.Scan() {
			var l struct {
				Step int `json:"step"`
				From int `json:"from_step"`
			}
			if json.Unmarshal(lines.Bytes(), &l) == nil && l.Step <= first && l.From < first {
				keep = append(append(keep, lines.Bytes()...), '\n')
			}
		}
	}
	fail := func(err error) (*trainLog, error) {
		return nil, hinted(fmt.Errorf("log: %w", err), "choose another place with --log")
	}
	if err := imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(keep); return err }); err != nil {
		return fail(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fail(err)
	}
	return &trainLog{f}, nil
}

func (l *trainLog) line(v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = l.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

func (l *trainLog) report(r train.Report, rate float64, elapsed time.Duration) error {
	line := map[string]any{"step": r.Step, "epoch": r.Epoch, "images": r.Images, "loss": r.Loss, "rate": r.Rate,
		"images_per_second": math.Round(rate), "seconds": math.Round(elapsed.Seconds()*10) / 10}
	for name, s := range map[string]*train.Score{"train": r.Train, "test": r.Test} {
		if s != nil {
			line[name+"_accuracy"], line[name+"_loss"] = s.Accuracy, finite(s.Loss)
		}
	}
	return l.line(line)
}

// finite is v as JSON has it: without infinities and NaN.
func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}

// live shows how training goes: on a terminal one line that changes, elsewhere
// a line when accuracy was measured and at least every half minute.
type live struct {
	w           io.Writer
	quiet, term bool
	start       time.Time
	shown       time.Time
	since       time.Time // images are counted from here, without the time measuring takes
	images      int
	rate        float64 // images per second
	train, test string
}

func newLive(c *cli.Context, images int) *live {
	l := &live{w: c.App.ErrWriter, quiet: c.Bool("quiet"), start: time.Now(), images: images}
	l.since, l.shown = l.start, l.start
	f, ok := l.w.(*os.File)
	l.term = ok && isatty.IsTerminal(f.Fd())
	return l
}

func (l *live) elapsed() time.Duration { return time.Since(l.start) }

func (l *live) show(r train.Report) {
	now := time.Now()
	if d := now.Sub(l.since).Seconds(); d > 0 {
		// The report with a measurement comes after it, so its time would count as training's.
		if measured := r.Train != nil || r.Test != nil; !measured || l.rate == 0 {
			rate := float64(r.Images-l.images) / d
			if l.rate == 0 {
				l.rate = rate
			}
			l.rate += 0.2 * (rate - l.rate)
		}
	}
	l.since, l.images = now, r.Images
	measured := false
	if r.Train != nil {
		l.train, measured = fmt.Sprintf("  train %.3f", r.Train.Accuracy), true
	}
	if r.Test != nil {
		l.test, measured = fmt.Sprintf("  test %.3f", r.Test.Accuracy), true
	}
	wait := 30 * time.Second
	if l.term {
		wait = 100 * time.Millisecond
	}
	if l.quiet || now.Sub(l.shown) < wait && !measured && r.Step != r.Steps {
		return
	}
	l.shown = now
	left := ""
	if batch := float64(r.Images) / float64(r.Step); l.rate > 0 && r.Step < r.Steps {
		left = "  " + (time.Duration(float64(r.Steps-r.Step) * batch / l.rate * float64(time.Second))).Round(time.Second).String() + " left"
	}
	line := fmt.Sprintf("viz: step %d of %d  epoch %.1f  loss %.4f%s%s  %.0f images/s%s", r.Step, r.Steps, r.Epoch, r.Loss, l.train, l.test, l.rate, left)
	if l.term {
		fmt.Fprint(l.w, "\r\x1b[K"+line)
	} else {
		fmt.Fprintln(l.w, line)
	}
}

// end leaves the last line standing.
func (l *live) end() {
	if l.term && !l.quiet && l.shown != l.start {
		fmt.Fprintln(l.w)
	}
}
