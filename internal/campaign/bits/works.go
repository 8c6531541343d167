package main

import "github.com/deconvnet/viz/internal/campaign"

// work is one command line. In it WORKERS stands for the flag --workers with a number, in one variation of each command.
type work struct {
	name   string
	args   string
	before []string // commands that make what it reads
	some   bool     // it is in the short form
	levels bool     // its numbers are compared between levels of the kernels
	runner []string // what runs the program, and which; nil: it runs by itself
}

// works are all commands that write files, or print numbers, which are a file here, too.
var works = []work{
	{name: "train", args: "train --limit 200 --width 0.2 --batch 20 --steps 20 --checkpoint-every 10 --keep-checkpoints --flip --crop 2 --out out/ckpt.bin WORKERS", some: true},
	{name: "features", args: "features --model net.onnx --images pictures --layers all --out out/f.idx WORKERS", some: true},
	{name: "features merge", args: "features merge --out out/f.idx a.idx b.idx", before: []string{"features --model net.onnx --images pictures --shard 1/2 --layers all --out a.idx", "features --model net.onnx --images pictures --shard 2/2 --layers all --out b.idx"}},
	{name: "occlude", args: "occlude --model net.onnx --patch 8 --stride 4 --npy out/npy --json --out out WORKERS pictures", some: true, levels: true},
	{name: "occlude, whole passes", args: "occlude --model net.onnx --patch 8 --stride 8 --method brute --json --out out WORKERS pictures/00.png", levels: true},
	{name: "attribute", args: "attribute --model net.onnx --method all --out out WORKERS pictures/00.png"},
	{name: "attribute, gradients", args: "attribute --model net.onnx --method saliency,ig,gradcam --json --out out WORKERS pictures", levels: true},
	{name: "faithful", args: "faithful --json --model net.onnx --method saliency,gradcam --limit 2 --out out WORKERS pictures"},
	{name: "sanity", args: "sanity --model net.onnx --method saliency,gradcam --limit 2 --out out WORKERS pictures"},
	{name: "gradcam", args: "gradcam --model net.onnx --json --out out WORKERS pictures", levels: true},
	{name: "activations", args: "activations --model net.onnx --layer all --npy out/npy --out out WORKERS pictures", some: true, levels: true},
	{name: "deconv", args: "deconv --model net.onnx --layer 2 --maps 0-3 --out out WORKERS pictures"},
	{name: "deconv, index", args: "deconv --model net.onnx --features f.idx --layer 1,3 --maps 0-3 --out out WORKERS", before: []string{"features --model net.onnx --images pictures --out f.idx"}},
	{name: "deconv, unit", args: "deconv --model net.onnx --unit 2:0:5:5 --npy out/unit.npy --out out WORKERS pictures/00.png", levels: true},
	{name: "maximize", args: "maximize --model net.onnx --class disc --steps 8 --out out WORKERS"},
	{name: "explain", args: "explain --out out WORKERS net.onnx pictures/00.png"},
	{name: "classify", args: "classify --model net.onnx --json WORKERS pictures", some: true, levels: true},
	{name: "eval", args: "eval --model net.onnx --limit 100 --json WORKERS", levels: true},
	{name: "pointing", args: "pointing --model shapes --limit 2 --stride 8 --json WORKERS", levels: true},
	{name: "inspect", args: "inspect --model net.onnx --json"},
	{name: "filters", args: "filters --model net.onnx --layer 1 --out out"},
	{name: "filters, training", args: "filters --evolve --layer 1 --out out ckpt-000002.bin ckpt-000004.bin", before: []string{campaign.Trainings}},
	{name: "evolve", args: "evolve --json --data shapes --limit 10 --layer 1 --maps 0 --out out WORKERS ckpt-000002.bin ckpt-000004.bin", before: []string{campaign.Trainings}},
	{name: "invariance", args: "invariance --json --model net.onnx --points 3 --transforms shift-y,rotate --out out WORKERS pictures/00.png"},
	{name: "correspond", args: "correspond --json --model shapes --data shapes --class disc --count 4 --random 2 --out out WORKERS"},
	{name: "probe", args: "probe --json --model ckpt.bin --data shapes --layers top --per-class 4 --test-per-class 4 --folds 2 --out out WORKERS", before: []string{campaign.Trainings}},
	{name: "transfer", args: "transfer --json --model ckpt.bin --data shapes --per-class 4 --test-per-class 4 --folds 2 --no-scratch --exclude none --save out/net.bin --out out WORKERS", before: []string{campaign.Trainings}},
	{name: "trials", args: "trials --json --list list.yaml --data grey --evals 2 --out out WORKERS"},
	{name: "ablate", args: "ablate --json --arch lenet5 --width 0.1 --data grey --steps 4 --batch 20 --evals 2 --variant wide:conv1*2 --out out WORKERS"},
	{name: "rnn", args: "rnn --json --data grey --hidden 4 --cells rnn --steps-only --steps 4 --batch 20 --evals 2 --out out WORKERS"},
	{name: "import", args: "import --out out/net.bin net.onnx", some: true},
	{name: "import, beside", args: "import --beside --force --preprocess torchvision net.onnx"},
	{name: "export", args: "export --onnx --model shapes --out out/net.onnx"},
	{name: "data list", args: "data list grey shapes"},
	{name: "demo", args: "demo --limit 100 --out out/demo WORKERS"},
}
