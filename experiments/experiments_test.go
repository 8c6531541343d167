package experiments

import (
	"context"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// pixels is a network whose first layer is the image itself.
func pixels(h, w int) *model.Network {
	one := []int{1, 1}
	return &model.Network{Name: "test", Input: model.Input{Name: "in", C: 1, H: h, W: w}, Logits: "fc", Nodes: []model.Node{
		{Name: "same", Inputs: []string{"in"}, Layer: &model.Conv{Weight: tensor.From([]float32{1}, 1, 1, 1, 1), Stride: one, Dilation: one, Groups: 1}},
		{Name: "flat", Inputs: []string{"same"}, Layer: &model.Reshape{}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: tensor.New(2, h*w)}}}}
}

// Transforms worked out by hand on 3x3 pixels.
func TestTransforms(t *testing.T) {
	net := pixels(3, 3)
	src := []float32{
		1, 2, 3,
		4, 5, 6,
		7, 8, 9}
	for _, c := range []struct {
		t      Transform
		amount float64
		want   []float32
	}{
		{ShiftY, 1, []float32{0, 0, 0, 1, 2, 3, 4, 5, 6}},
		{ShiftX, -1, []float32{2, 3, 0, 5, 6, 0, 8, 9, 0}},
		{ShiftX, 0.5, []float32{0.5, 1.5, 2.5, 2, 4.5, 5.5, 3.5, 7.5, 8.5}},
		{Rotate, 90, []float32{3, 6, 9, 2, 5, 8, 1, 4, 7}},
		{Rotate, 180, []float32{9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{Scale, 1, src},
		{Scale, 2, []float32{3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7}},
		{Brightness, 3, []float32{4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{Contrast, 0, []float32{5, 5, 5, 5, 5, 5, 5, 5, 5}},
		{Contrast, 1, src},
		{Blur, 0, src},
	} {
		got := make([]float32, 9)
		if err := c.t.Apply(net, got, src, c.amount); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if math.Abs(float64(got[i]-c.want[i])) > 1e-5 {
				t.Errorf("%s by %g: got %v, want %v", c.t, c.amount, got, c.want)
				break
			}
		}
	}
	for _, tr := range Transforms() {
		for _, n := range []int{3, 4, 9, 25, 100, 1000} {
			a := tr.Amounts(32, 32, n)
			if !slices.Contains(a, tr.Identity()) || !slices.IsSorted(a) || len(slices.Compact(slices.Clone(a))) < len(a) || tr.Unit() == "" || len(a) > n+2 {
				t.Errorf("%s: %d amounts %v, want about %d", tr, len(a), a, n)
			}
		}
	}
	if a := Rotate.Amounts(32, 32, 1000); len(a) != 1000 || a[999] >= 360 {
		t.Errorf("%d angles up to %v", len(a), a[len(a)-1])
	}
}

// A black image on a black ground is 0 throughout: changes have no share of that,
// and no change is none.
func TestRelative(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	net := pixels(3, 3)
	curves, err := Invariance(context.Background(), e, net, tensor.New(1, 1, 3, 3), 0, InvarianceOptions{Layers: []string{"same"}, Transforms: []Transform{Brightness}})
	if err != nil {
		t.Fatal(err)
	}
	r := curves[0].Relative(0)
	for k, a := range curves[0].Amounts {
		if want := a > 0; math.IsNaN(r[k]) != want { // below 0 pixels stay 0
			t.Errorf("brightness by %g: %v of 0", a, r[k])
		}
	}
	two := tensor.New(2, 1, 3, 3)
	if _, err := Invariance(context.Background(), e, net, two, 0, InvarianceOptions{}); err == nil {
		t.Error("no error for two images")
	}
	if _, err := Invariance(context.Background(), e, net, tensor.New(1, 1, 3, 3), 2, InvarianceOptions{}); err == nil {
		t.Error("no error for class 2 of 2")
	}
	net.Logits = ""
	if _, err := Invariance(context.Background(), e, net, tensor.New(1, 1, 3, 3), 0, InvarianceOptions{Layers: []string{"same"}}); err == nil || !strings.Contains(err.Error(), "no classifier") {
		t.Errorf("without class scores: %v", err)
	}
}

// e is the image inside the masks. Two images that change at the same pixels in
// the same direction agree; signs and zeros count as they are.
func TestSignDistances(t *testing.T) {
	clean := []float32{1, 2, 3, 4 /**/, 1, 2, 3, 4 /**/, 1, 2, 3, 4}
	masked := []float32{0, 2, 3, 5 /**/, 0, 2, 3, 9 /**/, 2, 2, 0, 4}
	d := signDistances(clean, masked, 3) // signs: + 0 0 -, + 0 0 -, - 0 + 0
	if d[0][1] != 0 || d[0][2] != 0.75 || d[2][1] != 0.75 {
		t.Errorf("distances %v", d)
	}
	mean, sd, e := pairStatistics(d)
	// Pairs 0, 3/4, 3/4. Without image 0 or 1: 3/4, without 2: 0; mean 1/2, so the
	// jackknife gives sqrt(2/3*(1/16+1/16+1/4)) = 1/2.
	if mean != 0.5 || math.Abs(sd-math.Sqrt(0.1875)) > 1e-12 || math.Abs(e-0.5) > 1e-12 {
		t.Errorf("mean %v, deviation %v, error %v", mean, sd, e)
	}
}

// The error of a difference comes from the differences in each image, not from the
// spread of the scores: here parts and random masks differ by as much in every
// pair of images, however far the pairs are apart.
func TestAgainstIsPaired(t *testing.T) {
	random := [][]float64{{0, .2, .4}, {.2, 0, .9}, {.4, .9, 0}}
	part := [][]float64{{0, .1, .3}, {.1, 0, .8}, {.3, .8, 0}}
	c := against("layer", "part", part, random)
	if math.Abs(c.Score-0.4) > 1e-12 || math.Abs(c.Below-0.1) > 1e-12 || c.BelowError > 1e-12 || !(c.Error > 0.1) {
		t.Errorf("%+v", c)
	}
	// Differences .1, .1, .4 (pairs 01, 02, 12): mean .2. Without image 0: .4, else
	// .1; their mean is .2, so the jackknife gives sqrt(2/3*(.04+.01+.01)) = .2.
	part[1][2], part[2][1] = .5, .5
	c = against("layer", "part", part, random)
	if math.Abs(c.Below-0.2) > 1e-12 || math.Abs(c.BelowError-0.2) > 1e-12 || math.Abs(c.Lower-1) > 1e-9 {
		t.Errorf("%+v", c)
	}
}

// Each part is compared with random masks of its own sizes. Where the features are
// the image itself and every pixel changes under a mask, two masks of a pixels
// differ in at most 2a of them, and two in one place in none.
func TestCorrespondOwnSizes(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	net := pixels(10, 10)
	x := tensor.New(4, 1, 10, 10)
	for i := range x.Data {
		x.Data[i] = 1
	}
	small, large := image.Rect(1, 1, 2, 2), image.Rect(2, 2, 9, 9)
	rows, err := Correspond(context.Background(), e, net, x, []Part{{"small", []image.Rectangle{small, small, small, small}}, {"large", []image.Rectangle{large, large, large, large}}},
		CorrespondOptions{Layers: []string{"same"}, Random: 30, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := map[string]Correspondence{}
	for _, c := range rows {
		r[c.Part] = c
	}
	if c := r["small"]; c.Score != 0 || !(c.Below > 0.015 && c.Below <= 0.02) {
		t.Errorf("small: %+v, want its random masks 0.02 apart or a little less", c)
	}
	if c := r["large"]; c.Score != 0 || !(c.Below > 0.1) {
		t.Errorf("large: %+v", c)
	}
	if c := r[RandomSame]; c.Score != 0 || c.Draws != 60 {
		t.Errorf("aligned: %+v", c)
	}
	if c := r[AllParts]; math.Abs(c.Below-(r["small"].Below+r["large"].Below)/2) > 1e-12 || math.Abs(c.Below-r[Random].Score) > 1e-12 {
		t.Errorf("all parts: %+v", c)
	}
}

func TestCorrespondErrors(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	net := pixels(4, 4)
	box := image.Rect(0, 0, 2, 2)
	for _, c := range []struct {
		n     int
		parts []Part
	}{
		{2, []Part{{"a", []image.Rectangle{box, box}}}},
		{3, nil},
		{3, []Part{{"a", []image.Rectangle{box, box}}}},
		{3, []Part{{"a", []image.Rectangle{box, box, image.Rect(3, 3, 5, 5)}}}},
		{3, []Part{{"a", []image.Rectangle{box, box, {}}}}},
		{3, []Part{{Random, []image.Rectangle{box, box, box}}}},
	} {
		if _, err := Correspond(context.Background(), e, net, tensor.New(c.n, 1, 4, 4), c.parts, CorrespondOptions{}); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}

// inputs are images of 2x2 pixels.
type inputs [][]float32

func (x inputs) Len() int { return len(x) }
func (x inputs) Input(i int, dst []float32) error {
	copy(dst, x[i])
	return nil
}

// A map of one weight: 1, then -1, then 0, then 1 again. Its strongest activation
// is the largest pixel of all images, then the most negative one, then none.
func TestEvolve(t *testing.T) {
	e := model.NewEngine(1)
	defer e.Close()
	images := inputs{{1, 2, 0, 0}, {0, -7, 3, 0}, {0, 0, 0, 5}}
	var before [][]Cell
	for i, want := range []struct {
		weight float32
		hit    features.Hit
		jump   bool
		pixel  float32 // of the projection
	}{
		{1, features.Hit{Image: 2, Y: 1, X: 1, Value: 5}, false, 5},
		{-1, features.Hit{Image: 1, Y: 0, X: 1, Value: 7}, true, -7},
		{0, features.Hit{}, false, 0},
		{1, features.Hit{Image: 2, Y: 1, X: 1, Value: 5}, false, 5},
		{2, features.Hit{Image: 2, Y: 1, X: 1, Value: 10}, false, 20},
	} {
		net := pixels(2, 2)
		net.Nodes[0].Layer.(*model.Conv).Weight.Data[0] = want.weight
		net.Nodes = slices.Insert(net.Nodes, 1, model.Node{Name: "relu", Inputs: []string{"same"}, Layer: &model.ReLU{}})
		net.Nodes[2].Inputs[0] = "relu"
		o := EvolveOptions{Rule: deconv.Paper, Layers: []string{"relu"}, Maps: [][]int{{0}}, Before: before}
		column, err := Evolve(context.Background(), e, net, images, o)
		if err != nil {
			t.Fatal(err)
		}
		c := column[0][0]
		if c.Hit != want.hit || c.Jump != want.jump || len(c.Projection.Pixels) != 1 || c.Projection.Pixels[0] != want.pixel {
			t.Errorf("time %d: got %+v, pixels %v, want %+v", i, c, c.Projection.Pixels, want)
		}
		before = column
		for _, bad := range []EvolveOptions{
			{Rule: deconv.Paper, Layers: []string{"relu"}, Maps: [][]int{{1}}},
			{Rule: deconv.Paper, Layers: []string{"relu"}},
			{Rule: deconv.Paper, Layers: []string{"relo"}, Maps: [][]int{{0}}},
			{Rule: deconv.Paper, Layers: []string{"relu"}, Maps: [][]int{{0}}, Before: [][]Cell{{}}},
			{Rule: deconv.Paper},
		} {
			if _, err := Evolve(context.Background(), e, net, images, bad); err == nil {
				t.Errorf("%+v: no error", bad)
			}
		}
		if _, err := Evolve(context.Background(), e, net, inputs{}, o); err == nil {
			t.Error("no error without images")
		}
	}
}

// kernels is a layer of 9x9 filters: cosines of given frequencies (cycles per
// pixel along x) under a window, with the given stride.
func kernels(stride int, waves ...func(x, y float64) float64) *model.Network {
	const k = 9
	w := tensor.New(len(waves), 1, k, k)
	for f, wave := range waves {
		for y := range k {
			for x := range k {
				dy, dx := float64(y-k/2), float64(x-k/2)
				w.Data[(f*k+y)*k+x] = float32(math.Exp(-(dx*dx+dy*dy)/8) * wave(dx, dy))
			}
		}
	}
	return &model.Network{Name: "test", Input: model.Input{Name: "in", C: 1, H: 32, W: 32}, Nodes: []model.Node{{Name: "conv", Inputs: []string{"in"},
		Layer: &model.Conv{Weight: w, Stride: []int{stride, stride}, Dilation: []int{1, 1}, Groups: 1}},
		{Name: "relu", Inputs: []string{"conv"}, Layer: &model.ReLU{}}}}
}

// The spectrum is |DFT|² of each channel, summed.
func TestPowerSpectrum(t *testing.T) {
	testPowerSpectrum(t, 4, 5)
	testPowerSpectrum(t, 40, 3) // its autocorrelation is higher than the spectrum
}

func testPowerSpectrum(t *testing.T, kh, kw int) {
	const depth, n = 3, spectrumSize
	rng := rand.New(rand.NewPCG(1, 2))
	w := make([]float32, depth*kh*kw)
	for i := range w {
		w[i] = float32(rng.NormFloat64())
	}
	lags, power := make([]float64, (2*kh-1)*(2*kw-1)), make([]float64, n*n)
	for c := range depth {
		addAutocorrelation(lags, w[c*kh*kw:(c+1)*kh*kw], kh, kw)
	}
	powerSpectrum(power, lags, kh, kw)
	for _, at := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {5, 17}, {n / 2, n / 2}, {n - 3, 7}} {
		want := 0.0
		for c := range depth {
			var sum complex128
			for y := range kh {
				for x := range kw {
					sin, cos := math.Sincos(-2 * math.Pi * (float64(y)*frequency(at[0]) + float64(x)*frequency(at[1])))
					sum += complex(float64(w[(c*kh+y)*kw+x]), 0) * complex(cos, sin)
				}
			}
			want += real(sum)*real(sum) + imag(sum)*imag(sum)
		}
		if got := power[at[0]*n+at[1]]; math.Abs(got-want) > 1e-9*(1+want) {
			t.Errorf("at %v: got %v, want %v", at, got, want)
		}
	}
}

func TestDiagnose(t *testing.T) {
	wave := func(f, amplitude float64) func(x, y float64) float64 {
		return func(x, y float64) float64 { return amplitude * math.Cos(2*math.Pi*f*x) }
	}
	across := func(x, y float64) float64 { return math.Cos(2 * math.Pi * 0.2 * y) }
	net := kernels(4, wave(0, 1), wave(0.18, 1), wave(0.18, 1.5), wave(0.4, 1), wave(0.4, 10), wave(0.3, 1e-4), across)
	d, err := Diagnose(net, map[string][]float32{"relu": {1, 0, 2, 3, 4, 5, 6}})
	if err != nil {
		t.Fatal(err)
	}
	r := d[0]
	if !slices.Equal(r.Dead, []int{5}) || !slices.Equal(r.Dominant, []int{4}) || !slices.Equal(r.Silent, []int{1}) {
		t.Errorf("dead %v, dominant %v, silent %v", r.Dead, r.Dominant, r.Silent)
	}
	if len(r.Duplicate) != 2 || r.Duplicate[0].A != 1 || r.Duplicate[0].B != 2 || r.Duplicate[1].A != 3 || r.Duplicate[1].B != 4 {
		t.Errorf("duplicates %v", r.Duplicate)
	}
	if !slices.Equal(r.ByBand, []int{1, 3, 2}) {
		t.Errorf("filters by band %v, centres %v", r.ByBand, r.Centre)
	}
	for f, want := range map[int]float64{1: 0.18, 3: 0.4, 6: 0.2} {
		if math.Abs(r.Centre[f]-want) > 0.03 {
			t.Errorf("filter %d: mean frequency %v, want %v", f, r.Centre[f], want)
		}
	}
	// Stride 4 carries 1/8 cycle: all filters but the first lie mostly above, the one across too.
	if r.Aliased < 0.6 {
		t.Errorf("aliased %v", r.Aliased)
	}
	if len(r.Remedies) < 3 {
		t.Errorf("remedies %q", r.Remedies)
	}
	sum := 0.0
	for _, v := range r.Energy {
		sum += v
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("energies %v", r.Energy)
	}
	calm, err := Diagnose(kernels(1, wave(0, 1), wave(0.2, 1), across), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c := calm[0]; c.Aliased != 0 || c.Silent != nil || len(c.Remedies) != 0 {
		t.Errorf("without stride: %+v", c)
	}
}

// A layer most of whose filters are 0 has a median of those that are not; a layer
// without a rectifier has no silent maps, since its values need no sign.
func TestDiagnoseMostlyDead(t *testing.T) {
	none := func(x, y float64) float64 { return 0 }
	edge := func(x, y float64) float64 { return math.Sin(x) }
	slope := func(x, y float64) float64 { return math.Sin(y) }
	net := kernels(1, none, none, none, none, edge, slope)
	d, err := Diagnose(net, map[string][]float32{"relu": {0, 0, 0, 0, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if r := d[0]; !slices.Equal(r.Dead, []int{0, 1, 2, 3}) || len(r.Dominant) != 0 || math.Abs(r.Spread-1) > 1e-6 || !slices.Equal(r.Silent, []int{0, 1, 2, 3}) || !r.Pixels {
		t.Errorf("%+v", r)
	}
	net = kernels(1, none, none)
	net.Nodes = net.Nodes[:1]
	if d, err = Diagnose(net, map[string][]float32{"conv": {-1, -1}}); err != nil {
		t.Fatal(err)
	}
	if r := d[0]; len(r.Dead) != 2 || r.Silent != nil || r.Spread != 0 {
		t.Errorf("%+v", r)
	}
}

// Aliasing is a mean over filters: smooth ones, which pass most of a photograph's
// energy, do not hide that others alias. Half the filters lie far beyond the 1/8
// cycle that stride 4 carries.
func TestDiagnoseAliasing(t *testing.T) {
	wave := func(f float64) func(x, y float64) float64 {
		return func(x, y float64) float64 { return math.Cos(2 * math.Pi * f * x) }
	}
	d, err := Diagnose(kernels(4, wave(0), wave(0.35)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := d[0]; r.Aliased < 0.45 || r.Aliased > 0.7 || r.AliasedNatural < 0.4 || r.AliasedNatural > 0.6 {
		t.Errorf("aliased %.3f, natural %.3f, want about a half", r.Aliased, r.AliasedNatural)
	}
}

// Both solvers find the optimum: at it, the gradient of the objective is next to 0
// (checked by differences of the objective in float64), and separable classes are
// told apart.
func TestFit(t *testing.T) {
	e := model.NewEngine(2)
	defer e.Close()
	const n, dim, classes, lambda = 90, 7, 3, 1e-2
	rng := rand.New(rand.NewPCG(5, 6))
	x, labels := make([]float32, n*dim), make([]int, n)
	for i := range n {
		labels[i] = i % classes
		for j := range dim {
			x[i*dim+j] = float32(rng.NormFloat64() + 3)
			if j == labels[i] {
				x[i*dim+j] += 4
			}
		}
	}
	for _, solver := range Classifiers() {
		m, err := Fit(context.Background(), e, solver, x, labels, classes, lambda)
		if err != nil {
			t.Fatal(err)
		}
		if a := PerClass(m.Predict(e, x), labels, classes); a < 0.97 {
			t.Errorf("%s: accuracy %v on what it was trained on", solver, a)
		}
		v := m.apply(x)
		objective := func(w, b []float64) float64 {
			loss := 0.0
			for i := range n {
				var s [classes]float64
				sum := 0.0
				for c := range s {
					s[c] = b[c]
					for j := range dim {
						s[c] += w[c*dim+j] * float64(v[i*dim+j])
					}
					sum += math.Exp(s[c])
				}
				if solver == "softmax" {
					loss += (math.Log(sum) - s[labels[i]]) / n
					continue
				}
				for c, z := range s {
					if c == labels[i] {
						z = -z
					}
					loss += math.Pow(max(1+z, 0), 2) / n
				}
			}
			for _, a := range w {
				loss += lambda / 2 * a * a
			}
			return loss
		}
		w, b := make([]float64, len(m.W)), make([]float64, len(m.B))
		for i := range w {
			w[i] = float64(m.W[i])
		}
		for i := range b {
			b[i] = float64(m.B[i])
		}
		base := objective(w, b)
		if math.Abs(base-m.Loss) > 1e-5*base {
			t.Errorf("%s: loss %v, want %v", solver, m.Loss, base)
		}
		for i := range w {
			const h = 1e-4
			w[i] += h
			up := objective(w, b)
			w[i] -= 2 * h
			down := objective(w, b)
			w[i] += h
			if g := (up - down) / (2 * h); math.Abs(g) > 3e-3 {
				t.Errorf("%s: slope %v at weight %d", solver, g, i)
			}
		}
	}
	if _, err := Fit(context.Background(), e, "svm", x, labels, 2, lambda); err == nil {
		t.Error("no error for a label beyond the classes")
	}
}

func TestPool(t *testing.T) {
	f := LayerFeatures{Shape: model.Shape{C: 1, H: 3, W: 4}, Grid: [2]int{2, 2}}
	got := f.pool(nil, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	if want := []float32{3.5, 5.5, 7.5, 9.5}; !slices.Equal(got, want) { // the middle row belongs to both halves
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFolds(t *testing.T) {
	labels := []int{0, 1, 0, 1, 0, 1, 0, 1, 1, 1}
	folds, err := Folds(labels, labels[:6], 2, 3, 2, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folds {
		if len(f.Train) != 4 || len(f.Test) != 4 || labels[f.Train[0]] != 0 || labels[f.Train[3]] != 1 {
			t.Errorf("fold %+v", f)
		}
	}
	if _, err := Folds(labels, labels, 2, 3, 5, 2, 1); err == nil {
		t.Error("no error where class 0 has 4 images and 5 are wanted")
	}
}
