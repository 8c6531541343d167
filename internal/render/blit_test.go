package render

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"
)

// TestBlit holds fill and paste to package draw, in and over the edges, opaque and not, on all kinds of images.
func TestBlit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := func(opaque bool) *image.NRGBA {
		img := image.NewNRGBA(image.Rect(-3, 2, 20, 21))
		for i := range img.Pix {
			img.Pix[i] = byte(r.IntN(256))
			if opaque && i%4 == 3 {
				img.Pix[i] = 255
			}
		}
		return img.SubImage(image.Rect(1, 4, 15, 14)).(*image.NRGBA)
	}
	for round := range 200 {
		area := image.Rect(2, -1, 30, 33)
		var a, b draw.Image = image.NewRGBA(area), image.NewRGBA(area)
		switch round % 3 {
		case 1:
			a, b = image.NewNRGBA(area), image.NewNRGBA(area)
		case 2:
			a, b = image.NewGray(area), image.NewGray(area)
		}
		cell := image.Rect(r.IntN(40)-5, r.IntN(40)-5, r.IntN(40)-5, r.IntN(40)-5)
		c := color.NRGBA{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(255 - 100*(round%2))}
		fill(a, cell, c)
		draw.Draw(b, cell, image.NewUniform(c), image.Point{}, draw.Src)
		src, at := noise(round%5 > 0), image.Pt(r.IntN(30)-5, r.IntN(30)-5)
		paste(a, at, src)
		draw.Draw(b, image.Rectangle{at, at.Add(src.Rect.Size())}, src, src.Rect.Min, draw.Over)
		if p, _, _ := pixels(a); p != nil {
			if q, _, _ := pixels(b); !bytes.Equal(p, q) {
				t.Fatalf("round %d: other pixels", round)
			}
		} else if !bytes.Equal(a.(*image.Gray).Pix, b.(*image.Gray).Pix) {
			t.Fatalf("round %d: other grey", round)
		}
	}
}
