package cmdline

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

const (
	// beside is about the memory that viz takes beside the weights and the scan:
	// the program itself, pictures, garbage not yet collected.
	beside = 80 << 20
	// itself is about what the program takes before it has read anything.
	itself = 32 << 20
	// headroom is kept between what the garbage collector is told and the bound.
	headroom = 48 << 20
)

// Budget says what of --memory is left for one thing after the other, in bytes.
type Budget struct {
	Limit   int    // of the whole process; 0: not bounded
	by      string // who bounds it: --memory or GOMEMLIMIT
	fixed   int    // the network, pictures that stay in memory, the program itself
	picture int    // the largest picture while it is read
	name    string
}

// collectorBound is the bound of a command with --memory that was not given it: GOMEMLIMIT, if it is set.
func (c *Run) collectorBound() {
	if limit := c.ends.limit; c.Memory == 0 && limit < math.MaxInt64 && c.fields.Named("memory") != nil {
		c.Memory, c.boundBy = int(min(limit, math.MaxInt)), "GOMEMLIMIT"
	}
}

// tooLittle is the error of a bound that does not do.
func (c *Run) tooLittle(least int, why string) error {
	return tooLittle(cmp.Or(c.boundBy, "--memory"), c.Memory, least, why)
}

// LimitMemory tells the garbage collector what --memory allows. It comes before pictures are opened. Without the flag the
// bound is that of usual, unless GOMEMLIMIT says less.
func (c *Run) LimitMemory(net *model.Network) error {
	weights, err := weightBytes(net)
	if err != nil {
		return err
	}
	collect := int64(weights + usual - headroom)
	if c.Memory > 0 {
		collect = int64(c.Memory - min(headroom, c.Memory/4))
	}
	if before := debug.SetMemoryLimit(-1); before > collect { // else GOMEMLIMIT is stricter
		debug.SetMemoryLimit(collect)
	}
	if c.Memory == 0 {
		return nil
	}
	c.spare = max(c.Memory-weights-beside, 1<<20) // Budget refuses too little, when all is known
	return nil
}

// smallNetwork refuses a network whose file alone is more than --memory leaves room for, before it is read.
func (c *Run) smallNetwork() error {
	info, err := os.Stat(c.ModelName())
	if c.Memory == 0 || err != nil {
		return nil
	}
	if size := int(info.Size()); size+itself > c.Memory {
		return c.tooLittle(size+beside+1<<20, fmt.Sprintf("the network's file has %s, viz itself takes about %s", megabytes(size), megabytes(itself)))
	}
	return nil
}

// usual is what a command that bounds its memory takes on top of the weights without --memory.
const usual = 400_000_000

func weightBytes(net *model.Network) (bytes int, err error) {
	layers, err := net.Summary()
	for _, l := range layers {
		bytes += 4 * l.Weights
	}
	return bytes, err
}

// Budget looks at the headers of all pictures, and at what is in memory already.
func (c *Run) Budget(src *images.Inputs) (b Budget, err error) {
	if c.Memory == 0 {
		return b, nil
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.Limit, b.by, b.fixed = c.Memory, cmp.Or(c.boundBy, "--memory"), int(m.HeapAlloc)+beside
	b.picture, b.name, err = src.Largest(c.Context)
	return b, err
}

// Left is what work on a picture may take, less than 1 if there is nothing.
func (b Budget) Left() int { return b.Limit - b.fixed - b.picture }

// Refuse is the error of work that needs so many bytes; nil if they are there.
func (b Budget) Refuse(what string, need int) error {
	if b.Limit == 0 || need <= b.Left() {
		return nil
	}
	why := fmt.Sprintf("viz itself and the network take %s, %s %s", megabytes(b.fixed), what, megabytes(need))
	if b.name != "" {
		why += fmt.Sprintf(", reading %s %s", images.Title(b.name), megabytes(b.picture))
	}
	return tooLittle(b.by, b.Limit, b.fixed+b.picture+need, why)
}

func tooLittle(by string, limit, least int, why string) error {
	return Usage(fmt.Sprintf("%s %s is too little: %s", by, megabytes(limit), why), "--memory "+strings.ReplaceAll(megabytes(least), " MB", "M"))
}

// megabytes rounds up.
func megabytes(n int) string { return fmt.Sprintf("%d MB", (n+999_999)/1_000_000) }

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
	if err != nil || !(v*unit >= 1 && v*unit < 1e15) {
		return 0, &view.FieldError{Field: "memory", Problem: text + ": want a size such as 900M or 2G"}
	}
	return int(v * unit), nil
}

// MemoryErr explains an error of work that does not fit, with the least that would do.
func (b Budget) MemoryErr(err error) error {
	if m, ok := errors.AsType[*occlusion.MemoryError](err); ok {
		if refused := b.Refuse("the scan", m.Need); refused != nil {
			return refused
		}
		return Hinted(err, "raise --memory")
	}
	return err
}
