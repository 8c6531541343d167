package render

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the pictures in testdata")

// gabor is a c x n x n wave of direction theta under a Gaussian, like what first
// layers learn.
func gabor(c, n int, theta float64) []float32 {
	data := make([]float32, c*n*n)
	for i := range data {
		k, y, x := i/(n*n), float64(i/n%n)-float64(n-1)/2, float64(i%n)-float64(n-1)/2
		wave := math.Cos(8*(x*math.Cos(theta)+y*math.Sin(theta))/float64(n) + float64(k))
		data[i] = float32(math.Exp(-8*(x*x+y*y)/float64(n*n)) * wave)
	}
	return data
}

// scene is a smooth w x h picture of many colours.
func scene(w, h int, seed float64) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		x, y := float64(i%w), float64(i/w)
		a, b := math.Sin(seed+x/17+math.Cos(y/23+seed)), math.Cos(seed*2+(x+y)/31)
		img.SetNRGBA(i%w, i/w, color.NRGBA{uint8(128 + 100*a), uint8(128 + 90*b), uint8(128 + 60*a*b), 255})
	}
	return img
}

// bump is an n x n map that falls from hi to lo in its middle.
func bump(n int, lo, hi float64) []float32 {
	m := make([]float32, n*n)
	for i := range m {
		x, y := float64(i%n-n/2)/float64(n), float64(i/n-n/3)/float64(n)
		m[i] = float32(hi - (hi-lo)*math.Exp(-20*(x*x+y*y)))
	}
	return m
}

func goldenFigure() image.Image {
	input := scene(112, 112, 1)
	DrawBox(input, image.Rect(40, 30, 70, 60), color.White, 2)
	p := bump(14, 0.15, 0.95)
	change := bump(14, -2.5, 0.4)
	classes := make([]int, len(p))
	for i, v := range p {
		classes[i] = int(4 * (0.99 - v) / 0.99)
	}
	g := gabor(3, 56, 0.7)
	return Figure{
		Title:     "Occlusion: 25x25 square, stride 8",
		PanelSize: 112,
		Panels: []Panel{
			{Image: input, Title: "(a) input", Note: "dog.jpg"},
			{Image: Heat(change, 14, 14, -2.5, 2.5, Diverging), Title: "(b) strongest map of layer 5", Bar: &ColorBar{Palette: Diverging, Lo: -2.5, Hi: 2.5, Label: "change of its sum"}},
			{Image: Signed(g, 3, 56, 56, MaxAbs(g)), Title: "(c) its projection", Bar: &ColorBar{Palette: Gray, Lo: -MaxAbs(g), Hi: MaxAbs(g), Label: "projection"}},
			{Image: Heat(p, 14, 14, 0, 1, Viridis), Title: "(d) probability", Bar: &ColorBar{Lo: 0, Hi: 1, Label: "p(Pomeranian)"}},
			{Image: Overlay(scene(112, 112, 1), Heat(p, 14, 14, 0, 1, Steps(Jet, 8)), 0.5), Title: "(d) paper style", Bar: &ColorBar{Palette: Jet, Discrete: 8, Lo: 0, Hi: 1, Label: "p(Pomeranian)"}},
			{Image: Classes(classes, 14, 14), Title: "(e) most probable class", Legend: []LegendEntry{{Categorical(0), "Pomeranian"}, {Categorical(1), "keeshond"}, {Categorical(2), "tennis ball"}, {Categorical(3), "car wheel"}}},
		},
		Caption: []string{"The probability of the true class falls from 0.95 to 0.15 where the face is covered; limits are fixed at 0 and 1."},
	}.Draw()
}

func goldenBlocks() image.Image {
	var blocks []Block
	for b := range 4 {
		block := Block{Label: fmt.Sprintf("map %d  max %.2f", 17*b+3, 5-0.7*float64(b))}
		for i := range 9 {
			g := gabor(3, 19, float64(b)+float64(i)/20)
			w, h := 19, 19
			if b == 1 && i%4 == 1 { // at the image border
				w = 12
			}
			block.Left = append(block.Left, Signed(g, 3, 19, 19, MaxAbs(g)))
			block.Right = append(block.Right, scene(w, h, float64(b)+float64(i)/3))
		}
		blocks = append(blocks, block)
	}
	return BlockSheet(blocks, BlockOptions{
		Title:   "conv2: nine strongest activations of four maps",
		Caption: []string{"Left: projections, each scaled to its largest magnitude (zero is mid-grey). Right: the patches of the images."},
		MinTile: 32,
	})
}

func goldenTable() image.Image {
	t := Table{Title: "Evolution of conv2", Columns: []string{"1", "2", "5", "10", "20"}, MinTile: 48, Caption: []string{"Columns: epochs."}}
	for r := range 3 {
		row := TableRow{Label: fmt.Sprintf("map %d", 31*r)}
		for e := range 5 {
			g := gabor(3, 12, float64(r)+float64(e)/5)
			row.Tiles = append(row.Tiles, Signed(g, 3, 12, 12, MaxAbs(g)))
		}
		t.Rows = append(t.Rows, row)
	}
	t.Rows[1].Tiles[0] = nil
	return t.Draw()
}

