package cmdline

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

const (
	// beside is about the memory that viz takes beside the weights and the scan:
	// the program itself, pictures, garbage not yet collected.
	beside = 80 << 20
	// headroom is kept between what the garbage collector is told and the bound.
	headroom = 48 << 20
)

// ScanMemory returns what a scan may take beside the network if the whole process is to stay within --memory, 0 if
// that is not given, and tells the garbage collector.
func (c *Run) ScanMemory(net *model.Network) (int, error) {
	limit := c.Memory
	weights := 0
	layers, err := net.Summary()
	if err != nil {
		return 0, err
	}
	for _, l := range layers {
		weights += 4 * l.Weights
	}
	if limit == 0 {
		debug.SetMemoryLimit(int64(weights + 400_000_000 - headroom))
		return 0, nil
	}
	debug.SetMemoryLimit(int64(limit - min(headroom, limit/4)))
	left := limit - weights - beside
	if left < 1<<20 {
		return 0, Usage(fmt.Sprintf("--memory %d MB is too little: the network's weights take %d MB, viz itself about %d MB",
			limit/1_000_000, weights/1_000_000, beside/1_000_000), "raise --memory")
	}
	return left, nil
}

// ParseSize reads 900M, 2G, 500000k or bytes.
func ParseSize(text string) (int, error) {
	digits := strings.TrimRight(text, "BbiI")
	unit := 1.0
	if n := len(digits); n > 0 {
		switch digits[n-1] {
		case 'k', 'K':
			unit = 1e3
		case 'M', 'm':
			unit = 1e6
		case 'G', 'g':
			unit = 1e9
		}
		if unit > 1 {
			digits = digits[:n-1]
		}
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(v > 0 && v*unit < 1e15) {
		return 0, &view.FieldError{Field: "memory", Problem: text + ": want a size such as 900M or 2G"}
	}
	return int(v * unit), nil
}

// MemoryHint explains that a scan does not fit.
func MemoryHint(err error) error {
	if _, ok := errors.AsType[*occlusion.MemoryError](err); ok {
		return Hinted(err, "raise --memory")
	}
	return err
}
