package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/pages"
	"github.com/deconvnet/viz/model/tensor"
)

// A checkpoint is a safetensors file, all of it float32. Weights are called
// NODE.weight, NODE.bias (Conv, Dense) and NODE.scale, .shift, .mean, .var
// (BatchNorm); what training remembers is called train/NAME. The network's
// tensors come first, then training's, each sorted by name. The metadata:
//
//	viz.format         "1"
//	viz.network        JSON: name, input, logits and the nodes in order, each with
//	                   kind, inputs, attributes and the names of its tensors
//	viz.preprocess     JSON of Preprocess
//	viz.classes        JSON list of names; absent if there are none
//	viz.origin         JSON of Origin
//	viz.state          JSON: step, and the trainer's own; absent without state
//	viz.crc32          CRC-32 of the file up to the data, these digits taken as 0
//	viz.network.crc32  CRC-32 of the data of the network's tensors
//	viz.state.crc32    CRC-32 of the data of the training tensors; absent without state
//
// Checksums are 8 lower-case hex digits of the CRC-32 that zip, PNG and Python's
// zlib use. They are there to find damage, not forgery: the CRC of 13 MB takes
// 0.3 ms where SHA-256 takes 8 (and Hash tells two networks apart). There are
// three so that a network is loaded and verified without reading the training
// state behind it, which is two or three times as large.
//
// testdata/read_checkpoint.py reads one with nothing but Python's standard library.
const (
	keyFormat     = "viz.format"
	keyNetwork    = "viz.network"
	keyPreprocess = "viz.preprocess"
	keyClasses    = "viz.classes"
	keyOrigin     = "viz.origin"
	keyState      = "viz.state"
	keyHeaderCRC  = "viz.crc32"
	keyNetworkCRC = "viz.network.crc32"
	keyStateCRC   = "viz.state.crc32"

	formatVersion = "1"
	statePrefix   = "train/"
	noCRC         = "00000000"

	maxAttribute = 1 << 30 // largest size, stride, ... that is read
	maxInputs    = 1 << 12 // of one node
)

// State is what training needs to go on where it stopped.
type State struct {
	Step    int
	JSON    json.RawMessage           // the trainer's own settings and position, opaque to model
	Tensors map[string]*tensor.Tensor // solver memory by name, e.g. "adam.m/conv1.weight"
}

// Save writes a checkpoint of the network and, unless it is nil, the training
// state. The file appears complete or not at all; one that was there before is
// replaced. Saving what was loaded gives the same bytes.
func Save(path string, net *Network, state *State) error {
	err := imageio.WriteFile(path, func(w io.Writer) error { return write(w, net, state) })
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}

// Load reads the network from a checkpoint; training state in it is neither
// read nor verified.
func Load(path string) (*Network, error) {
	net, _, err := load(path, false)
	return net, err
}

// LoadState reads network and training state; the latter is nil if the file
// has none.
func LoadState(path string) (*Network, *State, error) { return load(path, true) }

func load(path string, withState bool) (*Network, *State, error) {
	f, size, err := imageio.OpenPlain(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w", err)
	}
	defer f.Close()
	net, state, err := read(f, size, withState)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return net, state, nil
}

// Write writes a checkpoint; state may be nil. Neither may change meanwhile.
func Write(w io.Writer, net *Network, state *State) error {
	if err := write(w, net, state); err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}

// Read reads a checkpoint of size bytes. It is safe on files from anywhere:
// what it allocates is a small multiple of the file's size, and the network it
// returns passes Check.
func Read(r io.ReaderAt, size int64) (*Network, *State, error) {
	net, state, err := read(r, size, true)
	if err != nil {
		return nil, nil, fmt.Errorf("%w", err)
	}
	return net, state, nil
}

// IsCheckpoint tells from a file's first bytes (9 are enough) whether it looks
// like a checkpoint: it is a safetensors file.
func IsCheckpoint(head []byte) bool {
	n := headerLength(head)
	return n > 0 && n <= maxHeader
}

