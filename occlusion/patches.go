package occlusion

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
)

// patches is what is covered, position by position: a patch on a grid, or the
// segments of a mask.
type patches struct {
	patch, stride [2]int
	soft          int
	rows, cols    int
	boxes         []model.Box
	segments      []int32 // [H, W] position, or nil
	labels        []int32
	width         int // of the input
}

// OptionError says which of the Options is wrong, and how.
type OptionError struct {
	Option  string // name of the field, such as "Patch"
	Problem string
}

func (e *OptionError) Error() string { return e.Problem }

func wrong(option, format string, args ...any) error {
	return &OptionError{option, fmt.Sprintf(format, args...)}
}

// smaller tells which of patch and stride is too small.
func smaller(patch, stride int) string {
	if patch < 1 {
		return "Patch"
	}
	return "Stride"
}

// layouts returns the patches of all sizes asked for.
func layouts(net *model.Network, o Options) ([]*patches, error) {
	if o.Soft < 0 {
		return nil, wrong("Soft", "an edge of %d pixels: want 0 or more", o.Soft)
	}
	if o.Segments != nil {
		p, err := segments(net, o)
		return []*patches{p}, err
	}
	var all []*patches
	for _, size := range append([][2]int{o.Patch}, o.Sizes...) {
		p, err := layout(net, o, size)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Defaults are the patch and the stride that are taken where none is given: the paper's 50 pixels and stride 6 at 224,
// in proportion to the input.
func Defaults(net *model.Network) (patch, stride [2]int) {
	for a, n := range [2]int{net.Input.H, net.Input.W} {
		patch[a], stride[a] = max((n*50+112)/224, 1), max((n*6+112)/224, 1)
	}
	return patch, stride
}

func layout(net *model.Network, o Options, patch [2]int) (*patches, error) {
	g := &patches{patch: patch, stride: o.Stride, soft: o.Soft, width: net.Input.W}
	size := [2]int{net.Input.H, net.Input.W}
	var starts [2][]int
	ownPatch, ownStride := Defaults(net)
	for a, axis := range []string{"high", "wide"} {
		if g.patch[a] == 0 {
			g.patch[a] = ownPatch[a]
		}
		if g.stride[a] == 0 {
			g.stride[a] = ownStride[a]
		}
		if g.patch[a] < 1 || g.stride[a] < 1 {
			return nil, wrong(smaller(g.patch[a], g.stride[a]), "a patch %d pixels %s at stride %d: want at least 1", g.patch[a], axis, g.stride[a])
		}
		if g.patch[a] > size[a] {
			return nil, wrong("Patch", "a patch %d pixels %s does not fit into an input of %d", g.patch[a], axis, size[a])
		}
		last := size[a] - g.patch[a]
		if o.Position != nil {
			at := o.Position[a]
			if at < 0 || at > last {
				return nil, wrong("Position", "a patch %d pixels %s at %d is not inside an input of %d", g.patch[a], axis, at, size[a])
			}
			starts[a] = []int{at}
			continue
		}
		for at := 0; at <= last; at += g.stride[a] {
			starts[a] = append(starts[a], at)
		}
		if o.Cover && starts[a][len(starts[a])-1] != last {
			starts[a] = append(starts[a], last)
		}
	}
	g.rows, g.cols = len(starts[0]), len(starts[1])
	for _, y := range starts[0] {
		for _, x := range starts[1] {
			g.boxes = append(g.boxes, model.Box{Y0: y, X0: x, Y1: y + g.patch[0], X1: x + g.patch[1]})
		}
	}
	return g, nil
}

// segments makes one position of the pixels of each label, in the order of labels.
func segments(net *model.Network, o Options) (*patches, error) {
	in := net.Input
	if len(o.Segments) != in.H*in.W {
		return nil, wrong("Segments", "segments have %d pixels, the input %d x %d", len(o.Segments), in.H, in.W)
	}
	g := &patches{rows: 1, width: in.W, segments: make([]int32, len(o.Segments))}
	for _, l := range o.Segments {
		if l >= 0 {
			g.labels = append(g.labels, l)
		}
	}
	slices.Sort(g.labels)
	g.labels = slices.Compact(g.labels)
	if len(g.labels) == 0 {
		return nil, wrong("Segments", "the mask has no segments")
	}
	g.cols = len(g.labels)
	g.boxes = make([]model.Box, g.cols)
	for p, l := range o.Segments {
		g.segments[p] = -1
		if l < 0 {
			continue
		}
		i, _ := slices.BinarySearch(g.labels, l)
		g.segments[p] = int32(i)
		y, x := p/in.W, p%in.W
		g.boxes[i] = g.boxes[i].Union(model.Box{Y0: y, X0: x, Y1: y + 1, X1: x + 1})
	}
	for _, b := range g.boxes {
		g.patch[0], g.patch[1] = max(g.patch[0], b.H()), max(g.patch[1], b.W())
	}
	return g, nil
}

// alpha is how much of pixel (y, x), in the box of position i, is covered.
func (g *patches) alpha(i, y, x int) float32 {
	if g.segments != nil {
		if g.segments[y*g.width+x] == int32(i) {
			return 1
		}
		return 0
	}
	if g.soft == 0 {
		return 1
	}
	b := g.boxes[i]
	near := func(d int) float32 { return min((float32(d)+0.5)/float32(g.soft), 1) }
	return near(min(y-b.Y0, b.Y1-1-y)) * near(min(x-b.X0, b.X1-1-x))
}

// draw writes what covered box i of img [C, H, W] shows into dst [C][h][w].
func (g *patches) draw(i int, dst, img, filler []float32, in model.Input) {
	b := g.boxes[i]
	hard := g.segments == nil && g.soft == 0
	at := 0
	for c := range in.C {
		for y := b.Y0; y < b.Y1; y++ {
			row := (c*in.H + y) * in.W
			if hard {
				at += copy(dst[at:], filler[row+b.X0:row+b.X1])
				continue
			}
			for x := b.X0; x < b.X1; x++ {
				dst[at] = img[row+x]
				if a := g.alpha(i, y, x); a == 1 {
					dst[at] = filler[row+x]
				} else if a > 0 {
					dst[at] = float32((1-a)*img[row+x]) + float32(a*filler[row+x])
				}
				at++
			}
		}
	}
}

// cover draws position i into img [C, H, W] itself.
func (g *patches) cover(i int, img, clean, filler []float32, in model.Input) {
	b := g.boxes[i]
	d := make([]float32, in.C*b.Area())
	g.draw(i, d, clean, filler, in)
	for c := range in.C {
		for y := range b.H() {
			copy(img[(c*in.H+b.Y0+y)*in.W+b.X0:][:b.W()], d[(c*b.H()+y)*b.W():])
		}
	}
}

// order lists the positions so that as many as there are lanes in a block lie
// close together: strips of a few rows, column by column, to and fro.
func (g *patches) order() []int {
	if g.segments != nil {
		list := make([]int, len(g.boxes))
		for i := range list {
			list[i] = i
		}
		slices.SortStableFunc(list, func(a, b int) int {
			return (g.boxes[a].Y0+g.boxes[a].Y1)/64 - (g.boxes[b].Y0+g.boxes[b].Y1)/64
		})
		return list
	}
	const height = 4
	var list []int
	strips := max((g.rows+height/2)/height, 1)
	for s := range strips {
		for c := range g.cols {
			if s%2 == 1 {
				c = g.cols - 1 - c
			}
			for r := g.rows * s / strips; r < g.rows*(s+1)/strips; r++ {
				list = append(list, r*g.cols+c)
			}
		}
	}
	return list
}
