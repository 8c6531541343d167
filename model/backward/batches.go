package backward

import (
	"cmp"
	"slices"

	"github.com/deconvnet/viz/internal/par"
	"github.com/deconvnet/viz/model"
)

// batchUnits is the most signals that go down together.
const batchUnits = 32

// serial is about what of a batch one worker does where the workers share it layer by
// layer: above all unpooled signals, a task each.
const serial = 0.2

// cut makes batches of the signals: those of one shape together where that does not
// keep workers waiting, dear batches first, and smaller ones to the end. costs are those
// of the batches that go down side by side, which share nothing; the workers share each
// of the others. Values do not depend on it.
func (p *Pass) cut(units []*unit) (batches [][]*unit, costs []float64) {
	if p.whole {
		for i := range units {
			batches = append(batches, units[i:i+1])
		}
		return batches, nil
	}
	groups := map[string][]*unit{}
	left := 0.0
	for _, u := range units {
		left += u.geo.cost
		groups[u.geo.shape] = append(groups[u.geo.shape], u)
	}
	var shapes [][]*unit // of one cost in the order of the units
	for _, u := range units {
		if g := groups[u.geo.shape]; g[0] == u {
			shapes = append(shapes, g)
		}
	}
	slices.SortStableFunc(shapes, func(a, b []*unit) int { return cmp.Compare(b[0].geo.cost, a[0].geo.cost) })
	workers := p.engine.Workers()
	for _, g := range shapes {
		for len(g) > 0 {
			most := batchUnits
			if workers > 1 {
				most = min(most, max(int(left/g[0].geo.cost)/(2*workers), 1+len(units)/(16*workers)))
			}
			n := min(most, len(g))
			left -= float64(float64(n) * g[0].geo.cost)
			batches, g = append(batches, g[:n]), g[n:]
		}
	}
	price := func(b []*unit) float64 { return float64(len(b)) * b[0].geo.cost }
	slices.SortStableFunc(batches, func(a, b []*unit) int { return cmp.Compare(price(b), price(a)) })
	for _, b := range batches {
		costs = append(costs, price(b))
	}
	return batches, costs[:par.Aside(costs, workers, 1+float64(serial*float64(workers-1)))]
}

// cost is about the work of one signal's way down: products, and values moved.
func (p *Pass) cost(t *model.Trace, geo *geometry) float64 {
	sum := 1.0
	for i := range p.net.Nodes {
		n := &p.net.Nodes[i]
		area := float64(geo.boxes[n.Name].Area())
		sum += float64(8 * area * float64(t.Shapes[n.Name].C))
		switch l := n.Layer.(type) {
		case *model.Conv:
			sum += float64(area * float64(l.Weight.Len()))
		case *model.Dense:
			sum += float64(area * float64(l.Weight.Len()))
		}
	}
	return sum
}