func write(w io.Writer, net *Network, state *State) error {
	if err := check(net); err != nil {
		return err
	}
	meta := [][2]string{{keyFormat, formatVersion}, {keyHeaderCRC, noCRC}}
	add := func(key, text string) { meta = append(meta, [2]string{key, text}) }

	structure, err := encodeNetwork(net)
	if err != nil {
		return err
	}
	add(keyNetwork, structure)
	preprocess, err := encodeJSON(net.Preprocess)
	if err != nil {
		return fmt.Errorf("preprocessing: %w", err)
	}
	add(keyPreprocess, preprocess)
	if len(net.Classes) > 0 {
		classes, err := encodeJSON(net.Classes)
		if err != nil {
			return fmt.Errorf("%w", err)
		}
		add(keyClasses, classes)
	}
	origin, err := encodeJSON(net.Origin)
	if err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	add(keyOrigin, origin)
	tensors, err := networkTensors(net)
	if err != nil {
		return err
	}
	add(keyNetworkCRC, dataCRC(tensors))
	if state != nil {
		text, err := encodeState(state)
		if err != nil {
			return err
		}
		add(keyState, text)
		memory, err := stateTensors(state)
		if err != nil {
			return err
		}
		add(keyStateCRC, dataCRC(memory))
		tensors = append(tensors, memory...)
	}
	names := map[string]bool{}
	for _, t := range tensors {
		if names[t.name] {
			return fmt.Errorf("tensor %s: the name is taken twice", t.name)
		}
		names[t.name] = true
	}
	slices.SortFunc(meta, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	head, at := buildHeader(meta, tensors, keyHeaderCRC)
	if len(head)-8 > maxHeader {
		return fmt.Errorf("header takes %d bytes, want at most %d", len(head)-8, maxHeader)
	}
	copy(head[at:], hex32(crc32.ChecksumIEEE(head)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := t.pieces(func(x []float32) error { return writeFloats(w, x) }); err != nil {
			return err
		}
	}
	return nil
}

func read(r io.ReaderAt, size int64, withState bool) (*Network, *State, error) {
	c, err := readHeader(r, size)
	if err != nil {
		return nil, nil, err
	}
	if err := c.verify(); err != nil {
		return nil, nil, err
	}
	if err := c.layout(); err != nil {
		return nil, nil, err
	}
	net, slots, err := decodeNetwork(c.meta[keyNetwork])
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", keyNetwork, err)
	}
	if err := c.decode(keyPreprocess, &net.Preprocess); err != nil {
		return nil, nil, err
	}
	if _, ok := c.meta[keyClasses]; ok {
		if err := c.decode(keyClasses, &net.Classes); err != nil {
			return nil, nil, err
		}
	}
	if err := c.decode(keyOrigin, &net.Origin); err != nil {
		return nil, nil, err
	}
	ours, theirs, err := c.split(slots)
	if err != nil {
		return nil, nil, err
	}
	for i := range ours {
		if err := slots[ours[i].name].fits(ours[i].shape); err != nil {
			return nil, nil, fmt.Errorf("tensor %s: %w", ours[i].name, err)
		}
	}
	weights, err := c.floats(r, ours, keyNetworkCRC)
	if err != nil {
		return nil, nil, err
	}
	for i, t := range ours {
		slots[t.name].set(tensor.From(weights[i], t.shape...))
	}
	for i := range net.Nodes {
		if old, ok := net.Nodes[i].Layer.(older); ok {
			if net.Nodes[i].Layer, err = old.now(); err != nil {
				return nil, nil, fmt.Errorf("layer %s: %w", net.Nodes[i].Name, err)
			}
		}
	}
	if err := check(net); err != nil {
		return nil, nil, err
	}
	if _, ok := c.meta[keyState]; !ok || !withState {
		return net, nil, nil
	}
	state, err := decodeState(c.meta[keyState])
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", keyState, err)
	}
	memory, err := c.floats(r, theirs, keyStateCRC)
	if err != nil {
		return nil, nil, err
	}
	for i, t := range theirs {
		state.Tensors[strings.TrimPrefix(t.name, statePrefix)] = tensor.From(memory[i], t.shape...)
	}
	return net, state, nil
}

// check is net.Check without the package's prefix, which the callers here add.
func check(net *Network) error {
	if err := net.Check(); err != nil {
		return err
	}
	return nil
}

// verify checks that this is a checkpoint, of the version known here, with an
// undamaged header.
func (c *container) verify() error {
	if _, ok := c.meta[keyNetwork]; !ok {
		return fmt.Errorf("a safetensors file, but not a viz checkpoint: no %s in its metadata", keyNetwork)
	}
	if v := c.meta[keyFormat]; v != formatVersion {
		return fmt.Errorf("checkpoint format is %.20q, this version of viz reads %q", v, formatVersion)
	}
	at, want := c.metaAt[keyHeaderCRC], c.meta[keyHeaderCRC]
	if len(want) != len(noCRC) || c.text[at:at+len(want)] != want {
		return fmt.Errorf("%s is %.20q, want 8 hex digits", keyHeaderCRC, want)
	}
	var length [8]byte
	for i := range length {
		length[i] = byte(len(c.text) >> (8 * i))
	}
	sum := crc32.ChecksumIEEE(length[:])
	for _, part := range []string{c.text[:at], noCRC, c.text[at+len(want):]} {
		sum = crc32.Update(sum, crc32.IEEETable, []byte(part))
	}
	if got := hex32(sum); got != want {
		return fmt.Errorf("the header is damaged: its checksum is %s, want %s", got, want)
	}
	for key := range c.meta {
		switch key {
		case keyFormat, keyNetwork, keyPreprocess, keyClasses, keyOrigin, keyState, keyHeaderCRC, keyNetworkCRC, keyStateCRC:
		default:
			return fmt.Errorf("unknown key %.40q in the metadata", key)
		}
	}
	return nil
}

