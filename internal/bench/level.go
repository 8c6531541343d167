package bench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/kernel"
)

// Levels lists the implementations of the kernels that this processor can run, the fastest first; without the
// reference, which is not made for speed.
func Levels() []string {
	return slices.DeleteFunc(kernel.Names(), func(name string) bool { return name == "ref" })
}

// Level is the implementation in use.
func Level() string { return kernel.Name() }

// UseLevel switches to an implementation for what is compiled from now on, until restore is called; "" changes nothing.
func UseLevel(name string) (restore func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	if !slices.Contains(kernel.Names(), name) {
		return nil, fmt.Errorf("level %s: this processor has %s", name, strings.Join(Levels(), ", "))
	}
	return kernel.Force(name), nil
}
