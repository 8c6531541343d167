package tensor_test

import (
	"fmt"

	"github.com/deconvnet/viz/model/tensor"
)

// Two images of one channel and 1x2 pixels, and a view of the second.
func Example() {
	x := tensor.From([]float32{1, 2, 3, 4}, 2, 1, 1, 2)
	second := x.Slice(1, 2)
	fmt.Println(second.Shape, second.Data, tensor.ArgMax(second.Data))
	// Output: [1 1 1 2] [3 4] 1
}
