package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
)

// brittle is a context that is cancelled when it was asked often enough.
type brittle struct {
	context.Context
	left int
}

func (b *brittle) Err() error {
	if b.left--; b.left < 0 {
		return context.Canceled
	}
	return nil
}

// tiny is a folder for trainings on ten-class images of noise, and a job for it. The job
// writes down the steps it sees.
func tiny(t *testing.T, engine *model.Engine, dir string, o train.Options) (*Folder, *job, *[]int) {
	t.Helper()
	k := &Folder{engine: engine, dir: dir, data: &images.Data{Name: "noise"}}
	for s := range k.images {
		m := &train.Memory{Size: 64}
		for i := range 20 {
			m.Labels = append(m.Labels, i%10)
			for p := range 64 {
				m.Bytes = append(m.Bytes, byte((i+s)*p*p*31))
			}
		}
		k.images[s] = m
	}
	var seen []int
	j := &job{name: "tiny", evals: 3, o: o}
	j.build = func() (*model.Network, error) {
		net, err := model.Build("lenet5", model.ArchOptions{Input: model.Input{C: 1, H: 8, W: 8}, Classes: strings.Split("abcdefghij", ""), Width: 0.05})
		if err == nil {
			net.Preprocess.Scale = 1. / 255
		}
		return net, err
	}
	j.each = func(ctx context.Context, step int, net *model.Network) error {
		seen = append(seen, step)
		return k.watch(ctx, j, step, net)
	}
	return k, j, &seen
}

