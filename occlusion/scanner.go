package occlusion

import (
	"context"
	"errors"
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion/internal/incremental"
)

// Scanner is a network made ready to scan any number of images with the same
// options. It is safe for concurrent use.
type Scanner struct {
	engine  *model.Engine
	net     *model.Network
	o       Options
	shapes  map[string]model.Shape
	layers  []string
	sets    []*patches
	orders  [][]int
	changes [][]model.Box // in order
	called  []string      // layers by their names in net
	inc     *incremental.Net
	brute   *model.Plan
	batch   int   // of brute: positions in a pass
	bytes   int   // of brute: what is predicted
	whole   int64 // multiply-adds of a forward pass
	reading *model.Reading
}

// New prepares a network.
func New(engine *model.Engine, net *model.Network, o Options) (*Scanner, error) {
	reading, err := net.Reading()
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	s := &Scanner{engine: engine, net: net, o: o, layers: o.Layers, reading: reading}
	if s.shapes, err = net.Shapes(); err != nil {
		return nil, err
	}
	if s.sets, err = layouts(net, o); err != nil {
		return nil, err
	}
	if s.whole, err = net.MACs(); err != nil {
		return nil, err
	}
	if s.layers == nil {
		if last, err := net.LastFeatures(); err == nil {
			s.layers = []string{last}
		}
	}
	s.called = s.layers
	if net, s.layers = asMaps(net, s.called); len(s.layers) > 0 {
		if s.shapes, err = net.Shapes(); err != nil {
			return nil, err
		}
	}
	for _, c := range o.Classes {
		if err := reading.Check(model.Target{Class: c, At: o.At}); err != nil {
			return nil, fmt.Errorf("%w", err)
		}
	}
	if err := reading.Check(model.Target{At: o.At}); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	switch o.Method {
	case Fast, Box, Brute:
	default:
		return nil, wrong("Method", "no method %q", o.Method)
	}
	whole := func() (*Scanner, error) {
		s.brute, err = engine.Compile(net, model.Keep{Layers: append([]string{net.Logits}, s.layers...)})
		if err != nil {
			return nil, err
		}
		return s, s.fitBrute()
	}
	if o.Method == Brute || kernel.Name() == "ref" {
		return whole()
	}
	var all []model.Box
	for _, set := range s.sets {
		order := set.order()
		changes := make([]model.Box, len(order))
		for i, p := range order {
			changes[i] = set.boxes[p]
		}
		s.orders, s.changes = append(s.orders, order), append(s.changes, changes)
		all = append(all, changes...)
	}
	s.inc, err = incremental.Compile(engine, net, incremental.Options{Outputs: []string{net.Logits}, Totals: s.layers,
		Exact: o.Method == Box, Changes: all, Memory: o.Memory})
	if e, ok := errors.AsType[*incremental.MemoryError](err); ok {
		return nil, &MemoryError{Need: e.Need, Limit: e.Limit}
	}
	if err == nil && s.mostlyWhole(all) {
		return whole()
	}
	return s, err
}

// fitBrute chooses how many positions a forward pass takes. The plan's own copy of the weights counts, and the covered
// images.
func (s *Scanner) fitBrute() error {
	const usual, most = 256 << 20, 64
	s.batch = s.o.Batch
	if s.o.Memory == 0 {
		s.bytes = usual
		if s.batch <= 0 {
			s.batch = s.brute.Batch(usual, most)
		}
		return nil
	}
	layers, err := s.net.Summary()
	if err != nil {
		return err
	}
	fixed := 0
	for _, l := range layers {
		fixed += 4 * l.Weights
	}
	each := s.brute.Bytes() + 4*s.net.Input.Shape().Len()
	if need := fixed + each*max(s.batch, 1); need > s.o.Memory {
		return &MemoryError{Need: need, Limit: s.o.Memory}
	}
	if s.batch <= 0 {
		s.batch = min((s.o.Memory-fixed)/each, s.brute.Batch(usual, most))
	}
	s.bytes = fixed + each*s.batch
	return nil
}

