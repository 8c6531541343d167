package kernel

import "testing"

// TestSolversFlushDenormals: solver memory that has decayed to denormal numbers
// becomes 0 instead of slowing every step, in the assembly; and the processor's
// arithmetic is as before afterwards.
func TestSolversFlushDenormals(t *testing.T) {
	for _, name := range Names() {
		if name != "avx2" && name != "avx512" {
			continue
		}
		restore := Force(name)
		e := New(1)
		const n = 64
		tiny := func() []float32 {
			v := make([]float32, n)
			for i := range v {
				v[i] = 1e-40
			}
			return v
		}
		w, g := make([]float32, n), make([]float32, n)
		m, v := tiny(), tiny()
		e.Adam(w, m, v, g, 1e-3, 0.9, 0.999, 1e-8, 1000)
		velocity, square := tiny(), tiny()
		e.Momentum(w, velocity, g, 1e-3, 0.9)
		e.RMSProp(w, square, g, 1e-3, 0.9, 1e-10)
		for i := range n {
			if m[i] != 0 || v[i] != 0 || velocity[i] != 0 || square[i] != 0 || w[i] != 0 {
				t.Fatalf("%s: element %d: adam %g %g, momentum %g, rmsprop %g, weight %g, want 0", name, i, m[i], v[i], velocity[i], square[i], w[i])
			}
		}
		x := []float32{1e-40}
		if x[0]/2 == 0 {
			t.Errorf("%s: denormal numbers are still flushed after the call", name)
		}
		e.Close()
		restore()
	}
}
