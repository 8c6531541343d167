package imageio_test

import (
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/internal/imageio"
)

// TestChroma holds pictures with colours at half resolution to what PIL (libjpeg)
// makes of them. The two programs round the cosine transform in other ways, which
// shows as a few levels; colours that are repeated are off by tens at edges.
func TestChroma(t *testing.T) {
	for _, name := range []string{"chroma420", "chroma422"} {
		got, err := imageio.Open(filepath.Join("testdata", name+".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := imageio.Open(filepath.Join("testdata", name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if got.Bounds() != want.Bounds() {
			t.Fatalf("%s: %v, want %v", name, got.Bounds(), want.Bounds())
		}
		worst, differ := 0, 0
		for y := range got.Bounds().Dy() {
			for x := range got.Bounds().Dx() {
				r, g, b, _ := got.At(x, y).RGBA()
				R, G, B, _ := want.At(x, y).RGBA()
				d := 0
				for _, v := range [][2]uint32{{r, R}, {g, G}, {b, B}} {
					d = max(d, int(v[0]>>8)-int(v[1]>>8), int(v[1]>>8)-int(v[0]>>8))
				}
				worst = max(worst, d)
				if d > 0 {
					differ++
				}
			}
		}
		t.Logf("%s: %d pixels differ, by at most %d", name, differ, worst)
		if worst > 4 {
			t.Errorf("%s: a pixel is off by %d levels", name, worst)
		}
	}
}
