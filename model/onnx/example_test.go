package onnx_test

import (
	"fmt"
	"log"

	"github.com/deconvnet/viz/model/onnx"
)

// Read a network that another program exported.
func Example() {
	net, err := onnx.Import("../../testdata/golden/lenet_small/model.onnx")
	if err != nil {
		log.Fatal(err) // an onnx.Unsupported lists every node that cannot be read
	}
	layers, err := net.Summary()
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range layers[:3] {
		fmt.Println(l.Name, l.Kind, l.Output)
	}
	fmt.Println("class scores:", net.Logits)
	// Output:
	// conv1 Conv 8x28x28
	// relu1 ReLU 8x28x28
	// pool1 MaxPool 8x14x14
	// class scores: fc2
}
