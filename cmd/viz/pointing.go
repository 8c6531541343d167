package main

import (
	"context"
	"fmt"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
	"github.com/urfave/cli/v2"
)

func pointingCommand() *cli.Command {
	return &cli.Command{
		Name: "pointing", Usage: "measure how often maps and projections point at the object, on data that knows where it is",
		UsageText: "viz pointing [flags]",
		Description: "For each image: is the centre of the patch that lowers the true class's probability most inside the\n" +
			"object's box, and how much of the energy of the strongest projection of the last maps lies there?\n\n" +
			examples("viz pointing", "viz pointing --model ckpt.bin --limit 50 --stride 2 --json"),
		Flags: []cli.Flag{modelFlag, jsonFlag, quietFlag, workersFlag, seedFlag, splitFlag, byNumberFlag,
			&cli.IntFlag{Name: "limit", Value: 200, Usage: "number of images"},
			&cli.StringFlag{Name: "size", Usage: "patch, see viz occlude"},
			&cli.StringFlag{Name: "stride", Usage: "stride, see viz occlude"},
			&cli.StringFlag{Name: "fill", Value: "mean", Usage: "fill, see viz occlude"},
			&cli.StringFlag{Name: "rule", Value: string(deconv.Paper), Usage: "projection `RULE`, see viz deconv"}},
		Action: pointing,
	}
}

// pointingResult is the JSON form of viz pointing.
type pointingResult struct {
	Model         string      `json:"model"`
	Data          string      `json:"data"`
	Images        int         `json:"images"`
	Correct       int         `json:"correct"`        // classified right when nothing is covered
	OnObject      int         `json:"on_object"`      // centre of the lowest-probability patch inside the object's box
	Occlusion     float64     `json:"occlusion"`      // OnObject / Images
	Chance        float64     `json:"chance"`         // mean share of the patch centres that lie in the box
	Layer         string      `json:"layer"`          // projected layer
	Rule          deconv.Rule `json:"rule"`           //
	EnergyShare   float64     `json:"energy_share"`   // mean share of the projection's squared pixels inside the box
	AreaShare     float64     `json:"area_share"`     // mean share of the image that the box covers
	EnergyMajor   float64     `json:"energy_major"`   // share of images with more energy in the box than outside it
	EnergyDensity float64     `json:"energy_density"` // energy per pixel in the box over energy per pixel outside it
}

func pointing(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage("viz pointing takes no arguments, got "+c.Args().First(), "")
	}
	net, _, err := loadModel(c, false)
	if err != nil {
		return err
	}
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return usageErr(err)
	}
	var o occlusion.Options
	if o.Patch, err = parsePair("size", c.String("size")); err != nil {
		return err
	}
	if o.Stride, err = parsePair("stride", c.String("stride")); err != nil {
		return err
	}
	if o.Fill, err = occlusion.ParseFill(c.String("fill")); err != nil {
		return usageErr(err)
	}
	if _, _, err := occlusion.Cost(net, o); err != nil {
		return usageErr(err)
	}
	spec := givenImages(c)
	spec.Paths, spec.Data = nil, "shapes"
	src, err := openInputs(c, net, spec)
	if err != nil {
		return err
	}
	if src, _, err = matchClasses(c, src); err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	step, end := progress(c, "pointing")
	r, err := measurePointing(c.Context, engine, net, src, rule, o, step)
	end()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, r)
	}
	fmt.Fprintf(c.App.Writer, "occlusion: the lowest-probability patch lies on the object in %d of %d images, %.1f %% (chance %.1f %%)\n",
		r.OnObject, r.Images, 100*r.Occlusion, 100*r.Chance)
	fmt.Fprintf(c.App.Writer, "projection (%s, rule %s): %.1f %% of the energy lies on the object, which covers %.1f %% of the image;\n"+
		"more than half of it does in %.1f %% of the images; energy per pixel on it is %.1f times that of the background\n",
		r.Layer, r.Rule, 100*r.EnergyShare, 100*r.AreaShare, 100*r.EnergyMajor, r.EnergyDensity)
	return nil
}

func measurePointing(ctx context.Context, engine *model.Engine, net *model.Network, src *images.Inputs, rule deconv.Rule, o occlusion.Options, step func(done, total int)) (*pointingResult, error) {
	last, err := net.LastFeatures()
	if err != nil {
		return nil, err
	}
	r := &pointingResult{Model: hash(net), Data: src.From, Images: src.Len(), Layer: last, Rule: rule}
	projector := deconv.New(engine, net, rule)
	for i := range src.Len() {
		x, err := src.Load(i)
		if err != nil {
			return nil, err
		}
		object := src.Object(i)
		if object.Empty() {
			return nil, fmt.Errorf("%s: the data does not say where the object is, or the network's input has another size", src.Items[i].Name)
		}
		inside := func(y, x float64) bool {
			return y >= float64(object.Min.Y) && y < float64(object.Max.Y) && x >= float64(object.Min.X) && x < float64(object.Max.X)
		}
		o.Classes = []int{src.Items[i].Label}
		m, err := occlusion.Scan(ctx, engine, net, x, o)
		if err != nil {
			return nil, err
		}
		if m.CleanBest == src.Items[i].Label {
			r.Correct++
		}
		centre := func(b model.Box) bool { return inside(float64(b.Y0+b.Y1)/2, float64(b.X0+b.X1)/2) }
		if centre(m.Lowest(0)) {
			r.OnObject++
		}
		hits := 0
		for _, b := range m.Boxes {
			if centre(b) {
				hits++
			}
		}
		r.Chance += float64(hits) / float64(len(m.Boxes))

		t, err := engine.Forward(net, x)
		if err != nil {
			return nil, err
		}
		p, err := projector.Project(t, 0, strongest(t, last))
		if err != nil {
			return nil, err
		}
		var on, off float64
		for j, v := range p.Pixels {
			y, x := j/p.Box.W()%p.Box.H()+p.Box.Y0, j%p.Box.W()+p.Box.X0
			if inside(float64(y), float64(x)) {
				on += float64(v) * float64(v)
			} else {
				off += float64(v) * float64(v)
			}
		}
		area := float64(object.Dx()*object.Dy()) / float64(net.Input.H*net.Input.W)
		r.AreaShare += area
		r.EnergyShare += on / max(on+off, 1e-30)
		if on > off {
			r.EnergyMajor++
		}
		if step != nil {
			step(i+1, src.Len())
		}
	}
	n := float64(r.Images)
	r.Occlusion = float64(r.OnObject) / n
	r.Chance /= n
	r.AreaShare /= n
	r.EnergyShare /= n
	r.EnergyMajor /= n
	r.EnergyDensity = r.EnergyShare / r.AreaShare / max((1-r.EnergyShare)/(1-r.AreaShare), 1e-30)
	return r, nil
}

// strongest is the unit with the largest activation of a layer, for the first image.
func strongest(t *model.Trace, layer string) model.Unit {
	s := t.Shapes[layer]
	at := tensor.ArgMax(t.Value(layer).Data[:s.Len()])
	return model.Unit{Layer: layer, Channel: at / (s.H * s.W), Y: at / s.W % s.H, X: at % s.W}
}
