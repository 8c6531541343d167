package model

import (
	"bytes"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

// Checkpoints of before kinds were put together load, give the values that they
// gave, and are the same file again once they have been saved and loaded.
func TestOldKinds(t *testing.T) {
	for _, file := range []string{"old-kinds.bin", "old-kinds-2.bin", "old-kinds-3.bin"} {
		t.Run(file, func(t *testing.T) { oldKinds(t, "testdata/"+file) })
	}
}

func oldKinds(t *testing.T, file string) {
	net, state, err := LoadState(file)
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(1)
	defer e.Close()
	trace, err := e.Forward(net, state.Tensors["x"])
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range net.Nodes {
		got, want := trace.Value(n.Name), state.Tensors[n.Name]
		if want == nil || len(got.Data) != len(want.Data) {
			t.Fatalf("%s: %d values, want %v", n.Name, len(got.Data), want)
		}
		for i, v := range want.Data {
			if d := math.Abs(float64(got.Data[i] - v)); !(d <= 1e-5*max(1, math.Abs(float64(v)))) {
				t.Errorf("%s: value %d is %g, was %g", n.Name, i, got.Data[i], v)
				break
			}
		}
	}
	var first, second bytes.Buffer
	if err := Write(&first, net, nil); err != nil {
		t.Fatal(err)
	}
	again, _, err := Read(bytes.NewReader(first.Bytes()), int64(first.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(&second, again, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("a network that was saved and loaded makes another file")
	}
}

// Networks without kinds that have a new name keep their hash: this one was worked
// out by viz at the commit that wrote the file.
func TestOldHash(t *testing.T) {
	all, err := Load("testdata/old-kinds-2.bin")
	if err != nil {
		t.Fatal(err)
	}
	renamed := regexp.MustCompile("^(ConvND|ConvTransposeND|SoftmaxAxis|AlongAxis|Sequence)")
	net := &Network{Input: all.Input, Scores: RawScores, Logits: all.Logits}
	for _, n := range all.Nodes {
		if !renamed.MatchString(n.Name) {
			net.Nodes = append(net.Nodes, n)
		}
	}
	if got, want := net.Hash(), "957f87c0c15dd6db"; len(net.Nodes) != 16 || got != want {
		t.Errorf("the hash of %d nodes is %s, was %s", len(net.Nodes), got, want)
	}
	norms, err := Load("testdata/old-kinds-3.bin")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := norms.Hash(), "e6bc76e332c3232e"; got != want {
		t.Errorf("the hash of normalisations is %s, was %s", got, want)
	}
}

// A recurrent layer of an older checkpoint whose weights do not fit is an error.
func TestOldSequence(t *testing.T) {
	good := oldSequence{op: "LSTM", direction: "reverse", steps: 4, batch: 1, values: 3, hidden: 2,
		w: tensor.New(1, 8, 3), r: tensor.New(1, 8, 2), b: tensor.New(1, 16), p: tensor.New(1, 6)}
	if _, err := good.now(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(l *oldSequence){
		`cell "GRX"`:                    func(l *oldSequence) { l.op = "GRX" },
		"W is [1 8 3], want [2 8 3]":    func(l *oldSequence) { l.direction = "bidirectional" },
		"weights are [8 3] and [1 8 2]": func(l *oldSequence) { l.w = tensor.New(8, 3) },
		"R is [1 8 3], want [1 12 3]":   func(l *oldSequence) { l.w, l.r = tensor.New(1, 12, 3), tensor.New(1, 8, 3) },
		"B is [16], want [1 16]":        func(l *oldSequence) { l.b = tensor.New(16) },
		"P is [1 5], want [1 6]":        func(l *oldSequence) { l.p = tensor.New(1, 5) },
		"weights of 2 units, want 3":    func(l *oldSequence) { l.hidden = 3 },
		"W is [1 8 3], want [1 2 3]":    func(l *oldSequence) { l.op = "RNN" },
		"or its weights, are not known": func(l *oldSequence) { l.r = nil },
	} {
		l := good
		change(&l)
		if _, err := l.now(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
