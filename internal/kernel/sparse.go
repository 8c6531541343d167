package kernel

import (
	"math"
	bit "math/bits"

	"github.com/deconvnet/viz/internal/par"
)

// sparseFilters are the weights of a convolution for taking single values of
// its output down: for each output channel the rows of the kernel, and in a row
// the input channels of tap after tap, padded to whole vectors.
type sparseFilters struct {
	w    []float32
	vecs int // in a row
}

// PackDataWhole packs w like PackDataFast, or if sparse like PackDataSparse, but only the form of the weights that is best
// for single signals that go down to h x w values. It is not to be used for others; the bits do not depend on how many
// signals go together.
func PackDataWhole(g Conv, w []float32, height, width int, sparse bool) *Filters {
	f := newData(g)
	f.addWinograd()
	f.For(1)
	f.Keep(1, height, width)
	f.addSparse(sparse)
	f.Repack(w)
	return f
}

// PackDataSparse packs w for ConvDataSparse, and for ConvData like PackData or, if
// fast, like PackDataFast.
func PackDataSparse(g Conv, w []float32, fast bool) *Filters {
	f := newData(g)
	if fast {
		f.addWinograd()
	}
	f.addSparse(true)
	f.Repack(w)
	return f
}

func (f *Filters) addSparse(sparse bool) {
	if sparse && f.lv != refLevel && f.g.Groups == 1 && f.g.DilX == 1 {
		f.sparse = &sparseFilters{vecs: (f.g.KW*f.g.In + f.lv.lanes - 1) / f.lv.lanes}
	}
}

func (s *sparseFilters) repack(pool *par.Pool, f *Filters, w []float32) {
	g := f.g
	pitch := s.vecs * f.lv.lanes
	if s.w == nil {
		s.w = make([]float32, g.Out*g.KH*pitch)
	}
	pool.For(g.Out, func(k, worker int) {
		for c := range g.In {
			for ky := range g.KH {
				from := w[((k*g.In+c)*g.KH+ky)*g.KW:][:g.KW]
				to := s.w[(k*g.KH+ky)*pitch+c:]
				for kx, v := range from {
					to[kx*g.In] = v
				}
			}
		}
	})
}

// pays reports whether count values of one image's signal over box in are taken
// to box out faster one by one than by a product over everything. The numbers
// are rough measurements of cycles.
func (f *Filters) pays(count int, out, in Box) bool {
	g, s := f.g, f.sparse
	wide := g.InputBox(in).Area() * g.In
	one := float64(count)*(10+float64(g.KH)*(4+1.6*float64(s.vecs))) + float64(wide)/4 + float64(len(s.w))/8
	rate := 26.0 // products in a cycle
	if g.In <= 3 {
		rate = 8
	}
	if t := f.winograd(1, out.H(), out.W()); t != nil {
		if rate = 50; g.KH == 5 {
			rate = 35
		}
	}
	all := float64(out.Area()) * float64(g.weights()) / float64(g.StrideY*g.StrideX) / rate
	return one < all
}

// ConvDataSparse is ConvData for signals most of which is 0, as after MaxUnpool:
// images where that is faster are computed by adding the weights of each value
// that is not 0 to the place it leads to. f is packed by PackDataSparse. The
// result is the same, bit for bit but for the sign of zeros: a sum's terms come
// in the same order, and leaving out zeros does not change it.
func (e *Engine) ConvDataSparse(f *Filters, n int, dx []float32, out Box, dy []float32, in Box) {
	g := f.g
	if f.sparse == nil || n == 0 || out.Empty() || in.Empty() {
		e.ConvData(f, n, dx, out, dy, in)
		return
	}
	if !f.data || n < 0 || len(dx) < n*g.In*out.Area() || len(dy) < n*g.Out*in.Area() {
		panic("kernel: ConvDataSparse: wrong filters or lengths")
	}
	e.pool.For(n, func(i, worker int) {
		x := dx[i*g.In*out.Area():][:g.In*out.Area()]
		y := dy[i*g.Out*in.Area():][:g.Out*in.Area()]
		j := e.sparses.get()
		if j == nil {
			j = new(sparseJob)
		}
		if count := j.find(f, y); f.pays(count, out, in) {
			e.runSparse(f, j, x, out, in)
		} else {
			e.ConvData(f, 1, x, out, y, in)
		}
		e.sparses.put(j)
	})
}

