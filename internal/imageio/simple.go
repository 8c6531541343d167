package imageio

import (
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"slices"

	"golang.org/x/image/bmp"
)

// greyModel reports whether pictures of this model are grey: of one channel, or with
// a palette of nothing but greys.
func greyModel(m color.Model) bool {
	if m == color.GrayModel || m == color.Gray16Model {
		return true
	}
	p, ok := m.(color.Palette)
	return ok && !slices.ContainsFunc(p, func(c color.Color) bool {
		r, g, b, _ := c.RGBA()
		return r != g || g != b
	})
}

func headerPNG(in *input) (Header, decodePixels, error) {
	if len(in.head) >= 16 && string(in.head[12:16]) == "CgBI" {
		return Header{}, nil, unsupported("PNG as Xcode writes it for apps (CgBI)")
	}
	c, err := png.DecodeConfig(in.all())
	if err != nil {
		return Header{}, nil, err
	}
	h := Header{Width: c.Width, Height: c.Height, Grey: greyModel(c.ColorModel), orientation: orientationPNG(in), each: eachPNG(in.head), Clear: clearPNG(in)}
	return h, func() (image.Image, error) { return png.Decode(in.all()) }, nil
}

// eachPNG is what decoding takes a pixel: what image/png makes of it, for an interlaced picture half of that again, and
// the picture of 8 bits if that is another. Grey may have a transparent shade, which makes colours of it.
func eachPNG(head []byte) int {
	const (
		depth, kind, interlaced = 24, 25, 28 // bytes of the file, in the header chunk
		palette                 = 3
	)
	if len(head) <= interlaced {
		return 18
	}
	each := 4
	switch {
	case head[depth] == 16:
		each = 8
	case head[kind] == palette:
		each = 1
	}
	whole := each
	if head[interlaced] != 0 {
		whole += (each + 1) / 2
	}
	if each != 4 {
		whole += 4
	}
	return whole
}

// clearPNG reports whether a PNG has an alpha channel, or names colours that are transparent.
func clearPNG(in *input) bool {
	const kind, grey, colours = 25, 4, 6
	if len(in.head) <= kind || in.head[kind] == grey || in.head[kind] == colours {
		return true
	}
	for off := int64(len(signature)); ; {
		b, err := in.bytes(off, 8)
		switch {
		case err != nil || string(b[4:]) == "tRNS":
			return true
		case string(b[4:]) == "IDAT":
			return false
		}
		off += 12 + int64(binary.BigEndian.Uint32(b))
	}
}

// headerGIF gives the whole canvas; what the first frame leaves of it is transparent.
func headerGIF(in *input) (Header, decodePixels, error) {
	c, err := gif.DecodeConfig(in.all())
	if err != nil {
		return Header{}, nil, err
	}
	return Header{Width: c.Width, Height: c.Height, Grey: greyModel(c.ColorModel), each: 2 + 4, Clear: true}, func() (image.Image, error) {
		frame, err := gif.Decode(in.all())
		if err != nil {
			return nil, err
		}
		canvas := image.NewNRGBA(image.Rect(0, 0, c.Width, c.Height))
		draw.Draw(canvas, frame.Bounds(), frame, frame.Bounds().Min, draw.Src)
		return canvas, nil
	}, nil
}

func headerBMP(in *input) (Header, decodePixels, error) {
	c, err := bmp.DecodeConfig(in.all())
	if errors.Is(err, bmp.ErrUnsupported) {
		return Header{}, nil, bmpKind(in, err)
	}
	if err != nil {
		return Header{}, nil, err
	}
	h := Header{Width: c.Width, Height: c.Height, Grey: greyModel(c.ColorModel), each: 4, Clear: c.ColorModel == color.NRGBAModel}
	if _, ok := c.ColorModel.(color.Palette); ok {
		h.each = 1 + 4
	}
	return h, func() (image.Image, error) { return bmp.Decode(in.all()) }, nil
}

// bmpKind says what about a BMP is not supported, if that can be told.
func bmpKind(in *input, err error) error {
	b, e := in.bytes(0, 34)
	if e != nil {
		return err
	}
	switch compression, bits := b[30], b[28]; {
	case compression == 1 || compression == 2:
		return unsupported("BMP with run-length compression")
	case compression == 3 || compression == 6:
		return unsupported("BMP with colour masks")
	case bits == 16:
		return unsupported("BMP of 16 bits")
	}
	return err
}
