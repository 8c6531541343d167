// Package hostile holds the readers of files to what they may take of bytes from strangers: memory, time, and what their
// errors say. Fuzz targets use it.
package hostile

import (
	"flag"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// Memory is what a reader of so many bytes may allocate in all.
func Memory(size int) int { return 4*size + 64<<20 }

const (
	most = time.Second      // of the processor's time, for one input
	hang = 20 * time.Second // after this no answer will come
	long = 4000             // bytes that an error may have
)

// Read runs a reader of so many bytes and returns its error. The test fails if the reader allocates more than Memory, if
// its error is not one plain line, and, while fuzzing, if it takes longer than a second of the processor.
func Read(t testing.TB, size int, read func() error) error {
	t.Helper()
	return ReadWithin(t, size, Memory(size), read)
}

// ReadWithin is Read with another limit of memory.
func ReadWithin(t testing.TB, size, memory int, read func() error) error {
	t.Helper()
	limit := time.Duration(0)
	if Fuzzing() {
		limit = most
	}
	if q, ok := t.(*try); ok && !q.measured {
		q.least = min(q.least, memory)
		err := read()
		if err != nil {
			Line(t, err.Error())
		}
		return err
	} else if ok {
		limit = q.most
	}
	if limit > 0 {
		defer time.AfterFunc(hang, func() { panic("no answer") }).Stop()
	}
	from, start := allocated(), processor()
	err := read()
	took, took2 := allocated()-from, processor()-start
	if took > uint64(memory) {
		t.Errorf("%d bytes of memory for %d bytes, want at most %d", took, size, memory)
	}
	// Under other load the clock of one try is not to be believed.
	for try := 0; limit > 0 && took2 > limit && try < 2; try++ {
		start = processor()
		read()
		took2 = min(took2, processor()-start)
	}
	if limit > 0 && took2 > limit {
		t.Errorf("%v for %d bytes", took2, size)
	}
	if err != nil {
		Line(t, err.Error())
	}
	return err
}

// Line fails a test if a text is not one line without anything that a terminal acts on.
func Line(t testing.TB, text string) {
	t.Helper()
	if text == "" || len(text) > long || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("not a plain line: %.300q", text)
	}
}

// Fuzzing reports whether inputs are being drawn: as a test, the machine may be busy or the race detector on.
func Fuzzing() bool {
	f := flag.Lookup("test.fuzz")
	return f != nil && f.Value.String() != ""
}

// allocated is how many bytes the process has allocated since it began.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
