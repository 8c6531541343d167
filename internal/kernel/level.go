package kernel

// level is one implementation of the inner kernels. The drivers around it are
// the same for all: they cut the work into tiles and put the operands in place.
//
// Tiles of a matrix product have up to rows rows and a panel of two vectors of
// lanes columns; b, the operand along the columns, is packed in panels: row k of
// a panel holds 2*lanes values. a, the operand along the rows, is packed in
// blocks of mr rows: k holds mr values.
//
//	tile[nv][mr]   c[i][j] = start + sum over k < kn of a[k][i]*b[k][j],
//	               for mr rows and nv vectors of columns. Rows of c are ldc
//	               bytes apart, mask has a bit for each column of c that exists.
//	               start is c with tileLoad, else bias[i], else 0. tileReLU
//	               stores max(., 0). flags>>tileAhead is how many bytes from a
//	               the operand begins that will be next: it is fetched meanwhile.
//	direct[mr][nv] the same product with b in place, row k at base+koff[k], for the
//	               first n columns, n > (nv-1)*lanes unless nv is 4, and a start
//	               from the bias; c is overwritten.
//	columns[nv][mr] the same product turned round, for small maps: the mr rows are
//	               positions, row k of a being a part of a packed panel, and the
//	               columns outputs, b being weights in panels. Rows of c are a panel
//	               apart and whole; mask has a bit for each bias that exists. A part
//	               of the floats ahead bytes behind b is fetched meanwhile.
//	pack           kn rows of one vector of a panel, gathered from memory: row k,
//	               lane l is the value at base+koff[k]+off of the segment
//	               (off, mask) whose mask has bit l. koff and off are in bytes.
//	packRun        the same for n columns that follow each other in memory, in
//	               panels ldp bytes apart.
//	wtile[nv][mr]  c[i][j] (+)= sum over p of x[koff[i]+p]*b[p][j], where p runs
//	               over the bytes off, off+4, ... < end of each segment (off, end).
//	transpose      dst[j][i] = src[i][j] for up to lanes x lanes values. Where
//	               there are fewer rows, whole vectors of dst may be written.
//	dot            y[i][j] += sum over k < kn of x[i][k]*w[j][k].
//
// Each sum is one chain in ascending order of k, with the multiplication fused
// in assembly, so it does not matter how a product is cut into tiles and blocks.
// Only dot sums in lanes.
type level struct {
	name  string
	lanes int
	rows  int
	wrows int

	tile      [3][]func(kn int, a, b, c, bias *float32, ldc, flags int, mask uint64)
	columns   [3][]func(kn int, a, b, c, bias *float32, flags, ahead int, mask uint64)              // or nil
	direct    [][5]func(kn int, a, base *float32, koff *int64, c, bias *float32, ldc, flags, n int) // or nil
	pack      func(dst, base *float32, koff *int64, kn int, segs *int64, nseg int)
	packRun   func(dst, base *float32, koff *int64, kn, n, ldp int) // or nil
	wtile     [3][]func(x *float32, koff, segs *int64, nseg int, b, c *float32, ldc, load int)
	transpose func(dst, src *float32, ldd, lds, rows, cols int)
	planeConv [3][8][8]planeConv                                                                       // by stride, rows and columns of the kernel; or nil
	channels  [3][]channelConv                                                                         // by stride and number of outputs; or nil
	clipRows  func(dst, src, k *float32, rows, n, ldd int)                                             // or nil
	padRows   [3]func(dst, src *float32, masks *uint32, rows, vecs, oddCol, dstStep, srcStep, off int) // by stride
	dots      []dotKernel                                                                              // largest first, ending with 1x1

	// The elementwise kernels take n, a multiple of block; nil: plain Go.
	block       int
	relu        func(dst, src *float32, n int)
	reluGrad    func(dx, dy, y *float32, n int)
	add         func(dst, a, b *float32, n int)
	addReLU     func(dst, a, b *float32, n int)
	scaleShift  func(dst, src *float32, n int, scale, shift float32)
	blend       func(dst, a, b *float32, n int, ka, kb, shift float32)
	logistic    func(dst, src *float32, n int, in, scale, shift float32)
	sgd         func(w, g *float32, n int, lr float32)
	momentum    func(w, v, g *float32, n int, lr, mu float32)
	adam        func(w, m, v, g *float32, n int, b1, c1, b2, c2, step, root, eps float32)
	rmsprop     func(w, s, g *float32, n int, lr, decay, c, eps float32)
	sum         func(x *float32, n int) float32
	sumSquares  func(x *float32, n int, mean float32) float32
	sumProducts func(dy, x *float32, n int, mean float32) (float32, float32)
	maxPool2    func(dst *float32, switches *int32, src *float32, rows, cols, pitch int, at, w int32)
	maxWindow   [3]func(dst *float32, switches *int32, src *float32, rows, n, kh, kw, rowStep, colStep, srcStep, dstStep int, at, rowAt, colAt, nextAt int32) int // by stride
	lrn         func(dst, src, first *float32, n, stride, count int, scale, bias float32)
	copyRows    func(dst, src *float32, rows, n, dstStep, srcStep int)                                                // or nil
	fillRows    [5]func(dst *float32, ldd, phases int, src *float32, off, rows, n, dstStep, srcStep int, mask uint64) // by stride

	// For sparse.go: dst += value*w for the entries of a list, dst += value*x by rows and
	// vectors, and which of n values are not 0.
	gather  [6][]func(dst, x *float32, list *uint64, n, pitch, ldd int) // or nil
	scatter func(dst, w *float32, list *uint64, n, rows, vecs, pitch int)
	nonzero func(dst *uint64, src *float32, n int)
	summary func(out, src *float32, n int) (positive int) // or nil

	vector *vectorOps // nil: plain Go in float64

	// Winograd's transforms, or nil; see transformed.
	winogradIn  [7]func(dst, src *float32, ldd, n int)                                                                // by alpha
	winogradOut [11]func(dst, src *float32, lds, n, plane, pitch int, segs *int64, nseg int, bias *float32, relu int) // by alpha + size
}

