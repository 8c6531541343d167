package cmdline

import (
	"fmt"
	"runtime/debug"

	"github.com/deconvnet/viz/model"
)

// ExplainMemory is ScanMemory for a page of many parts, each of which packs the weights anew, for both ways, also of a
// network whose weights are drawn anew. What it returns is for batches.
func (c *Run) ExplainMemory(net *model.Network) (int, error) {
	weights := 0
	layers, err := net.Summary()
	if err != nil {
		return 0, err
	}
	for _, l := range layers {
		weights += 4 * l.Weights
	}
	const packings = 5
	if c.Memory == 0 {
		debug.SetMemoryLimit(int64((packings+1)*weights + 500_000_000))
		return 0, nil
	}
	left, err := c.ScanMemory(net)
	if err != nil {
		return 0, err
	}
	if least := packings*weights + 32<<20; left < least {
		return 0, Usage(fmt.Sprintf("--memory %d MB is too little: a page on this network takes about %d MB", c.Memory/1_000_000, (c.Memory-left+least)/1_000_000), "raise --memory")
	}
	return left - packings*weights, nil
}
