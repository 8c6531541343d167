package main

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/campaign"
)

// side is the side of the largest pictures: 3.6 billion pixels.
const side = 60000

// ofPictures are the commands that take a picture.
var ofPictures = each("classify --model cifar10 FILE", "gradcam --model cifar10 --out OUT FILE", "occlude --model cifar10 --out OUT FILE", "attribute --model cifar10 --out OUT FILE",
	"deconv --model cifar10 --out OUT FILE", "activations --model cifar10 --out OUT FILE", "explain --model cifar10 --out OUT FILE", "faithful --model cifar10 --out OUT FILE", "sanity --model cifar10 --out OUT FILE",
	"invariance --model cifar10 --out OUT FILE", "features --model cifar10 --out OUT/x.idx FILE")

// goodPNG writes a harmless picture.
func goodPNG(path string) error {
	return campaign.WritePNG(path, 40, 40, func(int) (r, g, b uint8) { return 0, 0, 0 })
}

func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func deflated(data []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

// pngOf is the beginning of a PNG of RGB with more chunks.
func pngOf(w, h uint32, more ...[]byte) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	return append(slices.Concat(append([][]byte{[]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 8, 2, 0, 0, 0))}, more...)...), chunk("IEND", nil)...)
}

// tiffOf is a TIFF of one byte of data, with entries of tag and value.
func tiffOf(entries ...[2]uint32) []byte {
	b := []byte("II\x2a\x00\x08\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
		b = binary.LittleEndian.AppendUint16(b, 4) // LONG
		b = binary.LittleEndian.AppendUint32(b, 1)
		b = binary.LittleEndian.AppendUint32(b, e[1])
	}
	return append(b, 0, 0, 0, 0, 1)
}

func riff(parts ...[]byte) []byte {
	all := append([]byte("WEBP"), slices.Concat(parts...)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(all))), all...)
}

func pictures() []bomb {
	u16 := func(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
	u32 := func(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
	large := func(name string, data ...[]byte) bomb { // a few bytes each
		return bomb{group: "pictures of 60,000 x 60,000", name: name, make: written(func() []byte { return slices.Concat(data...) }), takes: ofPictures, says: `60000x60000 pixels, want at most 100 million`}
	}
	frame := slices.Concat([]byte{0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0})
	head := []byte("GIF89a\x08\x00\x08\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff")
	return []bomb{
		large("large.png", pngOf(side, side, chunk("IDAT", deflated(make([]byte, 1000))))),
		large("large.jpg", []byte("\xff\xd8\xff\xc0\x00\x11\x08\xea\x60\xea\x60\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00\x00")),
		large("progressive.jpg", []byte("\xff\xd8\xff\xc2\x00\x11\x08\xea\x60\xea\x60\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x00\x00\x00")),
		large("large.gif", []byte("GIF89a"), u16(side), u16(side), []byte("\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00"), u16(side), u16(side), []byte("\x00\x02\x02D\x01\x00;")),
		large("large.bmp", []byte("BM"), u32(100), u32(0), u32(54), u32(40), u32(side), u32(side), u16(1), u16(24), make([]byte, 24), make([]byte, 100)),
		large("large.tif", tiffOf([2]uint32{256, side}, [2]uint32{257, side}, [2]uint32{258, 8}, [2]uint32{259, 1}, [2]uint32{262, 1}, [2]uint32{273, 8}, [2]uint32{278, side}, [2]uint32{279, 1})),
		large("large.webp", riff([]byte("VP8X\x0a\x00\x00\x00\x00\x00\x00\x00"), u32(side - 1)[:3], u32(side - 1)[:3], []byte("VP8L\x06\x00\x00\x00\x2f\x00\x00\x00\x00\x00"))),
		{group: "other pictures", name: "tiles.tif", make: written(func() []byte {
			return tiffOf([2]uint32{256, 10}, [2]uint32{257, 10}, [2]uint32{258, 8}, [2]uint32{262, 1}, [2]uint32{322, 1 << 30}, [2]uint32{323, 1 << 30}, [2]uint32{324, 8}, [2]uint32{325, 1})
		}), takes: ofPictures, says: `tiles of 1073741824x1073741824 pixels`},
		{group: "other pictures", name: "frames.gif", make: written(func() []byte { return append(slices.Clone(head), bytes.Repeat(frame, 3<<20)...) }), takes: each("classify --model cifar10 FILE")},
		{group: "other pictures", name: "comments.gif", make: written(func() []byte {
			return append(slices.Clone(head), bytes.Repeat([]byte("\x21\xfe\x01x\x00"), 4<<20)...)
		}), takes: ofPictures, says: `broken gif: `},
		{group: "other pictures", name: "texts.png", make: written(func() []byte {
			texts := chunk("zTXt", append([]byte("Comment\x00\x00"), deflated(make([]byte, 1<<20))...))
			return pngOf(8, 8, bytes.Repeat(texts, 2000), chunk("IDAT", deflated(make([]byte, 8*25))))
		}), takes: each("classify --model cifar10 FILE")},
		{group: "other pictures", name: "endless", make: linkTo("/dev/zero"), takes: each("classify --model cifar10 -"), stdin: true, says: `stdin: not an image`},
		{group: "other pictures", name: "pipe.png", make: pipe, takes: ofPictures, says: `not a plain file`},
		{group: "other pictures", name: "zero.png", make: linkTo("/dev/zero"), takes: ofPictures, says: `not a plain file`},
		{group: "other pictures", name: "scans.jpg", make: written(func() []byte { return scans(20_000) }), takes: ofPictures, says: `scans, want at most`},
		{group: "other pictures", name: "fill.jpg", make: written(func() []byte {
			return append(bytes.Repeat([]byte{0xff}, 20<<20), "\xd8"...)
		}), takes: ofPictures, says: `not an image`},
		{group: "other pictures", name: "behind.jpg", make: written(func() []byte {
			return append([]byte("\xff\xd8"), bytes.Repeat([]byte{0xff}, 20<<20)...)
		}), takes: ofPictures, says: `before markers`},
		{group: "other pictures", name: "comments.jpg", make: written(func() []byte {
			return append([]byte("\xff\xd8"), bytes.Repeat([]byte("\xff\xfe\x00\x02"), 2<<20)...)
		}), takes: ofPictures, says: `broken jpeg`},
		{group: "other pictures", name: strings.Repeat("n", 200) + "\x1b[31m\n.png", make: written(func() []byte { return pngOf(side, side) }), takes: ofPictures, says: `want at most 100 million`},
	}
}

// scans is a progressive JPEG of 4000 x 4000 grey pixels whose scans all say that nothing changes.
func scans(n int) []byte {
	b := []byte("\xff\xd8\xff\xdb\x00\x43\x00" + strings.Repeat("\x01", 64) + "\xff\xc2\x00\x0b\x08\x0f\xa0\x0f\xa0\x01\x01\x11\x00")
	// A table of codes: 0 is the end of a run of 2^14 blocks.
	b = append(b, "\xff\xc4\x00\x14\x10\x01"+strings.Repeat("\x00", 15)+"\xe0"...)
	scan := append([]byte("\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00"), make([]byte, 32)...)
	return append(append(b, bytes.Repeat(scan, n)...), 0xff, 0xd9)
}
