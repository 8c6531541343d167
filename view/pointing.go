package view

import (
	"context"
	"fmt"
	"image"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// Pointing asks how often occlusion maps and projections point at the object, on images that know where it is.
type Pointing struct {
	Occlusion occlusion.Options // patch, stride and fill
	Rule      deconv.Rule       // "": deconv.Paper
	Progress  func(done, total int)
}

// Fields are the settings of the request.
func (r *Pointing) Fields() Fields {
	whole := Occlusion{}
	of := whole.Fields()
	o := &r.Occlusion
	patch := PairField(Field{Name: "patch", Was: []string{"size"}, Usage: of.Named("patch").Usage}, &o.Patch)
	return Fields{patch, PairField(Field{Name: "stride", Usage: of.Named("stride").Usage}, &o.Stride), fillField(&o.Fill), RuleField(&r.Rule)}
}

// Validate reports the first thing wrong with the request for a network.
func (r Pointing) Validate(net *model.Network) error {
	if _, err := deconv.ParseRule(string(r.rule())); err != nil {
		return &FieldError{Field: "rule", Problem: err.Error()}
	}
	return Occlusion{Options: r.Occlusion}.Validate(net)
}

func (r Pointing) rule() deconv.Rule {
	if r.Rule == "" {
		return deconv.Paper
	}
	return r.Rule
}

// PointingNumbers says how often maps and projections point at the object.
type PointingNumbers struct {
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

// Pointing measures a list of images, whose labels are the network's classes.
func (s *Session) Pointing(ctx context.Context, r Pointing, src *images.Inputs) (*PointingNumbers, error) {
	if err := r.Validate(s.Net); err != nil {
		return nil, err
	}
	last, err := s.Net.LastFeatures()
	if err != nil {
		return nil, err
	}
	out := &PointingNumbers{Model: s.hash, Data: src.From, Images: src.Len(), Layer: last, Rule: r.rule()}
	projector := deconv.New(s.Engine, s.Net, out.Rule)
	for i := range src.Len() {
		x, err := src.Load(i)
		if err != nil {
			return nil, err
		}
		object := src.Object(i)
		if object.Empty() {
			return nil, fmt.Errorf("%s: the data does not say where the object is, or the network's input has another size", src.Items[i].Name)
		}
		r.Occlusion.Classes = []int{src.Items[i].Label}
		m, err := occlusion.Scan(ctx, s.Engine, s.Net, x, r.Occlusion)
		if err != nil {
			return nil, err
		}
		out.addMap(m, src.Items[i].Label, object)
		t, err := s.Engine.Forward(s.Net, x)
		if err != nil {
			return nil, err
		}
		p, err := projector.Project(t, 0, strongest(t, last))
		if err != nil {
			return nil, err
		}
		out.addProjection(p, object, s.Net.Input)
		if r.Progress != nil {
			r.Progress(i+1, src.Len())
		}
	}
	out.finish()
	return out, nil
}

// inside reports whether a place lies in a box.
func inside(object image.Rectangle, y, x float64) bool {
	return y >= float64(object.Min.Y) && y < float64(object.Max.Y) && x >= float64(object.Min.X) && x < float64(object.Max.X)
}

// addMap counts an occlusion map of the true class.
func (n *PointingNumbers) addMap(m *occlusion.Map, label int, object image.Rectangle) {
	if m.CleanBest == label {
		n.Correct++
	}
	centre := func(b model.Box) bool { return inside(object, float64(b.Y0+b.Y1)/2, float64(b.X0+b.X1)/2) }
	if centre(m.Lowest(0)) {
		n.OnObject++
	}
	hits := 0
	for _, b := range m.Boxes {
		if centre(b) {
			hits++
		}
	}
	n.Chance += float64(hits) / float64(len(m.Boxes))
}

// addProjection counts the energy of a projection.
func (n *PointingNumbers) addProjection(p *deconv.Projection, object image.Rectangle, in model.Input) {
	var on, off float64
	for j, v := range p.Pixels {
		y, x := j/p.Box.W()%p.Box.H()+p.Box.Y0, j%p.Box.W()+p.Box.X0
		if inside(object, float64(y), float64(x)) {
			on += float64(float64(v) * float64(v))
		} else {
			off += float64(float64(v) * float64(v))
		}
	}
	n.AreaShare += float64(object.Dx()*object.Dy()) / float64(in.H*in.W)
	n.EnergyShare += on / max(on+off, 1e-30)
	if on > off {
		n.EnergyMajor++
	}
}

// finish turns sums into means.
func (n *PointingNumbers) finish() {
	count := float64(n.Images)
	n.Occlusion = float64(n.OnObject) / count
	n.Chance /= count
	n.AreaShare /= count
	n.EnergyShare /= count
	n.EnergyMajor /= count
	n.EnergyDensity = n.EnergyShare / n.AreaShare / max((1-n.EnergyShare)/(1-n.AreaShare), 1e-30)
}

// strongest is the unit with the largest activation of a layer, for the first image.
func strongest(t *model.Trace, layer string) model.Unit {
	s := t.Shapes[layer]
	at := tensor.ArgMax(t.Value(layer).Data[:s.Len()])
	return model.Unit{Layer: layer, Channel: at / (s.H * s.W), Y: at / s.W % s.H, X: at % s.W}
}

// Text is the result in words.
func (n *PointingNumbers) Text() string {
	return fmt.Sprintf("occlusion: the lowest-probability patch lies on the object in %d of %d images, %.1f %% (chance %.1f %%)\n",
		n.OnObject, n.Images, 100*n.Occlusion, 100*n.Chance) +
		fmt.Sprintf("projection (%s, rule %s): %.1f %% of the energy lies on the object, which covers %.1f %% of the image;\n"+
			"more than half of it does in %.1f %% of the images; energy per pixel on it is %.1f times that of the background\n",
			n.Layer, n.Rule, 100*n.EnergyShare, 100*n.AreaShare, 100*n.EnergyMajor, n.EnergyDensity)
}
