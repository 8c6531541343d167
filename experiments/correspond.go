package experiments

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Part is one part in several images, such as the left eye of five dogs: a box in
// each, in pixels of the network's input.
type Part struct {
	Name  string            // not one of AllParts, Random, RandomSame
	Boxes []image.Rectangle // one for each image
}

// CorrespondOptions of Correspond.
type CorrespondOptions struct {
	Layers   []string  // nil: the last convolution's features and Top
	Fill     []float32 // what masks put in place, per channel in network units; nil: the mean of the training data
	Random   int       // draws of random masks; 0: 20
	Seed     uint64
	Progress func(done, total int)
}

// What a Correspondence can be of besides a part.
const (
	AllParts   = "all parts"       // mean over the parts
	Random     = "random"          // masks at random places in each image
	RandomSame = "random, aligned" // masks at one random place for all images: what being in the same place does by itself
)

// Correspondence is how differently a layer changes when a part is masked in
// several images: 0 if its values all rise, fall or stay together.
type Correspondence struct {
	Layer string `json:"layer"`
	Part  string `json:"part"` // a part's name, or AllParts, Random, RandomSame
	// Score is the Hamming distance of the sign vectors of the changes, as a mean
	// over ordered pairs of images and over values. Signs are -1, 0, 1, so values that
	// stay as they are agree.
	Score float64 `json:"score"`
	// Std is the standard deviation of the pairs' distances (of the draws'
	// scores for random masks).
	Std    float64 `json:"std"`
	OldStd float64 `json:"deviation"` // the older name of Std, for one more version
	// Error is the standard error of Score by the jackknife over images, since pairs
	// share images.
	Error float64 `json:"error"`
	// Below is by how much Score is below that of masks of the same sizes at random
	// places in the same images, and BelowError the standard error of that
	// difference, by the jackknife of the differences. Lower is Below in such errors.
	// All are 0 for random masks themselves.
	Below      float64 `json:"below_random"`
	BelowError float64 `json:"below_random_error"`
	Lower      float64 `json:"lower"`
	Draws      int     `json:"draws,omitempty"`
}

// Correspond masks the same part in every one of the images x, [N, C, H, W], and
// compares how the layers change ([zeiler14] arXiv 4.3): with e = f(x) -
// f(masked x) of each image, the sum over pairs of the Hamming distance of
// sign(e), here as a mean so that numbers of images and values do not matter. It
// does the same with masks of the same sizes at random places: a part is compared
// with random masks of its own sizes, since larger masks change more values.
func Correspond(ctx context.Context, engine *model.Engine, net *model.Network, x *tensor.Tensor, parts []Part, o CorrespondOptions) ([]Correspondence, error) {
	if err := checkParts(net, x.Shape[0], parts); err != nil {
		return nil, err
	}
	if o.Layers == nil {
		top, err := Top(net)
		if err != nil {
			return nil, err
		}
		last, err := net.LastFeatures()
		if err != nil {
			return nil, fmt.Errorf("%w", err)
		}
		o.Layers = []string{last, top}
	}
	if o.Fill == nil {
		o.Fill = net.Preprocess.MeanFill(net.Input)
	}
	if o.Random <= 0 {
		o.Random = 20
	}
	plan, err := engine.Compile(net, model.Keep{Layers: o.Layers})
	if err != nil {
		return nil, err
	}
	m := &masking{ctx: ctx, in: net.Input, plan: plan, x: x, o: o, total: len(parts) * (1 + 2*o.Random)}
	if m.clean, err = m.run(x); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x636f7272))
	layers := make([]correspondence, len(o.Layers))
	for i := range layers {
		n := x.Shape[0]
		layers[i].all, layers[i].random, layers[i].same = square(n), square(n), square(n)
	}
	for _, p := range parts {
		if err := m.part(p, len(parts), layers, rng); err != nil {
			return nil, err
		}
	}
	var out []Correspondence
	for i, l := range o.Layers {
		out = append(out, layers[i].results(l, len(parts))...)
	}
	return out, nil
}

// checkParts checks that there are parts, with a box inside each of n images.
func checkParts(net *model.Network, n int, parts []Part) error {
	if n < 3 {
		return fmt.Errorf("correspondence of %d images, want at least 3", n)
	}
	if len(parts) == 0 {
		return fmt.Errorf("no parts to mask")
	}
	bounds := image.Rect(0, 0, net.Input.W, net.Input.H)
	for _, p := range parts {
		if slices.Contains([]string{AllParts, Random, RandomSame}, p.Name) {
			return fmt.Errorf("a part is called %q, as what it is compared with", p.Name)
		}
		if len(p.Boxes) != n {
			return fmt.Errorf("part %s: boxes for %d images, want %d", p.Name, len(p.Boxes), n)
		}
		for i, b := range p.Boxes {
			if b.Empty() || !b.In(bounds) {
				return fmt.Errorf("part %s: box %v of image %d is not inside %v", p.Name, b, i, bounds)
			}
		}
	}
	return nil
}

// masking measures how layers change when boxes of the images are masked.
type masking struct {
	ctx         context.Context
	in          model.Input
	plan        *model.Plan
	x           *tensor.Tensor
	o           CorrespondOptions
	clean       map[string][]float32 // values of each layer for the images as they are
	total, done int
}

