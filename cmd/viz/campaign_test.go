package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/urfave/cli/v2"
)

// A campaign that is stopped in the middle of a run and started again ends with
// the curve and the weights of one that was not.
func TestCampaignResumes(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("grey", 0o777); err != nil {
		t.Fatal(err)
	}
	images, labels := []byte{0, 0, 8, 3, 0, 0, 0, 60, 0, 0, 0, 8, 0, 0, 0, 8}, []byte{0, 0, 8, 1, 0, 0, 0, 60}
	for i := range 60 {
		labels = append(labels, byte(i%10))
		for p := range 64 {
			images = append(images, byte(i%10*p+i))
		}
	}
	for _, name := range []string{"train", "t10k"} {
		if err := os.WriteFile("grey/"+name+"-images-idx3-ubyte", images, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("grey/"+name+"-labels-idx1-ubyte", labels, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	command := func(out string) []string {
		return strings.Fields("viz ablate --data grey --arch lenet5 --width 0.1 --variant none:conv1*2 --seeds 1 --steps 30 --evals 10 --batch 10 --out " + out)
	}
	if code := run(context.Background(), command("whole"), io.Discard, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &trigger{at: "step 12 of 30", cancel: cancel}
	if code := run(ctx, command("broken"), io.Discard, w); code != 130 {
		t.Fatalf("exit code %d, want 130: %s", code, w.all.String())
	}
	var stderr bytes.Buffer
	if code := run(context.Background(), command("broken"), io.Discard, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if s := stderr.String(); strings.Contains(s, "full, seed 0: from step 0") {
		t.Errorf("the run started anew: %s", s)
	}
	for _, name := range []string{"full,_seed_0", "none,_seed_0"} {
		var curves [2]string
		var weights [2][]byte
		for i, dir := range []string{"whole", "broken"} {
			text, err := os.ReadFile(filepath.Join(dir, "runs", name, "run.json"))
			if err != nil {
				t.Fatal(err)
			}
			var r trained
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			for k := range r.Points {
				r.Points[k].Loss = nil // a mean over the steps since the last report, which a break cuts short
			}
			points, _ := json.Marshal(r.Points)
			curves[i] = string(points)
			if weights[i], err = os.ReadFile(filepath.Join(dir, "runs", name, "ckpt.bin")); err != nil {
				t.Fatal(err)
			}
		}
		if curves[0] != curves[1] {
			t.Errorf("%s: curves differ:\n%s\n%s", name, curves[0], curves[1])
		}
		if !bytes.Equal(weights[0], weights[1]) {
			t.Errorf("%s: the checkpoints differ", name)
		}
	}
}

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

// tiny is a campaign in dir of ten-class images of noise, and a job for it. The job
// writes down the steps it sees.
func tiny(t *testing.T, ctx context.Context, engine *model.Engine, dir string, o train.Options) (*campaign, *job, *[]int) {
	t.Helper()
	c := cli.NewContext(&cli.App{ErrWriter: io.Discard}, flag.NewFlagSet("", 0), nil)
	c.Context = ctx
	k := &campaign{c: c, engine: engine, dir: dir, data: "noise"}
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
	net, err := model.Build("lenet5", model.ArchOptions{Input: model.Input{C: 1, H: 8, W: 8}, Classes: strings.Split("abcdefghij", ""), Width: 0.05})
	if err != nil {
		t.Fatal(err)
	}
	net.Preprocess.Scale = 1. / 255
	var seen []int
	j := &job{name: "tiny", net: net, evals: 3, o: o}
	j.each = func(step int, net *model.Network) error {
		seen = append(seen, step)
		return k.watch(j, step, net)
	}
	return k, j, &seen
}

// Wherever a run is stopped, also while accuracy is measured or activations are
// recorded, it ends as one that was not.
func TestCampaignStopsAnywhere(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	o := train.Options{Steps: 6, Batch: 5}
	plain := func(r *trained) string {
		for i := range r.Points {
			r.Points[i].Loss = nil // a mean over the steps since the last report, which a break cuts short
		}
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
	k, j, seen := tiny(t, t.Context(), engine, whole, o)
	r, err := k.run(j)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(*seen, []int{0, 2, 4, 6}) || r.final().Step != 6 {
		t.Fatalf("steps %v, last point %+v", *seen, r.final())
	}
	want := plain(r)
	stops := 0
	for n := 1; ; n++ {
		dir := t.TempDir()
		k, j, _ := tiny(t, &brittle{t.Context(), n}, engine, dir, o)
		r, err := k.run(j)
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
		k, j, _ = tiny(t, t.Context(), engine, dir, o)
		if r, err = k.run(j); err != nil {
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

// A run that diverges is done, with what there was before, and says so.
func TestCampaignDiverges(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	for _, steps := range []int{2, 40} { // the last step alone, or long before
		dir := t.TempDir()
		k, j, _ := tiny(t, t.Context(), engine, dir, train.Options{Solver: "sgd", Rate: 9e5, Steps: steps, Batch: 5})
		for _, n := range j.net.Nodes {
			if l, ok := n.Layer.(*model.Dense); ok {
				for i := range l.Weight.Data {
					l.Weight.Data[i] *= 1e15
				}
			}
		}
		r, err := k.run(j)
		if err != nil {
			t.Fatalf("%d steps: %v", steps, err)
		}
		if !r.Done || r.Diverged == "" {
			t.Errorf("%d steps: done %v, diverged %q", steps, r.Done, r.Diverged)
		}
		if m, err := k.moments(j, r); err != nil || len(m) == 0 {
			t.Errorf("%d steps: %d moments: %v", steps, len(m), err)
		}
		if again, err := k.run(j); err != nil || again.Diverged != r.Diverged {
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
		{"odd: train: rate is -1", train.Options{Steps: 4, Batch: 5, Rate: -1}, "odd"},
		{"odd: batches of 30 images, there are 20", train.Options{Steps: 4, Batch: 30}, "odd"},
		{"odd: train: solver \"adma\"", train.Options{Steps: 4, Batch: 5, Solver: "adma"}, "odd"},
		{"other settings", train.Options{Steps: 4, Batch: 5}, "done"},
	} {
		dir := t.TempDir()
		k, j, _ := tiny(t, t.Context(), engine, dir, train.Options{Steps: 4, Batch: 5})
		old := *j
		old.name, old.o.Rate = "done", 0.5
		if c.name == "done" {
			if _, err := k.run(&old); err != nil {
				t.Fatal(err)
			}
		}
		bad := *j
		bad.name, bad.o = c.name, c.o
		if err := k.plan([]job{*j, bad}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if _, err := os.Stat(k.file(j, "run.json")); err == nil {
			t.Errorf("%s: a job was trained", c.want)
		}
	}
}
