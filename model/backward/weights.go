package backward

import (
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// filterKey names a layer's weights as they are packed.
type filterKey struct {
	name          string
	sparse, whole bool
}

// down returns the convolution's weights packed for the way down to box to of its input. For the whole of it a Fast pass
// chooses the algorithm as for one signal, so that the bits do not depend on how many go together, and keeps that form only.
func (p *Pass) down(name string, l *model.Conv, sparse bool, to, input model.Box) *kernel.Filters {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := filterKey{name, sparse, p.fast && to == input}
	f := p.filters[key]
	if f == nil {
		geo := kernel.ConvOf(l.Weight.Shape, l.Stride, l.Dilation, l.Pads, l.Groups)
		switch {
		case key.whole:
			f = kernel.PackDataWhole(geo, l.Weight.Floats(), to.H(), to.W(), sparse)
		case sparse:
			f = kernel.PackDataSparse(geo, l.Weight.Floats(), p.fast)
		case p.fast:
			f = kernel.PackDataFast(geo, l.Weight.Floats())
		default:
			f = kernel.PackData(geo, l.Weight.Floats())
		}
		p.filters[key] = f
	}
	return f
}

// up returns a transposed convolution's weights packed for the way down, which is
// the convolution itself.
func (p *Pass) up(name string, l *model.ConvTranspose) *kernel.Filters {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := filterKey{name: name}
	f := p.filters[key]
	if f == nil {
		f = kernel.PackForward(kernel.ConvOf(l.Weight.Shape, l.Stride, l.Dilation, l.Pads, l.Groups), l.Weight.Floats())
		p.filters[key] = f
	}
	return f
}

// planewise is a convolution over many axes as the kernels see it; out are the sizes
// along its axes.
func planewise(w model.WindowND, weight *tensor.Tensor, out []int, groups int) *kernel.Planewise {
	size := weight.Shape[2:]
	return kernel.PlanewiseOf(w.From, w.Stride, w.Dilation, w.Pads, size, out, w.Taps(out[:len(out)-2], size), weight.Shape[0], groups)
}

// planes returns the weights of a convolution over many axes packed for its
// transpose or for itself.
func (p *Pass) planes(name string, w *kernel.Planewise, weight *tensor.Tensor, transposed bool) *kernel.Filters {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := filterKey{name: name}
	if p.filters[key] == nil {
		pack := kernel.PackForward
		if transposed {
			pack = kernel.PackData
		}
		p.filters[key] = pack(w.Plane, weight.Data)
	}
	return p.filters[key]
}

var noEpilogue kernel.Epilogue

// scale returns what a batch norm multiplies by on the way down.
func (p *Pass) scale(name string, l *model.BatchNorm) []float32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.scales[name] == nil {
		p.scales[name] = l.TopDownScale()
	}
	return p.scales[name]
}

// arena is scratch memory of one batch after another.
type arena struct{ free [][]float32 }

func (p *Pass) arena() *arena {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.arenas); n > 0 {
		a := p.arenas[n-1]
		p.arenas = p.arenas[:n-1]
		return a
	}
	return &arena{}
}

func (p *Pass) release(a *arena) {
	p.mu.Lock()
	p.arenas = append(p.arenas, a)
	p.mu.Unlock()
}

// get returns n floats with undefined contents.
func (a *arena) get(n int) []float32 {
	best := -1
	for i, s := range a.free {
		if cap(s) >= n && (best < 0 || cap(s) < cap(a.free[best])) {
			best = i
		}
	}
	if best < 0 {
		if len(a.free) > 3 { // what is too small for this is dropped, so that the list stays short
			a.free = a.free[1:]
		}
		return make([]float32, n, n+n/8)
	}
	s := a.free[best][:n]
	a.free[best] = a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	return s
}

func (a *arena) put(s []float32) { a.free = append(a.free, s) }
