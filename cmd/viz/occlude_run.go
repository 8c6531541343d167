package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
	"github.com/urfave/cli/v2"
)

// occlusionRun is one run of viz occlude over its images.
type occlusionRun struct {
	c       *cli.Context
	net     *model.Network
	o       occlusion.Options
	src     *images.Inputs
	out     *output
	style   occlusion.Style
	series  bool // one scale for all pictures, which are drawn at the end
	options string
	scanner *occlusion.Scanner
	told    bool // how long it will take
}

// scanned is an image and its maps, one for each size of the patch.
type scanned struct {
	i    int
	maps []*occlusion.Map
}

func (r *occlusionRun) all() error {
	c := r.c
	r.options = r.optionText()
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	var err error
	if r.scanner, err = occlusion.New(engine, r.net, r.o); err != nil {
		return memoryHint(err)
	}
	p := r.scanner.Predict()
	note(c, "%d positions, %s multiply-adds an image, %.1f times fewer than whole passes, and about %d MB beside the network",
		p.Positions, count(p.MACs), float64(p.Whole)/float64(max(p.MACs, 1)), p.Memory/1_000_000)
	results := make([][]occlusionNumbers, r.src.Len())
	var kept []scanned
	left := 0
	bad, err := newFailures(c, r.src.List)
	if err != nil {
		return err
	}
	for i := range r.src.Len() {
		if c.Bool("resume") && !r.series {
			if done := r.finished(i); done != nil {
				results[i] = done
				left++
				continue
			}
		}
		x, err := r.src.Load(i)
		if err != nil {
			if err := bad.add(err); err != nil {
				return err
			}
			continue
		}
		maps, err := r.scan(i, x)
		if err != nil {
			return err
		}
		for _, m := range maps {
			n := occlusionSummary(m, r.src.Items[i].Name, m.Classes...)
			n.Options = r.options
			results[i] = append(results[i], n)
		}
		if r.series {
			kept = append(kept, scanned{i, maps})
			continue
		}
		if err := r.write(i, maps); err != nil {
			return err
		}
	}
	if left > 0 {
		note(c, "%d of %d images were done before", left, r.src.Len())
	}
	if r.series {
		r.style.Scale = &occlusion.Scale{}
		for _, k := range kept {
			for _, m := range k.maps {
				r.style.Scale.Include(m)
			}
		}
		for _, k := range kept {
			if err := r.write(k.i, k.maps); err != nil {
				return err
			}
		}
	}
	if c.Bool("json") {
		if err := printJSON(c, slices.Concat(results...)); err != nil {
			return err
		}
	} else if err := r.out.end(); err != nil {
		return err
	}
	return bad.err()
}

// scan covers image i, and says after a second how long all will take.
func (r *occlusionRun) scan(i int, x *tensor.Tensor) ([]*occlusion.Map, error) {
	step, end := progress(r.c, "occluding "+images.Title(r.src.Items[i].Name))
	defer end()
	start := time.Now()
	return r.scanner.ScanAllProgress(r.c.Context, x, func(done, total int) {
		if spent := time.Since(start); !r.told && done > 0 && spent > time.Second {
			r.told = true
			image := spent.Seconds() * float64(total) / float64(done)
			if r.src.Len() == 1 {
				note(r.c, "about %s, judged by its first second", seconds(image))
			} else {
				note(r.c, "about %s an image, %s in all, judged by the first second", seconds(image), seconds(image*float64(r.src.Len()-i)))
			}
		}
		if step != nil {
			step(done, total)
		}
	})
}

