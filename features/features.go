// Package features finds what the feature maps of a network respond to: the
// images, among many, and the places in them, with the strongest activations
// ([zeiler14] 4.1, Fig. 2: the nine strongest of each map), and how often and how
// strongly each map fires.
//
//	index, err := features.Collect(ctx, engine, net, images, features.Options{Layers: []string{"relu2"}})
//	index.Layers[0].Top[map][0]   // strongest image and place of a map
//	index.Layers[0].Stats[map]    // mean, deviation, share of images that fire, ...
//
// The images come from the caller, one by one; memory does not grow with their
// number. An index is exact: scanning the images in parts, in any batches, and
// merging the parts gives the index of the whole, byte for byte. The package does
// not know how projections are made (deconv) or drawn.
package features

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Images is a source of network inputs.
type Images interface {
	// Len is the number of images.
	Len() int
	// Input writes all of image i to dst, [C][H][W] in network units. It is called
	// from one goroutine, for every i in order, unless Options.Readers is above 1;
	// then from that many goroutines at once.
	Input(i int, dst []float32) error
}

// Options of Collect.
type Options struct {
	Layers  []string // nodes to watch; nil: every convolution layer (model.ConvLayers)
	Top     int      // images to keep for each map; 0: 9
	Batch   int      // images in a forward pass; 0: as many as stay within about 64 MiB and are 32 at most, or 32 MiB and 4 for each worker; changes no result
	Readers int      // goroutines that read images while the network runs; 0: 1
	// Exact sums convolutions directly. Values are then exact to 1e-6 of a layer's
	// largest; else Winograd's algorithm may compute them, to 1e-4. Either way they
	// depend on neither batch, workers nor parts.
	Exact bool
	Plan  *model.Plan // what Compile made of the same options, for several scans; nil: it is made
	Hash  string      // of the network, if the caller has it at hand; "": it is computed
	// From and To limit the scan to the images [From, To); To 0: to the end.
	From, To int
	// Resume is an index of a part of the images, to which the rest is added. It
	// is changed. Nil: begin anew.
	Resume *Index
	// Unreadable is told of an image whose Input fails. If it returns nil the image
	// is left out and listed in the index, else the scan ends. Nil: the scan ends.
	Unreadable func(i int, err error) error
	// Progress is told how many images of the scan are done.
	Progress func(done, total int)
	// Each is called after every batch with the index so far, which it may write
	// but not keep. Its error ends the scan.
	Each func(index *Index) error
}

// Hit is the strongest activation of a map in one image.
type Hit struct {
	Image int     `json:"image"` // index in the source
	Y     int     `json:"y"`     // place in the map, the first of equals in row-major order
	X     int     `json:"x"`
	Value float32 `json:"value"`
}

// Index holds, for every map of the watched layers, its strongest images and its
// statistics.
type Index struct {
	Model   string  `json:"model"`  // hash of the network, see model.Network.Hash
	Kernel  string  `json:"kernel"` // arithmetic of the kernels, which decides the last bits
	Images  int     `json:"images"` // in the source
	TopK    int     `json:"top"`
	Fast    int     `json:"fast,omitempty"` // batch that convolutions were made for (model.Keep), 0: exact
	Done    []Range `json:"done"`           // images scanned, in order
	Skipped []Skip  `json:"skipped"`        // images of these that could not be read
	Layers  []Layer `json:"layers"`
	// Source says where the images come from, and Named names those in Layers and
	// Skipped. Both are the caller's: Collect leaves them alone, Merge wants them to
	// agree.
	Source Source  `json:"source"`
	Named  []Named `json:"named"`
}

// Source says which images an index is of.
type Source struct {
	Images []string `json:"images,omitempty"` // files and folders
	Data   string   `json:"data,omitempty"`   // or a data set
	Split  string   `json:"split,omitempty"`
	Limit  int      `json:"limit,omitempty"`
	Seed   uint64   `json:"seed,omitempty"`
	Names  string   `json:"names,omitempty"` // hash of the images' names
	Sizes  string   `json:"sizes,omitempty"` // hash of the sizes of their files; "" if they are in none, or were not looked at
}

// Named is the name and label of an image.
type Named struct {
	Image int    `json:"image"`
	Name  string `json:"name"`
	Label string `json:"label,omitempty"`
}

// Range is the images [From, To).
type Range struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Skip is an image that could not be read.
type Skip struct {
	Image int    `json:"image"`
	Error string `json:"error"`
}