// sparseJob is the memory of ConvDataSparse for one image.
type sparseJob struct {
	y    []float32
	bits []uint64 // which values are not 0, each plane from a word of its own on
	list []uint64
	tile []float32
}

// find fills in bits and returns the number of values that are not 0.
func (j *sparseJob) find(f *Filters, y []float32) int {
	j.y = y
	area := len(y) / f.g.Out
	j.bits = grow(j.bits, f.g.Out*((area+63)/64))
	return findNonzero(f.lv, j.bits, y, f.g.Out)
}

// findNonzero sets the bits of those values of a number of planes that are not 0,
// each plane from a word of its own on, and returns how many there are.
func findNonzero(lv *level, bits []uint64, y []float32, planes int) int {
	area := len(y) / planes
	words := (area + 63) / 64
	whole := area / 64 * 64
	count := 0
	for k := range planes {
		b, plane := bits[k*words:][:words], y[k*area:][:area]
		if whole > 0 {
			lv.nonzero(&b[0], &plane[0], whole)
		}
		if whole < area {
			b[words-1] = 0
			for i, v := range plane[whole:] {
				one := uint64(0)
				if v != 0 {
					one = 1
				}
				b[words-1] |= one << i
			}
		}
		for _, w := range b {
			count += bit.OnesCount64(w)
		}
	}
	return count
}

// sparseFloats is about the number of sums that are worked on together: with the
// weights of a channel they stay in L2.
var sparseFloats = 192 << 10

// runSparse computes one image, in bands of rows. The sums of a band are made
// channel by channel for every input that box in reaches, input channels side by
// side, and then transposed.
func (e *Engine) runSparse(f *Filters, j *sparseJob, x []float32, out, in Box) {
	g, s := f.g, f.sparse
	wide := g.InputBox(in)
	common := out.Intersect(wide)
	if common != out {
		clear(x)
	}
	if common.Empty() {
		return
	}
	y0, y1 := common.Y0, common.Y1
	pitch := wide.W() * g.In
	rows := max(sparseFloats/pitch, (g.KH-1)*g.DilY+1)
	bands := (y1 - y0 + rows - 1) / rows
	acc := e.floats((y1-y0+bands-1)/bands*pitch + s.vecs*f.lv.lanes)
	for i := range bands {
		band := wide
		band.Y0, band.Y1 = y0+rowStart(y1-y0, bands, i), y0+rowStart(y1-y0, bands, i+1)
		clear(acc[:band.Area()*g.In+s.vecs*f.lv.lanes])
		for k := range g.Out {
			j.scatter(f, k, acc, band, wide.Y0, in)
		}
		j.transpose(f, x, out, acc, band)
	}
	e.put(acc)
}

// scatter adds what output channel k contributes to a band of rows. Row y of the
// signal begins at row top+y*stride of the input.
func (j *sparseJob) scatter(f *Filters, k int, acc []float32, band Box, top int, in Box) {
	g, s, lv := f.g, f.sparse, f.lv
	w, h, area := in.W(), in.H(), in.Area()
	words := (area + 63) / 64
	rowPitch, colStep := 4*band.W()*g.In, 4*g.StrideX*g.In
	row := s.vecs * lv.lanes
	// The rows of the signal with a tap in the band. From the last to the first,
	// so that an input gets its terms in the order of taps.
	first := max(ceilDiv(band.Y0-top-(g.KH-1)*g.DilY, g.StrideY), 0)
	last := min(floorDiv(band.Y1-1-top, g.StrideY), h-1)
	if first > last {
		return
	}
	plane := j.y[k*area:][:area]
	list, t0, t1 := j.list[:0], 0, 0 // the taps of the entries on the list
	flush := func() {
		if len(list) > 0 && t0 < t1 {
			lv.scatter(&acc[0], &s.w[(k*g.KH+t0)*row], &list[0], len(list), t1-t0, s.vecs, rowPitch*g.DilY)
		}
		list = list[:0]
	}
	y := last + 1
	at, start := 0, y*w // where row y leads, and its first index
	bitsOf := j.bits[k*words:][:words]
	for i := (start - 1) / 64; i >= first*w/64; i-- {
		b := bitsOf[i]
		if 64*i+63 >= (last+1)*w {
			b &= 1<<(uint((last+1)*w)-uint(64*i)) - 1
		}
		for b != 0 {
			p := bit.Len64(b) - 1
			b &^= 1 << p
			p += 64 * i
			if p < first*w {
				break
			}
			if p < start {
				y = p / w
				start = y * w
				from := top + y*g.StrideY
				a, z := spanIn(g.DilY, from, band.Y0, band.Y1, 0, g.KH)
				if a != t0 || z != t1 {
					flush()
					t0, t1 = a, z
				}
				at = (from + t0*g.DilY - band.Y0) * rowPitch
			}
			list = append(list, uint64(math.Float32bits(plane[p]))<<32|uint64(at+(p-start)*colStep))
		}
	}
	flush()
	j.list = list
}

