package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// stripes are images of stripes along one of two directions with noise: easy
// to learn, but not by a single pixel.
func stripes(n, c, h, w int) *Memory {
	rng := rand.New(rand.NewPCG(8, 9))
	m := &Memory{Size: c * h * w}
	for i := range n {
		m.Labels = append(m.Labels, i%2)
		phase := rng.IntN(2)
		for j := range m.Size {
			y, x := j/w%h, j%w
			on := (y + phase) % 2
			if i%2 == 1 {
				on = (x + phase) % 2
			}
			m.Bytes = append(m.Bytes, uint8(100*on+rng.IntN(100)))
		}
	}
	return m
}

// everything uses all that has a state or random numbers.
func everything() *model.Network {
	m := maker{rand.New(rand.NewPCG(5, 6))}
	net := chain(model.Input{Name: "in", C: 2, H: 8, W: 8}, "fc",
		"conv", m.conv(4, 2, 3, 3, func(l *model.Conv) { same(l); l.Bias = nil }), "bn", m.norm(4), "relu", &model.ReLU{}, "pool", pool(2, 2, 0),
		"flat", &model.Reshape{}, "drop", &model.Dropout{Rate: 0.3}, "fc", m.dense(2, 64, true), "prob", &model.Softmax{})
	net.Preprocess = model.Preprocess{Scale: 1.0 / 255, Mean: []float32{0.4, 0.4}, Std: []float32{0.2, 0.2}}
	return net
}

func TestLearns(t *testing.T) {
	e := model.NewEngine(2)
	defer e.Close()
	data, test := stripes(90, 2, 8, 8), stripes(40, 2, 8, 8)
	net := everything()
	before := net.Hash()
	var last Report
	out, state, err := Run(context.Background(), e, net, data, test, nil, Options{Rate: 0.01, Epochs: 8, Batch: 20, Seed: 1},
		Hooks{Progress: func(r Report) { last = r }})
	if err != nil {
		t.Fatal(err)
	}
	if net.Hash() != before {
		t.Error("the network that was passed in has changed")
	}
	if last.Step != 36 || state.Step != 36 || last.Epoch != 8 || out.Origin.Step != 36 {
		t.Errorf("stopped at step %d, state %d, epoch %g, want 36, 36, 8", last.Step, state.Step, last.Epoch)
	}
	if last.Test == nil || last.Test.Accuracy != 1 || last.Train == nil || last.Train.Images != 90 {
		t.Errorf("last report %+v, want test accuracy 1", last)
	}
	if err := out.Check(); err != nil {
		t.Error(err)
	}
}

// Training that goes on from a file gives the file that training without a
// break gives, byte for byte, with any number of workers.
func TestResumeBitForBit(t *testing.T) {
	data := stripes(45, 2, 8, 8)
	for _, solver := range Optimizers() {
		t.Run(string(solver), func(t *testing.T) {
			o := Options{Optimizer: solver, Rate: 0.005, Batch: 7, Steps: 20, Seed: 3, Flip: true, Crop: 2, Schedule: "cosine", Warmup: 3,
				WeightDecay: 1e-3, MaxFilterRMS: 0.4, LabelSmoothing: 0.1, EvalEvery: -1, LogEvery: 10}
			train := func(workers int, net *model.Network, state *model.State, stop int) []byte {
				e := model.NewEngine(workers)
				defer e.Close()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				var file bytes.Buffer
				_, _, err := Run(ctx, e, net, data, nil, state, o, Hooks{
					Progress: func(r Report) {
						if r.Step == stop {
							cancel() // as Ctrl-C would
						}
					},
					Checkpoint: func(net *model.Network, state *model.State) error { return model.Write(&file, net, state) },
				})
				if stop < o.Steps && !errors.Is(err, context.Canceled) || stop == o.Steps && err != nil {
					t.Fatalf("stopping at %d: error %v", stop, err)
				}
				return file.Bytes()
			}
			straight := train(1, everything(), nil, 20)
			if other := train(3, everything(), nil, 20); !bytes.Equal(straight, other) {
				t.Error("3 workers give another checkpoint than 1")
			}
			half := train(2, everything(), nil, 10)
			net, state, err := model.Read(bytes.NewReader(half), int64(len(half)))
			if err != nil {
				t.Fatal(err)
			}
			if state.Step != 10 {
				t.Fatalf("checkpoint at step %d, want 10", state.Step)
			}
			if o, err = Resume(state); err != nil {
				t.Fatal(err)
			}
			if o.Steps != 20 {
				t.Fatalf("options from the checkpoint: %+v", o)
			}
			if got := train(2, net, state, 20); !bytes.Equal(got, straight) {
				t.Error("10 steps, a file and 10 steps differ from 20 steps")
			}
		})
	}
}

