package model

import "fmt"

// Finite reports the first layer with a weight that is no number, or, where weights are trained, infinite: the file is
// damaged, or its training diverged. Constants may be infinite, as masks are.
func (net *Network) Finite() error {
	for i := range net.Nodes {
		n := &net.Nodes[i]
		slots, err := layerSlots(n.Layer)
		if err != nil {
			return err
		}
		for _, s := range slots {
			w := s.weights()
			if w == nil {
				continue
			}
			_, drawn := n.Layer.(drawer)
			for j, v := range w.values.Data {
				if v != v || drawn && v-v != 0 {
					return fmt.Errorf("layer %s: number %d of its %s is %g: the file is damaged, or its training diverged", n.Name, j, s.name, v)
				}
			}
		}
	}
	return nil
}
