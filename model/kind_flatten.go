package model

// Flatten turns [C, H, W] into C*H*W numbers, in that order.
type Flatten struct{}

// Kind is the layer's name.
func (*Flatten) Kind() string { return "Flatten" }

func (*Flatten) slots() []slot { return nil }

func (*Flatten) shape(ins []Shape) (Shape, error) {
	return Shape{C: ins[0].Len(), H: 1, W: 1, Flat: true}, nil
}

func (*Flatten) inputs() int           { return 1 }
func (*Flatten) reach(_ Shape) reach   { return everywhere }
func (*Flatten) macs(_, _ Shape) int64 { return 0 }
func (*Flatten) text() string          { return "" }

func (*Flatten) forward(c *call) error {
	copy(c.dst, c.srcs[0])
	return nil
}

func (*Flatten) view() {}