// A training that is broken off between two reports, or while it measures accuracy, reports the same as one that is
// not, and ends with the same bytes.
func TestResumedReports(t *testing.T) {
	data := stripes(45, 2, 8, 8)
	o := Options{Batch: 7, Steps: 12, Seed: 3, EvalEvery: 6, LogEvery: 4}
	e := model.NewEngine(1)
	defer e.Close()
	// stop is the step after which the training is cancelled, while it is asked for a checkpoint or while it measures.
	train := func(net *model.Network, state *model.State, stop int, measuring bool) (reports []Report, file []byte) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		at, checkpoints := 0, 0
		if state != nil {
			at = state.Step
		}
		_, _, err := Run(ctx, e, net, data, cancelling{data, func() {
			if measuring && at == stop {
				cancel()
			}
		}}, state, o, Hooks{
			Progress: func(r Report) { reports = append(reports, r) },
			Due: func() bool {
				if at++; at == stop {
					cancel()
				}
				return at == 3
			},
			Checkpoint: func(net *model.Network, state *model.State) error {
				checkpoints++
				var b bytes.Buffer
				err := model.Write(&b, net, state)
				file = b.Bytes()
				return err
			}})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if stop == 0 && state == nil && checkpoints != 2 {
			t.Errorf("%d checkpoints, want one after step 3 and one at the end", checkpoints)
		}
		return reports, file
	}
	want, straight := train(everything(), nil, 0, false)
	if len(want) != 4 { // 4, 6, 8, 12
		t.Fatalf("%d reports: %+v", len(want), want)
	}
	for stop := 1; stop < 12; stop++ {
		for _, measuring := range []bool{false, true} {
			before, half := train(everything(), nil, stop, measuring)
			net, state, err := model.Read(bytes.NewReader(half), int64(len(half)))
			if err != nil {
				t.Fatal(err)
			}
			after, all := train(net, state, 0, false)
			if got := append(before, after...); !reflect.DeepEqual(got, want) {
				t.Errorf("stopped after step %d, measuring %v: reports\n%+v, want\n%+v", stop, measuring, got, want)
			}
			if !bytes.Equal(all, straight) {
				t.Errorf("stopped after step %d, measuring %v: other bytes", stop, measuring)
			}
		}
	}
}

// cancelling are images that tell when one is looked at.
type cancelling struct {
	Images
	seen func()
}

func (c cancelling) Label(i int) int {
	c.seen()
	return c.Images.Label(i)
}

func TestOrderTakesEachImageOncePerEpoch(t *testing.T) {
	o := order{seed: 4, n: 10}
	var epochs [3][]int
	for p := range 30 {
		epochs[p/10] = append(epochs[p/10], o.image(p))
	}
	for e, perm := range epochs {
		seen := map[int]bool{}
		for _, i := range perm {
			seen[i] = true
		}
		if len(seen) != 10 {
			t.Errorf("epoch %d is %v", e, perm)
		}
	}
	if fmt.Sprint(epochs[0]) == fmt.Sprint(epochs[1]) {
		t.Error("two epochs in the same order")
	}
	again := order{seed: 4, n: 10}
	if got := again.image(25); got != epochs[2][5] {
		t.Error("the order depends on what was asked before")
	}
}

