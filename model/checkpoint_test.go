package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model/tensor"
)

// ramp returns a tensor of distinct numbers, some of them awkward.
func ramp(shape ...int) *tensor.Tensor {
	t := tensor.New(shape...)
	for i := range t.Data {
		t.Data[i] = float32(float32(i)*0.37) - 1 // one rounding each, on every processor
	}
	if len(t.Data) > 4 {
		t.Data[1] = float32(math.Copysign(0, -1))
		t.Data[2] = math.SmallestNonzeroFloat32
		t.Data[3] = float32(math.Inf(-1))
	}
	return t
}

// everyKind is a network with every kind of layer, every attribute away from
// its zero value, weights with and without bias, and names that need escaping.
func everyKind() *Network {
	two := []int{2, 2}
	one := []int{1, 1}
	return &Network{
		Name:  "every \"kind\"\n",
		Input: Input{Name: "input", C: 2, H: 9, W: 8},
		Nodes: []Node{
			{Name: "pad", Inputs: []string{"input"}, Layer: &Pad{Pads: [4]int{1, 0, 2, 1}, Value: -0.5}},
			{Name: "conv1", Inputs: []string{"pad"}, Layer: &Conv{Weight: ramp(4, 1, 3, 2), Bias: ramp(4).Data, Stride: one, Dilation: []int{1, 2}, Pads: []int{1, 1, 1, 2}, Groups: 2}},
			{Name: "bn1", Inputs: []string{"conv1"}, Layer: &BatchNorm{Scale: ramp(4).Data, Shift: ramp(4).Data, Mean: ramp(4).Data, Var: ramp(4).Data, Eps: 1e-5}},
			{Name: "relu1", Inputs: []string{"bn1"}, Layer: &ReLU{}},
			{Name: "lrn1", Inputs: []string{"relu1"}, Layer: &LRN{Size: 5, Alpha: 1e-4, Beta: 0.75, Bias: 2}},
			{Name: "pool1", Inputs: []string{"lrn1"}, Layer: &Pool{Op: PoolMax, Kernel: []int{3, 2}, Stride: two[:], Dilation: one[:], Pads: []int{1, 0, 1, 0}, Ceil: true}},
			{Name: "/block/ü<2>", Inputs: []string{"pool1"}, Layer: &Conv{Weight: ramp(4, 4, 1, 1), Stride: one, Dilation: one, Pads: make([]int, 4), Groups: 1}},
			{Name: "leaky", Inputs: []string{"/block/ü<2>"}, Layer: &Unary{Op: "LeakyRelu", Alpha: 0.1}},
			{Name: "add", Inputs: []string{"leaky", "pool1"}, Layer: &Add{}},
			{Name: "concat", Inputs: []string{"add", "pool1", "leaky"}, Layer: &Concat{}},
			{Name: "pool2", Inputs: []string{"concat"}, Layer: &Pool{Op: PoolAverage, Kernel: two[:], Stride: two[:], Pads: []int{0, 1, 1, 0}, Ceil: true, CountPad: true}},
			{Name: "clip", Inputs: []string{"pool2"}, Layer: &Clip{Min: -3, Max: float32(math.Inf(1))}},
			{Name: "gap", Inputs: []string{"clip"}, Layer: &GlobalAvgPool{}},
			{Name: "flat", Inputs: []string{"gap"}, Layer: &Reshape{}},
			{Name: "fc1", Inputs: []string{"flat"}, Layer: &Dense{Weight: ramp(5, 12), Bias: ramp(5).Data}},
			{Name: "drop", Inputs: []string{"fc1"}, Layer: &Dropout{Rate: 0.4}},
			{Name: "fc2", Inputs: []string{"drop"}, Layer: &Dense{Weight: ramp(3, 5)}, Module: "head.fc"},
			{Name: "prob", Inputs: []string{"fc2"}, Layer: &Softmax{}},
		},
		Logits:     "fc2",
		Preprocess: Preprocess{Short: 10, Scale: 1. / 255, Mean: []float32{0.1, 0.2}, Std: []float32{0.3, 0.4}, BGR: true, DataMean: []float32{100, 120.5}},
		Classes:    []string{"cat & <dog>", "\u2028\\", "ship"},
		Origin:     Origin{Arch: "a", Source: "b", Data: "c", Tool: "d", Command: "viz train > log", Step: 7},
	}
}

