package features_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// noise is a source of n random images, some of which cannot be read.
type noise struct {
	n, bad int // every bad-th image is bad, 0: none
}

func (s noise) Len() int { return s.n }

func (s noise) Input(i int, dst []float32) error {
	if s.bad > 0 && i%s.bad == s.bad-1 {
		return fmt.Errorf("image %d is broken", i)
	}
	r := rand.New(rand.NewPCG(uint64(i), 1))
	for j := range dst {
		dst[j] = float32(r.NormFloat64())
	}
	return nil
}

// wide has a convolution that Winograd's algorithm takes on.
func wide(r *rand.Rand) *model.Network {
	net := &model.Network{Name: "wide", Input: model.Input{Name: "in", C: 2, H: 17, W: 18}}
	in, c := "in", 2
	for i, name := range []string{"conv1", "conv2"} {
		w := make([]float32, 24*c*3*3)
		for i := range w {
			w[i] = float32(r.NormFloat64())
		}
		net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: []string{in}, Layer: &model.Conv{Weight: tensor.From(w, 24, c, 3, 3), Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: []int{1, 1, 1, 1}, Groups: 1}},
			model.Node{Name: fmt.Sprint("relu", i+1), Inputs: []string{name}, Layer: &model.ReLU{}})
		in, c = fmt.Sprint("relu", i+1), 24
	}
	return net
}

func small(r *rand.Rand) *model.Network {
	w := make([]float32, 5*2*3*3)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	bias := []float32{0, 0, 0, 0, -1e6} // the last map is dead
	return &model.Network{Name: "small", Input: model.Input{Name: "in", C: 2, H: 9, W: 8}, Nodes: []model.Node{
		{Name: "conv1", Inputs: []string{"in"}, Layer: &model.Conv{Weight: tensor.From(w, 5, 2, 3, 3), Bias: bias, Stride: []int{1, 1}, Dilation: []int{1, 1}, Groups: 1}},
		{Name: "relu1", Inputs: []string{"conv1"}, Layer: &model.ReLU{}},
		{Name: "pool1", Inputs: []string{"relu1"}, Layer: &model.Pool{Op: model.PoolMax, Kernel: []int{2, 2}, Stride: []int{2, 2}, Dilation: []int{1, 1}}},
	}}
}

func bytesOf(t *testing.T, x *features.Index) []byte {
	t.Helper()
	x.SetNames(func(i int) (string, string) { return fmt.Sprint("image ", i), "" })
	var b bytes.Buffer
	if err := x.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestParts: an index made in one go, in batches of any size, by several readers, in
// parts that are merged in any order, and in pieces that are stored and resumed is the
// same file, byte for byte.
func TestParts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	engine := model.NewEngine(2)
	defer engine.Close()
	one := model.NewEngine(1)
	defer one.Close()
	engines := [2]*model.Engine{engine, one}
	skip := func(i int, err error) error { return nil }
	for round := range 20 {
		net := small(r)
		src := noise{1 + r.IntN(60), r.IntN(3) * 7}
		o := features.Options{Layers: []string{"conv1", "relu1"}, Top: 1 + r.IntN(9), Unreadable: skip}
		if round%3 == 2 {
			net = wide(r)
			o.Layers = []string{"relu1", "relu2"}
		}
		o.Exact = round%2 == 1
		collect := func(o features.Options) *features.Index {
			t.Helper()
			o.Readers, o.Batch = r.IntN(4), 1+r.IntN(9)
			x, err := features.Collect(context.Background(), engines[r.IntN(2)], net, src, o)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		whole := collect(o)
		if !whole.Complete() || whole.Scanned() != src.n {
			t.Fatalf("%v of %d images are done", whole.Done, src.n)
		}
		want := bytesOf(t, whole)

		var parts []*features.Index
		for at := 0; at < src.n; {
			p := o
			p.From, p.To = at, min(at+1+r.IntN(src.n), src.n)
			parts = append(parts, collect(p))
			at = p.To
		}
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		for _, p := range parts {
			bytesOf(t, p) // names
		}
		merged, err := features.Merge(parts...)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bytesOf(t, merged), want) {
			t.Fatalf("%d parts: the merged index is not the whole one", len(parts))
		}

		// Stopped in the middle, stored, read, resumed.
		ctx, cancel := context.WithCancel(context.Background())
		p := o
		p.Batch = 3
		var stored []byte
		p.Each = func(x *features.Index) error {
			stored = bytesOf(t, x)
			if x.Scanned() > src.n/2 {
				cancel()
			}
			return nil
		}
		if _, err := features.Collect(ctx, engine, net, src, p); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		half, err := features.Read(bytes.NewReader(stored))
		if err != nil {
			t.Fatal(err)
		}
		p = o
		p.Resume = half
		if !bytes.Equal(bytesOf(t, collect(p)), want) {
			t.Fatal("the resumed index is not the whole one")
		}
	}
}

