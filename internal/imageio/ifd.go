package imageio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Sections and tags are those of the TIFF specification, revision 6.0, and of its
// Technical Note 2 (JPEG).
const (
	tagSubfile      = 254
	tagWidth        = 256
	tagHeight       = 257
	tagBits         = 258
	tagCompression  = 259
	tagPhotometric  = 262
	tagFillOrder    = 266
	tagStripOffsets = 273
	tagOrientation  = 274
	tagSamples      = 277
	tagRowsPerStrip = 278
	tagStripCounts  = 279
	tagPlanar       = 284
	tagT4           = 292
	tagPredictor    = 317
	tagColorMap     = 320
	tagTileWidth    = 322
	tagTileHeight   = 323
	tagTileOffsets  = 324
	tagTileCounts   = 325
	tagSubIFDs      = 330
	tagInkSet       = 332
	tagExtra        = 338
	tagFormat       = 339
	tagJPEGTables   = 347
	tagSubsampling  = 530
	tagDNGVersion   = 50706
)

// ifd is the first directory of a TIFF or of EXIF data.
type ifd struct {
	in      *input
	order   binary.ByteOrder
	big     bool // BigTIFF: offsets and counts of 8 bytes
	entries map[int]ifdEntry
}

// ifdEntry holds n values of a type; value is where they are or, if they have
// room there, the values themselves.
type ifdEntry struct {
	kind  int
	n     int64
	value []byte
}

// maxEntries bounds the entries of a directory that are looked at.
const maxEntries = 4096

// readIFD reads the first directory.
func readIFD(in *input) (*ifd, error) {
	b, err := in.bytes(0, 8)
	if err != nil {
		return nil, err
	}
	d := &ifd{in: in, entries: map[int]ifdEntry{}}
	switch string(b[:2]) {
	case "II":
		d.order = binary.LittleEndian
	case "MM":
		d.order = binary.BigEndian
	default:
		return nil, errors.New("no byte order")
	}
	at, countSize, entrySize := int64(d.order.Uint32(b[4:])), int64(2), int64(12)
	switch d.order.Uint16(b[2:]) {
	case 42:
	case 43:
		if b, err = in.bytes(8, 8); err != nil {
			return nil, err
		}
		d.big = true
		at, countSize, entrySize = int64(d.order.Uint64(b)), 8, 20
	default:
		return nil, errors.New("no TIFF header")
	}
	if b, err = in.bytes(at, countSize); err != nil {
		return nil, err
	}
	n := int64(d.order.Uint16(b))
	if d.big {
		n = int64(d.order.Uint64(b))
	}
	if n < 1 || n > maxEntries {
		return nil, fmt.Errorf("a directory of %d entries", n)
	}
	if b, err = in.bytes(at+countSize, n*entrySize); err != nil {
		return nil, err
	}
	for ; len(b) > 0; b = b[entrySize:] {
		e := ifdEntry{kind: int(d.order.Uint16(b[2:])), n: int64(d.order.Uint32(b[4:])), value: b[8:12]}
		if d.big {
			e.n, e.value = int64(d.order.Uint64(b[4:])), b[12:20]
		}
		d.entries[int(d.order.Uint16(b))] = e
	}
	return d, nil
}

// bytes returns the values of a tag, at most limit of them, as they are stored, and
// the size of one; nil if there are none.
func (d *ifd) bytes(tag int, limit int64) (b []byte, size int64) {
	e, ok := d.entries[tag]
	if !ok || e.n < 1 {
		return nil, 0
	}
	switch e.kind {
	case 1, 2, 7: // BYTE, ASCII, UNDEFINED
		size = 1
	case 3: // SHORT
		size = 2
	case 4, 13: // LONG, IFD
		size = 4
	case 16, 18: // LONG8, IFD8
		size = 8
	default:
		return nil, 0
	}
	n := min(e.n, limit)
	if e.n <= int64(len(e.value))/size {
		return e.value[:n*size], size
	}
	at := int64(d.order.Uint32(e.value))
	if d.big {
		at = int64(d.order.Uint64(e.value))
	}
	if n > d.in.size/size {
		return nil, 0
	}
	b, err := d.in.bytes(at, n*size)
	if err != nil {
		return nil, 0
	}
	return b, size
}

// ints returns at most limit whole numbers; nil if the tag has none that can be read.
func (d *ifd) ints(tag int, limit int64) []int {
	b, size := d.bytes(tag, limit)
	if size == 0 {
		return nil
	}
	v := make([]int, 0, len(b)/int(size))
	for ; len(b) > 0; b = b[size:] {
		x := uint64(b[0])
		switch size {
		case 2:
			x = uint64(d.order.Uint16(b))
		case 4:
			x = uint64(d.order.Uint32(b))
		case 8:
			x = d.order.Uint64(b)
		}
		if x > 1<<62 {
			return nil
		}
		v = append(v, int(min(x, math.MaxInt))) // on 32 bits what is larger is too large in any case
	}
	return v
}

// int returns the first number of a tag, or a default.
func (d *ifd) int(tag, otherwise int) int {
	if v := d.ints(tag, 1); len(v) == 1 {
		return v[0]
	}
	return otherwise
}
