package backward

import (
	"fmt"
	"math"
	"sync"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// at returns what unit u has of a node's value in the trace, in the box of this step's signal, as [C][h][w]:
// the trace's own numbers if that is all of it, else a copy in buf, which has room for it. Not to be written to.
func (s *step) at(name string, u *unit, buf []float32) ([]float32, error) {
	v := s.t.Value(name)
	if v == nil {
		return nil, fmt.Errorf("the trace does not hold the value of %s", name)
	}
	shape, box := s.t.Shapes[name], u.geo.boxes[s.n.Name]
	all := v.Data[u.image*shape.Len():][:shape.Len()]
	if box == shape.Box() {
		return all, nil
	}
	buf = buf[:shape.C*box.Area()]
	cutTo(buf, all, shape.Box(), box, shape.C)
	return buf, nil
}

// slope multiplies the signal by the slope of a function of single numbers.
func (s *step) slope(l *model.Unary) error {
	s.reuse()
	size := len(s.dst.data) / len(s.units)
	bufX, bufY := s.mem.get(size), s.mem.get(size)
	defer s.mem.put(bufX)
	defer s.mem.put(bufY)
	for i, u := range s.units {
		x, err := s.at(s.n.Inputs[0], u, bufX)
		if err != nil {
			return err
		}
		if all := s.slopes(l, u); all != nil {
			if box, from := u.geo.boxes[s.n.Name], s.out.Box(); box != from {
				cutTo(bufY[:size], all, from, box, s.out.C)
				all = bufY[:size]
			}
			s.k.MulKept(s.dst.data[i*size:(i+1)*size], s.dst.data[i*size:(i+1)*size], all)
			continue
		}
		y, err := s.at(s.n.Name, u, bufY)
		if err != nil {
			return err
		}
		g := s.dst.data[i*size : (i+1)*size]
		l.ApplySlope(s.p.engine, g, g, x, y)
	}
	return nil
}

// kept are slopes of functions that many signals go down through, one of each value and image.
type kept struct {
	signals int // that go down together
	mu      sync.Mutex
	slopes  map[keptKey][]float32
}

type keptKey struct {
	name  string
	image int
}

// slopes are those of all of a value, or nil if it is less work to find those in the boxes of the signals.
func (s *step) slopes(l *model.Unary, u *unit) []float32 {
	if 2*s.out.Box().Area() > s.kept.signals*u.geo.boxes[s.n.Name].Area() {
		return nil
	}
	key := keptKey{s.n.Name, u.image}
	s.kept.mu.Lock()
	all, ok := s.kept.slopes[key]
	s.kept.mu.Unlock()
	if ok {
		return all
	}
	if v := s.t.Value(s.n.Inputs[0]); v != nil {
		n := s.out.Len()
		all = make([]float32, n)
		if !l.Slopes(s.p.engine, all, v.Data[u.image*n:][:n]) {
			all = nil
		}
	}
	s.kept.mu.Lock() // another batch may have found the same: nobody waits for it
	s.kept.slopes[key] = all
	s.kept.mu.Unlock()
	return all
}

// product takes a product of two maps down to one of them, if it is one; either may have a single number for each
// map, as behind squeeze-and-excitation. The bits are those of solo.binary: a signal of 0 stays 0 whatever it is
// multiplied with, and sums run in the order of the places.
func (s *step) product(l *model.Binary) (done bool, err error) {
	if len(s.n.Inputs) != 2 || l.Op != model.BinaryMul {
		return false, nil
	}
	other := s.n.Inputs[1-s.which]
	ins := []model.Shape{s.t.Shapes[s.n.Inputs[0]], s.t.Shapes[s.n.Inputs[1]]}
	switch small, ok := l.OnMaps(s.out, ins); {
	case !ok:
		return false, nil
	case small == s.which:
		return true, s.gather(other)
	case small >= 0:
		return s.scaleMaps(other)
	}
	s.reuse()
	size := len(s.dst.data) / len(s.units)
	buf := s.mem.get(size)
	defer s.mem.put(buf)
	for i, u := range s.units {
		x, err := s.at(other, u, buf)
		if err != nil {
			return false, err
		}
		for j, v := range s.dst.data[i*size : (i+1)*size] {
			if v != 0 {
				s.dst.data[i*size+j] = v * x[j]
			}
		}
	}
	return true, nil
}

// scaleMaps multiplies each map of the signal by the number that the value called name has for it. It does nothing if
// one of those is not finite.
func (s *step) scaleMaps(name string) (done bool, err error) {
	v := s.t.Value(name)
	if v == nil {
		return false, fmt.Errorf("the trace does not hold the value of %s", name)
	}
	chans, area := s.in.C, s.gbox.Area()
	by := s.mem.get(len(s.units) * chans)
	defer s.mem.put(by)
	for i, u := range s.units {
		copy(by[i*chans:(i+1)*chans], v.Data[u.image*chans:])
	}
	for _, x := range by {
		if x-x != 0 {
			return false, nil
		}
	}
	s.reuse()
	walk := kernel.NewWalk([]int{chans, area}, []int{area, 1}, []int{1, 0})
	s.k.Combine(kernel.MulOp, walk, len(s.units), chans*area, chans*area, chans, s.dst.data, s.dst.data, by)
	return true, nil
}

// gather sums each map of the signal times the value called name.
func (s *step) gather(name string) error {
	s.fresh()
	s.dst.sparse = false
	chans, area := s.in.C, s.gbox.Area()
	buf := s.mem.get(chans * area)
	defer s.mem.put(buf)
	const group = 4 // maps of a task
	for i, u := range s.units {
		x, err := s.at(name, u, buf)
		if err != nil {
			return err
		}
		dst, g := s.dst.data[i*chans:(i+1)*chans], s.g.data[i*chans*area:(i+1)*chans*area]
		s.k.For((chans+group-1)/group, func(task int) {
			c := task * group
			if c+group > chans {
				for ; c < chans; c++ {
					dst[c] = dot(g[c*area:(c+1)*area], x[c*area:(c+1)*area])
				}
				return
			}
			dots4(dst[c:c+4], g[c*area:(c+4)*area], x[c*area:(c+4)*area])
		})
	}
	return nil
}

// dot sums g times x where g is not 0, in order.
func dot(g, x []float32) float32 {
	sum := float32(0)
	for i, v := range g {
		if v != 0 {
			sum += float32(v * x[i])
		}
	}
	return sum
}

// dots4 is dot for four rows side by side, whose sums do not wait for each other.
func dots4(dst, g, x []float32) {
	n := len(g) / 4
	g0, g1, g2, g3 := g[:n], g[n:][:n], g[2*n:][:n], g[3*n:][:n]
	x0, x1, x2, x3 := x[:n], x[n:][:n], x[2*n:][:n], x[3*n:][:n]
	var a, b, c, d float32
	for i := range g0 {
		a += float32(g0[i] * x0[i])
		b += float32(g1[i] * x1[i])
		c += float32(g2[i] * x2[i])
		d += float32(g3[i] * x3[i])
	}
	for i, v := range [4]float32{a, b, c, d} {
		if math.IsNaN(float64(v)) { // perhaps of a 0 times an infinity
			v = dot(g[i*n:(i+1)*n], x[i*n:(i+1)*n])
		}
		dst[i] = v
	}
}
