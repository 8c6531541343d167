package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// WindowPool is what the pools above do not do. Op: "lp" is the P-norm of a
// window, "average" a mean (for dilated windows), "argmax" the place of the
// maximum in the image's array, c*H*W + row*W + column, or with columns
// before rows if Columns is set; the first among equals.
type WindowPool struct {
	Op                       string
	Kernel, Stride, Dilation [2]int
	Pads                     [4]int
	Ceil, CountPad, Columns  bool
	P                        int
}

// Kind is the layer's name.
func (*WindowPool) Kind() string { return "WindowPool" }

func (l *WindowPool) slots() []slot {
	return []slot{
		attribute("op", &l.Op), attribute("kernel", &l.Kernel), attribute("stride", &l.Stride), attribute("dilation", &l.Dilation),
		attribute("pads", &l.Pads), attribute("ceil", &l.Ceil), attribute("count_pad", &l.CountPad), attribute("columns", &l.Columns), attribute("p", &l.P)}
}

func (l *WindowPool) shape(ins []Shape) (Shape, error) {
	if !slices.Contains([]string{"lp", "average", "argmax"}, l.Op) || l.Op == "lp" && l.P < 1 {
		return ins[0], fmt.Errorf("unknown pool %q of power %d", l.Op, l.P)
	}
	return poolShape(ins[0], l.Kernel, l.Stride, l.Dilation, l.Pads, l.Ceil)
}

func (*WindowPool) inputs() int           { return 1 }
func (l *WindowPool) reach(_ Shape) reach { return windows(asConv(l.Geometry())) }
func (*WindowPool) macs(_, _ Shape) int64 { return 0 }
func (l *WindowPool) text() string {
	return l.Op + " " + window(l.Kernel, l.Stride, l.Dilation, l.Pads)
}

func (l *WindowPool) forward(c *call) error {
	c.each(func(dst, src []float32) { windowPool(l, dst, c.out, src, c.ins[0]) })
	return nil
}

// Geometry is the layer as the kernels see it.
func (l *WindowPool) Geometry() kernel.Pool {
	return kernel.Pool{KH: l.Kernel[0], KW: l.Kernel[1], StrideY: l.Stride[0], StrideX: l.Stride[1],
		DilY: l.Dilation[0], DilX: l.Dilation[1], PadTop: l.Pads[0], PadLeft: l.Pads[1]}
}

// windowPool walks over the windows of each map. Places outside the input do
// not count, but for an average that counts padding, which ends where the
// padding does even if the last window hangs over.
func windowPool(l *WindowPool, dst []float32, out Shape, src []float32, in Shape) {
	at := 0
	for c := range in.C {
		for oy := range out.H {
			for ox := range out.W {
				sum, count, best := 0.0, 0, -1
				for ky := range l.Kernel[0] {
					y := oy*l.Stride[0] - l.Pads[0] + ky*l.Dilation[0]
					for kx := range l.Kernel[1] {
						x := ox*l.Stride[1] - l.Pads[1] + kx*l.Dilation[1]
						if y < 0 || y >= in.H || x < 0 || x >= in.W {
							if l.CountPad && y < in.H+l.Pads[2] && x < in.W+l.Pads[3] {
								count++
							}
							continue
						}
						j := (c*in.H+y)*in.W + x
						v := src[j]
						count++
						switch {
						case l.Op == "lp":
							sum += math.Pow(math.Abs(float64(v)), float64(l.P))
						case l.Op == "average":
							sum += float64(v)
						case best < 0 || v > src[best]:
							best = j
						}
					}
				}
				switch l.Op {
				case "lp":
					sum = math.Pow(sum, 1/float64(l.P))
				case "average":
					sum /= float64(max(count, 1))
				default:
					if l.Columns && best >= 0 {
						y, x := best/in.W%in.H, best%in.W
						best = (c*in.W+x)*in.H + y
					}
					sum = float64(best)
				}
				dst[at] = float32(sum)
				at++
			}
		}
	}
}