// mostlyWhole reports whether most products are those of layers that are computed on
// whole maps, as in transformers: then whole passes are as few, and move less.
func (s *Scanner) mostlyWhole(changes []model.Box) bool {
	var on, all float64
	for _, l := range s.inc.Cost(changes[:min(len(changes), 64)]).Layers {
		if lanes, late := s.inc.Lanes(l.Layer); !lanes && !late {
			on += l.MACs
		}
		all += l.MACs
	}
	return on > 0.75*all
}

// For is the scanner for other classes, see Options.Classes. It shares what is prepared.
func (s *Scanner) For(classes []int) (*Scanner, error) {
	for _, c := range classes {
		if err := s.reading.Check(model.Target{Class: c, At: s.o.At}); err != nil {
			return nil, fmt.Errorf("%w", err)
		}
	}
	other := *s
	other.o.Classes = classes
	return &other, nil
}

// MemoryError says that Options.Memory is not enough. Both numbers are bytes beside the network's weights.
type MemoryError struct{ Need, Limit int }

func (e *MemoryError) Error() string {
	return (&incremental.MemoryError{Need: e.Need, Limit: e.Limit}).Error()
}

// Lanes reports whether a layer of a network is computed for many positions side by side, rather than on whole
// maps, and whether that waits for a group of positions, so that weights are read once.
func Lanes(engine *model.Engine, net *model.Network, layer string) (lanes, late bool) {
	n, err := incremental.Compile(engine, net, incremental.Options{Outputs: []string{layer}, Changes: []model.Box{{Y1: 1, X1: 1}}})
	if err != nil {
		return false, false
	}
	return n.Lanes(layer)
}

// Scan covers image x [1, C, H, W] at every position and maps what the network
// makes of it. Results do not depend on the engine's workers. Of several sizes
// of the patch it scans with the first.
func Scan(ctx context.Context, engine *model.Engine, net *model.Network, x *tensor.Tensor, o Options) (*Map, error) {
	o.Sizes = nil
	s, err := New(engine, net, o)
	if err != nil {
		return nil, err
	}
	maps, err := s.ScanAll(ctx, x, nil)
	if err != nil {
		return nil, err
	}
	return maps[0], nil
}

// ScanAll scans an image with every size of the patch, Options.Patch first.
// progress may be nil; total is the number of positions of all sizes, done how many
// of them the work done so far is worth.
func (s *Scanner) ScanAll(ctx context.Context, x *tensor.Tensor, progress func(done, total int)) ([]*Map, error) {
	return s.ScanEach(ctx, x, progress, nil)
}

// ScanEach is ScanAll that tells of every position as soon as its numbers are in the map, in the order of computing
// and from several goroutines at once: each may read position i of what m has by position, and what is known of the
// clean image. It may be nil.
func (s *Scanner) ScanEach(ctx context.Context, x *tensor.Tensor, progress func(done, total int), each func(m *Map, i int)) ([]*Map, error) {
	if len(x.Shape) != 4 || x.Shape[0] != 1 {
		return nil, fmt.Errorf("input is %v, want one image [1 C H W]", x.Shape)
	}
	value, run, err := s.clean(x)
	if err != nil {
		return nil, err
	}
	scores := value(s.net.Logits)
	if err := finite(scores); err != nil {
		return nil, fmt.Errorf("clean image: %w", err)
	}
	var maps []*Map
	total, before := 0, 0
	for _, set := range s.sets {
		total += len(set.boxes)
	}
	for i, set := range s.sets {
		m, err := s.newMap(x, set, scores, value)
		if err != nil {
			return nil, err
		}
		step := func(done, _ int) {
			if progress != nil {
				progress(before+done, total)
			}
		}
		m.each = each
		if err := run(ctx, m, i, step); err != nil {
			return nil, err
		}
		m.each = nil
		before += len(set.boxes)
		m.pixelDrops(s.engine)
		maps = append(maps, m)
	}
	return maps, nil
}