// run returns the layers' values for all images.
func (m *masking) run(x *tensor.Tensor) (map[string][]float32, error) {
	n, batch := x.Shape[0], m.plan.Batch(256<<20, 32)
	out := map[string][]float32{}
	for from := 0; from < n; from += batch {
		t, err := m.plan.Run(x.Slice(from, min(from+batch, n)))
		if err != nil {
			return nil, err
		}
		for _, l := range m.o.Layers {
			out[l] = append(out[l], t.Value(l).Data...)
		}
	}
	return out, nil
}

// pairs returns, for each layer, the distances [n][n] with these boxes masked.
func (m *masking) pairs(boxes []image.Rectangle) (map[string][][]float64, error) {
	if err := m.ctx.Err(); err != nil {
		return nil, err
	}
	masked := m.x.Clone()
	for i, b := range boxes {
		Mask(masked.Data[i*m.in.Shape().Len():], m.in, b, m.o.Fill)
	}
	values, err := m.run(masked)
	if err != nil {
		return nil, err
	}
	out := map[string][][]float64{}
	for _, l := range m.o.Layers {
		out[l] = signDistances(m.clean[l], values[l], len(boxes))
	}
	if m.done++; m.o.Progress != nil {
		m.o.Progress(m.done, m.total)
	}
	return out, nil
}

// part measures one of the parts, and random masks of its sizes.
func (m *masking) part(p Part, parts int, layers []correspondence, rng *rand.Rand) error {
	own, err := m.pairs(p.Boxes)
	if err != nil {
		return err
	}
	random := make([][][]float64, len(layers)) // at this part's sizes
	for i, l := range m.o.Layers {
		random[i] = square(len(p.Boxes))
		add(layers[i].all, own[l], 1/float64(parts))
	}
	share := 1 / float64(parts*m.o.Random)
	for range m.o.Random {
		free, same := randomBoxes(rng, m.in, p.Boxes)
		d, err := m.pairs(free)
		if err != nil {
			return err
		}
		e, err := m.pairs(same)
		if err != nil {
			return err
		}
		for i, l := range m.o.Layers {
			r := &layers[i]
			add(random[i], d[l], 1/float64(m.o.Random))
			add(r.random, d[l], share)
			add(r.same, e[l], share)
			score, _, _ := pairStatistics(d[l])
			r.randomDraws = append(r.randomDraws, score)
			score, _, _ = pairStatistics(e[l])
			r.sameDraws = append(r.sameDraws, score)
		}
	}
	for i, l := range m.o.Layers {
		layers[i].rows = append(layers[i].rows, against(l, p.Name, own[l], random[i]))
	}
	return nil
}

// randomBoxes draws boxes of the given sizes: free ones by themselves, the same ones
// at one place for all images.
func randomBoxes(rng *rand.Rand, in model.Input, sizes []image.Rectangle) (free, same []image.Rectangle) {
	fy, fx := rng.Float64(), rng.Float64()
	for _, b := range sizes {
		room := image.Pt(in.W-b.Dx()+1, in.H-b.Dy()+1)
		at := image.Rect(0, 0, b.Dx(), b.Dy())
		free = append(free, at.Add(image.Pt(rng.IntN(room.X), rng.IntN(room.Y))))
		same = append(same, at.Add(image.Pt(int(fx*float64(room.X)), int(fy*float64(room.Y)))))
	}
	return free, same
}

// results are those of the parts, of all of them, and of random masks.
func (r *correspondence) results(layer string, parts int) []Correspondence {
	out := r.rows
	if parts > 1 {
		out = append(out, against(layer, AllParts, r.all, r.random))
	}
	same := against(layer, RandomSame, r.same, r.random)
	_, same.Std = meanStd(r.sameDraws)
	// The place of a draw is common to all images: leaving one out does not tell how much hangs on it.
	draws := same.Std / math.Sqrt(float64(len(r.sameDraws)))
	same.Error, same.BelowError = exact.Hypot(same.Error, draws), exact.Hypot(same.BelowError, draws)
	same.Lower, same.Draws = inErrors(same.Below, same.BelowError), len(r.sameDraws)
	random := Correspondence{Layer: layer, Part: Random, Draws: len(r.randomDraws)}
	random.Score, _, random.Error = pairStatistics(r.random)
	_, random.Std = meanStd(r.randomDraws)
	out = append(out, same, random)
	for i := range out {
		out[i].OldStd = out[i].Std
	}
	return out
}

// correspondence gathers one layer's distances of pairs of images, [n][n].
type correspondence struct {
	rows                   []Correspondence // of the parts
	all, random, same      [][]float64      // means over parts, and draws
	randomDraws, sameDraws []float64        // scores
}

// against compares the pairs' distances d of a part with those of random masks in
// the same images. A random mask is drawn for each image by itself, so the
// jackknife over images covers the chance in the draws too.
func against(layer, part string, d, random [][]float64) Correspondence {
	c := Correspondence{Layer: layer, Part: part}
	c.Score, c.Std, c.Error = pairStatistics(d)
	below := square(len(d))
	add(below, random, 1)
	add(below, d, -1)
	c.Below, _, c.BelowError = pairStatistics(below)
	c.Lower = inErrors(c.Below, c.BelowError)
	return c
}

