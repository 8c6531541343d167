package model

import (
	"strings"
	"testing"
)

// The numbers of parameters are those of torchvision's documentation, without
// GoogLeNet's auxiliary classifiers.
func TestZooParameters(t *testing.T) {
	want := map[string]int{
		"alexnet": 61100840, "vgg11": 132863336, "vgg13": 133047848, "vgg16": 138357544, "vgg19": 143667240,
		"vgg11_bn": 132868840, "vgg13_bn": 133053736, "vgg16_bn": 138365992, "vgg19_bn": 143678248,
		"squeezenet1_0": 1248424, "squeezenet1_1": 1235496, "googlenet": 6624904,
		"resnet18": 11689512, "resnet34": 21797672, "resnet50": 25557032, "resnet101": 44549160, "resnet152": 60192808,
		"resnext50_32x4d": 25028904, "resnext101_32x8d": 88791336, "wide_resnet50_2": 68883240, "wide_resnet101_2": 126886696,
		"densenet121": 7978856, "densenet161": 28681000, "densenet169": 14149480, "densenet201": 20013928,
		"mobilenet_v2": 3504872, "mobilenet_v3_large": 5483032, "mobilenet_v3_small": 2542856,
		"efficientnet_b0": 5288548, "efficientnet_b1": 7794184, "efficientnet_b2": 9109994, "efficientnet_b3": 12233232,
		"efficientnet_b4": 19341616, "efficientnet_b5": 30389784, "efficientnet_b6": 43040704, "efficientnet_b7": 66347960,
		"efficientnet_v2_s": 21458488, "efficientnet_v2_m": 54139356, "efficientnet_v2_l": 118515272,
		"convnext_tiny": 28589128, "convnext_small": 50223688, "convnext_base": 88591464, "convnext_large": 197767336,
		"vit_b_16": 86567656, "vit_b_32": 88224232, "vit_l_16": 304326632, "vit_l_32": 306535400,
	}
	for _, arch := range zooArches() {
		net, arrays, err := buildZoo(arch, nil, [2]int{})
		if err != nil {
			t.Errorf("%s: %v", arch, err)
			continue
		}
		n := 0
		for _, a := range arrays {
			if !strings.HasSuffix(a.name, ".running_mean") && !strings.HasSuffix(a.name, ".running_var") {
				n += len(a.t.Data)
			}
		}
		if n != want[arch] {
			t.Errorf("%s has %d parameters, want %d", arch, n, want[arch])
		}
		if s, err := net.Shapes(); err != nil || s[net.Logits].C != 1000 {
			t.Errorf("%s: %v classes, %v", arch, s[net.Logits], err)
		}
		delete(want, arch)
	}
	for arch := range want {
		t.Errorf("there is no %s", arch)
	}
}
