package imageio

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What photometric interpretations, sample formats and compressions are called.
const (
	whiteIsZero = 0
	blackIsZero = 1
	photoRGB    = 2
	photoMap    = 3
	photoInk    = 5
	photoYCbCr  = 6

	formatUint  = 1
	formatFloat = 3

	compressNone    = 1
	compressGroup3  = 3
	compressGroup4  = 4
	compressLZW     = 5
	compressJPEG    = 7
	compressDeflate = 8
	compressOldZip  = 32946
	compressPack    = 32773
)

// tiffFile is a picture in a TIFF file: which pixels there are and where.
type tiffFile struct {
	*ifd
	w, h           int
	photometric    int
	compression    int
	predictor      int
	bits, format   int // of every sample
	samples        int // a pixel
	colours        int // samples that are colour
	alpha          int // which sample is alpha; 0 if none
	premultiplied  bool
	planar, tiled  bool
	blockW, blockH int
	across, down   int // blocks (strips or tiles) of the picture, or of each plane
	offsets        []int
	counts         []int
	palette        []int
	jpegTables     []byte
}

func readTIFF(in *input) (*tiffFile, error) {
	d, err := readIFD(in)
	if err != nil {
		return nil, err
	}
	t := &tiffFile{
		ifd: d, w: d.int(tagWidth, 0), h: d.int(tagHeight, 0),
		photometric: d.int(tagPhotometric, -1), compression: d.int(tagCompression, compressNone), predictor: d.int(tagPredictor, 1),
		bits: d.int(tagBits, 1), format: d.int(tagFormat, formatUint), samples: d.int(tagSamples, 1), planar: d.int(tagPlanar, 1) == 2,
	}
	if t.w < 1 || t.h < 1 || t.w > MaxPixels || t.h > MaxPixels {
		return t, nil // the caller refuses the size
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	if t.photometric == photoMap {
		if t.palette = d.ints(tagColorMap, 3*256+1); len(t.palette) != 3<<t.bits {
			return nil, fmt.Errorf("a palette of %d numbers, want %d", len(t.palette), 3<<t.bits)
		}
	}
	return t, nil
}

// check refuses by name what is not decoded.
func (t *tiffFile) check() error {
	no := func(what string, a ...any) error { return unsupported("TIFF with " + fmt.Sprintf(what, a...)) }
	if t.entries[tagDNGVersion].n > 0 || t.photometric == 32803 || t.photometric == 34892 || t.int(tagSubfile, 0)&1 == 1 && t.entries[tagSubIFDs].n > 0 {
		return unsupported("camera raw (a TIFF of sensor values)")
	}
	for _, tag := range []int{tagBits, tagFormat} {
		for _, v := range t.ints(tag, 16) {
			if want := map[int]int{tagBits: t.bits, tagFormat: t.format}[tag]; v != want {
				return no("channels of different kinds")
			}
		}
	}
	switch t.photometric {
	case whiteIsZero, blackIsZero, photoMap:
		t.colours = 1
	case photoRGB, photoYCbCr:
		t.colours = 3
	case photoInk:
		t.colours = 4
		if t.int(tagInkSet, 1) != 1 {
			return no("inks other than CMYK")
		}
	case -1:
		return errors.New("no photometric interpretation")
	default:
		return no("%s", colourSpace(t.photometric))
	}
	if t.samples < t.colours || t.samples > 64 {
		return fmt.Errorf("pixels of %d samples, want at least %d", t.samples, t.colours)
	}
	for i, v := range t.ints(tagExtra, 16) {
		if (v == 1 || v == 2) && t.alpha == 0 && t.colours+i < t.samples && t.photometric != photoInk {
			t.alpha, t.premultiplied = t.colours+i, v == 1
		}
	}
	if err := t.checkCoding(no); err != nil {
		return err
	}
	switch {
	case t.format == formatUint && t.bits >= 1 && t.bits <= 16:
	case t.format == formatFloat && (t.bits == 32 || t.bits == 64) && t.photometric != photoMap:
	case t.format == formatUint:
		return no("%d-bit whole numbers", t.bits)
	case t.format == formatFloat:
		return no("%d-bit floats", t.bits)
	case t.format == 2:
		return no("signed numbers")
	default:
		return no("sample format %d", t.format)
	}
	if t.photometric == photoMap && t.bits > 8 {
		return no("a palette of %d bits", t.bits)
	}
	return nil
}

// checkCoding is check for compression, predictor and what goes with them. A
// predictor without LZW or Deflate is ignored, as by libtiff.
func (t *tiffFile) checkCoding(no func(string, ...any) error) error {
	switch t.compression {
	case compressNone, compressLZW, compressDeflate, compressOldZip, compressPack:
		if v := t.ints(tagSubsampling, 2); t.photometric == photoYCbCr && (len(v) < 2 || v[0] != 1 || v[1] != 1) {
			return no("subsampled YCbCr that is not compressed as JPEG")
		}
	case compressGroup3, compressGroup4:
		if t.bits != 1 || t.samples != 1 {
			return errors.New("fax compression of pixels of more than 1 bit")
		}
		if t.compression == compressGroup3 && t.int(tagT4, 0)&1 == 1 {
			return no("two-dimensional fax compression (group 3)")
		}
		if t.compression == compressGroup3 && t.int(tagT4, 0)&4 != 0 {
			return no("fax compression filled up to whole bytes (group 3)")
		}
	case compressJPEG:
		if t.bits != 8 || t.format != formatUint {
			return no("JPEG compression of %d bits", t.bits)
		}
		if t.planar && t.samples > 1 {
			return no("JPEG compression of separate planes")
		}
		if t.samples > 4 || t.samples == 2 {
			return no("JPEG compression of %d channels", t.samples)
		}
		return nil
	default:
		return no("%s", compressionName(t.compression))
	}
	switch {
	case t.compression == compressNone, t.compression == compressPack, t.predictor == 1:
		t.predictor = 1
	case t.predictor == 2 && (t.bits == 8 || t.bits == 16 || t.bits == 32 || t.bits == 64):
	case t.predictor == 3 && t.format == formatFloat && t.order != binary.BigEndian: // writers differ on that order
	case t.predictor == 2 || t.predictor == 3:
		return no("a predictor for %d bits", t.bits)
	default:
		return no("predictor %d", t.predictor)
	}
	return nil
}

func colourSpace(photometric int) string {
	switch photometric {
	case 4:
		return "a transparency mask"
	case 8, 9, 10:
		return "colours in CIE L*a*b*"
	case 32844, 32845:
		return "colours in LogLuv"
	}
	return fmt.Sprintf("photometric interpretation %d", photometric)
}

func compressionName(c int) string {
	name := map[int]string{2: "fax (CCITT modified Huffman)", 6: "old-style JPEG", 32809: "ThunderScan", 34661: "JBIG", 34676: "SGI Log",
		34677: "SGI Log", 34712: "JPEG 2000", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}[c]
	if name == "" {
		return fmt.Sprintf("compression %d", c)
	}
	return name + " compression"
}

// layBlocks finds strips or tiles.
func (t *tiffFile) layBlocks() error {
	t.blockW, t.blockH = t.w, min(max(t.int(tagRowsPerStrip, t.h), 1), t.h)
	offsets, counts := tagStripOffsets, tagStripCounts
	if t.tiled = t.entries[tagTileWidth].n > 0; t.tiled {
		t.blockW, t.blockH = t.int(tagTileWidth, 0), t.int(tagTileHeight, 0)
		offsets, counts = tagTileOffsets, tagTileCounts
		// A tile may stand over the picture, but not by much.
		if t.blockW < 1 || t.blockH < 1 || t.blockW > max(t.w, 1024)+16 || t.blockH > max(t.h, 1024)+16 {
			return fmt.Errorf("tiles of %dx%d pixels in a picture of %dx%d", t.blockW, t.blockH, t.w, t.h)
		}
	}
	if bits := int64(t.blockW) * int64(t.blockSamples()) * int64(t.bits); bits/8 > maxBlock/int64(t.blockH) {
		return unsupported(fmt.Sprintf("TIFF with strips or tiles of more than %d MiB", maxBlock>>20))
	}
	t.across, t.down = (t.w+t.blockW-1)/t.blockW, (t.h+t.blockH-1)/t.blockH
	n := t.across * t.down
	if t.planar {
		if int64(n) > t.in.size {
			return fmt.Errorf("%d strips or tiles in %d bytes", n, t.in.size)
		}
		n *= t.samples
	}
	t.offsets, t.counts = t.ints(offsets, int64(n)), t.ints(counts, int64(n))
	if len(t.offsets) < n {
		return fmt.Errorf("places of %d strips or tiles, want %d", len(t.offsets), n)
	}
	if t.counts == nil && (t.compression == compressNone || n == 1) { // some old programs do not say
		for i, at := range t.offsets {
			left := max(t.in.size-int64(at), 0)
			if t.compression == compressNone {
				left = min(left, int64(t.rowBytes())*int64(t.blockRows(i)))
			}
			t.counts = append(t.counts, int(left))
		}
	}
	if len(t.counts) < n {
		return fmt.Errorf("sizes of %d strips or tiles, want %d", len(t.counts), n)
	}
	t.jpegTables, _ = t.ifd.bytes(tagJPEGTables, 1<<20)
	for i, at := range t.offsets { // before memory is taken for the pixels
		least := 1
		if t.compression == compressNone {
			least = t.rowBytes() * min(t.blockRows(i), t.h-i%(t.across*t.down)/t.across*t.blockH)
		}
		if t.counts[i] < least || int64(at) > t.in.size || int64(t.counts[i]) > t.in.size-int64(at) {
			return errShort(i)
		}
	}
	return nil
}

// maxBlock bounds the bytes of a strip or tile, which is held in memory.
const maxBlock = 1 << 30

// blockSamples is the number of samples a pixel that a block holds.
func (t *tiffFile) blockSamples() int {
	if t.planar {
		return 1
	}
	return t.samples
}

// rowBytes is the size of a row of a block; layBlocks has made sure that it fits.
func (t *tiffFile) rowBytes() int {
	return int((int64(t.blockW)*int64(t.blockSamples())*int64(t.bits) + 7) / 8)
}

// blockRows is the number of rows stored in block i: the last strip may be short.
func (t *tiffFile) blockRows(i int) int {
	if t.tiled {
		return t.blockH
	}
	return min(t.blockH, t.h-i%t.down*t.blockH)
}

// errShort is the error of a strip or tile with less data than pixels.
func errShort(i int) error { return fmt.Errorf("strip or tile %d ends early", i) }
