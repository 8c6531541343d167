package images

import (
	"context"
	"errors"
	"image"
	"sync/atomic"
	"testing"
)

// TestSoundReadsOnce: the reading that finds the sound pictures serves their first use.
func TestSoundReadsOnce(t *testing.T) {
	var reads atomic.Int64
	l := &List{Items: make([]Item, 3), open: func(i int) (Picture, error) {
		reads.Add(1)
		if i == 1 {
			return Picture{}, errors.New("broken")
		}
		return Picture{Image: image.NewGray(image.Rect(0, 0, i+1, 1))}, nil
	}}
	sound, bad, err := l.sound(context.Background())
	if err != nil || len(bad) != 1 || sound.Len() != 2 {
		t.Fatalf("%d sound, %d bad, %v", sound.Len(), len(bad), err)
	}
	for round, want := range []int64{3, 5} { // the second time they are read again
		for i, width := range []int{1, 3} {
			p, err := sound.Open(i)
			if err != nil || p.Image.Bounds().Dx() != width {
				t.Errorf("picture %d is %v, %v", i, p, err)
			}
		}
		if reads.Load() != want {
			t.Errorf("round %d: %d reads, want %d", round, reads.Load(), want)
		}
	}
}
