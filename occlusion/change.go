package occlusion

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Change is a set of patches that was covered one after the other to change what a
// network answers.
type Change struct {
	Changed bool
	Before  int            // what Reading.Predict says of the clean image
	After   int            // of the image under the patches
	Class   int            // whose probability was watched
	Lost    bool           // it was to fall below one half, as of one label among several; else the answer was to be another
	Clean   model.Told     // the class in the clean image
	Told    []model.Told   // the class after each patch that was covered, the spared ones too
	Last    model.Told     // the class under Boxes
	Boxes   []model.Box    // the patches, in the order in which they were covered
	Spared  []model.Box    // patches covered on the way that turned out not to be needed
	Patch   [2]int         // rows, columns of a patch
	Grid    int            // patches there are
	Covered *tensor.Tensor // the image under Boxes
}

// Changer looks for what has to be covered of an image so that the network answers something else. It is a network
// made ready for any number of images, and safe for concurrent use.
type Changer struct{ scanner *Scanner }

// NewChanger prepares a network. Of the options Patch is an eighth of the sides if it is not set, Stride always the
// patch's size; Classes may name the class that is to lose, nil is each image's predicted one. Fill must
// not depend on the image. A regression has no answer to change, which is an error.
func NewChanger(engine *model.Engine, net *model.Network, o Options) (*Changer, error) {
	if o.Fill.Kind != "" && o.Fill.Kind != MeanFill && o.Fill.Kind != ValueFill {
		return nil, wrong("Fill", "%v depends on the image, which changes with every patch: want mean or a value", o.Fill)
	}
	if len(o.Classes) > 1 {
		return nil, wrong("Classes", "%d classes: want one", len(o.Classes))
	}
	for a, side := range []int{net.Input.H, net.Input.W} {
		if o.Patch[a] == 0 {
			o.Patch[a] = (side + 7) / 8
		}
	}
	o.Stride, o.Cover, o.Sizes, o.Layers = o.Patch, true, nil, []string{}
	s, err := New(engine, net, o)
	if err != nil {
		return nil, err
	}
	if s.reading.Quantity() == model.Value {
		return nil, fmt.Errorf("network %s gives values, not classes: there is no answer that could change", net.Name)
	}
	return &Changer{s}, nil
}

// Search bounds Changer.Find.
type Search struct {
	Most     int // patches that are covered at most
	Among    int // after the first, patches are chosen among so many: those that alone lower the class most; 0: all
	Progress func(done, total int)
}

// Find covers, of patches side by side, the one that lowers the class's probability
// most, then the next beside it, and so on until the answer changes or as many as the search allows are
// covered; then it takes away, first to last, each that is not needed for the change. Each step is a scan.
// The set is one that was found: there may be a smaller one, but none of its patches can be
// left out. Of a network that answers with labels that stand for themselves, the answer about
// the class changes where its probability falls below one half.
func (c *Changer) Find(ctx context.Context, x *tensor.Tensor, search Search) (*Change, error) {
	if len(x.Shape) != 4 || x.Shape[0] != 1 {
		return nil, fmt.Errorf("input is %v, want one image [1 C H W]", x.Shape)
	}
	scanner := *c.scanner
	set := scanner.sets[0]
	f := &changer{s: &scanner, set: set, Change: &Change{Patch: set.patch, Grid: len(set.boxes)}}
	if err := f.start(x); err != nil {
		return nil, err
	}
	most := min(search.Most, f.Grid)
	if search.Among > 0 {
		most = min(most, search.Among)
	}
	for len(f.Boxes) < most && !f.Changed {
		if err := f.step(ctx, search.Among); err != nil {
			return nil, err
		}
		if search.Progress != nil {
			search.Progress(len(f.Boxes), most)
		}
	}
	if n := len(f.Told); n > 0 {
		f.Last = f.Told[n-1]
	}
	return f.Change, f.spare(ctx)
}

// changer is a search at work.
type changer struct {
	*Change
	s      *Scanner
	set    *patches
	clean  *tensor.Tensor
	filler []float32
	sign   float64 // -1 if the class is to become more probable: the answer is that it is not so
	at     []int   // of Boxes, in set
	left   []int   // positions to choose from
}

