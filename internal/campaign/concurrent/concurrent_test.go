package concurrent

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

var rounds = flag.Int("rounds", 0, "rounds of 32 goroutines; 0: a few")

// job is a computation on things that all goroutines share; its result is a hash of all bits.
type job struct {
	name string
	do   func(ctx context.Context, image int) (uint64, error)
}

// hashOf is a hash of numbers, by their bits.
func hashOf(lists ...[]float32) uint64 {
	h := fnv.New64a()
	for _, l := range lists {
		for _, v := range l {
			fmt.Fprint(h, math.Float32bits(v), " ")
		}
	}
	return h.Sum64()
}

const pictures = 3

// jobs share a network, an engine and what is made of them.
func jobs(t *testing.T, engine *model.Engine) []job {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	net, err := model.Build("small", model.ArchOptions{Input: model.Input{C: 3, H: 16, W: 16}, Classes: []string{"a", "b", "c"}, Width: 0.2, Seed: 5})
	must(err)
	r := rand.New(rand.NewPCG(1, 2))
	all := tensor.New(pictures, 3, 16, 16)
	for i := range all.Data {
		all.Data[i] = r.Float32()*4 - 2
	}
	var items []images.Item
	for i := range pictures {
		items = append(items, images.Item{Name: fmt.Sprint(i), Stem: fmt.Sprint(i), Label: -1})
	}
	src, err := images.For(images.New("here", nil, items, func(i int) (images.Picture, error) {
		return images.Picture{Name: fmt.Sprint(i), Array: all.Slice(i, i+1)}, nil
	}), net)
	must(err)
	plan, err := engine.Compile(net, model.Keep{Layers: []string{"relu2", net.Logits}})
	must(err)
	projector := deconv.New(engine, net, deconv.Paper)
	keep, err := projector.Keep("relu2")
	must(err)
	traced, err := engine.Compile(net, keep)
	must(err)
	scanner, err := occlusion.New(engine, net, occlusion.Options{Patch: [2]int{5, 5}, Stride: [2]int{4, 4}})
	must(err)
	explainer := attribution.New(engine, net)
	session := view.NewSession(engine, net)
	classifier, err := session.Classifier(view.Classify{Top: 3})
	must(err)
	return []job{
		{"plan", func(_ context.Context, i int) (uint64, error) {
			trace, err := plan.Run(all.Slice(i, i+1))
			if err != nil {
				return 0, err
			}
			return hashOf(trace.Value("relu2").Data, trace.Value(net.Logits).Data), nil
		}},
		{"projector", func(ctx context.Context, i int) (uint64, error) {
			trace, err := traced.Run(all.Slice(i, i+1))
			if err != nil {
				return 0, err
			}
			p, err := projector.ProjectAll(ctx, trace, []deconv.Target{{Unit: model.Unit{Layer: "relu2", Channel: 1, Y: 3, X: 4}}, {Unit: model.Unit{Layer: "relu2", Channel: 0, Y: 5, X: 2}}})
			if err != nil {
				return 0, err
			}
			return hashOf(p[0].Pixels, p[1].Pixels), nil
		}},
		{"scanner", func(ctx context.Context, i int) (uint64, error) {
			maps, err := scanner.ScanAll(ctx, all.Slice(i, i+1), nil)
			if err != nil {
				return 0, err
			}
			return hashOf(append(maps[0].Prob, maps[0].Logit...)...), nil
		}},
		{"attribution", func(ctx context.Context, i int) (uint64, error) {
			method := []attribution.Method{attribution.IntegratedGradients, "gradcam", "smoothgrad"}[i]
			found, err := explainer.Explain(ctx, all.Slice(i, i+1), attribution.Request{Method: method})
			if err != nil {
				return 0, err
			}
			return hashOf(found[0].Values), nil
		}},
		{"index", func(ctx context.Context, i int) (uint64, error) {
			x, err := features.Collect(ctx, engine, net, src, features.Options{Layers: []string{"relu1", "relu3"}, Top: i + 1, Readers: 2})
			if err != nil {
				return 0, err
			}
			var b bytes.Buffer
			err = x.Write(&b)
			h := fnv.New64a()
			h.Write(b.Bytes())
			return h.Sum64(), err
		}},
		{"session", func(_ context.Context, i int) (uint64, error) {
			c, err := classifier.Classify(src, i, all.Slice(i, i+1))
			if err != nil {
				return 0, err
			}
			h := fnv.New64a()
			for _, s := range c.Top {
				fmt.Fprint(h, s.Class, math.Float64bits(s.Score), math.Float64bits(*s.Probability), " ")
			}
			return h.Sum64(), nil
		}},
	}
}

// TestSharedByMany: results of 32 goroutines are those of one, bit for bit, or they were cancelled; afterwards there are as
// many goroutines as before, and no more memory.
func TestSharedByMany(t *testing.T) {
	n := *rounds
	if n == 0 {
		n = 1
	}
	before := runtime.NumGoroutine()
	engine := model.NewEngine(2)
	list := jobs(t, engine)
	var want [][pictures]uint64
	for _, j := range list {
		var w [pictures]uint64
		for i := range w {
			var err error
			if w[i], err = j.do(context.Background(), i); err != nil {
				t.Fatalf("%s: %v", j.name, err)
			}
		}
		want = append(want, w)
	}
	var first uint64
	done, cancelled := 0, 0
	for round := range n {
		d, c := together(t, list, want, uint64(round))
		done, cancelled = done+d, cancelled+c
		if round == n/10 && n >= 100 {
			first = heap()
		}
	}
	if now := heap(); first > 0 && now > first+8<<20 {
		t.Errorf("%d bytes are held after %d rounds, %d after a tenth of them", now, n, first)
	}
	engine.Close()
	for range 200 { // goroutines that were told to end need a moment
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines, %d before", now, before)
	}
	t.Logf("%d rounds: %d results, %d cancelled", n, done, cancelled)
	if done == 0 {
		t.Error("nothing was done")
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// together runs 32 goroutines, a third of which are cancelled after a random while.
func together(t *testing.T, list []job, want [][pictures]uint64, seed uint64) (done, cancelled int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for g := range 32 {
		r := rand.New(rand.NewPCG(seed, uint64(g)))
		k, i := r.IntN(len(list)), r.IntN(pictures)
		ctx, cancel := context.WithCancel(context.Background())
		if r.IntN(3) == 0 {
			after := time.Duration(r.IntN(20_000)) * time.Microsecond
			stop := time.AfterFunc(after, cancel)
			defer stop.Stop()
		}
		wg.Go(func() {
			defer cancel()
			got, err := list[k].do(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, context.Canceled) && ctx.Err() != nil:
				cancelled++
			case err != nil:
				t.Errorf("%s: %v", list[k].name, err)
			case got != want[k][i]:
				t.Errorf("%s, picture %d: other bits than those of one goroutine", list[k].name, i)
			default:
				done++
			}
		})
	}
	wg.Wait()
	return done, cancelled
}