// inErrors is a difference in standard errors; 0 if there is no error.
func inErrors(difference, e float64) float64 {
	if e == 0 {
		return 0
	}
	return difference / e
}

func square(n int) [][]float64 {
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, n)
	}
	return out
}

// add adds f times src to dst.
func add(dst, src [][]float64, f float64) {
	for i, row := range src {
		for j, v := range row {
			dst[i][j] += float64(f * v)
		}
	}
}

// Mask fills box b of an image [C][H][W] with a value for each channel.
func Mask(x []float32, in model.Input, b image.Rectangle, fill []float32) {
	for c := range in.C {
		for y := b.Min.Y; y < b.Max.Y; y++ {
			row := x[(c*in.H+y)*in.W:]
			for i := b.Min.X; i < b.Max.X; i++ {
				row[i] = fill[c]
			}
		}
	}
}

// signDistances returns, for all pairs of n images, the share of values whose
// change from a to b has another sign.
func signDistances(a, b []float32, n int) [][]float64 {
	k := len(a) / n
	signs := make([]int8, len(a))
	for i := range a {
		switch d := a[i] - b[i]; {
		case d > 0:
			signs[i] = 1
		case d < 0:
			signs[i] = -1
		}
	}
	out := square(n)
	for i := range n {
		for j := range i {
			differ := 0
			other := signs[j*k : (j+1)*k]
			for v, s := range signs[i*k : (i+1)*k] {
				if s != other[v] {
					differ++
				}
			}
			out[i][j] = float64(differ) / float64(k)
			out[j][i] = out[i][j]
		}
	}
	return out
}

// pairStatistics returns mean and standard deviation of the pairs' distances and the
// mean's standard error by leaving out one image at a time.
func pairStatistics(d [][]float64) (mean, std, e float64) {
	n := len(d)
	var all []float64
	without := make([]float64, n) // mean of the pairs without image i
	for i := range n {
		for j := range i {
			all = append(all, d[i][j])
		}
	}
	mean, std = meanStd(all)
	sum := float64(mean * float64(len(all)))
	for i := range n {
		own := 0.0
		for j := range n {
			if j != i {
				own += d[i][j]
			}
		}
		without[i] = (sum - own) / float64(len(all)-(n-1))
	}
	m, _ := meanStd(without)
	for _, v := range without {
		e += (v - m) * (v - m) * float64(n-1) / float64(n)
	}
	return mean, std, math.Sqrt(e)
}

// meanStd returns the mean and the standard deviation of a sample (n-1);
// 0 for a single value.
func meanStd(v []float64) (mean, sd float64) {
	switch len(v) {
	case 0:
		return 0, 0
	case 1:
		return v[0], 0
	}
	return exact.MeanStdDev(v)
}

// ObjectParts are the parts of an object that its box alone gives: the five
// boxes of half its size at its corners and in its middle.
func ObjectParts(objects []image.Rectangle) []Part {
	names := []string{"upper left", "upper right", "lower left", "lower right", "middle"}
	parts := make([]Part, len(names))
	for i, name := range names {
		parts[i].Name = name
		for _, b := range objects {
			w, h := max((b.Dx()+1)/2, 1), max((b.Dy()+1)/2, 1)
			at := b.Min
			switch i {
			case 1:
				at.X = b.Max.X - w
			case 2:
				at.Y = b.Max.Y - h
			case 3:
				at = image.Pt(b.Max.X-w, b.Max.Y-h)
			case 4:
				at = image.Pt((b.Min.X+b.Max.X-w)/2, (b.Min.Y+b.Max.Y-h)/2)
			}
			parts[i].Boxes = append(parts[i].Boxes, image.Rect(at.X, at.Y, at.X+w, at.Y+h))
		}
	}
	return parts
}

// Alike chooses the n boxes that are closest to the median box in place and size,
// in their order: images whose objects stand alike, as the frontal dogs of the
// paper do. spread is the largest difference of a corner from the median, in
// pixels.
func Alike(boxes []image.Rectangle, n int) (chosen []int, spread int) {
	corners := func(b image.Rectangle) [4]int { return [4]int{b.Min.X, b.Min.Y, b.Max.X, b.Max.Y} }
	var median [4]int
	for k := range median {
		var v []int
		for _, b := range boxes {
			v = append(v, corners(b)[k])
		}
		slices.Sort(v)
		median[k] = v[len(v)/2]
	}
	far := func(i int) int {
		d := 0
		for k, v := range corners(boxes[i]) {
			d = max(d, v-median[k], median[k]-v)
		}
		return d
	}
	for i := range boxes {
		chosen = append(chosen, i)
	}
	slices.SortStableFunc(chosen, func(a, b int) int { return far(a) - far(b) })
	chosen = chosen[:min(n, len(chosen))]
	for _, i := range chosen {
		spread = max(spread, far(i))
	}
	slices.Sort(chosen)
	return chosen, spread
}