// clean runs the network on the image itself, and returns its values and how to
// scan it with a set of patches.
func (s *Scanner) clean(x *tensor.Tensor) (value func(string) []float32, run func(context.Context, *Map, int, func(int, int)) error, err error) {
	if s.brute != nil {
		t, err := s.brute.Run(x)
		if err != nil {
			return nil, nil, err
		}
		return func(name string) []float32 { return t.Value(name).Data }, s.runBrute, nil
	}
	k, err := s.inc.Clean(x)
	if err != nil {
		return nil, nil, err
	}
	return k.Value, func(ctx context.Context, m *Map, i int, progress func(int, int)) error {
		return s.runIncremental(ctx, k, m, i, progress)
	}, nil
}

// newMap is a map to be filled.
func (s *Scanner) newMap(x *tensor.Tensor, set *patches, scores []float32, value func(string) []float32) (*Map, error) {
	n := len(set.boxes)
	m := &Map{Net: s.net, Input: x, Patch: set.patch, Stride: set.stride, Soft: set.soft, Rows: set.rows, Cols: set.cols, Boxes: set.boxes,
		Segments: set.segments, Labels: set.labels, Classes: s.o.Classes, ArgMax: make([]int32, n), FillName: s.o.Fill.String(),
		Method: s.o.Method, Whole: s.whole * int64(n+1), Quantity: s.reading.Quantity(), At: s.o.At, set: set, reading: s.reading}
	var err error
	if m.Filler, err = s.o.Fill.Pixels(x, s.net, set.patch); err != nil {
		return nil, err
	}
	m.CleanBest = s.reading.Predict(scores)
	if m.Classes == nil {
		m.Classes = []int{s.reading.Default(scores).Class}
	}
	for _, told := range s.reading.TellAll(scores, m.Classes, m.At) {
		m.CleanProb = append(m.CleanProb, float32(told.Value))
		m.CleanLogit = append(m.CleanLogit, float32(told.Score))
		m.Prob = append(m.Prob, make([]float32, n))
		m.Logit = append(m.Logit, make([]float32, n))
		m.odds = append(m.odds, make([]float64, n))
	}
	for i, name := range s.layers {
		shape := s.shapes[name]
		v := value(name)
		t := &LayerTotal{Layer: s.called[i], Channel: tensor.ArgMax(v) / max(shape.H*shape.W, 1), Total: make([]float32, n)}
		t.Clean = sum(v[t.Channel*shape.H*shape.W:][:shape.H*shape.W])
		m.Totals = append(m.Totals, t)
	}
	return m, nil
}

// put stores the scores of position i.
func (m *Map) put(i int, scores []float32) error {
	if err := finite(scores); err != nil {
		return fmt.Errorf("patch at row %d, column %d: %w", m.Boxes[i].Y0, m.Boxes[i].X0, err)
	}
	for j, told := range m.reading.TellAll(scores, m.Classes, m.At) {
		m.Prob[j][i], m.Logit[j][i] = float32(told.Value), float32(told.Score)
		m.odds[j][i] = told.Odds
	}
	m.ArgMax[i] = int32(m.reading.Predict(scores))
	return nil
}