// Wherever a run is stopped, also while accuracy is measured or activations are
// recorded, it ends as one that was not.
func TestCampaignStopsAnywhere(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	o := train.Options{Steps: 6, Batch: 5}
	plain := func(r *Run) string {
		text, _ := json.Marshal(r.Points)
		return string(text)
	}
	checkpoint := func(dir string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, "runs", "tiny", "ckpt.bin"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	whole := t.TempDir()
	k, j, seen := tiny(t, engine, whole, o)
	r, err := k.run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(*seen, []int{0, 2, 4, 6}) || r.Final().Step != 6 {
		t.Fatalf("steps %v, last point %+v", *seen, r.Final())
	}
	want := plain(r)
	stops := 0
	for n := 1; ; n++ {
		dir := t.TempDir()
		k, j, _ := tiny(t, engine, dir, o)
		r, err := k.run(&brittle{t.Context(), n}, j)
		if err == nil {
			if got := plain(r); got != want {
				t.Errorf("stopped at question %d, it says that it is done with the curve\n%s, want\n%s", n, got, want)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		stops++
		k, j, _ = tiny(t, engine, dir, o)
		if r, err = k.run(t.Context(), j); err != nil {
			t.Fatalf("stopped at question %d: %v", n, err)
		}
		if got := plain(r); got != want || !r.Done {
			t.Errorf("stopped at question %d: the curve is\n%s, want\n%s", n, got, want)
		}
		if !bytes.Equal(checkpoint(dir), checkpoint(whole)) {
			t.Errorf("stopped at question %d: the checkpoint differs", n)
		}
		if m, err := k.moments(j, r); err != nil || len(m) != 4 {
			t.Errorf("stopped at question %d: %d moments: %v", n, len(m), err)
		}
	}
	if stops < 12 {
		t.Errorf("stopped at %d places only", stops)
	}
}

// A kill between the two files of a run leaves a curve with an older checkpoint, or with none: nothing is lost.
func TestCampaignKilledBetweenFiles(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	o := train.Options{Steps: 6, Batch: 5}
	whole := t.TempDir()
	k, j, _ := tiny(t, engine, whole, o)
	want, err := k.run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	read := func(dir, name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, "runs", "tiny", name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return b
	}
	// The files of every moment at which a save may be half done: the curve is from when the step was saved, the
	// checkpoint from before.
	tried := 0
	var curves, checkpoints [][]byte
	for n := 1; ; n++ {
		dir := t.TempDir()
		k, j, _ := tiny(t, engine, dir, o)
		_, err := k.run(&brittle{t.Context(), n}, j)
		if curve := read(dir, "run.json"); curve != nil && (len(curves) == 0 || !bytes.Equal(curve, curves[len(curves)-1])) {
			curves, checkpoints = append(curves, curve), append(checkpoints, read(dir, "ckpt.bin"))
		}
		if err == nil {
			break
		}
	}
	for i, curve := range curves {
		dir := t.TempDir()
		k, j, _ := tiny(t, engine, dir, o)
		if bytes.Contains(curve, []byte(`"done": true`)) {
			continue
		}
		folder := filepath.Join(dir, "runs", "tiny")
		if err := os.MkdirAll(folder, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "run.json"), curve, 0o666); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			if err := os.WriteFile(filepath.Join(folder, "ckpt.bin"), checkpoints[i-1], 0o666); err != nil {
				t.Fatal(err)
			}
		}
		got, err := k.run(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(got.Points)
		b, _ := json.Marshal(want.Points)
		if !bytes.Equal(a, b) {
			t.Errorf("killed before checkpoint %d: the curve is\n%s, want\n%s", i, a, b)
		}
		if !bytes.Equal(read(dir, "ckpt.bin"), read(whole, "ckpt.bin")) {
			t.Errorf("killed before checkpoint %d: the checkpoint differs", i)
		}
		tried++
	}
	if tried < 3 {
		t.Errorf("only %d moments were tried", tried)
	}
}

// Time asks for checkpoints, whatever the options say.
func TestSavedByTime(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	k, j, _ := tiny(t, engine, t.TempDir(), train.Options{})
	net, err := j.build()
	if err != nil {
		t.Fatal(err)
	}
	options, err := (train.Options{Steps: 8, Batch: 5, EvalEvery: -1, LogEvery: 100}).Resolve(20)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		second time.Duration // that passes whenever somebody looks at the clock
		saved  bool
	}{{time.Second, false}, {20 * time.Second, true}} {
		ctx, cancel := context.WithCancel(t.Context())
		now, asked := time.Unix(0, 0), 0
		out := filepath.Join(t.TempDir(), "ckpt.bin")
		saved := false
		tr := &Training{Net: net, Options: options, Images: k.images, Out: out, Log: LogName(out)}
		_, err := tr.Run(ctx, engine, Options{Now: func() time.Time {
			now = now.Add(c.second)
			if asked++; asked == 8 { // before the last step, and before what a broken run saves
				_, err := os.Stat(out)
				saved = err == nil
			}
			return now
		}})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if saved != c.saved {
			t.Errorf("with %v between two looks at the clock a checkpoint is there in the middle: %v", c.second, saved)
		}
	}
}

// A run that diverges is done, with what there was before, and says so.
func TestCampaignDiverges(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	for _, steps := range []int{2, 40} { // the last step alone, or long before
		dir := t.TempDir()
		k, j, _ := tiny(t, engine, dir, train.Options{Optimizer: "sgd", Rate: 9e5, Steps: steps, Batch: 5})
		plain := j.build
		j.build = func() (*model.Network, error) {
			net, err := plain()
			for _, n := range net.Nodes {
				if l, ok := n.Layer.(*model.Dense); ok {
					for i := range l.Weight.Data {
						l.Weight.Data[i] *= 1e15
					}
				}
			}
			return net, err
		}
		r, err := k.run(t.Context(), j)
		if err != nil {
			t.Fatalf("%d steps: %v", steps, err)
		}
		if !r.Done || r.Diverged == "" {
			t.Errorf("%d steps: done %v, diverged %q", steps, r.Done, r.Diverged)
		}
		if m, err := k.moments(j, r); err != nil || len(m) == 0 {
			t.Errorf("%d steps: %d moments: %v", steps, len(m), err)
		}
		if again, err := k.run(t.Context(), j); err != nil || again.Diverged != r.Diverged {
			t.Errorf("%d steps: again: %v", steps, err)
		}
	}
}

// What is wrong with any job is said before the first is trained.
func TestPlanRefuses(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	for _, c := range []struct {
		want string
		o    train.Options
		name string
	}{
		{"two runs are called tiny", train.Options{Steps: 4, Batch: 5}, "tiny"},
		{"odd: rate is -1", train.Options{Steps: 4, Batch: 5, Rate: -1}, "odd"},
		{"odd: batches of 30 images, there are 20", train.Options{Steps: 4, Batch: 30}, "odd"},
		{"odd: optimizer \"adma\"", train.Options{Steps: 4, Batch: 5, Optimizer: "adma"}, "odd"},
		{"other settings", train.Options{Steps: 4, Batch: 5}, "done"},
	} {
		dir := t.TempDir()
		k, j, _ := tiny(t, engine, dir, train.Options{Steps: 4, Batch: 5})
		old := *j
		old.name, old.o.Rate = "done", 0.5
		if c.name == "done" {
			if _, err := k.run(t.Context(), &old); err != nil {
				t.Fatal(err)
			}
		}
		bad := *j
		bad.name, bad.o = c.name, c.o
		if err := k.plan(t.Context(), []job{*j, bad}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if _, err := os.Stat(k.file(j, "run.json")); err == nil {
			t.Errorf("%s: a job was trained", c.want)
		}
	}
}

// TestPlanHoldsOneNetwork: networks of a list are built when their turn comes, and not kept; whoever waits for the plan
// can stop it between two.
func TestPlanHoldsOneNetwork(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	k, j, _ := tiny(t, engine, t.TempDir(), train.Options{Steps: 4, Batch: 5})
	plain, alive, most, built := j.build, 0, 0, 0
	count := make(chan int, 1000)
	build := func() (*model.Network, error) {
		for range 2000 { // collected with some delay, the more on a busy machine
			runtime.GC()
			for len(count) > 0 {
				alive += <-count
			}
			if alive < 8 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		net, err := plain()
		built++
		alive++
		most = max(most, alive)
		runtime.AddCleanup(net, func(int) { count <- -1 }, 0)
		return net, err
	}
	var jobs []job
	for i := range 40 {
		more := *j
		more.name, more.build = fmt.Sprint("run ", i), build
		jobs = append(jobs, more)
	}
	if err := k.plan(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
	if built != 40 || most > 8 {
		t.Errorf("%d networks were built, and up to %d alive at once", built, most)
	}
	ctx, cancel := context.WithCancel(t.Context())
	built = 0
	stopping := func() (*model.Network, error) {
		if built++; built == 3 {
			cancel()
		}
		return plain()
	}
	for i := range jobs {
		jobs[i].build = stopping
	}
	if err := k.plan(ctx, jobs); !errors.Is(err, context.Canceled) || built > 4 {
		t.Errorf("stopped at the third network: %v, %d were built", err, built)
	}
}
