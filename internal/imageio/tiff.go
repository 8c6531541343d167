package imageio

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"math/bits"

	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

func headerTIFF(in *input) (Header, decodePixels, error) {
	t, err := readTIFF(in)
	if err != nil {
		return Header{}, nil, err
	}
	grey := t.colours == 1 && t.alpha == 0
	for i := range len(t.palette) / 3 {
		n := len(t.palette) / 3
		grey = grey && t.palette[i]>>8 == t.palette[n+i]>>8 && t.palette[i]>>8 == t.palette[2*n+i]>>8
	}
	return Header{Width: t.w, Height: t.h, Grey: grey, orientation: t.orientation()}, t.decode, nil
}

// decode writes the samples of every pixel into the four bytes that become its
// colours, alpha last; pixels of one sample and no palette into one byte.
func (t *tiffFile) decode() (image.Image, error) {
	if err := t.layBlocks(); err != nil {
		return nil, err
	}
	scale := 1.0
	if t.format == formatFloat {
		var err error
		if scale, err = t.floatScale(); err != nil {
			return nil, err
		}
	}
	if t.colours == 1 && t.alpha == 0 && t.photometric != photoMap {
		out := image.NewGray(image.Rect(0, 0, t.w, t.h))
		if err := t.blocks(t.writer(out.Pix, 1, scale)); err != nil {
			return nil, err
		}
		if t.photometric == whiteIsZero {
			for i := range out.Pix {
				out.Pix[i] = ^out.Pix[i]
			}
		}
		return out, nil
	}
	out := image.NewNRGBA(image.Rect(0, 0, t.w, t.h))
	if err := t.blocks(t.writer(out.Pix, 4, scale)); err != nil {
		return nil, err
	}
	t.colour(out.Pix)
	return out, nil
}

// colour makes R, G, B, A of the samples in pix.
func (t *tiffFile) colour(pix []uint8) {
	for i := 0; i < len(pix); i += 4 {
		p := pix[i : i+4 : i+4]
		switch t.photometric {
		case whiteIsZero, blackIsZero:
			if t.photometric == whiteIsZero {
				p[0] = ^p[0]
			}
			p[1], p[2] = p[0], p[0]
		case photoMap:
			n := len(t.palette) / 3
			v := int(p[0])
			p[0], p[1], p[2] = uint8(t.palette[v]>>8), uint8(t.palette[n+v]>>8), uint8(t.palette[2*n+v]>>8)
		case photoInk:
			inkToRGB(p)
		case photoYCbCr:
			if t.compression != compressJPEG {
				p[0], p[1], p[2] = rgb(p[0], p[1], p[2])
			}
		}
		switch {
		case t.photometric == photoInk:
		case t.alpha == 0:
			p[3] = 255
		case t.premultiplied && p[3] > 0:
			for k := range 3 {
				p[k] = uint8(min(int(p[k])*255/int(p[3]), 255)) // rounded down, as by PIL
			}
		}
	}
}

// slot is the byte of a pixel for sample s, -1 if it is not wanted.
func (t *tiffFile) slot(s int) int {
	switch {
	case s < t.colours:
		return s
	case s == t.alpha:
		return 3
	}
	return -1
}

// A rowSink takes a row of a block: samples of pixels x0.. of row y, of which the
// first is sample number first of the pixel. bits is the width of the samples.
type rowSink func(row []byte, x0, y, first, bits int) error

// writer returns a rowSink that writes into pix, of n bytes a pixel.
func (t *tiffFile) writer(pix []uint8, n int, scale float64) rowSink {
	k := t.blockSamples()
	return func(row []byte, x0, y, first, width int) error {
		shift, top := max(width-8, 0), 1<<min(width, 8)-1
		for x := range min(t.blockW, t.w-x0) {
			p := pix[(y*t.w+x0+x)*n:][:n]
			for s := range k {
				slot := t.slot(first + s)
				if slot < 0 {
					continue
				}
				i := x*k + s
				switch {
				case t.format == formatFloat:
					p[slot] = uint8(t.float(row, i)*scale + roundFor(scale))
				case t.photometric == photoMap:
					p[slot] = uint8(t.sample(row, i, width))
				default:
					p[slot] = uint8(t.sample(row, i, width) >> shift * 255 / top)
				}
			}
		}
		return nil
	}
}

