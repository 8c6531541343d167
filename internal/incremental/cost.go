package incremental

import (
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// Cost is what a run is predicted to take.
type Cost struct {
	MACs   float64 // multiply-adds, the clean pass not counted
	Memory int     // bytes beside the network's weights
	Layers []LayerCost
}

// LayerCost is a layer's part.
type LayerCost struct {
	Layer string
	Way   string
	MACs  float64 // a change, mean
	Whole float64 // of a whole pass
	Box   [2]float64
}

// choose decides the ways, group and workers.
func (n *Net) choose() error {
	for i := range n.steps {
		s := &n.steps[i]
		if s.op == opConv {
			s.way = kernel.LaneDirect
			if !n.o.Exact && s.geo.KH*s.geo.KW > 1 {
				s.way = kernel.LaneTaps
				if s.geo.CanWinograd() && s.geo.In >= 16 && s.geo.Out >= 16 {
					s.way = kernel.LaneWinograd
				}
				if s.geo.In/max(s.geo.Groups, 1) < 16 {
					s.way = kernel.LaneDirect
				}
			}
			s.conv = kernel.PackLanes(s.geo, s.w, s.way)
		}
	}
	n.works = n.engine.Workers()
	n.group = 16
	return nil
}

func denseOf(node *model.Node) *model.Dense { return node.Layer.(*model.Dense) }

// Cost predicts a run over changes.
func (n *Net) Cost(changes []model.Box) Cost { return Cost{} }
