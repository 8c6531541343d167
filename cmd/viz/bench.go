package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/model/train"
	"github.com/urfave/cli/v2"
)

func benchCommand() *cli.Command {
	common := []cli.Flag{
		&cli.StringFlag{Name: "model", Aliases: []string{"m"}, Value: "lenet", Usage: "network: lenet, a built-in name, or a `FILE`"},
		&cli.IntFlag{Name: "threads", Value: 1, Usage: "workers"},
		&cli.Float64Flag{Name: "budget", Value: 5, Usage: "`SECONDS` to measure for"},
		&cli.IntFlag{Name: "least", Value: 3, Usage: "fewest measured runs"},
	}
	sub := func(name, what, example string, action func(*cli.Context, *bench) error, flags ...cli.Flag) *cli.Command {
		return &cli.Command{Name: name, Usage: what, UsageText: "viz bench " + name + " [flags]", Flags: append(slices.Clone(common), flags...),
			Description: examples("viz bench "+name+" --threads 2", example),
			Action: func(c *cli.Context) error {
				if c.NArg() > 0 {
					return usage("viz bench "+name+" takes no arguments, got "+c.Args().First(), "")
				}
				b, err := newBench(c)
				if err != nil {
					return err
				}
				defer b.engine.Close()
				return action(c, b)
			}}
	}
	layer := &cli.StringFlag{Name: "layer", Usage: "`LAYER` by number, name, block or module (3, relu3, block2, layer4.1); default: the last block or convolution before the scores"}
	return &cli.Command{
		Name: "bench", Usage: "time the engine; one JSON line a result: task, model, params, threads, median_s, min_s, checksum",
		UsageText:   "viz bench forward|occlude|deconv|train|scan [flags]",
		Description: "The input is a hash of the element index, so that checksums can be compared with other programs'.",
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowSubcommandHelp(c)
			}
			return usage("there is no command bench "+c.Args().First(), "there are forward, occlude, deconv, train, scan")
		},
		Subcommands: []*cli.Command{
			sub("forward", "class scores of a batch", "viz bench forward --model vgg16.onnx --batch 8", benchForward, &cli.IntFlag{Name: "batch", Value: 1, Usage: "images"},
				&cli.BoolFlag{Name: "exact", Usage: "direct convolutions only, no Winograd"}),
			sub("occlude", "an occlusion map", "viz bench occlude --model alexnet.onnx --patch 16 --stride 4", benchOcclude,
				&cli.IntFlag{Name: "patch", Value: 16, Usage: "pixels"}, &cli.IntFlag{Name: "stride", Value: 4, Usage: "pixels"},
				&cli.Float64Flag{Name: "fill", Usage: "value in network units"},
				&cli.StringFlag{Name: "method", Value: "fast", Usage: "fast, box, brute, or both: fast and brute"},
				&cli.IntFlag{Name: "positions", Usage: "positions that brute force is timed on, evenly spread; its time is scaled. 0: all"}),
			sub("deconv", "forward pass and projection of the strongest unit of each of the first maps", "viz bench deconv --model vgg16.onnx --layer 7 --units 64", benchDeconv,
				layer, &cli.IntFlag{Name: "units", Value: 64, Usage: "feature maps"}, &cli.StringFlag{Name: "rule", Value: "deconv", Usage: "see viz deconv"}),
			sub("train", "a training step of lenet: batch 100, Adam 1e-4, dropout 0.5", "viz bench train --steps 10", benchTrain,
				&cli.IntFlag{Name: "steps", Value: 5, Usage: "steps per timing"}),
			sub("scan", "the nine strongest activations of every map of a layer", "viz bench scan --model vgg16.onnx --layer 7 --images 64", benchScan,
				layer, &cli.IntFlag{Name: "images", Value: 64, Usage: "images"}, &cli.IntFlag{Name: "batch", Value: 8, Usage: "images a pass"},
				&cli.BoolFlag{Name: "exact", Usage: "direct convolutions only, no Winograd"}),
		},
	}
}

// bench is one benchmark: its network and engine, and how long to measure.
type bench struct {
	c      *cli.Context
	net    *model.Network
	engine *model.Engine
	name   string
}

