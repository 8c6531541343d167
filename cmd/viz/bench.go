package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/bench"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// benchmark is one run: its network and engine, and how long to measure.
type benchmark struct {
	*cmdline.Run
	model, layerName      string
	level                 string
	threads, least, batch int
	units, steps, images  int
	patch, stride         int
	positions             int
	budget, fill          float64
	exact                 bool
	method                string
	rule                  deconv.Rule
	net                   *model.Network
	engine                *model.Engine
	simulate              int
	schedule              *bench.Schedule // if simulated
	name                  string
}

func benchCommand() cmdline.Command {
	sub := func(name, usage, example string, action func(*benchmark) error, fields func(b *benchmark) view.Fields) cmdline.Command {
		b := &benchmark{}
		return cmdline.Command{Name: name, Usage: usage, Examples: []string{"viz bench " + name + " --threads 2", example},
			Fields: append(view.Fields{
				view.TextField(view.Field{Name: "model", Also: []string{"m"}, Default: "lenet", Usage: "network: lenet, a built-in name, or a `FILE`"}, &b.model),
				view.RangeField(view.Field{Name: "threads", Default: "1", Usage: "workers"}, &b.threads, 0, view.MostWorkers),
				view.NumberField(view.Field{Name: "budget", Default: "5", Usage: "`SECONDS` to measure for"}, &b.budget),
				view.IntField(view.Field{Name: "least", Default: "3", Usage: "fewest measured runs"}, &b.least, 1),
				view.TextField(view.Field{Name: "level", Usage: "`LEVEL` of the kernels: " + strings.Join(bench.Levels(), ", ") + "; default: the first"}, &b.level),
				view.RangeField(view.Field{Name: "simulate", Default: "0", Usage: "time each task alone, and say how `WORKERS` would share them, layer by layer for forward. 0: no"}, &b.simulate, 0, view.MostWorkers),
			}, fields(b)...),
			Do: func(c *cmdline.Run) error {
				if err := b.open(c); err != nil {
					return err
				}
				defer b.engine.Close()
				restore, err := bench.UseLevel(b.level)
				if err != nil {
					return cmdline.UsageErr(err)
				}
				defer restore()
				return action(b)
			}}
	}
	whole := func(name, def, usage string, dst *int, least int) view.Field {
		return view.IntField(view.Field{Name: name, Default: def, Usage: usage}, dst, least)
	}
	exact := func(b *benchmark) view.Field {
		return view.SwitchField(view.Field{Name: "exact", Usage: "direct convolutions only, no Winograd"}, &b.exact)
	}
	layer := func(b *benchmark) view.Field {
		return view.TextField(view.Field{Name: "layer", Usage: "`LAYER` by number, name, block or module (3, relu3, block2, layer4.1); default: the last block or convolution before the scores"}, &b.layerName)
	}
	return cmdline.Command{
		Name: "bench", Usage: "time the engine; one JSON line a result: task, model, params, threads, median_s, min_s, checksum",
		Form:  "viz bench forward|occlude|deconv|train|scan [flags]",
		About: "The input is a hash of the element index, so that checksums can be compared with other programs'.",
		Commands: []cmdline.Command{
			sub("forward", "class scores of a batch", "viz bench forward --model vgg16.onnx --batch 8", (*benchmark).forward,
				func(b *benchmark) view.Fields {
					return view.Fields{whole("batch", "1", "images", &b.batch, 1), exact(b)}
				}),
			sub("occlude", "an occlusion map", "viz bench occlude --model alexnet.onnx --patch 16 --stride 4", (*benchmark).occlude,
				func(b *benchmark) view.Fields {
					return view.Fields{whole("patch", "16", "pixels", &b.patch, 1), whole("stride", "4", "pixels", &b.stride, 1),
						view.NumberField(view.Field{Name: "fill", Default: "0", Usage: "value in network units"}, &b.fill),
						view.TextField(view.Field{Name: "method", Default: "fast", Usage: "fast, box, brute, or both: fast and brute"}, &b.method),
						whole("positions", "0", "positions that brute force is timed on, evenly spread; its time is scaled. 0: all", &b.positions, 0)}
				}),
			sub("deconv", "forward pass and projection of the strongest unit of each of the first maps", "viz bench deconv --model vgg16.onnx --layer 7 --units 64", (*benchmark).deconv,
				func(b *benchmark) view.Fields {
					return view.Fields{layer(b), whole("units", "64", "feature maps", &b.units, 1), view.RuleField(&b.rule)}
				}),
			sub("train", "a training step of lenet: batch 100, Adam 1e-4, dropout 0.5", "viz bench train --steps 10", (*benchmark).train,
				func(b *benchmark) view.Fields {
					return view.Fields{whole("steps", "5", "steps per timing", &b.steps, 1)}
				}),
			sub("scan", "the nine strongest activations of every map of a layer", "viz bench scan --model vgg16.onnx --layer 7 --images 64", (*benchmark).scan,
				func(b *benchmark) view.Fields {
					return view.Fields{layer(b), whole("images", "64", "images", &b.images, 1), whole("batch", "8", "images a pass", &b.batch, 1), exact(b)}
				}),
		},
	}
}

// benchLine is one result.
type benchLine struct {
	Peer     string         `json:"peer"`
	Task     string         `json:"task"`
	Model    string         `json:"model"`
	Params   map[string]any `json:"params"`
	Threads  int            `json:"threads"`
	Level    string         `json:"level"`
	Median   float64        `json:"median_s"`
	Min      float64        `json:"min_s"`
	Checksum float64        `json:"checksum"`
}

func (b *benchmark) open(c *cmdline.Run) (err error) {
	b.Run, b.name = c, strings.TrimSuffix(filepath.Base(b.model), filepath.Ext(b.model))
	if b.model == "lenet" {
		b.net, err = bench.LeNet()
	} else {
		b.net, err = cmdline.OpenModel(c.Context, b.model)
	}
	if err == nil {
		b.engine = model.NewEngine(b.threads)
	}
	if b.schedule = nil; err == nil && b.simulate > 0 {
		b.schedule = bench.NewSchedule(b.engine, b.simulate, clock())
	}
	return err
}

// clock is the time in seconds.
func clock() func() float64 {
	start := time.Now()
	return func() float64 { return time.Since(start).Seconds() }
}

// measure times a task until the budget is spent, and prints the line.
func (b *benchmark) measure(t *bench.Task, err error) error {
	if err != nil {
		return err
	}
	if b.schedule != nil {
		return b.share(t)
	}
	times, checksum, err := t.Measure(b.Context, b.least, b.budget, clock())
	if err != nil {
		return err
	}
	return b.print(t.Name, t.Params, times, checksum)
}

func (b *benchmark) print(task string, params map[string]any, times []float64, checksum float64) error {
	slices.Sort(times)
	return json.NewEncoder(b.Stdout).Encode(benchLine{Peer: "viz " + b.Version, Task: task, Model: b.name, Params: params,
		Threads: b.engine.Workers(), Level: bench.Level(), Median: times[len(times)/2], Min: times[0], Checksum: checksum})
}

// share prints how the simulated workers would share a task: a line a layer, and one of all.
func (b *benchmark) share(t *bench.Task) error {
	layers, err := b.schedule.Measure(b.Context, t, b.least)
	if err != nil {
		return err
	}
	for _, l := range b.schedule.Shares(t, b.name, layers) {
		if err := json.NewEncoder(b.Stdout).Encode(l); err != nil {
			return err
		}
	}
	return nil
}
