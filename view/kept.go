package view

import (
	"crypto/sha256"
	"fmt"
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
func keptPart[T any](k Kept, key func() string, measure func() (T, error)) (T, error) {
	var v T
	if k == nil {
		return measure()
	}
	name := key()
	if ok, err := k.Part(name, &v); ok || err != nil {
		return v, err
	}
	v, err := measure()
	if err == nil {
		err = k.Keep(name, v)
	}
	return v, err
}

// partKey is the key of a part that depends on these things.
func partKey(on ...any) string {
	h := sha256.New()
	for _, v := range on {
		fmt.Fprintf(h, "%v\x00", v)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:16])
}
