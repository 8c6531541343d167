package imageio

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"image"
	"io"
	"math/bits"

	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

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
