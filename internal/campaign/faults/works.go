package main

import "github.com/deconvnet/viz/internal/campaign"

// small makes net.onnx a small network: thousands of runs read it.
var small = []string{"train --limit 20 --width 0.05 --batch 10 --steps 1 --quiet --out small.bin", "export --onnx --quiet --force --model small.bin --out net.onnx"}

// short are the commands of the short form.
var short = []string{"train", "features", "deconv, unit", "import, over"}

var works = []campaign.Work{
	{Name: "train", Args: "train --limit 40 --width 0.1 --batch 10 --steps 4 --checkpoint-every 2 --keep-checkpoints --quiet --log out/log.jsonl --out out/ckpt.bin",
		Resume: "train --resume out/ckpt.bin --keep-checkpoints --quiet --log out/log.jsonl", After: "out/ckpt.bin", Whole: true},
	{Name: "features", Args: "features --model net.onnx --images pictures --layers all --quiet --out out/f.idx"},
	{Name: "features merge", Args: "features merge --quiet --out out/f.idx a.idx b.idx",
		Before: []string{"features --model net.onnx --images pictures --shard 1/2 --layers all --quiet --out a.idx", "features --model net.onnx --images pictures --shard 2/2 --layers all --quiet --out b.idx"}},
	{Name: "features show", Args: "features show f.idx", Before: []string{"features --model net.onnx --images pictures --quiet --out f.idx"}},
	{Name: "occlude", Args: "occlude --model net.onnx --patch 8 --stride 8 --quiet --out out pictures", Resume: "--resume"},
	{Name: "attribute", Args: "attribute --model net.onnx --method saliency --quiet --out out pictures", Resume: "--resume"},
	{Name: "gradcam", Args: "gradcam --model net.onnx --quiet --out out pictures"},
	{Name: "activations", Args: "activations --model net.onnx --layer 1 --quiet --out out pictures"},
	{Name: "deconv", Args: "deconv --model net.onnx --layer 1 --maps 0 --quiet --out out pictures"},
	{Name: "deconv, index", Args: "deconv --model net.onnx --features f.idx --layer 1 --maps 0 --quiet --out out", Before: []string{"features --model net.onnx --images pictures --quiet --out f.idx"}},
	{Name: "deconv, unit", Args: "deconv --model net.onnx --unit 1:0:5:5 --npy out/unit.npy --quiet --out out pictures/00.png"},
	{Name: "maximize", Args: "maximize --model net.onnx --class disc --steps 4 --quiet --out out"},
	{Name: "explain", Args: "explain --quiet --out out net.onnx pictures/00.png"},
	{Name: "classify", Args: "classify --quiet --model net.onnx pictures"},
	{Name: "eval", Args: "eval --quiet --model net.onnx --limit 20"},
	{Name: "inspect", Args: "inspect --quiet --model net.onnx"},
	{Name: "filters", Args: "filters --model net.onnx --layer 1 --quiet --out out"},
	{Name: "filters, training", Args: "filters --evolve --layer 1 --quiet --out out ckpt-000002.bin ckpt-000004.bin", Before: []string{campaign.Trainings}},
	{Name: "evolve", Args: "evolve --data shapes --limit 10 --layer 1 --maps 0 --quiet --out out ckpt-000002.bin ckpt-000004.bin", Before: []string{campaign.Trainings}},
	{Name: "invariance", Args: "invariance --model net.onnx --points 3 --transforms shift-y --quiet --out out pictures/00.png"},
	{Name: "correspond", Args: "correspond --model net.onnx --data shapes --class disc --count 4 --random 2 --quiet --out out"},
	{Name: "pointing", Args: "pointing --model net.onnx --limit 2 --stride 8 --quiet"},
	{Name: "probe", Args: "probe --model ckpt.bin --data shapes --layers top --per-class 4 --test-per-class 4 --folds 2 --quiet --out out", Before: []string{campaign.Trainings}},
	{Name: "transfer", Args: "transfer --model ckpt.bin --data shapes --per-class 4 --test-per-class 4 --folds 2 --no-scratch --exclude none --save out/net.bin --quiet --out out", Before: []string{campaign.Trainings}},
	{Name: "faithful", Args: "faithful --model net.onnx --method saliency --limit 2 --quiet --out out pictures", Resume: "--resume"},
	{Name: "sanity", Args: "sanity --model net.onnx --method saliency --limit 2 --quiet --out out pictures", Resume: "--resume"},
	{Name: "trials", Args: "trials --list list.yaml --only fast --data grey --evals 2 --quiet --out out"},
	{Name: "trials, two", Args: "trials --list list.yaml --data grey --evals 2 --quiet --out out"},
	{Name: "ablate", Args: "ablate --arch lenet5 --width 0.1 --data grey --steps 4 --batch 20 --evals 2 --variant wide:conv1*2 --quiet --out out"},
	{Name: "rnn", Args: "rnn --data grey --hidden 4 --cells rnn --steps 4 --batch 20 --evals 2 --steps-only --quiet --out out"},
	{Name: "import", Args: "import --quiet --out out/net.bin net.onnx"},
	{Name: "import, over", Args: "import --quiet --force --out out/net.bin net.onnx", Before: []string{"train --limit 20 --width 0.1 --batch 10 --steps 1 --quiet --out out/net.bin"}},
	{Name: "import, beside", Args: "import --quiet --beside --preprocess torchvision net.onnx", Resume: "--force"},
	{Name: "export", Args: "export --onnx --quiet --model small.bin --out out/net.onnx", Resume: "--force", After: "out/net.onnx"},
	{Name: "export, over", Args: "export --onnx --quiet --force --model ckpt.bin --out net.onnx", Before: []string{campaign.Trainings}},
	{Name: "data get", Args: campaign.GetArgument + " out", Own: true},
	{Name: "data list", Args: "data list grey"},
	{Name: "demo", Args: "demo --limit 20 --quiet --out out/demo"}, // the longest
	{Name: "bench", Args: "bench forward --model net.onnx --budget 0.001 --least 1"},
	{Name: "version", Args: "version"},
	{Name: "completion", Args: "completion bash"},
	{Name: "man", Args: "man"},
}
