package incremental

import (
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Clean is an image and what the network makes of it.
type Clean struct {
	n     *Net
	image []float32
	base  [][]float32          // early values by id, [H*W][C], before a fused rectifier
	whole [][]float32          // those that late steps read, [C][H*W]
	value map[string][]float32 // late values, and wanted ones
}

// Clean runs the network on an image [1, C, H, W].
func (n *Net) Clean(x *tensor.Tensor) (*Clean, error) {
	plan, err := n.engine.Compile(n.net, model.Keep{Layers: append([]string{}, n.keep...)})
	if err != nil {
		return nil, err
	}
	if n.o.Memory > 0 {
		n.spare.drop() // the pass takes the room that blocks had
	}
	t, err := plan.Run(x)
	if err != nil {
		return nil, err
	}
	k := &Clean{n: n, image: x.Data, base: make([][]float32, len(n.values)), whole: make([][]float32, len(n.values)), value: map[string][]float32{}}
	n.engine.For(len(n.values), func(i int) {
		k.base[i] = make([]float32, n.values[i].shape.Len())
		if n.values[i].spatial {
			k.whole[i] = make([]float32, n.values[i].shape.Len())
		}
	})
	parts := n.parts()
	n.engine.For(len(parts), func(i int) {
		v := &n.values[parts[i].value]
		src := x.Data
		if v.clean != n.net.Input.Name {
			src = t.Value(v.clean).Data
		}
		k.copy(parts[i], src)
	})
	for _, l := range n.late {
		if _, ok := n.shapes[l.node.Name]; ok && t.Value(l.node.Name) != nil {
			k.value[l.node.Name] = t.Value(l.node.Name).Data
		}
	}
	return k, nil
}

// part is the places [from, to) of all maps of an early value.
type part struct{ value, from, to int }

// partFloats is about how many numbers of the clean image a task copies.
const partFloats = 16 << 10

// parts cuts the early values into tasks.
func (n *Net) parts() (parts []part) {
	for i, v := range n.values {
		plane, step := v.shape.H*v.shape.W, max(1, partFloats/max(v.shape.C, 1))
		for p := 0; p < plane; p += step {
			parts = append(parts, part{i, p, min(p+step, plane)})
		}
	}
	return parts
}

// copy keeps a part of the maps src.
func (k *Clean) copy(p part, src []float32) {
	v := &k.n.values[p.value]
	plane, base, whole := v.shape.H*v.shape.W, k.base[p.value], k.whole[p.value]
	for c := range v.shape.C {
		from := src[c*plane+p.from : c*plane+p.to]
		for i, s := range from {
			base[(p.from+i)*v.shape.C+c] = s
		}
		if !v.spatial {
			continue
		}
		to := whole[c*plane+p.from : c*plane+p.to]
		copy(to, from)
		if v.relu {
			for i, s := range to {
				to[i] = max(s, 0)
			}
		}
	}
}

// Value returns a wanted value of the clean image, [C, H, W].
func (k *Clean) Value(name string) []float32 {
	n := k.n
	id, early := n.ids[name]
	if !early {
		return k.value[name]
	}
	v := &n.values[id]
	out := make([]float32, v.shape.Len())
	plane := v.shape.H * v.shape.W
	for p := range plane {
		for c := range v.shape.C {
			s := k.base[id][p*v.shape.C+c]
			if v.relu {
				s = max(s, 0)
			}
			out[c*plane+p] = s
		}
	}
	return out
}
