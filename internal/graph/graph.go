// Package graph lays out the graph of a network for drawing: boxes in layers from the input down, and lines between
// them. Boxes that belong together fold into one.
//
//	g := graph.Fold(nodes, open, 60)
//	g.Place() // where boxes and lines are
//
// It is a layered layout in the order of the chain: networks are chains with short side branches and sums that reach
// over a few layers, for which that order is right as it is, and 10,000 layers take milliseconds. The package knows
// names and edges only.
package graph

import (
	"cmp"
	"slices"
	"strings"
)

// Node is a layer of a network. Every node comes after its inputs.
type Node struct {
	Name   string
	Path   string   // name by which nodes belong together: parts with dots or slashes between them
	Inputs []string // names of nodes; other names are those of the network's inputs
}

// Box is what is drawn for one node, or for several that are folded.
type Box struct {
	From, To int     // the nodes [From, To)
	Title    string  // the node's name, or what the folded nodes have in common
	X, Y     float64 // middle, in units of boxes: columns, rows
	Group    string  // title of the group that is open here, "" if there is none
}

// Line joins two boxes. Points are its corners, from the lower edge of one box to the upper edge of the other.
type Line struct {
	From, To int // boxes
	Points   [][2]float64
}

// Graph is boxes and lines.
type Graph struct {
	Boxes []Box
	Lines []Line
	// Left, Right, Bottom bound the drawing, in the units of boxes; it begins at row 0.
	Left, Right, Bottom float64
	index               map[string]int // box of each node
	inputs              [][]int        // boxes that each box reads
}

// run is consecutive nodes with a common beginning of their paths.
type run struct {
	from, to int
	title    string
}

// Fold makes boxes of nodes: as many parts of their paths are shown as keep them within most boxes, where consecutive
// nodes with the same parts become one box. Groups named in open are not folded. Nodes without common paths fold to
// runs of consecutive ones if there are more than four times most of them.
func Fold(nodes []Node, open []string, most int) *Graph {
	g := &Graph{}
	g.fold(nodes, 0, len(nodes), 0, "", open, most)
	g.connect(nodes)
	return g
}

// fold adds boxes for nodes [from, to), whose paths have depth parts in common.
func (g *Graph) fold(nodes []Node, from, to, depth int, group string, open []string, most int) {
	add := func(r run) { g.Boxes = append(g.Boxes, Box{From: r.from, To: r.to, Title: r.title, Group: group}) }
	runs, depth := deepest(nodes, from, to, depth, most)
	if len(runs) > 4*most || len(runs) == 0 && to-from > 4*most {
		g.chunks(nodes, from, to, depth, open, most)
		return
	}
	if len(runs) == 0 {
		for i := from; i < to; i++ {
			add(run{i, i + 1, nodes[i].Name})
		}
		return
	}
	for _, r := range runs {
		switch {
		case r.to-r.from == 1:
			add(run{r.from, r.to, nodes[r.from].Name})
		case slices.Contains(open, r.title):
			g.fold(nodes, r.from, r.to, depth+1, r.title, open, most)
		default:
			add(r)
		}
	}
}

// deepest cuts nodes [from, to) as finely as gives at most most runs, and says by how many parts; nil if each is alone.
func deepest(nodes []Node, from, to, depth, most int) ([]run, int) {
	if to-from <= most {
		return nil, depth
	}
	runs := split(nodes, from, to, depth)
	for range 12 {
		finer := split(nodes, from, to, depth+1)
		if len(finer) == 0 || len(finer) > most {
			break
		}
		runs, depth = finer, depth+1
	}
	return runs, depth
}

// chunks folds nodes [from, to) to consecutive ones, as many as are needed.
func (g *Graph) chunks(nodes []Node, from, to, depth int, open []string, most int) {
	size := max((to-from+most-1)/most, 2)
	for at := from; at < to; at += size {
		end := min(at+size, to)
		title := nodes[at].Name + " … " + nodes[end-1].Name
		if slices.Contains(open, title) && end-at < to-from {
			g.fold(nodes, at, end, depth+1, title, open, most)
			continue
		}
		g.Boxes = append(g.Boxes, Box{From: at, To: end, Title: title})
	}
}

// split cuts nodes [from, to) into runs that share the first depth+1 parts of their paths; nil if that is each alone.
func split(nodes []Node, from, to, depth int) (runs []run) {
	folds := false
	for i := from; i < to; i++ {
		title, deeper := beginning(nodes[i].Path, depth+1)
		if !deeper {
			runs = append(runs, run{i, i + 1, ""})
			continue
		}
		if n := len(runs) - 1; n >= 0 && runs[n].title == title {
			runs[n].to = i + 1
			folds = true
			continue
		}
		runs = append(runs, run{i, i + 1, title})
	}
	if !folds {
		return nil
	}
	// The same title twice would open both.
	seen := map[string]int{}
	for i := range runs {
		if t := runs[i].title; t != "" {
			if seen[t]++; seen[t] > 1 {
				runs[i].title = t + " (" + nodes[runs[i].from].Name + ")"
			}
		}
	}
	return runs
}

