package sweep

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/deconvnet/viz/model"
)

// faulty is a file some of whose writes take room bytes and then fail, and whose sync may fail.
type faulty struct {
	bytes.Buffer
	room []int // of the writes that fail, the first first; -1: one that does not
	sync error
}

func (f *faulty) Write(b []byte) (int, error) {
	if len(f.room) == 0 {
		return f.Buffer.Write(b)
	}
	room := f.room[0]
	f.room = f.room[1:]
	if room < 0 {
		return f.Buffer.Write(b)
	}
	n, _ := f.Buffer.Write(b[:min(room, len(b))])
	return n, syscall.ENOSPC
}

func (f *faulty) Truncate(size int64) error {
	f.Buffer.Truncate(int(size))
	return nil
}

func (f *faulty) Sync() error  { return f.sync }
func (f *faulty) Close() error { return nil }

// A line that could not be written, or of which a part was, comes with the next one: the log has no hole.
func TestLogWithoutHoles(t *testing.T) {
	want := "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n"
	for _, room := range [][]int{nil, {0}, {4}, {-1, 0}, {-1, 5, 3}, {0, 0, 0}, {-1, -1, 2}} {
		f := &faulty{room: room}
		l := &trainLog{file: f}
		for step := 1; step <= 3; step++ {
			l.line(map[string]any{"step": step})
			if text := f.String(); !strings.HasPrefix(want, text) || text != "" && !strings.HasSuffix(text, "\n") {
				t.Errorf("room %v: after step %d the log is %q", room, step, text)
			}
		}
		if err := l.last(); err != nil || f.String() != want {
			t.Errorf("room %v: %q, %v", room, f.String(), err)
		}
	}
}

// A checkpoint is not written if its log cannot be: what goes on from it would have a hole in its log.
func TestCheckpointOfAWholeLog(t *testing.T) {
	net, err := model.Build("lenet5", model.ArchOptions{Input: model.Input{C: 1, H: 8, W: 8}, Classes: []string{"a", "b"}, Width: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*faulty{
		"full": {room: []int{3, 0, 0}}, "no sync": {sync: syscall.EIO}, "whole": {}, "late": {room: []int{3}},
	} {
		out := filepath.Join(t.TempDir(), "a.bin")
		log := &trainLog{file: f}
		log.line(map[string]any{"step": 1})
		err := (&Training{Out: out}).checkpoint(log, net, &model.State{Step: 1})
		_, absent := os.Stat(out)
		var wrong *LogError
		if bad := name == "full" || name == "no sync"; errors.As(err, &wrong) != bad || (absent != nil) != bad {
			t.Errorf("%s: %v, the checkpoint: %v", name, err, absent)
		}
	}
}
