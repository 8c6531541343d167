package render

import (
	"bytes"
	"hash/crc32"
	"image"
	"runtime"
	"testing"

	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// TestGlyphs draws all letters, figures and signs at every size of text, at two places within a pixel. Their bytes are the
// same on every processor; those of the rasteriser's own curves are on amd64.
func TestGlyphs(t *testing.T) {
	h := crc32.NewIEEE()
	for _, size := range []float64{titleSize, headSize, bodySize, tickSize, 1.6 * bodySize} {
		steady, err := newSteadyFace(regular(), size)
		if err != nil {
			t.Fatal(err)
		}
		other, err := opentype.NewFace(regular(), &opentype.FaceOptions{Size: size, DPI: 72})
		if err != nil {
			t.Fatal(err)
		}
		for r := rune(' '); r < 0x180; r++ {
			for k := range 16 {
				dot := fixed.Point26_6{X: fixed.Int26_6(64*20 + 4*k + int(r)%4), Y: 64 * 30}
				at, mask, _, advance, ok := steady.Glyph(dot, r)
				pix := []byte(nil)
				if ok {
					pix = mask.(*image.Alpha).Pix
				}
				h.Write(pix)
				if runtime.GOARCH != "amd64" {
					continue
				}
				wantAt, want, _, wantAdvance, wantOK := other.Glyph(dot, r)
				if ok != wantOK || at != wantAt || advance != wantAdvance || ok && !bytes.Equal(pix, want.(*image.Alpha).Pix) {
					t.Fatalf("%q, %v pixels, at %v: %v %v %v, want %v %v %v, or other pixels", r, size, dot, ok, at, advance, wantOK, wantAt, wantAdvance)
				}
			}
		}
	}
	if got := h.Sum32(); got != 0xa6f7fb21 {
		t.Errorf("all glyphs have the checksum %#x", got)
	}
}
