package imageio

import (
	"bytes"
	"hash/adler32"
	"image"
	"image/png"
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
)

// drawn is a picture of one of several kinds: noise, paper with few values, enlarged noise, a slope.
func drawn(rng *rand.Rand, grey bool) image.Image {
	w, h, kind, k := 1+rng.IntN(90), 1+rng.IntN(90), rng.IntN(5), 1+rng.IntN(9)
	at := func(x, y, c int) byte {
		r := rand.New(rand.NewPCG(uint64(x/k), uint64(y/k*8+c)))
		switch kind {
		case 0:
			return byte(r.Uint32())
		case 1:
			return 255 * byte(r.IntN(9)/8)
		case 2:
			return byte(r.ExpFloat64() * 9)
		case 3:
			return byte(x + 2*y + c)
		}
		return byte(c)
	}
	if grey {
		m := image.NewGray(image.Rect(0, 0, w, h))
		for i := range m.Pix {
			m.Pix[i] = at(i%w, i/w, 0)
		}
		return m
	}
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		if m.Pix[i] = at(i/4%w, i/4/w, i%4); i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	return m
}

// TestPNGFile: image/png decodes what is written to the same pixels, of the kind that it writes itself.
func TestPNGFile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		img := drawn(rng, i%3 == 0)
		if i%5 == 0 { // part of a larger picture
			b := img.Bounds()
			img = img.(interface {
				SubImage(image.Rectangle) image.Image
			}).SubImage(image.Rect(b.Dx()/3, b.Dy()/4, b.Dx(), b.Dy()))
		}
		if i%7 == 0 { // something shines through
			if m, ok := img.(*image.NRGBA); ok {
				m.Pix[(m.Rect.Dy()-1)*m.Stride+4*m.Rect.Dx()-1] = byte(i)
			}
		}
		if !samePNG(t, img) {
			t.Fatalf("picture %d of %v", i, img.Bounds())
		}
	}
	// Counts of symbols like Fibonacci's numbers have codes of more than 15 bits; a large one has several blocks.
	large := image.NewNRGBA(image.Rect(0, 0, 700, 500))
	for i := range large.Pix {
		if large.Pix[i] = byte(rng.Uint32()); i%4 == 3 {
			large.Pix[i] = 255
		}
	}
	skew := image.NewGray(image.Rect(0, 0, 20000, 1))
	sum := 0
	for i, n, before, v := 0, 1, 1, 0; i < len(skew.Pix); v++ {
		for range n {
			if i < len(skew.Pix) {
				sum += 1 + 3*v
				skew.Pix[i] = byte(sum)
				i++
			}
		}
		n, before = n+before, n
	}
	for _, img := range []image.Image{large, skew} {
		if !samePNG(t, img) {
			t.Fatalf("picture of %v", img.Bounds())
		}
	}
}

// samePNG compares the picture and the header that we and image/png make.
func samePNG(t testing.TB, img image.Image) bool {
	t.Helper()
	ours, err := pngFile(img)
	if err != nil {
		t.Error(err)
		return false
	}
	var want bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&want, img); err != nil {
		t.Error(err)
		return false
	}
	if head := len(signature) + 25; !bytes.Equal(ours[:head], want.Bytes()[:head]) {
		t.Errorf("begins with %x, want %x", ours[:head], want.Bytes()[:head])
		return false
	}
	got, err := png.Decode(bytes.NewReader(ours))
	if err != nil {
		t.Error(err)
		return false
	}
	b := img.Bounds()
	if equalPixels(got, img) {
		return true
	}
	for y := range b.Dy() {
		for x := range b.Dx() {
			if !sameColor(got.At(x, y), img.At(b.Min.X+x, b.Min.Y+y)) {
				t.Errorf("pixel %d,%d: %v, want %v", x, y, got.At(x, y), img.At(b.Min.X+x, b.Min.Y+y))
				return false
			}
		}
	}
	return true
}

