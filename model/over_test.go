package model

import (
	"bytes"
	"hash/crc32"
	"image"
	"image/color"
	"runtime"
	"testing"

	"github.com/disintegration/imaging"
)

// TestOver lays all colours of all opacities on white: as imaging does on amd64, and the same on every processor.
func TestOver(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 256, 256))
	for alpha := range 256 {
		for v := range 256 {
			img.SetNRGBA(v, alpha, color.NRGBA{uint8(v), uint8(255 - v), uint8(v ^ 0x55), uint8(alpha)})
		}
	}
	got := onWhite(img)
	if want := imaging.Overlay(imaging.New(256, 256, color.White), img, image.Point{}, 1); runtime.GOARCH == "amd64" && !bytes.Equal(got.Pix, want.Pix) {
		t.Error("other pixels than imaging's")
	}
	if sum := crc32.ChecksumIEEE(got.Pix); sum != 0x839ac277 {
		t.Errorf("the pixels have the checksum %#x, want 0x839ac277", sum)
	}
}
