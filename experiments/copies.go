package experiments

import (
	"context"
	"fmt"
	"math"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// Copy says that an image shows what another one does.
type Copy struct {
	Image       int // index into the images looked at
	Of          int // into those that were seen before; the first that it is a copy of
	Correlation float64
}

// copySide is the most rows and columns of the thumbnails that pairs are sifted by.
const copySide = 16

// Copies finds those of images that are copies of one of seen: whose normalised
// correlation, that of their values around their means, is at least threshold, as
// [zeiler14] 5.2 finds the images of a new data set that the network was trained
// on. A copy may be brighter or have more contrast. Images of one colour are copies
// of none.
//
// Inputs are grey, [h][w], in any units; they are asked for by several goroutines,
// those of images now and then again. Memory is a kilobyte for each image, and 256
// of seen at full size. Time grows with the product of both numbers: 20
// million pairs take a third of a second on two cores.
//
// All pairs are sifted by thumbnails, none that belongs to the result is lost: let a
// and b have mean 0 and length 1, and P be the projection onto images that are
// constant on each of 16 x 16 cells. Then <a,b> = <Pa,Pb> + <a-Pa,b-Pb>, of which the
// second is at most |a-Pa||b-Pb| = sqrt((1-|Pa|²)(1-|Pb|²)).
func Copies(ctx context.Context, engine *model.Engine, h, w int, images, seen Images, threshold float64, progress func(done, total int)) ([]Copy, error) {
	if !(threshold > 0 && threshold <= 1) {
		return nil, fmt.Errorf("copies from a correlation of %g on, want more than 0 and at most 1", threshold)
	}
	s := &copySearch{ctx: ctx, k: kernel.Of(engine), h: h, w: w, rows: min(h, copySide), cols: min(w, copySide), images: images, seen: seen, threshold: threshold,
		full: make([]float32, copyChunk*h*w), found: make([]*Copy, images.Len()), errs: make([]error, images.Len())}
	s.thumbs, s.lengths = make([]float32, images.Len()*s.dim()), make([]float64, images.Len())
	s.others, s.far = make([]float32, copyChunk*s.dim()), make([]float64, copyChunk)
	s.products = make([]float32, copyChunk*copyChunk)
	total := images.Len() + seen.Len()
	for from := 0; from < images.Len(); from += copyChunk {
		n := min(copyChunk, images.Len()-from)
		if err := s.read(images, from, n, s.thumbs[from*s.dim():], s.lengths[from:]); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(from+n, total)
		}
	}
	for from := 0; from < seen.Len(); from += copyChunk {
		n := min(copyChunk, seen.Len()-from)
		if err := s.read(seen, from, n, s.others, s.far); err != nil {
			return nil, err
		}
		for at := 0; at < images.Len(); at += copyChunk {
			s.compare(at, min(copyChunk, images.Len()-at), from, n)
		}
		if progress != nil {
			progress(images.Len()+from+n, total)
		}
	}
	var out []Copy
	for i, c := range s.found {
		if s.errs[i] != nil {
			return nil, s.errs[i]
		}
		if c != nil {
			out = append(out, *c)
		}
	}
	return out, nil
}

const (
	copyChunk = 256  // images that are compared at once
	copySlack = 1e-5 // for rounding, in a correlation
)

// copySearch is a search for copies: images and thumbnails are centred and of length
// 1, and the squared lengths of thumbnails say how much of it is in them.
type copySearch struct {
	ctx              context.Context
	k                *kernel.Engine
	h, w, rows, cols int
	images, seen     Images
	threshold        float64
	thumbs           []float32 // of images
	lengths          []float64
	full             []float32 // a chunk of seen
	others           []float32 // its thumbnails
	far              []float64 // and their squared lengths
	products         []float32
	found            []*Copy
	errs             []error
}

// dim is the number of values of a thumbnail.
func (s *copySearch) dim() int { return s.rows * s.cols }

// read makes n images from one on, centred and of length 1, and their thumbnails
// with the squared lengths of these.
func (s *copySearch) read(src Images, from, n int, thumbs []float32, lengths []float64) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	size, dim := s.h*s.w, s.dim()
	errs := make([]error, n)
	s.k.For(n, func(i int) {
		x := s.full[i*size : (i+1)*size]
		if errs[i] = src.Input(from+i, x); errs[i] == nil {
			normalise(x)
			lengths[i] = shrink(x, s.h, s.w, s.rows, s.cols, thumbs[i*dim:(i+1)*dim])
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// compare looks for the m images from one on among the n of seen that were read.
func (s *copySearch) compare(at, m, from, n int) {
	size, dim := s.h*s.w, s.dim()
	s.k.DenseForward(m, dim, n, s.products, s.thumbs[at*dim:(at+m)*dim], s.others[:n*dim], nil)
	s.k.For(m, func(k int) {
		i := at + k
		var x []float32
		for j, p := range s.products[k*n : (k+1)*n] {
			if s.found[i] != nil || s.errs[i] != nil {
				return
			}
			if float64(p) < s.threshold-math.Sqrt(max((1-s.lengths[i])*(1-s.far[j]), 0))-copySlack {
				continue
			}
			if x == nil {
				x = make([]float32, size)
				s.errs[i] = s.images.Input(i, x)
				normalise(x)
			}
			if c := dot(x, s.full[j*size:(j+1)*size]); s.errs[i] == nil && c >= s.threshold-copySlack {
				s.found[i] = &Copy{Image: i, Of: from + j, Correlation: min(c, 1)}
			}
		}
	})
}

// normalise gives x mean 0 and length 1; all 0 if it is constant.
func normalise(x []float32) {
	mean, squares := 0.0, 0.0
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		squares += float64((float64(v) - mean) * (float64(v) - mean))
	}
	scale := 0.0
	if squares > 1e-9*mean*mean*float64(len(x)) {
		scale = 1 / math.Sqrt(squares)
	}
	for i, v := range x {
		x[i] = float32((float64(v) - mean) * scale)
	}
}

// shrink writes the coordinates of x, [h][w], among the images that are constant on
// each of rows x cols cells, and returns their squared length; 1 if x is 0, which
// is like nothing.
func shrink(x []float32, h, w, rows, cols int, thumb []float32) float64 {
	squares := 0.0
	for r := range rows {
		for c := range cols {
			y0, y1, x0, x1 := r*h/rows, (r+1)*h/rows, c*w/cols, (c+1)*w/cols
			sum := 0.0
			for y := y0; y < y1; y++ {
				for _, v := range x[y*w+x0 : y*w+x1] {
					sum += float64(v)
				}
			}
			sum /= math.Sqrt(float64((y1 - y0) * (x1 - x0)))
			thumb[r*cols+c] = float32(sum)
			squares += float64(sum * sum)
		}
	}
	if squares == 0 && dot(x, x) == 0 {
		return 1
	}
	return squares
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(float64(v) * float64(b[i]))
	}
	return sum
}
