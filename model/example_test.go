package model_test

import (
	"fmt"
	"image/png"
	"log"
	"os"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
)

// Run a network on an image and name the most probable class.
func Example() {
	net, err := builtin.Load("shapes") // or model.Load("ckpt.bin"), onnx.Import("net.onnx")
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open("../testdata/star.png")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	img, err := png.Decode(file)
	if err != nil {
		log.Fatal(err)
	}
	x, err := net.Preprocess.Tensor(img, net.Input)
	if err != nil {
		log.Fatal(err)
	}
	engine := model.NewEngine(0)
	defer engine.Close()
	trace, err := engine.Forward(net, x)
	if err != nil {
		log.Fatal(err)
	}
	best := tensor.ArgMax(trace.Value(net.Logits).Data)
	fmt.Println(net.Class(best))
	// Output: star
}