// transpose copies what box out and a band have in common from acc,
// [row][column][channel] over the band, to x, [channel][row][column] over out.
func (j *sparseJob) transpose(f *Filters, x []float32, out Box, acc []float32, band Box) {
	lv, chans := f.lv, f.g.In
	common := out.Intersect(band)
	n, area := lv.lanes, out.Area()
	j.tile = grow(j.tile, n*n)
	for y := common.Y0; y < common.Y1; y++ {
		from := acc[((y-band.Y0)*band.W()+common.X0-band.X0)*chans:]
		to := x[(y-out.Y0)*out.W()+common.X0-out.X0:]
		if chans < n/2 {
			for c := range chans {
				for i := range common.W() {
					to[c*area+i] = from[i*chans+c]
				}
			}
			continue
		}
		for i := 0; i < common.W(); i += n {
			cols := min(n, common.W()-i)
			for c := 0; c < chans; c += n {
				rows := min(n, chans-c)
				if cols == n {
					lv.transpose(&to[c*area+i], &from[i*chans+c], 4*area, 4*chans, n, rows)
					continue
				}
				// A short vector would be written whole.
				lv.transpose(&j.tile[0], &from[i*chans+c], 4*n, 4*chans, cols, rows)
				for r := range rows {
					copy(to[(c+r)*area+i:][:cols], j.tile[r*n:])
				}
			}
		}
	}
}

// Unpool is MaxUnpool for one plane, with the switches of the whole output plane of
// width ow: src covers box in of that plane, dst covers box out of the h x w input
// plane.
func Unpool(dst []float32, out Box, src []float32, switches []int32, in Box, ow, w int) {
	clear(dst)
	iw := in.W()
	whole := out.X0 == 0 && out.X1 == w
	// s/w by multiplication: exact for s < 1<<40/w.
	magic, exact := uint64(1<<40)/uint64(w)+1, w < 1<<9
	for y := in.Y0; y < in.Y1; y++ {
		row := src[(y-in.Y0)*iw:][:iw]
		sw := switches[y*ow+in.X0:][:iw]
		switch {
		case whole:
			base := uint(out.Y0 * w)
			for i, v := range row {
				if at := uint(sw[i]) - base; at < uint(len(dst)) {
					dst[at] += v
				}
			}
		case exact:
			base := out.Y0*out.W() + out.X0
			skip := w - out.W()
			for i, v := range row {
				s := int(sw[i])
				if s < 0 {
					continue
				}
				q := int(uint64(s) * magic >> 40)
				if x := s - q*w; x < out.X0 || x >= out.X1 {
					continue
				}
				if at := uint(s - q*skip - base); at < uint(len(dst)) {
					dst[at] += v
				}
			}
		default:
			for i, v := range row {
				if s := int(sw[i]); s >= 0 {
					if y, x := s/w, s%w; out.Y0 <= y && y < out.Y1 && out.X0 <= x && x < out.X1 {
						dst[(y-out.Y0)*out.W()+x-out.X0] += v
					}
				}
			}
		}
	}
}
