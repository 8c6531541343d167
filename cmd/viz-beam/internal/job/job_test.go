package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/store"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/view"
	"gocloud.dev/gcerrors"
)

var draws = flag.Int("draws", 12, "configurations that TestDrawn draws")

// folder makes a folder of n small pictures, of which each bad-th is none.
func folder(t *testing.T, n, bad int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		name := filepath.Join(dir, fmt.Sprintf("p%04d.png", i))
		if bad > 0 && i%bad == bad-1 {
			if err := os.WriteFile(name, []byte("no picture"), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		rng := rand.New(rand.NewPCG(7, uint64(i)))
		img := image.NewNRGBA(image.Rect(0, 0, 32, 32))
		a, b := rng.IntN(9)+1, rng.IntN(9)+1
		for y := range 32 {
			for x := range 32 {
				img.SetNRGBA(x, y, color.NRGBA{uint8(x * a * 3), uint8(y * b * 3), uint8(x * y / a), 255})
			}
		}
		var text bytes.Buffer
		if err := png.Encode(&text, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func network(t *testing.T) *model.Network {
	t.Helper()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// whole is the index of all pictures of a folder by one scan, as viz features writes it.
func whole(t *testing.T, net *model.Network, spec images.Spec, scan view.Scan) ([]byte, *images.Inputs) {
	t.Helper()
	list, err := images.Open(t.Context(), spec, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.For(list, net)
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	o := scan.Options
	o.Unreadable = func(int, error) error { return nil }
	x, err := features.Collect(t.Context(), engine, net, src, o)
	if err != nil {
		t.Fatal(err)
	}
	x.Source = source1(spec, list)
	view.NameIndex(x, src)
	var text bytes.Buffer
	if err := x.Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.Bytes(), src
}

func source1(spec images.Spec, list *images.List) features.Source {
	return features.Source{Images: spec.Paths, Names: list.Hash()}
}

// Whatever the units, folds, threads, the order of the work, work done twice and workers that come and go: the index is
// that of one scan.
func TestDrawn(t *testing.T) {
	if testing.Short() {
		*draws = min(*draws, 6)
	}
	net := network(t)
	for n := range *draws {
		rng := rand.New(rand.NewPCG(19, uint64(n)))
		pictures, bad := 1+rng.IntN(40), rng.IntN(6)
		if bad == 1 {
			bad = 0 // not all
		}
		spec := images.Spec{Paths: []string{folder(t, pictures, bad)}, ByClass: true}
		settings := map[string]string{"top": fmt.Sprint(1 + rng.IntN(12))}
		if rng.IntN(2) == 0 {
			settings["layers"] = []string{"1", "2,3", "all"}[rng.IntN(3)]
		}
		if rng.IntN(3) == 0 {
			settings["exact"] = "true"
		}
		if rng.IntN(2) == 0 {
			settings["batch"] = fmt.Sprint(1 + rng.IntN(9))
		}
		var scan view.Scan
		if err := scan.Fields().Set(net, func(name string) (string, bool) { text, ok := settings[name]; return text, ok }); err != nil {
			t.Fatal(err)
		}
		want, src := whole(t, net, spec, scan)
		j := Job{Kind: Features, Settings: settings, Spec: &spec, Names: src.Hash(), Source: source1(spec, src.List), Pictures: src.Len(), Unit: 1 + rng.IntN(pictures+2), Fold: 1 + rng.IntN(5)}
		about := fmt.Sprintf("draw %d: %d pictures, bad %d, %v, unit %d, fold %d", n, pictures, bad, settings, j.Unit, j.Fold)
		got, err := drawn(t, rng, j, net)
		if err != nil {
			t.Fatalf("%s: %v", about, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: another index than that of one scan", about)
		}
	}
}

// drawn does a job with several workers at once, which do units in any order, some of them twice.
func drawn(t *testing.T, rng *rand.Rand, j Job, net *model.Network) ([]byte, error) {
	ctx := t.Context()
	lead, err := Start(ctx, j, filepath.Join(t.TempDir(), "work"), net, nil, store.OpenBucket)
	if err != nil {
		return nil, err
	}
	defer lead.Close()
	var units []int
	for unit := range lead.Job.Units() {
		units = append(units, unit)
		if rng.IntN(3) == 0 {
			units = append(units, unit)
		}
	}
	rng.Shuffle(len(units), func(a, b int) { units[a], units[b] = units[b], units[a] })
	workers := make([]*Worker, 1+rng.IntN(3))
	errs := make([]error, len(workers))
	var wait sync.WaitGroup
	for k := range workers {
		if workers[k], err = Begin(ctx, lead.Place, Machine{Open: store.OpenBucket, Threads: 1 + rng.IntN(3)}); err != nil {
			return nil, err
		}
		defer workers[k].Close()
		wait.Go(func() {
			for i := k; i < len(units); i += len(workers) {
				if _, err := workers[k].Do(ctx, units[i]); err != nil {
					errs[k] = err
				}
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for fold := range lead.Job.Folds() {
		for range 1 + rng.IntN(2) {
			if err := workers[rng.IntN(len(workers))].Fold(ctx, fold); err != nil {
				return nil, err
			}
		}
	}
	if err := workers[0].Finish(ctx); err != nil {
		return nil, err
	}
	x, err := lead.Index(ctx)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = x.Write(&text)
	return text.Bytes(), err
}

// begin starts a job over a folder and a worker for it.
func begin(t *testing.T, kind Kind, settings map[string]string, spec images.Spec, unit int) (*Lead, *Worker) {
	t.Helper()
	net := network(t)
	list, err := images.Open(t.Context(), spec, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j := Job{Kind: kind, Settings: settings, Spec: &spec, Names: list.Hash(), Source: source1(spec, list), Pictures: list.Len(), Unit: unit}
	lead, err := Start(t.Context(), j, filepath.Join(t.TempDir(), "work"), net, nil, store.OpenBucket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lead.Close() })
	w, err := Begin(t.Context(), lead.Place, Machine{Open: store.OpenBucket, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return lead, w
}

// A unit that was done is not done again; pictures that cannot be used are counted.
func TestCount(t *testing.T) {
	lead, w := begin(t, Features, nil, images.Spec{Paths: []string{folder(t, 10, 4)}}, 4)
	for _, want := range []Count{{Pictures: 4, Skipped: 1}, {Kept: 4}} {
		if got, err := w.Do(t.Context(), 1); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if left, err := lead.Left(t.Context()); err != nil || fmt.Sprint(left) != "[0 2]" {
		t.Errorf("left are %v, %v, want units 0 and 2", left, err)
	}
	if _, err := w.Do(t.Context(), 3); err == nil {
		t.Error("a unit behind the last was done")
	}
}

// A picture that makes a network's numbers infinite is what a scan ends with; here it is named, and the job ends
// without being tried for ever.
func TestPoison(t *testing.T) {
	dir := folder(t, 6, 0)
	net := network(t)
	x := make([]float32, net.Input.Shape().Len())
	x[5] = 3e38
	writeArray(t, filepath.Join(dir, "p0002.npy"), net, x)
	// Arrays in folders are not pictures: it is named by itself.
	spec := images.Spec{Paths: []string{filepath.Join(dir, "p0000.png"), filepath.Join(dir, "p0002.npy"), filepath.Join(dir, "p0003.png")}}
	lead, w := begin(t, Features, nil, spec, 1)
	for unit := range 3 {
		n, err := w.Do(t.Context(), unit)
		if err != nil || (n.Failed == 1) != (unit == 1) {
			t.Errorf("unit %d: %+v, %v", unit, n, err)
		}
	}
	for fold := range lead.Job.Folds() {
		if err := w.Fold(t.Context(), fold); err != nil {
			t.Error(err)
		}
	}
	if err := w.Finish(t.Context()); err != nil {
		t.Error(err)
	}
	err := lead.Failures(t.Context())
	if _, ok := errors.AsType[*Failed](err); !ok || !strings.Contains(err.Error(), "pictures 1 to 1: image 1: layer") {
		t.Errorf("the failure is %v", err)
	}
	if done, err := lead.Done(t.Context()); done || err != nil {
		t.Errorf("there is a result: %v, %v", done, err)
	}
	// Started again it is tried again.
	again, err := Start(t.Context(), lead.Job, lead.Place.Work, net, nil, store.OpenBucket)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Failures(t.Context()); err != nil || again.Place != lead.Place {
		t.Errorf("%v, %v, %v", err, again.Place, lead.Place)
	}
}

func writeArray(t *testing.T, name string, net *model.Network, x []float32) {
	t.Helper()
	if err := npy.WriteFile(name, []int{net.Input.C, net.Input.H, net.Input.W}, x); err != nil {
		t.Fatal(err)
	}
}

// A worker that sees other pictures, another network or no job says so instead of working.
func TestBeginRefuses(t *testing.T) {
	dir := folder(t, 4, 0)
	lead, _ := begin(t, Features, nil, images.Spec{Paths: []string{dir}}, 2)
	try := func(place Place, want string) {
		t.Helper()
		if _, err := Begin(t.Context(), place, Machine{Open: store.OpenBucket}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	try(Place{lead.Place.Work, "0123"}, "the job is not there")
	if err := os.Remove(filepath.Join(dir, "p0001.png")); err != nil {
		t.Fatal(err)
	}
	try(lead.Place, "here are 3 pictures")
	file := filepath.Join(lead.Place.Work, lead.Place.ID, jobFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte(`"unit":2`), []byte(`"unit":1`), 1), 0o666); err != nil {
		t.Fatal(err)
	}
	try(lead.Place, "another version, or is damaged")
}

// A part that is not what the plan says is an error, not a wrong result.
func TestForeignPart(t *testing.T) {
	lead, w := begin(t, Features, nil, images.Spec{Paths: []string{folder(t, 4, 0)}}, 2)
	if _, err := w.Do(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(lead.Place.Work, lead.Place.ID)
	text, err := os.ReadFile(filepath.Join(dir, partFile(0)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, partFile(1)), text, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := w.Fold(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "want 2 to 3") {
		t.Errorf("got %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, partFile(1)), 100); err != nil {
		t.Fatal(err)
	}
	if err := w.Fold(t.Context(), 0); err == nil {
		t.Error("a part that was cut is taken")
	}
}

// The records of a table are there once each, in order.
func TestRecords(t *testing.T) {
	lead, w := begin(t, Classify, map[string]string{"top": "2"}, images.Spec{Paths: []string{folder(t, 7, 3)}}, 3)
	for _, unit := range []int{2, 0, 1, 1} {
		if _, err := w.Do(t.Context(), unit); err != nil {
			t.Fatal(err)
		}
	}
	for fold := range lead.Job.Folds() {
		if err := w.Fold(t.Context(), fold); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, bad := 0, 0
	err := lead.Records(t.Context(), func(r Record) error {
		if r.Image != n {
			t.Errorf("record %d is of picture %d", n, r.Image)
		}
		n++
		if r.Error != "" {
			bad++
			return nil
		}
		var c view.Classified
		if len(r.Values) != 1 {
			t.Fatalf("%d values", len(r.Values))
		}
		if err := json.Unmarshal(r.Values[0], &c); err != nil || len(c.Top) != 2 || c.Image != r.Name {
			t.Errorf("%+v, %v", c, err)
		}
		return nil
	})
	if err != nil || n != 7 || bad != 2 {
		t.Errorf("%d records, %d bad, %v", n, bad, err)
	}
	if err := lead.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := lead.bucket.ReadAll(context.Background(), jobFile); gcerrors.Code(err) != gcerrors.NotFound {
		t.Errorf("the job is still there: %v", err)
	}
}

func TestUnit(t *testing.T) {
	for _, c := range []struct {
		kind              Kind
		pictures, workers int
		want              int
	}{{Features, 10, 0, 1024}, {Features, 1_300_000, 0, 1024}, {Features, 10_000_000, 0, 2442}, {Features, 8500, 2, 850}, {Features, 3, 4, 1}, {Occlude, 50_000, 0, 4}} {
		if got := c.kind.Unit(c.pictures, c.workers); got != c.want {
			t.Errorf("%s, %d pictures, %d workers: %d, want %d", c.kind, c.pictures, c.workers, got, c.want)
		}
	}
}
