package imageio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/draw"
	"io"

	"golang.org/x/image/webp"
)

// webpFrame is one picture in a WebP file: lossy (VP8) or lossless (VP8L) data, and
// for lossy data perhaps transparency.
type webpFrame struct {
	x, y, w, h  int
	lossless    bool
	data, alpha []int64 // offset and length; nil if there is none
}

// webpFile is what the chunks of a WebP file say (RFC 9649, section 2).
type webpFile struct {
	w, h     int // of the canvas
	extended bool
	alpha    bool // the canvas may be transparent
	frame    *webpFrame
	exif     []byte
}

func headerWebP(in *input) (Header, decodePixels, error) {
	f := &webpFile{}
	if err := f.chunks(in, 12, in.size, &webpFrame{}, false); err != nil {
		return Header{}, nil, err
	}
	p := f.frame
	if p == nil {
		return Header{}, nil, io.ErrUnexpectedEOF
	}
	if !f.extended {
		f.w, f.h, f.alpha = p.w, p.h, true
	}
	if p.x+p.w > f.w || p.y+p.h > f.h {
		return Header{}, nil, errors.New("the frame is larger than the canvas")
	}
	each := 2 + 4 + 4 // luma and chroma, the picture, the canvas
	if p.lossless || p.alpha != nil {
		each += 8 // the packed pixels
	}
	return Header{Width: f.w, Height: f.h, orientation: orientationOf(f.exif), each: each, Clear: f.alpha}, func() (image.Image, error) { return f.pixels(in) }, nil
}

// chunks reads chunk after chunk from off to end into f; what makes up a frame goes
// into p. inside says that these are the chunks of a frame of an animation.
func (f *webpFile) chunks(in *input, off, end int64, p *webpFrame, inside bool) error {
	for off+8 <= end {
		b, err := in.bytes(off, 8)
		if err != nil {
			return err
		}
		kind, n := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:]))
		off += 8
		if n > end-off {
			if f.frame != nil { // the picture is whole
				return nil
			}
			return io.ErrUnexpectedEOF
		}
		switch kind {
		case "VP8X":
			if b, err = in.bytes(off, min(n, 10)); err != nil || len(b) < 10 || inside {
				return errors.New("header of the canvas is wrong")
			}
			f.extended, f.alpha = true, b[0]&0x10 != 0
			f.w, f.h = 1+uint24(b[4:]), 1+uint24(b[7:])
		case "ALPH":
			p.alpha = []int64{off, n}
		case "VP8 ", "VP8L":
			if f.frame != nil {
				break
			}
			if err := p.size(in, off, n, kind == "VP8L"); err != nil {
				return err
			}
			f.frame = p
			if inside {
				return nil
			}
		case "ANMF":
			if f.frame != nil || inside {
				break
			}
			if b, err = in.bytes(off, min(n, 16)); err != nil || len(b) < 16 {
				return errors.New("header of the first frame is wrong")
			}
			p = &webpFrame{x: 2 * uint24(b), y: 2 * uint24(b[3:])}
			if err := f.chunks(in, off+16, off+n, p, true); err != nil {
				return err
			}
			if f.frame == nil || p.w != 1+uint24(b[6:]) || p.h != 1+uint24(b[9:]) {
				return errors.New("first frame has another size than its header says")
			}
		case "EXIF":
			if n <= maxEXIF && f.exif == nil {
				if f.exif, err = in.bytes(off, n); err != nil {
					return err
				}
			}
		}
		off += n + n&1
	}
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// size reads the size of a frame from its data (RFC 6386, section 9.1; RFC 9649,
// section 3.4).
func (p *webpFrame) size(in *input, off, n int64, lossless bool) error {
	b, err := in.bytes(off, min(n, 10))
	if err != nil {
		return err
	}
	p.lossless, p.data = lossless, []int64{off, n}
	switch {
	case lossless && len(b) >= 5 && b[0] == 0x2f:
		v := binary.LittleEndian.Uint32(b[1:])
		p.w, p.h = 1+int(v&0x3fff), 1+int(v>>14&0x3fff)
	case !lossless && len(b) == 10 && string(b[3:6]) == "\x9d\x01\x2a":
		p.w, p.h = int(binary.LittleEndian.Uint16(b[6:])&0x3fff), int(binary.LittleEndian.Uint16(b[8:])&0x3fff)
	default:
		return errors.New("header of the picture is wrong")
	}
	if p.w == 0 || p.h == 0 { // the decoder would take what is one less than that for a size
		return errors.New("the picture has no pixels")
	}
	return nil
}

