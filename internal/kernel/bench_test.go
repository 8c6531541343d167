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
	layer("res4b", 1, 256, 14, 256, 3, 1),
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
				run = func() { e.ConvForward(f, c.n, y, c.out, x, c.in, Epilogue{Bias: bias, ReLU: true}) }
			case "fast":
				f := PackForwardFast(c.g, w)
				run = func() { e.ConvForward(f, c.n, y, c.out, x, c.in, Epilogue{Bias: bias, ReLU: true}) }
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

// BenchmarkWindows compares windows of 12x12 outputs, 16 images in a batch, with
// the whole map of the layer.
func BenchmarkWindows(b *testing.B) {
	for _, c := range []convBench{
		layer("vgg12", 1, 64, 224, 64, 3, 1),
		layer("vgg22", 1, 128, 112, 128, 3, 1),
		layer("vgg32", 1, 256, 56, 256, 3, 1),
		layer("vgg42", 1, 512, 28, 512, 3, 1),
		layer("res3", 1, 128, 56, 128, 3, 2),
		layer("res2b", 1, 64, 56, 256, 1, 1),
	} {
		c.bench(b, "forward")
		c.name += "_window"
		c.n = 16
		c.out = rect(3, 5, 15, 17)
		c.in = c.g.InputBox(c.out)
		c.bench(b, "forward")
	}
}

func BenchmarkDepthwise(b *testing.B) {
	for _, l := range [][4]int{ // channels, size, kernel, stride
		{96, 112, 3, 2}, {144, 56, 3, 1}, {192, 28, 3, 1}, {384, 14, 3, 1}, {960, 7, 3, 1},
		{240, 28, 5, 1}, {672, 14, 5, 1}, {240, 56, 5, 2}, {96, 56, 7, 1}, {384, 14, 7, 1}, {768, 7, 7, 1},
	} {
		c := layer("dw", 1, l[0], l[1], l[0], l[2], l[3])
		c.g.Groups = l[0]
		c.bench(b, "forward")
		c.bench(b, "data")
	}
	c := layer("dw", 1, 128, 28, 128, 3, 1)
	c.g.Groups = 128
	c.bench(b, "weights")
}

func BenchmarkDense(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range [][3]int{{1, 9216, 4096}, {100, 3136, 1024}, {128, 1024, 10}} {
		n, in, out := s[0], s[1], s[2]
		x, y, w, bias := randSlice(r, n*in), randSlice(r, n*out), randSlice(r, in*out), randSlice(r, out)
		for _, workers := range []int{1, 2} {
			e := New(workers)
			for _, p := range []struct {
				name string
				run  func()
			}{
				{"forward", func() { e.DenseForward(n, in, out, y, x, w, bias) }},
				{"data", func() { e.DenseData(n, in, out, x, y, w) }},
				{"weights", func() { e.DenseWeights(n, in, out, w, bias, x, y) }},
			} {
				b.Run(fmt.Sprintf("%dx%dx%d/%s/%d", n, in, out, p.name, workers), func(b *testing.B) {
					b.ReportAllocs()
					best := math.Inf(1)
					for b.Loop() {
						start := time.Now()
						p.run()
						best = min(best, time.Since(start).Seconds())
					}
					b.ReportMetric(2*float64(n)*float64(in)*float64(out)/1e9/best, "best-GF/s")
				})
			}
			e.Close()
		}
	}
}

