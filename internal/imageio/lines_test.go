package imageio

import (
	"bytes"
	"errors"
	"syscall"
	"testing"
)

// nearlyFull takes so many bytes.
type nearlyFull struct {
	bytes.Buffer
	room  int
	stuck bool // it cannot be cut
}

func (f *nearlyFull) Write(b []byte) (int, error) {
	n, _ := f.Buffer.Write(b[:min(f.room, len(b))])
	f.room -= n
	if n < len(b) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (f *nearlyFull) Truncate(size int64) error {
	if f.stuck {
		return syscall.EIO
	}
	f.Buffer.Truncate(int(size))
	return nil
}

func (f *nearlyFull) Sync() error  { return nil }
func (f *nearlyFull) Close() error { return nil }

func TestAppendLines(t *testing.T) {
	for _, c := range []struct {
		room  int
		stuck bool
		want  string
	}{{0, false, "one\n"}, {2, false, "one\n"}, {4, false, "one\ntwo\n"}, {6, false, "one\ntwo\n"}, {10, false, "one\ntwo\nthree\n"}, {6, true, "one\ntwo\nth"}} {
		f := &nearlyFull{room: c.room, stuck: c.stuck}
		f.WriteString("one\n")
		n, err := AppendLines(f, 4, []byte("two\nthree\n"))
		if f.String() != c.want || n != len(c.want)-4 || errors.Is(err, syscall.ENOSPC) != (c.room < 10) {
			t.Errorf("room for %d: %q, %d, %v, want %q", c.room, f.String(), n, err, c.want)
		}
	}
}
