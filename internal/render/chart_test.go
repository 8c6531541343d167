package render

import (
	"bytes"
	"image/color"
	"slices"
	"strings"
	"testing"
)

// 6*0.1 is more than 0.6; a mark there would have its label cut off.
func TestNiceTicksInside(t *testing.T) {
	for _, hi := range []float64{0.3, 0.6, 0.7, 1, 3} {
		ticks := niceTicks(0, hi, 8)
		if last := ticks[len(ticks)-1].Value; last != hi {
			t.Errorf("0 to %v: the last mark is at %v", hi, last)
		}
	}
}

// TestGroupedBars: each group has its name below it, in as many lines as it takes, and bars keep their colours and order.
func TestGroupedBars(t *testing.T) {
	chart := Chart{Width: 500, Height: 300, Group: 2, Colors: []color.Color{Categorical(0), Categorical(2), Categorical(0), Categorical(2)}}
	img := chart.Bars([]string{"full", "without the last dense layer"}, []float64{4, 3, 2, 1})
	// Along the axis' foot: test, training, test, training.
	var seen []color.NRGBA
	for y := 299; y > 0 && len(seen) == 0; y-- {
		for x := range 500 {
			c := img.NRGBAAt(x, y)
			for _, want := range []color.NRGBA{rgba(Categorical(0)), rgba(Categorical(2))} {
				if c == want && (len(seen) == 0 || seen[len(seen)-1] != want) {
					seen = append(seen, want)
				}
			}
		}
	}
	want := []color.NRGBA{rgba(Categorical(0)), rgba(Categorical(2)), rgba(Categorical(0)), rgba(Categorical(2))}
	if !slices.Equal(seen, want) {
		t.Errorf("bars from left to right: %v, want %v", seen, want)
	}
	face := newTypeface(regular(), tickSize)
	labels := face.wrapAll([]string{"full", "without the last dense layer"}, 80, 4)
	if strings.Count(labels[0], "\n") != strings.Count(labels[1], "\n") || strings.ReplaceAll(labels[1], "\n", " ") != "without the last dense layer" {
		t.Errorf("%q: want the whole name, and as many lines for both", labels)
	}
	plain := chart.Bars([]string{"", ""}, []float64{4, 3, 2, 1})
	if bytes.Equal(plain.Pix, img.Pix) {
		t.Error("the names are not drawn")
	}
	defer func() {
		if recover() == nil {
			t.Error("three names for two groups are no error")
		}
	}()
	chart.Bars([]string{"a", "b", "c"}, []float64{4, 3, 2, 1})
}

func rgba(c color.Color) color.NRGBA { return color.NRGBAModel.Convert(c).(color.NRGBA) }
