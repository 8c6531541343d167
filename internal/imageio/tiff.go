package imageio

import (
	"errors"
	"fmt"
	"image"
	"math"
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
	return Header{Width: t.w, Height: t.h, Grey: grey, orientation: t.orientation(), each: t.each(), Clear: t.alpha != 0}, t.decode, nil
}

// each is what decoding takes a pixel: the picture, and a strip or tile, which may be all of it, while its buffer grows.
func (t *tiffFile) each() int {
	block := 3 * ((t.blockSamples()*t.bits + 7) / 8)
	if t.compression == compressJPEG {
		block = 3 + 4 + 4*t.samples
	}
	return 4 + block
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
					p[slot] = uint8(float64(t.float(row, i)*scale) + roundFor(scale))
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
