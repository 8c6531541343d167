package cmdline

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/deconvnet/viz/model/open"
)

// TestAwait: work that does not listen is left where it is; what ends in time is returned.
func TestAwait(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if n, err := Await(ctx, func() (int, error) { return 3, fs.ErrInvalid }); n != 3 || err != fs.ErrInvalid {
		t.Errorf("got %d, %v", n, err)
	}
	hang := make(chan bool)
	defer close(hang)
	_, err := Await(ctx, func() (int, error) { cancel(); <-hang; return 0, nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	if _, err := OpenNetwork(ctx, "none.bin", open.Options{}); err == nil {
		t.Error("a network that is not there was opened")
	}
}

// TestOpenHint: the names of built-in networks help who mistyped one, not who named a pipe, a folder or a file of others.
func TestOpenHint(t *testing.T) {
	for err, hinted := range map[error]bool{fs.ErrNotExist: true, syscall.ENOENT: true, syscall.EACCES: false, errors.New("not a plain file"): false,
		errors.New("is a folder, want a file"): false} {
		p, ok := errors.AsType[*Problem](OpenHint(&open.Missing{Name: "x", Err: err}))
		if got := ok && strings.Contains(p.Hint, "built in are"); got != hinted {
			t.Errorf("%v: hint %v, want %v", err, got, hinted)
		}
	}
}
