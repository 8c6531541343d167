package imageio

import (
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
	h := Header{Width: c.Width, Height: c.Height, Grey: greyModel(c.ColorModel), orientation: orientationPNG(in)}
	return h, func() (image.Image, error) { return png.Decode(in.all()) }, nil
}

// headerGIF gives the whole canvas; what the first frame leaves of it is transparent.
func headerGIF(in *input) (Header, decodePixels, error) {
	c, err := gif.DecodeConfig(in.all())
	if err != nil {
		return Header{}, nil, err
	}
	return Header{Width: c.Width, Height: c.Height, Grey: greyModel(c.ColorModel)}, func() (image.Image, error) {
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
	h := Header{Width: c.Width, Height: c.Height, Grey: greyModel(c.ColorModel)}
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