// Layer is the part of an Index for one node.
type Layer struct {
	Name  string  `json:"name"`
	H     int     `json:"h"` // size of a map
	W     int     `json:"w"`
	Top   [][]Hit `json:"maps"`  // by map: strongest first; equal values in order of image
	Stats []Stats `json:"stats"` // by map
}

// Stats describes what a map did over all images. Divided by Images and H*W of the
// layer, Sum gives the mean.
type Stats struct {
	Images   int       `json:"images"`    // scanned
	Fired    int       `json:"fired"`     // images with a position above 0
	Positive int       `json:"positive"`  // positions above 0
	Sum      Sum       `json:"sum"`       // over all positions of all images, of each image's float32 sum
	Squares  Sum       `json:"squares"`   // the same for squares
	Maxima   Histogram `json:"histogram"` // of the images' maxima
}

// Dead reports whether the map never fired.
func (s *Stats) Dead() bool { return s.Fired == 0 }

// Mean and Std are over all positions of all images; area is H*W of the
// layer. Both are 0 without images.
func (s *Stats) Mean(area int) float64 {
	return s.Sum.Float64() / float64(max(s.Images*area, 1))
}

// Std is the standard deviation, see Mean.
func (s *Stats) Std(area int) float64 {
	m := s.Mean(area)
	return math.Sqrt(max(s.Squares.Float64()/float64(max(s.Images*area, 1))-float64(m*m), 0))
}

// Complete reports whether all images of the source were scanned.
func (x *Index) Complete() bool {
	return x.Images == 0 || len(x.Done) == 1 && x.Done[0] == Range{0, x.Images}
}

// Scanned is the number of images scanned, those that could not be read included.
func (x *Index) Scanned() int {
	n := 0
	for _, r := range x.Done {
		n += r.To - r.From
	}
	return n
}

// Layer returns the part for the named node, or nil.
func (x *Index) Layer(name string) *Layer {
	for i := range x.Layers {
		if x.Layers[i].Name == name {
			return &x.Layers[i]
		}
	}
	return nil
}

// Collect runs every image through the network once and keeps, for each map, the
// strongest activations, one for each image, and statistics. Reading the images
// and the network overlap. An image that makes an activation NaN or infinite ends
// the scan with an error. When ctx ends the scan, the index so far is returned with
// its error.
func Collect(ctx context.Context, engine *model.Engine, net *model.Network, images Images, o Options) (*Index, error) {
	if o.Layers == nil {
		o.Layers = net.FeatureLayers()
	}
	if o.Top <= 0 {
		o.Top = 9
	}
	if o.To <= 0 {
		o.To = images.Len()
	}
	if len(o.Layers) == 0 {
		return nil, fmt.Errorf("the network has no convolution layers")
	}
	if o.From < 0 || o.From > o.To || o.To > images.Len() {
		return nil, fmt.Errorf("images %d to %d of %d", o.From, o.To, images.Len())
	}
	plan := o.Plan
	if plan == nil {
		var err error
		if plan, err = Compile(engine, net, o); err != nil {
			return nil, err
		}
	} else if plan.Net() != net {
		return nil, fmt.Errorf("the plan is of another network")
	}
	if o.Batch <= 0 {
		workers := engine.Workers()
		o.Batch = plan.Batch(max(batchBytes, workers*workerBytes), max(32, 4*workers))
	}
	index := o.Resume
	if fresh, err := newIndex(net, images.Len(), o); err != nil {
		return nil, err
	} else if index == nil {
		index = fresh
	} else if err := index.same(fresh); err != nil {
		return nil, fmt.Errorf("cannot resume: %w", err)
	} else {
		index.retry(o.From, o.To)
	}
	s := &scan{engine: engine, plan: plan, index: index, images: images, o: o, left: index.missing(o.From, o.To), size: net.Input.Shape().Len()}
	if err := s.run(ctx); err != nil && ctx.Err() == nil {
		return nil, err
	}
	return index, ctx.Err()
}

// batchBytes is about what a batch takes by default: little enough that activations
// are summarised before they have left the caches for good.
const batchBytes = 64 << 20

// workerBytes is what of a batch there may be for each worker if there are many: with less than about four images
// for each they wait for each other at the end of every layer.
const workerBytes = 32 << 20

// fastBatch is what convolutions are made for if a scan is not exact. It is part of an index: another one would change
// last bits.
const fastBatch = 8