// benchLine is one result.
type benchLine struct {
	Peer     string         `json:"peer"`
	Task     string         `json:"task"`
	Model    string         `json:"model"`
	Params   map[string]any `json:"params"`
	Threads  int            `json:"threads"`
	Median   float64        `json:"median_s"`
	Min      float64        `json:"min_s"`
	Checksum float64        `json:"checksum"`
}

func newBench(c *cli.Context) (*bench, error) {
	name := c.String("model")
	b := &bench{c: c, name: strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))}
	var err error
	if name == "lenet" {
		b.net, err = model.Build("lenet5", model.ArchOptions{Input: model.Input{C: 1, H: 28, W: 28}, Classes: strings.Split("0123456789", ""), Keep: 0.5, Seed: 1})
	} else {
		b.net, err = openModel(name)
	}
	if err != nil {
		return nil, err
	}
	b.engine = model.NewEngine(c.Int("threads"))
	return b, nil
}

// hashNoise is noise of unit variance, the same in every language: a 32-bit
// hash of the index, mapped to [-sqrt 3, sqrt 3).
func hashNoise(shape ...int) *tensor.Tensor {
	x := tensor.New(shape...)
	for i := range x.Data {
		h := uint32(i+1) * 2654435761
		h ^= h >> 16
		h *= 0x85ebca6b
		h ^= h >> 13
		x.Data[i] = float32((float64(h)/(1<<32)*2 - 1) * math.Sqrt(3))
	}
	return x
}

func (b *bench) input(n int) *tensor.Tensor {
	return hashNoise(n, b.net.Input.C, b.net.Input.H, b.net.Input.W)
}

// measure times run until the budget is spent, after one run that does not
// count, and prints the line.
func (b *bench) measure(task string, params map[string]any, run func() (checksum float64, err error)) error {
	if _, err := run(); err != nil {
		return err
	}
	var times []float64
	var checksum float64
	end := time.Now().Add(time.Duration(b.c.Float64("budget") * float64(time.Second)))
	for len(times) < b.c.Int("least") || time.Now().Before(end) && len(times) < 200 {
		if err := b.c.Context.Err(); err != nil {
			return err
		}
		start := time.Now()
		sum, err := run()
		if err != nil {
			return err
		}
		times, checksum = append(times, time.Since(start).Seconds()), sum
	}
	return b.print(task, params, times, checksum)
}

func (b *bench) print(task string, params map[string]any, times []float64, checksum float64) error {
	slices.Sort(times)
	return json.NewEncoder(b.c.App.Writer).Encode(benchLine{Peer: "viz " + version(), Task: task, Model: b.name, Params: params,
		Threads: b.engine.Workers(), Median: times[len(times)/2], Min: times[0], Checksum: checksum})
}

func sumAbs(v []float32) (s float64) {
	for _, x := range v {
		s += math.Abs(float64(x))
	}
	return s
}

func benchForward(c *cli.Context, b *bench) error {
	out := b.net.Logits
	if out == "" {
		out = b.net.Output()
	}
	plan, err := b.engine.Compile(b.net, model.Keep{Layers: []string{out}, Fast: !c.Bool("exact")})
	if err != nil {
		return err
	}
	if c.Int("batch") < 1 {
		return usage("--batch must be at least 1", "")
	}
	x := b.input(c.Int("batch"))
	t := new(model.Trace)
	return b.measure("forward", map[string]any{"batch": c.Int("batch"), "exact": c.Bool("exact")}, func() (float64, error) {
		if err := plan.RunInto(t, x); err != nil {
			return 0, err
		}
		return sumAbs(t.Value(out).Data), nil
	})
}

func (b *bench) layer() (string, error) {
	spec := b.c.String("layer")
	if spec == "" {
		return b.net.LastFeatures()
	}
	name, err := b.net.Resolve(spec)
	if err != nil {
		return "", usageErr(err)
	}
	return name, nil
}

