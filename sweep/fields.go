package sweep

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// Settings of requests, see view.Field.

// OptionFields are the settings of a training. What is not set depends on the others, see train.Options.
func OptionFields(o *train.Options) view.Fields {
	whole := func(name, otherwise, usage string, dst *int, least int) view.Field {
		return view.IntField(view.Field{Name: name, Otherwise: otherwise, Usage: usage}, dst, least)
	}
	notZero := func(name, otherwise, usage string, dst *int, least int) view.Field {
		f := whole(name, otherwise, usage, dst, least)
		set := f.Set
		f.Set = func(net *model.Network, text string) error {
			if n, err := strconv.Atoi(text); err == nil && n == 0 {
				return &view.FieldError{Field: name, Problem: text + ": want at least 1, or -1"}
			}
			return set(net, text)
		}
		return f
	}
	number := func(name, otherwise, usage string, dst *float64) view.Field {
		return view.NumberField(view.Field{Name: name, Otherwise: otherwise, Usage: usage}, dst)
	}
	return view.Fields{
		optimizerField(o, " (rmsprop as in TensorFlow 1)"),
		number("rate", "0.001 for adam and rmsprop, else 0.01", "learning rate", &o.Rate),
		number("momentum", "0.9", "of optimizer momentum", &o.Momentum),
		number("beta1", "0.9", "of optimizer adam", &o.Beta1),
		number("beta2", "0.999", "of optimizer adam", &o.Beta2),
		number("decay", "0.9", "of optimizer rmsprop", &o.Decay),
		number("epsilon", "1e-8 for adam, 1e-10 for rmsprop", "of adam and rmsprop", &o.Epsilon),
		whole("batch", "100", "images a step", &o.Batch, 1),
		whole("steps", "as --epochs has it", "total `NUMBER` of steps", &o.Steps, 1),
		whole("epochs", "10", "passes over the training images, unless --steps is given", &o.Epochs, 1),
		view.SeedField(view.Field{Name: "seed", Usage: "of initial weights, order, augmentation and dropout"}, &o.Seed),
		number("weight-decay", "0", "L2: adds this times the weight to its gradient", &o.WeightDecay),
		number("label-smoothing", "0", "share of the target spread over all classes", &o.LabelSmoothing),
		scheduleField(o, "constant"),
		whole("drop-every", "a third of all", "schedule step: steps between drops of the rate", &o.DropEvery, 1),
		number("drop-factor", "0.1", "schedule step: the rate is multiplied by this", &o.DropFactor),
		whole("warmup", "small: 100, or a quarter of all; lenet5: 0", "steps over which the rate grows from 0", &o.Warmup, 0),
		number("max-filter-rms", "0", "rescale convolution filters above this root mean square to it (0.1 in Zeiler and Fergus), 0: off", &o.MaxFilterRMS),
		view.SwitchField(view.Field{Name: "balance", Usage: "let every class count alike: an image's loss counts N/(K*n) times, N images in all, n of its class, K classes"}, &o.Balance),
		view.SwitchField(view.Field{Name: "flip", Usage: "mirror training images at random"}, &o.Flip),
		whole("crop", "0", "shift training images by up to so many `PIXELS`", &o.Crop, 0),
		notZero("eval-every", "one epoch", "steps between measurements of accuracy, -1: only at the end", &o.EvalEvery, -1),
		notZero("eval-train", "1000", "training images that accuracy is measured on, -1: none", &o.EvalTrain, -1),
		whole("checkpoint-every", "none", "steps between checkpoints, beside one every 30 s and at the end, 0: none", &o.CheckpointEvery, 0),
	}
}

func optimizerField(o *train.Options, more string) view.Field {
	return view.TextField(view.Field{Name: "optimizer", Was: []string{"solver"}, Default: "adam", Usage: view.Joined(train.Optimizers(), ", ") + more}, &o.Optimizer)
}

func scheduleField(o *train.Options, otherwise string) view.Field {
	return view.TextField(view.Field{Name: "schedule", Default: otherwise, Usage: "of the rate: " + view.Joined(train.Schedules(), ", ")}, &o.Schedule)
}

