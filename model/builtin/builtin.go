// Package builtin carries two small trained networks inside the program, so that
// viz has something to show without any file.
//
//	for _, name := range builtin.Names() {
//		net, err := builtin.Load(name)
//	}
//
// They were made with viz train; nets/README.md records the commands
// and the measured accuracies.
package builtin

import (
	"bytes"
	"embed"
	"fmt"

	"github.com/deconvnet/viz/model"
)

//go:embed nets
var files embed.FS

// Names lists the built-in networks: shapes (ten classes of generated pictures,
// 32x32 colour) and cifar10 (CIFAR-10, 32x32 colour).
func Names() []string { return []string{"shapes", "cifar10"} }

// Load returns the named network.
func Load(name string) (*model.Network, error) {
	data, err := files.ReadFile("nets/" + name + ".bin")
	if err != nil {
		return nil, fmt.Errorf("no network %q, there are %v", name, Names())
	}
	net, _, err := model.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return net, nil
}
