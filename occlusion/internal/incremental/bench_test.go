package incremental

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// BenchmarkModel follows 256 changes of 16x16 pixels through the
// ONNX file named by VIZ_BENCH_MODEL.
func BenchmarkModel(b *testing.B) {
	path := os.Getenv("VIZ_BENCH_MODEL")
	if path == "" {
		b.Skip("VIZ_BENCH_MODEL names no file")
	}
	net, err := onnx.Import(path)
	if err != nil {
		b.Fatal(err)
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	in := net.Input
	x := tensor.New(1, in.C, in.H, in.W)
	for i := range x.Data {
		x.Data[i] = float32(i*7919%1000)/500 - 1
	}
	var boxes []model.Box
	for s := range 13 { // strips of four rows of 53x53 positions, every eleventh block
		for c := range 53 {
			for r := range 4 {
				y, x := 4*(4*s+r)*(in.H-16)/208, 4*c*(in.W-16)/208
				boxes = append(boxes, model.Box{Y0: y, X0: x, Y1: y + 16, X1: x + 16})
			}
		}
	}
	for i := range 8 {
		copy(boxes[32*i:], boxes[32*(11*i):32*(11*i+1)])
	}
	boxes = boxes[:256]
	n, err := Compile(engine, net, Options{Outputs: []string{net.Logits}, Changes: boxes})
	if err != nil {
		b.Fatal(err)
	}
	k, err := n.Clean(x)
	if err != nil {
		b.Fatal(err)
	}
	for _, l := range n.Cost(boxes).Layers {
		if l.MACs > 0 {
			fmt.Printf("%-30s %-9s box %6.1f of %5d places, %9.3f M of %9.3f\n", l.Layer, l.Way, l.Box, l.Map, l.MACs/1e6, l.Whole/1e6)
		}
	}
	c := n.Cost(boxes)
	fmt.Printf("%.1f M of %.1f a change\n", c.MACs/1e6/256, c.Whole/1e6/256)
	for b.Loop() {
		err := k.Run(context.Background(), Job{Changes: boxes, Draw: func(i int, dst []float32) { clear(dst) },
			Done: func(int, [][]float32, []float64) {}})
		if err != nil {
			b.Fatal(err)
		}
	}
}
