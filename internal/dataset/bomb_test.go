package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
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