// arrayKinds has a layer of every kind on arrays.
func arrayKinds() *Network {
	one, two := []int{1, 1}, []int{2, 2}
	return &Network{
		Input: Input{Name: "x", C: 2, H: 4, W: 4},
		Nodes: []Node{
			{Name: "up", Inputs: []string{"x"}, Layer: &ConvTranspose{Weight: ramp(2, 3, 2, 2), Bias: ramp(3).Data, Stride: two, Dilation: one, Pads: []int{0, 1, 1, 0}, OutPad: two, Groups: 1}},
			{Name: "norm", Inputs: []string{"up"}, Layer: &GroupNorm{Scale: ramp(3).Data, Shift: ramp(3).Data, Eps: 1e-3}},
			{Name: "groups", Inputs: []string{"norm"}, Layer: &GroupNorm{Groups: 3, Scale: ramp(3).Data, Shift: ramp(3).Data, Eps: 1e-3}},
			{Name: "layers", Inputs: []string{"groups"}, Layer: &Normalize{Op: NormRMS, From: []int{3, 81}, Axes: []int{1}, Scale: ramp(3).Data, Shift: ramp(3).Data, Inner: 27, Eps: 1e-3}},
			{Name: "gelu", Inputs: []string{"layers"}, Layer: &Unary{Op: "Elu", Alpha: 0.5, Beta: 2}},
			{Name: "pool", Inputs: []string{"gelu"}, Layer: &Pool{Op: "lp", Kernel: two[:], Stride: two[:], Dilation: one[:], Pads: []int{1, 0, 0, 1}, Ceil: true, CountPad: true, Columns: true, P: 3}},
			{Name: "convnd", Inputs: []string{"x"}, Layer: &Conv{Weight: ramp(3, 2, 2, 1, 2), Bias: ramp(3).Data, Groups: 1,
				From: []int{2, 4, 2, 2}, Stride: []int{1, 2, 1}, Dilation: []int{1, 1, 2}, Pads: []int{0, 1, 1, 0, 0, 1}}},
			{Name: "upnd", Inputs: []string{"x"}, Layer: &ConvTranspose{Weight: ramp(2, 3, 2, 1, 2), Bias: ramp(3).Data, Groups: 1, OutPad: []int{1, 0, 0},
				From: []int{2, 4, 2, 2}, Stride: []int{2, 2, 1}, Dilation: []int{1, 1, 2}, Pads: []int{0, 0, 1, 0, 0, 1}}},
			{Name: "poolnd", Inputs: []string{"x"}, Layer: &Pool{Op: PoolLp, Kernel: []int{2, 1, 2}, Ceil: true, CountPad: true, P: 3,
				From: []int{2, 4, 2, 2}, Stride: []int{2, 2, 1}, Dilation: []int{1, 1, 1}, Pads: []int{0, 0, 1, 0, 0, 1}}},
			{Name: "scale", Inputs: []string{"x"}, Layer: &Binary{Op: "Sub", A: []int{}, B: []int{2, 4, 4}, Value: ramp(), First: true}},
			{Name: "both", Inputs: []string{"scale", "x"}, Layer: &Binary{Op: "Max", A: []int{2, 4, 4}, B: []int{2, 4, 4}}},
			{Name: "matmul", Inputs: []string{"both"}, Layer: &MatMul{A: []int{8, 4}, B: []int{4, 3}, Value: ramp(4, 3)}},
			{Name: "sum", Inputs: []string{"matmul"}, Layer: &Reduce{Op: "argmax", From: []int{8, 3}, Axes: []int{1}, Last: true}},
			{Name: "all", Inputs: []string{"matmul"}, Layer: &Reduce{Op: "sum", From: []int{8, 3}, Axes: []int{}}},
			{Name: "flip", Inputs: []string{"x"}, Layer: &Rearrange{What: "Slice", Offset: 31, To: []int{32}, Strides: []int{-1}}},
			{Name: "edge", Inputs: []string{"x"}, Layer: &AlongAxis{What: "Pad", From: []int{8, 4}, Axis: 0, Taps: 2, Index: []int{-1, 0, 7, 7}, Weight: ramp(4).Data, Fill: 3}},
			{Name: "take", Inputs: []string{"x"}, Layer: &AlongAxis{From: []int{8, 4}, Axis: 1, Taps: 1, Index: []int{0}}},
			{Name: "soft", Inputs: []string{"x"}, Layer: &Softmax{Outer: 2, Size: 4, Inner: 4, Log: true}},
			{Name: "join", Inputs: []string{"x", "soft"}, Layer: &Concat{Axis: 1, To: []int{2, 8, 4}}},
			{Name: "view", Inputs: []string{"join"}, Layer: &Reshape{To: []int{4, 4, 4}}},
			{Name: "rows", Inputs: []string{"x"}, Layer: &Reshape{To: []int{1, 8, 4}}},
			{Name: "cell", Inputs: []string{"rows"}, Layer: &Recurrent{Cell: "rnn", WeightX: ramp(2, 4), WeightH: ramp(2, 2), BiasX: ramp(2).Data, BiasH: ramp(2).Data}},
			{Name: "round", Inputs: []string{"x"}, Layer: &Quantize{Type: Int8, Scale: []float32{0.5, 0.25}, Zero: []float32{1, -2}}},
			{Name: "own", Inputs: []string{"round"}, Layer: &Quantize{Type: Uint8}},
			{Name: "where", Inputs: []string{"x"}, Layer: &Where{M: []int{4}, A: []int{2, 4, 4}, B: []int{1}, Mask: ramp(4), Y: ramp(1)}},
			{Name: "some", Inputs: []string{"where"}, Layer: &Where{M: []int{2, 4, 4}, A: []int{4}, B: []int{1}, X: ramp(4), Y: ramp(1)}},
			{Name: "sums", Inputs: []string{"some"}, Layer: &CumSum{Outer: 2, Size: 4, Inner: 4, Exclusive: true, Reverse: true}},
			{Name: "hard", Inputs: []string{"sums"}, Layer: &Hardmax{Outer: 2, Size: 4, Inner: 4}},
			{Name: "hot", Inputs: []string{"hard"}, Layer: &OneHot{From: []int{2, 16}, Axis: 1, Depth: 3, On: 5, Off: 6}},
			{Name: "top", Inputs: []string{"x"}, Layer: &TopK{From: []int{2, 16}, Axis: 1, K: 3, Smallest: true, Places: true}},
			{Name: "lookup", Inputs: []string{"x", "top"}, Layer: &Lookup{Op: IndexElements, Data: []int{2, 16}, Index: []int{2, 3}, Axis: 1}},
			{Name: "put", Inputs: []string{"x", "top", "lookup"}, Layer: &Scatter{Op: IndexElements, Data: []int{2, 16}, Index: []int{2, 3}, Axis: 1, Reduction: ScatterAdd}},
			{Name: "grid", Inputs: []string{"x", "flip"}, Layer: &GridSample{Mode: GridCubic, Padding: GridBorder, Align: true, Out: [2]int{4, 4}}},
			{Name: "fixed", Inputs: []string{"view"}, Layer: &Constant{Value: ramp(2, 2)}},
			{Name: "lstm", Inputs: []string{"x"}, Layer: &Recurrent{Cell: CellLSTM, From: []int{4, 2, 4}, Direction: Reverse, WeightX: ramp(4, 4), WeightH: ramp(4, 1),
				BiasX: ramp(4).Data, BiasH: ramp(4).Data, Peepholes: ramp(1, 3), H0: ramp(1, 2, 1), C0: ramp(1, 2, 1), Activations: "Sigmoid,Tanh,HardSigmoid", Alpha: ramp(3).Data,
				Beta: ramp(3).Data, Clip: 2, InputForget: true, Lengths: []int{0, 4}}},
			{Name: "gru", Inputs: []string{"x"}, Layer: &Recurrent{Cell: CellGRU, From: []int{4, 2, 4}, WeightX: ramp(3, 4), WeightH: ramp(3, 1), ResetState: true}},
		},
	}
}

// tiny is the smallest network with weights worth damaging.
func tiny() *Network {
	return &Network{
		Name:  "t",
		Input: Input{Name: "x", C: 1, H: 2, W: 2},
		Nodes: []Node{
			{Name: "c", Inputs: []string{"x"}, Layer: &Conv{Weight: ramp(1, 1, 2, 2), Bias: []float32{3}, Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: make([]int, 4), Groups: 1}},
		},
		Classes: []string{"a"},
	}
}

func someState() *State {
	return &State{Step: 1234, JSON: json.RawMessage(`{"solver":"adam","lr":1e-3,"seed":[1,2]}`),
		Tensors: map[string]*tensor.Tensor{"adam.m/conv1.weight": ramp(4, 1, 3, 2), "adam.v/conv1.weight": ramp(4, 1, 3, 2), "t": ramp(), "none": ramp(0, 3)}}
}

func encode(t testing.TB, net *Network, state *State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, net, state); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(b []byte) (*Network, *State, error) {
	return Read(bytes.NewReader(b), int64(len(b)))
}

