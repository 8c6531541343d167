package kernel

// Summary is what can be said about a plane of numbers in one pass.
type Summary struct {
	Max          float32
	Sum, Squares float32 // of the numbers, of their squares
	Positive     int     // how many are above 0
}

// Summarize summarises every plane of src, [planes][area]; area is at least 1. If a
// plane holds a NaN, its Sum is NaN and its Max is not specified. Sums are made in
// float32, in partial sums whose number depends on the implementation.
func (e *Engine) Summarize(dst []Summary, src []float32, area int) {
	if area < 1 || len(src) != len(dst)*area {
		panic("kernel: Summarize: lengths differ")
	}
	lv := current()
	step := max(1, (16<<10)/area)
	e.pool.For((len(dst)+step-1)/step, func(task, worker int) {
		var out [48]float32
		for i := task * step; i < min((task+1)*step, len(dst)); i++ {
			dst[i] = lv.summarize(src[i*area:(i+1)*area], &out)
		}
	})
}

func (lv *level) summarize(x []float32, out *[48]float32) Summary {
	s := Summary{Max: x[0]}
	if n := len(x) / max(lv.lanes, 1) * lv.lanes; lv.summary != nil && n > 0 {
		s.Positive = lv.summary(&out[0], &x[0], n)
		s.Max = out[0]
		for i := range lv.lanes {
			s.Max = max(s.Max, out[i])
			s.Sum += out[lv.lanes+i]
			s.Squares += out[2*lv.lanes+i]
		}
		x = x[n:]
	}
	for _, v := range x {
		s.Max = max(s.Max, v)
		s.Sum += v
		s.Squares += float32(v * v)
		if v > 0 {
			s.Positive++
		}
	}
	return s
}