// pixels decodes the first frame onto the canvas. As in libwebp's own programs, what
// it leaves is transparent, and black if the file says that nothing is.
func (f *webpFile) pixels(in *input) (image.Image, error) {
	img, err := f.frame.decode(in)
	if err != nil {
		return nil, err
	}
	if p := f.frame; p.w != f.w || p.h != f.h {
		canvas := image.NewNRGBA(image.Rect(0, 0, f.w, f.h))
		draw.Draw(canvas, image.Rect(p.x, p.y, p.x+p.w, p.y+p.h), img, image.Point{}, draw.Src)
		img = canvas
	}
	if !f.alpha {
		for i := 3; i < len(img.Pix); i += 4 {
			img.Pix[i] = 255
		}
	}
	return img, nil
}

// decode gives the decoder a file of its own with nothing but the frame.
func (p *webpFrame) decode(in *input) (*image.NRGBA, error) {
	kind, head := "VP8 ", []byte{}
	parts := []io.Reader{nil}
	if p.lossless {
		kind = "VP8L"
	}
	add := func(kind string, part []int64) {
		b := binary.LittleEndian.AppendUint32([]byte(kind), uint32(part[1]))
		parts = append(parts, bytes.NewReader(b), in.section(part[0], part[1]), bytes.NewReader(make([]byte, part[1]&1)))
	}
	if p.alpha != nil && !p.lossless {
		head = append(head, "VP8X\x0a\x00\x00\x00\x10\x00\x00\x00"...)
		for _, n := range []int{p.w - 1, p.h - 1} {
			head = append(head, byte(n), byte(n>>8), byte(n>>16))
		}
		add("ALPH", p.alpha)
	}
	add(kind, p.data)
	parts[0] = bytes.NewReader(append([]byte("RIFF\xfe\xff\xff\xffWEBP"), head...))
	img, err := webp.Decode(io.MultiReader(parts...))
	if err != nil {
		return nil, err
	}
	switch m := img.(type) {
	case *image.YCbCr:
		return joinVideo(m, nil, 0), nil
	case *image.NYCbCrA:
		return joinVideo(&m.YCbCr, m.A, m.AStride), nil
	case *image.NRGBA:
		return m, nil
	}
	return nil, errors.New("lossless data of another kind")
}

// joinVideo makes pixels of VP8's luma of 16 to 235 and chroma at half the
// resolution, with libwebp's interpolation and numbers. alpha may be nil.
func joinVideo(m *image.YCbCr, alpha []uint8, alphaStride int) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	cb, cr := planeOf(m.Cb, m.CStride, w, h, 2, 2), planeOf(m.Cr, m.CStride, w, h, 2, 2)
	us, vs := make([]uint8, w), make([]uint8, w)
	for y := range h {
		cb.expandVideo(us, y)
		cr.expandVideo(vs, y)
		row, dst := m.Y[y*m.YStride:], out.Pix[y*out.Stride:]
		for x := range w {
			p := dst[4*x : 4*x+4 : 4*x+4]
			p[0], p[1], p[2] = video(row[x], us[x], vs[x])
			p[3] = 255
			if alpha != nil {
				p[3] = alpha[y*alphaStride+x]
			}
		}
	}
	return out
}

// expandVideo is expand in libwebp's way: of the four samples around a pixel the
// nearest counts 9 of 16, those beside and above or below it 3, the last 1, rounded
// in two steps.
func (p plane) expandVideo(dst []uint8, y int) {
	near, other := p.row(y/2), p.row(y/2-1+y%2*2)
	for x := range dst {
		i := x / 2
		k := min(max(i-1+x%2*2, 0), p.w-1)
		n := int(near[i])
		sum := n + 3*(int(near[k])+int(other[i])) + int(other[k])
		dst[x] = uint8(((sum+8)>>3 + n) >> 1)
	}
}

// video is the conversion of ITU-R BT.601 from video levels, in 14 binary digits of
// which 8 are dropped early, as libwebp does.
func video(y, u, v uint8) (r, g, b uint8) {
	part := func(x uint8, factor int) int { return int(x) * factor >> 8 }
	l := part(y, 19077)
	return clip((l + part(v, 26149) - 14234) >> 6), clip((l - part(u, 6419) - part(v, 13320) + 8708) >> 6), clip((l + part(u, 33050) - 17685) >> 6)
}
