package incremental

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// Cost is what a run is predicted to take.
type Cost struct {
	Changes int
	MACs    float64 // multiply-adds of all changes; the clean pass is not counted
	Whole   float64 // of whole passes
	Memory  int     // bytes beside the network's own weights
	Layers  []LayerCost
}

// LayerCost is a layer's part, the mean over changes.
type LayerCost struct {
	Layer string
	Way   string // box, clip, winograd, delta, whole; "" where nothing is multiplied
	MACs  float64
	Whole float64 // of a whole pass
	Box   float64 // places computed
	Map   int     // places of the map
}

// The unit of cost is a multiply-add of all lanes: one cycle, of two vectors.
// The constants were measured on AVX-512.
const (
	rowCost    = 4   // beginning and end of a row of a tile
	packCost   = 5   // an operand that is copied into place
	gatherCost = 24  // a clean value
	copyCost   = 5   // a value that is moved or cleared
	inCost     = 100 // a tile of one channel to its 16 products
	outCost    = 150 // and back
	planeCost  = 1.5 // a multiply-add of a depthwise convolution
)

// convWay predicts cost and multiply-adds of a convolution of in places to
// out places.
func (s *step) convWay(way kernel.LaneWay, out, in *window) (cost, macs float64) {
	g := s.geo
	groups := max(g.Groups, 1)
	cg, kg := float64(g.In/groups), float64(g.Out)
	taps := float64(g.KH * g.KW)
	places := float64(out.places())
	switch way {
	case kernel.LaneDirect:
		macs = float64(places * taps * cg * kg)
		cost = macs + float64(places*kg*rowCost)
		switch {
		case g.LanePlanes():
			frame := float64(((out.y.size-1)*max(g.StrideY, 1) + g.KH) * ((out.x.size-1)*max(g.StrideX, 1) + g.KW))
			cost = float64(planeCost*macs) + float64(frame*kg*copyCost) + float64(max(frame-float64(in.places()), 0)*kg*gatherCost)
		case taps > 1:
			frame := float64(((out.y.size-1)*max(g.StrideY, 1) + g.KH) * ((out.x.size-1)*max(g.StrideX, 1) + g.KW))
			cost += float64(places*taps*float64(g.In)*packCost) + float64(frame*float64(g.In)*copyCost) + float64(max(frame-float64(in.places()), 0)*float64(g.In)*gatherCost)
		}
		return cost, macs
	case kernel.LaneTaps:
		ty := hits(&out.y, &in.y, max(g.StrideY, 1), g.PadTop, g.KH, max(g.DilY, 1))
		tx := hits(&out.x, &in.x, max(g.StrideX, 1), g.PadLeft, g.KW, max(g.DilX, 1))
		products := float64(ty * tx)
		macs = float64(products * cg * kg)
		tiles := products
		if groups == 1 && g.In*g.KW <= 512 { // a row of taps is one sum
			tiles = float64(ty * out.x.size)
		}
		cost = macs + float64(tiles*kg*rowCost)
	case kernel.LaneWinograd:
		tiles := float64((in.y.size + 1) / 2 * ((in.x.size + 1) / 2))
		macs = float64(tiles * 16 * cg * kg)
		cost = macs + float64(tiles*(float64(16*kg*rowCost)+float64(cg*inCost)+float64(kg*outCost)))
	}
	return cost + float64((float64(float64(in.places())*float64(g.In))+float64(places*kg))*(gatherCost+copyCost)), macs
}

// hits counts the pairs of an output and a tap along an axis that read a changed
// input.
func hits(out, in *axis, stride, pad, k, dil int) (n int) {
	for o := range out.size {
		for t := range k {
			if i := (out.at[0]+o)*stride - pad + t*dil - in.at[0]; i >= 0 && i < in.size {
				n++
			}
		}
	}
	return n
}

var wayNames = map[kernel.LaneWay]string{kernel.LaneDirect: "box", kernel.LaneTaps: "clip", kernel.LaneWinograd: "winograd"}

// sample is how many blocks predictions are made from.
const sample = 24

// blocks calls f with the windows of blocks of changes, evenly spread.
func (n *Net) blocks(changes []model.Box, f func(wins []window, count int)) {
	total := (len(changes) + n.lanes - 1) / n.lanes
	count := min(total, sample)
	list := func(i int) []model.Box {
		b := (2*i + 1) * total / (2 * count)
		return changes[b*n.lanes : min((b+1)*n.lanes, len(changes))]
	}
	wins := make([][]window, count)
	n.engine.For(count, func(i int) {
		wins[i] = make([]window, len(n.values))
		n.plan(wins[i], list(i))
	})
	for i, w := range wins {
		f(w, len(list(i)))
	}
}

