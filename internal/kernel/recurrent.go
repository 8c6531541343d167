package kernel

import "math"

// Cell is a kind of recurrent layer. x is the step's input, h the hidden state
// before it, h' after it; gates are stacked in the order given, in the first
// axis of all weights and biases, as PyTorch does.
//
//	RNN   h' = tanh(a)
//	LSTM  gates i, f, g, o: c' = σ(f)·c + σ(i)·tanh(g); h' = σ(o)·tanh(c')
//	GRU   gates r, z, n:    m = tanh(xn + σ(r)·hn); h' = (1-σ(z))·m + σ(z)·h
//
// where a = x·Wx + bx + h·Wh + bh by gate, and for GRU's n the two halves xn and
// hn stay apart ([cho14], with the reset gate after the product as cuDNN and ONNX
// with linear_before_reset have it).
//
// [cho14] K. Cho et al., Learning phrase representations using RNN
// encoder-decoder, EMNLP 2014. [hochreiter97] S. Hochreiter and J. Schmidhuber,
// Long short-term memory, Neural Computation 9(8), 1997.
type Cell int

const (
	RNN Cell = iota
	LSTM
	GRU
)

// CellOf reads a cell's name: rnn, lstm or gru.
func CellOf(name string) (Cell, bool) {
	c, ok := map[string]Cell{"rnn": RNN, "lstm": LSTM, "gru": GRU}[name]
	return c, ok
}

// Gates is the number of gates.
func (c Cell) Gates() int { return [...]int{1, 4, 3}[c] }

// Recurrent is the size of a recurrent layer over sequences of Steps vectors of
// In values each.
type Recurrent struct {
	Cell              Cell
	Steps, In, Hidden int
}

// RecurrentWeights are a layer's weights, or their gradients: WX is
// [gates*hidden][in], WH [gates*hidden][hidden], BX and BH are [gates*hidden].
type RecurrentWeights struct{ WX, WH, BX, BH []float32 }

// Recurrence holds what a forward pass leaves for the backward pass. The zero
// value is ready; its memory is used again.
type Recurrence struct {
	x      []float32 // [steps][n][in], the input
	gates  []float32 // [steps][n][gates*hidden], after their sigmoid or tanh
	hidden []float32 // [steps+1][n][hidden]; what precedes the first step is 0
	cell   []float32 // LSTM: [steps+1][n][hidden]
	inner  []float32 // GRU: [steps][n][hidden], hn; in the backward pass its gradient
	side   []float32 // [n][gates*hidden]
	spares []float32 // [n][a block of the level's kernels]
	dgates []float32 // [steps][n][gates*hidden], gradient before the sigmoid or tanh
	dinner []float32 // GRU: the same as the weights WH see it
	dh, dc []float32 // [n][hidden]
	dx     []float32 // [steps][n][in]
}

// Hidden returns the hidden states after each step, [steps][n][hidden]. They
// belong to the recurrence.
func (s *Recurrence) Hidden(r Recurrent, n int) []float32 { return s.hidden[n*r.Hidden:] }

// CellState returns an LSTM's cell states after each step, [steps][n][hidden].
func (s *Recurrence) CellState(r Recurrent, n int) []float32 { return s.cell[n*r.Hidden:] }

func sized(v *[]float32, n int) []float32 {
	if cap(*v) < n {
		*v = make([]float32, n)
	}
	*v = (*v)[:n]
	return *v
}

func (r Recurrent) check(n int, w RecurrentWeights) {
	g := r.Cell.Gates() * r.Hidden
	if n < 0 || r.Steps < 1 || r.In < 1 || r.Hidden < 1 || len(w.WX) != g*r.In || len(w.WH) != g*r.Hidden || len(w.BX) != g || len(w.BH) != g {
		panic("kernel: Recurrent: wrong lengths")
	}
}

// recurrentRows is the number of images a worker takes at a time in the
// elementwise part of a step.
const recurrentRows = 4