func TestAugment(t *testing.T) {
	in := model.Input{C: 1, H: 2, W: 3}
	src := []uint8{1, 2, 3, 4, 5, 6}
	units := make([][256]float32, 1)
	for v := range units[0] {
		units[0][v] = float32(v)
	}
	for _, c := range []struct {
		a    augment
		want []float32
	}{
		{augment{}, []float32{1, 2, 3, 4, 5, 6}},
		{augment{flip: true}, []float32{3, 2, 1, 6, 5, 4}},
		{augment{dx: 1}, []float32{0, 1, 2, 0, 4, 5}},
		{augment{dx: -2}, []float32{3, 0, 0, 6, 0, 0}},
		{augment{dy: 1}, []float32{0, 0, 0, 1, 2, 3}},
		{augment{dy: -1, dx: 1}, []float32{0, 4, 5, 0, 0, 0}},
		{augment{flip: true, dx: 1}, []float32{0, 3, 2, 0, 6, 5}},
		{augment{dx: 5}, []float32{0, 0, 0, 0, 0, 0}},
		{augment{dx: -3}, []float32{0, 0, 0, 0, 0, 0}},
		{augment{dy: 2}, []float32{0, 0, 0, 0, 0, 0}},
	} {
		got := []float32{9, 9, 9, 9, 9, 9}
		c.a.apply(got, src, in, units)
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%+v: %v, want %v", c.a, got, c.want)
		}
	}
}