func (s *Scanner) runIncremental(ctx context.Context, k *incremental.Clean, m *Map, set int, progress func(done, total int)) error {
	order := s.orders[set]
	n := len(order)
	job := incremental.Job{Changes: s.changes[set], Progress: func(share float64) { progress(min(int(share*float64(n)), n), n) },
		Draw: func(i int, dst []float32) { m.set.draw(order[i], dst, m.Input.Data, m.Filler, s.net.Input) }}
	for _, t := range m.Totals {
		job.Maps = append(job.Maps, t.Channel)
	}
	failures := make([]error, n)
	job.Done = func(i int, outputs [][]float32, totals []float64) {
		p := order[i]
		failures[p] = m.put(p, outputs[0])
		for j, t := range m.Totals {
			t.Total[p] = float32(totals[j])
		}
		if m.each != nil && failures[p] == nil {
			m.each(m, p)
		}
	}
	m.MACs = s.whole + int64(s.inc.Cost(s.changes[set]).MACs)
	if err := k.Run(ctx, job); err != nil {
		return err
	}
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// runBrute runs the whole network for every position.
func (s *Scanner) runBrute(ctx context.Context, m *Map, _ int, progress func(done, total int)) error {
	batch, in := s.batch, m.Net.Input
	size := in.C * in.H * in.W
	buffer, t := tensor.New(min(batch, len(m.Boxes)), in.C, in.H, in.W), &model.Trace{}
	for at := 0; at < len(m.Boxes); at += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(batch, len(m.Boxes)-at)
		x := buffer.Slice(0, n)
		for i := range n {
			img := x.Data[i*size : (i+1)*size]
			copy(img, m.Input.Data)
			m.set.cover(at+i, img, m.Input.Data, m.Filler, in)
		}
		if err := s.brute.RunInto(t, x); err != nil {
			return err
		}
		scores := t.Value(m.Net.Logits)
		classes := scores.Len() / n
		for i := range n {
			if err := m.put(at+i, scores.Data[i*classes:(i+1)*classes]); err != nil {
				return err
			}
			for j, l := range m.Totals {
				shape := s.shapes[s.layers[j]]
				l.Total[at+i] = sum(t.Value(s.layers[j]).Data[i*shape.Len()+l.Channel*shape.H*shape.W:][:shape.H*shape.W])
			}
			if m.each != nil {
				m.each(m, at+i)
			}
		}
		progress(at+n, len(m.Boxes))
	}
	m.MACs = m.Whole
	return nil
}

// Prediction is what a scan of one image will take, all sizes of the patch
// together.
type Prediction struct {
	Positions int
	MACs      int64 // multiply-adds that will be made
	Whole     int64 // multiply-adds of forward passes of the whole network
	Memory    int   // bytes beside the network's weights
	Layers    []Layer
}

// Layer is a layer's part of a Prediction: means over the positions.
type Layer struct {
	Name  string
	Way   string  // box, clip, winograd, delta, whole; "" where nothing is multiplied
	Box   float64 // places computed
	Map   int     // places of the map
	MACs  float64 // a position
	Whole float64 // multiply-adds of the layer in a whole pass
}

// Predict says what a scan of an image will take.
func (s *Scanner) Predict() Prediction {
	p := Prediction{}
	for _, set := range s.sets {
		p.Positions += len(set.boxes)
	}
	p.Whole = s.whole * int64(p.Positions+len(s.sets))
	if s.brute != nil {
		p.MACs = p.Whole
		p.Memory = s.bytes
		return p
	}
	var all []model.Box
	for _, c := range s.changes {
		all = append(all, c...)
	}
	c := s.inc.Cost(all)
	p.MACs = s.whole + int64(c.MACs)
	p.Memory = c.Memory
	for _, l := range c.Layers {
		p.Layers = append(p.Layers, Layer{Name: l.Layer, Way: l.Way, Box: l.Box, Map: l.Map, MACs: l.MACs, Whole: l.Whole})
	}
	return p
}

// Cost predicts a scan by forward passes of the whole network: positions, of all
// sizes of the patch, and multiply-adds.
func Cost(net *model.Network, o Options) (positions int, macs int64, err error) {
	sets, err := layouts(net, o)
	if err != nil {
		return 0, 0, err
	}
	for _, g := range sets {
		positions += len(g.boxes)
	}
	per, err := net.MACs()
	return positions, per * int64(positions+1), err
}

// Patches are the sizes of the patch, Options.Patch first.
func (s *Scanner) Patches() (sizes [][2]int) {
	for _, set := range s.sets {
		sizes = append(sizes, set.patch)
	}
	return sizes
}
