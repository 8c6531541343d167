package sweep

import (
	"context"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
)

// Exclusion is what was left out because the network had seen it in training.
type Exclusion struct {
	Data        string     `json:"data"`        // what it had seen
	Correlation float64    `json:"correlation"` // from which on an image is a copy
	Images      int        `json:"images"`      // looked at
	Copies      []SeenCopy `json:"copies"`
}

// SeenCopy is an image that the network has seen in training, or nearly so.
type SeenCopy struct {
	Image       string  `json:"image"`
	Of          string  `json:"of"`
	Correlation float64 `json:"correlation"`
}

// greys are the images of lists, one after the other, as grey inputs of a network.
type greys struct {
	net  *model.Network
	sets []*images.List
}

func (g greys) at(i int) (*images.List, int) {
	for _, s := range g.sets {
		if i < s.Len() {
			return s, i
		}
		i -= s.Len()
	}
	panic("greys: no such image")
}

func (g greys) Len() (n int) {
	for _, s := range g.sets {
		n += s.Len()
	}
	return n
}

func (g greys) Input(i int, dst []float32) error {
	set, k := g.at(i)
	item, err := set.Open(k)
	if err != nil {
		return err
	}
	h, w := g.net.Input.H, g.net.Input.W
	pixels := make([]uint8, h*w)
	model.Planar(g.net.Preprocess.Fit(item.Image, h, w), 1, false, pixels)
	for p, v := range pixels {
		dst[p] = float32(v)
	}
	return nil
}

// exclude takes the images out of training and test set that the network has
// seen in training: those that are correlated with one of seen.Train by at least above.
func (sets Sets) exclude(ctx context.Context, engine *model.Engine, net *model.Network, seen *images.Data, above float64, o Options) (Sets, *Exclusion, error) {
	fresh, old := greys{net, sets[:]}, greys{net, []*images.List{seen.Train}}
	x := &Exclusion{Data: seen.Name, Correlation: above, Images: fresh.Len(), Copies: []SeenCopy{}}
	step, end := o.progress("looking for images of " + seen.Name)
	copies, err := experiments.Copies(ctx, engine, net.Input.H, net.Input.W, fresh, old, above, step)
	end()
	if err != nil {
		return sets, nil, err
	}
	gone := map[int]bool{}
	for _, p := range copies {
		set, i := fresh.at(p.Image)
		gone[p.Image] = true
		x.Copies = append(x.Copies, SeenCopy{set.Items[i].Name, seen.Train.Items[p.Of].Name, p.Correlation})
	}
	out, at := sets, 0
	for s, set := range sets {
		var keep []int
		for i := range set.Len() {
			if !gone[at] {
				keep = append(keep, i)
			}
			at++
		}
		out[s] = set.Subset(keep)
	}
	o.note("%d of %d images are copies of training images of %s (correlation %g and more) and left out", len(copies), x.Images, seen.Name, above)
	return out, x, nil
}
