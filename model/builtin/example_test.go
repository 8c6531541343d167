package builtin_test

import (
	"fmt"
	"log"

	"github.com/deconvnet/viz/model/builtin"
)

// List the networks inside the program and their classes.
func Example() {
	for _, name := range builtin.Names() {
		net, err := builtin.Load(name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: input %v, %d classes such as %s\n", name, net.Input.Shape(), len(net.Classes), net.Class(5))
	}
	// Output:
	// shapes: input 3x32x32, 10 classes such as star
	// cifar10: input 3x32x32, 10 classes such as dog
}
