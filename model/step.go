package model

import "fmt"

// Layer computes one layer by itself for a batch of n: node, of a network whose
// Shapes are shapes, from inputs in the order of node.Inputs, each n values of
// its shape, to dst. The numbers are those of a Plan that fuses nothing.
func (e *Engine) Layer(node *Node, shapes map[string]Shape, n int, dst []float32, inputs ...[]float32) error {
	l, ok := node.Layer.(kind)
	if !ok {
		return fmt.Errorf("layer %s: %w", node.Name, unknownKind(node.Layer))
	}
	c := call{k: e.k, n: n, dst: dst, out: shapes[node.Name], srcs: inputs, step: &step{Fused: Fused{Node: node, Out: node.Name}}}
	for _, name := range node.Inputs {
		c.ins = append(c.ins, shapes[name])
	}
	if p, ok := l.(preparer); ok {
		p.prepare(c.step)
	}
	if err := l.forward(&c); err != nil {
		return fmt.Errorf("layer %s: %w", node.Name, err)
	}
	return nil
}