// Flips happen half of the time, shifts reach every offset, and no more.
func TestAugmentChoices(t *testing.T) {
	// One bright pixel in the middle shows the shift; the one on its right shows the flip.
	data := &Memory{Size: 81, Bytes: make([]uint8, 81), Labels: []int{0}}
	data.Bytes[4*9+4], data.Bytes[4*9+5] = 255, 100
	net := chain(model.Input{Name: "in", C: 1, H: 9, W: 9}, "")
	net.Preprocess.Scale = 1
	o := Options{Flip: true, Crop: 2}
	l := newLoader(net, data, &o)
	flips, seen := 0, map[int]bool{}
	x, labels := make([]float32, 10*81), make([]int32, 10)
	for step := range 100 {
		if err := l.fill(step, x, labels); err != nil {
			t.Fatal(err)
		}
		for b := range 10 {
			img := x[b*81 : (b+1)*81]
			for i, v := range img {
				if v == 255 {
					seen[i] = true
					if img[i-1] == 100 {
						flips++
					}
				}
			}
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d offsets, want 25: %v", len(seen), seen)
	}
	if flips < 430 || flips > 570 { // 500 +- 4.4 deviations of 16
		t.Errorf("%d of 1000 images are mirrored", flips)
	}
}

func TestDropout(t *testing.T) {
	mask := make([]float32, 100001) // odd, for the last pair
	for _, rate := range []float64{0, 0.2, 0.5, 0.9} {
		dropout(mask, key(1, streamDropout, 2), rate)
		zeros := 0
		for _, m := range mask {
			switch m {
			case 0:
				zeros++
			case float32(1 / (1 - rate)):
			default:
				t.Fatalf("rate %g: factor %g", rate, m)
			}
		}
		got := float64(zeros) / float64(len(mask))
		if math.Abs(got-rate) > 5*math.Sqrt(rate*(1-rate)/float64(len(mask))) {
			t.Errorf("rate %g: %g of the values dropped", rate, got)
		}
	}
	other := make([]float32, len(mask))
	dropout(other, key(1, streamDropout, 3), 0.9)
	equal := 0
	for i := range mask {
		if mask[i] == 0 && other[i] == 0 {
			equal++
		}
	}
	if got := float64(equal) / float64(len(mask)); math.Abs(got-0.81) > 0.01 {
		t.Errorf("masks of two steps agree in %g, want 0.81", got)
	}
}

// Two values 1 and 3 in the batch: mean 2, variance over n-1 is 2.
func TestRunningStatistics(t *testing.T) {
	net := chain(model.Input{Name: "in", C: 1, H: 1, W: 1}, "fc", "bn", &model.BatchNorm{Scale: []float32{1}, Shift: []float32{0},
		Mean: []float32{10}, Var: []float32{5}, Eps: 1e-5}, "flat", &model.Reshape{}, "fc", maker{rand.New(rand.NewPCG(1, 1))}.dense(2, 1, true))
	e := model.NewEngine(1)
	defer e.Close()
	g, err := newGraph(kernel.Of(e), net, 2, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	copy(g.x, []float32{1, 3})
	if err := g.run(0); err != nil {
		t.Fatal(err)
	}
	bn := net.Node("bn").Layer.(*model.BatchNorm)
	if math.Abs(float64(bn.Mean[0])-(9+0.2)) > 1e-6 || math.Abs(float64(bn.Var[0])-(4.5+0.2)) > 1e-5 {
		t.Errorf("running mean %v and variance %v, want 9.2 and 4.7", bn.Mean[0], bn.Var[0])
	}
}

// Two steps of each solver on two weights, worked out by hand: w = (1, -2),
// rate 0.1, gradients (1, -0.5) and then (0.5, 1).
func TestSolversByHand(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	for _, c := range []struct {
		solver Optimizer
		o      Options
		want   [2]float64
	}{
		{"sgd", Options{}, [2]float64{1 - 0.1 - 0.05, -2 + 0.05 - 0.1}},
		// v = (1, -0.5), then 0.9v+g = (1.4, 0.55)
		{"momentum", Options{}, [2]float64{1 - 0.1 - 0.14, -2 + 0.05 - 0.055}},
		// First m/(1-b1) = g and v/(1-b2) = g², so a step of rate*sign(g). Then, with b1 = 0.5 and b2 = 0.75,
		// m = (0.5, 0.375)/0.75 and v = (0.25, 0.296875)/0.4375.
		{"adam", Options{Beta1: 0.5, Beta2: 0.75}, [2]float64{0.9 - 0.1*(0.5/0.75)/math.Sqrt(0.25/0.4375), -1.9 - 0.1*(0.375/0.75)/math.Sqrt(0.296875/0.4375)}},
		// s = 0.5+0.5g² = (1, 0.625), then 0.5s+0.5g² = (0.625, 0.8125)
		{"rmsprop", Options{Decay: 0.5}, [2]float64{1 - 0.1 - 0.05/math.Sqrt(0.625), -2 + 0.05/math.Sqrt(0.625) - 0.1/math.Sqrt(0.8125)}},
		// s = 0.5g² = (0.5, 0.125), then (0.375, 0.5625)
		{"rmsprop_zero", Options{Decay: 0.5}, [2]float64{1 - 0.1/math.Sqrt(0.5) - 0.05/math.Sqrt(0.375), -2 + 0.05/math.Sqrt(0.125) - 0.1/math.Sqrt(0.5625)}},
		// Decay adds 0.1*w to the gradients: w = (1-0.11, -2+0.07), then g = (0.5+0.089, 1-0.193).
		{"sgd", Options{WeightDecay: 0.1}, [2]float64{1 - 0.11 - 0.0589, -2 + 0.07 - 0.0807}},
	} {
		c.o.Optimizer, c.o.Rate = c.solver, 0.1
		o, err := c.o.Resolve(1)
		if err != nil {
			t.Fatal(err)
		}
		p := &param{name: "w", value: []float32{1, -2}, shape: []int{2}, decays: true}
		s := newOptimizer(kernel.Of(e), &o, []*param{p})
		for i, g := range [][]float32{{1, -0.5}, {0.5, 1}} {
			s.rate, s.t = 0.1, i+1
			if p.decays && o.WeightDecay > 0 {
				s.decay(g, p.value)
			}
			s.update(0, p.value, g)
		}
		for i, want := range c.want {
			if math.Abs(float64(p.value[i])-want) > 1e-6 {
				t.Errorf("%s %+v: weights %v, want %v", c.solver, c.o, p.value, c.want)
				break
			}
		}
	}
}

// Filters (3, 4) and (0.3, 0.4) have RMS 3.54 and 0.354.
func TestLimitRMS(t *testing.T) {
	conv := &param{value: []float32{3, 4, 0.3, 0.4}, filter: 2}
	other := &param{value: []float32{3, 4}}
	limitRMS([]*param{conv, other}, 0.5)
	want := []float32{3 * float32(0.5/math.Sqrt(12.5)), 4 * float32(0.5/math.Sqrt(12.5)), 0.3, 0.4}
	for i, v := range conv.value {
		if math.Abs(float64(v-want[i])) > 1e-7 {
			t.Fatalf("filters are %v, want %v", conv.value, want)
		}
	}
	if other.value[0] != 3 {
		t.Error("weights that are no convolution's have changed")
	}
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		o    Options
		step int
		want float64
	}{
		{Options{}, 0, 0.5}, {Options{}, 99, 0.5},
		{Options{Warmup: 4}, 0, 0.1}, {Options{Warmup: 4}, 3, 0.4}, {Options{Warmup: 4}, 4, 0.5},
		{Options{Schedule: "step", DropEvery: 40}, 39, 0.5}, {Options{Schedule: "step", DropEvery: 40}, 40, 0.05}, {Options{Schedule: "step", DropFactor: 0.5, DropEvery: 10}, 99, 0.5 / 512},
		{Options{Schedule: "cosine"}, 0, 0.5}, {Options{Schedule: "cosine"}, 50, 0.25},
		{Options{Schedule: "cosine", Warmup: 20}, 19, 0.5 * 20 / 21}, {Options{Schedule: "cosine", Warmup: 20}, 60, 0.25},
	} {
		c.o.Rate, c.o.Steps = 0.5, 100
		o, err := c.o.Resolve(10)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.rate(c.step); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: rate of step %d is %g, want %g", c.o, c.step, got, c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := Options{}.Resolve(1050)
	if err != nil || o.Optimizer != "adam" || o.Rate != 1e-3 || o.Steps != 105 || o.Batch != 100 || o.EvalEvery != 11 {
		t.Errorf("defaults are %+v, %v", o, err)
	}
	again, err := o.Resolve(1050)
	if err != nil || again != o {
		t.Errorf("resolved again %+v, %v", again, err)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Optimizer: "sdg"}, `optimizer "sdg", want one of sgd, momentum`},
		{Options{Schedule: "x"}, `schedule "x"`},
		{Options{Rate: -1}, "rate is -1"},
		{Options{Rate: math.NaN()}, "rate is NaN"},
		{Options{Momentum: 1}, "momentum is 1"},
		{Options{Batch: -1}, "batch -1"},
		{Options{Epochs: math.MaxInt}, "epochs of 5 images"},
		{Options{Crop: -1}, "crop -1"},
	} {
		if _, err := c.o.Resolve(5); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	data := stripes(10, 2, 8, 8)
	run := func(net *model.Network, images Images, state *model.State, o Options) error {
		_, _, err := Run(context.Background(), e, net, images, nil, state, o, Hooks{})
		return err
	}
	softmax := everything()
	softmax.Nodes[2].Layer = &model.Softmax{}
	none := everything()
	none.Logits = ""
	_, state, err := Run(context.Background(), e, everything(), data, nil, nil, Options{Optimizer: "sgd", Steps: 1, Batch: 5}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	labels := stripes(10, 2, 8, 8)
	labels.Labels[3] = 2
	for _, c := range []struct {
		err  error
		want string
	}{
		{run(softmax, data, nil, Options{}), "layer relu: Softmax cannot be trained"},
		{run(none, data, nil, Options{}), "names no logits"},
		{run(everything(), labels, nil, Options{}), "image 3 has label 2, the network 2 classes"},
		{run(everything(), &Memory{}, nil, Options{}), "no training images"},
		{run(everything(), data, state, Options{Optimizer: "adam"}), "trained with optimizer sgd, cannot go on with adam"},
		{run(everything(), data, &model.State{}, Options{}), "no training state"},
		{run(everything(), stripes(12, 2, 8, 8), state, Options{Optimizer: "sgd"}), "trained on 10 images, these are 12"},
		{run(everything(), broken{data}, nil, Options{}), "file gone"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v, want %q", c.err, c.want)
		}
	}
}

// broken has images that cannot be read.
type broken struct{ Images }

func (broken) Pixels(i int, dst []uint8) error { return errors.New("file gone") }

func TestDiverges(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	_, _, err := Run(context.Background(), e, everything(), stripes(20, 2, 8, 8), nil, nil,
		Options{Optimizer: "sgd", Rate: 1000, WeightDecay: 1000, Batch: 5, Steps: 500}, Hooks{}) // weights grow a million times a step
	var d *Diverged
	if !errors.As(err, &d) {
		t.Fatalf("error %v, want Diverged", err)
	}
	if d.Step < 2 || math.IsNaN(d.Last) || d.Rate != 1000 {
		t.Errorf("%+v", d)
	}
	if want := fmt.Sprintf("the loss of step %d is", d.Step); !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "try 300") {
		t.Errorf("error %q", err)
	}
}

// An error of the checkpoint's writer ends training and names the step.
func TestCheckpointError(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	full := errors.New("disk full")
	_, _, err := Run(context.Background(), e, everything(), stripes(20, 2, 8, 8), nil, nil, Options{Batch: 5, Steps: 9, CheckpointEvery: 4},
		Hooks{Checkpoint: func(*model.Network, *model.State) error { return full }})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "step 4") {
		t.Errorf("error %v", err)
	}
}

