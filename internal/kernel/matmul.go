package kernel

import (
	"unsafe"

	"github.com/deconvnet/viz/internal/pages"
)

// Matrix is the right operand of products, packed once for the tiles of a level.
type Matrix struct {
	lv   *level
	k, n int
	b    []float32 // [panels][k][panel]
	ref  []float32 // of the reference: [k][n]
}

// PackMatrix packs a matrix b of k rows and n columns, or, transposed, of n rows and k
// columns, whose transpose is meant.
func PackMatrix(k, n int, b []float32, transposed bool) *Matrix {
	if k < 1 || n < 1 || len(b) < k*n {
		panic("kernel: PackMatrix: wrong number of values")
	}
	lv := current()
	m := &Matrix{lv: lv, k: k, n: n}
	if lv == refLevel {
		m.ref = make([]float32, k*n)
		for i := range k {
			for j := range n {
				if transposed {
					m.ref[i*n+j] = b[j*k+i]
				} else {
					m.ref[i*n+j] = b[i*n+j]
				}
			}
		}
		return m
	}
	panels := rowBlocks(n, lv.panel())
	m.b = pages.Floats(panels*k*lv.panel() + lv.lanes)
	for p := range panels {
		lv.packPanel(m.b[p*k*lv.panel():], k, n, p, b, transposed)
	}
	return m
}

// packPanel packs panel p of a matrix b of k rows and n columns, or its transpose.
// Up to a vector more is written, see packBlock.
func (lv *level) packPanel(dst []float32, k, n, p int, b []float32, transposed bool) {
	panel := lv.panel()
	j0 := p * panel
	cols := min(panel, n-j0)
	if cols < panel {
		clear(dst[:k*panel])
	}
	if transposed {
		for v := 0; v < cols; v += lv.lanes {
			for q := 0; q < k; q += lv.lanes {
				lv.transpose(&dst[q*panel+v], &b[(j0+v)*k+q], 4*panel, 4*k, min(lv.lanes, cols-v), min(lv.lanes, k-q))
			}
		}
		return
	}
	lv.copyBox(dst, panel, b[j0:], n, k, cols)
}

// Product says what MatMul computes: for each of N images, and for each of places,
// the product of an M x K by a K x N matrix at those places of the image's arrays.
type Product struct {
	M, K, N        int
	Images         int
	Places         []ProductPlace
	A, B, C        int       // floats of an image in each array; 0: the same for all images
	TransA, TransB bool      // the matrices lie as K x M, as N x K
	Bias           []float32 // added to each row, or nil
	Act            *Function // then taken of each number, or nil
}

// ProductPlace is where the matrices of a product begin in an image's arrays. With
// packed matrices B is the number of the matrix.
type ProductPlace struct{ A, B, C int }

// MatMul computes the products. b holds the right operands, or packed does.
func (e *Engine) MatMul(p Product, c, a, b []float32, packed []*Matrix) {
	p.check(c, a, b, packed)
	if p.Images == 0 || len(p.Places) == 0 {
		return
	}
	j := e.products.get()
	if j == nil {
		j = new(productJob)
		j.pack, j.multiply = j.packTask, j.multiplyTask
	}
	j.lv, j.p, j.c, j.a, j.b, j.packed = current(), p, c, a, b, packed
	if packed != nil {
		j.lv = packed[0].lv
	}
	if j.lv == refLevel {
		e.pool.For(p.Images*len(p.Places), func(i, _ int) { refProduct(j, i) })
	} else {
		e.runProducts(j)
	}
	j.p, j.c, j.a, j.b, j.packed, j.pa, j.pb = Product{}, nil, nil, nil, nil, nil, nil
	e.products.put(j)
}

func (p *Product) check(c, a, b []float32, packed []*Matrix) {
	if p.M < 1 || p.K < 1 || p.N < 1 || p.Images < 0 {
		panic("kernel: MatMul: bad sizes")
	}
	if p.Bias != nil && len(p.Bias) != p.N {
		panic("kernel: MatMul: wrong number of biases")
	}
	last := max(p.Images-1, 0)
	for _, at := range p.Places {
		if last*p.A+at.A+p.M*p.K > len(a) || last*p.C+at.C+p.M*p.N > len(c) {
			panic("kernel: MatMul: a matrix reaches out of its array")
		}
		if packed == nil {
			if last*p.B+at.B+p.K*p.N > len(b) {
				panic("kernel: MatMul: a matrix reaches out of its array")
			}
		} else if m := packed[at.B]; m.k != p.K || m.n != p.N || m.lv != packed[0].lv {
			panic("kernel: MatMul: packed matrices of other sizes")
		}
	}
}

