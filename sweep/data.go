package sweep

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// Sets are the images to train on and those to test on; the latter may be none.
type Sets [2]*images.List

// Split says which images of a data set are used.
type Split struct {
	HoldOut float64 // share of the images to test on if the data has no test split
	Limit   int     // of each set, a fixed random choice; 0: all
}

// Validate reports the first thing wrong.
func (s Split) Validate() error {
	if !(s.HoldOut >= 0 && s.HoldOut < 1) {
		return &view.FieldError{Field: "hold-out", Problem: fmt.Sprintf("is %g, want 0 to 1", s.HoldOut), Hint: "0.1 tests on a tenth of the images"}
	}
	return nil
}

// Of splits a data set. Choices are by a fixed seed, so that a training can go on with the same. note is for people, "" if there is nothing to say.
func (s Split) Of(data *images.Data) (sets Sets, note string, err error) {
	sets = Sets{data.Train, data.Test}
	if data.Train.Len() == 0 {
		return sets, "", fmt.Errorf("data set %s has no training images", data.Title)
	}
	choose := func(n int) []int { return rand.New(rand.NewPCG(1, 3)).Perm(n) }
	if err := s.Validate(); err != nil {
		return sets, "", err
	}
	if hold := int(s.HoldOut * float64(data.Train.Len())); data.Test.Len() == 0 && hold > 0 {
		order := choose(data.Train.Len())
		held, kept := order[:hold], order[hold:]
		slices.Sort(held)
		slices.Sort(kept)
		sets = Sets{data.Train.Subset(kept), data.Train.Subset(held)}
		note = fmt.Sprintf("%s has no test images: testing on %d of the %d training images, which are left out of training", data.Title, hold, data.Train.Len())
	}
	for i, set := range sets {
		if s.Limit > 0 && s.Limit < set.Len() {
			some := choose(set.Len())[:s.Limit]
			slices.Sort(some)
			sets[i] = set.Subset(some)
		}
	}
	return sets, note, nil
}

// Fresh builds an untrained network for the images of a set. o.Input need only have what is not the images': 0 is
// their size. Pixels become its input divided by 255, see Pixels.Put.
func Fresh(set *images.List, classes []string, arch string, o model.ArchOptions) (*model.Network, error) {
	c, h, w := set.Shape()
	if c == 0 {
		c = 3
	}
	if o.Input.H > 0 {
		h, w = o.Input.H, o.Input.W
	}
	if h == 0 {
		return nil, &SettingError{fmt.Errorf("the images are of various sizes"), "say with --input-size 64 how large the network's input shall be, or give images of one size"}
	}
	o.Input, o.Classes = model.Input{C: c, H: h, W: w}, classes
	net, err := model.Build(arch, o)
	if err != nil {
		return nil, &SettingError{Err: err}
	}
	net.Preprocess.Scale = 1.0 / 255
	return net, nil
}

// Decode decodes all images once, to bytes in the input size of a network; of the training images only those in
// used, unless it is nil: the others stay black.
func (sets Sets) Decode(ctx context.Context, engine *model.Engine, net *model.Network, used []bool, o Options) (out [2]*train.Memory, err error) {
	return sets.decode(ctx, engine, net.Preprocess, net.Input, used, o)
}

func (sets Sets) decode(ctx context.Context, engine *model.Engine, pre model.Preprocess, in model.Input, used []bool, o Options) (out [2]*train.Memory, err error) {
	size := in.Shape().Len()
	total := sets[0].Len() + sets[1].Len()
	if int64(total) > 8<<30/int64(size) || int64(total)*int64(size) > math.MaxInt {
		return out, &TooLarge{fmt.Sprintf("%d images of %v take %d MB in memory", total, in.Shape(), total*size>>20), "choose a smaller --input-size or a --limit"}
	}
	step, end := o.progress("decoding")
	defer end()
	before := 0
	for s, set := range sets {
		m := &train.Memory{Size: size, Bytes: make([]uint8, set.Len()*size), Labels: set.Labels()}
		out[s] = m
		const chunk = 256
		for from := 0; from < set.Len(); from += chunk {
			if err := ctx.Err(); err != nil {
				return out, err
			}
			n := min(chunk, set.Len()-from)
			var failed atomic.Pointer[error]
			engine.For(n, func(j int) {
				i := from + j
				if s == 0 && used != nil && !used[i] {
					return
				}
				item, err := set.Open(i)
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				model.Planar(pre.Fit(item.Image, in.H, in.W), in.C, pre.BGR, m.Bytes[i*size:(i+1)*size])
			})
			if err := failed.Load(); err != nil {
				return out, *err
			}
			if step != nil {
				step(before+from+n, total)
			}
		}
		before += set.Len()
	}
	return out, nil
}

// Pixels are mean and standard deviation of the pixels of some images, by channel, 0 to 255.
type Pixels struct{ Mean, Std []float64 }

// MeasurePixels measures the first n images for networks of the given input.
func MeasurePixels(m *train.Memory, in model.Input, n int) Pixels {
	var out Pixels
	plane := in.H * in.W
	bytes := m.Bytes[:n*m.Size]
	for ch := range in.C {
		var sum, squares, n int
		for i := ch * plane; i < len(bytes); i += m.Size {
			for _, v := range bytes[i : i+plane] {
				sum += int(v)
				squares += int(v) * int(v)
			}
			n += plane
		}
		mean := float64(sum) / float64(n)
		std := math.Sqrt(max(float64(squares)/float64(n)-float64(mean*mean), 0))
		if std < 1 {
			std = 1 // a channel that never changes
		}
		out.Mean, out.Std = append(out.Mean, mean), append(out.Std, std)
	}
	return out
}

// Put lets a network know the mean of the pixels, and, to standardize, subtract it and divide by the deviation.
func (p Pixels) Put(net *model.Network, standardize bool) {
	for ch, mean := range p.Mean {
		net.Preprocess.DataMean = append(net.Preprocess.DataMean, float32(mean))
		if standardize {
			net.Preprocess.Mean, net.Preprocess.Std = append(net.Preprocess.Mean, float32(mean/255)), append(net.Preprocess.Std, float32(p.Std[ch]/255))
		}
	}
}

// memoryImages are decoded images as experiments take them.
type memoryImages struct {
	net *model.Network
	m   *train.Memory
}

func (s memoryImages) Len() int { return s.m.Len() }
func (s memoryImages) Input(i int, dst []float32) error {
	s.net.Preprocess.Apply(s.m.Bytes[i*s.m.Size:(i+1)*s.m.Size], s.net.Input, dst)
	return nil
}