// Evaluate leaves dropout out and counts by label and prediction.
func TestEvaluate(t *testing.T) {
	// The class is the sign of the pixel: byte 0 is -1, byte 255 is about +1.
	net := chain(model.Input{Name: "in", C: 1, H: 1, W: 1}, "fc", "flat", &model.Reshape{}, "drop", &model.Dropout{Rate: 0.9},
		"fc", &model.Dense{Weight: maker{rand.New(rand.NewPCG(1, 1))}.dense(2, 1, false).Weight}, "prob", &model.Softmax{})
	copy(net.Node("fc").Layer.(*model.Dense).Weight.Data, []float32{-1, 1})
	net.Preprocess = model.Preprocess{Scale: 2.0 / 255, Mean: []float32{1}}
	e := model.NewEngine(1)
	defer e.Close()
	data := &Memory{Size: 1, Bytes: []uint8{0, 255, 255, 0, 255}, Labels: []int{0, 1, 0, 0, 1}}
	s, err := Evaluate(context.Background(), e, net, data, 0)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := math.Log(1+math.Exp(-2)), math.Log(1+math.Exp(2))
	if s.Accuracy != 0.8 || math.Abs(s.Loss-(4*good+bad)/5) > 1e-6 || fmt.Sprint(s.Confusion) != "[[2 1] [0 2]]" {
		t.Errorf("%+v", s)
	}
	if s, err = Evaluate(context.Background(), e, net, data, 2); err != nil || s.Accuracy != 1 || s.Images != 2 {
		t.Errorf("first two: %+v, %v", s, err)
	}
}

