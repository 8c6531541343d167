package cmdline

import (
	"runtime/debug"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// packings is how often a page of many parts holds the weights packed at a time, at most: for both ways, also of a
// network whose weights are drawn anew.
const packings = 5

// LimitExplain is LimitMemory for such a page.
func (c *Run) LimitExplain(net *model.Network) error {
	if c.Memory > 0 {
		return c.LimitMemory(net)
	}
	weights, err := weightBytes(net)
	if collect := int64((packings+1)*weights + usual); err == nil && debug.SetMemoryLimit(-1) > collect {
		debug.SetMemoryLimit(collect)
	}
	return err
}

// ExplainMemory is what such a page may take for batches; 0: not bounded.
func (c *Run) ExplainMemory(s *view.Session, src *images.Inputs) (int, error) {
	budget, err := c.Budget(src)
	if err != nil || budget.Limit == 0 {
		return 0, err
	}
	weights, err := weightBytes(s.Net)
	if err != nil {
		return 0, err
	}
	one, err := s.ExplainMemory()
	if err != nil {
		return 0, err
	}
	return budget.Left() - packings*weights, budget.Refuse("a page", packings*weights+max(one, 32<<20))
}
