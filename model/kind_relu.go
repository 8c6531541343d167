package model

// ReLU is max(x, 0).
type ReLU struct{}

// Kind is the layer's name.
func (*ReLU) Kind() string { return "ReLU" }

func (*ReLU) slots() []slot { return nil }

func (*ReLU) shape(ins []Shape) (Shape, error) { return ins[0], nil }

func (*ReLU) inputs() int           { return 1 }
func (*ReLU) reach(_ Shape) reach   { return pointwise }
func (*ReLU) macs(_, _ Shape) int64 { return 0 }
func (*ReLU) text() string          { return "" }

func (*ReLU) forward(c *call) error {
	c.k.ReLU(c.dst, c.srcs[0])
	return nil
}
