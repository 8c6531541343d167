package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
)

// Options say how to train. The zero value of each field means its default.
// They are part of a checkpoint's training state.
type Options struct {
	Optimizer Optimizer `json:"solver,omitempty"`   // default Adam
	Rate      float64   `json:"rate,omitempty"`     // learning rate; default 0.001 for adam and rmsprop, else 0.01
	Momentum  float64   `json:"momentum,omitempty"` // of momentum; default 0.9
	Beta1     float64   `json:"beta1,omitempty"`    // of adam; default 0.9
	Beta2     float64   `json:"beta2,omitempty"`    // of adam; default 0.999
	Decay     float64   `json:"decay,omitempty"`    // of rmsprop; default 0.9
	Epsilon   float64   `json:"epsilon,omitempty"`  // of adam (outside the root), default 1e-8; of rmsprop (inside), default 1e-10

	Batch  int `json:"batch,omitempty"`  // images a step; default 100
	Steps  int `json:"steps,omitempty"`  // total number of steps; 0: Epochs decides
	Epochs int `json:"epochs,omitempty"` // passes over the training images; default 10. A batch that reaches the end of one epoch goes on into the next

	WeightDecay    float64  `json:"weight_decay,omitempty"`    // L2: adds WeightDecay*w to the gradient of convolution and dense weights, not of biases and batch normalisation
	LabelSmoothing float64  `json:"label_smoothing,omitempty"` // spreads this share of the target evenly over all classes
	Balance        bool     `json:"balance,omitempty"`         // the loss of an image counts N/(K*n): N training images, n of them of its class, K classes with images
	Schedule       Schedule `json:"schedule,omitempty"`        // of the rate; default ScheduleConstant
	DropEvery      int      `json:"drop_every,omitempty"`      // schedule step: every so many steps; default a third of all
	DropFactor     float64  `json:"drop_factor,omitempty"`     // schedule step: the rate is multiplied by this; default 0.1
	Warmup         int      `json:"warmup,omitempty"`          // the rate grows linearly over the first so many steps
	MaxFilterRMS   float64  `json:"max_filter_rms,omitempty"`  // [zeiler14] 3.1: a convolution filter whose RMS exceeds this is rescaled to it after each step; 0: off

	Flip bool `json:"flip,omitempty"` // mirror left and right with probability 1/2
	Crop int  `json:"crop,omitempty"` // shift by up to so many pixels in each direction; what comes in is 0 in network units, the mean if Preprocess subtracts it

	Seed            uint64 `json:"seed,omitempty"`             // of order, augmentation and dropout
	LogEvery        int    `json:"log_every,omitempty"`        // steps between reports; default 10
	EvalEvery       int    `json:"eval_every,omitempty"`       // steps between measurements of accuracy; default one epoch; negative: only at the end
	EvalTrain       int    `json:"eval_train,omitempty"`       // training images that accuracy is measured on; default 1000; negative: none
	Note            string `json:"note,omitempty"`             // the caller's own, kept with the state
	CheckpointEvery int    `json:"checkpoint_every,omitempty"` // steps between checkpoints; default: only at the end, and when Hooks.Due asks for one
}

// Optimizer is how weights w follow their gradient g.
type Optimizer string

const (
	SGD      Optimizer = "sgd"      // w -= rate*g
	Momentum Optimizer = "momentum" // v = momentum*v + g; w -= rate*v
	Adam     Optimizer = "adam"     // [adam15]
	// RMSProp: s = decay*s + (1-decay)*g²; w -= rate*g/sqrt(s+epsilon); s starts at 1,
	// as in TensorFlow 1's RMSPropOptimizer.
	RMSProp     Optimizer = "rmsprop"
	RMSPropZero Optimizer = "rmsprop_zero" // the same with s starting at 0
)

// Optimizers lists the optimizers.
func Optimizers() []Optimizer { return []Optimizer{SGD, Momentum, Adam, RMSProp, RMSPropZero} }

// ParseOptimizer reads the name of an Optimizer.
func ParseOptimizer(s string) (Optimizer, error) {
	return parse("optimizer", Optimizer(s), Optimizers())
}

// Schedule is how the learning rate changes.
type Schedule string

const (
	ScheduleConstant Schedule = "constant"
	ScheduleStep     Schedule = "step"   // times DropFactor every DropEvery steps
	ScheduleCosine   Schedule = "cosine" // down to 0 over all steps
)

// Schedules lists the schedules of the learning rate.
func Schedules() []Schedule { return []Schedule{ScheduleConstant, ScheduleStep, ScheduleCosine} }

// ParseSchedule reads the name of a Schedule.
func ParseSchedule(s string) (Schedule, error) { return parse("schedule", Schedule(s), Schedules()) }

