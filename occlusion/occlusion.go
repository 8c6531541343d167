// Package occlusion measures what a decision rests on by covering the image
// with a patch at many places and watching the network: the occlusion
// sensitivity maps of [zeiler14] 4.2 (ECCV Fig. 6).
//
//	m, err := occlusion.Scan(ctx, engine, net, x, occlusion.Options{})
//	m.Prob[0]  // probability of the class, by patch position
//
// One run gives, for every position, probability and logit of any set of
// classes, the most probable class, and the total activity of the strongest map
// of chosen layers. The package knows nothing of files; x comes from
// model.Preprocess.
package occlusion

import (
	"context"
	"fmt"
	"math"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Options of a scan. The zero value is the paper's setting, in proportion to
// the input: a patch of 50/224 of it at strides of 6/224.
type Options struct {
	Patch    [2]int // rows, columns of the patch in input pixels; 0: 50/224 of the input
	Stride   [2]int // rows, columns between positions; 0: 6/224 of the input
	Cover    bool   // add a last row and column of positions flush with the border
	Fill     Fill
	Classes  []int    // classes to map; nil: the most probable one of the clean image
	Layers   []string // layers whose strongest map is totalled; nil: the last convolution (model.ConvLayers)
	Batch    int      // positions in a forward pass; 0: as many as stay within about 256 MiB, at most 64
	Progress func(done, total int)
}

// LayerTotal is the activity of one feature map while the patch moves.
type LayerTotal struct {
	Layer   string
	Channel int       // the map with the largest single activation in the clean image
	Clean   float32   // sum over the map, nothing occluded
	Total   []float32 // sum over the map, by position
}

// Map is what a scan found. Arrays "by position" are row-major over Rows x Cols
// positions; those by class follow Classes.
type Map struct {
	Net        *model.Network
	Input      *tensor.Tensor // [1, C, H, W], the clean image
	Patch      [2]int
	Stride     [2]int
	Rows, Cols int
	Boxes      []model.Box // the patch, by position
	Filler     []float32   // [C, H, W]: what the patch shows of itself at each place
	FillName   string

	Classes    []int
	CleanProb  []float32 // by class
	CleanLogit []float32
	CleanBest  int           // most probable class of the clean image
	Prob       [][]float32   // by class, by position (panel d)
	odds       [][]float64   // by class, by position: log odds, see Lowest
	Logit      [][]float32   // by class, by position
	ArgMax     []int32       // most probable class, by position (panel e)
	Totals     []*LayerTotal // by layer (panel b)
	PixelDrop  [][]float32   // by class, [H, W]: mean loss of probability over the patches that cover the pixel; 0 where none does

	Passes int   // forward passes of whole images
	MACs   int64 // multiply-adds they took
}

// Cost predicts a scan: positions and multiply-adds.
func Cost(net *model.Network, o Options) (positions int, macs int64, err error) {
	g, err := layout(net, o)
	if err != nil {
		return 0, 0, err
	}
	per, err := net.MACs()
	return len(g.boxes), per * int64(len(g.boxes)+1), err
}

// Scan covers image x [1, C, H, W] at every position and runs the network on
// each, by brute force. Results do not depend on batch size or workers.
func Scan(ctx context.Context, engine *model.Engine, net *model.Network, x *tensor.Tensor, o Options) (*Map, error) {
	if net.Logits == "" {
		return nil, fmt.Errorf("occlusion: the network is no classifier: it has no node with class scores")
	}
	if len(x.Shape) != 4 || x.Shape[0] != 1 {
		return nil, fmt.Errorf("occlusion: input is %v, want one image [1 C H W]", x.Shape)
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	g, err := layout(net, o)
	if err != nil {
		return nil, err
	}
	layers := o.Layers
	if layers == nil {
		if convs := net.ConvLayers(); len(convs) > 0 {
			layers = convs[len(convs)-1:]
		}
	}
	classes := shapes[net.Logits].Len()
	for _, c := range o.Classes {
		if c < 0 || c >= classes {
			return nil, fmt.Errorf("occlusion: no class %d: the network has %d", c, classes)
		}
	}
	plan, err := engine.Compile(net, model.Keep{Layers: append([]string{net.Logits}, layers...)})
	if err != nil {
		return nil, err
	}
	m := &Map{Net: net, Input: x, Patch: g.patch, Stride: g.stride, Rows: g.rows, Cols: g.cols, Boxes: g.boxes,
		Classes: o.Classes, ArgMax: make([]int32, len(g.boxes)), FillName: o.Fill.String()}
	if m.Filler, err = o.Fill.pixels(x, net, g.patch); err != nil {
		return nil, err
	}

	clean, err := plan.Run(x)
	if err != nil {
		return nil, err
	}
	scores := clean.Value(net.Logits).Data
	if err := finite(scores); err != nil {
		return nil, fmt.Errorf("occlusion: clean image: %w", err)
	}
	m.CleanBest = tensor.ArgMax(scores)
	if m.Classes == nil {
		m.Classes = []int{m.CleanBest}
	}
	p := softmax(scores)
	for _, c := range m.Classes {
		m.CleanProb = append(m.CleanProb, float32(p[c]))
		m.CleanLogit = append(m.CleanLogit, scores[c])
		m.Prob = append(m.Prob, make([]float32, len(g.boxes)))
		m.Logit = append(m.Logit, make([]float32, len(g.boxes)))
		m.odds = append(m.odds, make([]float64, len(g.boxes)))
	}
	for _, name := range layers {
		s := shapes[name]
		v := clean.Value(name).Data
		t := &LayerTotal{Layer: name, Channel: tensor.ArgMax(v) / max(s.H*s.W, 1), Total: make([]float32, len(g.boxes))}
		t.Clean = sum(v[t.Channel*s.H*s.W:][:s.H*s.W])
		m.Totals = append(m.Totals, t)
	}
	if err := m.brute(ctx, plan, shapes, o); err != nil {
		return nil, err
	}
	per, err := net.MACs()
	if err != nil {
		return nil, err
	}
	m.Passes = len(g.boxes) + 1
	m.MACs = per * int64(m.Passes)
	m.pixelDrops()
	return m, nil
}

// brute runs the whole network for every position: the reference for anything
// faster, which must give the same numbers from the same boxes.
func (m *Map) brute(ctx context.Context, plan *model.Plan, shapes map[string]model.Shape, o Options) error {
	batch := o.Batch
	if batch <= 0 {
		batch = plan.Batch(256<<20, 64)
	}
	in := m.Net.Input
	size := in.C * in.H * in.W
	buffer := tensor.New(min(batch, len(m.Boxes)), in.C, in.H, in.W)
	for at := 0; at < len(m.Boxes); at += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		boxes := m.Boxes[at:min(at+batch, len(m.Boxes))]
		x := buffer.Slice(0, len(boxes))
		for i, b := range boxes {
			img := x.Data[i*size : (i+1)*size]
			copy(img, m.Input.Data)
			m.cover(img, b)
		}
		t, err := plan.Run(x)
		if err != nil {
			return err
		}
		scores := t.Value(m.Net.Logits)
		classes := scores.Len() / len(boxes)
		for i := range boxes {
			row := scores.Data[i*classes : (i+1)*classes]
			if err := finite(row); err != nil {
				return fmt.Errorf("occlusion: patch at row %d, column %d: %w", boxes[i].Y0, boxes[i].X0, err)
			}
			p := softmax(row)
			for j, c := range m.Classes {
				m.Prob[j][at+i], m.Logit[j][at+i] = float32(p[c]), row[c]
				m.odds[j][at+i] = logOdds(row, c)
			}
			m.ArgMax[at+i] = int32(tensor.ArgMax(row))
			for _, l := range m.Totals {
				s := shapes[l.Layer]
				l.Total[at+i] = sum(t.Value(l.Layer).Data[i*s.Len()+l.Channel*s.H*s.W:][:s.H*s.W])
			}
		}
		if o.Progress != nil {
			o.Progress(at+len(boxes), len(m.Boxes))
		}
	}
	return nil
}

// cover draws the patch at box b into img [C, H, W].
func (m *Map) cover(img []float32, b model.Box) {
	in := m.Net.Input
	for c := range in.C {
		for y := b.Y0; y < b.Y1; y++ {
			at := (c*in.H + y) * in.W
			copy(img[at+b.X0:at+b.X1], m.Filler[at+b.X0:at+b.X1])
		}
	}
}

func (m *Map) pixelDrops() {
	in := m.Net.Input
	for j := range m.Classes {
		drop, count := make([]float64, in.H*in.W), make([]int, in.H*in.W)
		for i, b := range m.Boxes {
			d := float64(m.CleanProb[j]) - float64(m.Prob[j][i])
			for y := b.Y0; y < b.Y1; y++ {
				for x := b.X0; x < b.X1; x++ {
					drop[y*in.W+x] += d
					count[y*in.W+x]++
				}
			}
		}
		out := make([]float32, len(drop))
		for i, d := range drop {
			if count[i] > 0 {
				out[i] = float32(d / float64(count[i]))
			}
		}
		m.PixelDrop = append(m.PixelDrop, out)
	}
}

// Lowest returns the patch under which class j (index into Classes) is least
// probable, the first of several. It compares log odds, which still tell
// positions apart where the probability of a sure network rounds to 1.
func (m *Map) Lowest(j int) model.Box {
	best := 0
	for i, o := range m.odds[j] {
		if o < m.odds[j][best] {
			best = i
		}
	}
	return m.Boxes[best]
}

// logOdds is log p/(1-p) of class c: its score minus log sum exp of the others'.
func logOdds(scores []float32, c int) float64 {
	top := math.Inf(-1)
	for i, s := range scores {
		if i != c {
			top = max(top, float64(s))
		}
	}
	var others float64
	for i, s := range scores {
		if i != c {
			others += math.Exp(float64(s) - top)
		}
	}
	return float64(scores[c]) - top - math.Log(others)
}

// grid is where the patch goes.
type grid struct {
	patch, stride [2]int
	rows, cols    int
	boxes         []model.Box
}

func layout(net *model.Network, o Options) (grid, error) {
	g := grid{patch: o.Patch, stride: o.Stride}
	size := [2]int{net.Input.H, net.Input.W}
	var starts [2][]int
	for a, axis := range []string{"high", "wide"} {
		// The paper's 50 pixels and stride 6 at 224.
		if g.patch[a] == 0 {
			g.patch[a] = max((size[a]*50+112)/224, 1)
		}
		if g.stride[a] == 0 {
			g.stride[a] = max((size[a]*6+112)/224, 1)
		}
		if g.patch[a] < 1 || g.stride[a] < 1 {
			return grid{}, fmt.Errorf("occlusion: a patch %d pixels %s at stride %d: want at least 1", g.patch[a], axis, g.stride[a])
		}
		if g.patch[a] > size[a] {
			return grid{}, fmt.Errorf("occlusion: a patch %d pixels %s does not fit into an input of %d", g.patch[a], axis, size[a])
		}
		last := size[a] - g.patch[a]
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

// finite reports class scores that say nothing, as of a network whose training
// ran away.
func finite(scores []float32) error {
	for c, s := range scores {
		if math.IsNaN(float64(s)) || math.IsInf(float64(s), 0) {
			return fmt.Errorf("the score of class %d is %g", c, s)
		}
	}
	return nil
}

func softmax(scores []float32) []float64 {
	top := math.Inf(-1)
	for _, s := range scores {
		top = max(top, float64(s))
	}
	out := make([]float64, len(scores))
	var total float64
	for i, s := range scores {
		out[i] = math.Exp(float64(s) - top)
		total += out[i]
	}
	for i := range out {
		out[i] /= total
	}
	return out
}

func sum(v []float32) float32 {
	var s float64
	for _, x := range v {
		s += float64(x)
	}
	return float32(s)
}