func TestCheckpointRoundTrip(t *testing.T) {
	lenet, err := Build("lenet5", ArchOptions{Input: Input{C: 1, H: 28, W: 28}, Classes: []string{"0", "1"}, Width: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		net   *Network
		state *State
	}{
		"every kind":       {everyKind(), nil},
		"arrays":           {arrayKinds(), nil},
		"with state":       {everyKind(), someState()},
		"state, no JSON":   {tiny(), &State{Tensors: map[string]*tensor.Tensor{}}},
		"tiny":             {tiny(), nil},
		"lenet5":           {lenet, nil},
		"no layers at all": {&Network{Input: Input{Name: "x", C: 1, H: 1, W: 1}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			file := encode(t, tt.net, tt.state)
			net, state, err := decode(file)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(net, tt.net) {
				t.Errorf("got %+v, want %+v", net, tt.net)
			}
			if !reflect.DeepEqual(state, tt.state) {
				t.Errorf("state: got %+v, want %+v", state, tt.state)
			}
			if again := encode(t, net, state); !bytes.Equal(again, file) {
				t.Errorf("saved again, the file differs:\n%q\n%q", again, file)
			}
			if !IsCheckpoint(file[:9]) {
				t.Error("IsCheckpoint says no")
			}
			if binary.LittleEndian.Uint64(file)%8 != 0 {
				t.Error("the data is not aligned")
			}

			path := filepath.Join(t.TempDir(), "ckpt.bin")
			if err := Save(path, tt.net, tt.state); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, file) {
				t.Errorf("Save wrote other bytes than Write (%v)", err)
			}
			if net, err = Load(path); err != nil || !reflect.DeepEqual(net, tt.net) {
				t.Errorf("Load gave %+v, %v", net, err)
			}
			if net, state, err = LoadState(path); err != nil || !reflect.DeepEqual(net, tt.net) || !reflect.DeepEqual(state, tt.state) {
				t.Errorf("LoadState gave %+v, %+v, %v", net, state, err)
			}
		})
	}
}

// The table of kinds has every type with a Kind method, each in a file of its own;
// every field of a kind is in a slot, every array is said to be weights or not by
// what it is called, and everyKind or arrayKinds has one of it, so that it is saved.
func TestTableOfKinds(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Kind" {
				found[f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name] = name
			}
		}
	}
	if len(found) != len(kinds) {
		t.Errorf("the table has %d kinds, the sources %d", len(kinds), len(found))
	}
	var tried []string
	for _, n := range append(everyKind().Nodes, arrayKinds().Nodes...) {
		tried = append(tried, n.Layer.Kind())
	}
	for kind, file := range found {
		l := newLayer(kind)
		if l == nil {
			t.Errorf("%s is not in the table", kind)
			continue
		}
		if want := "kind_" + strings.ToLower(kind) + ".go"; file != want {
			t.Errorf("%s is in %s, want %s", kind, file, want)
		}
		fields := reflect.ValueOf(l).Elem()
		saved := map[uintptr]bool{}
		names := map[string]bool{}
		for _, s := range l.slots() {
			saved[reflect.ValueOf(s.at).Pointer()] = true
			if names[s.name] {
				t.Errorf("%s has two slots %s", kind, s.name)
			}
			names[s.name] = true
			if s.isAttribute() && (s.counted || s.optional || s.torchName != "") {
				t.Errorf("%s: %s is no array", kind, s.name)
			}
			if _, err := s.append(nil); s.isAttribute() && err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		for i := range fields.NumField() {
			if !saved[fields.Field(i).Addr().Pointer()] {
				t.Errorf("%s: no slot for %s", kind, fields.Type().Field(i).Name)
			}
		}
		if k := l.inputs(); k != many && k < 1 {
			t.Errorf("%s takes %d inputs", kind, k)
		}
		if !slices.Contains(tried, kind) {
			t.Errorf("everyKind has no %s", kind)
		}
	}
}

// noFreshWeights are kinds with weights of which it is not known how they begin before training.
var noFreshWeights = map[string]string{
	"Binary":   "the array may be anything",
	"MatMul":   "a matrix without a layer around it may be anything",
	"Constant": "it may be anything",
}

// A copy has the same bits and none of the arrays of the network it is from; and
// weights can be drawn anew, or there is a reason.
func TestCloneOfEveryKind(t *testing.T) {
	for _, net := range []*Network{everyKind(), arrayKinds()} {
		twin := net.Clone()
		if twin.Hash() != net.Hash() {
			t.Error("the copy has another hash")
		}
		shapes, err := net.Shapes()
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range net.Nodes {
			k, theirs := n.Layer.(kind), twin.Nodes[i].Layer.(kind).slots()
			for j, s := range k.slots() {
				if w := s.weights(); w != nil && &w.values.Data[0] == &theirs[j].weights().values.Data[0] {
					t.Errorf("%s: the copy shares %s", n.Name, s.name)
				}
			}
			var ins []Shape
			for _, in := range n.Inputs {
				ins = append(ins, shapes[in])
			}
			before := weightCount(k)
			fresh, err := drawn(&builder{rng: rand.New(rand.NewPCG(1, 1))}, k, ins, 0)
			switch {
			case err != nil && noFreshWeights[k.Kind()] == "":
				t.Errorf("%s: %v", n.Name, err)
			case err == nil && before > 0 && noFreshWeights[k.Kind()] != "":
				t.Errorf("%s: weights drawn anew, although %s", n.Name, noFreshWeights[k.Kind()])
			case err == nil && weightCount(fresh.(kind)) != before:
				t.Errorf("%s: %d weights, before %d", n.Name, weightCount(fresh.(kind)), before)
			}
		}
	}
}

func TestCheckpointKeepsNaN(t *testing.T) {
	net := tiny()
	w := net.Nodes[0].Layer.(*Conv).Weight.Data
	w[0] = math.Float32frombits(0x7fc12345)
	got, _, err := decode(encode(t, net, nil))
	if err != nil {
		t.Fatal(err)
	}
	if b := math.Float32bits(got.Nodes[0].Layer.(*Conv).Weight.Data[0]); b != 0x7fc12345 {
		t.Errorf("got bits %#x", b)
	}
}

// Numbers are converted one by one where memory has the other byte order. On a
// little-endian machine that path swaps twice, so the file must stay the same.
func TestCheckpointOtherByteOrder(t *testing.T) {
	if !littleEndian {
		t.Skip("this machine takes that path anyway")
	}
	net, state := everyKind(), someState()
	state.Tensors["long"] = ramp(3, 1000)
	file, hash := encode(t, net, state), net.Hash()
	littleEndian = false
	defer func() { littleEndian = true }()
	if !bytes.Equal(encode(t, net, state), file) {
		t.Error("another file")
	}
	if net.Hash() != hash {
		t.Error("another hash")
	}
	if got, s, err := decode(file); err != nil || !reflect.DeepEqual(got, net) || !reflect.DeepEqual(s, state) {
		t.Errorf("got %v, %v, %v", got, s, err)
	}
}

