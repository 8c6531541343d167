// Package occlusion measures what a prediction depends on by covering the image
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
	"fmt"
	"math"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Method is how the network is run on every position.
type Method string

const (
	// Fast computes what the patch can change only, and takes the rest from the
	// clean image; convolutions may add to the clean sums or use Winograd's
	// F(2x2, 3x3), so that numbers agree with Brute's to rounding: about 1e-6 of a
	// layer's largest. See occlusion/internal/incremental.
	Fast Method = ""
	// Box computes what the patch can change, by the sums that Brute makes: the
	// same numbers bit for bit.
	Box Method = "box"
	// Brute runs the whole network for every position: the reference.
	Brute Method = "brute"
)

// ParseMethod reads fast, box or brute; "" is fast.
func ParseMethod(s string) (Method, error) {
	switch m := Method(s); m {
	case "", "fast":
		return Fast, nil
	case Box, Brute:
		return m, nil
	}
	return Fast, fmt.Errorf("method %s: want fast, box or brute", s)
}

func (m Method) String() string {
	if m == Fast {
		return "fast"
	}
	return string(m)
}

// Options of a scan. The zero value is the paper's setting, in proportion to
// the input: a patch of 50/224 of it at strides of 6/224.
type Options struct {
	Patch    [2]int   // rows, columns of the patch in input pixels; 0: 50/224 of the input
	Sizes    [][2]int // further patches to scan with in the same run; see Scanner.ScanAll
	Stride   [2]int   // rows, columns between positions; 0: 6/224 of the input
	Position *[2]int  // only the patch with this row and column as its upper left corner, instead of all places
	Cover    bool     // add a last row and column of positions flush with the border
	Soft     int      // pixels over which the patch fades in from its edge
	Segments []int32  // [H*W]: instead of a patch, cover all pixels of one label at a time; those below 0 never
	Fill     Fill
	Classes  []int    // classes to map, see model.Target; nil: the most probable one of the clean image
	At       *[2]int  // of a network with scores for every place: those at one row and column; nil: their sum
	Layers   []string // layers whose strongest map is totalled; nil: the last before the scores (model.LastSpatial)
	Method   Method
	Batch    int // of Brute: positions in a forward pass; 0: as many as stay within about 256 MiB, at most 64
	Memory   int // bytes to stay within beside the network's weights; 0: about 280 MiB, more if the workers need it
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
	Soft       int
	Rows, Cols int
	Boxes      []model.Box // the patch, by position; of segments what encloses them
	Segments   []int32     // [H, W]: the position that covers each pixel, -1 none; nil unless Options.Segments
	Labels     []int32     // by position, of Options.Segments
	Filler     []float32   // [C, H, W]: what the patch shows of itself at each place
	FillName   string

	Classes    []int
	Quantity   model.Quantity // what CleanProb, Prob and PixelDrop are: probabilities, or values of a regression
	At         *[2]int        // as in Options
	CleanProb  []float32      // by class
	CleanLogit []float32
	CleanBest  int                 // most probable class of the clean image, see model.Reading.Predict
	Prob       [][]float32         // by class, by position (panel d); of maps of scores the sum over their places
	odds       [][]float64         // by class, by position: log odds, see Lowest
	each       func(m *Map, i int) // while it is filled, see Scanner.ScanEach; or nil
	Logit      [][]float32         // by class, by position
	ArgMax     []int32             // most probable class, by position (panel e)
	Totals     []*LayerTotal       // by layer (panel b)
	PixelDrop  [][]float32         // by class, [H, W]: mean loss of probability over the patches that cover the pixel; NaN where none does

	Method Method
	MACs   int64 // multiply-adds that were made, the clean image's included
	Whole  int64 // multiply-adds of as many whole forward passes

	set     *patches
	reading *model.Reading
}

// pixelDrops takes the mean loss over the patches that cover a pixel, each by how
// much it does.
func (m *Map) pixelDrops(engine *model.Engine) {
	in := m.Net.Input
	const rows = 8 // of a task
	for j := range m.Classes {
		out := make([]float32, in.H*in.W)
		engine.For((in.H+rows-1)/rows, func(task int) {
			y0, y1 := task*rows, min((task+1)*rows, in.H)
			m.rowDrops(out[y0*in.W:y1*in.W], j, y0, y1)
		})
		m.PixelDrop = append(m.PixelDrop, out)
	}
}

// rowDrops is pixelDrops of class j in rows [y0, y1).
func (m *Map) rowDrops(out []float32, j, y0, y1 int) {
	w := m.Net.Input.W
	drop, count := make([]float64, len(out)), make([]float64, len(out))
	for i, b := range m.Boxes {
		d := float64(m.CleanProb[j]) - float64(m.Prob[j][i])
		for y := max(b.Y0, y0); y < min(b.Y1, y1); y++ {
			for x := b.X0; x < b.X1; x++ {
				a := float64(m.set.alpha(i, y, x))
				drop[(y-y0)*w+x] += float64(a * d)
				count[(y-y0)*w+x] += a
			}
		}
	}
	for i, d := range drop {
		out[i] = float32(d / count[i]) // 0/0 is NaN: no patch covers the pixel
	}
}

// Lowest returns the patch under which class j (index into Classes) is least
// probable, the first of several. It compares log odds, which still tell
// positions apart where the probability of a sure network rounds to 1.
func (m *Map) Lowest(j int) model.Box { return m.Boxes[m.LowestAt(j)] }

// LowestAt is the position of Lowest.
func (m *Map) LowestAt(j int) int {
	best := 0
	for i, o := range m.odds[j] {
		if o < m.odds[j][best] {
			best = i
		}
	}
	return best
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

func sum(v []float32) float32 {
	var s float64
	for _, x := range v {
		s += float64(x)
	}
	return float32(s)
}
