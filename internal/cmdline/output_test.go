package cmdline

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/deconvnet/viz/view"
)

// TestDrawn: everything is drawn once, in order; nothing after an error, and nothing after the end.
func TestDrawn(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	broken := errors.New("broken")
	for _, tt := range []struct {
		fails, stops int
		drawn        []int
		err          error
	}{{fails: -1, stops: -1, drawn: []int{0, 1, 2, 3, 4, 5}}, {fails: 2, stops: -1, drawn: []int{0, 1, 2}, err: broken}, {fails: -1, stops: 3, drawn: []int{0, 1, 2, 3}, err: context.Canceled}} {
		var drawn []int
		o := &Output{c: &Run{Context: ctx}}
		err := o.Drawn(6, func(i int) ([]view.Figure, error) {
			drawn = append(drawn, i)
			if i == tt.stops {
				stop()
			}
			if i == tt.fails {
				return nil, broken
			}
			return nil, nil
		})
		if !errors.Is(err, tt.err) || !slices.Equal(drawn, tt.drawn) {
			t.Errorf("%+v: drew %v, error %v", tt, drawn, err)
		}
	}
}