func TestHash(t *testing.T) {
	base := everyKind().Hash()
	if _, err := strconv.ParseUint(base, 16, 64); err != nil || len(base) != 16 {
		t.Fatalf("hash is %q", base)
	}
	if want := "7bbfb93b86c726e2"; base != want {
		t.Errorf("hash is %s, want %s: pictures made before name another network", base, want)
	}
	conv := func(n *Network) *Conv { return n.Nodes[1].Layer.(*Conv) }
	for name, change := range map[string]func(*Network){
		"weight":     func(n *Network) { conv(n).Weight.Data[5]++ },
		"sign of 0":  func(n *Network) { conv(n).Weight.Data[1] = 0 },
		"bias":       func(n *Network) { conv(n).Bias[0]++ },
		"no bias":    func(n *Network) { conv(n).Bias = nil },
		"shape":      func(n *Network) { conv(n).Weight.Shape = []int{4, 1, 2, 3} },
		"attribute":  func(n *Network) { conv(n).Stride[1] = 2 },
		"kind":       func(n *Network) { n.Nodes[3].Layer = &Dropout{} },
		"wiring":     func(n *Network) { n.Nodes[8].Inputs[1] = "leaky" },
		"node name":  func(n *Network) { n.Nodes[17].Name = "p" },
		"logits":     func(n *Network) { n.Logits = "" },
		"input":      func(n *Network) { n.Input.H++ },
		"preprocess": func(n *Network) { n.Preprocess.Mean[0]++ },
	} {
		n := everyKind()
		change(n)
		if n.Hash() == base {
			t.Errorf("%s: the hash stays", name)
		}
	}
	n := everyKind()
	n.Name, n.Classes, n.Origin = "x", nil, Origin{}
	if n.Hash() != base {
		t.Error("name, classes and origin change the hash")
	}
	if n.Nodes[2].Layer = nil; n.Hash() != "" {
		t.Error("a network with a hole has a hash")
	}
}

// A large network is hashed in pieces by several workers.
func TestHashPieces(t *testing.T) {
	net := &Network{Input: Input{Name: "x", C: 2000, H: 1, W: 1}, Nodes: []Node{
		{Name: "f", Inputs: []string{"x"}, Layer: &Reshape{}}, {Name: "d", Inputs: []string{"f"}, Layer: &Dense{Weight: ramp(1000, 2000)}}}}
	base := net.Hash()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if net.Hash() != base {
		t.Error("the hash depends on the number of processors")
	}
	w := net.Nodes[1].Layer.(*Dense).Weight.Data
	for _, i := range []int{0, hashPiece - 1, hashPiece, len(w) - 1} {
		w[i]++
		if net.Hash() == base {
			t.Errorf("weight %d does not count", i)
		}
		w[i]--
	}
}