// Compile prepares a network for scans with the Layers and Exact of o.
func Compile(engine *model.Engine, net *model.Network, o Options) (*model.Plan, error) {
	if o.Layers == nil {
		o.Layers = net.FeatureLayers()
	}
	plan, err := engine.Compile(net, model.Keep{Layers: o.Layers, Fast: !o.Exact, Batch: fastBatch})
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return plan, nil
}

func newIndex(net *model.Network, images int, o Options) (*Index, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	if o.Hash == "" {
		o.Hash = net.Hash()
	}
	index := &Index{Model: o.Hash, Kernel: kernel.Arithmetic(), Images: images, TopK: o.Top, Done: []Range{}, Skipped: []Skip{}, Named: []Named{}}
	if !o.Exact {
		index.Fast = fastBatch
	}
	for _, name := range o.Layers {
		s := shapes[name]
		l := Layer{Name: name, H: s.H, W: s.W, Top: make([][]Hit, s.C), Stats: make([]Stats, s.C)}
		for i := range l.Top {
			l.Top[i] = []Hit{}
		}
		index.Layers = append(index.Layers, l)
	}
	return index, nil
}

// retry forgets which images of [from, to) could not be read: they may have been mended, or their disk.
func (x *Index) retry(from, to int) {
	x.Skipped = slices.DeleteFunc(x.Skipped, func(skip Skip) bool {
		if skip.Image < from || skip.Image >= to {
			return false
		}
		for i, r := range x.Done {
			if r.From <= skip.Image && skip.Image < r.To {
				parts := slices.DeleteFunc([]Range{{r.From, skip.Image}, {skip.Image + 1, r.To}}, func(r Range) bool { return r.From == r.To })
				x.Done = slices.Replace(x.Done, i, i+1, parts...)
				break
			}
		}
		return true
	})
}

// missing lists what of [from, to) is not done.
func (x *Index) missing(from, to int) []Range {
	var left []Range
	for _, r := range x.Done {
		if r.From >= to {
			break
		}
		if r.From > from {
			left = append(left, Range{from, r.From})
		}
		from = max(from, r.To)
	}
	if from < to {
		left = append(left, Range{from, to})
	}
	return left
}

// scan is one run of Collect.
type scan struct {
	engine *model.Engine
	plan   *model.Plan
	index  *Index
	images Images
	o      Options
	left   []Range
	size   int // floats in an image

	summaries []kernel.Summary
}

// slot is a batch of images on its way from the readers to the network.
type slot struct {
	images Range
	x      *tensor.Tensor
	errs   []error
	read   sync.WaitGroup
}