// split tells the network's tensors from those of training, both in the order
// of their data.
func (c *container) split(slots map[string]slot) (ours, theirs []stored, err error) {
	_, hasState := c.meta[keyState]
	for _, t := range c.tensors {
		_, known := slots[t.name]
		switch {
		case known && len(theirs) > 0:
			return nil, nil, fmt.Errorf("tensor %s: lies behind the training state, want it before", t.name)
		case known:
			ours = append(ours, t)
		case hasState && strings.HasPrefix(t.name, statePrefix):
			theirs = append(theirs, t)
		default:
			return nil, nil, fmt.Errorf("tensor %s: no node has it", t.name)
		}
	}
	if len(ours) < len(slots) {
		have := map[string]bool{}
		for _, t := range ours {
			have[t.name] = true
		}
		for name := range slots {
			if have[name] {
				delete(slots, name)
			}
		}
		return nil, nil, fmt.Errorf("tensor %s: missing", firstKey(slots))
	}
	return ours, theirs, nil
}

func firstKey(m map[string]slot) string {
	var first string
	for name := range m {
		if first == "" || name < first {
			first = name
		}
	}
	return first
}

// floats reads the data of tensors that follow each other, and verifies it.
func (c *container) floats(r io.ReaderAt, tensors []stored, crcKey string) ([][]float32, error) {
	var begin, end int64
	if len(tensors) > 0 {
		begin, end = tensors[0].begin, tensors[len(tensors)-1].end
	}
	if (end-begin)/4 > math.MaxInt/8 {
		return nil, fmt.Errorf("%d bytes of numbers are too many for this machine", end-begin)
	}
	block := pages.Floats(int((end - begin) / 4))
	var sum uint32
	err := readFloats(r, block, c.data+begin, func(b []byte) { sum = crc32.Update(sum, crc32.IEEETable, b) })
	if err != nil {
		return nil, err
	}
	if got, want := hex32(sum), c.meta[crcKey]; got != want {
		return nil, fmt.Errorf("the data at byte %d to %d is damaged: its checksum is %s, want %.20q in %s",
			c.data+begin, c.data+end, got, want, crcKey)
	}
	out := make([][]float32, len(tensors))
	for i, t := range tensors {
		from, to := (t.begin-begin)/4, (t.end-begin)/4
		out[i] = block[from:to:to]
	}
	return out, nil
}

func dataCRC(tensors []entry) string {
	h := crc32.NewIEEE()
	for _, t := range tensors {
		t.pieces(func(x []float32) error { return writeFloats(h, x) }) // a hash takes everything
	}
	return hex32(h.Sum32())
}

func hex32(v uint32) string { return fmt.Sprintf("%08x", v) }

// networkTensors lists the arrays of all layers, sorted by name.
func networkTensors(net *Network) ([]entry, error) {
	var out []entry
	for i := range net.Nodes {
		n := &net.Nodes[i]
		slots, err := layerSlots(n.Layer)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", n.Name, err)
		}
		for _, s := range slots {
			if t := s.weights(); t != nil {
				t.name = n.Name + "." + s.name
				if err := s.fits(t.shape); err != nil {
					return nil, fmt.Errorf("tensor %s: %w", t.name, err)
				}
				out = append(out, *t)
			}
		}
	}
	return out, checkEntries(out)
}

// stateTensors lists the solver's arrays, sorted by name.
func stateTensors(state *State) ([]entry, error) {
	var out []entry
	for name, t := range state.Tensors {
		if t == nil {
			return nil, fmt.Errorf("tensor %s%s: nil", statePrefix, name)
		}
		out = append(out, entry{statePrefix + name, t.Shape, t})
	}
	return out, checkEntries(out)
}

// checkEntries sorts tensors by name and refuses what could not be read again.
func checkEntries(tensors []entry) error {
	slices.SortFunc(tensors, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	for _, t := range tensors {
		if n, ok := product(t.shape, math.MaxInt64/4); !ok || n != int64(t.values.Len()) {
			return fmt.Errorf("tensor %s: shape %v does not hold %d values", t.name, t.shape, t.values.Len())
		}
		if len(t.shape) > maxDims {
			return fmt.Errorf("tensor %s: %d dimensions, want at most %d", t.name, len(t.shape), maxDims)
		}
		if !utf8.ValidString(t.name) {
			return fmt.Errorf("tensor %q: the name is not UTF-8", t.name)
		}
	}
	return nil
}
