package train

import (
	"fmt"
	"math"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	G "gorgonia.org/gorgonia"
)

// optimizer is a gorgonia.Solver on the fused updates of internal/kernel, with
// its memory in the open so that it can be saved. (gorgonia's own solvers take
// ten times as long and hide theirs; its Momentum decays the velocity instead of the
// weights, its RMSProp starts at 0.)
type optimizer struct {
	k    *kernel.Engine
	o    *Options
	rate float64 // of this step
	t    int     // steps taken, this one included
	// memory by kind ("adam.m", "adam.v", ...), then by parameter
	kinds  []string
	memory [][][]float32
}

func newOptimizer(k *kernel.Engine, o *Options, params []*param) *optimizer {
	s := &optimizer{k: k, o: o}
	start := float32(0)
	switch o.Optimizer {
	case Momentum:
		s.kinds = []string{"momentum.v"}
	case Adam:
		s.kinds = []string{"adam.m", "adam.v"}
	case RMSProp:
		s.kinds = []string{"rmsprop.s"}
		start = 1 // as TensorFlow 1
	case RMSPropZero:
		s.kinds = []string{"rmsprop.s"}
	}
	for range s.kinds {
		var m [][]float32
		for _, p := range params {
			v := make([]float32, len(p.value))
			if start != 0 {
				for i := range v {
					v[i] = start
				}
			}
			m = append(m, v)
		}
		s.memory = append(s.memory, m)
	}
	return s
}

// Step changes the weights by their gradients. It is called with the same
// parameters in the same order each time.
func (s *optimizer) Step(params []G.ValueGrad) error {
	for i, vg := range params {
		p, ok := vg.(*param)
		if !ok {
			return fmt.Errorf("the optimizer got a %T", vg)
		}
		w, g := p.value, p.gradient()
		if p.decays && s.o.WeightDecay > 0 {
			s.decay(g, w)
		}
		s.update(i, w, g)
	}
	return nil
}

// update changes the weights w, parameter i, by their gradient g.
func (s *optimizer) update(i int, w, g []float32) {
	rate := float32(s.rate)
	switch s.o.Optimizer {
	case SGD:
		s.k.SGD(w, g, rate)
	case Momentum:
		s.k.Momentum(w, s.memory[0][i], g, rate, float32(s.o.Momentum))
	case Adam:
		s.k.Adam(w, s.memory[0][i], s.memory[1][i], g, rate, float32(s.o.Beta1), float32(s.o.Beta2), float32(s.o.Epsilon), s.t)
	default:
		s.k.RMSProp(w, s.memory[0][i], g, rate, float32(s.o.Decay), float32(s.o.Epsilon))
	}
}

// decay adds WeightDecay*w to g.
func (s *optimizer) decay(g, w []float32) {
	const chunk = 16 << 10
	d := float32(s.o.WeightDecay)
	s.k.For((len(w)+chunk-1)/chunk, func(i int) {
		w, g := w[i*chunk:min((i+1)*chunk, len(w))], g[i*chunk:min((i+1)*chunk, len(w))]
		for j, v := range w {
			g[j] += float32(d * v)
		}
	})
}

// limitRMS rescales every convolution filter whose root mean square is above
// limit to have it [zeiler14] 3.1, which keeps single filters from dominating.
func limitRMS(params []*param, limit float64) {
	for _, p := range params {
		if p.filter == 0 {
			continue
		}
		for f := 0; f < len(p.value); f += p.filter {
			w := p.value[f : f+p.filter]
			sum := 0.0
			for _, v := range w {
				sum += float64(float64(v) * float64(v))
			}
			if rms := math.Sqrt(sum / float64(len(w))); rms > limit {
				scale := float32(limit / rms)
				for i := range w {
					w[i] *= scale
				}
			}
		}
	}
}

// save returns a copy of the memory by name, e.g. "adam.m/conv1.weight".
func (s *optimizer) save(params []*param) map[string]*tensor.Tensor {
	out := map[string]*tensor.Tensor{}
	for k, kind := range s.kinds {
		for i, p := range params {
			t := tensor.New(p.shape...)
			copy(t.Data, s.memory[k][i])
			out[kind+"/"+p.name] = t
		}
	}
	return out
}

// load takes over what save returned.
func (s *optimizer) load(params []*param, state *model.State) error {
	for k, kind := range s.kinds {
		for i, p := range params {
			t := state.Tensors[kind+"/"+p.name]
			if t == nil || len(t.Data) != len(p.value) {
				return fmt.Errorf("the checkpoint has no %s/%s of %v, which optimizer %s needs", kind, p.name, p.shape, s.o.Optimizer)
			}
			copy(s.memory[k][i], t.Data)
		}
	}
	return nil
}
