package model

import (
	"bytes"
	"math"
	"regexp"
	"testing"
)

// Checkpoints of before kinds were put together load, give the values that they
// gave, and are the same file again once they have been saved and loaded.
func TestOldKinds(t *testing.T) {
	for _, file := range []string{"old-kinds.bin", "old-kinds-2.bin"} {
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
}
