package incremental

import (
	"context"
	"os"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// BenchmarkModel follows 256 neighbouring changes of 16x16 pixels through the
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
	for s := range 8 { // strips of four rows
		for c := range 8 {
			for r := range 4 {
				y, x := (4*s+r)*(in.H-16)/32, c*4+(in.W-16)*(s%3)/4
				boxes = append(boxes, model.Box{Y0: y, X0: x, Y1: y + 16, X1: x + 16})
			}
		}
	}
	n, err := Compile(engine, net, Options{Outputs: []string{net.Logits}, Changes: boxes})
	if err != nil {
		b.Fatal(err)
	}
	k, err := n.Clean(x)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		err := k.Run(context.Background(), Job{Changes: boxes, Draw: func(i int, dst []float32) { clear(dst) },
			Done: func(int, [][]float32, []float64) {}})
		if err != nil {
			b.Fatal(err)
		}
	}
}