func TestWriteRefuses(t *testing.T) {
	conv := func(n *Network) *Conv { return n.Nodes[0].Layer.(*Conv) }
	for name, tt := range map[string]struct {
		change func(*Network, *State)
		want   string
	}{
		"check":           {func(n *Network, s *State) { n.Logits = "z" }, `logits node "z" is not in the network`},
		"weights":         {func(n *Network, s *State) { conv(n).Weight.Data = nil }, `tensor c.weight: shape [1 1 2 2] does not hold 0 values`},
		"NaN":             {func(n *Network, s *State) { n.Nodes[0].Layer = &Unary{Op: "LeakyRelu", Alpha: float32(math.NaN())} }, "layer c: alpha is not a number"},
		"NaN preprocess":  {func(n *Network, s *State) { n.Preprocess.Scale = float32(math.NaN()) }, "preprocessing: json: unsupported value: NaN"},
		"large attribute": {func(n *Network, s *State) { n.Nodes[0].Layer = &LRN{Size: 1<<30 + 1} }, "layer c: size is 1073741825, want at most 1073741824"},
		"name":            {func(n *Network, s *State) { n.Nodes[0].Name = "\xff" }, `layer "\xff": the name is not UTF-8`},
		"state name":      {func(n *Network, s *State) { s.Tensors["\xff"] = ramp() }, `tensor "train/\xff": the name is not UTF-8`},
		"nil tensor":      {func(n *Network, s *State) { s.Tensors["m"] = nil }, `tensor train/m: nil`},
		"negative size":   {func(n *Network, s *State) { s.Tensors["m"] = &tensor.Tensor{Shape: []int{-1, -1}, Data: []float32{1}} }, `tensor train/m: shape [-1 -1] does not hold 1 values`},
		"dimensions":      {func(n *Network, s *State) { s.Tensors["m"] = ramp(1, 1, 1, 1, 1, 1, 1, 1, 1) }, `tensor train/m: 9 dimensions, want at most 8`},
		"step":            {func(n *Network, s *State) { s.Step = -1 }, `training state is at step -1`},
		"broken JSON":     {func(n *Network, s *State) { s.JSON = json.RawMessage("{") }, `training state: unexpected end of JSON input`},
		"duplicate key":   {func(n *Network, s *State) { s.JSON = json.RawMessage(`{"a":1,"a":2}`) }, `training state: byte 30: key "a" is given twice`},
		"deep JSON": {func(n *Network, s *State) {
			s.JSON = json.RawMessage(strings.Repeat("[", 100) + strings.Repeat("]", 100))
		}, `training state: byte 85: nested more than 64 deep`},
		"same name":        {func(n *Network, s *State) { n.Nodes[0].Name = "train/m"; s.Tensors["m.weight"] = ramp() }, `tensor train/m.weight: the name is taken twice`},
		"too large header": {func(n *Network, s *State) { n.Classes = []string{strings.Repeat("x", maxHeader)} }, "header takes"},
	} {
		t.Run(name, func(t *testing.T) {
			net, state := tiny(), &State{Tensors: map[string]*tensor.Tensor{}}
			tt.change(net, state)
			err := Write(io.Discard, net, state)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// limited fails when more than n bytes come.
type limited struct{ n int }

func (w *limited) Write(b []byte) (int, error) {
	if len(b) > w.n {
		return 0, errors.New("the disk is full")
	}
	w.n -= len(b)
	return len(b), nil
}

func TestWriteReportsErrors(t *testing.T) {
	size := len(encode(t, everyKind(), someState()))
	for n := 0; n < size; n += 16 {
		if err := Write(&limited{n}, everyKind(), someState()); err == nil || err.Error() != "the disk is full" {
			t.Fatalf("disk of %d bytes: %v", n, err)
		}
	}
}

func TestSaveIsAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ckpt.bin")
	if err := Save(path, tiny(), nil); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	bad := tiny()
	bad.Logits = "z"
	if err := Save(path, bad, nil); err == nil || !strings.Contains(err.Error(), `logits node "z"`) {
		t.Errorf("saving a broken network: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file from before is not intact (%v)", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}

	err := Save(filepath.Join(dir, "none", "ckpt.bin"), tiny(), nil)
	if !errors.Is(err, fs.ErrNotExist) && (err == nil || !strings.Contains(err.Error(), "no such file")) {
		t.Errorf("a folder that does not exist: %v", err)
	}
	if err := Save(filepath.Join(path, "ckpt.bin"), tiny(), nil); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file as folder: %v", err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if f, err := os.Create(filepath.Join(dir, "probe")); err == nil {
		f.Close()
		os.Remove(f.Name())
		t.Skip("this user may write everywhere")
	}
	other := filepath.Join(dir, "other.bin")
	if err := Save(other, tiny(), nil); err == nil || !strings.Contains(err.Error(), "permission denied") || !strings.Contains(err.Error(), other) {
		t.Errorf("a folder without permission: %v", err)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "no.bin")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no.bin") {
		t.Errorf("no file: %v", err)
	}
	if _, err := Load(dir); err == nil || err.Error() != "open "+dir+": is a folder, want a file" {
		t.Errorf("a folder: %v", err)
	}
	path := filepath.Join(dir, "x")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || err.Error() != path+": the file is empty" {
		t.Errorf("an empty file: %v", err)
	}
}

func TestReadTruncated(t *testing.T) {
	file := encode(t, everyKind(), someState())
	for n := range len(file) {
		_, _, err := decode(file[:n])
		switch {
		case err == nil:
			t.Fatalf("%d of %d bytes are read without error", n, len(file))
		case n >= 9 && !strings.Contains(err.Error(), "truncated: ") || n >= 9 && !strings.Contains(err.Error(), fmt.Sprint(n)):
			t.Fatalf("%d of %d bytes: %v", n, len(file), err)
		}
		// A file that is shorter than it was said to be.
		if _, _, err = Read(bytes.NewReader(file[:n]), int64(len(file))); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("truncated: byte %d is missing", n)) {
			t.Fatalf("%d bytes instead of %d: %v", n, len(file), err)
		}
	}
	if _, _, err := decode(append(file, 0)); err == nil || !strings.Contains(err.Error(), "1 bytes after the last tensor") {
		t.Errorf("a byte more: %v", err)
	}
}

func TestReadFindsEveryFlippedBit(t *testing.T) {
	file := encode(t, tiny(), &State{Step: 3, Tensors: map[string]*tensor.Tensor{"m": ramp(2)}})
	for i := range file {
		for bit := range 8 {
			file[i] ^= 1 << bit
			if _, _, err := decode(file); err == nil {
				t.Errorf("byte %d, bit %d: no error", i, bit)
			}
			file[i] ^= 1 << bit
		}
	}
	if _, _, err := decode(file); err != nil {
		t.Error(err)
	}
}

// Load neither reads nor verifies training state.
func TestLoadSkipsState(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ckpt.bin")
	file := encode(t, tiny(), &State{Tensors: map[string]*tensor.Tensor{"m": ramp(1000)}})
	file[len(file)-1] ^= 1
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
	if _, _, err := LoadState(path); err == nil || !strings.Contains(err.Error(), "is damaged: its checksum is ") {
		t.Errorf("LoadState: %v", err)
	}
}

// reseal corrects the checksums of a file that was changed, as far as it is
// still a file; so that what lies behind them is reached.
func reseal(file []byte) []byte {
	n := headerLength(file[:min(9, len(file))])
	if n == 0 || n > int64(len(file))-8 {
		return file
	}
	file = slices.Clone(file)
	head := file[:8+n]
	put := func(key string, sum uint32) {
		mark := `"` + key + `":"`
		if i := bytes.Index(head, []byte(mark)); i >= 0 && i+len(mark)+8 <= len(head) {
			copy(head[i+len(mark):], fmt.Sprintf("%08x", sum))
		}
	}
	if c, err := readHeader(bytes.NewReader(file), int64(len(file))); err == nil {
		var split int64
		for _, t := range c.tensors {
			if !strings.HasPrefix(t.name, statePrefix) && t.end <= int64(len(file))-c.data {
				split = max(split, t.end)
			}
		}
		put(keyNetworkCRC, crc32.ChecksumIEEE(file[c.data:c.data+split]))
		put(keyStateCRC, crc32.ChecksumIEEE(file[c.data+split:]))
	}
	put(keyHeaderCRC, 0)
	put(keyHeaderCRC, crc32.ChecksumIEEE(head))
	return file
}

// edit changes the text of the header, keeps its length field right, and
// reseals the file.
func edit(t testing.TB, file []byte, pairs ...string) []byte {
	n := 8 + binary.LittleEndian.Uint64(file)
	head := string(file[8:n])
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(head, pairs[i]) {
			t.Fatalf("no %s in %s", pairs[i], head)
		}
		head = strings.Replace(head, pairs[i], pairs[i+1], 1)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return reseal(append(append(out, head...), file[n:]...))
}

// hostile are headers that somebody made on purpose, and what is said of them.
// The file is tiny's: one convolution, 4 weights at byte 4 to 20, 1 bias at 0 to 4.
var edited = []struct{ name, old, new, want string }{
	{"same", "", "", ""},
	{"spaces", `{"__metadata__":{`, " \n{ \"__metadata__\" : { ", "begins with"},
	{"spaces inside", `{"__metadata__":{`, "{ \"__metadata__\" :\t{ ", ""},
	{"foreign key in the metadata", `"viz.format"`, `"format":"pt","viz.format"`, ""},

	{"unknown key of ours", `"viz.format"`, `"viz.x":"1","viz.format"`, `unknown key "viz.x" in the metadata`},
	{"format", `"viz.format":"1"`, `"viz.format":"2"`, `checkpoint format is "2", this version of viz reads "1"`},
	{"no format", `"viz.format":"1",`, ``, `checkpoint format is "", this`},
	{"no network", `"viz.network":`, `"network":`, `a safetensors file, but not a viz checkpoint: no viz.network in its metadata`},
	{"no preprocess", `"viz.preprocess":`, `"preprocess":`, `no viz.preprocess in the metadata`},
	{"no origin", `"viz.origin":`, `"origin":`, `no viz.origin in the metadata`},
	{"no checksum", `"viz.crc32":`, `"crc32":`, `viz.crc32 is "", want 8 hex digits`},
	{"no data checksum", `"viz.network.crc32":`, `"crc32":`, `the data at byte `},
	{"escaped checksum", `"viz.crc32":"`, `"viz.crc32":"\u0030`, `want 8 hex digits`},
	{"metadata that is no text", `"viz.format":"1"`, `"viz.format":1`, `header is damaged or no safetensors: byte 77: got '1', want '"'`},
	{"metadata twice", `"c.bias":{`, `"__metadata__":{},"c.bias":{`, `key "__metadata__" is given twice`},
	{"metadata key twice", `"viz.format":"1"`, `"viz.format":"1","viz.format":"1"`, `key "viz.format" is given twice`},

	{"tensor twice", `"c.bias":{`, `"c.weight":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"c.bias":{`, `key "c.weight" is given twice`},
	{"key of a tensor twice", `"shape":[1],`, `"shape":[1],"shape":[1],`, `key "shape" is given twice`},
	{"key of a tensor unknown", `"shape":[1],`, `"shape":[1],"x":1,`, `tensor c.bias: unknown key "x"`},
	{"key in upper case", `"shape":[1],`, `"Shape":[1],`, `tensor c.bias: unknown key "Shape"`},
	{"no shape", `"shape":[1],`, ``, `tensor c.bias: no dtype, shape or data_offsets`},
	{"no offsets", `,"data_offsets":[0,4]`, ``, `tensor c.bias: no dtype, shape or data_offsets`},
	{"no dtype", `"dtype":"F32","shape":[1]`, `"shape":[1]`, `tensor c.bias: no dtype, shape or data_offsets`},
	{"dtype", `"dtype":"F32","shape":[1]`, `"dtype":"BF16","shape":[2]`, `tensor c.bias: dtype is BF16, want F32`},
	{"one offset", `[0,4]`, `[0]`, `got ']', want ','`},
	{"three offsets", `[0,4]`, `[0,4,4]`, `got ',', want ']'`},
	{"negative offset", `[0,4]`, `[-1,4]`, `got -1, want a whole number from 0`},
	{"huge offset", `[0,4]`, `[0,9223372036854775808]`, `got 9223372036854775808, want a whole number from 0`},
	{"fraction", `[0,4]`, `[0,4.0]`, `got 4.0, want a whole number from 0`},
	{"NaN", `[0,4]`, `[0,NaN]`, `got 'N', want a digit`},
	{"leading zero", `[0,4]`, `[0,04]`, `got '4', want ']'`},
	{"out of range", `[4,20]`, `[4,24]`, `tensor c.weight: shape [1 1 2 2] does not go with 20 bytes of data`},
	{"beyond the end", `[1,1,2,2],"data_offsets":[4,20]`, `[1,1,2,3],"data_offsets":[4,28]`, `truncated: tensor c.weight is at byte `},
	{"far beyond the end", `[1,1,2,2],"data_offsets":[4,20]`, `[1000000,1000000],"data_offsets":[4,4000000000004]`, `truncated: tensor c.weight is at byte `},
	{"overflow", `[1,1,2,2],"data_offsets":[4,20]`, `[4294967296,4294967296,4],"data_offsets":[4,4]`, `tensor c.weight: shape [4294967296 4294967296 4] does not go with 0 bytes`},
	{"overlap", `[4,20]`, `[0,16]`, `tensor c.weight: data is at 0 to 16, want it to begin at 4`},
	{"gap", `[1],"data_offsets":[0,4]`, `[0],"data_offsets":[0,0]`, `tensor c.weight: data is at 4 to 20, want it to begin at 0`},
	{"backwards", `[4,20]`, `[4,0]`, `tensor c.weight: data is at 4 to 0`},
	{"too little", `[1,1,2,2],"data_offsets":[4,20]`, `[1,1,1,2],"data_offsets":[4,12]`, `8 bytes after the last tensor`},
	{"negative size", `[1,1,2,2]`, `[1,1,-2,-2]`, `got -2, want a whole number from 0`},
	{"many dimensions", `[1,1,2,2]`, `[1,1,1,1,1,1,1,2,2]`, `tensor c.weight: more than 8 dimensions`},
	{"shape for another layer", `[1,1,2,2]`, `[2,2]`, `layer c: `},
	{"bias with two dimensions", `"shape":[1],`, `"shape":[1,1],`, `tensor c.bias: shape is [1 1], want one dimension`},
	{"empty tensor", `[1],"data_offsets":[0,4]},"c.weight":{"dtype":"F32","shape":[1,1,2,2],"data_offsets":[4,20]}`,
		`[0],"data_offsets":[0,0]},"c.weight":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}`, `tensor c.bias: shape is [0]`},
	{"missing tensor", `"c.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"c.weight":{"dtype":"F32","shape":[1,1,2,2],"data_offsets":[4,20]}`,
		`"c.weight":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}`, `tensor c.bias: missing`},
	{"extra tensor", `"c.bias":{`, `"d.bias":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"c.bias":{`, `tensor d.bias: no node has it`},
	{"training without state", `"c.bias":{`, `"train/m":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"c.bias":{`, `tensor train/m: no node has it`},
	{"state without tensors", `"viz.format":"1"`, `"viz.state":"{\"step\":1}","viz.state.crc32":"00000000","viz.format":"1"`, ``},
	{"step", `"viz.format":"1"`, `"viz.state":"{\"step\":-1}","viz.state.crc32":"00000000","viz.format":"1"`, `viz.state: byte 10: got -1, want a whole number from 0`},
	{"no step", `"viz.format":"1"`, `"viz.state":"{}","viz.state.crc32":"00000000","viz.format":"1"`, `viz.state: byte 2: no step`},

	{"key of the network", `{\"name\":\"t\"`, `{\"x\":1,\"name\":\"t\"`, `viz.network: byte 5: unknown key "x"`},
	{"key of the network twice", `{\"name\":\"t\"`, `{\"name\":\"t\",\"name\":\"t\"`, `key "name" is given twice`},
	{"key of a node", `\"kind\"`, `\"x\":1,\"kind\"`, `viz.network: node c: byte 86: unknown key "x"`},
	{"unknown kind", `\"Conv\"`, `\"Conw\"`, `viz.network: node c: byte 95: unknown layer kind "Conw"`},
	{"no kind", `\"kind\":\"Conv\",`, ``, `unknown attribute "stride" (or it comes before the kind)`},
	{"other kind", `\"Conv\"`, `\"ReLU\"`, `node c: byte 134: unknown attribute "stride"`},
	{"missing attribute", `,\"groups\":1`, ``, `groups is missing`},
	{"unknown attribute", `\"groups\":1`, `\"groups\":1,\"x\":1`, `unknown attribute "x"`},
	{"attribute of another type", `\"groups\":1`, `\"groups\":\"1\"`, `want a digit`},
	{"pair of three", `\"stride\":[1,1]`, `\"stride\":[1,1,1]`, `strides [1 1 1]`},
	{"pair of one", `\"stride\":[1,1]`, `\"stride\":[1]`, `strides [1]`},
	{"huge attribute", `\"groups\":1`, `\"groups\":1e9`, `want a whole number`},
	{"stride 0", `\"stride\":[1,1]`, `\"stride\":[1,0]`, `layer c: kernel 2, stride 0`},
	{"weights unlisted", `[\"weight\",\"bias\"]`, `[\"bias\"]`, `weight is missing`},
	{"bias unlisted", `[\"weight\",\"bias\"]`, `[\"weight\"]`, `tensor c.bias: no node has it`},
	{"listed twice", `[\"weight\",\"bias\"]`, `[\"weight\",\"weight\"]`, `unknown tensor "weight"`},
	{"attribute as tensor", `[\"weight\",\"bias\"]`, `[\"weight\",\"stride\"]`, `unknown tensor "stride"`},
	{"cycle", `\"inputs\":[\"x\"]`, `\"inputs\":[\"c\"]`, `layer c: input "c" is not computed before it`},
	{"no inputs", `\"inputs\":[\"x\"]`, `\"inputs\":[]`, `layer c: Conv takes 1 inputs, got 0`},
	{"input of 0", `\"shape\":[1,2,2]`, `\"shape\":[1,0,2]`, `input "x" has shape 1x0x2`},
	{"huge input", `\"shape\":[1,2,2]`, `\"shape\":[1073741824,1073741824,1073741824]`, `input "x" has shape`},
	{"logits", `\"logits\":\"\"`, `\"logits\":\"q\"`, `logits node "q" is not in the network`},
	{"text after", `\"bias\"]}]}`, `\"bias\"]}]} x`, `got 'x', want the end`},
	{"text after the header", `[4,20]}}`, `[4,20]}}}`, `got '}', want the end`},
	{"deep", `\"nodes\":[`, `\"nodes\":[` + strings.Repeat("[", 100000), `got '[', want '{'`},
	{"deep state", `"viz.format":"1"`, `"viz.state":"{\"step\":1,\"trainer\":` + strings.Repeat("[", 100000) + `}","viz.state.crc32":"00000000","viz.format":"1"`, `nested more than 64 deep`},
	{"deep preprocess", `"viz.preprocess":"{`, `"viz.preprocess":"{\"mean\":` + strings.Repeat("[", 100000), `nested more than 64 deep`},

	{"unknown preprocessing", `"viz.preprocess":"{`, `"viz.preprocess":"{\"x\":1,`, `viz.preprocess: json: unknown field "x"`},
	{"preprocessing twice", `"viz.preprocess":"{`, `"viz.preprocess":"{\"scale\":1,`, `viz.preprocess: byte 18: key "scale" is given twice`},
	{"preprocessing for 3", `"viz.preprocess":"{`, `"viz.preprocess":"{\"mean\":[1,2,3],`, `preprocessing is for 3 channels`},
	{"deviation 0", `"viz.preprocess":"{`, `"viz.preprocess":"{\"std\":[0],`, `preprocessing divides by a standard deviation of 0`},
	{"scale beyond float32", `\"scale\":0`, `\"scale\":1e40`, `viz.preprocess: json: `},
	{"new field of the origin", `"viz.origin":"{`, `"viz.origin":"{\"x\":1`, ``},
	{"classes", `[\"a\"]`, `{\"a\":1}`, `viz.classes: json: `},
	{"control character", `\"a\"`, "\\\"\x01\\\"", `control character 0x1 in a string`},
	{"bad UTF-8", `\"a\"`, "\\\"\xff\\\"", `not UTF-8`},
	{"half a pair", `\"a\"`, `\"\ud800\"`, `broken escape`},
	{"wrong pair", `\"a\"`, `\"\ud800\ud800\"`, `half a surrogate pair`},
	{"pair", `\"a\"`, `\"\ud83d\ude00\"`, ``},
	{"bad escape", `\"a\"`, `\"\q\"`, `broken escape`},
}

func TestReadHostile(t *testing.T) {
	file := encode(t, tiny(), nil)
	for _, tt := range edited {
		t.Run(tt.name, func(t *testing.T) {
			bad := edit(t, file, tt.old, tt.new)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			net, _, err := decode(bad)
			runtime.ReadMemStats(&after)
			switch {
			case strconv.IntSize == 32 && tt.name == "overflow":
				if err == nil || !strings.Contains(err.Error(), "got 4294967296, want a whole number") { // no int
					t.Errorf("got %v", err)
				}
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tt.want == "":
				if err := net.Check(); err != nil {
					t.Error(err)
				}
			case err == nil:
				t.Errorf("no error, want %s", tt.want)
			case !strings.Contains(err.Error(), tt.want):
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > uint64(20*len(bad)+1<<16) {
				t.Errorf("%d bytes allocated for a file of %d", n, len(bad))
			}
		})
	}
}

// Load reads the network's data as one block, so it must not be scattered.
func TestReadRefusesTrainingStateInBetween(t *testing.T) {
	bad := edit(t, encode(t, tiny(), nil), `"c.bias":{`, `"train/m":{`, `[\"weight\",\"bias\"]`, `[\"weight\"]`,
		`"viz.format":"1"`, `"viz.state":"{\"step\":1}","viz.state.crc32":"00000000","viz.format":"1"`)
	if _, _, err := decode(bad); err == nil || err.Error() != "tensor c.weight: lies behind the training state, want it before" {
		t.Error(err)
	}
}

// Headers made to be small in the file and large in memory.
func TestReadAllocatesInProportion(t *testing.T) {
	file := encode(t, tiny(), nil)
	many := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	node := func(i int) string {
		return fmt.Sprintf(`{\"name\":\"n%d\",\"kind\":\"Add\",\"inputs\":[\"x\"]},`, i)
	}
	for _, tt := range []struct{ name, old, new string }{
		{"empty nodes", `\"nodes\":[`, `\"nodes\":[` + strings.Repeat(`{},`, 1<<18)},
		{"small nodes", `\"nodes\":[`, `\"nodes\":[` + many(1<<14, node)},
		{"inputs", `\"inputs\":[`, `\"inputs\":[` + strings.Repeat(`\"x\",`, 1<<18)},
		{"classes", `[\"a\"]`, `[\"\"` + strings.Repeat(`,\"\"`, 1<<18) + `]`},
		{"means", `"viz.preprocess":"{`, `"viz.preprocess":"{\"mean\":[1` + strings.Repeat(`,1`, 1<<18) + `],`},
		{"shape", `[1,1,2,2]`, `[1` + strings.Repeat(`,1`, 1<<18) + `]`},
		{"tensors", `"c.bias":{`, many(1<<14, func(i int) string {
			return fmt.Sprintf(`"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},`, i)
		}) + `"c.bias":{`},
		{"metadata", `"viz.format"`, many(1<<16, func(i int) string { return fmt.Sprintf(`"%x":"",`, i) }) + `"viz.format"`},
		{"keys in origin", `"viz.origin":"{`, `"viz.origin":"{` + many(1<<16, func(i int) string { return fmt.Sprintf(`\"%x\":1,`, i) }) + `\"z\":1`},
		{"values in origin", `"viz.origin":"{`, `"viz.origin":"{\"z\":[1` + strings.Repeat(",{}", 1<<18) + `]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := edit(t, file, tt.old, tt.new)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, _, err := decode(bad)
			runtime.ReadMemStats(&after)
			ratio := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(bad))
			t.Logf("%d bytes, allocated %.1f times that: %.100v", len(bad), ratio, err)
			if ratio > 30 {
				t.Errorf("allocated %.1f times the size of the file", ratio)
			}
		})
	}
}

func TestReadOtherFiles(t *testing.T) {
	length := func(n uint64, text string) string {
		return string(binary.LittleEndian.AppendUint64(nil, n)) + text
	}
	for _, tt := range []struct{ name, file, want string }{
		{"empty", "", "the file is empty"},
		{"one byte", "x", "not a checkpoint: the file has only 1 bytes"},
		{"PNG", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not a checkpoint: it looks like a PNG picture"},
		{"ONNX", "\x08\x07\x12\x07pytorch\x1a\x051.7", "not a checkpoint: it looks like an ONNX model"},
		{"LFS", "version https://example.org/v1\noid sha256:00", "not a checkpoint: it looks like a pointer of Git LFS: get the file itself by git lfs pull"},
		{"zip", "PK\x03\x04\x00\x00\x00\x00\x00\x00", "not a checkpoint: it looks like a zip archive (PyTorch's .pt?): viz import --arch takes it, or export the network to ONNX"},
		{"text", "hello, world", `not a checkpoint: it begins with "hello, w"`},
		{"long header", length(1<<40, `{"a":1}`), "the header claims 1099511627776 bytes, want at most 16777216: the file is damaged or no checkpoint"},
		{"longest header", length(1<<64-1, `{"a":1}`), `not a checkpoint: it begins with`},
		{"header of nothing", length(2, `{}`), "a safetensors file, but not a viz checkpoint: no viz.network in its metadata"},
		{"header of 1", length(1, `{}`), `not a checkpoint`},
		{"safetensors of PyTorch", length(76, `{"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}`[:76]), "header is damaged or no safetensors: byte 76: a string does not end"},
		{"truncated header", length(100, `{"a":1}`), "truncated: the header ends at byte 108, the file at 15"},
	} {
		_, _, err := decode([]byte(tt.file))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
		if looks := IsCheckpoint([]byte(tt.file)[:min(9, len(tt.file))]); looks && !strings.Contains(tt.name, "header") && tt.name != "safetensors of PyTorch" {
			t.Errorf("%s: IsCheckpoint", tt.name)
		}
	}
}

// What Python reads with the script that users get is what was saved.
func TestReadCheckpointInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	path := filepath.Join(t.TempDir(), "ckpt.bin")
	net := everyKind()
	if err := Save(path, net, someState()); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		out, err := exec.Command(python, append([]string{filepath.Join("testdata", "read_checkpoint.py"), path}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	list := run()
	for _, want := range []string{"'Conv', 'BatchNorm'", "conv1.weight [4, 1, 3, 2]\n", "bn1.var [4]\n", "train/adam.v/conv1.weight [4, 1, 3, 2]\n"} {
		if !strings.Contains(list, want) {
			t.Errorf("no %q in\n%s", want, list)
		}
	}
	for name, want := range map[string][]float32{
		"fc1.weight":                net.Node("fc1").Layer.(*Dense).Weight.Data,
		"bn1.shift":                 net.Node("bn1").Layer.(*BatchNorm).Shift,
		"train/adam.m/conv1.weight": ramp(4, 1, 3, 2).Data,
	} {
		var got []float32
		for _, s := range strings.Fields(run(name)) {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, float32(v))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// Whatever the bytes, Read gives an error or a network that can be saved,
// and saving is stable. Each input is tried as it is and with right checksums.
func FuzzRead(f *testing.F) {
	small := encode(f, tiny(), nil)
	f.Add(small)
	f.Add(small[:len(small)-3])
	f.Add(encode(f, tiny(), &State{Step: 1, JSON: json.RawMessage(`{"a":[1,null,-2.5e3]}`), Tensors: map[string]*tensor.Tensor{"m": ramp(2)}}))
	f.Add(encode(f, everyKind(), nil))
	f.Add([]byte("\x08\x07\x12\x07pytorch"))
	for _, tt := range edited {
		if len(tt.new) < 1000 {
			f.Add(edit(f, small, tt.old, tt.new))
		}
	}
	hostile.Fuzz(f, func(t testing.TB, file []byte) {
		for _, b := range [][]byte{file, reseal(file)} {
			var net *Network
			var state *State
			if hostile.Read(t, len(b), func() (err error) {
				net, state, err = decode(b)
				return imageio.OneLine(err)
			}) != nil {
				continue
			}
			if err := net.Check(); err != nil {
				t.Fatal(err)
			}
			net.Hash()
			again := encode(t, net, state)
			net2, state2, err := decode(again)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(encode(t, net2, state2), again) {
				t.Fatal("saved twice, the files differ")
			}
		}
	})
}

// LeNet's size: 3.3 million weights, 13 MB.
func benchmarkNetwork(b *testing.B) *Network {
	net, err := Build("lenet5", ArchOptions{Input: Input{C: 1, H: 28, W: 28}, Classes: make([]string, 10)})
	if err != nil {
		b.Fatal(err)
	}
	return net
}

func BenchmarkLoad(b *testing.B) {
	net := benchmarkNetwork(b)
	w := net.Node("fc1").Layer.(*Dense).Weight
	state := &State{Tensors: map[string]*tensor.Tensor{"adam.m/fc1.weight": w, "adam.v/fc1.weight": w}}
	path := filepath.Join(b.TempDir(), "ckpt.bin")
	if err := Save(path, net, state); err != nil {
		b.Fatal(err)
	}
	b.Run("13MB", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Load(path); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("13MB+state", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := LoadState(path); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkHash(b *testing.B) {
	net := benchmarkNetwork(b)
	for b.Loop() {
		net.Hash()
	}
}