// BenchmarkMemory reports the traffic of what is bound by memory, beside a copy.
func BenchmarkMemory(b *testing.B) {
	const n = 3200 * 1024
	r := rand.New(rand.NewPCG(1, 1))
	x, y, z, v := randSlice(r, n), make([]float32, n), make([]float32, n), make([]float32, n)
	sw := make([]int32, n/4)
	c := make([][]float32, 6)
	for i := range c {
		c[i] = randSlice(r, 32)
	}
	for _, workers := range []int{1, 2} {
		e := New(workers)
		for _, p := range []struct {
			name  string
			bytes int
			run   func()
		}{
			{"Copy", 8 * n, func() { e.For(200, func(i int) { copy(y[i*n/200:(i+1)*n/200], x[i*n/200:]) }) }},
			{"ReLU", 8 * n, func() { e.ReLU(y, x) }},
			{"ReLUGrad", 12 * n, func() { e.ReLUGrad(y, z, x) }},
			{"Add", 12 * n, func() { e.Add(y, z, x) }},
			{"Adam", 28 * n, func() { e.Adam(x, y, z, v, 0, 0.9, 0.999, 1e-8, 1) }},
			{"Momentum", 20 * n, func() { e.Momentum(x, y, z, 0, 0.9) }},
			{"MaxPool2", 6 * n, func() {
				e.MaxPool(Pool{KH: 2, KW: 2, StrideY: 2, StrideX: 2}, 3200, y[:n/4], sw, Full(16, 16), x, Full(32, 32), 32, 32)
			}},
			{"MaxPool2 values", 5 * n, func() {
				e.MaxPool(Pool{KH: 2, KW: 2, StrideY: 2, StrideX: 2}, 3200, y[:n/4], nil, Full(16, 16), x, Full(32, 32), 32, 32)
			}},
			{"MaxPool3", 6 * n, func() {
				e.MaxPool(Pool{KH: 3, KW: 3, StrideY: 2, StrideX: 2, PadTop: 1, PadLeft: 1}, 3200, y[:n/4], sw, Full(16, 16), x, Full(32, 32), 32, 32)
			}},
			{"MaxUnpool", 6 * n, func() { e.MaxUnpool(3200, y, Full(32, 32), x[:n/4], sw, 32, 256) }},
			{"BatchNormTrain", 12 * n, func() { e.BatchNormTrain(100, 32, 1024, y, x, c[0], c[1], c[2], c[3], 1e-5) }},
			{"BatchNormGrad", 20 * n, func() { e.BatchNormGrad(100, 32, 1024, y, c[4], c[5], z, x, c[0], c[2], c[3]) }},
			{"LRN", 8 * n, func() { e.LRN(100, 32, 1024, y, x, 5, 1e-4, 0.75, 2) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", p.name, workers), func(b *testing.B) {
				b.ReportAllocs()
				best := math.Inf(1)
				for b.Loop() {
					start := time.Now()
					p.run()
					best = min(best, time.Since(start).Seconds())
				}
				b.ReportMetric(float64(p.bytes)/1e9/best, "best-GB/s")
			})
		}
		e.Close()
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

// BenchmarkLeNetStep is a training step of the LeNet of engine tests without its
// dropout: batch 100, 5x5x32 and 5x5x64 convolutions, 1024 hidden units, Adam.
func BenchmarkLeNetStep(b *testing.B) {
	const n = 100
	r := rand.New(rand.NewPCG(1, 1))
	rnd := func(n int) []float32 { return randSlice(r, n) }
	buf := func(n int) []float32 { return make([]float32, n) }
	g1 := Conv{In: 1, Out: 32, KH: 5, KW: 5, PadTop: 2, PadLeft: 2}
	g2 := Conv{In: 32, Out: 64, KH: 5, KW: 5, PadTop: 2, PadLeft: 2}
	p := Pool{KH: 2, KW: 2, StrideY: 2, StrideX: 2}
	f28, f14, f7 := Full(28, 28), Full(14, 14), Full(7, 7)
	const a1, a2, a3 = 32 * 784, 64 * 196, 64 * 49
	x := rnd(n * 784)
	y1, p1, y2, p2, h, o := buf(n*a1), buf(n*a1/4), buf(n*a2), buf(n*a3), buf(n*1024), buf(n*10)
	d1, dp1, d2, dp2, dh, do := buf(n*a1), buf(n*a1/4), buf(n*a2), buf(n*a3), buf(n*1024), buf(n*10)
	s1, s2 := make([]int32, n*a1/4), make([]int32, n*a3)
	labels := make([]int32, n)
	sizes := []int{32 * 25, 32, 64 * 32 * 25, 64, 1024 * a3, 1024, 10 * 1024, 10}
	var w, dw, m, v [8][]float32
	for i, s := range sizes {
		w[i], dw[i], m[i], v[i] = rnd(s), buf(s), buf(s), buf(s)
		for j := range w[i] {
			w[i][j] *= 0.05
		}
	}
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			e := New(workers)
			defer e.Close()
			c1, c2, t2 := PackForward(g1, w[0]), PackForwardFast(g2, w[2]), PackDataFast(g2, w[2])
			best := math.Inf(1)
			cpu := cpuClock()
			step := 0
			for b.Loop() {
				step++
				start := time.Now()
				c1.Repack(w[0])
				c2.Repack(w[2])
				t2.Repack(w[2])
				e.ConvForward(c1, n, y1, f28, x, f28, Epilogue{Bias: w[1], ReLU: true})
				e.MaxPool(p, n*32, p1, s1, f14, y1, f28, 28, 28)
				e.ConvForward(c2, n, y2, f14, p1, f14, Epilogue{Bias: w[3], ReLU: true})
				e.MaxPool(p, n*64, p2, s2, f7, y2, f14, 14, 14)
				e.DenseForward(n, a3, 1024, h, p2, w[4], w[5])
				e.ReLU(h, h)
				e.DenseForward(n, 1024, 10, o, h, w[6], w[7])
				SoftmaxCrossEntropy(n, 10, do, o, labels)
				e.DenseWeights(n, 1024, 10, dw[6], dw[7], h, do)
				e.DenseData(n, 1024, 10, dh, do, w[6])
				e.ReLUGrad(dh, dh, h)
				e.DenseWeights(n, a3, 1024, dw[4], dw[5], p2, dh)
				e.DenseData(n, a3, 1024, dp2, dh, w[4])
				e.MaxUnpool(n*64, d2, f14, dp2, s2, 14, 49)
				e.ReLUGrad(d2, d2, y2)
				e.ConvWeights(g2, n, dw[2], dw[3], p1, f14, d2, f14)
				e.ConvData(t2, n, dp1, f14, d2, f14)
				e.MaxUnpool(n*32, d1, f28, dp1, s1, 28, 196)
				e.ReLUGrad(d1, d1, y1)
				e.ConvWeights(g1, n, dw[0], dw[1], x, f28, d1, f28)
				for i := range w {
					e.Adam(w[i], m[i], v[i], dw[i], 1e-4, 0.9, 0.999, 1e-8, step)
				}
				best = min(best, time.Since(start).Seconds())
			}
			b.ReportMetric(best*1e3, "best-ms")
			b.ReportMetric((cpuClock()-cpu).Seconds()*1e3/float64(b.N), "cpu-ms")
		})
	}
}
