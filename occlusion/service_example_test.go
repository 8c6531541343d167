package occlusion_test

import (
	"context"
	"image/png"
	"log"
	"os"
	"path/filepath"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/occlusion"
)

// explain opens any network and any picture, and writes an occlusion map, as a
// service would.
func explain(ctx context.Context, network, photo, to string) error {
	net, err := open.Network(network, open.Options{})
	if err != nil {
		return err
	}
	picture, err := images.OpenFile(photo)
	if err != nil {
		return err
	}
	x, err := picture.Tensor(net.Preprocess, net.Input)
	if err != nil {
		return err
	}
	engine := model.NewEngine(0)
	defer engine.Close()
	m, err := occlusion.Scan(ctx, engine, net, x, occlusion.Options{Patch: [2]int{8, 8}})
	if err != nil {
		return err
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer file.Close()
	return png.Encode(file, m.Figure(occlusion.Style{Name: photo}))
}

// Any network and any picture in, a figure out.
func Example_anyNetwork() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := explain(context.Background(), "shapes", "../testdata/star.png", filepath.Join(dir, "map.png")); err != nil {
		log.Fatal(err)
	}
	// Output:
}