func benchDeconv(c *cli.Context, b *bench) error {
	layer, err := b.layer()
	if err != nil {
		return err
	}
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return usageErr(err)
	}
	p := deconv.New(b.engine, b.net, rule)
	keep, err := p.Keep(layer)
	if err != nil {
		return err
	}
	plan, err := b.engine.Compile(b.net, keep)
	if err != nil {
		return err
	}
	x := b.input(1)
	return b.measure("deconv", map[string]any{"layer": layer, "units": c.Int("units"), "rule": rule}, func() (float64, error) {
		t, err := plan.Run(x)
		if err != nil {
			return 0, err
		}
		s := t.Shapes[layer]
		v := t.Value(layer).Data
		var targets []deconv.Target
		for k := range min(c.Int("units"), s.C) {
			at := tensor.ArgMax(v[k*s.H*s.W : (k+1)*s.H*s.W])
			targets = append(targets, deconv.Target{Unit: model.Unit{Layer: layer, Channel: k, Y: at / s.W, X: at % s.W}})
		}
		projections, err := p.ProjectAll(c.Context, t, targets)
		if err != nil {
			return 0, err
		}
		var sum float64
		for _, p := range projections {
			sum += sumAbs(p.Pixels)
		}
		return sum, nil
	})
}

func benchTrain(c *cli.Context, b *bench) error {
	if b.name != "lenet" {
		return usage("viz bench train trains lenet only", "")
	}
	steps := c.Int("steps")
	if steps < 1 {
		return usage("--steps must be at least 1", "")
	}
	// The noise as bytes, and a preprocessing that takes them back to it.
	root3 := float32(math.Sqrt(3))
	b.net.Preprocess = model.Preprocess{Scale: root3 / 127.5, Mean: []float32{root3}}
	in := b.net.Input
	images := &train.Memory{Size: in.C * in.H * in.W, Bytes: make([]uint8, 100*in.C*in.H*in.W), Labels: make([]int, 100)}
	for i, v := range b.input(100).Data {
		images.Bytes[i] = uint8((float64(v)/math.Sqrt(3) + 1) * 127.5)
	}
	for i := range images.Labels {
		images.Labels[i] = i % 10
	}
	// The clock is read between reports; the first two stretches warm up.
	rounds := max(c.Int("least"), 10) + 2
	var times []float64
	var loss float64
	last := time.Now()
	_, _, err := train.Run(c.Context, b.engine, b.net, images, nil, nil,
		train.Options{Rate: 1e-4, Batch: 100, Steps: rounds * steps, LogEvery: steps, EvalEvery: -1, EvalTrain: -1},
		train.Hooks{Progress: func(r train.Report) {
			now := time.Now()
			times = append(times, now.Sub(last).Seconds()/float64(steps))
			last, loss = now, r.Loss
		}})
	if err != nil {
		return err
	}
	return b.print("train", map[string]any{"batch": 100, "steps": steps}, times[2:], loss)
}

// noiseImages serves a few images of noise over and over.
type noiseImages struct {
	pool *tensor.Tensor
	n    int
}

func (s noiseImages) Len() int { return s.n }

func (s noiseImages) Input(i int, dst []float32) error {
	i %= s.pool.Shape[0]
	copy(dst, s.pool.Slice(i, i+1).Data)
	return nil
}

func benchScan(c *cli.Context, b *bench) error {
	layer, err := b.layer()
	if err != nil {
		return err
	}
	n := c.Int("images")
	if n < 1 || c.Int("batch") < 1 {
		return usage("--images and --batch must be at least 1", "")
	}
	src := noiseImages{b.input(min(n, 32)), n}
	o := features.Options{Layers: []string{layer}, Batch: c.Int("batch"), Fast: !c.Bool("exact"), Hash: hash(b.net)}
	if o.Plan, err = features.Compile(b.engine, b.net, o); err != nil {
		return err
	}
	return b.measure("topk", map[string]any{"layer": layer, "images": n, "batch": c.Int("batch"), "exact": c.Bool("exact")}, func() (float64, error) {
		index, err := features.Collect(c.Context, b.engine, b.net, src, o)
		if err != nil {
			return 0, err
		}
		var sum float64
		for _, top := range index.Layers[0].Top {
			for _, h := range top {
				sum += float64(h.Value)
			}
		}
		return sum, nil
	})
}