// RecurrentForward runs the layer over n sequences x, [n][steps][in], from a
// hidden state of 0, and writes the last hidden state to y, [n][hidden]. The
// products of the input are one matrix product for all steps.
func (e *Engine) RecurrentForward(r Recurrent, n int, s *Recurrence, y, x []float32, w RecurrentWeights) {
	r.check(n, w)
	if len(y) < n*r.Hidden || len(x) < n*r.Steps*r.In {
		panic("kernel: RecurrentForward: wrong lengths")
	}
	h := r.Hidden
	g := r.Cell.Gates() * h
	xs := sized(&s.x, r.Steps*n*r.In)
	for i := range n {
		for t := range r.Steps {
			copy(xs[(t*n+i)*r.In:][:r.In], x[(i*r.Steps+t)*r.In:])
		}
	}
	gates := sized(&s.gates, r.Steps*n*g)
	hidden := sized(&s.hidden, (r.Steps+1)*n*h)
	clear(hidden[:n*h])
	if r.Cell == LSTM {
		clear(sized(&s.cell, (r.Steps+1)*n*h)[:n*h])
	}
	if r.Cell == GRU {
		sized(&s.inner, r.Steps*n*h)
	}
	if current() == refLevel {
		e.pool.For(n, func(i, worker int) { refRecurrent(r, n, i, s, w) })
		copy(y, hidden[r.Steps*n*h:])
		return
	}
	e.DenseForward(r.Steps*n, r.In, g, gates, xs, w.WX, w.BX)
	lv := current()
	side, spares := sized(&s.side, n*g), sized(&s.spares, n*lv.block)
	for t := range r.Steps {
		before, after := hidden[t*n*h:], hidden[(t+1)*n*h:]
		e.DenseForward(n, h, g, side, before, w.WH, w.BH)
		e.rows(n, func(i int) {
			a, b := gates[(t*n+i)*g:][:g], side[i*g:][:g]
			hb, ha := before[i*h:][:h], after[i*h:][:h]
			spare := spares[i*lv.block:][:lv.block]
			switch r.Cell {
			case RNN:
				addTo(a, b)
				lv.activate(tanh, a, a, spare)
				copy(ha, a)
			case LSTM:
				addTo(a, b)
				lv.activate(sigmoid, a[:2*h], a[:2*h], spare)
				lv.activate(tanh, a[2*h:3*h], a[2*h:3*h], spare)
				lv.activate(sigmoid, a[3*h:], a[3*h:], spare)
				cb, ca := s.cell[(t*n+i)*h:][:h], s.cell[((t+1)*n+i)*h:][:h]
				in, forget, new, out := a[:h], a[h:][:h], a[2*h:][:h], a[3*h:][:h]
				for j := range ca {
					ca[j] = float32(forget[j]*cb[j]) + float32(in[j]*new[j])
				}
				lv.activate(tanh, ha, ca, spare)
				for j, v := range out {
					ha[j] *= v
				}
			case GRU:
				addTo(a[:2*h], b)
				lv.activate(sigmoid, a[:2*h], a[:2*h], spare)
				reset, keep, new := a[:h], a[h:][:h], a[2*h:][:h]
				inner := s.inner[(t*n+i)*h:][:h]
				copy(inner, b[2*h:])
				for j, v := range inner {
					new[j] += float32(reset[j] * v)
				}
				lv.activate(tanh, new, new, spare)
				for j, v := range keep {
					ha[j] = float32((1-v)*new[j]) + float32(v*hb[j])
				}
			}
		})
	}
	copy(y, hidden[r.Steps*n*h:])
}

func addTo(a, b []float32) {
	for i := range a {
		a[i] += b[i]
	}
}

// rows calls f for every image, several to a worker at a time.
func (e *Engine) rows(n int, f func(i int)) {
	e.pool.For((n+recurrentRows-1)/recurrentRows, func(b, worker int) {
		for i := b * recurrentRows; i < min((b+1)*recurrentRows, n); i++ {
			f(i)
		}
	})
}