func goldenCurves() image.Image {
	var train, test []float64
	for i := range 30 {
		e := float64(i)
		train = append(train, 2.3*math.Exp(-e/9))
		test = append(test, 2*math.Exp(-e/8)+0.35+0.04*math.Sin(e))
	}
	test[14] = math.NaN()
	return Chart{Title: "Training of LeNet", XLabel: "epoch", YLabel: "cross entropy", Width: 480, Height: 300}.Lines(
		[]Series{{Name: "training", Y: train}, {Name: "test", Y: test}})
}

func goldenBars() image.Image {
	return Chart{Title: "Correspondence, layer 5", YLabel: "mean distance", Width: 480, Height: 260}.Bars(
		[]string{"right eye", "left eye", "nose", "random"}, []float64{0.067, 0.069, 0.079, 0.107})
}

// goldenPlate has what charts can: a band, dots, dashes, names at the x axis, bars in
// colours with errors, ridges, larger texts.
func goldenPlate() image.Image {
	var names []string
	var counts [][]float64
	for r := range 6 {
		var row []float64
		for b := range 40 {
			x := float64(b)/20 - 1
			row = append(row, math.Exp(-x*x*float64(4+3*r)))
		}
		names, counts = append(names, fmt.Sprint(100*r)), append(counts, row)
	}
	y := []float64{20, 45, 60, math.NaN(), 80}
	var lo, hi []float64
	for _, v := range y {
		lo, hi = append(lo, v-5), append(hi, v+5)
	}
	lines := Chart{Title: "Accuracy", XLabel: "layer", YLabel: "%", Width: 420, Height: 300, Scale: 1.3, XNames: []string{"relu1", "relu2", "relu3", "relu4", "top"}}.Lines(
		[]Series{{Name: "svm", Y: y, Lo: lo, Hi: hi, Dots: true}, {Name: "chance", Y: []float64{10, 10, 10, 10, 10}, Dashed: true}})
	bars := Chart{Title: "Errors", YLabel: "error, %", Width: 420, Height: 300, Scale: 1.3, Errors: []float64{1, 2, 0.5, 3}, Colors: []color.Color{Categorical(0), Categorical(2), Categorical(0), Categorical(2)},
		Legend: []LegendEntry{{Categorical(0), "test"}, {Categorical(2), "training"}}}.Bars([]string{"1", "", "2", ""}, []float64{12, 8, 20, 5})
	ridges := Chart{Title: "Activations", XLabel: "activation", YLabel: "step", Width: 420, Height: 320, Scale: 1.3}.Ridges(names, counts, -1, 1)
	return Plate{Title: "A plate", Caption: []string{"Three charts and an empty place."}, Columns: 2, Scale: 1.3, Panels: []image.Image{lines, bars, nil, ridges}}.Draw()
}

// Each picture is compared with testdata/NAME.png. Outlines of letters may differ by a
// rounding from processor to processor (fused multiply-add): a channel may be off
// by 8, and one pixel in 500 by more.
func TestGolden(t *testing.T) {
	pictures := map[string]func() image.Image{
		"figure": goldenFigure, "blocks": goldenBlocks, "table": goldenTable, "curves": goldenCurves, "bars": goldenBars, "plate": goldenPlate,
	}
	for name, draw := range pictures {
		t.Run(name, func(t *testing.T) { compare(t, name, toNRGBA(draw())) })
	}
	files, err := filepath.Glob("testdata/*.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		if pictures[name[:len(name)-len(".png")]] == nil {
			t.Errorf("%s belongs to no test", f)
		}
	}
}

func compare(t *testing.T, name string, got *image.NRGBA) {
	path := filepath.Join("testdata", name+".png")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		writePNG(t, path, got)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("%v (go test -update makes it)", err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	want := toNRGBA(img)
	difference := image.NewNRGBA(got.Rect)
	off := 0
	if got.Rect == want.Rect {
		for i := 0; i < len(got.Pix); i += 4 {
			d := 0
			for k := range 4 {
				d = max(d, int(got.Pix[i+k])-int(want.Pix[i+k]), int(want.Pix[i+k])-int(got.Pix[i+k]))
			}
			if d > 8 {
				off++
			}
			copy(difference.Pix[i:], []byte{uint8(d), uint8(d), uint8(d), 255})
		}
		if off*500 <= got.Rect.Dx()*got.Rect.Dy() {
			return
		}
	}
	dir, err := os.MkdirTemp("", "viz-golden-")
	if err != nil {
		t.Fatal(err)
	}
	writePNG(t, filepath.Join(dir, "got.png"), got)
	writePNG(t, filepath.Join(dir, "want.png"), want)
	writePNG(t, filepath.Join(dir, "difference.png"), difference)
	t.Errorf("%s: got %v, want %v; %d pixels differ; see %s", name, got.Rect.Size(), want.Rect.Size(), off, dir)
}

func writePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
