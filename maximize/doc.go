// Package maximize makes pictures that a feature map, a unit or a class of a network
// responds to most, by gradient ascent from noise (D. Erhan et al., Visualizing
// Higher-Layer Features of a Deep Network, 2009; C. Olah et al., Feature
// Visualization, 2017).
//
//	run, err := maximize.New(engine, net, []maximize.Goal{{Layer: "relu3", Channel: 7}}, maximize.Options{})
//	err = run.Run(ctx)
//	picture := run.Results()[0].Starts[0].Image // [C, H, W], in the network's units
//
// A run can be saved at any step and restored: it goes on as if nothing had happened,
// bit for bit. The package chooses no units, draws nothing, and knows nothing of files.
package maximize
