package view

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"

	"github.com/deconvnet/viz/model/tensor"
)

// Kept keeps the parts of a long measurement, so that it can go on where it was interrupted. The key of a part says
// what was measured, on what: a part that is there under its key need not be measured again.
type Kept interface {
	// Part sets v to the part of a key, and reports whether it is there.
	Part(key string, v any) (bool, error)
	// Keep keeps the part of a key.
	Keep(key string, v any) error
}

// keptPart is a part that is kept, or is measured and then kept. Nil keeps nothing.
func keptPart[T any](k Kept, key string, measure func() (T, error)) (T, error) {
	var v T
	if k == nil {
		return measure()
	}
	if ok, err := k.Part(key, &v); ok || err != nil {
		return v, err
	}
	v, err := measure()
	if err == nil {
		err = k.Keep(key, v)
	}
	return v, err
}

// partKey is a key: the hash of texts and inputs.
type partKey struct{ h hash.Hash }

func newPartKey(texts ...any) partKey {
	k := partKey{sha256.New()}
	for _, t := range texts {
		fmt.Fprintf(k.h, "%v\x00", t)
	}
	return k
}

// add adds the values of an input.
func (k partKey) add(x *tensor.Tensor) partKey {
	var b [4]byte
	fmt.Fprint(k.h, x.Shape)
	for _, v := range x.Data {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		k.h.Write(b[:])
	}
	return k
}

func (k partKey) String() string { return fmt.Sprintf("%x", k.h.Sum(nil)[:16]) }
