package model

import "fmt"

// Lookup takes the numbers of its first input, of dims Data, at the places that
// its second input, indices of dims Index, names.
type Lookup struct {
	Op          IndexOp
	Data, Index []int
	Axis        int
}

// Kind is the layer's name.
func (*Lookup) Kind() string { return "Lookup" }

func (l *Lookup) slots() []slot {
	return []slot{attribute("op", (*string)(&l.Op)), attribute("data", &l.Data), attribute("index", &l.Index), attribute("axis", &l.Axis)}
}

func (l *Lookup) shape(ins []Shape) (Shape, error) {
	dims, err := checkIndexed(l.Op, l.Data, l.Index, l.Axis, ins)
	if err != nil {
		return ins[0], err
	}
	return arrayShape(dims)
}

// checkIndexed checks data and indices, the first two inputs.
func checkIndexed(op IndexOp, data, index []int, axis int, ins []Shape) ([]int, error) {
	for i, dims := range [][]int{data, index} {
		if err := holds(ins[i], dims); err != nil {
			return nil, err
		}
	}
	return Indexed(op, data, index, axis)
}

func (*Lookup) inputs() int           { return 2 }
func (*Lookup) reach(_ Shape) reach   { return everywhere }
func (*Lookup) macs(_, _ Shape) int64 { return 0 }
func (l *Lookup) text() string        { return fmt.Sprintf("%s %v of %v", l.Op, l.Index, l.Data) }

func (l *Lookup) forward(c *call) error {
	for i := range c.n {
		ins, dst := c.image(i), c.dst[i*c.out.Len():]
		if err := VisitIndexed(l.Op, l.Data, l.Index, l.Axis, ins[1], func(i, j int) { dst[i] = ins[0][j] }); err != nil {
			return err
		}
	}
	return nil
}
