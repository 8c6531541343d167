package occlusion_test

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/occlusion"
)

// Find the place that a decision rests on most.
func Example() {
	net, err := builtin.Load("shapes")
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open("../testdata/ring.png")
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
	m, err := occlusion.Scan(context.Background(), engine, net, x, occlusion.Options{Stride: [2]int{3, 3}})
	if err != nil {
		log.Fatal(err)
	}
	low := m.Lowest(0)
	centre := image.Pt((low.X0+low.X1)/2, (low.Y0+low.Y1)/2)
	object := image.Rect(2, 10, 21, 28) // where the ring is
	fmt.Printf("%d x %d positions; %s is least probable with the patch on the object: %v\n",
		m.Rows, m.Cols, net.Class(m.Classes[0]), centre.In(object))
	// Output: 9 x 9 positions; ring is least probable with the patch on the object: true
}