// parse looks a name up among those there are; what is what it would be of.
func parse[T ~string](what string, name T, all []T) (T, error) {
	if slices.Contains(all, name) {
		return name, nil
	}
	list := ""
	for i, s := range all {
		if i > 0 {
			list += ", "
		}
		list += string(s)
	}
	return "", fmt.Errorf("%s %q, want one of %s", what, name, list)
}

// Resolve fills in the defaults for a training set of n images and checks the
// values. In the result Steps is the total number of steps.
func (o Options) Resolve(n int) (Options, error) {
	def := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	count := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	if o.Optimizer == "" {
		o.Optimizer = Adam
	}
	if _, err := ParseOptimizer(string(o.Optimizer)); err != nil {
		return o, err
	}
	switch o.Optimizer {
	case Adam:
		def(&o.Rate, 1e-3)
		def(&o.Epsilon, 1e-8)
	case RMSProp, RMSPropZero:
		def(&o.Rate, 1e-3)
		def(&o.Epsilon, 1e-10)
	default:
		def(&o.Rate, 1e-2)
	}
	def(&o.Momentum, 0.9)
	def(&o.Beta1, 0.9)
	def(&o.Beta2, 0.999)
	def(&o.Decay, 0.9)
	count(&o.Batch, 100)
	if n < 1 {
		return o, fmt.Errorf("no training images")
	}
	if most := max(n, 1024); o.Batch < 1 || o.Batch > most || o.Steps < 0 || o.Epochs < 0 { // memory grows with the batch
		return o, fmt.Errorf("batch %d of at most %d, steps %d, epochs %d", o.Batch, most, o.Steps, o.Epochs)
	}
	if o.Steps == 0 {
		count(&o.Epochs, 10)
		if o.Epochs > (math.MaxInt-o.Batch)/n {
			return o, fmt.Errorf("%d epochs of %d images", o.Epochs, n)
		}
		o.Steps = (o.Epochs*n + o.Batch - 1) / o.Batch
	}
	o.Epochs = 0
	if o.Schedule == "" {
		o.Schedule = ScheduleConstant
	}
	if _, err := ParseSchedule(string(o.Schedule)); err != nil {
		return o, err
	}
	if o.Schedule == ScheduleStep {
		count(&o.DropEvery, max(o.Steps/3, 1))
		def(&o.DropFactor, 0.1)
	}
	count(&o.LogEvery, 10)
	count(&o.EvalEvery, (n+o.Batch-1)/o.Batch)
	count(&o.EvalTrain, 1000)
	for _, c := range []struct {
		name   string
		v      float64
		lo, hi float64 // lo < v < hi, or v == lo where 0 means off
		zero   bool
	}{
		{"rate", o.Rate, 0, 1e6, false}, {"momentum", o.Momentum, 0, 1, false}, {"beta1", o.Beta1, 0, 1, false},
		{"beta2", o.Beta2, 0, 1, false}, {"decay", o.Decay, 0, 1, false}, {"epsilon", o.Epsilon, 0, 1, true},
		{"weight decay", o.WeightDecay, 0, 1e6, true}, {"label smoothing", o.LabelSmoothing, 0, 1, true},
		{"drop factor", o.DropFactor, 0, 1e6, true}, {"max filter RMS", o.MaxFilterRMS, 0, 1e6, true},
	} {
		if !(c.v > c.lo && c.v < c.hi) && !(c.zero && c.v == 0) {
			return o, fmt.Errorf("%s is %g, want more than %g and less than %g", c.name, c.v, c.lo, c.hi)
		}
	}
	if o.Warmup < 0 || o.Crop < 0 || o.DropEvery < 0 || o.LogEvery < 1 || o.CheckpointEvery < 0 {
		return o, fmt.Errorf("warm-up %d, crop %d, drop every %d, log every %d, checkpoint every %d: none may be negative",
			o.Warmup, o.Crop, o.DropEvery, o.LogEvery, o.CheckpointEvery)
	}
	return o, nil
}

// rate returns the learning rate of a step (from 0) of resolved options.
func (o *Options) rate(step int) float64 {
	r := o.Rate
	switch o.Schedule {
	case ScheduleStep:
		r *= exact.Pow(o.DropFactor, float64(step/o.DropEvery))
	case ScheduleCosine:
		// From Warmup to the end, so that the first full rate is Rate itself.
		if step >= o.Warmup && o.Steps > o.Warmup {
			r *= 0.5 + float64(0.5*exact.Cos(math.Pi*float64(step-o.Warmup)/float64(o.Steps-o.Warmup)))
		}
	}
	if step < o.Warmup {
		r *= float64(step+1) / (float64(o.Warmup) + 1)
	}
	return r
}
