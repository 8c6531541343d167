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
	lines  []line // by node
}

// line says which rows and columns of the input the unit at y, x of a node depends on: those from y*stride+from on, up to
// y*stride+to. Networks without transposed convolutions, whose branches have one stride, have such a rule for every node;
// without one, Box goes through the nodes before.
type line struct {
	known, nothing   bool   // nothing: no unit depends on the input
	stride, from, to [2]int // rows, columns
}

// maxLine bounds strides and distances of lines, so that none overflows.
const maxLine = 1 << 24

// joined is the line of a node with one more input, of which it sees what r says and which has the line in.
func (l line) joined(r reach, in line) line {
	if !l.known || !in.known || r.way == scattered {
		return line{}
	}
	if in.nothing {
		return l
	}
	if r.way == windowed {
		one := r.window.InputBox(Box{Y1: 1, X1: 1})
		next := r.window.InputBox(Box{Y0: 1, X0: 1, Y1: 2, X1: 2})
		was := in.stride
		in.stride = [2]int{was[0] * (next.Y0 - one.Y0), was[1] * (next.X0 - one.X0)}
		in.from = [2]int{in.from[0] + one.Y0*was[0], in.from[1] + one.X0*was[1]}
		in.to = [2]int{in.to[0] + (one.Y1-1)*was[0], in.to[1] + (one.X1-1)*was[1]}
	}
	for a := range 2 {
		if max(in.stride[a], in.to[a], -in.from[a]) > maxLine || !l.nothing && l.stride[a] != in.stride[a] {
			return line{}
		}
		if !l.nothing {
			in.from[a], in.to[a] = min(in.from[a], l.from[a]), max(in.to[a], l.to[a])
		}
	}
	return in
}

// box is what the unit at y, x depends on.
func (l line) box(y, x int) Box {
	if l.nothing {
		return Box{}
	}
	y, x = y*l.stride[0], x*l.stride[1]
	return Box{Y0: y + l.from[0], X0: x + l.from[1], Y1: y + l.to[0], X1: x + l.to[1]}
}

// maxPeriod bounds how many units are compared; transposed convolutions with
// larger strides are unknown.
const maxPeriod = 64

// Fields prepares for questions about receptive fields. shapes is what Shapes
// returned.
func (net *Network) Fields(shapes map[string]Shape) (*Fields, error) {
	n := len(net.Nodes)
	f := &Fields{net: net, reach: make([][]reach, n), from: make([][]int, n), at: map[string]int{net.Input.Name: 0},
		whole: make([]bool, n+1), period: make([]int, n+1), lines: make([]line, n+1)}
	f.period[0] = 1
	f.lines[0] = line{known: true, stride: [2]int{1, 1}, to: [2]int{1, 1}}
	for i := range net.Nodes {
		node := &net.Nodes[i]
		k, ok := node.Layer.(kind)
		if !ok {
			return nil, fmt.Errorf("layer %s: %w", node.Name, unknownKind(node.Layer))
		}
		f.at[node.Name], f.period[i+1] = i+1, 1
		l := line{known: true, nothing: true}
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
			l = l.joined(r, f.lines[from])
		}
		f.lines[i+1] = l
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
	period := f.period[f.at[name]]
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
