package model

// walk says what the units along one axis depend on: unit k*period+i on from[i]+k*advance up to to[i]+k*advance, and on
// nothing where these are the same. Without a transposed convolution the period is 1.
type walk struct {
	from, to []int // by unit, one period
	advance  int
}

// maxPeriod and maxWalk bound periods and distances of walks.
const (
	maxPeriod = 64
	maxWalk   = 1 << 24
)

// at is what unit u depends on.
func (w *walk) at(u int) (from, to int) {
	p := len(w.from)
	i := u % p
	if i < 0 {
		i += p
	}
	ahead := (u - i) / p * w.advance
	return w.from[i] + ahead, w.to[i] + ahead
}

// over is what the units in [a, b) depend on. Those of one period at each end see the farthest.
func (w *walk) over(a, b int) (from, to int) {
	p := len(w.from)
	some := false
	for u := a; u < min(b, a+p); u++ {
		if f, t := w.at(u); f < t && (!some || f < from) {
			from, some = f, true
		}
	}
	if !some {
		return 0, 0
	}
	some = false
	for u := max(a, b-p); u < b; u++ {
		if f, t := w.at(u); f < t && (!some || t > to) {
			to, some = t, true
		}
	}
	return from, to
}

// holes reports whether there are units that depend on nothing.
func (w *walk) holes() bool {
	for i, f := range w.from {
		if f >= w.to[i] {
			return true
		}
	}
	return false
}

// size is the most that a unit depends on.
func (w *walk) size() (size int) {
	for i, f := range w.from {
		size = max(size, w.to[i]-f)
	}
	return size
}

// bounded reports whether the walk's distances are small enough for more layers.
func (w *walk) bounded() bool {
	for i, f := range w.from {
		if max(f, -f, w.to[i], -w.to[i], w.advance) > maxWalk {
			return false
		}
	}
	return true
}

// through is the walk of a layer of which units depend on those of in as r says; false if it has none. work counts what
// is done for it.
func (w *walk) through(r reach, axis int, work *int) (*walk, bool) {
	if r.way != windowed && r.way != scattered {
		return w, true
	}
	// The window along this axis alone.
	window := r.window
	k, stride := window.KW, max(window.StrideX, 1)
	if axis == 0 {
		k, stride = window.KH, max(window.StrideY, 1)
		window.KW, window.StrideX, window.DilX, window.PadLeft = 1, 1, 1, 0
	} else {
		window.KH, window.StrideY, window.DilY, window.PadTop = 1, 1, 1, 0
	}
	p := len(w.from)
	next := &walk{advance: w.advance}
	if r.way == windowed {
		common := gcd(p, stride)
		if p /= common; stride/common > maxWalk {
			return nil, false
		}
		next.advance *= stride / common
	} else if stride > maxPeriod {
		return nil, false
	} else {
		p *= stride
	}
	if p > maxPeriod || next.advance > maxWalk {
		return nil, false
	}
	one := reach{r.way, window}
	next.from, next.to = make([]int, p), make([]int, p)
	for u := range p {
		b := one.open(Box{Y0: u, X0: u, Y1: u + 1, X1: u + 1})
		from, to := b.X0, b.X1
		if axis == 0 {
			from, to = b.Y0, b.Y1
		}
		*work += 2*min(to-from, len(w.from)) + k
		next.from[u], next.to[u] = w.over(from, to)
	}
	return next, next.bounded()
}

// beside is the walk of units that depend on those of both walks; false if there is none.
func (w *walk) beside(v *walk) (*walk, bool) {
	p, q := len(w.from), len(v.from)
	both := p / gcd(p, q) * q
	if both > maxPeriod || w.advance*q != v.advance*p || w.holes() || v.holes() {
		return nil, false
	}
	if p == q && w.advance == v.advance && &w.from[0] == &v.from[0] {
		return w, true
	}
	next := &walk{advance: w.advance * (both / p), from: make([]int, both), to: make([]int, both)}
	for u := range both {
		f, t := w.at(u)
		g, s := v.at(u)
		next.from[u], next.to[u] = min(f, g), max(t, s)
	}
	return next, next.bounded()
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
