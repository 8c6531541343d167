package sweep_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/sweep"
)

// Two variants of a small network, each trained for a few steps, compared. Run again in the same folder, it would only
// read what is there.
func ExampleFolder_Ablate() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ablate")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	engine := model.NewEngine(0)
	defer engine.Close()
	data, err := images.OpenData(ctx, images.Spec{Data: "shapes", Seed: 1}, images.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	folder, err := sweep.Open(engine, dir, sweep.Options{Tool: "example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer folder.Close()
	if err := folder.Load(ctx, data, sweep.Split{Limit: 40}); err != nil {
		fmt.Println(err)
		return
	}
	thin, err := sweep.ParseVariant("thin: conv1*0.5")
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := folder.Ablate(ctx, sweep.Ablation{Arch: "lenet5", Width: 0.1, Variants: []sweep.Variant{thin}, Seeds: 1, Evals: 1,
		Options: train.Options{Batch: 10, Steps: 2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range result.Rows {
		fmt.Printf("%s: %d runs, %d diverged\n", r.Variant, len(r.Test), r.Diverged)
	}
	runs, _ := filepath.Glob(filepath.Join(dir, "runs", "*", "ckpt.bin"))
	fmt.Println(len(runs), "checkpoints,", result.Figure().Name)
	// Output:
	// full: 1 runs, 0 diverged
	// thin: 1 runs, 0 diverged
	// 2 checkpoints, ablate
}