// seconds writes a time with as many digits as are known.
func seconds(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// name is the base name of what is written of image i.
func (r *occlusionRun) name(i int, patch [2]int) string {
	name := "occlusion-" + r.src.Items[i].Stem
	if len(r.o.Sizes) > 0 {
		name += "-" + pair(patch)
	}
	return name
}

// write draws and stores the maps of image i. The JSON file of a picture comes
// last, so that --resume can trust it.
func (r *occlusionRun) write(i int, maps []*occlusion.Map) error {
	for _, m := range maps {
		base := r.name(i, m.Patch)
		if dir := r.c.String("npy"); dir != "" {
			if r.src.Len()*len(maps) > 1 {
				dir = filepath.Join(dir, fileName(base))
				if err := outDir(r.c, dir, "--npy"); err != nil {
					return err
				}
			}
			if err := writeOcclusion(m, dir); err != nil {
				return err
			}
			wrote(r.c, dir)
		}
		for j, k := range m.Classes {
			name := base
			if len(m.Classes) > 1 {
				name += "-" + r.net.Class(k)
			}
			style := r.style
			style.Class, style.Name = j, images.Title(r.src.Items[i].Name)
			if _, err := drawOcclusion(r.out, m, name, r.src.Items[i].Name, r.options, style); err != nil {
				return err
			}
		}
	}
	return nil
}

// finished returns the numbers of image i if everything that would be written of
// it is there and was made with the same options, else nil.
func (r *occlusionRun) finished(i int) []occlusionNumbers {
	var all []occlusionNumbers
	for _, patch := range r.scanner.Patches() {
		names := []string{r.name(i, patch)}
		if len(r.o.Classes) > 1 {
			names = nil
			for _, k := range r.o.Classes {
				names = append(names, r.name(i, patch)+"-"+r.net.Class(k))
			}
		}
		var n occlusionNumbers
		for j, name := range names {
			text, err := os.ReadFile(r.out.path(name) + ".json")
			var part occlusionNumbers
			if err != nil || json.Unmarshal(text, &part) != nil || part.Options != r.options || part.Model != hash(r.net) || part.Image != r.src.Items[i].Name {
				return nil
			}
			if j == 0 {
				n = part
			} else {
				n.Classes = append(n.Classes, part.Classes...)
			}
		}
		all = append(all, n)
	}
	return all
}

// optionText is all that the numbers and pictures depend on, but for the model and the
// image.
func (r *occlusionRun) optionText() string {
	var parts []string
	for _, flag := range []string{"patch", "stride", "edge", "fill", "soft", "mask", "class", "at", "layer", "paper", "method", "scale", "opacity", "npy"} {
		if r.c.IsSet(flag) {
			parts = append(parts, fmt.Sprintf("%s=%v", flag, r.c.Value(flag)))
		}
	}
	return strings.Join(parts, " ")
}

// drawOcclusion writes the figure of a class (style.Class, an index into
// m.Classes), with the per-pixel loss as an array [H, W] and everything else as
// JSON beside it, and returns the picture's file name.
func drawOcclusion(out *output, m *occlusion.Map, name, image, options string, style occlusion.Style) (string, error) {
	k := m.Classes[style.Class]
	n := occlusionSummary(m, image, k)
	n.Options = options
	return out.picture(name, m.Figure(style), numbers{json: n, shape: []int{m.Net.Input.H, m.Net.Input.W}, data: m.PixelDrop[style.Class]},
		"image", image, "class", m.Net.Class(k), "patch", pair(m.Patch), "stride", pair(m.Stride), "fill", m.FillName, "method", methodName(m.Method))
}

// styleFlags reads how figures are drawn.
func styleFlags(c *cli.Context) (s occlusion.Style, series bool, err error) {
	s = occlusion.Style{Paper: c.Bool("paper"), Alpha: c.Float64("opacity")}
	if !(s.Alpha > 0 && s.Alpha <= 1) {
		return s, false, usage(fmt.Sprintf("--opacity %v: want more than 0, at most 1", s.Alpha), "")
	}
	switch text := c.String("scale"); text {
	case "own":
	case "series":
		if c.Bool("resume") {
			return s, false, usage("--scale series needs all maps of the series and goes without --resume", "give the scale as a number: --scale 0.5")
		}
		series = true
	default:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v > 0 && v <= 1) {
			return s, false, usage("--scale "+text+": want own, series, or a loss of more than 0, at most 1", "")
		}
		s.Scale = &occlusion.Scale{Loss: v}
	}
	return s, series, nil
}

const (
	// beside is about the memory that viz takes beside the weights and the scan:
	// the program itself, pictures, garbage not yet collected.
	beside = 80 << 20
	// headroom is kept between what the garbage collector is told and the bound.
	headroom = 48 << 20
)

// memoryLimit reads --memory, a bound for the whole process, 0 if there is none,
// and tells the garbage collector.
func memoryLimit(c *cli.Context) (int, error) {
	text := c.String("memory")
	if text == "" {
		return 0, nil
	}
	size, err := parseSize(text)
	if err == nil {
		debug.SetMemoryLimit(int64(size - min(headroom, size/4)))
	}
	return size, err
}

// scanMemory returns what a scan may take beside the network if the whole process
// has the given limit.
func scanMemory(net *model.Network, limit int) (int, error) {
	weights := 0
	layers, err := net.Summary()
	if err != nil {
		return 0, err
	}
	for _, l := range layers {
		weights += 4 * l.Weights
	}
	if limit == 0 {
		debug.SetMemoryLimit(int64(weights + 400_000_000 - headroom))
		return 0, nil
	}
	left := limit - weights - beside
	if left < 1<<20 {
		return 0, usage(fmt.Sprintf("--memory %d MB is too little: the network's weights take %d MB, viz itself about %d MB",
			limit/1_000_000, weights/1_000_000, beside/1_000_000), "raise --memory")
	}
	return left, nil
}

// parseSize reads 900M, 2G, 500000k or bytes.
func parseSize(text string) (int, error) {
	digits := strings.TrimRight(text, "BbiI")
	unit := 1.0
	if n := len(digits); n > 0 {
		switch digits[n-1] {
		case 'k', 'K':
			unit = 1e3
		case 'M', 'm':
			unit = 1e6
		case 'G', 'g':
			unit = 1e9
		}
		if unit > 1 {
			digits = digits[:n-1]
		}
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(v > 0 && v*unit < 1e15) {
		return 0, usage("--memory "+text+": want a size such as 900M or 2G", "")
	}
	return int(v * unit), nil
}

// memoryHint explains that a scan does not fit.
func memoryHint(err error) error {
	if _, ok := errors.AsType[*occlusion.MemoryError](err); ok {
		return hinted(err, "raise --memory")
	}
	return err
}

// readMask reads a picture of segments: one for each colour, named 0xRRGGBB, none
// where it is transparent.
func readMask(path string, net *model.Network) ([]int32, error) {
	img, err := imageio.Open(path)
	if err != nil {
		return nil, err
	}
	in := net.Input
	fit := net.Preprocess.FitLabels(img, in.H, in.W)
	labels := make([]int32, in.H*in.W)
	for i := range labels {
		p := fit.Pix[i/in.W*fit.Stride+i%in.W*4:]
		labels[i] = int32(p[0])<<16 | int32(p[1])<<8 | int32(p[2])
		if p[3] < 128 {
			labels[i] = -1
		}
	}
	return labels, nil
}