// choose decides the way of each convolution and packs its weights.
func (n *Net) choose() error {
	if len(n.o.Changes) == 0 {
		return fmt.Errorf("no changes to prepare for")
	}
	total := make([][3]float64, len(n.steps))
	n.blocks(n.o.Changes, func(wins []window, _ int) {
		for i := range n.steps {
			s := &n.steps[i]
			if s.op != opConv || wins[s.out].empty() {
				continue
			}
			for _, way := range s.ways(n.o.Exact) {
				c, _ := s.convWay(way, &wins[s.out], &wins[s.in[0]])
				total[i][way] += c
			}
		}
	})
	n.engine.For(len(n.steps), func(i int) {
		s := &n.steps[i]
		if s.op != opConv {
			return
		}
		for _, way := range s.ways(n.o.Exact) {
			if total[i][way] < total[i][s.way] {
				s.way = way
			}
		}
		s.conv = kernel.PackLanes(s.geo, s.w, s.way)
		if !n.o.Exact && n.rectified(s.in[0]) {
			s.conv.SkipZeros()
		}
		s.w = nil
	})
	return n.budget()
}

// rectified reports whether many numbers of a value are 0: those of a rectifier, or of
// what keeps them.
func (n *Net) rectified(v int) bool {
	for i := range n.steps {
		s := &n.steps[i]
		if s.out != v {
			continue
		}
		switch s.op {
		case opMaxPool, opConcat, opPad:
			return n.rectified(s.in[0])
		case opBinary: // maps times a number each
			return s.arith == kernel.MulOp && s.small >= 0 && n.rectified(s.in[1-s.small])
		}
		return s.relu || s.clip != nil && s.clip.Low() == 0
	}
	return false
}

// ways lists the ways open to a convolution, LaneDirect first.
func (s *step) ways(exact bool) []kernel.LaneWay {
	ways := []kernel.LaneWay{kernel.LaneDirect}
	if exact || alwaysDirect(s.geo) {
		return ways
	}
	ways = append(ways, kernel.LaneTaps)
	if s.geo.CanWinograd() {
		ways = append(ways, kernel.LaneWinograd)
	}
	return ways
}

// Cost predicts a run over changes.
func (n *Net) Cost(changes []model.Box) Cost {
	c := Cost{Changes: len(changes), Memory: n.memory}
	layers := map[string]int{}
	at := func(name string) *LayerCost {
		i, ok := layers[name]
		if !ok {
			i = len(c.Layers)
			layers[name] = i
			c.Layers = append(c.Layers, LayerCost{Layer: name})
		}
		return &c.Layers[i]
	}
	whole := n.wholeMACs()
	seen := 0.0
	n.blocks(changes, func(wins []window, count int) {
		k := float64(count)
		seen += k
		for i := range n.steps {
			s := &n.steps[i]
			w := &wins[s.out]
			l := at(s.node.Name)
			l.Map = n.values[s.out].shape.H * n.values[s.out].shape.W
			l.Whole = whole[s.node.Name]
			l.Box += float64(k * float64(w.places()))
			if w.empty() {
				continue
			}
			switch s.op {
			case opConv:
				_, macs := s.convWay(s.way, w, &wins[s.in[0]])
				l.MACs += float64(k * macs)
				l.Way = wayNames[s.way]
			case opWhole:
				l.Way = "whole"
				l.MACs += float64(k * l.Whole)
			default:
				l.MACs += float64(k*l.Whole) * float64(w.places()) / float64(max(l.Map, 1))
			}
		}
		for i := range n.late {
			late := &n.late[i]
			l := at(late.node.Name)
			l.Map = n.shapes[late.node.Name].H * n.shapes[late.node.Name].W
			l.Whole = whole[late.node.Name]
			l.Box += float64(k * float64(l.Map))
			macs := l.Whole
			if late.delta >= 0 {
				l.Way = "delta"
				box := n.changed(wins, late.delta)
				s := n.values[late.delta].shape
				macs *= float64(box.Area()) / float64(s.H*s.W)
			} else if macs > 0 {
				l.Way = "whole"
			}
			l.MACs += float64(k * macs)
		}
	})
	for i := range c.Layers {
		l := &c.Layers[i]
		l.MACs /= seen
		l.Box /= seen
		c.MACs += float64(l.MACs * float64(len(changes)))
		c.Whole += float64(l.Whole * float64(len(changes)))
	}
	return c
}

