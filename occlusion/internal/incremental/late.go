package incremental

import (
	"context"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// group gathers what late steps and the caller need of a number of blocks.
type group struct {
	n       *Net
	k       *Clean
	whole   [][]float32            // by early value: [changes][C][H][W]
	changes [][]kernel.LaneChanges // by early value and block
	outputs [][]float32            // by Options.Outputs, early ones: [changes][values]
	totals  [][]float64            // by Options.Totals, early ones: [changes]
	late    [][]float32            // what late steps computed
}

// release leaves the group's memory to the next.
func (g *group) release() {
	for _, list := range [][][]float32{g.whole, g.outputs, g.late} {
		for _, d := range list {
			g.n.spare.put(d)
		}
	}
	for _, blocks := range g.changes {
		for _, b := range blocks {
			g.n.spare.put(b.Data)
		}
	}
}

func (n *Net) newGroup(k *Clean, blocks int) *group {
	g := &group{n: n, k: k, whole: make([][]float32, len(n.values)), changes: make([][]kernel.LaneChanges, len(n.values))}
	for i, v := range n.values {
		if v.spatial {
			g.whole[i] = n.spare.get(blocks * n.lanes * v.shape.Len())
		}
	}
	for _, l := range n.late {
		if l.delta >= 0 {
			g.changes[l.delta] = make([]kernel.LaneChanges, blocks)
		}
	}
	for _, name := range n.o.Outputs {
		var d []float32
		if id, early := n.ids[name]; early {
			d = n.spare.get(blocks * n.lanes * n.values[id].shape.Len())
		}
		g.outputs = append(g.outputs, d)
	}
	for _, name := range n.o.Totals {
		var d []float64
		if _, early := n.ids[name]; early {
			d = make([]float64, blocks*n.lanes)
		}
		g.totals = append(g.totals, d)
	}
	return g
}

// take keeps what is needed of a finished block.
func (g *group) take(b *block, job Job, slot, count int) {
	n := g.n
	for id, v := range n.values {
		if g.whole[id] != nil {
			size := v.shape.Len()
			for l := range count {
				d := g.whole[id][(slot*n.lanes+l)*size:][:size]
				copy(d, g.k.whole[id])
				b.overlay(d, id, l)
			}
		}
		if g.changes[id] != nil {
			g.changes[id][slot] = b.changed(id)
		}
	}
	for i, name := range n.o.Outputs {
		if g.outputs[i] == nil {
			continue
		}
		id := n.ids[name]
		size := n.values[id].shape.Len()
		clean := g.k.Value(name)
		for l := range count {
			d := g.outputs[i][(slot*n.lanes+l)*size:][:size]
			copy(d, clean)
			b.overlay(d, id, l)
		}
	}
	for i, name := range n.o.Totals {
		if g.totals[i] == nil {
			continue
		}
		b.total(g.totals[i][slot*n.lanes:][:count], n.ids[name], job.Maps[i])
	}
}

// changed returns the changes of v in one box that holds those of all lanes.
func (b *block) changed(v int) kernel.LaneChanges {
	n, w := b.n, &b.wins[v]
	if w.empty() {
		return kernel.LaneChanges{}
	}
	box := n.changed(b.wins, v)
	f := &frame{h: box.H(), w: box.W()}
	for l := range n.lanes {
		f.y[l], f.x[l] = box.Y0, box.X0
	}
	row := n.values[v].shape.C * n.lanes
	c := kernel.LaneChanges{Box: box, Data: n.spare.get(box.Area() * row)}
	b.load(c.Data, row, f, v, 0, true)
	return c
}

// total sums map c of v for some lanes, in the order and precision of a sum over
// the whole map.
func (b *block) total(dst []float64, v, c int) {
	n, w := b.n, &b.wins[v]
	val := &n.values[v]
	s := val.shape
	plane := make([]float32, s.H*s.W)
	for p := range plane {
		plane[p] = b.k.base[v][p*s.C+c]
		if val.relu {
			plane[p] = max(plane[p], 0)
		}
	}
	if w.empty() {
		for l := range dst {
			dst[l] = sum(plane)
		}
		return
	}
	// Sums of the rows before and after a window do not depend on it.
	rows := make([]float64, s.H+1)
	for y := range s.H {
		rows[y+1] = rows[y]
		for _, p := range plane[y*s.W : (y+1)*s.W] {
			rows[y+1] += float64(p)
		}
	}
	for l := range dst {
		y0, x0 := w.y.at[l], w.x.at[l]
		t := rows[y0]
		for y := y0; y < s.H; y++ {
			row := plane[y*s.W : (y+1)*s.W]
			if y >= y0+w.y.size {
				for _, p := range row {
					t += float64(p)
				}
				continue
			}
			for _, p := range row[:x0] {
				t += float64(p)
			}
			for x := range w.x.size {
				t += float64(w.data[(((y-y0)*w.x.size+x)*s.C+c)*n.lanes+l])
			}
			for _, p := range row[x0+w.x.size:] {
				t += float64(p)
			}
		}
		dst[l] = t
	}
}

func sum(v []float32) (s float64) {
	for _, x := range v {
		s += float64(x)
	}
	return s
}

// finish runs the late steps for count changes, the first of which is at, and
// hands out results.
func (g *group) finish(ctx context.Context, job Job, at, count int) error {
	n := g.n
	value := map[string][]float32{}
	for name, id := range n.ids {
		if g.whole[id] != nil {
			value[name] = g.whole[id]
		}
	}
	last := map[string]int{}
	for i, l := range n.late {
		for _, in := range l.node.Inputs {
			last[in] = i
		}
	}
	for i, l := range n.late {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := l.node.Name
		if l.alias {
			value[name] = value[l.node.Inputs[0]]
			continue
		}
		out := n.shapes[name]
		d := n.spare.get(count * out.Len())
		g.late = append(g.late, d)
		if l.delta >= 0 {
			v := n.values[l.delta].shape
			n.laneDense(l.node.Layer.(*model.Dense), count, v, d, g.k.value[name], g.changes[l.delta])
		} else if dense, ok := l.node.Layer.(*model.Dense); ok && !n.o.Exact && g.k.value[l.node.Inputs[0]] != nil {
			g.dense(d, count, dense, value[l.node.Inputs[0]], g.k.value[l.node.Inputs[0]], g.k.value[name])
		} else {
			var inputs [][]float32
			for _, in := range l.node.Inputs {
				inputs = append(inputs, value[in][:count*n.shapes[in].Len()])
			}
			if err := n.engine.Layer(l.node, n.shapes, count, d, inputs...); err != nil {
				return err
			}
		}
		value[name] = d
		for _, in := range l.node.Inputs {
			if last[in] == i && !slices.Contains(n.o.Outputs, in) && !slices.Contains(n.o.Totals, in) {
				delete(value, in)
			}
		}
	}
	n.engine.For(count, func(i int) {
		outputs := make([][]float32, len(n.o.Outputs))
		totals := make([]float64, len(n.o.Totals))
		for j, name := range n.o.Outputs {
			size := n.shapes[name].Len()
			from := g.outputs[j]
			if from == nil {
				from = value[name]
			}
			outputs[j] = from[i*size : (i+1)*size]
		}
		for j, name := range n.o.Totals {
			if g.totals[j] != nil {
				totals[j] = g.totals[j][i]
				continue
			}
			s := n.shapes[name]
			totals[j] = sum(value[name][i*s.Len()+job.Maps[j]*s.H*s.W:][:s.H*s.W])
		}
		job.Done(at+i, outputs, totals)
	})
	return nil
}

// laneDense is what a dense layer makes of maps of shape s with changes.
func (n *Net) laneDense(l *model.Dense, count int, s model.Shape, dst, clean []float32, blocks []kernel.LaneChanges) {
	k, out := kernel.Of(n.engine), len(clean)
	l.Rows(n.engine, func(from, to int, w []float32) {
		if to-from == out {
			k.LaneDense(count, s.C, s.H, s.W, dst, w, clean, blocks)
			return
		}
		part := n.spare.get(count * (to - from))
		k.LaneDense(count, s.C, s.H, s.W, part, w, clean[from:to], blocks)
		for i := range count {
			copy(dst[i*out+from:], part[i*(to-from):(i+1)*(to-from)])
		}
		n.spare.put(part)
	})
}

// dense computes a dense layer from inputs [count][c] by what differs from the
// clean ones.
func (g *group) dense(dst []float32, count int, l *model.Dense, x, clean, cleanOut []float32) {
	n := g.n
	c := len(clean)
	blocks := make([]kernel.LaneChanges, (count+n.lanes-1)/n.lanes)
	n.engine.For(len(blocks), func(i int) {
		d := n.spare.get(c * n.lanes)
		for l := range min(n.lanes, count-i*n.lanes) {
			for j, v := range x[(i*n.lanes+l)*c:][:c] {
				d[j*n.lanes+l] = v - clean[j]
			}
		}
		blocks[i] = kernel.LaneChanges{Box: kernel.Full(1, 1), Data: d}
	})
	n.laneDense(l, count, model.Shape{C: c, H: 1, W: 1}, dst, cleanOut, blocks)
	for _, b := range blocks {
		n.spare.put(b.Data)
	}
}
