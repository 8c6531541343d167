package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// cpuClock is the processor time of this process, where it is known: on a busy
// machine it tells more about one worker than the time of day.
var cpuClock = func() time.Duration { return 0 }

type convBench struct {
	name string
	convCase
}

func layer(name string, n, c, h, k, ks, stride int) convBench {
	pad := ks / 2
	if name == "alex1" {
		pad = 2
	}
	o := (h+2*pad-ks)/stride + 1
	return convBench{
		fmt.Sprintf("%s/%dx%dx%dx%d_%d_%dx%ds%d", name, n, c, h, h, k, ks, ks, stride),
		convCase{Conv{In: c, Out: k, KH: ks, KW: ks, StrideY: stride, StrideX: stride, PadTop: pad, PadLeft: pad}, n, Full(h, h), Full(o, o)},
	}
}

var layers = []convBench{
	layer("lenet1", 100, 1, 28, 32, 5, 1),
	layer("lenet2", 100, 32, 14, 64, 5, 1),
	layer("cifar1", 128, 3, 32, 48, 5, 1),
	layer("cifar2", 128, 48, 16, 64, 3, 1),
	layer("cifar3", 128, 96, 8, 128, 3, 1),
	layer("alex1", 1, 3, 224, 64, 11, 4),
	layer("alex2", 1, 64, 27, 192, 5, 1),
	layer("vgg11", 1, 3, 224, 64, 3, 1),
	layer("vgg12", 1, 64, 224, 64, 3, 1),
	layer("vgg22", 1, 128, 112, 128, 3, 1),
	layer("vgg32", 1, 256, 56, 256, 3, 1),
	layer("vgg42", 1, 512, 28, 512, 3, 1),
	layer("vgg5", 1, 512, 14, 512, 3, 1),
	layer("res1", 1, 3, 224, 64, 7, 2),
	layer("res2", 1, 64, 56, 64, 3, 1),
	layer("res2a", 1, 256, 56, 64, 1, 1),
	layer("res2b", 1, 64, 56, 256, 1, 1),
	layer("res3", 1, 128, 56, 128, 3, 2),
	layer("res4", 1, 1024, 14, 256, 1, 1),
	layer("res5", 1, 512, 7, 512, 3, 1),
	layer("res5n", 16, 512, 7, 512, 3, 1),
}

func (c convBench) flops() float64 {
	g := c.g.norm()
	return 2 * float64(c.n*c.out.Area()) * float64(g.weights())
}

func (c convBench) bench(b *testing.B, what string) {
	r := rand.New(rand.NewPCG(1, 1))
	g := c.g.norm()
	x, y := randSlice(r, c.n*g.In*c.in.Area()), randSlice(r, c.n*g.Out*c.out.Area())
	w, bias := randSlice(r, g.weights()), randSlice(r, g.Out)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("%s/%s/%d", c.name, what, workers), func(b *testing.B) {
			e := New(workers)
			defer e.Close()
			var run func()
			switch what {
			case "forward":
				f := PackForward(c.g, w)
				run = func() { e.ConvForward(f, c.n, y, c.out, x, c.in, Epilogue{bias, true}) }
			case "fast":
				f := PackForwardFast(c.g, w)
				run = func() { e.ConvForward(f, c.n, y, c.out, x, c.in, Epilogue{bias, true}) }
			case "fastdata":
				f := PackDataFast(c.g, w)
				run = func() { e.ConvData(f, c.n, x, c.in, y, c.out) }
			case "data":
				f := PackData(c.g, w)
				run = func() { e.ConvData(f, c.n, x, c.in, y, c.out) }
			case "weights":
				run = func() { e.ConvWeights(c.g, c.n, w, bias, x, c.in, y, c.out) }
			}
			run()
			b.ReportAllocs()
			best := math.Inf(1) // other processes disturb the mean
			cpu := cpuClock()
			for b.Loop() {
				start := time.Now()
				run()
				best = min(best, time.Since(start).Seconds())
			}
			cpu = cpuClock() - cpu
			if workers == 1 && cpu > 0 {
				b.ReportMetric(c.flops()*float64(b.N)/1e9/cpu.Seconds(), "cpu-GF/s")
			}
			b.ReportMetric(c.flops()*float64(b.N)/1e9/b.Elapsed().Seconds(), "GF/s")
			b.ReportMetric(c.flops()/1e9/best, "best-GF/s")
		})
	}
}

func BenchmarkForward(b *testing.B) {
	for _, c := range layers {
		c.bench(b, "forward")
		if c.g.KH > 1 && c.g.StrideX == 1 && c.g.In >= 16 {
			c.bench(b, "fast")
		}
	}
}

func BenchmarkTrain(b *testing.B) {
	for _, c := range layers[:5] {
		c.bench(b, "data")
		if c.g.In >= 16 {
			c.bench(b, "fastdata")
		}
		c.bench(b, "weights")
	}
}

// BenchmarkPeak is the tile on operands in the first-level cache.
func BenchmarkPeak(b *testing.B) {
	for _, lv := range levels() {
		if lv == refLevel {
			continue
		}
		b.Run(lv.name, func(b *testing.B) {
			const k = 240
			mr := lv.rows
			x, y, z := make([]float32, mr*k), make([]float32, lv.panel()*k), make([]float32, mr*lv.panel())
			for b.Loop() {
				for range 100 {
					lv.tile[2][mr](k, &x[0], &y[0], &z[0], nil, 4*lv.panel(), 0, 1<<lv.panel()-1)
				}
			}
			b.ReportMetric(float64(2*100*k*mr*lv.panel())*float64(b.N)/1e9/b.Elapsed().Seconds(), "GF/s")
		})
	}
}