// trainFields are the settings of the trainings of a list, with their defaults.
func trainFields(o *train.Options, rate, steps string) view.Fields {
	return view.Fields{
		optimizerField(o, ""),
		view.NumberField(view.Field{Name: "rate", Default: rate, Usage: "learning rate"}, &o.Rate),
		scheduleField(o, "cosine"),
		view.IntField(view.Field{Name: "batch", Default: "100", Usage: "images a step"}, &o.Batch, 1),
		view.IntField(view.Field{Name: "steps", Default: steps, Usage: "`NUMBER` of steps"}, &o.Steps, 1),
	}
}

// Fields are the settings of the request. A request that is not made by them begins with their defaults.
func (r *Ablation) Fields() view.Fields {
	return append(view.Fields{
		view.TextField(view.Field{Name: "arch", Default: "small", Usage: "architecture to vary: " + strings.Join(model.Arches()[:2], ", ")}, &r.Arch),
		view.NumberField(view.Field{Name: "width", Default: "0.5", Usage: "scale the numbers of maps of all variants"}, &r.Width),
		view.FieldOf(view.Field{Name: "variant", Lines: true, Otherwise: "the paper's", Usage: "`\"NAME: -LAYER LAYER*FACTOR ...\"`"}, &r.Variants, view.Plain(parseVariants), variantsText),
		view.RangeField(view.Field{Name: "seeds", Default: "3", Usage: "runs of each variant"}, &r.Seeds, 1, mostRuns),
		view.IntField(view.Field{Name: "evals", Default: "5", Usage: "measurements of accuracy in each run"}, &r.Evals, 1),
		view.NumberField(view.Field{Name: "keep", Otherwise: "the architecture's", Usage: "probability to keep a value in dropout"}, &r.Keep),
	}, trainFields(&r.Options, "0.002", "600")...)
}

