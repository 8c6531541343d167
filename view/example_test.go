package view_test

import (
	"context"
	"fmt"
	"image/png"
	"log"
	"os"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/view"
)

// Open any network and any picture, and write a figure of what the decision rests on.
func Example() {
	engine := model.NewEngine(0)
	defer engine.Close()
	net, err := open.Network("shapes", open.Options{}) // or the name of a file
	if err != nil {
		log.Fatal(err)
	}
	picture, err := images.OpenFile("../testdata/ring.png")
	if err != nil {
		log.Fatal(err)
	}
	s := view.NewSession(engine, net)
	in, err := s.Input(picture)
	if err != nil {
		log.Fatal(err)
	}
	figures, err := s.Occlude(context.Background(), view.Occlusion{}, in)
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.CreateTemp("", "occlusion-*.png")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	fmt.Println(figures[0].Facts, png.Encode(file, figures[0].Image), file.Close())
	// Output: [{image ../testdata/ring.png} {class ring} {patch 7} {stride 1} {fill mean} {method fast}] <nil> <nil>
}
