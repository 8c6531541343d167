package model_test

import (
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/model"
)

// sizes are what the networks of kinds make of [3, 7, 9] and with how many
// multiply-adds: of windows as PyTorch 1.13 has them (a network's own shape puts the
// last axes together), of recurrent layers steps x batch x numbers of weights.
var sizes = map[string]struct {
	c, h, w int
	macs    int64
}{
	"Conv": {4, 4, 8, 2304}, "Conv/groups": {6, 7, 9, 3402}, "Conv/array": {6, 7, 5, 840}, "Conv/volume": {4, 3, 6, 1296}, "Conv/4": {2, 4, 9, 5184},
	"ConvTranspose": {4, 15, 25, 4536}, "ConvTranspose/3": {6, 8, 10, 1512}, "ConvTranspose/volume": {4, 15, 20, 9072}, "ConvTranspose/volume/3": {6, 8, 16, 3024},
	"MaxPool": {3, 4, 5, 0}, "AvgPool": {3, 7, 5, 0}, "Pool/lp": {3, 3, 9, 0}, "Pool/average": {3, 3, 8, 0}, "Pool/argmax": {3, 3, 8, 0}, "Pool/volume/max": {3, 3, 6, 0},
	"GlobalAvgPool": {3, 1, 1, 0}, "Dense": {5, 1, 1, 945}, "MatMul/const": {3, 7, 4, 756}, "MatMul/first": {3, 2, 9, 378},
	"Recurrent/rnn": {5, 1, 1, 490}, "Recurrent/lstm": {5, 1, 1, 1960}, "Recurrent/gru": {5, 1, 1, 1470},
	"Recurrent/array": {48, 1, 1, 462}, "Recurrent/both": {108, 1, 1, 3696}, "Recurrent/reverse": {48, 1, 1, 1386},
	"Pad": {3, 8, 12, 0}, "Concat": {6, 7, 9, 0}, "Concat/axis": {3, 14, 9, 0}, "Flatten": {189, 1, 1, 0}, "Reshape": {7, 3, 9, 0}, "Rearrange": {9, 3, 7, 0},
	"AlongAxis": {3, 3, 9, 0}, "TopK": {3, 3, 9, 0}, "TopK/smallest": {3, 7, 4, 0}, "OneHot": {3, 4, 63, 0}, "Constant": {2, 1, 2, 0},
	"Lookup/axis": {3, 3, 162, 0}, "Lookup/elements": {3, 2, 9, 0}, "Lookup/nd": {27, 1, 3, 0}, "Scatter": {3, 7, 9, 0}, "GridSample": {3, 7, 9, 0},
	"Reduce/mean": {7, 1, 1, 0}, "Reduce/max": {3, 1, 9, 0}, "Reduce/l1": {3, 1, 7, 0}, "Reduce/argmax": {7, 1, 9, 0}, "Reduce/sum": {1, 1, 1, 0},
	"Softmax/axis": {3, 7, 9, 0}, "CumSum": {3, 7, 9, 0}, "Binary/const": {3, 7, 9, 0}, "Binary/gate": {3, 7, 9, 0}, "Where": {3, 7, 9, 0},
}

func TestSizesOfKinds(t *testing.T) {
	all := kinds(rand.New(rand.NewPCG(1, 1)))
	for name, want := range sizes {
		if all[name] == nil {
			t.Fatalf("there is no network %s", name)
		}
		summary, err := all[name].Summary()
		if err != nil {
			t.Fatal(err)
		}
		got := summary[len(summary)-1]
		if s := (model.Shape{C: want.c, H: want.h, W: want.w, Flat: got.Shape.Flat}); got.Shape != s || got.MACs != want.macs || got.Shape.Flat && want.h*want.w != 1 {
			t.Errorf("%s: %v in %d multiply-adds, want %v in %d", name, got.Shape, got.MACs, s, want.macs)
		}
	}
	for name, net := range all { // what is not windows, products or recurrent multiplies nothing that counts
		summary, err := net.Summary()
		if err != nil {
			t.Fatal(err)
		}
		if got := summary[len(summary)-1]; got.MACs != sizes[name].macs {
			t.Errorf("%s: %d multiply-adds, want %d", name, got.MACs, sizes[name].macs)
		}
	}
}
