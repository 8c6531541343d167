package imageio

import (
	"bytes"
	"hash/crc32"
	"image"
	"image/color"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/disintegration/imaging"
)

// noise are pictures of all kinds: opaque, half transparent, grey, with names for colours, and a part of a larger one.
func noise(w, h int) []image.Image {
	r := rand.New(rand.NewPCG(3, 4))
	clear, opaque, grey := image.NewNRGBA(image.Rect(0, 0, w, h)), image.NewRGBA(image.Rect(0, 0, w, h)), image.NewGray(image.Rect(0, 0, w, h))
	named := image.NewPaletted(image.Rect(-3, 2, w-3, h+2), color.Palette{color.White, color.Black, color.NRGBA{200, 30, 90, 128}})
	for i := range clear.Pix {
		clear.Pix[i], opaque.Pix[i] = uint8(r.IntN(256)), uint8(r.IntN(256))
		if i%4 == 3 {
			opaque.Pix[i] = 255
		}
	}
	for i := range grey.Pix {
		grey.Pix[i], named.Pix[i] = uint8(r.IntN(256)), uint8(r.IntN(3))
	}
	return []image.Image{clear, opaque, grey, named, clear.SubImage(image.Rect(1, 2, w-2, h-1))}
}

// TestResize compares with imaging on amd64, and sums of all pixels on every processor.
func TestResize(t *testing.T) {
	sum := crc32.NewIEEE()
	for name, f := range map[string]struct {
		ours   Filter
		theirs imaging.ResampleFilter
		sum    uint32
	}{
		"box":     {Box, imaging.Box, 0xfdc96a0d},
		"linear":  {Linear, imaging.Linear, 0x412e1d9a},
		"lanczos": {Lanczos, imaging.Lanczos, 0x256bb801},
	} {
		sum.Reset()
		for _, size := range [][2]int{{31, 17}, {150, 140}, {1, 5}} {
			for i, img := range noise(size[0], size[1]) {
				if img.Bounds().Empty() {
					continue
				}
				for _, to := range [][2]int{{31, 17}, {31, 40}, {9, 17}, {64, 5}, {3, 3}, {200, 190}} {
					got := Resize(img, to[0], to[1], f.ours)
					sum.Write(got.Pix)
					if want := imaging.Resize(img, to[0], to[1], f.theirs); runtime.GOARCH == "amd64" && (got.Rect != want.Rect || !bytes.Equal(got.Pix, want.Pix)) {
						t.Fatalf("%s, picture %d of %v to %v: other pixels", name, i, size, to)
					}
					got = Fit(img, to[0], to[1], f.ours)
					if want := imaging.Fit(img, to[0], to[1], f.theirs); got.Rect != want.Rect && want.Rect.Dx()*want.Rect.Dy() > 1 {
						t.Fatalf("%s, picture %d of %v into %v: %v, want %v", name, i, size, to, got.Rect, want.Rect)
					}
				}
			}
		}
		if got := sum.Sum32(); got != f.sum {
			t.Errorf("%s: all pixels have the checksum %#x, want %#x", name, got, f.sum)
		}
	}
}