// RecurrentBackward goes back through all steps of the last RecurrentForward
// with s: dy is the gradient of its y; d and dx, [n][steps][in], are
// overwritten with the gradients of weights and input. dx may be nil.
func (e *Engine) RecurrentBackward(r Recurrent, n int, s *Recurrence, d RecurrentWeights, dx, dy []float32, w RecurrentWeights) {
	r.check(n, w)
	r.check(n, d)
	h := r.Hidden
	g := r.Cell.Gates() * h
	if len(dy) < n*h || len(s.gates) != r.Steps*n*g || dx != nil && len(dx) < n*r.Steps*r.In {
		panic("kernel: RecurrentBackward: wrong lengths")
	}
	dgates := sized(&s.dgates, r.Steps*n*g)
	dinner := dgates // as WH sees it
	if r.Cell == GRU {
		dinner = sized(&s.dinner, r.Steps*n*g)
	}
	dh, dc := sized(&s.dh, n*h), sized(&s.dc, n*h)
	copy(dh, dy[:n*h])
	clear(dc)
	back := sized(&s.side, n*g)[:n*h]
	lv := current()
	spares := sized(&s.spares, n*lv.block)
	for t := r.Steps - 1; t >= 0; t-- {
		e.rows(n, func(i int) {
			at := t*n + i
			a, da, di := s.gates[at*g:][:g], dgates[at*g:][:g], dinner[at*g:][:g]
			dh, dc := dh[i*h:][:h], dc[i*h:][:h]
			switch r.Cell {
			case RNN:
				for j, v := range dh {
					da[j] = v * (1 - float32(a[j]*a[j]))
				}
			case LSTM:
				cb, ca := s.cell[at*h:][:h], s.cell[(at+n)*h:][:h]
				lv.activate(tanh, da[:h], ca, spares[i*lv.block:][:lv.block])
				for j, v := range dh {
					in, forget, new, out := a[j], a[h+j], a[2*h+j], a[3*h+j]
					c := da[j]
					dcell := dc[j] + float32(v*out*(1-float32(c*c)))
					da[j] = dcell * new * in * (1 - in)
					da[h+j] = dcell * cb[j] * forget * (1 - forget)
					da[2*h+j] = dcell * in * (1 - float32(new*new))
					da[3*h+j] = v * c * out * (1 - out)
					dc[j] = dcell * forget
				}
			case GRU:
				hb, inner := s.hidden[at*h:][:h], s.inner[at*h:][:h]
				for j, v := range dh {
					reset, keep, new := a[j], a[h+j], a[2*h+j]
					dnew := v * (1 - keep) * (1 - float32(new*new))
					da[j] = dnew * inner[j] * reset * (1 - reset)
					da[h+j] = v * (hb[j] - new) * keep * (1 - keep)
					da[2*h+j] = dnew
					di[j], di[h+j], di[2*h+j] = da[j], da[h+j], dnew*reset
					dh[j] = v * keep // the way around the gates
				}
			}
		})
		if t == 0 {
			break // nothing hangs on the state before the first step
		}
		e.DenseData(n, h, g, back, dinner[t*n*g:][:n*g], w.WH)
		if r.Cell == GRU {
			e.Add(dh, dh, back)
		} else {
			copy(dh, back)
		}
	}
	e.DenseWeights(r.Steps*n, r.In, g, d.WX, d.BX, s.x, dgates)
	e.DenseWeights(r.Steps*n, h, g, d.WH, d.BH, s.hidden[:r.Steps*n*h], dinner)
	if dx == nil {
		return
	}
	dxs := sized(&s.dx, r.Steps*n*r.In)
	e.DenseData(r.Steps*n, r.In, g, dxs, dgates, w.WX)
	for i := range n {
		for t := range r.Steps {
			copy(dx[(i*r.Steps+t)*r.In:][:r.In], dxs[(t*n+i)*r.In:])
		}
	}
}

// exp32 is e^x to about 1e-7 of its value, for -87 <= x <= 87: 2^k times the
// Taylor series of what is left, |r| <= ln(2)/2.
func exp32(x float32) float32 {
	const ln2Hi, ln2Lo = 0.693145752, 1.42860677e-6
	k := int32(float32(x*math.Log2E)+128.5) - 128
	r := x - float32(float32(k)*ln2Hi)
	r -= float32(float32(k) * ln2Lo)
	p := 1 + float32(r*(1+float32(r*(0.5+float32(r*(1./6+float32(r*(1./24+float32(r*(1./120+float32(r*(1./720+float32(r*(1./5040))))))))))))))
	return p * math.Float32frombits(uint32(k+127)<<23)
}

// activation is scale/(1 + exp(in*x)) + shift.
type activation struct{ in, scale, shift float32 }

var (
	sigmoid = activation{-1, 1, 0}
	tanh    = activation{-2, 2, -1}
)

func (a activation) at(x float32) float32 {
	return a.scale/(1+exp32(min(max(a.in*x, -80), 80))) + a.shift
}

// activate sets dst to the activation of src, which may be dst. spare holds a block.
func (lv *level) activate(a activation, dst, src, spare []float32) {
	if lv.logistic == nil {
		for i, v := range src {
			dst[i] = a.at(v)
		}
		return
	}
	n := lv.whole(len(src))
	if n > 0 {
		lv.logistic(&dst[0], &src[0], n, a.in, a.scale, a.shift)
	}
	if rest := src[n:]; len(rest) > 0 { // by the same kernel, for the same bits
		copy(spare, rest)
		lv.logistic(&spare[0], &spare[0], lv.block, a.in, a.scale, a.shift)
		copy(dst[n:], spare[:len(rest)])
	}
}
