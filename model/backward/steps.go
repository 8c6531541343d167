package backward

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// step is the signals of a batch on their way through one layer, to one of its inputs.
type step struct {
	*descent
	n       *model.Node
	which   int     // number of the input
	channel int     // Concat: its first channel
	g       *signal // at the output
	in, out model.Shape
	gbox    model.Box // of g, in the first unit
	dst     piece     // what comes to the input
}

// layer takes signal g at node n's output down to its input number which. If it
// hands g's memory on, g is owned no more.
func (d *descent) layer(n *model.Node, which, channel int, g *signal) (piece, error) {
	if err := d.p.rule.refuses(n.Layer); err != nil {
		return piece{}, err
	}
	name := n.Inputs[which]
	s := &step{descent: d, n: n, which: which, channel: channel, g: g, in: d.t.Shapes[name], out: d.t.Shapes[n.Name], gbox: d.box(n.Name)}
	box, err := model.InputBox(n.Layer, s.in, s.gbox)
	if err != nil {
		return piece{}, err
	}
	if d.p.whole {
		box = s.in.Box()
	}
	s.dst = piece{box: box, signal: signal{sparse: g.sparse}}
	if err := s.take(); err != nil {
		return piece{}, err
	}
	return s.dst, nil
}

// take has a line for each kind of layer that takes many signals down at once.
func (s *step) take() error {
	switch l := s.n.Layer.(type) {
	case *model.Conv:
		if l.Maps() {
			s.conv(l)
			return nil
		}
	case *model.Dense:
		s.dense(l)
		return nil
	case *model.Pool:
		switch {
		case l.MaxOfMaps():
			return s.unpool(l)
		case l.MeanOfMaps():
			bottom, right := l.Behind()
			s.spread(kernel.PoolOf(l.Kernel, l.Stride, l.Dilation, l.Pads), bottom, right, l.CountPad)
			return nil
		}
	case *model.GlobalAvgPool:
		s.spread(kernel.WholePool(s.in.H, s.in.W), 0, 0, false)
		return nil
	case *model.ReLU, *model.Clip:
		return s.rectifier()
	case *model.Unary:
		if model.IsRectifier(l) {
			return s.rectifier()
		}
		return s.slope(l)
	case *model.Binary:
		if done, err := s.product(l); done || err != nil {
			return err
		}
	case *model.LRN:
		return s.lrn(l)
	case *model.BatchNorm:
		s.batchNorm(l)
		return nil
	case *model.Add, *model.Dropout:
		s.reuse()
		return nil
	case *model.Reshape:
		if s.gbox == s.out.Box() {
			s.reuse()
			return nil
		}
	case *model.Concat:
		if l.Maps() {
			s.channels()
			return nil
		}
	case *model.Pad:
		s.fresh()
		clear(s.dst.data)
		put(s.dst.data, s.dst.box, s.g.data, s.gbox.Shift(-l.Pads[0], -l.Pads[1]), len(s.units)*s.in.C)
		return nil
	case *model.Softmax:
		if l.Maps() {
			return s.softmax(l)
		}
	}
	return s.apart()
}

// reuse gives the input the signal's own memory, with the signal in it, if no other
// input needs it: for layers on single numbers.
func (s *step) reuse() {
	if s.which == len(s.n.Inputs)-1 {
		s.dst.data, s.dst.owned = s.g.data, s.g.owned
		s.g.owned = false
		return
	}
	s.dst.data, s.dst.owned = s.mem.get(len(s.g.data)), true
	copy(s.dst.data, s.g.data)
}

// fresh gives the input memory whose content is not defined.
func (s *step) fresh() {
	s.dst.data, s.dst.owned = s.mem.get(len(s.units)*s.in.C*s.dst.box.Area()), true
}

func (s *step) conv(l *model.Conv) {
	s.fresh()
	s.dst.sparse = false
	p, dst, g, units := s.p, &s.dst, s.g, len(s.units)
	switch {
	case !p.whole && s.single(l, dst.data, dst.box, g.data, s.gbox, s.in, s.out):
	case !p.whole && g.sparse:
		s.k.ConvDataSparse(p.down(s.n.Name, l, true, dst.box, s.in.Box()), units, dst.data, dst.box, g.data, s.gbox)
	default:
		s.k.ConvData(p.down(s.n.Name, l, false, dst.box, s.in.Box()), units, dst.data, dst.box, g.data, s.gbox)
	}
}