// sample is whole number i of a row.
func (t *tiffFile) sample(row []byte, i, width int) int {
	switch width {
	case 8:
		return int(row[i])
	case 16:
		return int(t.order.Uint16(row[2*i:]))
	}
	v := 0
	for b := i * width; b < (i+1)*width; b++ {
		v = v<<1 | int(row[b/8]>>(7-b%8)&1)
	}
	return v
}

// float is floating-point number i of a row.
func (t *tiffFile) float(row []byte, i int) float64 {
	if t.bits == 64 {
		return math.Float64frombits(t.order.Uint64(row[8*i:]))
	}
	return float64(math.Float32frombits(t.order.Uint32(row[4*i:])))
}

// roundFor makes numbers of 0..1 the nearest grey level; those of 0..255 lose their
// fraction, as with PIL.
func roundFor(scale float64) float64 {
	if scale == 255 {
		return 0.5
	}
	return 0
}

// floatScale reads all numbers and returns what makes them 0..255.
func (t *tiffFile) floatScale() (float64, error) {
	low, high := math.Inf(1), math.Inf(-1)
	k := t.blockSamples()
	err := t.blocks(func(row []byte, x0, y, first, _ int) error {
		for x := range min(t.blockW, t.w-x0) {
			for s := range k {
				if t.slot(first+s) < 0 {
					continue
				}
				v := t.float(row, x*k+s)
				if v != v {
					return errors.New("pixel is not a number")
				}
				low, high = min(low, v), max(high, v)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, err
	case low < 0 || high > 255:
		return 0, unsupported(fmt.Sprintf("TIFF with floats from %.4g to %.4g, not within 0 to 1 or 0 to 255,", low, high))
	case high <= 1:
		return 255, nil
	}
	return 1, nil
}

// blocks decodes every strip or tile and hands its rows to sink.
func (t *tiffFile) blocks(sink rowSink) error {
	per := t.across * t.down
	for i := range t.offsets {
		x0, y0 := i%per%t.across*t.blockW, i%per/t.across*t.blockH
		if i/per >= t.samples || t.planar && t.slot(i/per) < 0 {
			continue
		}
		if err := t.block(i, x0, y0, i/per, sink); err != nil {
			return err
		}
	}
	return nil
}

// block decodes strip or tile i, whose first pixel is x0, y0 and first sample first.
func (t *tiffFile) block(i, x0, y0, first int, sink rowSink) error {
	at, n := int64(t.offsets[i]), int64(t.counts[i])
	if at > t.in.size || n > t.in.size-at {
		return errShort(i)
	}
	rows := t.blockRows(i)
	if t.compression == compressJPEG {
		return t.jpegBlock(i, x0, y0, sink)
	}
	data, err := t.unpack(at, n, rows)
	if err != nil {
		return err
	}
	stride := t.rowBytes()
	want := min(rows, t.h-y0)
	if len(data) < want*stride {
		return errShort(i)
	}
	for y := range want {
		row := data[y*stride:][:stride]
		row = t.unpredict(row)
		if err := sink(row, x0, y0+y, first, t.bits); err != nil {
			return err
		}
	}
	return nil
}

// unpack undoes the compression of n bytes at at; no more than rows are made.
func (t *tiffFile) unpack(at, n int64, rows int) ([]byte, error) {
	limit := int64(t.rowBytes()) * int64(rows)
	src := io.Reader(t.in.section(at, n))
	fax := t.compression == compressGroup3 || t.compression == compressGroup4
	fill := t.int(tagFillOrder, 1)
	if fill == 2 && !fax {
		src = reverser{src}
	}
	switch t.compression {
	case compressGroup3, compressGroup4:
		order, kind := ccitt.MSB, ccitt.Group4
		if fill == 2 {
			order = ccitt.LSB
		}
		if t.compression == compressGroup3 {
			kind = ccitt.Group3
		}
		// A run of white is written as zeros, whatever the picture means by them.
		src = ccitt.NewReader(src, order, kind, t.blockW, rows, &ccitt.Options{Invert: true})
	case compressLZW:
		z := lzw.NewReader(src, lzw.MSB, 8)
		defer z.Close()
		src = z
	case compressDeflate, compressOldZip:
		z, err := zlib.NewReader(src)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		src = z
	case compressPack:
		data, err := io.ReadAll(src)
		if err != nil {
			return nil, err
		}
		src = bytes.NewReader(unpackBits(data, limit))
	}
	// The buffer grows with what is there, not with what is claimed.
	data, err := io.ReadAll(io.LimitReader(src, limit))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return data, nil
}

// reverser reads bytes whose lowest bit comes first.
type reverser struct{ io.Reader }

func (r reverser) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	for i, b := range p[:n] {
		p[i] = bits.Reverse8(b)
	}
	return n, err
}

// unpackBits undoes PackBits (section 9); what is cut off is missing at the end.
func unpackBits(src []byte, limit int64) []byte {
	var out []byte
	for len(src) > 1 && int64(len(out)) < limit {
		n := int(int8(src[0]))
		switch {
		case n >= 0:
			n = min(n+1, len(src)-1)
			out = append(out, src[1:1+n]...)
			src = src[1+n:]
		case n == -128:
			src = src[1:]
		default:
			out = append(out, bytes.Repeat(src[1:2], 1-n)...)
			src = src[2:]
		}
	}
	return out
}

// unpredict undoes the predictor of a row: differences between pixels (section 14),
// for floats between bytes, the upper bytes of all numbers first (Technical Note 3);
// the order of the file is then little-endian.
func (t *tiffFile) unpredict(row []byte) []byte {
	k, size := t.blockSamples(), t.bits/8
	switch {
	case t.predictor == 2 && size == 1:
		for i := k; i < len(row); i++ {
			row[i] += row[i-k]
		}
	case t.predictor == 2 && size == 2:
		for i := 2 * k; i+2 <= len(row); i += 2 {
			t.order.PutUint16(row[i:], t.order.Uint16(row[i:])+t.order.Uint16(row[i-2*k:]))
		}
	case t.predictor == 2 && size == 4:
		for i := 4 * k; i+4 <= len(row); i += 4 {
			t.order.PutUint32(row[i:], t.order.Uint32(row[i:])+t.order.Uint32(row[i-4*k:]))
		}
	case t.predictor == 2 && size == 8:
		for i := 8 * k; i+8 <= len(row); i += 8 {
			t.order.PutUint64(row[i:], t.order.Uint64(row[i:])+t.order.Uint64(row[i-8*k:]))
		}
	case t.predictor == 3:
		for i := k; i < len(row); i++ {
			row[i] += row[i-k]
		}
		n := len(row) / size
		out := make([]byte, len(row))
		for i := range n {
			for b := range size {
				out[i*size+size-1-b] = row[b*n+i]
			}
		}
		return out
	}
	return row
}

// jpegBlock decodes a strip or tile that is a JPEG without its tables (Technical
// Note 2), whose colours are what the TIFF says, not what the JPEG may.
func (t *tiffFile) jpegBlock(i, x0, y0 int, sink rowSink) error {
	at, n := int64(t.offsets[i]), int64(t.counts[i])
	data, err := t.in.bytes(at, n)
	if err != nil {
		return err
	}
	head := func(b []byte) (*jpegHead, error) {
		return readJPEGHead(&input{r: bytes.NewReader(b), size: int64(len(b))})
	}
	j, err := head(data)
	if err == nil {
		err = j.check()
	}
	if err != nil {
		return err
	}
	want := min(t.blockRows(i), t.h-y0)
	if j.n != t.samples || j.w != t.blockW || j.h < want || j.h > t.blockH {
		return fmt.Errorf("strip or tile %d is a JPEG of %dx%dx%d, want %dx%dx%d", i, j.w, j.h, j.n, t.blockW, t.blockRows(i), t.samples)
	}
	tables := j.tables
	if t.jpegTables != nil {
		common, err := head(t.jpegTables)
		if err != nil {
			return err
		}
		tables = append(bytes.Clone(common.tables), tables...)
	}
	colours := []inks{greyInk, greyInk, greyInk, rgbInks, cmykInks}[j.n]
	if t.photometric == photoYCbCr {
		colours = yccInks
	}
	img, err := decodeJPEG(j.n, colours, tables, bytes.NewReader(data[j.scan:]))
	if err != nil {
		return err
	}
	for y := range want {
		row := make([]byte, 0, t.blockW*t.samples)
		switch m := img.(type) {
		case *image.Gray:
			row = append(row, m.Pix[y*m.Stride:][:t.blockW]...)
		case *image.NRGBA:
			for x := range t.blockW {
				row = append(row, m.Pix[y*m.Stride+4*x:][:t.samples]...)
			}
		}
		if err := sink(row, x0, y0+y, 0, 8); err != nil {
			return err
		}
	}
	return nil
}
