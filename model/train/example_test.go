package train_test

import (
	"context"
	"fmt"
	"log"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
)

// Train a small network to tell dark images from bright ones.
func Example() {
	images := &train.Memory{Size: 3 * 16 * 16}
	for i := range 100 {
		for p := range images.Size {
			images.Bytes = append(images.Bytes, uint8(i%2*128+(i*p*31)%120))
		}
		images.Labels = append(images.Labels, i%2)
	}
	net, err := model.Build("small", model.ArchOptions{Input: model.Input{C: 3, H: 16, W: 16}, Classes: []string{"dark", "bright"}, Width: 0.1})
	if err != nil {
		log.Fatal(err)
	}
	net.Preprocess = model.Preprocess{Scale: 1.0 / 255, Mean: []float32{0.5, 0.5, 0.5}, Std: []float32{0.3, 0.3, 0.3}}
	engine := model.NewEngine(0)
	defer engine.Close()

	options := train.Options{Optimizer: "adam", Rate: 0.005, Batch: 20, Epochs: 4, EvalTrain: -1, Seed: 1}
	net, state, err := train.Run(context.Background(), engine, net, images, images, nil, options, train.Hooks{
		Progress: func(r train.Report) {
			if r.Step == r.Steps {
				fmt.Printf("step %d: accuracy %.2f\n", r.Step, r.Test.Accuracy)
			}
		},
		// Checkpoint: func(net *model.Network, state *model.State) error { return model.Save("ckpt.bin", net, state) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(net.Origin.Step, state.Step)
	// Output:
	// step 20: accuracy 1.00
	// 20 20
}