func (s *step) dense(l *model.Dense) {
	s.fresh()
	if s.p.whole || !singleDense(len(s.units), s.in.C, s.out.C, s.dst.data, s.g.data, l.Weight) {
		l.Down(s.p.engine, len(s.units), s.dst.data, s.g.data)
	}
}

// unpool takes a max pool down: each value goes to the place its maximum came from,
// by the switches that the trace holds.
func (s *step) unpool(l *model.Pool) error {
	all := s.t.Switches(s.n.Name)
	if all == nil {
		return fmt.Errorf("the trace does not hold its switches")
	}
	s.fresh()
	y, x := strides(l)
	s.dst.sparse = y*x > 1
	area, from := s.dst.box.Area(), s.gbox.Area()
	s.planes(s.in.C, area, func(u *unit, i, c int) {
		switches := all[u.image*s.out.Len()+c*s.out.H*s.out.W:][:s.out.H*s.out.W]
		kernel.Unpool(s.dst.data[i*area:][:area], s.boxIn(u), s.g.data[i*from:][:from], switches, u.geo.boxes[s.n.Name], s.out.W, s.in.W)
	})
	return nil
}

// spread takes a mean down: each value is divided among its window.
func (s *step) spread(pool kernel.Pool, bottom, right int, countPad bool) {
	s.fresh()
	s.k.AvgPoolGrad(pool, len(s.units)*s.in.C, s.dst.data, s.dst.box, s.g.data, s.gbox, s.in.H, s.in.W, bottom, right, countPad)
}

// rectifier takes the signal down as the rule says.
func (s *step) rectifier() (err error) {
	s.reuse()
	var y []float32
	if _, reads, _ := s.p.rule.reads(s.n.Layer); reads {
		if y, err = s.value(s.n.Name); err != nil {
			return err
		}
		defer s.mem.put(y)
	}
	s.p.rule.rectify(s.k, s.n.Layer, s.dst.data, y)
	return nil
}

func (s *step) lrn(l *model.LRN) error {
	if s.p.rule.passesLRN() {
		s.reuse()
		return nil
	}
	x, err := s.value(s.n.Inputs[s.which])
	if err != nil {
		return err
	}
	s.fresh()
	s.k.LRNGrad(len(s.units), s.in.C, s.dst.box.Area(), s.dst.data, s.g.data, x, l.Size, l.Alpha, l.Beta, l.Bias)
	s.mem.put(x)
	s.dst.sparse = false
	return nil
}

func (s *step) batchNorm(l *model.BatchNorm) {
	s.reuse()
	scale, area := s.p.scale(s.n.Name, l), s.dst.box.Area()
	s.planes(s.in.C, area, func(_ *unit, i, c int) {
		by := scale[c]
		for j, v := range s.dst.data[i*area : (i+1)*area] {
			s.dst.data[i*area+j] = v * by
		}
	})
}

// channels takes a join of channels down: the input gets its own.
func (s *step) channels() {
	s.fresh()
	from, size := len(s.g.data)/len(s.units), len(s.dst.data)/len(s.units)
	for i := range s.units {
		copy(s.dst.data[i*size:(i+1)*size], s.g.data[i*from+s.channel*s.gbox.Area():])
	}
}

func (s *step) softmax(l *model.Softmax) error {
	y, err := s.value(s.n.Name)
	if err != nil {
		return err
	}
	s.fresh()
	softmaxGrad(kernel.Axis{Outer: len(s.units), Size: s.in.C, Inner: s.gbox.Area()}, l.Log, s.dst.data, s.g.data, y)
	s.mem.put(y)
	return nil
}

// apart is for layers that take the signals of the units down one by one.
func (s *step) apart() error {
	s.dst.sparse = false
	size := len(s.g.data) / len(s.units)
	for i, u := range s.units {
		one := &solo{s.p, s.t, u.image}
		part, err := one.array(s.n, s.which, s.boxIn(u), s.g.data[i*size:(i+1)*size], u.geo.boxes[s.n.Name])
		if err != nil {
			return err
		}
		s.dst.data = append(s.dst.data, part...)
	}
	return nil
}

// boxIn is the box of the input in unit u.
func (s *step) boxIn(u *unit) model.Box {
	name := s.n.Inputs[s.which]
	a, b := s.box(name), u.geo.boxes[name]
	return s.dst.box.Shift(b.Y0-a.Y0, b.X0-a.X0)
}
