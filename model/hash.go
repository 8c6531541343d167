package model

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/deconvnet/viz/internal/par"
	"github.com/deconvnet/viz/model/tensor"
)

// hashPiece is the number of weights hashed at a time.
const hashPiece = 1 << 18

// Hash identifies what the network computes: the first 16 hex digits of a
// SHA-256 over its layers, weights, preprocessing and what its scores mean. Its name,
// modules, classes, other outputs and origin do not count, nor does the machine. Pictures carry it as provenance.
//
// Large networks are hashed by all processors: hashed are the JSON of
// viz.network (with the name left empty) and of viz.preprocess as in a
// checkpoint, name and shape of each tensor, each on a line, then the SHA-256 of
// each piece of 2^18 weights (the last of a tensor may be shorter); tensors
// sorted by name as in the file.
//
// A network that Check refuses may have no hash: "".
func (net *Network) Hash() string {
	anonymous := *net
	anonymous.Name, anonymous.Outputs = "", nil
	anonymous.Nodes = slices.Clone(net.Nodes)
	for i := range anonymous.Nodes {
		anonymous.Nodes[i].Module = ""
	}
	if r, err := net.Reading(); err == nil {
		anonymous.Scores = r.Kind // however it is called
	}
	structure, err := encodeNetwork(&anonymous)
	if err != nil {
		return ""
	}
	preprocess, err := encodeJSON(net.Preprocess)
	if err != nil {
		return ""
	}
	tensors, err := networkTensors(net)
	if err != nil {
		return ""
	}
	type piece struct {
		of       *tensor.Tensor
		from, to int
	}
	var pieces []piece
	text := []byte(structure + "\n" + preprocess + "\n")
	for _, t := range tensors {
		text = append(appendInts(appendString(text, t.name), t.shape), '\n')
		for at := 0; at < t.values.Len(); at += hashPiece {
			pieces = append(pieces, piece{t.values, at, min(at+hashPiece, t.values.Len())})
		}
	}
	sums := make([][sha256.Size]byte, len(pieces))
	workers := 1
	if len(pieces) > 4 {
		workers = 0 // all
	}
	pool := par.New(workers)
	defer pool.Close()
	pool.For(len(pieces), func(i, _ int) {
		h, p := sha256.New(), pieces[i]
		var buf [1 << 12]float32
		for at := p.from; at < p.to; at += len(buf) {
			writeFloats(h, p.of.Part(at, min(at+len(buf), p.to), buf[:])) // a hash takes everything
		}
		h.Sum(sums[i][:0])
	})
	h := sha256.New()
	h.Write(text)
	for i := range sums {
		h.Write(sums[i][:])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