// productJob is one run of MatMul. The matrices are packed as the tiles want them,
// a part of the products at a time; then blocks of the results are computed.
type productJob struct {
	lv      *level
	p       Product
	c, a, b []float32
	packed  []*Matrix

	pa, pb           []float32 // packed
	sizeA, sizeB     int       // floats of a product there
	first, count     int       // products of this part
	blocks, panels   int       // of rows and columns
	rowTasks         int       // tasks that pack a product's rows
	colTasks         int
	rowCuts, colCuts int  // of a product into tasks
	rowsFirst        bool // tasks with the same columns follow each other
	pack, multiply   func(i, worker int)
}

// place returns where product i begins in the arrays.
func (j *productJob) place(i int) (a, b, c int) {
	n := len(j.p.Places)
	image, at := i/n, &j.p.Places[i%n]
	b = at.B
	if j.packed == nil {
		b += image * j.p.B
	}
	return image*j.p.A + at.A, b, image*j.p.C + at.C
}

// packRowBlocks is how many blocks of rows, or panels, a task packs.
const packRowBlocks = 4

func (e *Engine) runProducts(j *productJob) {
	lv, p := j.lv, &j.p
	all := p.Images * len(p.Places)
	j.blocks, j.panels = rowBlocks(p.M, lv.rows), rowBlocks(p.N, lv.panel())
	j.sizeA, j.sizeB, j.colTasks = p.M*p.K+lv.lanes, 0, 0
	j.rowTasks = rowBlocks(j.blocks, packRowBlocks)
	if j.packed == nil {
		j.sizeB, j.colTasks = j.panels*p.K*lv.panel()+lv.lanes, rowBlocks(j.panels, packRowBlocks)
	}
	part := max(1, min(all, scratchLimit/(j.sizeA+j.sizeB)))
	j.pa, j.pb = e.floats(part*j.sizeA), e.floats(part*j.sizeB)
	j.cut(min(part, all), e.pool.Workers())
	for j.first = 0; j.first < all; j.first += part {
		j.count = min(part, all-j.first)
		e.pool.For(j.count*(j.rowTasks+j.colTasks), j.pack)
		e.pool.For(j.count*j.rowCuts*j.colCuts, j.multiply)
	}
	e.put(j.pa)
	e.put(j.pb)
}

// cut decides how many tasks a product is cut into: each within some caches' size,
// and enough of them for the workers.
func (j *productJob) cut(products, workers int) {
	const rows, cols = 224, 256
	j.rowCuts = max(1, (j.p.M+rows-1)/rows)
	j.colCuts = max(1, (j.p.N+cols-1)/cols)
	j.rowCuts, j.colCuts = min(j.rowCuts, j.blocks), min(j.colCuts, j.panels)
	// What a worker reads of the larger operand it reads once.
	j.rowsFirst = j.p.N > j.p.M
	tasks := products * j.rowCuts * j.colCuts
	for tasks < 4*workers && tasks%workers != 0 {
		switch {
		case j.colCuts < j.panels && (j.p.N >= j.p.M || j.rowCuts >= j.blocks):
			j.colCuts++
		case j.rowCuts < j.blocks:
			j.rowCuts++
		default:
			return
		}
		tasks = products * j.rowCuts * j.colCuts
	}
}

// packTask packs some blocks of rows of a, or some panels of b, of a product.
func (j *productJob) packTask(i, _ int) {
	lv, p := j.lv, &j.p
	tasks := j.rowTasks + j.colTasks
	product, t := i/tasks, i%tasks
	a, b, _ := j.place(j.first + product)
	if t < j.rowTasks {
		dst := j.pa[product*j.sizeA:][:j.sizeA]
		for rb := t * packRowBlocks; rb < min((t+1)*packRowBlocks, j.blocks); rb++ {
			r0, r1 := rowStart(p.M, j.blocks, rb), rowStart(p.M, j.blocks, rb+1)
			lv.packRowBlock(dst[r0*p.K:], p.M, p.K, r0, r1-r0, j.a[a:], p.TransA)
		}
		return
	}
	t -= j.rowTasks
	dst := j.pb[product*j.sizeB:][:j.sizeB]
	for q := t * packRowBlocks; q < min((t+1)*packRowBlocks, j.panels); q++ {
		lv.packPanel(dst[q*p.K*lv.panel():], p.K, p.N, q, j.b[b:], p.TransB)
	}
}

