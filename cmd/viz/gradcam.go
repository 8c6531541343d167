package main

import (
	"fmt"
	"image"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/disintegration/imaging"
	"github.com/urfave/cli/v2"
)

func gradcamCommand() *cli.Command {
	return &cli.Command{
		Name: "gradcam", Usage: "show where in an image the maps of a layer speak for a class (Grad-CAM)",
		UsageText: "viz gradcam [flags] IMG...",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n\n" +
			examples("viz gradcam img.png", "viz gradcam --layer 3 --class cat img.png"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, jsonFlag, workersFlag, dataFlag, splitFlag, limitFlag, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` by number, name, block or module (3, relu3, block2, layer4.1); default: the last block or convolution before the scores"},
			&cli.StringFlag{Name: "class", Usage: "`CLASS` by name or number; default: the image's most probable one"}, atFlag},
		Action: gradcam,
	}
}

func gradcam(c *cli.Context) error {
	paths := inputPaths(c)
	if len(paths) == 0 && c.String("data") == "" {
		return usage("no image given", "viz gradcam img.png")
	}
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	layers, err := deconvLayers(c, net)
	if err != nil {
		return err
	}
	if len(layers) != 1 {
		return usage("viz gradcam takes one layer", "")
	}
	layer, class := layers[0], -1
	if spec := c.String("class"); spec != "" {
		if class, err = net.ResolveClass(spec); err != nil {
			return usageErr(err)
		}
	}
	at, err := atPlace(c)
	if err != nil {
		return err
	}
	reading, err := net.Reading()
	if err != nil {
		return err
	}
	if err := reading.Check(model.Target{Class: max(class, 0), At: at}); err != nil {
		return usageErr(err)
	}
	keep, err := deconv.GradCAMKeep(net, layer)
	if err != nil {
		return usageErr(err)
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	if err := out.several(src.Len(), "images"); err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	plan, err := engine.Compile(net, keep)
	if err != nil {
		return err
	}
	return each(c, src, "drawing", func(i int, x *tensor.Tensor) error {
		t, err := plan.Run(x)
		if err != nil {
			return err
		}
		scores := t.Value(net.Logits).Data
		k := class
		if k < 0 {
			k = reading.Default(scores).Class
		}
		target := model.Target{Class: k, At: at}
		told := reading.Tell(scores, target)
		cam, err := deconv.GradCAM(engine, t, 0, layer, target)
		if err != nil {
			return err
		}
		s := t.Shapes[layer]
		_, hi := render.Range(cam)
		heat := render.Heat(cam, s.H, s.W, 0, hi, render.Viridis)
		in := net.Input
		scale := max(224/max(in.H, in.W), 1)
		picture := render.Magnify(net.Preprocess.Image(x.Data, in), scale)
		b := picture.Bounds()
		overlay := render.Overlay(picture, imaging.Resize(heat, b.Dx(), b.Dy(), imaging.NearestNeighbor), 0.55)
		bar := &render.ColorBar{Palette: render.Viridis, Lo: 0, Hi: hi, Label: "weighted activation"}
		note := ""
		if hi == 0 {
			note = "nothing in this layer speaks for the class"
		}
		fig := render.Figure{Title: fmt.Sprintf("Grad-CAM at %s for %s", layer, net.Class(k)), Columns: 3, PanelSize: 224, Panels: []render.Panel{
			{Title: "image", Image: picture, Note: fmt.Sprintf("%s; class %d %s: %s %.4g", images.Title(src.Items[i].Name), k, net.Class(k), reading.Quantity(), told.Value)},
			{Title: "class activation map", Image: image.Image(heat), Bar: bar, Note: note},
			{Title: "over the image", Image: overlay}},
			Caption: []string{fmt.Sprintf("The maps of %s, %v, weighted with the mean gradient of the class score over each; negative sums are 0. %s %s", layer, s, net.Name, hash(net))}}
		name := "gradcam-" + src.Items[i].Stem + "-" + layer
		if _, err := out.picture(name, fig.Draw(), numbers{
			json:  map[string]any{"model": hash(net), "layer": layer, "class": net.Class(k), "class_number": k, "quantity": reading.Quantity(), string(reading.Quantity()): told.Value, "score": told.Score, "image": src.Items[i].Name, "lo": 0, "hi": hi},
			shape: []int{s.H, s.W}, data: cam}, "layer", layer, "class", net.Class(k), "image", src.Items[i].Name); err != nil {
			return err
		}
		return nil
	}, out.end)
}
