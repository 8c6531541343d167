package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/bench"
	"github.com/deconvnet/viz/model"
	"github.com/urfave/cli/v2"
)

func benchCommand() *cli.Command {
	common := []cli.Flag{
		&cli.StringFlag{Name: "model", Aliases: []string{"m"}, Value: "lenet", Usage: "network: lenet, a built-in name, or a `FILE`"},
		&cli.IntFlag{Name: "threads", Value: 1, Usage: "workers"},
		&cli.Float64Flag{Name: "budget", Value: 5, Usage: "`SECONDS` to measure for"},
		&cli.IntFlag{Name: "least", Value: 3, Usage: "fewest measured runs"},
	}
	sub := func(name, what, example string, action func(*cmdline.Run, *benchmark) error, flags ...cli.Flag) *cli.Command {
		return &cli.Command{Name: name, Usage: what, UsageText: "viz bench " + name + " [flags]", Flags: append(slices.Clone(common), flags...),
			Description: cmdline.Examples("viz bench "+name+" --threads 2", example),
			Action: cmdline.Action(func(c *cmdline.Run) error {
				if c.NArg() > 0 {
					return cmdline.Usage("viz bench "+name+" takes no arguments, got "+c.Args().First(), "")
				}
				b, err := newBench(c)
				if err != nil {
					return err
				}
				defer b.engine.Close()
				return action(c, b)
			})}
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
			return cmdline.Usage("there is no command bench "+c.Args().First(), "there are forward, occlude, deconv, train, scan")
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

// benchmark is one run: its network and engine, and how long to measure.
type benchmark struct {
	c      *cmdline.Run
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

func newBench(c *cmdline.Run) (*benchmark, error) {
	name := c.String("model")
	b := &benchmark{c: c, name: strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))}
	var err error
	if name == "lenet" {
		b.net, err = bench.LeNet()
	} else {
		b.net, err = cmdline.OpenModel(name)
	}
	if err != nil {
		return nil, err
	}
	b.engine = model.NewEngine(c.Int("threads"))
	return b, nil
}

// measure times a task until the budget is spent, after one run that does not
// count, and prints the line.
func (b *benchmark) measure(t *bench.Task, err error) error {
	if err != nil {
		return err
	}
	if _, err := t.Run(); err != nil {
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
		sum, err := t.Run()
		if err != nil {
			return err
		}
		times, checksum = append(times, time.Since(start).Seconds()), sum
	}
	return b.print(t.Name, t.Params, times, checksum)
}

func (b *benchmark) print(task string, params map[string]any, times []float64, checksum float64) error {
	slices.Sort(times)
	return json.NewEncoder(b.c.Stdout).Encode(benchLine{Peer: "viz " + version(), Task: task, Model: b.name, Params: params,
		Threads: b.engine.Workers(), Median: times[len(times)/2], Min: times[0], Checksum: checksum})
}

func (b *benchmark) layer() (string, error) {
	spec := b.c.String("layer")
	if spec == "" {
		return b.net.LastFeatures()
	}
	name, err := b.net.Resolve(spec)
	return name, cmdline.UsageErr(err)
}

func benchForward(c *cmdline.Run, b *benchmark) error {
	if c.Int("batch") < 1 {
		return cmdline.Usage("--batch must be at least 1", "")
	}
	return b.measure(bench.Forward(b.engine, b.net, c.Int("batch"), c.Bool("exact")))
}

func benchDeconv(c *cmdline.Run, b *benchmark) error {
	layer, err := b.layer()
	if err != nil {
		return err
	}
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return cmdline.UsageErr(err)
	}
	return b.measure(bench.Deconv(c.Context, b.engine, b.net, layer, c.Int("units"), rule))
}

func benchTrain(c *cmdline.Run, b *benchmark) error {
	if b.name != "lenet" {
		return cmdline.Usage("viz bench train trains lenet only", "")
	}
	steps := c.Int("steps")
	if steps < 1 {
		return cmdline.Usage("--steps must be at least 1", "")
	}
	// The clock is read between reports; the first two stretches warm up.
	var times []float64
	var loss float64
	last := time.Now()
	err := bench.Train(c.Context, b.engine, max(c.Int("least"), 10)+2, steps, func(l float64) {
		now := time.Now()
		times = append(times, now.Sub(last).Seconds()/float64(steps))
		last, loss = now, l
	})
	if err != nil {
		return err
	}
	return b.print("train", map[string]any{"batch": 100, "steps": steps}, times[2:], loss)
}

func benchScan(c *cmdline.Run, b *benchmark) error {
	layer, err := b.layer()
	if err != nil {
		return err
	}
	if c.Int("images") < 1 || c.Int("batch") < 1 {
		return cmdline.Usage("--images and --batch must be at least 1", "")
	}
	return b.measure(bench.Scan(c.Context, b.engine, b.net, layer, c.Int("images"), c.Int("batch"), c.Bool("exact")))
}