// packRowBlock packs mr rows from row r0 on of an m x k matrix, or of the transpose of
// a k x m one, for the rows of a tile. It writes nothing else.
func (lv *level) packRowBlock(dst []float32, m, k, r0, mr int, src []float32, transposed bool) {
	if transposed {
		for q := range k {
			copy(dst[q*mr:(q+1)*mr], src[q*m+r0:])
		}
		return
	}
	// Whole vectors are written, which reach into the next ones: what would reach out of
	// the block is done number by number.
	reach := (mr-1)/lv.lanes*lv.lanes + lv.lanes
	safe := max(0, k+1-(reach+mr-1)/mr)
	for q := 0; q < safe; q += lv.lanes {
		for r := 0; r < mr; r += lv.lanes {
			lv.transpose(&dst[q*mr+r], &src[(r0+r)*k+q], 4*mr, 4*k, min(lv.lanes, mr-r), min(lv.lanes, safe-q))
		}
	}
	for q := safe; q < k; q++ {
		for r := range mr {
			dst[q*mr+r] = src[(r0+r)*k+q]
		}
	}
}

// multiplyTask computes a block of the result of a product.
func (j *productJob) multiplyTask(i, _ int) {
	lv, p := j.lv, &j.p
	panel := lv.panel()
	product := i / (j.colCuts * j.rowCuts)
	col, rowCut := i%j.colCuts, i/j.colCuts%j.rowCuts
	if j.rowsFirst {
		col, rowCut = i/j.rowCuts%j.colCuts, i%j.rowCuts
	}
	_, bAt, cAt := j.place(j.first + product)
	rb0, rb1 := rowStart(j.blocks, j.rowCuts, rowCut), rowStart(j.blocks, j.rowCuts, rowCut+1)
	p0, p1 := rowStart(j.panels, j.colCuts, col), rowStart(j.panels, j.colCuts, col+1)
	if rb0 == rb1 || p0 == p1 {
		return
	}
	a := j.pa[product*j.sizeA:]
	var b []float32
	if j.packed != nil {
		b = j.packed[bAt].b
	} else {
		b = j.pb[product*j.sizeB:]
	}
	kBlocks := (p.K + kBlock - 1) / kBlock
	for kb := range kBlocks {
		k0, k1 := rowStart(p.K, kBlocks, kb), rowStart(p.K, kBlocks, kb+1)
		flags := 0
		if kb > 0 {
			flags = tileLoad
		}
		for rb := rb0; rb < rb1; rb++ {
			r0, r1 := rowStart(p.M, j.blocks, rb), rowStart(p.M, j.blocks, rb+1)
			mr := r1 - r0
			left := &a[r0*p.K+k0*mr]
			for q := p0; q < p1; q++ {
				width := min(panel, p.N-q*panel)
				nv := 2
				if width <= lv.lanes {
					nv = 1
				}
				// Meanwhile a part of the panel that comes next in q's place is fetched.
				next := (q*p.K+k1)*panel + (rb-rb0)*mr*(k1-k0)
				if kb == kBlocks-1 {
					next = (q+p1-p0)*p.K*panel + (rb-rb0)*mr*(k1-k0)
				}
				ahead := 0
				if next < len(b) {
					ahead = int(uintptr(unsafe.Pointer(&b[next]))-uintptr(unsafe.Pointer(left))) << tileAhead
				}
				lv.tile[nv][mr](k1-k0, left, &b[(q*p.K+k0)*panel], &j.c[cAt+r0*p.N+q*panel], nil, 4*p.N, flags|ahead, uint64(1)<<width-1)
			}
		}
	}
	j.finish(cAt, rowStart(p.M, j.blocks, rb0), rowStart(p.M, j.blocks, rb1), p0*panel, min(p1*panel, p.N))
}

// finish adds the bias and takes the function of rows [r0, r1) of columns [c0, c1).
func (j *productJob) finish(at, r0, r1, c0, c1 int) {
	p := &j.p
	if p.Bias == nil && p.Act == nil {
		return
	}
	for r := r0; r < r1; r++ {
		c := j.c[at+r*p.N+c0 : at+r*p.N+c1]
		if p.Bias != nil {
			j.lv.vector.rows[AddOp](&c[0], &c[0], &p.Bias[c0], len(c))
		}
		if p.Act != nil {
			j.lv.apply(*p.Act, c, c)
		}
	}
}
