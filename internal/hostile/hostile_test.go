package hostile

import (
	"errors"
	"testing"
)

var sink []byte

func TestRead(t *testing.T) {
	for _, k := range []struct {
		name string
		read func() error
		fail bool
	}{
		{"a reader that does little", func() error { return nil }, false},
		{"a plain error", func() error { return errors.New("file ends in the é") }, false},
		{"an error of two lines", func() error { return errors.New("a\nb") }, true},
		{"an escape", func() error { return errors.New("a\x1b[31m") }, true},
		{"no UTF-8", func() error { return errors.New("a\xff") }, true},
		{"nothing said", func() error { return errors.New("") }, true},
		{"much memory", func() error { sink = make([]byte, 70<<20); return nil }, true},
		{"memory that the size allows", func() error { sink = make([]byte, 60<<20); return nil }, false},
	} {
		inner := &testing.T{}
		Read(inner, 10, k.read)
		if inner.Failed() != k.fail {
			t.Errorf("%s: failed: %v", k.name, inner.Failed())
		}
	}
	sink = nil
}
