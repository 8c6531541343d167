package attribution_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
)

// From files to a map: any network, any picture.
func Example() {
	net, err := open.Network("shapes", open.Options{})
	if err != nil {
		log.Fatal(err)
	}
	photo, err := images.OpenFile("../testdata/star.png")
	if err != nil {
		log.Fatal(err)
	}
	x, err := photo.Tensor(net.Preprocess, net.Input)
	if err != nil {
		log.Fatal(err)
	}
	engine := model.NewEngine(0)
	defer engine.Close()
	maps, err := attribution.New(engine, net).Explain(context.Background(), x, attribution.Request{Method: attribution.IntegratedGradients})
	if err != nil {
		log.Fatal(err)
	}
	m := maps[0]
	part := math.Abs(m.Completeness.Residual / m.Completeness.Difference)
	fmt.Printf("%s: %v values, which add up to the score: %t\n", m.Target.Name(net), m.Shape, part < 0.02)
	// Output: star: [3 32 32] values, which add up to the score: true
}
