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
	// A task has several blocks of rows, so that changes are read once for all of them.
	perTask := denseBlocks(lv, c*plane)
	tasks := (nb + perTask - 1) / perTask
	tasks = min(nb, max(tasks, 2*e.Workers()))
	e.pool.For(tasks, func(task, worker int) {
		rb0, rb1 := rowStart(nb, tasks, task), rowStart(nb, tasks, task+1)
		first, rows := rowStart(out, nb, rb0), rowStart(out, nb, rb1)-rowStart(out, nb, rb0)
		// The weights of a place together, by block of rows: [rb][places][c][mr].
		step := make([]int, rb1-rb0)
		at := make([]int, rb1-rb0+1)
		for i := range step {
			step[i] = c * (rowStart(out, nb, rb0+i+1) - rowStart(out, nb, rb0+i))
			at[i+1] = at[i] + plane*step[i] + lv.lanes
		}
		a := e.floats(at[len(step)] + 2*panel)
		defer e.put(a)
		for i := range step {
			r0, r1 := rowStart(out, nb, rb0+i), rowStart(out, nb, rb0+i+1)
			mr, d := r1-r0, a[at[i]:]
			if plane == 1 {
				lv.packBlock(d, mr, 0, weight[r0*c:], c, c)
				continue
			}
			for k := range c {
				for py := box.Y0; py < box.Y1; py++ {
					for p := py*w + box.X0; p < py*w+box.X1; p += lv.lanes {
						cols := min(lv.lanes, py*w+box.X1-p)
						for r := 0; r < mr; r += lv.lanes {
							lv.transpose(&d[p*step[i]+k*mr+r], &weight[(r0+r)*c*plane+k*plane+p], 4*step[i], 4*c*plane, min(lv.lanes, mr-r), cols)
						}
					}
				}
			}
			// The last channels' vectors reached into the first ones of the next place.
			for k := range min(c, (lv.lanes+mr-1)/mr) {
				for py := box.Y0; py < box.Y1; py++ {
					for p := py*w + box.X0; p < py*w+box.X1; p++ {
						for r := range mr {
							d[p*step[i]+k*mr+r] = weight[((r0+r)*c+k)*plane+p]
						}
					}
				}
			}
		}
		sums := e.floats(len(blocks) * rows * panel) // [block][row][L]
		defer e.put(sums)
		clear(sums)
		// Places of a row follow each other in the changes as in the weights.
		wide := max(1, kBlock/c)
		for y := box.Y0; y < box.Y1; y++ {
			for x0 := box.X0; x0 < box.X1; x0 += wide {
				for j, b := range blocks {
					from, to := max(x0, b.Box.X0), min(x0+wide, b.Box.X1)
					if y < b.Box.Y0 || y >= b.Box.Y1 || from >= to {
						continue
					}
					data := b.Data[((y-b.Box.Y0)*b.Box.W()+from-b.Box.X0)*c*panel:]
					k := (to - from) * c
					kBlocks := (k + kBlock - 1) / kBlock
					for kb := range kBlocks {
						k0, k1 := rowStart(k, kBlocks, kb), rowStart(k, kBlocks, kb+1)
						for i := range step {
							r0, r1 := rowStart(out, nb, rb0+i), rowStart(out, nb, rb0+i+1)
							lv.tile[2][r1-r0](k1-k0, &a[at[i]+(y*w+from)*step[i]+k0*(r1-r0)], &data[k0*panel], &sums[(j*rows+r0-first)*panel], nil, 4*panel, tileLoad, mask)
						}
					}
				}
			}
		}
		for j := range blocks {
			for l := range min(panel, n-j*panel) {
				d := y[(j*panel+l)*out+first:][:rows]
				for r := range d {
					d[r] = clean[first+r] + sums[(j*rows+r)*panel+l]
				}
			}
		}
	})
}

// denseBlocks is the number of blocks of rows, of k weights each, that a task of
// LaneDense has: not more than are packed into about 16 MB.
func denseBlocks(lv *level, k int) int { return min(max(4<<20/(lv.rows*k), 1), 8) }

// LaneDenseScratch is about the memory that each worker takes in LaneDense.
func LaneDenseScratch(c, h, w int) int {
	lv := laneLevel()
	return 4 * denseBlocks(lv, c*h*w) * lv.rows * c * h * w
}