func parseVariants(lines string) (out []Variant, err error) {
	for line := range strings.SplitSeq(lines, "\n") {
		v, err := ParseVariant(line)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func variantsText(list []Variant) string {
	var lines []string
	for _, v := range list {
		lines = append(lines, v.Name+": "+v.text())
	}
	return strings.Join(lines, "\n")
}

// Fields are the settings of the request. A request that is not made by them begins with their defaults.
func (r *RNN) Fields() view.Fields {
	options := trainFields(&r.Options, "0.003", "500")
	options.Named("rate").Usage = "learning rate of the recurrent networks"
	return append(view.Fields{
		view.ListField(view.Field{Name: "cells", Default: "rnn,lstm,gru", Usage: "comma-separated"}, &r.Cells),
		view.NumbersField(view.Field{Name: "hidden", Default: "50,100,200", Usage: "hidden units, comma-separated (the course also has 500)"}, &r.Hidden),
		view.FieldOf(view.Field{Name: "cnn", Default: "lenet5", Usage: "convolutional `ARCH`itecture beside them, or none"}, &r.CNN, view.Plain(func(s string) (string, error) {
			if s == "none" {
				return "", nil
			}
			return s, nil
		}), func(s string) string {
			if s == "" {
				return "none"
			}
			return s
		}),
		view.NumberField(view.Field{Name: "cnn-rate", Default: "0.001", Usage: "learning rate of the convolutional one"}, &r.CNNRate),
		view.SwitchField(view.Field{Name: "steps-only", Usage: "do not train the recurrent networks once more for as long as the convolutional one took"}, &r.StepsOnly),
		view.IntField(view.Field{Name: "evals", Default: "20", Usage: "measurements of accuracy in each run"}, &r.Evals, 1),
		view.NumberField(view.Field{Name: "keep", Default: "0.5", Usage: "probability to keep a value in the convolutional network's dropout"}, &r.Keep),
		view.SeedField(view.Field{Name: "seed", Usage: "of initial weights, order and dropout"}, &r.Options.Seed),
	}, options...)
}

// Fields are the settings of the request but for its list.
func (r *Trials) Fields() view.Fields {
	return view.Fields{
		view.ListField(view.Field{Name: "only", Usage: "names of trials, comma-separated"}, &r.Only),
		view.IntField(view.Field{Name: "evals", Default: "40", Usage: "measurements in each trial"}, &r.Evals, 2),
		view.PositiveField(view.Field{Name: "shorten", Default: "1", Usage: "take only this share of the steps, to try out"}, &r.Shorten, 1),
		view.SwitchField(view.Field{Name: "standardize", Usage: "subtract the mean and divide by the standard deviation; without it input is pixel/255 as in the course"}, &r.Standardize),
	}
}

// Fields are the settings of the request. A request that is not made by them begins with their defaults.
func (r *Probe) Fields() view.Fields {
	return view.Fields{
		view.LayersField(view.Field{Name: "layers", Otherwise: "convolutions, at most 8 of them, and top", Usage: "`LAYER`s by number or name; top is what the class scores are made of"}, &r.Layers, view.ParseTopLayers),
		view.IntField(view.Field{Name: "per-class", Default: "100", Usage: "training images of each class in a fold"}, &r.PerClass, 1),
		view.IntField(view.Field{Name: "test-per-class", Default: "50", Usage: "test images of each class in a fold, at most"}, &r.TestPerClass, 1),
		view.RangeField(view.Field{Name: "folds", Default: "5", Usage: "random choices of images"}, &r.Folds, 1, mostRuns),
		view.ListField(view.Field{Name: "classifiers", Was: []string{"solvers"}, Default: view.Joined(experiments.Classifiers(), ","), Usage: "comma-separated"}, &r.Classifiers),
		view.IntField(view.Field{Name: "most", Default: "4096", Usage: "values of a layer, at most"}, &r.Most, 1),
		view.SeedField(view.Field{Name: "seed", Default: "1", Usage: "of the folds"}, &r.Seed),
	}
}

// oneTopLayer reads a layer by number or name, or top.
func oneTopLayer(net *model.Network, text string) (string, error) {
	layers, err := view.ParseTopLayers(net, text)
	if err == nil && len(layers) != 1 {
		err = &view.FieldError{Field: "layer", Problem: text + ": want one layer"}
	}
	return strings.Join(layers, ""), err
}

// Fields are the settings of the request but for the data it has Seen. A request that is not made by them begins
// with their defaults.
func (r *Transfer) Fields() view.Fields {
	if r.Scratch == nil {
		r.Scratch = &Scratch{}
	}
	scratch := r.Scratch
	return view.Fields{
		view.FieldOf(view.Field{Name: "layer", Also: []string{"l"}, Default: "top", Network: true, Usage: "keep the network up to `LAYER`; top is what the class scores are made of"}, &r.Layer, oneTopLayer,
			func(layer string) string { return layer }),
		view.NumbersField(view.Field{Name: "per-class", Default: "5,15,30,60", Usage: "training images of each class, comma-separated"}, &r.PerClass),
		view.IntField(view.Field{Name: "test-per-class", Default: "50", Usage: "test images of each class, at most"}, &r.TestPerClass, 1),
		view.RangeField(view.Field{Name: "folds", Default: "5", Usage: "random choices of images"}, &r.Folds, 1, mostRuns),
		view.TextField(view.Field{Name: "classifier", Was: []string{"solver"}, Default: "softmax", Usage: view.Joined(experiments.Classifiers(), " or ")}, &r.Classifier),
		view.FieldOf(view.Field{Name: "no-scratch", Switch: true, Default: "false", Usage: "leave out training from scratch, which takes most of the time"}, &r.Scratch, view.Plain(func(s string) (*Scratch, error) {
			if s == "true" {
				return nil, nil
			}
			return scratch, nil
		}), func(s *Scratch) string { return fmt.Sprint(s == nil) }),
		view.IntField(view.Field{Name: "scratch-steps", Default: "300", Usage: "steps of training from scratch"}, &scratch.Steps, 1),
		view.NumberField(view.Field{Name: "scratch-rate", Default: "0.001", Usage: "its learning rate (adam, cosine, a warm-up of a tenth)"}, &scratch.Rate),
		view.IntField(view.Field{Name: "scratch-batch", Default: "50", Usage: "its images a step"}, &scratch.Batch, 1),
		view.SeedField(view.Field{Name: "seed", Default: "1", Usage: "of folds and initial weights"}, &r.Seed),
		view.PositiveField(view.Field{Name: "exclude-above", Default: "0.95", Usage: "what counts as a copy, up to 1"}, &r.Above, 1),
	}
}
