package train

import (
	"fmt"
	"math/rand/v2"

	"github.com/deconvnet/viz/model"
)

// Images is where images come from. Pixels writes image i as planar bytes
// [C][H][W] in the network's input size and channel order; Label is its class.
// Calls are not concurrent.
type Images interface {
	Len() int
	Label(i int) int
	Pixels(i int, dst []uint8) error
}

// Memory is Images held in memory.
type Memory struct {
	Size   int     // bytes of one image, C*H*W
	Bytes  []uint8 // [N][C][H][W]
	Labels []int   // [N]
}

func (m *Memory) Len() int        { return len(m.Labels) }
func (m *Memory) Label(i int) int { return m.Labels[i] }

func (m *Memory) Pixels(i int, dst []uint8) error {
	copy(dst, m.Bytes[i*m.Size:(i+1)*m.Size])
	return nil
}

// balance returns the weight of each class in the loss, N/(K*n): N images, n of
// them of the class, K classes that have any. Over the images the mean weight is
// 1, and every class counts alike.
func balance(images Images, classes int) []float64 {
	count := make([]float64, classes)
	for i := range images.Len() {
		count[images.Label(i)]++
	}
	present := 0.0
	for _, n := range count {
		if n > 0 {
			present++
		}
	}
	for c, n := range count {
		if n > 0 {
			count[c] = float64(images.Len()) / (present * n)
		}
	}
	return count
}

// Used tells which of n training images a training from step first to its last
// one looks at, measuring of accuracy included. Options are resolved.
func Used(o Options, n, first int) []bool {
	used := make([]bool, n)
	all := order{seed: o.Seed, n: n}
	for at := first * o.Batch; at < o.Steps*o.Batch; at++ {
		used[all.image(at)] = true
	}
	if o.EvalTrain > 0 {
		chosen := choice(n, o.EvalTrain)
		for i := range min(o.EvalTrain, n) {
			used[chosen(i)] = true
		}
	}
	return used
}

// choice is the fixed random choice of m of n images on which accuracy is measured.
func choice(n, m int) func(i int) int {
	if m >= n {
		return func(i int) int { return i }
	}
	perm := rand.New(rand.NewPCG(1, 2)).Perm(n)
	return func(i int) int { return perm[i] }
}

// units is Preprocess.Apply as a table: network units by channel and byte.
func units(net *model.Network) [][256]float32 {
	t := make([][256]float32, net.Input.C)
	for c := range t {
		for v := range t[c] {
			t[c][v] = net.Preprocess.Units(c, float32(v))
		}
	}
	return t
}

// loader assembles the batches of training.
type loader struct {
	images Images
	in     model.Input
	o      *Options
	order  order
	units  [][256]float32
	pixels []uint8
}

func newLoader(net *model.Network, images Images, o *Options) *loader {
	return &loader{images: images, in: net.Input, o: o, order: order{seed: o.Seed, n: images.Len()},
		units: units(net), pixels: make([]uint8, net.Input.C*net.Input.H*net.Input.W)}
}

// fill writes the batch of a step: x is [batch][C][H][W], labels is [batch].
func (l *loader) fill(step int, x []float32, labels []int32) error {
	in := l.in
	k := key(l.o.Seed, streamAugment, step)
	for b := range labels {
		i := l.order.image(step*len(labels) + b)
		if err := l.images.Pixels(i, l.pixels); err != nil {
			return fmt.Errorf("image %d: %w", i, err)
		}
		labels[b] = int32(l.images.Label(i))
		var a augment
		r := at(k, b)
		if l.o.Flip {
			a.flip = r&1 != 0
		}
		if l.o.Crop > 0 {
			span := uint64(2*l.o.Crop + 1)
			a.dy = int((r>>1&0xffffff)*span>>24) - l.o.Crop
			a.dx = int((r>>25&0xffffff)*span>>24) - l.o.Crop
		}
		a.apply(x[b*len(l.pixels):(b+1)*len(l.pixels)], l.pixels, in, l.units)
	}
	return nil
}

// augment is a shift by dy rows down and dx columns to the right of the image,
// mirrored first if flip is set.
type augment struct {
	flip   bool
	dy, dx int
}

// apply writes an image in network units: dst and src are [C][H][W]; pixels
// from outside become 0.
func (a augment) apply(dst []float32, src []uint8, in model.Input, units [][256]float32) {
	h, w := in.H, in.W
	// Columns x0..x1 of the result come from inside the image.
	x0, x1 := min(max(a.dx, 0), w), max(min(w+a.dx, w), 0)
	for c := range in.C {
		table := &units[c]
		for y := range h {
			row := dst[(c*h+y)*w : (c*h+y+1)*w]
			sy := y - a.dy
			if sy < 0 || sy >= h || x0 >= x1 {
				clear(row)
				continue
			}
			from := src[(c*h+sy)*w : (c*h+sy+1)*w]
			clear(row[:x0])
			clear(row[x1:])
			if a.flip {
				for x := x0; x < x1; x++ {
					row[x] = table[from[w-1-(x-a.dx)]]
				}
			} else {
				part := from[x0-a.dx : x1-a.dx]
				for x, v := range part {
					row[x0+x] = table[v]
				}
			}
		}
	}
}
