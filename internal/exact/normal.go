package exact

import (
	"math"
	"math/rand/v2"
	"sync"
)

// ziggurat are 128 strips of equal area under the normal curve's right half (Marsaglia and Tsang, 2000): a whole number
// below inside is safely under the curve, step makes a place of it, and height is the curve's at the strip's end.
type ziggurat struct {
	inside       [128]uint32
	step, height [128]float32
}

const (
	zigguratEnd  = 3.442619855899
	zigguratArea = 9.91256303526217e-3
)

func bell(x float64) float64 { return Exp(-0.5 * x * x) }

var strips = sync.OnceValue(func() *ziggurat {
	const whole = 1 << 31
	z := &ziggurat{}
	x := zigguratEnd
	base := zigguratArea / bell(x)
	z.inside[0], z.step[0], z.height[0] = uint32(x/base*whole), float32(base/whole), 1
	z.step[127], z.height[127] = float32(x/whole), float32(bell(x))
	for i := 126; i > 0; i-- {
		inner := math.Sqrt(-2 * Log(zigguratArea/x+bell(x)))
		z.inside[i+1], z.step[i], z.height[i] = uint32(inner/x*whole), float32(inner/whole), float32(bell(inner))
		x = inner
	}
	return z
})

// Normal draws from the normal distribution, as NormFloat64 of math/rand/v2 does on amd64.
func Normal(r *rand.Rand) float64 {
	z := strips()
	for {
		u := r.Uint64()
		j, i := int32(u), u>>32&127
		x := float64(j) * float64(z.step[i])
		if uint32(max(int64(j), -int64(j))) < z.inside[i] {
			return x
		}
		if i == 0 { // beyond the last strip
			for {
				out, y := -Log(r.Float64())*(1/zigguratEnd), -Log(r.Float64())
				if y+y >= out*out {
					return math.Copysign(zigguratEnd+float64(out), float64(j))
				}
			}
		}
		between := float32(float32(r.Float64()) * (z.height[i-1] - z.height[i]))
		if z.height[i]+between < float32(bell(x)) {
			return x
		}
	}
}