// A step allocates next to nothing: what there is are gorgonia's lists of inputs.
func TestStepAllocations(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	o, err := Options{Batch: 20, Steps: 100, Flip: true, Crop: 1}.Resolve(90)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRun(e, everything(), stripes(90, 2, 8, 8), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.g.close()
	last := 0.0
	n := testing.AllocsPerRun(20, func() {
		if err := r.one(&last); err != nil {
			t.Fatal(err)
		}
	})
	if n > 300 {
		t.Errorf("%v allocations a step", n)
	}
}

// What a training held is freed after it: lists of trainings run in the memory of one.
func TestMemoryIsFreed(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	o, err := Options{Batch: 20, Steps: 2}.Resolve(90)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRun(e, everything(), stripes(90, 2, 8, 8), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	if err := r.one(&last); err != nil {
		t.Fatal(err)
	}
	r.g.close()
	held := weak.Make(r.g)
	r = nil
	for range 1000 { // the machine's finalizer runs some time after a collection
		if runtime.GC(); held.Value() == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the graph is still held")
}

func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		arch string
		in   model.Input
		n    int
	}{{"lenet5", model.Input{C: 1, H: 28, W: 28}, 100}, {"small", model.Input{C: 3, H: 32, W: 32}, 128}} {
		b.Run(c.arch, func(b *testing.B) {
			e := model.NewEngine(0)
			defer e.Close()
			net, err := model.Build(c.arch, model.ArchOptions{Input: c.in, Classes: strings.Split("0123456789", ""), Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			net.Preprocess.Scale = 1.0 / 255
			data := stripes(1000, c.in.C, c.in.H, c.in.W)
			o, err := Options{Batch: c.n, Steps: 1 << 20, Rate: 1e-4, Flip: true, Crop: 4}.Resolve(data.Len())
			if err != nil {
				b.Fatal(err)
			}
			r, err := newRun(e, net, data, nil, o)
			if err != nil {
				b.Fatal(err)
			}
			defer r.g.close()
			last := 0.0
			b.ReportAllocs()
			for b.Loop() {
				if err := r.one(&last); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.n*b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
