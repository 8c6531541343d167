package features_test

import (
	"context"
	"fmt"
	"image/png"
	"log"
	"os"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

// files is a source of images: the caller decides where they come from.
type files struct {
	net   *model.Network
	names []string
}

func (f files) Len() int { return len(f.names) }

func (f files) Input(i int, dst []float32) error {
	file, err := os.Open(f.names[i])
	if err != nil {
		return err
	}
	defer file.Close()
	img, err := png.Decode(file)
	if err != nil {
		return err
	}
	x, err := f.net.Preprocess.Tensor(img, f.net.Input)
	if err != nil {
		return err
	}
	copy(dst, x.Data)
	return nil
}

// Find the images that the maps of the last convolution respond to most.
func Example() {
	net, err := builtin.Load("shapes")
	if err != nil {
		log.Fatal(err)
	}
	engine := model.NewEngine(0)
	defer engine.Close()
	images := files{net, []string{"../testdata/ring.png", "../testdata/star.png", "../testdata/checks.png"}}
	index, err := features.Collect(context.Background(), engine, net, images, features.Options{Layers: []string{"relu5"}, Top: 2})
	if err != nil {
		log.Fatal(err)
	}
	layer := index.Layers[0]
	fmt.Printf("%s: %d maps, the %d strongest of %d images for each\n", layer.Name, len(layer.Top), len(layer.Top[0]), index.Images)
	// Output: relu5: 64 maps, the 2 strongest of 3 images for each
}