func (s *scan) run(ctx context.Context) error {
	in := s.plan.Net().Input
	total, done := 0, 0
	for _, r := range s.left {
		total += r.To - r.From
	}
	if total == 0 {
		return ctx.Err()
	}
	reading, stop := context.WithCancel(ctx)
	// Two batches are read ahead of the one in the network.
	free, full := make(chan *slot, 3), make(chan *slot, 3)
	batch := min(s.o.Batch, total)
	for range cap(free) {
		free <- &slot{x: tensor.New(batch, in.C, in.H, in.W), errs: make([]error, batch)}
	}
	readers := s.read(reading, free, full, batch)
	defer func() {
		stop()
		readers.Wait()
	}()
	trace := new(model.Trace)
	for b := range full {
		b.read.Wait()
		if err := ctx.Err(); err != nil {
			return err
		}
		numbers, err := s.sift(b)
		if err != nil {
			return err
		}
		if n := len(numbers); n > 0 {
			if err := s.plan.RunInto(trace, b.x.Slice(0, n)); err != nil {
				return err
			}
			for l := range s.index.Layers {
				if err := s.offer(&s.index.Layers[l], trace, numbers); err != nil {
					return err
				}
			}
		}
		s.index.add(b.images)
		done += b.images.To - b.images.From
		free <- b
		if s.o.Progress != nil {
			s.o.Progress(done, total)
		}
		if s.o.Each != nil {
			if err := s.o.Each(s.index); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// read starts the goroutines that fill slots, in order, and closes full at the end.
func (s *scan) read(ctx context.Context, free, full chan *slot, batch int) *sync.WaitGroup {
	type task struct {
		b *slot
		i int // in the batch
	}
	tasks := make(chan task)
	wg := new(sync.WaitGroup)
	wg.Go(func() {
		defer close(full)
		defer close(tasks)
		for _, r := range s.left {
			for at := r.From; at < r.To; at += batch {
				var b *slot
				select {
				case b = <-free:
				case <-ctx.Done():
					return
				}
				b.images = Range{at, min(at+batch, r.To)}
				n := b.images.To - at
				b.read.Add(n)
				full <- b
				for i := range n {
					select {
					case tasks <- task{b, i}:
					case <-ctx.Done():
						b.read.Add(i - n)
						return
					}
				}
			}
		}
	})
	for range max(s.o.Readers, 1) {
		wg.Go(func() {
			for t := range tasks {
				t.b.errs[t.i] = s.images.Input(t.b.images.From+t.i, t.b.x.Data[t.i*s.size:(t.i+1)*s.size])
				t.b.read.Done()
			}
		})
	}
	return wg
}

// sift moves the images of a batch that could be read to its front and returns
// their numbers.
func (s *scan) sift(b *slot) ([]int, error) {
	var numbers []int
	for i := range b.images.To - b.images.From {
		number := b.images.From + i
		if err := b.errs[i]; err != nil {
			if s.o.Unreadable != nil {
				err = s.o.Unreadable(number, err)
			}
			if err != nil {
				return nil, err
			}
			s.index.Skipped = append(s.index.Skipped, Skip{number, b.errs[i].Error()})
			continue
		}
		if k := len(numbers); k < i {
			copy(b.x.Data[k*s.size:(k+1)*s.size], b.x.Data[i*s.size:])
		}
		numbers = append(numbers, number)
	}
	slices.SortFunc(s.index.Skipped, func(a, b Skip) int { return cmp.Compare(a.Image, b.Image) })
	return numbers, nil
}

// offer adds a batch, whose images have the given numbers, to a layer.
func (s *scan) offer(l *Layer, t *model.Trace, numbers []int) error {
	shape := t.Shapes[l.Name]
	plane, maps := shape.H*shape.W, shape.C
	v := t.Value(l.Name).Data
	if n := len(numbers) * maps; cap(s.summaries) < n {
		s.summaries = make([]kernel.Summary, n)
	}
	sums := s.summaries[:len(numbers)*maps]
	k := kernel.Of(s.engine)
	k.Summarize(sums, v[:len(sums)*plane], plane)
	const chunk = 16
	errs := make([]error, (maps+chunk-1)/chunk)
	k.For(len(errs), func(task int) {
		for c := task * chunk; c < min((task+1)*chunk, maps); c++ {
			stats := &l.Stats[c]
			for i, number := range numbers {
				m := sums[i*maps+c]
				if !finite(m.Sum) || !finite(m.Squares) || !finite(m.Max) {
					errs[task] = fmt.Errorf("image %d: layer %s: map %d is %s", number, l.Name, c, wrong(v[(i*maps+c)*plane:][:plane]))
					return
				}
				stats.Images++
				stats.Positive += m.Positive
				if m.Max > 0 {
					stats.Fired++
				}
				stats.Sum.Add(m.Sum)
				stats.Squares.Add(m.Squares)
				stats.Maxima.Add(m.Max)
				if top := l.Top[c]; len(top) < s.o.Top || m.Max >= top[len(top)-1].Value {
					at := tensor.ArgMax(v[(i*maps+c)*plane:][:plane])
					l.Top[c] = insert(top, Hit{Image: number, Y: at / shape.W, X: at % shape.W, Value: m.Max}, s.o.Top)
				}
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func finite(v float32) bool { return v-v == 0 }

// wrong says in a word what keeps a map from being summed.
func wrong(plane []float32) string {
	for _, v := range plane {
		if v != v {
			return "NaN"
		}
	}
	return "infinite, or too large for the sum of its squares"
}

// add marks images as done.
func (x *Index) add(r Range) {
	x.Done = append(x.Done, r)
	slices.SortFunc(x.Done, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	all := x.Done[:1]
	for _, r := range x.Done[1:] {
		if last := &all[len(all)-1]; r.From == last.To {
			last.To = r.To
		} else {
			all = append(all, r)
		}
	}
	x.Done = all
}

// insert keeps the k strongest hits, strongest first, equals in order of image.
func insert(top []Hit, h Hit, k int) []Hit {
	i, _ := slices.BinarySearchFunc(top, h, func(a, b Hit) int {
		if a.Value != b.Value {
			return cmp.Compare(b.Value, a.Value)
		}
		return cmp.Compare(a.Image, b.Image)
	})
	if i >= k {
		return top
	}
	if len(top) < k {
		top = append(top, Hit{})
	}
	copy(top[i+1:], top[i:])
	top[i] = h
	return top
}
