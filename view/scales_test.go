package view

import (
	"strings"
	"testing"

	"github.com/deconvnet/viz/deconv"
)

// TestScalesOfSheets: what is white is the magnitude of the tile, of its map, of the
// layer, or a number.
func TestScalesOfSheets(t *testing.T) {
	small, large := &deconv.Projection{Pixels: []float32{1, -0.5}}, &deconv.Projection{Pixels: []float32{0.5, -2}}
	top := topMap{projections: []*deconv.Projection{small, large}}
	for scale, want := range map[Scaling]float64{PerTile: 1, PerMap: 2, PerLayer: 5, Fixed: 7} {
		m := &sheetMaker{r: Sheets{Scale: scale, Fixed: 7, Clip: 100}, layerMax: 5}
		if got := m.scale(top, small); got != want {
			t.Errorf("scale %s: white is %g, want %g", scale, got, want)
		}
	}
}

// TestScalesOfFilters: tiles on scales of their own have no bar of colours, and the
// figure says so.
func TestScalesOfFilters(t *testing.T) {
	s, _ := ring(t)
	text, area := map[Scaling]string{}, map[Scaling]int{}
	for _, scale := range []Scaling{PerLayer, PerTile} {
		figures, err := s.Filters(Filters{Layers: []string{"conv1"}, Scale: scale, Most: 4})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range figures[0].Facts {
			if f.Key == "scale" {
				text[scale] = f.Value
			}
		}
		area[scale] = figures[0].Image.Bounds().Dx() * figures[0].Image.Bounds().Dy()
	}
	if !strings.Contains(text[PerTile], "each tile's") || !strings.Contains(text[PerLayer], "the layer's") {
		t.Errorf("scales are %v", text)
	}
	if area[PerLayer] <= area[PerTile] {
		t.Errorf("areas are %v: the layer's scale has a bar", area)
	}
}
