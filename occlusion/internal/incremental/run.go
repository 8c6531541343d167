package incremental

import (
	"context"
	"fmt"
	"sync"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// block is the working memory of one block at a time.
type block struct {
	n       *Net
	k       *Clean
	wins    []window
	sy, sx  sources
	offs    [maxLanes]int64
	scratch kernel.LaneScratch
	memory  arena
	err     error
}

// Job is a run over changes.
type Job struct {
	// Change draws change i into dst [C][H][W] of its box.
	Changes []model.Box
	Draw    func(i int, dst []float32)
	// Maps are the channels summed of Options.Totals.
	Maps []int
	// Done takes the outputs of change i, in the order of Options.Outputs, and the
	// sums. It is called once for every change, in no fixed order and for several at
	// a time; what it is given is valid until it returns.
	Done func(i int, outputs [][]float32, totals []float64)
	// Progress is told of every finished block, by the share of the predicted work
	// that is done; the last call has 1.
	Progress func(share float64)
}

// Run computes all changes of the image. Neighbours in the list should be
// neighbours in the image.
func (k *Clean) Run(ctx context.Context, job Job) error {
	n := k.n
	blocks := (len(job.Changes) + n.lanes - 1) / n.lanes
	idle := make(chan *block, n.works)
	for range n.works {
		idle <- n.spare.block(n, k)
	}
	defer func() {
		for range n.works {
			n.spare.keep(<-idle)
		}
	}()
	var mu sync.Mutex
	costs, perChange := n.work(job.Changes)
	done, all := 0.0, perChange*float64(len(job.Changes))
	for _, c := range costs {
		all += c
	}
	for b0 := 0; b0 < blocks; b0 += n.group {
		if err := ctx.Err(); err != nil {
			return err
		}
		count := min(n.group, blocks-b0)
		g := n.newGroup(k, count)
		var failed error
		kernel.Of(n.engine).Largest(costs[b0:b0+count], func(i int) {
			if ctx.Err() != nil {
				return
			}
			b := <-idle
			defer func() { idle <- b }()
			at := (b0 + i) * n.lanes
			changes := job.Changes[at:min(at+n.lanes, len(job.Changes))]
			err := b.run(job, at, changes, g, i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = err
			}
			if done += costs[b0+i]; job.Progress != nil {
				job.Progress(min(done/all, 1))
			}
		})
		if failed == nil {
			failed = ctx.Err()
		}
		if failed != nil {
			return failed
		}
		changes := job.Changes[b0*n.lanes : min((b0+count)*n.lanes, len(job.Changes))]
		err := g.finish(ctx, job, b0*n.lanes, len(changes))
		g.release()
		if err != nil {
			return err
		}
		done += float64(perChange * float64(len(changes)))
	}
	if job.Progress != nil {
		job.Progress(1)
	}
	return nil
}

func (b *block) get(n int) buffer { return b.memory.get(n) }
func (b *block) put(f buffer)     { b.memory.put(f) }

// alloc gives the windows of v memory.
func (b *block) alloc(v int) {
	w, val := &b.wins[v], &b.n.values[v]
	if val.join > 0 {
		if dy, dx, ok := b.offset(v, val.join); ok {
			to := &b.wins[val.join]
			if to.refs == nil {
				b.alloc(val.join)
			}
			to.refs.n++
			at := dy*to.pitch + dx
			if w.refs = to.refs; !b.memory.dry {
				w.data = to.data[at*to.place+val.first*b.n.lanes:]
			}
			w.place, w.pitch, w.dump = to.place, to.pitch, to.dump-at
			return
		}
	}
	w.place, w.pitch, w.dump = val.shape.C*b.n.lanes, w.x.size, w.places()
	w.refs = &references{n: 1, buffer: b.get((w.places() + 1) * w.place)}
	w.data = w.refs.data
}

// offset returns where windows of v lie in those of j, if in all lanes alike.
func (b *block) offset(v, j int) (dy, dx int, ok bool) {
	w, to := &b.wins[v], &b.wins[j]
	dy, dx = w.y.at[0]-to.y.at[0], w.x.at[0]-to.x.at[0]
	if dy < 0 || dx < 0 || dy+w.y.size > to.y.size || dx+w.x.size > to.x.size {
		return 0, 0, false
	}
	for l := range b.n.lanes {
		if w.y.at[l]-to.y.at[l] != dy || w.x.at[l]-to.x.at[l] != dx {
			return 0, 0, false
		}
	}
	return dy, dx, true
}

// release drops one reference to v.
func (b *block) release(v int) {
	w := &b.wins[v]
	w.left--
	if w.left > 0 || w.refs == nil {
		return
	}
	if w.refs.n--; w.refs.n == 0 {
		b.put(w.refs.buffer)
	}
	w.data, w.refs = nil, nil
}

// own reports whether the step that reads v now may overwrite its windows.
func (b *block) own(v int) bool {
	w := &b.wins[v]
	return w.left == 1 && w.refs != nil && w.refs.n == 1
}

// share makes the windows of out those of in.
func (b *block) share(out, in int) {
	from, to := &b.wins[in], &b.wins[out]
	if from.refs == nil {
		return
	}
	from.refs.n++
	to.data, to.refs, to.place, to.pitch, to.dump = from.data, from.refs, from.place, from.pitch, from.dump
}

// run computes a block up to what late steps need.
func (b *block) run(job Job, at int, changes []model.Box, g *group, slot int) error {
	n := b.n
	n.plan(b.wins, changes)
	b.begin()
	b.input(job, at, changes)
	for i := range n.steps {
		s := &n.steps[i]
		if s.leftOut {
			continue
		}
		if !b.wins[s.out].empty() {
			if err := b.step(s); err != nil {
				return fmt.Errorf("layer %s: %w", s.node.Name, err)
			}
		}
		b.read(s)
	}
	g.take(b, job, slot, len(changes))
	for v := range b.wins {
		if w := &b.wins[v]; w.refs != nil {
			w.left = 1
			b.release(v)
		}
	}
	return nil
}

// begin makes the windows those of values that are still to come.
func (b *block) begin() {
	for i := range b.wins {
		b.wins[i].left = b.n.values[i].readers
		b.wins[i].refs, b.wins[i].data = nil, nil
	}
}

// read drops what a step has read, and what it has made for nobody.
func (b *block) read(s *step) {
	in := s.in
	if s.inner != nil {
		in = s.inner.in
	}
	for _, v := range in {
		b.release(v)
	}
	if b.wins[s.out].left == 0 {
		b.wins[s.out].left = 1
		b.release(s.out)
	}
}

// input draws the changes.
func (b *block) input(job Job, at int, changes []model.Box) {
	n, w := b.n, &b.wins[0]
	if w.empty() {
		return
	}
	b.alloc(0)
	in := n.net.Input
	plane := in.H * in.W
	var pixels []float32
	for l := range n.lanes {
		i := min(l, len(changes)-1)
		c := changes[i]
		if i == l {
			if need := in.C * c.Area(); cap(pixels) < need {
				pixels = make([]float32, need)
			}
			pixels = pixels[:in.C*c.Area()]
			job.Draw(at+i, pixels)
		}
		for y := range w.y.size {
			for x := range w.x.size {
				gy, gx := w.y.at[l]+y, w.x.at[l]+x
				d := w.data[(y*w.x.size+x)*in.C*n.lanes+l:]
				inside := gy >= c.Y0 && gy < c.Y1 && gx >= c.X0 && gx < c.X1
				for k := range in.C {
					if inside {
						d[k*n.lanes] = pixels[(k*c.H()+gy-c.Y0)*c.W()+gx-c.X0]
					} else {
						d[k*n.lanes] = b.k.image[k*plane+gy*in.W+gx]
					}
				}
			}
		}
	}
}

// step computes the windows of a step's output.
func (b *block) step(s *step) error {
	n := b.n
	k := kernel.Of(n.engine)
	val, w := &n.values[s.out], &b.wins[s.out]
	c := val.shape.C
	row := c * n.lanes
	switch s.op {
	case opConv:
		b.alloc(s.out)
		if s.inner != nil {
			b.nested(s)
			break
		}
		b.conv(s)
	case opMaxPool, opAvgPool:
		b.alloc(s.out)
		b.poolWindows(s)
	case opGlobalAvg:
		b.alloc(s.out)
		b.globalAvg(s)
	case opBinary:
		b.binary(s)
	case opEach, opNorm, opPad:
		v := s.in[0]
		if s.op == opPad || b.own(v) {
			b.share(s.out, v)
		} else {
			b.alloc(s.out)
			copy(w.data, b.wins[v].data[:w.places()*row])
		}
		if s.op != opPad {
			return b.each(s, w.data[:w.places()*row])
		}
	case opLRN:
		b.alloc(s.out)
		l := s.node.Layer.(*model.LRN)
		k.LRN(w.places(), c, n.lanes, w.data, b.wins[s.in[0]].data, l.Size, l.Alpha, l.Beta, l.Bias)
	case opAdd:
		b.add(s)
	case opConcat:
		if w.refs == nil {
			b.alloc(s.out)
		}
		f := &frame{h: w.y.size, w: w.x.size, y: w.y.at, x: w.x.at}
		at := 0
		for _, v := range s.in {
			if from := &b.wins[v]; from.refs == w.refs && from.refs != nil {
				b.rim(s.out, at, f, v)
			} else {
				b.load(w.data[at:], row, f, v, 0, false)
			}
			at += n.values[v].shape.C * n.lanes
		}
	case opWhole:
		b.alloc(s.out)
		return b.wholeMaps(s)
	}
	return nil
}

// each applies an elementwise layer in place.
func (b *block) each(s *step, d []float32) error {
	k := kernel.Of(b.n.engine)
	c := b.n.values[s.out].shape.C
	switch l := s.node.Layer.(type) {
	case *model.ReLU:
		k.ReLU(d, d)
	case *model.Clip:
		k.Clip(s.clip, d, d)
	case *model.BatchNorm:
		k.ScaleShift(len(d)/(c*b.n.lanes), c, b.n.lanes, d, d, s.scale, s.shift)
	case *model.Unary:
		l.Apply(b.n.engine, d, d)
	case *model.Normalize:
		l.ApplyPlaces(b.n.engine, len(d)/(c*b.n.lanes), b.n.lanes, d, d)
	case *model.Quantize:
		l.Apply(b.n.engine, len(d)/(c*b.n.lanes), c, b.n.lanes, d, d)
	default:
		return fmt.Errorf("layer %s: %s has no form on lanes", s.node.Name, l.Kind())
	}
	return nil
}

// fits reports whether the step that makes out now may do so in the windows of v.
func (b *block) fits(v, out int) bool {
	from, w := &b.wins[v], &b.wins[out]
	return b.own(v) && b.n.values[out].join == 0 && from.y.size == w.y.size && from.x.size == w.x.size && from.y.at == w.y.at && from.x.at == w.x.at &&
		from.pitch == w.x.size && from.place == b.n.values[out].shape.C*b.n.lanes
}

// addInto gives the sum of values memory, that of one of them if that is not read again, which then comes first.
func (b *block) addInto(s *step) (in []int) {
	if in = s.in; len(in) == 2 && !b.fits(in[0], s.out) && b.fits(in[1], s.out) {
		in = []int{in[1], in[0]}
	}
	if b.fits(in[0], s.out) {
		b.share(s.out, in[0])
	} else {
		b.alloc(s.out)
	}
	return in
}

// add sums values.
func (b *block) add(s *step) {
	n, w := b.n, &b.wins[s.out]
	k := kernel.Of(n.engine)
	row := n.values[s.out].shape.C * n.lanes
	f := &frame{h: w.y.size, w: w.x.size, y: w.y.at, x: w.x.at}
	in := b.addInto(s)
	if w.refs != b.wins[in[0]].refs {
		b.load(w.data, row, f, in[0], 0, false)
	}
	d := w.data[:w.places()*row]
	for _, v := range in[1:] {
		if lane, ok := b.view(v, f); ok && lane.Pitch == f.w && lane.Place == row {
			k.Add(d, d, lane.Data[:len(d)])
			continue
		}
		t := b.get(len(d))
		b.load(t.data, row, f, v, 0, false)
		k.Add(d, d, t.data[:len(d)])
		b.put(t)
	}
	if s.relu {
		k.ReLU(d, d)
	}
}

// binary combines two values, of which one may have a number for each map.
func (b *block) binary(s *step) {
	n, w := b.n, &b.wins[s.out]
	if s.small >= 0 && b.fits(s.in[1-s.small], s.out) {
		b.share(s.out, s.in[1-s.small])
	} else {
		b.alloc(s.out)
	}
	row := n.values[s.out].shape.C * n.lanes
	f := &frame{h: w.y.size, w: w.x.size, y: w.y.at, x: w.x.at}
	d := w.data[:w.places()*row]
	operands, steps := [2][]float32{}, [2][]int{{row, 1}, {row, 1}}
	for i, v := range s.in {
		if i == s.small {
			t := b.get(row)
			defer b.put(t)
			b.load(t.data, row, &frame{h: 1, w: 1}, v, 0, false)
			operands[i], steps[i][0] = t.data[:row], 0
			continue
		}
		if lane, ok := b.view(v, f); ok && lane.Pitch == f.w && lane.Place == row {
			operands[i] = lane.Data[:len(d)]
			continue
		}
		t := d
		if i == 1 && s.small != 0 {
			other := b.get(len(d))
			defer b.put(other)
			t = other.data[:len(d)]
		}
		b.load(t, row, f, v, 0, false)
		operands[i] = t
	}
	walk := kernel.NewWalk([]int{w.places(), row}, steps[0], steps[1])
	kernel.Of(n.engine).Combine(s.arith, walk, 1, len(d), 0, 0, d, operands[0], operands[1])
}

func (b *block) conv(s *step) {
	n := b.n
	g := s.geo
	sy, sx := max(g.StrideY, 1), max(g.StrideX, 1)
	v := s.in[0]
	from, w := &b.wins[v], &b.wins[s.out]
	in := &n.values[v]
	dst := b.lane(s.out)
	row := in.shape.C * n.lanes
	var f frame
	if s.way == kernel.LaneDirect {
		f = s.frame(w, n.lanes)
		ep := s.epilogue()
		if src, ok := b.view(v, &f); ok {
			s.conv.Run(&b.scratch, dst, src, 0, 0, ep)
			return
		}
		t := b.get(f.h * f.w * row)
		b.load(t.data, row, &f, v, 0, false)
		s.conv.Run(&b.scratch, dst, kernel.Lane{Data: t.data, H: f.h, W: f.w, Place: row, Pitch: f.w}, 0, 0, ep)
		b.put(t)
		return
	}
	// Delta form: products with what changed, and what the sums were. Long sums
	// begin at 0 and those come last, so that rounding errors are as small as the
	// change; Winograd's transform adds no more than four values.
	out := n.values[s.out].shape.C * n.lanes
	each := func(f func(d []float32)) { // place or, where they follow each other, all places
		if w.place == out && w.pitch == w.x.size {
			f(w.data[:w.places()*out])
			return
		}
		for y := range w.y.size {
			for x := range w.x.size {
				f(w.data[w.at(y, x):][:out])
			}
		}
	}
	if s.way == kernel.LaneWinograd {
		b.clean(s.out, w.data, false, kernel.LaneSet)
	} else {
		each(func(d []float32) { clear(d) })
	}
	oy, ox, same := s.alike(w, from, n.lanes)
	switch {
	case from.empty():
	case same && b.own(v):
		b.clean(v, from.data, in.relu, kernel.LaneSub)
		s.conv.Run(&b.scratch, dst, b.lane(v), oy, ox, kernel.Epilogue{})
	default:
		oy, f.h = delta(&f.y, n.lanes, &w.y, &from.y, sy, g.PadTop)
		ox, f.w = delta(&f.x, n.lanes, &w.x, &from.x, sx, g.PadLeft)
		t := b.get(f.h * f.w * row)
		b.load(t.data, row, &f, v, 0, true)
		s.conv.Run(&b.scratch, dst, kernel.Lane{Data: t.data, H: f.h, W: f.w, Place: row, Pitch: f.w}, oy, ox, kernel.Epilogue{})
		b.put(t)
	}
	if s.way != kernel.LaneWinograd {
		b.clean(s.out, w.data, false, kernel.LaneAdd)
	}
	if s.relu {
		each(func(d []float32) { kernel.Of(n.engine).ReLU(d, d) })
	}
}

// alike reports whether the outputs at w read the windows from at the same offset in all lanes.
func (s *step) alike(w, from *window, lanes int) (oy, ox int, same bool) {
	g, sy, sx := s.geo, max(s.geo.StrideY, 1), max(s.geo.StrideX, 1)
	oy, ox = w.y.at[0]*sy-g.PadTop-from.y.at[0], w.x.at[0]*sx-g.PadLeft-from.x.at[0]
	same = true
	for l := range lanes {
		same = same && w.y.at[l]*sy-g.PadTop-from.y.at[l] == oy && w.x.at[l]*sx-g.PadLeft-from.x.at[l] == ox
	}
	return oy, ox, same
}

// frame is what a convolution reads for the windows w.
func (s *step) frame(w *window, lanes int) (f frame) {
	g := s.geo
	sy, sx, dy, dx := max(g.StrideY, 1), max(g.StrideX, 1), max(g.DilY, 1), max(g.DilX, 1)
	f.h, f.w = (w.y.size-1)*sy+(g.KH-1)*dy+1, (w.x.size-1)*sx+(g.KW-1)*dx+1
	for l := range lanes {
		f.y[l], f.x[l] = w.y.at[l]*sy-g.PadTop, w.x.at[l]*sx-g.PadLeft
	}
	return f
}

func (s *step) epilogue() kernel.Epilogue {
	return kernel.Epilogue{Bias: s.bias, ReLU: s.relu, Clip: s.clip, Func: s.fused}
}

// delta places a frame that holds all changed inputs so that outputs at w read it
// at offset o in every lane.
func delta(at *[maxLanes]int, lanes int, w, from *axis, stride, pad int) (o, size int) {
	// Where lane l's changes begin, from where its outputs begin to read.
	lo, hi := 1<<30, -1<<30
	for l := range lanes {
		if from.hi[l] > from.lo[l] {
			start := w.at[l]*stride - pad
			lo, hi = min(lo, from.lo[l]-start), max(hi, from.hi[l]-start)
		}
	}
	for l := range lanes {
		at[l] = w.at[l]*stride - pad + lo
	}
	return -lo, hi - lo
}

// clean adds the clean values to windows of v, or subtracts them.
func (b *block) clean(v int, dst []float32, relu bool, op kernel.LaneOp) {
	n, w := b.n, &b.wins[v]
	s := n.values[v].shape
	all := uint64(1)<<n.lanes - 1
	for y := range w.y.size {
		for x := range w.x.size {
			for l := range n.lanes {
				b.offs[l] = int64(4 * s.C * ((w.y.at[l]+y)*s.W + w.x.at[l] + x))
			}
			kernel.LaneGather(dst[w.at(y, x):], b.k.base[v], b.offs[:n.lanes], s.C, relu, op, all)
		}
	}
}

// rim fills what the windows of v do not cover of frame f, which is that of
// value j, with clean values; at is where v begins in a place.
func (b *block) rim(j, at int, f *frame, v int) {
	n, w, to := b.n, &b.wins[v], &b.wins[j]
	val := &n.values[v]
	dy, dx, _ := b.offset(v, j)
	for y := range f.h {
		for x := range f.w {
			if y >= dy && y < dy+w.y.size && x >= dx && x < dx+w.x.size {
				continue
			}
			for l := range n.lanes {
				b.offs[l] = int64(4 * val.shape.C * ((f.y[l]+y)*val.shape.W + f.x[l] + x))
			}
			kernel.LaneGather(to.data[to.at(y, x)+at:], b.k.base[v], b.offs[:n.lanes], val.shape.C, val.relu, kernel.LaneSet, 1<<n.lanes-1)
		}
	}
}

// poolFrame is what a pool reads for the windows w.
func (s *step) poolFrame(w *window, lanes int) (f frame) {
	g := s.pool
	sy, sx := max(g.StrideY, 1), max(g.StrideX, 1)
	f.h, f.w = (w.y.size-1)*sy+(g.KH-1)*max(g.DilY, 1)+1, (w.x.size-1)*sx+(g.KW-1)*max(g.DilX, 1)+1
	for l := range lanes {
		f.y[l], f.x[l] = w.y.at[l]*sy-g.PadTop, w.x.at[l]*sx-g.PadLeft
	}
	return f
}

func (b *block) poolWindows(s *step) {
	n, g := b.n, s.pool
	k := kernel.Of(n.engine)
	sy, sx, dy, dx := max(g.StrideY, 1), max(g.StrideX, 1), max(g.DilY, 1), max(g.DilX, 1)
	v := s.in[0]
	in, w := n.values[v].shape, &b.wins[s.out]
	row := in.C * n.lanes
	f := s.poolFrame(w, n.lanes)
	pad := float32(0)
	if s.op == opMaxPool {
		pad = minusInf
	}
	src, ok := b.view(v, &f)
	if !ok {
		t := b.get(f.h * f.w * row)
		defer b.put(t)
		b.load(t.data, row, &f, v, pad, false)
		src = kernel.Lane{Data: t.data, H: f.h, W: f.w, Place: row, Pitch: f.w}
	}
	var avg *model.Pool
	if s.op == opAvgPool {
		avg = s.node.Layer.(*model.Pool)
	}
	// Rows first, then columns; of the rows those that are read again are kept.
	ring := (g.KH-1)*dy + 1
	ringed := b.get(ring * w.x.size * row)
	defer b.put(ringed)
	rows := ringed.data
	reduce := func(d []float32, taps int, at func(t int) []float32) {
		for t := 0; t < taps; {
			switch {
			case t == 0 && taps == 1:
				copy(d, at(0))
				t++
			case avg != nil && t == 0:
				k.Add(d, at(0), at(1))
				t += 2
			case avg != nil:
				k.Add(d, d, at(t))
				t++
			case t == 0:
				kernel.LaneMax(d, at(0), at(1), at(min(2, taps-1)))
				t += 3
			default:
				kernel.LaneMax(d, d, at(t), at(min(t+1, taps-1)))
				t += 2
			}
		}
	}
	next := 0
	for y := range w.y.size {
		for next = max(next, y*sy); next < y*sy+ring; next++ {
			for x := range w.x.size {
				reduce(rows[(next%ring*w.x.size+x)*row:][:row], g.KW, func(t int) []float32 { return src.At(next, x*sx+t*dx)[:row] })
			}
		}
		for x := range w.x.size {
			d := w.data[w.at(y, x):][:row]
			reduce(d, g.KH, func(t int) []float32 { return rows[((y*sy+t*dy)%ring*w.x.size+x)*row:][:row] })
			if avg == nil {
				continue
			}
			var scale [maxLanes]float32
			for l := range n.lanes {
				scale[l] = avgScale(avg, g, in, w.y.at[l]+y, w.x.at[l]+x)
			}
			for i := range d {
				d[i] *= scale[i%n.lanes]
			}
		}
	}
}

// avgScale is what an average pool multiplies the sum of a window by.
func avgScale(l *model.Pool, g kernel.Pool, in model.Shape, y, x int) float32 {
	bottom, right := l.Behind()
	count := func(o, stride, kernel, before, behind, size int) int {
		lo, hi := 0, size
		if l.CountPad {
			lo, hi = -before, size+behind
		}
		start := o*stride - before
		return max(min(start+kernel, hi)-max(start, lo), 0)
	}
	if c := count(y, g.StrideY, g.KH, g.PadTop, bottom, in.H) * count(x, g.StrideX, g.KW, g.PadLeft, right, in.W); c > 0 {
		return float32(1 / float64(c))
	}
	return 0
}

// globalAvg adds the mean of what changed to the clean mean.
func (b *block) globalAvg(s *step) {
	n := b.n
	k := kernel.Of(n.engine)
	v := s.in[0]
	in := n.values[v].shape
	from, w := &b.wins[v], &b.wins[s.out]
	row := in.C * n.lanes
	held := b.get(row)
	defer b.put(held)
	sum := held.data[:row]
	clear(sum)
	for y := range from.y.size {
		for x := range from.x.size {
			k.Add(sum, sum, from.data[from.at(y, x):][:row])
			for l := range n.lanes {
				b.offs[l] = int64(4 * in.C * ((from.y.at[l]+y)*in.W + from.x.at[l] + x))
			}
			kernel.LaneGather(sum, b.k.base[v], b.offs[:n.lanes], in.C, n.values[v].relu, kernel.LaneSub, 1<<n.lanes-1)
		}
	}
	scale := float32(1 / float64(in.H*in.W))
	for c := range in.C {
		m := b.k.base[s.out][c]
		for l := range n.lanes {
			w.data[c*n.lanes+l] = m + float32(sum[c*n.lanes+l]*scale)
		}
	}
}

// wholeMaps computes a layer of any kind by its own pass over whole maps.
func (b *block) wholeMaps(s *step) error {
	n := b.n
	var inputs [][]float32
	for _, v := range s.in {
		d := b.get(n.lanes * n.values[v].shape.Len())
		defer b.put(d)
		b.assemble(d.data, v)
		inputs = append(inputs, d.data)
	}
	shape := n.values[s.out].shape
	made := b.get(n.lanes * shape.Len())
	defer b.put(made)
	out := made.data
	if err := n.engine.Layer(s.node, n.shapes, n.lanes, out, inputs...); err != nil {
		return err
	}
	plane := shape.H * shape.W
	for l := range n.lanes {
		for c := range shape.C {
			for p, v := range out[(l*shape.C+c)*plane:][:plane] {
				b.wins[s.out].data[(p*shape.C+c)*n.lanes+l] = v
			}
		}
	}
	return nil
}

// assemble writes the whole maps of v, [L][C][H][W].
func (b *block) assemble(dst []float32, v int) {
	n := b.n
	shape := n.values[v].shape
	plane := shape.H * shape.W
	base, relu := b.k.base[v], n.values[v].relu
	for c := range shape.C {
		for p := range plane {
			s := base[p*shape.C+c]
			if relu {
				s = max(s, 0)
			}
			dst[c*plane+p] = s
		}
	}
	for l := 1; l < n.lanes; l++ {
		copy(dst[l*shape.Len():], dst[:shape.Len()])
	}
	for l := range n.lanes {
		b.overlay(dst[l*shape.Len():], v, l)
	}
}

// overlay writes the window of lane l into a whole map [C][H][W].
func (b *block) overlay(dst []float32, v, l int) {
	n, w := b.n, &b.wins[v]
	shape := n.values[v].shape
	if w.empty() {
		return
	}
	for y := range w.y.size {
		for x := range w.x.size {
			at := (w.y.at[l]+y)*shape.W + w.x.at[l] + x
			from := w.data[(y*w.x.size+x)*shape.C*n.lanes+l:]
			for c := range shape.C {
				dst[c*shape.H*shape.W+at] = from[c*n.lanes]
			}
		}
	}
}

// spare is working memory that runs leave to the next.
type spare struct {
	mu     sync.Mutex
	blocks []*block
	floats [][]float32
}

// spareBlocks bounds how many blocks are kept for later runs.
const spareBlocks = 64

func (s *spare) block(n *Net, k *Clean) *block {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := len(s.blocks) - 1; i >= 0 {
		b := s.blocks[i]
		s.blocks = s.blocks[:i]
		b.k = k
		return b
	}
	return &block{n: n, k: k, wins: make([]window, len(n.values)), memory: arena{size: n.arena}}
}

func (s *spare) keep(b *block) {
	b.k = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.blocks) < min(spareBlocks, b.n.works) {
		s.blocks = append(s.blocks, b)
	}
}

// drop lets what is kept go.
func (s *spare) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks, s.floats = nil, nil
}

// get returns memory with undefined contents.
func (s *spare) get(n int) []float32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, f := range s.floats {
		if cap(f) >= n && cap(f) <= 2*n+64 && (best < 0 || cap(f) < cap(s.floats[best])) {
			best = i
		}
	}
	if best < 0 {
		return make([]float32, n)
	}
	f := s.floats[best]
	last := len(s.floats) - 1
	s.floats[best] = s.floats[last]
	s.floats = s.floats[:last]
	return f[:n]
}

func (s *spare) put(f []float32) {
	if cap(f) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floats = append(s.floats, f)
}
