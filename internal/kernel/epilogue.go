package kernel

import "math"

// Epilogue is what is done to the sums of a convolution before they are stored:
// the bias of the output channel is added (nil: none), then one function is taken
// of them, if any; and where they are stored.
type Epilogue struct {
	Bias   []float32
	ReLU   bool      // max(., 0)
	Clip   *Clip     // or nil
	Func   *Function // or nil
	Stride int       // floats from an image's outputs to the next one's; 0: they follow each other
}

// Clip is min(max(., min), max); NaN stays NaN.
type Clip struct{ k [3]float32 }

// NewClip returns the clip to [lo, hi].
func NewClip(lo, hi float32) *Clip {
	// What is added makes -0 of a maximum with 0 into 0, and changes nothing else.
	zero := float32(math.Copysign(0, -1))
	if math.Float32bits(lo) == 0 {
		zero = 0
	}
	return &Clip{[3]float32{lo, zero, hi}}
}

// Low is the least value.
func (c *Clip) Low() float32 { return c.k[0] }

// rows clips rows of n values, ld apart; dst may be src.
func (c *Clip) rows(lv *level, dst, src []float32, rows, n, ld int) {
	if rows == 0 || n == 0 {
		return
	}
	_, _ = dst[(rows-1)*ld+n-1], src[(rows-1)*ld+n-1]
	if lv.clipRows != nil {
		lv.clipRows(&dst[0], &src[0], &c.k[0], rows, n, 4*ld)
		return
	}
	for r := range rows {
		d := dst[r*ld:][:n]
		for i, v := range src[r*ld:][:n] {
			d[i] = min(max(v, c.k[0]), c.k[2])
		}
	}
}

// Clip computes dst = c(src); dst may be src.
func (e *Engine) Clip(c *Clip, dst, src []float32) {
	if len(dst) != len(src) {
		panic("kernel: Clip: lengths differ")
	}
	j := e.newLoop()
	j.s[0], j.s[1], j.clip = dst, src, c
	e.runLoop(j, len(src), e.chunk(len(src)), func(j *loopJob, lo, hi int) {
		j.clip.rows(j.lv, j.s[0][lo:hi], j.s[1][lo:hi], 1, hi-lo, 0)
	})
}

// rest reports whether something is left to do to sums that tiles have stored,
// which finish does.
func (ep *Epilogue) rest() bool { return ep.Clip != nil || ep.Func != nil }

// finish takes what tiles do not do themselves of rows of n sums, ld apart.
func (ep *Epilogue) finish(lv *level, d []float32, rows, n, ld int) {
	if ep.Clip != nil {
		ep.Clip.rows(lv, d, d, rows, n, ld)
	}
	if ep.Func == nil {
		return
	}
	if n == ld { // rows follow each other
		rows, n = 1, rows*n
	}
	for r := range rows {
		lv.apply(*ep.Func, d[r*ld:][:n], d[r*ld:][:n])
	}
}