// beginning is the first parts of a path, and whether it has more.
func beginning(path string, parts int) (string, bool) {
	path = strings.TrimLeft(path, "/.")
	at := 0
	for range parts {
		i := strings.IndexAny(path[at:], "/.")
		if i < 0 {
			return path, false
		}
		at += i + 1
	}
	return path[:at-1], true
}

// connect finds which box reads which.
func (g *Graph) connect(nodes []Node) {
	g.index, g.inputs = map[string]int{}, make([][]int, len(g.Boxes))
	for b, box := range g.Boxes {
		for _, n := range nodes[box.From:box.To] {
			g.index[n.Name] = b
		}
	}
	for b, box := range g.Boxes {
		for _, n := range nodes[box.From:box.To] {
			for _, in := range n.Inputs {
				if from, ok := g.index[in]; ok && from != b && !slices.Contains(g.inputs[b], from) {
					g.inputs[b] = append(g.inputs[b], from)
				}
			}
		}
	}
}

// Place says where boxes and lines are: each box a row below the lowest that it reads, near the middle of those; boxes
// of a row beside each other; lines over several rows pass beside the boxes in between.
func (g *Graph) Place() {
	rows := g.rows()
	for y, row := range rows {
		g.spread(row, float64(y))
	}
	left, right := make([]float64, len(rows)), make([]float64, len(rows))
	for y, row := range rows {
		for _, b := range row {
			left[y], right[y] = min(left[y], g.Boxes[b].X-0.5), max(right[y], g.Boxes[b].X+0.5)
		}
	}
	g.lines(left, right)
	for y := range rows {
		g.Left, g.Right = min(g.Left, left[y]), max(g.Right, right[y])
	}
	g.Bottom = float64(len(rows))
}

// rows lists the boxes of each row.
func (g *Graph) rows() (rows [][]int) {
	at := make([]int, len(g.Boxes))
	for b := range g.Boxes {
		for _, in := range g.inputs[b] {
			at[b] = max(at[b], at[in]+1)
		}
		for len(rows) <= at[b] {
			rows = append(rows, nil)
		}
		rows[at[b]] = append(rows[at[b]], b)
	}
	return rows
}

// spread places the boxes of a row.
func (g *Graph) spread(row []int, y float64) {
	want := map[int]float64{}
	for _, b := range row {
		for _, in := range g.inputs[b] {
			want[b] += g.Boxes[in].X / float64(len(g.inputs[b]))
		}
	}
	slices.SortStableFunc(row, func(a, b int) int { return cmp.Compare(want[a], want[b]) })
	for i := 0; i < len(row); { // boxes that want to be closer than one apart share a middle
		j, sum := i+1, want[row[i]]
		start := func() float64 { return sum/float64(j-i) - float64(float64(j-i-1)/2) }
		for j < len(row) && want[row[j]] < start()+float64(j-i) {
			sum += want[row[j]]
			j++
		}
		first := start()
		if i > 0 {
			first = max(first, g.Boxes[row[i-1]].X+1)
		}
		for k := i; k < j; k++ {
			g.Boxes[row[k]].X, g.Boxes[row[k]].Y = first+float64(k-i), y
		}
		i = j
	}
}

// edge is half the height of a box.
const edge = 0.3

// lines draws the lines, the short ones first, so that long ones pass outside.
func (g *Graph) lines(left, right []float64) {
	for b, ins := range g.inputs {
		for _, in := range ins {
			g.Lines = append(g.Lines, Line{From: in, To: b})
		}
	}
	slices.SortStableFunc(g.Lines, func(a, b Line) int {
		return cmp.Compare(g.Boxes[a.To].Y-g.Boxes[a.From].Y, g.Boxes[b.To].Y-g.Boxes[b.From].Y)
	})
	const step = 0.12 // between lines that pass a row
	for i := range g.Lines {
		l := &g.Lines[i]
		a, b := g.Boxes[l.From], g.Boxes[l.To]
		l.Points = [][2]float64{{a.X, a.Y + edge}, {b.X, b.Y - edge}}
		if b.Y-a.Y < 2 {
			continue
		}
		lo, hi := 0.0, 0.0
		for y := int(a.Y) + 1; y < int(b.Y); y++ {
			lo, hi = min(lo, left[y]), max(hi, right[y])
		}
		x := hi + step
		if middle := float64((a.X + b.X) / 2); middle-lo < hi-middle {
			x = lo - step
		}
		for y := int(a.Y) + 1; y < int(b.Y); y++ {
			left[y], right[y] = min(left[y], x), max(right[y], x)
		}
		l.Points = [][2]float64{l.Points[0], {x, a.Y + 0.9}, {x, b.Y - 0.9}, l.Points[1]}
	}
}