func (f *changer) start(x *tensor.Tensor) (err error) {
	f.clean, f.Covered = x, x
	if f.filler, err = f.s.o.Fill.Pixels(x, f.s.net, f.set.patch); err != nil {
		return err
	}
	scores, err := f.scores(x)
	if err != nil {
		return fmt.Errorf("clean image: %w", err)
	}
	r := f.s.reading
	f.Before = r.Predict(scores)
	f.After = f.Before
	if f.s.o.Classes == nil {
		f.s.o.Classes = []int{r.Default(scores).Class}
	}
	f.Class = f.s.o.Classes[0]
	f.Clean = r.TellAll(scores, f.s.o.Classes, f.s.o.At)[0]
	f.Lost = r.Kind == model.SigmoidScores && !r.Binary() && !r.Spatial() && f.Clean.Value >= 0.5
	if f.sign = 1; r.Binary() && r.NumClasses() == 1 && f.Before == 0 {
		f.sign = -1
	}
	return nil
}

// scores are those of an image.
func (f *changer) scores(x *tensor.Tensor) ([]float32, error) {
	value, _, err := f.s.clean(x)
	if err != nil {
		return nil, err
	}
	scores := value(f.s.net.Logits)
	return scores, finite(scores)
}

// other reports whether an answer is another than that of the clean image.
func (f *changer) other(class int, probability float64) bool {
	if f.Lost {
		return probability < 0.5
	}
	return class != f.Before
}

// step covers one more patch: of those that change the answer, or else of all, the one under which the class
// is least probable.
func (f *changer) step(ctx context.Context, among int) error {
	if f.left == nil {
		for i := range f.set.boxes {
			f.left = append(f.left, i)
		}
	}
	f.s.only(f.set, f.left)
	maps, err := f.s.ScanAll(ctx, f.Covered, nil)
	if err != nil {
		return err
	}
	m := maps[0]
	order := make([]int, len(f.left)) // of left, best first
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if is := f.other(int(m.ArgMax[a]), float64(m.Prob[0][a])); is != f.other(int(m.ArgMax[b]), float64(m.Prob[0][b])) {
			if is {
				return -1
			}
			return 1
		}
		return cmp.Compare(f.sign*m.odds[0][a], f.sign*m.odds[0][b])
	})
	if len(f.at) == 0 && among > 0 {
		order = order[:min(among, len(order))]
	}
	left := make([]int, 0, len(order))
	for _, i := range order {
		left = append(left, f.left[i])
	}
	best := left[0]
	f.at, f.left = append(f.at, best), left[1:]
	slices.Sort(f.left) // the first of equal ones
	told, err := f.look(f.at)
	f.Boxes, f.Told = append(f.Boxes, f.set.boxes[best]), append(f.Told, told)
	return err
}

// only makes a scanner of one size of the patch scan some of its positions.
func (s *Scanner) only(of *patches, positions []int) {
	some := *of
	some.boxes, some.rows, some.cols = nil, 1, len(positions)
	for _, i := range positions {
		some.boxes = append(some.boxes, of.boxes[i])
	}
	s.sets = []*patches{&some}
	if s.brute != nil {
		return
	}
	order, changes := make([]int, len(positions)), make([]model.Box, len(positions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { // those that lie close together, in strips of two patches
		strip := func(i int) int { return some.boxes[i].Y0 / max(2*of.patch[0], 1) }
		return cmp.Or(cmp.Compare(strip(a), strip(b)), cmp.Compare(some.boxes[a].X0, some.boxes[b].X0))
	})
	for i, p := range order {
		changes[i] = some.boxes[p]
	}
	s.orders, s.changes = [][]int{order}, [][]model.Box{changes}
}

// look covers the clean image with patches and asks the network.
func (f *changer) look(at []int) (model.Told, error) {
	x := f.clean.Clone()
	for _, i := range at {
		f.set.cover(i, x.Data, x.Data, f.filler, f.s.net.Input)
	}
	scores, err := f.scores(x)
	if err != nil {
		return model.Told{}, fmt.Errorf("under %d patches: %w", len(at), err)
	}
	told := f.s.reading.TellAll(scores, f.s.o.Classes, f.s.o.At)[0]
	f.Covered, f.After = x, f.s.reading.Predict(scores)
	f.Changed = f.other(f.After, told.Value)
	return told, nil
}

// spare takes away patches that are not needed for the change.
func (f *changer) spare(ctx context.Context) error {
	if !f.Changed {
		return nil
	}
	for i := 0; i < len(f.at) && len(f.at) > 1; {
		if err := ctx.Err(); err != nil {
			return err
		}
		without := slices.Delete(slices.Clone(f.at), i, i+1)
		if _, err := f.look(without); err != nil {
			return err
		}
		if !f.Changed {
			i++
			continue
		}
		f.at = without
		f.Spared = append(f.Spared, f.Boxes[i])
		f.Boxes = slices.Delete(f.Boxes, i, i+1)
	}
	told, err := f.look(f.at)
	f.Last = told
	return err
}
