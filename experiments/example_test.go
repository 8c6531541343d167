package experiments_test

import (
	"context"
	"fmt"
	"log"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/internal/dataset"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

// How much more does a shift by one pixel change the first layer than the top?
func Example() {
	net, err := builtin.Load("shapes")
	if err != nil {
		log.Fatal(err)
	}
	data, err := dataset.Open(context.Background(), "shapes", dataset.Options{Train: 1, Test: 3})
	if err != nil {
		log.Fatal(err)
	}
	item, err := data.Test.Item(2)
	if err != nil {
		log.Fatal(err)
	}
	x, err := net.Preprocess.Tensor(item.Image, net.Input)
	if err != nil {
		log.Fatal(err)
	}
	engine := model.NewEngine(0)
	defer engine.Close()
	curves, err := experiments.Invariance(context.Background(), engine, net, x, item.Label,
		experiments.InvarianceOptions{Transforms: []experiments.Transform{experiments.ShiftX}})
	if err != nil {
		log.Fatal(err)
	}
	for i, pixels := range curves[0].Amounts {
		if pixels == 1 {
			fmt.Println("the first layer changes more than four times as much:", curves[0].Relative(0)[i] > 4*curves[0].Relative(1)[i])
		}
	}
	// Output: the first layer changes more than four times as much: true
}
