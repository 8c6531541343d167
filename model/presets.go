package model

import "slices"

// preset is a way in which usual networks were fed; crop is the input's side where
// a network leaves it open, 0 if that is not known.
type preset struct {
	name string
	p    Preprocess
	crop int
}

// presets lists the ways that have names, as a new list. docs/preprocessing.md
// describes them.
func presets() []preset {
	mean, std := []float32{0.485, 0.456, 0.406}, []float32{0.229, 0.224, 0.225}
	imagenet := Preprocess{Scale: 1. / 255, Mean: mean, Std: std, Crop: 224. / 256, Filter: ResampleBilinear}
	torchvision := imagenet
	torchvision.Always = true
	keras := Preprocess{Mode: FitStretch, Filter: ResampleBilinearPlain}
	kerasCaffe, kerasTF, kerasTorch := keras, keras, keras
	kerasCaffe.Scale, kerasCaffe.Mean, kerasCaffe.BGR = 1, []float32{103.939, 116.779, 123.68}, true
	kerasTF.Scale, kerasTF.Mean = 1./127.5, []float32{1}
	kerasTorch.Scale, kerasTorch.Mean, kerasTorch.Std = 1./255, mean, std
	return []preset{
		{"imagenet", imagenet, 224},
		{"caffe-bgr", Preprocess{Scale: 1, Mean: []float32{104, 117, 123}, BGR: true, Crop: 224. / 256, Filter: ResampleBilinear}, 224},
		{"unit", Preprocess{Scale: 1. / 255}, 0},
		{"signed", Preprocess{Scale: 2. / 255, Mean: []float32{1}}, 0},
		{"raw", Preprocess{Scale: 1}, 0},
		{"torchvision", torchvision, 224},
		{"keras-caffe", kerasCaffe, 224},
		{"keras-tf", kerasTF, 224},
		{"keras-torch", kerasTorch, 224},
		{"clip", Preprocess{Scale: 1. / 255, Mean: []float32{0.48145466, 0.4578275, 0.40821073}, Std: []float32{0.26862954, 0.26130258, 0.27577711},
			Filter: ResampleBicubic, Always: true}, 224},
		{"teachable-machine", Preprocess{Scale: 1. / 127.5, Mean: []float32{1}, Mode: FitCropFirst, Filter: ResampleLanczos, Always: true}, 224},
		{"custom-vision", Preprocess{Scale: 1, BGR: true, Mode: FitCropFirst, Short: 256, Filter: ResampleBilinearPlain, Offset: OffsetHalves, Max: 1600, Always: true}, 224},
		{"custom-vision-onnx", Preprocess{Scale: 1, BGR: true, Mode: FitStretch, Filter: ResampleBicubic}, 224},
	}
}

// PreprocessPresets lists the presets that ParsePreprocess knows.
func PreprocessPresets() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

func presetNamed(name string) (preset, bool) {
	all := presets()
	i := slices.IndexFunc(all, func(p preset) bool { return p.name == name })
	if i < 0 {
		return preset{}, false
	}
	return all[i], true
}