// equalPixels compares the bytes of grey pictures, and of opaque ones, where they tell.
func equalPixels(got, want image.Image) bool {
	size := want.Bounds().Size()
	if got.Bounds() != image.Rect(0, 0, size.X, size.Y) {
		return false
	}
	bytesOf := func(img image.Image) (pix []byte, stride, n int) {
		switch m := img.(type) {
		case *image.Gray:
			return m.Pix, m.Stride, 1
		case *image.RGBA: // opaque, as image/png decodes it
			return m.Pix, m.Stride, 4
		case *image.NRGBA:
			return m.Pix, m.Stride, 4
		}
		return nil, 0, 0
	}
	a, strideA, n := bytesOf(got)
	b, strideB, m := bytesOf(want)
	for y := range size.Y {
		if n == 0 || n != m || !bytes.Equal(a[y*strideA:][:n*size.X], b[y*strideB:][:n*size.X]) {
			return false
		}
	}
	return true
}

// TestCodeLengths: codes are as short as Huffman's, no longer than the limit, and complete (Kraft).
func TestCodeLengths(t *testing.T) {
	often := make([]int, 40)
	for i, a, b := 0, 1, 1; i < 30; i++ {
		often[i], a, b = a, b, a+b
	}
	for _, limit := range []uint{15, 7} {
		sum := 0
		for s, n := range codeLengths(often, limit) {
			if (n > 0) != (often[s] > 0) || n > limit {
				t.Errorf("limit %d: symbol %d occurs %d times and has %d bits", limit, s, often[s], n)
			}
			if n > 0 {
				sum += 1 << (limit - n)
			}
		}
		if sum != 1<<limit {
			t.Errorf("limit %d: codes fill %d of %d", limit, sum, 1<<limit)
		}
	}
	// The example of RFC 1951, 3.2.2.
	for s, c := range codesOf([]uint{3, 3, 3, 3, 3, 2, 4, 4}) {
		want := []code{{2, 3}, {6, 3}, {1, 3}, {5, 3}, {3, 3}, {0, 2}, {7, 4}, {15, 4}}[s] // bits reversed
		if c != want {
			t.Errorf("code %d: %b of %d, want %b of %d", s, c.bits, c.n, want.bits, want.n)
		}
	}
}

func TestJoinAdler(t *testing.T) {
	b := make([]byte, 300000)
	for i := range b {
		b[i] = byte(i*i>>3) | 0x80
	}
	for _, at := range []int{0, 1, 77, 150000, len(b)} {
		if got, want := joinAdler(adler32.Checksum(b[:at]), adler32.Checksum(b[at:]), len(b)-at), adler32.Checksum(b); got != want {
			t.Errorf("%d: %08x, want %08x", at, got, want)
		}
	}
}

// FuzzEncode: image/png decodes what is written of any picture, also of part of a larger one, to the same pixels.
func FuzzEncode(f *testing.F) {
	f.Add([]byte{8, 8, 1, 2, 0, 255, 255, 255, 0, 0, 0, 9})
	f.Add([]byte{40, 3, 0, 7, 3, 1, 2, 3, 4, 5, 6, 7})
	f.Add([]byte{0, 90, 3, 0, 0, 1, 1, 1, 1, 1, 2, 3})
	f.Add([]byte{201, 200, 4, 1, 5, 1, 60, 33, 7, 211})
	f.Add([]byte{20, 20, 2, 1, 0, 10, 20, 30, 40, 50})
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		if len(b) < 6 {
			return
		}
		w, h, kind, times, left, data := 1+int(b[0])%220, 1+int(b[1])%220, b[2], 1+int(b[3])%9, int(b[4])%8, b[5:]
		if kind&60 != 4 {
			w, h = 1+w%24, 1+h%24
		}
		x := uint32(len(data))
		next := func(i int) byte { // the input's bytes, each several times; behind them they go on in another order
			if i /= times; i < len(data) {
				return data[i]
			}
			x = x*1664525 + 1013904223
			return data[int(x>>16)%len(data)]
		}
		large := image.Rect(0, 0, w+left, h)
		part := image.Rect(left, 0, w+left, h)
		var img image.Image
		if kind&1 > 0 {
			m := image.NewGray(large)
			for i := range m.Pix {
				m.Pix[i] = next(i)
			}
			img = m.SubImage(part)
		} else {
			m := image.NewNRGBA(large)
			for i := range m.Pix {
				if m.Pix[i] = next(i); i%4 == 3 && kind&2 == 0 {
					m.Pix[i] = 255
				}
			}
			img = m.SubImage(part)
		}
		samePNG(t, img)
	})
}