// work predicts the cost of every block, and that of a change in late steps.
func (n *Net) work(changes []model.Box) (blocks []float64, perChange float64) {
	whole := n.wholeMACs()
	blocks = make([]float64, (len(changes)+n.lanes-1)/n.lanes)
	const each = 2 // blocks of a task, which share the memory of their windows
	n.engine.For((len(blocks)+each-1)/each, func(task int) {
		wins := make([]window, len(n.values))
		for i := task * each; i < min((task+1)*each, len(blocks)); i++ {
			n.plan(wins, changes[i*n.lanes:min((i+1)*n.lanes, len(changes))])
			blocks[i] = n.workOf(wins, whole)
		}
	})
	for _, l := range n.late {
		perChange += whole[l.node.Name] / float64(n.lanes)
	}
	return blocks, perChange
}

// workOf predicts the cost of a block with the given windows.
func (n *Net) workOf(wins []window, whole map[string]float64) float64 {
	cost := 1.0
	for i := range n.steps {
		s := &n.steps[i]
		w := &wins[s.out]
		cost += float64(float64(w.places()*n.values[s.out].shape.C) * 2 * copyCost)
		if s.op == opConv && !w.empty() {
			c, _ := s.convWay(s.way, w, &wins[s.in[0]])
			cost += c
		}
		if s.op == opWhole && !w.empty() {
			cost += whole[s.node.Name]
		}
	}
	return cost
}

// wholeMACs returns the multiply-adds of each layer in a whole pass.
func (n *Net) wholeMACs() map[string]float64 {
	out := map[string]float64{}
	if summary, err := n.net.Summary(); err == nil {
		for _, l := range summary {
			out[l.Name] = float64(l.MACs)
		}
	}
	return out
}

// changed is the box that holds the changes of v in all lanes.
func (n *Net) changed(wins []window, v int) kernel.Box {
	w := &wins[v]
	var box kernel.Box
	for l := range n.lanes {
		box = box.Union(kernel.Box{Y0: w.y.lo[l], X0: w.x.lo[l], Y1: w.y.hi[l], X1: w.x.hi[l]})
	}
	return box
}

// blocksEach is how many blocks of a group a worker has at least, unless Options
// say how much memory there is: at the end of each group all wait for the last.
const blocksEach = 4

// defaultMemory is what is worked in unless Options say otherwise.
const defaultMemory = 280 << 20

// MemoryError says that the memory allowed is not enough.
type MemoryError struct{ Need, Limit int }

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%d MB of memory are needed beside the network's weights, %d MB are allowed", (e.Need+999_999)/1_000_000, e.Limit/1_000_000)
}

// budget decides how many blocks are worked on at once and how many late steps
// wait for, within the memory allowed.
func (n *Net) budget() error {
	total := (len(n.o.Changes) + n.lanes - 1) / n.lanes
	// What stays, and what the clean pass takes before blocks are worked on.
	fixed, clean := 0, 16<<20
	for i := range n.steps {
		if c := n.steps[i].conv; c != nil {
			fixed += c.Bytes()
			clean += 4 * n.steps[i].geo.Out * n.steps[i].geo.In / max(n.steps[i].geo.Groups, 1) * n.steps[i].geo.KH * n.steps[i].geo.KW
		}
	}
	for _, v := range n.values {
		fixed += 4 * v.shape.Len()
		clean += 4 * v.shape.Len()
		if v.spatial {
			fixed += 4 * v.shape.Len()
		}
	}
	dense := 0
	for _, l := range n.late {
		if d, ok := l.node.Layer.(*model.Dense); ok && l.delta >= 0 {
			s := n.values[l.delta].shape
			dense = max(dense, kernel.LaneDenseScratch(s.C, s.H, s.W))
		} else if ok && !n.o.Exact {
			dense = max(dense, kernel.LaneDenseScratch(d.Weight.Shape[1], 1, 1))
		}
	}
	fixed += dense * n.engine.Workers()
	work, keep := n.need()
	limit, need := n.o.Memory, fixed+max(clean, work+keep)
	if limit == 0 {
		limit = max(defaultMemory, need, fixed+(work+blocksEach*keep)*n.engine.Workers())
	}
	if need > limit {
		return &MemoryError{need, limit}
	}
	n.works = min(n.engine.Workers(), total)
	for n.works > 1 && fixed+n.works*(work+keep) > limit {
		n.works--
	}
	n.group = min(total, max(n.works, (limit-fixed-n.works*work)/max(keep, 1)))
	if n.group < total { // groups of one size, as many blocks for each worker
		groups := (total + n.group - 1) / n.group
		n.group = (total + groups - 1) / groups
		if more := (n.group + n.works - 1) / n.works * n.works; fixed+n.works*work+more*keep <= limit {
			n.group = more
		} else {
			n.group = max(n.works, n.group/n.works*n.works)
		}
	}
	n.memory = fixed + max(clean, n.works*work+n.group*keep)
	return nil
}
