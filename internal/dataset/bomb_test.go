package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/pickle"
)

// TestIDXBomb: a file that unpacks to more than is ever kept is refused by its header.
func TestIDXBomb(t *testing.T) {
	var head []byte
	for _, v := range []uint32{idxUbyte | 3, 4_000_000, 28, 28} {
		head = binary.BigEndian.AppendUint32(head, v)
	}
	_, _, err := readIDX(&stream{Reader: bytes.NewReader(head), bound: 1 << 40, ctx: context.Background()}, 3)
	if err == nil || !strings.Contains(err.Error(), "want at most 1073741824") {
		t.Errorf("4 million pictures: %v", err)
	}
}

// TestClassBomb: one large label does not make a name for each number before it.
func TestClassBomb(t *testing.T) {
	for v, fine := range map[int32]bool{maxClasses - 1: true, maxClasses: false, 900_000: false, -1: false} {
		a, err := npy.NewRaw("<i4", []int{1}, false, binary.LittleEndian.AppendUint32(nil, uint32(v)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := labelsOf(a); (err == nil) != fine || err != nil && !strings.Contains(err.Error(), "want class numbers from 0 to 99999") {
			t.Errorf("label %d in an array: %v", v, err)
		}
		if _, err := pyLabels(&pickle.List{Items: []any{int64(v)}}); (err == nil) != fine || err != nil && !strings.Contains(err.Error(), "want class numbers from 0 to 99999") {
			t.Errorf("label %d in a pickle: %v", v, err)
		}
	}
}
