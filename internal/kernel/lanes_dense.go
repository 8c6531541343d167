package kernel

// LaneChanges are the changes of a value in the lanes of one block, all in one
// box of its map: Data is [box.H()*box.W()][C][L].
type LaneChanges struct {
	Box  Box
	Data []float32
}

// LaneDense computes what a dense layer makes of maps of c channels of h x w
// places that differ from ones it has seen in boxes only: y[b*L+l][out] =
// clean[out] + sum over the box of block b of w[out][c][y][x] * change. w is
// [len(clean)][c*h*w]; lanes at and beyond n are left out. Each weight is read
// once for all blocks.
func (e *Engine) LaneDense(n, c, h, w int, y, weight, clean []float32, blocks []LaneChanges) {
	lv := laneLevel()
	panel, out, plane := lv.panel(), len(clean), h*w
	if len(weight) != out*c*plane || len(y) < n*out {
		panic("kernel: LaneDense: wrong lengths")
	}
	var box Box
	for _, b := range blocks {
		box = box.Union(b.Box)
	}
	nb := rowBlocks(out, lv.rows)
	mask := uint64(1)<<panel - 1
	e.pool.For(nb, func(rb, worker int) {
		r0, r1 := rowStart(out, nb, rb), rowStart(out, nb, rb+1)
		mr := r1 - r0
		// The weights of a place together: [places][c][mr], with room between for
		// whole vectors.
		step := c*mr + lv.lanes
		a := e.floats(plane*step + 2*panel)
		defer e.put(a)
		sums := e.floats(mr * panel)
		defer e.put(sums)
		if plane == 1 {
			lv.packBlock(a, mr, 0, weight[r0*c:], c, c)
		} else {
			for k := range c {
				for py := box.Y0; py < box.Y1; py++ {
					for p := py*w + box.X0; p < py*w+box.X1; p += lv.lanes {
						cols := min(lv.lanes, py*w+box.X1-p)
						for r := 0; r < mr; r += lv.lanes {
							lv.transpose(&a[p*step+k*mr+r], &weight[(r0+r)*c*plane+k*plane+p], 4*step, 4*c*plane, min(lv.lanes, mr-r), cols)
						}
					}
				}
			}
		}
		tile := lv.tile[2][mr]
		for i, b := range blocks {
			clear(sums)
			for p := range b.Box.Area() {
				at := (b.Box.Y0+p/b.Box.W())*w + b.Box.X0 + p%b.Box.W()
				kBlocks := (c + kBlock - 1) / kBlock
				for kb := range kBlocks {
					k0, k1 := rowStart(c, kBlocks, kb), rowStart(c, kBlocks, kb+1)
					tile(k1-k0, &a[at*step+k0*mr], &b.Data[(p*c+k0)*panel], &sums[0], nil, 4*panel, tileLoad, mask)
				}
			}
			for l := range min(panel, n-i*panel) {
				d := y[(i*panel+l)*out+r0:][:mr]
				for r := range d {
					d[r] = clean[r0+r] + sums[r*panel+l]
				}
			}
		}
	})
}
