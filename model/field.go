package model

import "fmt"

// Fields answers what units see of the input as if no map had a border: the
// boxes of ReceptiveBox, not clipped to any map.
type Fields struct {
	net    *Network
	reach  [][]reach // by node and input
	from   [][]int   // by node: its inputs, 0 for the network's input, i+1 for node i
	at     map[string]int
	whole  []bool // by node: it sees all of the input
	period []int  // by node: after how many units what they see has the same shape again
	lines  []seen // by node
}

// seen says what the units of a node depend on, by rows and columns. Most networks have them for every node; without, Box
// goes through the nodes before.
type seen struct {
	known, nothing bool // nothing: no unit depends on the input
	axes           [2]*walk
}

// joined are the lines of a node with one more input, of which it sees what r says and which has the lines in.
func (l seen) joined(r reach, in seen, work *int) seen {
	if !l.known || !in.known {
		return seen{}
	}
	if in.nothing {
		return l
	}
	for axis := range in.axes {
		w, ok := in.axes[axis].through(r, axis, work)
		if ok && !l.nothing {
			w, ok = w.beside(l.axes[axis])
		}
		if !ok {
			return seen{}
		}
		in.axes[axis] = w
	}
	return in
}

// box is what the unit at y, x depends on.
func (l seen) box(y, x int) Box {
	if l.nothing {
		return Box{}
	}
	y0, y1 := l.axes[0].at(y)
	x0, x1 := l.axes[1].at(x)
	if y0 >= y1 || x0 >= x1 {
		return Box{}
	}
	return Box{Y0: y0, X0: x0, Y1: y1, X1: x1}
}

// maxFieldWork bounds the steps that the fields of all nodes take together: in a network that is made to take more, the
// nodes after that are said to see everything.
const maxFieldWork = 1 << 26

// Fields prepares for questions about receptive fields. shapes is what Shapes
// returned.
func (net *Network) Fields(shapes map[string]Shape) (*Fields, error) {
	n := len(net.Nodes)
	f := &Fields{net: net, reach: make([][]reach, n), from: make([][]int, n), at: map[string]int{net.Input.Name: 0},
		whole: make([]bool, n+1), period: make([]int, n+1), lines: make([]seen, n+1)}
	f.period[0] = 1
	same := &walk{from: []int{0}, to: []int{1}, advance: 1}
	f.lines[0] = seen{known: true, axes: [2]*walk{same, same}}
	work := 0
	for i := range net.Nodes {
		node := &net.Nodes[i]
		k, ok := node.Layer.(kind)
		if !ok {
			return nil, fmt.Errorf("layer %s: %w", node.Name, unknownKind(node.Layer))
		}
		f.at[node.Name], f.period[i+1] = i+1, 1
		l := seen{known: true, nothing: true}
		for _, name := range node.Inputs {
			from, r := f.at[name], k.reach(shapes[name])
			f.from[i], f.reach[i] = append(f.from[i], from), append(f.reach[i], r)
			f.whole[i+1] = f.whole[i+1] || f.whole[from] || r.way == wholeMap
			period := f.period[from]
			if r.way == scattered {
				if period *= r.window.StrideY; r.window.StrideX != r.window.StrideY {
					period *= r.window.StrideX
				}
			}
			f.period[i+1] = min(max(f.period[i+1], period), maxPeriod)
			if !f.whole[i+1] {
				l = l.joined(r, f.lines[from], &work)
			}
		}
		f.lines[i+1] = l
		if !l.known && !f.whole[i+1] {
			work += (i + 1) * (f.period[i+1] + 2)
		}
		f.whole[i+1] = f.whole[i+1] || work > maxFieldWork
	}
	return f, nil
}

// Box returns the part of the input that the unit at row y, column x of the node
// called name would depend on if no map had a border; rows and columns may be
// negative or beyond the input. ok is false if the unit sees all of the input.
func (f *Fields) Box(name string, y, x int) (b Box, ok bool) {
	at, known := f.at[name]
	if !known || f.whole[at] {
		return Box{}, false
	}
	if f.lines[at].known {
		return f.lines[at].box(y, x), true
	}
	return f.boxByNodes(at, y, x), true
}

// boxByNodes goes from a node through all before it.
func (f *Fields) boxByNodes(at, y, x int) Box {
	boxes := make([]Box, at+1)
	boxes[at] = Box{Y0: y, X0: x, Y1: y + 1, X1: x + 1}
	for i := at - 1; i >= 0; i-- {
		if boxes[i+1].Empty() {
			continue
		}
		for k, from := range f.from[i] {
			boxes[from] = boxes[from].Union(f.reach[i][k].open(boxes[i+1]))
		}
	}
	return boxes[0]
}

// open is the box of the input that box out of the output depends on, without borders.
func (r reach) open(out Box) Box {
	switch r.way {
	case windowed:
		return r.window.InputBox(out)
	case scattered:
		const far, end = 1 << 16, 1 << 30 // away from the border at 0
		return r.window.OutputBox(out.Shift(far*r.window.StrideY, far*r.window.StrideX), end, end).Shift(-far, -far)
	}
	return out
}

// Size returns the rows and columns of the input that a unit of the node called
// name sees far from the border, the most that any of its units does, and how
// many input pixels are between neighbouring units; 0: it sees all of the input.
func (f *Fields) Size(name string) (size, stride [2]int) {
	at := f.at[name]
	if l := f.lines[at]; l.known && !l.nothing && !f.whole[at] {
		for axis, w := range l.axes {
			size[axis], stride[axis] = w.size(), w.advance/len(w.from)
		}
		if size[0] == 0 || size[1] == 0 {
			return [2]int{}, [2]int{}
		}
		return size, stride
	}
	period := f.period[at]
	first, ok := f.Box(name, 0, 0)
	if !ok {
		return
	}
	for i := range period {
		b, _ := f.Box(name, i, i)
		size[0], size[1] = max(size[0], b.H()), max(size[1], b.W())
	}
	next, _ := f.Box(name, period, period)
	return size, [2]int{(next.Y0 - first.Y0) / period, (next.X0 - first.X0) / period}
}
