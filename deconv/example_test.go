package deconv_test

import (
	"fmt"
	"image/png"
	"log"
	"os"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

// Project one unit of the second convolution layer down to pixels.
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
	trace, err := engine.Forward(net, x)
	if err != nil {
		log.Fatal(err)
	}
	unit, err := net.ParseUnit("2:5:9:6") // layer 2, map 5, row 9, column 6
	if err != nil {
		log.Fatal(err)
	}
	p, err := deconv.New(engine, net, deconv.Paper).Project(trace, 0, unit)
	if err != nil {
		log.Fatal(err)
	}
	picture := p.Draw(net.Preprocess, 0)
	fmt.Printf("%v sees rows %d to %d, columns %d to %d; the picture is %v\n",
		p.Unit, p.Box.Y0, p.Box.Y1-1, p.Box.X0, p.Box.X1-1, picture.Bounds().Size())
	// Output: relu2:5:9:6 sees rows 14 to 23, columns 8 to 17; the picture is (10,10)
}