// TestStats holds statistics to sums over all activations.
func TestStats(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	net := small(rand.New(rand.NewPCG(3, 4)))
	src := noise{40, 8}
	skipped := 0
	x, err := features.Collect(context.Background(), engine, net, src, features.Options{Layers: []string{"relu1"},
		Unreadable: func(int, error) error { skipped++; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if skipped != 5 || len(x.Skipped) != 5 || x.Skipped[1] != (features.Skip{Image: 15, Error: "image 15 is broken"}) {
		t.Errorf("%d images skipped: %v", skipped, x.Skipped)
	}
	l := x.Layer("relu1")
	area := l.H * l.W
	sum, squares, fired, positive, maxima := make([]float64, 5), make([]float64, 5), make([]int, 5), make([]int, 5), make([][]float64, 5)
	in := tensor.New(1, 2, 9, 8)
	for i := range src.n {
		if src.Input(i, in.Data) != nil {
			continue
		}
		trace, err := engine.Forward(net, in)
		if err != nil {
			t.Fatal(err)
		}
		for c := range 5 {
			best := 0.0
			for _, v := range trace.Value("relu1").Data[c*area : (c+1)*area] {
				sum[c] += float64(v)
				squares[c] += float64(v) * float64(v)
				if v > 0 {
					positive[c]++
				}
				best = max(best, float64(v))
			}
			if best > 0 {
				fired[c]++
			}
			maxima[c] = append(maxima[c], best)
		}
	}
	for c := range 5 {
		s := &l.Stats[c]
		n := float64(35 * area)
		mean := sum[c] / n
		if s.Images != 35 || s.Fired != fired[c] || s.Positive != positive[c] || s.Dead() != (c == 4) {
			t.Errorf("map %d: %d images, %d fired, %d positions; want 35, %d, %d", c, s.Images, s.Fired, s.Positive, fired[c], positive[c])
		}
		if deviation := math.Sqrt(squares[c]/n - mean*mean); math.Abs(s.Mean(area)-mean) > 1e-5 || math.Abs(s.Std(area)-deviation) > 1e-5 {
			t.Errorf("map %d: mean %g deviation %g, want %g %g", c, s.Mean(area), s.Std(area), mean, deviation)
		}
		h := s.Maxima
		count := h.Zero
		for b, n := range h.Counts {
			count += n
			inside := 0
			for _, v := range maxima[c] {
				if v > 0 && features.Bound(h.First+b) <= v && v < features.Bound(h.First+b+1) {
					inside++
				}
			}
			if inside != n {
				t.Errorf("map %d: %d maxima in bin %d, want %d", c, n, h.First+b, inside)
			}
		}
		if count != 35 {
			t.Errorf("map %d: the histogram counts %d images", c, count)
		}
	}
}

// TestSum: sums are exact in any order and grouping, for numbers of any size.
func TestSum(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var terms []float32
		for range r.IntN(50) {
			v := math.Float32frombits(r.Uint32())
			if v-v == 0 {
				terms = append(terms, v, -v/3)
			}
		}
		var one, a, b features.Sum
		want := new(big.Rat)
		for i, v := range terms {
			one.Add(v)
			want.Add(want, new(big.Rat).SetFloat64(float64(v)))
			if i%3 == 0 {
				a.Add(v)
			} else {
				b.Add(v)
			}
		}
		b.AddSum(&a)
		text, _ := one.MarshalJSON()
		other, _ := b.MarshalJSON()
		if f, _ := want.Float64(); one.Float64() != f || !bytes.Equal(text, other) {
			t.Fatalf("sum %g, want %g; %s and %s", one.Float64(), f, text, other)
		}
		var back features.Sum
		if err := back.UnmarshalJSON(text); err != nil || back.Float64() != one.Float64() {
			t.Fatalf("%s reads as %g, %v", text, back.Float64(), err)
		}
	}
	if err := new(features.Sum).UnmarshalJSON([]byte(`"` + strings.Repeat("f", 89) + `"`)); err == nil {
		t.Error("a number of 89 digits is taken")
	}
}

// TestRead: what is not a whole index is refused, and no byte can be changed.
func TestRead(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	net := small(rand.New(rand.NewPCG(7, 8)))
	x, err := features.Collect(context.Background(), engine, net, noise{5, 0}, features.Options{Top: 2})
	if err != nil {
		t.Fatal(err)
	}
	text := bytesOf(t, x)
	back, err := features.Read(bytes.NewReader(text))
	if err != nil || !bytes.Equal(bytesOf(t, back), text) {
		t.Fatalf("it does not read as it was written: %v", err)
	}
	for range 300 {
		bad := slices.Clone(text)
		i := rand.IntN(len(bad))
		bad[i] ^= 1 << rand.IntN(8)
		if back, err := features.Read(bytes.NewReader(bad)); err == nil && !bytes.Equal(bytesOf(t, back), text) {
			t.Fatalf("byte %d can be changed", i)
		}
	}
	for _, cut := range []int{0, 10, len(text) / 2, len(text) - 1} {
		if _, err := features.Read(bytes.NewReader(text[:cut])); err == nil {
			t.Errorf("%d of %d bytes are taken for an index", cut, len(text))
		}
	}
}

// TestRefused: an index of another network or of other images is not resumed or merged.
func TestRefused(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	ctx := context.Background()
	x, err := features.Collect(ctx, engine, small(rand.New(rand.NewPCG(1, 1))), noise{4, 0}, features.Options{To: 2})
	if err != nil {
		t.Fatal(err)
	}
	other := small(rand.New(rand.NewPCG(2, 2)))
	if _, err := features.Collect(ctx, engine, other, noise{4, 0}, features.Options{Resume: x}); err == nil || !strings.Contains(err.Error(), "cannot resume: the index is of model "+x.Model) {
		t.Error(err)
	}
	if _, err := features.Merge(x, x); err == nil || err.Error() != "part 2: images 0 to 1 are in an earlier part too" {
		t.Error(err)
	}
	if _, err := features.Collect(ctx, engine, other, noise{4, 2}, features.Options{}); err == nil || err.Error() != "image 1 is broken" {
		t.Error(err)
	}
}

// TestRetry: images that could not be read are tried again, and the index is then the one of a scan that read them all.
func TestRetry(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	net := small(rand.New(rand.NewPCG(3, 4)))
	collect := func(src features.Images, o features.Options) *features.Index {
		o.Unreadable = func(int, error) error { return nil }
		x, err := features.Collect(context.Background(), engine, net, src, o)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	want := bytesOf(t, collect(noise{12, 0}, features.Options{}))
	for _, bad := range []int{1, 4, 12} {
		x := collect(noise{12, bad}, features.Options{})
		if len(x.Skipped) != 12/bad || !x.Complete() {
			t.Fatalf("one of %d is bad: skipped %v of %v", bad, x.Skipped, x.Done)
		}
		part := collect(noise{12, 0}, features.Options{Resume: x, From: 6})
		if len(part.Skipped) != 6/bad || !part.Complete() {
			t.Errorf("one of %d was bad: %v are skipped after the second half was tried again", bad, part.Skipped)
		}
		if got := bytesOf(t, collect(noise{12, 0}, features.Options{Resume: part})); !bytes.Equal(got, want) {
			t.Errorf("one of %d was bad: the index differs from that of a scan in one go", bad)
		}
	}
}

// TestBatchOfManyWorkers: a batch grows with the workers, and the index stays the same.
func TestBatchOfManyWorkers(t *testing.T) {
	net, images := small(rand.New(rand.NewPCG(7, 1))), noise{n: 50}
	var want []byte
	for _, c := range []struct{ workers, batch int }{{1, 32}, {8, 32}, {10, 40}} {
		engine := model.NewEngine(c.workers)
		batch := 0
		index, err := features.Collect(context.Background(), engine, net, images, features.Options{Layers: []string{"relu1"},
			Progress: func(done, _ int) {
				if batch == 0 {
					batch = done
				}
			}})
		engine.Close()
		if err != nil {
			t.Fatal(err)
		}
		if batch != c.batch {
			t.Errorf("%d workers: batches of %d, want %d", c.workers, batch, c.batch)
		}
		if got := bytesOf(t, index); want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("%d workers: the index differs", c.workers)
		}
	}
}
