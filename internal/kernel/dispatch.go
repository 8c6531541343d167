package kernel

import (
	"os"
	"sync/atomic"
)

// active is the implementation in use: the best one the processor has, or the
// one named by VIZ_KERNEL (ref, generic, neon, avx2 or avx512; a name that this
// processor or build does not have is ignored: see Unknown). ref runs the definitions of
// ref.go, generic is plain Go with the same tiling as the assembly.
var active atomic.Pointer[level]

// refLevel stands for the reference; its fields are never used.
var refLevel = &level{name: "ref"}

func init() {
	active.Store(levels()[0])
	if lv := find(os.Getenv("VIZ_KERNEL")); lv != nil {
		active.Store(lv)
	}
}

// Unknown is what VIZ_KERNEL names if there is no such implementation here, else "".
func Unknown() string {
	if name := os.Getenv("VIZ_KERNEL"); find(name) == nil {
		return name
	}
	return ""
}

// levels lists what this build and processor have, best first.
func levels() []*level { return append(asmLevels(), genericLevel, refLevel) }

func find(name string) *level {
	for _, lv := range levels() {
		if lv.name == name {
			return lv
		}
	}
	return nil
}

func current() *level { return active.Load() }

// Name returns the name of the implementation in use.
func Name() string { return current().name }

// Arithmetic names what decides the bits of results: the implementation in use, or another one that makes the same sums
// in the same order. NEON makes those of AVX2.
func Arithmetic() string {
	if current().name == "neon" {
		return "avx2"
	}
	return Name()
}

// Names lists the implementations that this build and processor have, the
// fastest first.
func Names() []string {
	var names []string
	for _, lv := range levels() {
		names = append(names, lv.name)
	}
	return names
}

// Force switches to an implementation by name and returns a function that
// switches back. It panics if there is none of that name. It is meant for tests
// and benchmarks; Filters keep the implementation they were packed for.
func Force(name string) (restore func()) {
	lv := find(name)
	if lv == nil {
		panic("kernel: Force: no such implementation")
	}
	old := active.Swap(lv)
	return func() { active.Store(old) }
}