// planeConv convolves rows x cols outputs of one plane, rows of dst ldd bytes apart:
// dst[y][x] = k[0] + sum over the taps (i, j) of w[i][j]*src[y+i][x+j] where rows of
// src are lds bytes apart, columns of taps step; whole vectors are read. With
// stride 2, input (2y+p, 2x+q) is at (y, x) of the array that begins p*oddRow +
// q*oddCol bytes behind src. With clamp, dst is min(max(., k[1])+k[2], k[3]).
//
// padRows[stride] copies rows of vecs whole vectors of inputs for it, those beyond a
// mask as 0: even columns to dst and odd ones oddCol bytes behind with stride 2.
// There is a mask for each vector read: its bits (16 lanes), or a sign for each
// lane. src begins off bytes from where it is given.
type planeConv func(dst, src, w, k *float32, rows, cols, ldd, lds, step, oddRow, oddCol, clamp int)

// channelConv computes some outputs of each of rows rows of as many planes as a vector
// has lanes, whose values are side by side: the vector of output x of a row is bias +
// the sum over the taps t of w[t] times the vector of inputs koff[t] + x*stride vectors
// behind src. koff, ldd and lds are in bytes, weights are a vector for each tap; k and
// clamp as for planeConv.
type channelConv func(dst, src, w, bias, k *float32, koff *int64, taps, rows, ldd, lds, clamp int)

const (
	tileLoad  = 1
	tileReLU  = 2
	tileAhead = 8 // shift
)

type dotKernel struct {
	rows, cols int
	f          func(kn int, x *float32, ldx int, w *float32, ldw int, y *float32, ldy int)
}

// panel is the number of columns of a tile.
func (lv *level) panel() int { return 2 * lv.lanes }
