package exact

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestNormal draws as the standard library on amd64, and the same on every processor.
func TestNormal(t *testing.T) {
	ours, theirs, sum, far := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2)), crc32.NewIEEE(), 0
	for i := range 100000 {
		got := Normal(ours)
		if math.Abs(got) > zigguratEnd {
			far++
		}
		// Logarithms beyond the last strip differ in the last bits.
		if want := theirs.NormFloat64(); runtime.GOARCH == "amd64" && math.Abs(got-want) > 1e-15*math.Abs(want) {
			t.Fatalf("number %d is %v, want %v", i, got, want)
		}
		binary.Write(sum, binary.LittleEndian, got)
	}
	if far < 30 {
		t.Errorf("%d numbers lie beyond the last strip", far)
	}
	if got := sum.Sum32(); got != 0xbd98e94c {
		t.Errorf("the checksum is %#x, want 0xbd98e94c", got)
	}
}
