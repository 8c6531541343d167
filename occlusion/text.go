package occlusion

import (
	"fmt"

	"github.com/deconvnet/viz/model"
)

// What the maps of different networks are called in figures.

// quantityOf is what panel (d) shows.
func (m *Map) quantityOf(class string) string {
	if m.Quantity == model.Value {
		return "output " + class
	}
	return "p(" + class + ")"
}

// quantityText is the unit of panel (d).
func (m *Map) quantityText() string {
	s := string(m.Quantity)
	switch {
	case m.At != nil:
		return fmt.Sprintf("%s at %d,%d", s, m.At[0], m.At[1])
	case m.Sum():
		return s + ", sum over places"
	}
	return s
}

// Sum reports whether the numbers of a class are sums over the places of a map of scores.
func (m *Map) Sum() bool { return m.At == nil && m.reading.Spatial() }

// flatRange is the range of probabilities below which colours from 0 to 1 would
// show nothing.
const flatRange = 0.1

// bar are the limits of the colours of panel (d), whose values are lo to hi.
func (m *Map) bar(lo, hi float64) (float64, float64) {
	if m.Quantity == model.Probability && !m.Sum() && hi-lo >= flatRange {
		return 0, 1
	}
	return lo, hi
}

// lowText says what is so where the class is lowest.
func (m *Map) lowText(class string) string {
	if m.Quantity == model.Value {
		return "position of lowest output " + class
	}
	return "position of lowest p(" + class + ")"
}

// bestText says which class panel (e) shows.
func (m *Map) bestText() string {
	switch {
	case m.reading.Spatial():
		return "class of most places"
	case m.Quantity == model.Value:
		return "largest output"
	}
	return "most probable class"
}

// Predicted names what CleanBest and ArgMax give.
func (m *Map) Predicted(k int) string {
	if m.reading.Binary() && len(m.Net.Classes) != 2 {
		return []string{"below 0.5", "0.5 or more"}[k]
	}
	return m.Net.Class(k)
}

// minLoss is the smallest limit of the overlay's scale.
func (m *Map) minLoss() float64 {
	if m.Quantity == model.Value {
		return 1e-30
	}
	return minLoss
}
